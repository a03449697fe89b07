/* SPDX-License-Identifier: MIT */
/*
 * calls.c: the table of system calls that is promised in the headers, held exactly. Counted where
 * the backends leave for the kernel; strace_calls makes sure that nothing leaves elsewhere.
 */
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "calls_event_ports.h"
#include "calls_kqueue.h"
#include "desk.h"
#include "fallback.h"
#include "runtime.h"
#include "system.h"

static plx_watcher *ready[ROOM];

static int look_for(struct desk *desk, int capacity, plx_duration timeout)
{
    int count = plx_context_wait(desk->context, ready, capacity, timeout);
    CHECK(count >= 0);
    return count;
}

static void destroy(struct desk *desk)
{
    plx_context *context = desk->context;
    desk->context = NULL;
    plx_context_destroy(context);
}

/* Of poll: an eventfd, or where POLLUX_PLAIN_POLL asked for it a pipe. */
#if POLL_WAKE_ENDS == 1
#define OPENED_WAKE "eventfd=1"
#define CLOSED_WAKE "close=1"
#else
#define OPENED_WAKE "eventfd=1 fcntl=6"
#define CLOSED_WAKE "close=2"
#endif

/* The probe, whether epoll is there, is two of the calls. */
static void create_destroy(struct desk *desk)
{
    COSTS(desk, desk_open(desk, 0), "create=2 add=1 eventfd=1 close=1", OPENED_WAKE);
    COSTS(desk, destroy(desk), "close=2", CLOSED_WAKE);
    COSTS(desk, desk_open(desk, 1000), "create=2 add=1 eventfd=1 close=1", OPENED_WAKE);
    for (int i = 0; i < 100; i++)
        desk_add(desk, desk_event(desk, false), PLX_READ);
    COSTS(desk, destroy(desk), "close=2", CLOSED_WAKE);
    desk_close(desk);
}

static void add(struct desk *desk)
{
    desk_open(desk, 0);
    int fd = desk_event(desk, true);
    COSTS(desk, desk_add(desk, fd, PLX_READ), "add=1", "ppoll=1");
    fd = desk_event(desk, true);
    COSTS(desk, desk_add(desk, fd, PLX_WRITE | PLX_ONESHOT), "add=1", "ppoll=1");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 2));
    desk_close(desk);
}

static int add_again(struct desk *desk, int fd)
{
    return plx_context_add(desk->context, plx_fd(fd), PLX_READ, NULL, NULL);
}

/* The table has the number: one more call may confirm it, and none is needed. */
static void add_hit(struct desk *desk)
{
    desk_open(desk, 0);
    int fd = desk_event(desk, true);
    desk_add(desk, fd, PLX_READ);
    COSTS(desk, CHECK_CODE(add_again(desk, fd), PLX_ERR_EXISTS), "add=1", "ppoll=1");

    CHECK(dup2(desk_event(desk, false), fd) == fd);
    int code = IS_EPOLL(desk) ? PLX_OK : PLX_ERR_EXISTS;
    COSTS(desk, CHECK_CODE(add_again(desk, fd), code), "add=1", "ppoll=1");
    desk_close(desk);
}

static void add_refused(struct desk *desk)
{
    desk_open(desk, 0);
    plx_context *context = desk->context;
    COSTS_NOTHING(desk, CHECK_CODE(add_again(desk, -1), PLX_ERR_BADHANDLE));
    COSTS_NOTHING(desk,
                  CHECK_CODE(plx_context_add(context, plx_fd(0), 0, NULL, NULL), PLX_ERR_INVALID));
    COSTS(desk, CHECK_CODE(add_again(desk, 19999), PLX_ERR_BADHANDLE), "add=1", "ppoll=1");
    desk_close(desk);
}

static void modify_same(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, true), PLX_READ);
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ)));
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 1));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ)));
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 1));
    desk_close(desk);
}

static void modify_changed(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, true), PLX_READ);
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE)));
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 1), "mod=1 epoll_wait=1", "ppoll=1");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 1));
    desk_close(desk);
}

static void modify_often(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, true), PLX_READ);
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_WRITE)));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_PRI)));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE)));
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 1), "mod=1 epoll_wait=1", "ppoll=1");
    desk_close(desk);
}

static void modify_undone(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, true), PLX_READ);
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_WRITE)));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE)));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ)));
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 1));
    desk_close(desk);
}

/* A change that is removed before the wait never reaches the kernel. */
static void modify_then_remove(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, true), PLX_READ);
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE)));
    COSTS(desk, CHECK_OK(plx_watcher_remove(watcher)), "del=1", "");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    desk_close(desk);
}

/* It reports again, and so has to be told to the kernel even if the set is the same. */
static void modify_edge(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, true), PLX_READ | PLX_EDGE);
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 1));
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_EDGE)));
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 1), "mod=1 epoll_wait=1", "");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    desk_close(desk);
}

static void rearm_oneshot(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, true), PLX_READ | PLX_ONESHOT);
    for (int i = 0; i < 3; i++) {
        COSTS(desk, CHECK_EQUAL(desk_look(desk), 1), i == 0 ? "epoll_wait=1" : "mod=1 epoll_wait=1",
              "ppoll=1");
        COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
        COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_ONESHOT)));
    }
    desk_close(desk);
}

/* Nobody asked for a hang-up but to be told of it: one report, then mute. */
static void rearm_mute(struct desk *desk)
{
    int pair[2];
    desk_open(desk, 0);
    CHECK(pipe(pair) == 0);
    desk_keep(desk, pair[0]);
    close(pair[1]);
    plx_watcher *watcher = desk_add(desk, pair[0], PLX_HUP);
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 1));
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_HUP)));
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 1), "mod=1 epoll_wait=1", "ppoll=1");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    desk_close(desk);
}

static void remove_and_close(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, true), PLX_READ);
    int watched = eventfd(1, EFD_CLOEXEC);
    int unwatched = eventfd(1, EFD_CLOEXEC);
    desk_add(desk, watched, PLX_READ);
    COSTS(desk, CHECK_OK(plx_watcher_remove(watcher)), "del=1", "");
    COSTS_NOTHING(desk, CHECK_CODE(plx_watcher_remove(watcher), PLX_ERR_INACTIVE));
    COSTS(desk, CHECK_OK(plx_context_close(desk->context, watched)), "del=1 close=1", "close=1");
    COSTS(desk, CHECK_OK(plx_context_close(desk->context, unwatched)), "close=1", "close=1");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    desk_close(desk);
}

/*
 * epoll refuses a file, so that one has to find out otherwise which it is, and with each report
 * whether it is still open.
 */
static void files(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = NULL;
    int fd = desk_file(desk);
    COSTS(desk, watcher = desk_add(desk, fd, PLX_READ), "add=1 fstat=1", "ppoll=1");
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 1), "epoll_wait=1 fcntl=1", "ppoll=1");
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE)));
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 1), "epoll_wait=1 fcntl=1", "ppoll=1");
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_PRI)));
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_remove(watcher)));
    desk_close(desk);
}

static int get_fd(void *object)
{
    return *(int *)object;
}

static bool has_buffered(void *object)
{
    (void)object;
    return true;
}

static void buffered(struct desk *desk)
{
    static const plx_handle_ops ops = {
        .size = sizeof ops, .get_fd = get_fd, .has_buffered = has_buffered};
    desk_open(desk, 0);
    int fd = desk_event(desk, false);
    plx_handle handle = plx_custom(&ops, &fd);
    COSTS(desk, CHECK_OK(plx_context_add(desk->context, handle, PLX_READ, NULL, NULL)), "add=1",
          "ppoll=1");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 1));
    /* Room for one: the kernel did not come to it, and is asked what it would say. */
    COSTS(desk, CHECK_EQUAL(look_for(desk, 1, PLX_FOREVER), 1), "poll=1", "ppoll=1");
    desk_close(desk);
}

static void add_many(struct desk *desk, int count, bool are_ready)
{
    for (int i = 0; i < count; i++)
        desk_add(desk, desk_event(desk, are_ready), PLX_READ);
}

static void batch(struct desk *desk)
{
    desk_open(desk, 0);
    add_many(desk, 100, true);
    add_many(desk, 900, false);
    COSTS_A_LOOK(desk, CHECK_EQUAL(look_for(desk, 1, 0), 1));
    COSTS_A_LOOK(desk, CHECK_EQUAL(look_for(desk, 100, 0), 100));
    COSTS_A_LOOK(desk, CHECK_EQUAL(look_for(desk, 1024, 0), 100));
    COSTS_A_LOOK(desk, CHECK_EQUAL(look_for(desk, 2000, 0), 100));
    desk_close(desk);
}

/* The first 1 024 come with one call, and each further 1 024 with one more. */
static void large_batch(struct desk *desk)
{
    desk_need_descriptors(3100);
    desk_open(desk, 0);
    add_many(desk, 1500, true);
    COSTS_A_LOOK(desk, CHECK_EQUAL(look_for(desk, 1024, 0), 1024));
    COSTS(desk, CHECK_EQUAL(look_for(desk, 1500, 0), 1500), "epoll_wait=2", "ppoll=2");
    COSTS(desk, CHECK_EQUAL(look_for(desk, 2000, 0), 1500), "epoll_wait=2", "ppoll=2");
    add_many(desk, 1500, true);
    COSTS(desk, CHECK_EQUAL(look_for(desk, 3500, 0), 3000), "epoll_wait=3", "ppoll=3");
    desk_close(desk);
}

/* The clock is read for a limit, and once more if the wait comes to an end with nothing. */
static void timeouts(struct desk *desk)
{
    skip_without_exact_wait(desk);
    desk_open(desk, 0);
    COSTS_A_LOOK(desk, CHECK_EQUAL(look_for(desk, 1, 0), 0));
    COSTS(desk, CHECK_EQUAL(look_for(desk, 1, PLX_MS(1)), 0), "epoll_pwait2=1 clock=2",
          "ppoll=1 clock=2");
    desk_add(desk, desk_event(desk, true), PLX_READ);
    COSTS(desk, CHECK_EQUAL(look_for(desk, 1, PLX_SECONDS(9)), 1), "epoll_pwait2=1 clock=1",
          "ppoll=1 clock=1");
    COSTS_A_LOOK(desk, CHECK_EQUAL(look_for(desk, 1, PLX_FOREVER), 1));
    desk_close(desk);
}

static void wake_awake(struct desk *desk)
{
    desk_open(desk, 0);
    COSTS_NOTHING(desk, CHECK_OK(plx_context_wake(desk->context)));
    COSTS_NOTHING(desk, CHECK_OK(plx_context_wake(desk->context)));
    COSTS_A_LOOK(desk, CHECK_EQUAL(look_for(desk, 1, PLX_FOREVER), 0));
    COSTS_NOTHING(desk, CHECK_OK(plx_context_wake(desk->context)));
    COSTS_A_LOOK(desk, CHECK_EQUAL(look_for(desk, 1, 0), 0));
    desk_close(desk);
}

static void wake_twice(void *context)
{
    CHECK_OK(plx_context_wake(context));
    CHECK_OK(plx_context_wake(context));
}

/* What a signal handler does to a sleeping wait. */
static void wake_asleep(struct desk *desk)
{
    desk_open(desk, 0);
    for (int i = 0; i < 3; i++) {
        desk_on_sleep(wake_twice, desk->context);
        COSTS(desk, CHECK_EQUAL(look_for(desk, 8, PLX_FOREVER), 0), "epoll_wait=1 write=1",
              "ppoll=1 read=1 write=1");
        COSTS_A_LOOK(desk, CHECK_EQUAL(look_for(desk, 8, 0), 0));
    }
    desk_close(desk);
}

static void wake_in_thread(void *context)
{
    plx_context_wake(context);
}

static void wake_from_thread(void *context)
{
    thread_join(thread_start(wake_in_thread, context));
}

/* The same from another thread. What starting that one costs is not for strace. */
static void wake_by_thread(struct desk *desk)
{
    desk_stop_marking();
    desk_open(desk, 0);
    desk_on_sleep(wake_from_thread, desk->context);
    COSTS(desk, CHECK_EQUAL(look_for(desk, 8, PLX_FOREVER), 0), "epoll_wait=1 write=1",
          "ppoll=1 read=1 write=1");
    desk_close(desk);
}

/* Who nests has wakes and changes shown at once: two calls for a wake, one for a change. */
static void nested(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, true), PLX_READ);
    CHECK(plx_context_fd(desk->context) >= 0);
    COSTS_NOTHING(desk, CHECK(plx_context_fd(desk->context) >= 0));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ)));
    COSTS(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_PRI)), "mod=1", "");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    COSTS(desk, CHECK_OK(plx_context_wake(desk->context)), "write=1", "");
    COSTS_NOTHING(desk, CHECK_OK(plx_context_wake(desk->context)));
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 0), "epoll_wait=1 read=1", "");
    desk_close(desk);
}

/* A descriptor that is closed and still reported costs one fresh queue, also without room for more
   than one report: of that, of the wake and of a watcher, which is asked for first. */
static void ghost(struct desk *desk)
{
    desk_open(desk, 0);
    desk_add(desk, desk_event(desk, false), PLX_READ);
    int fd = dup(desk_event(desk, true));
    plx_watcher *watcher = desk_add(desk, fd, PLX_READ);
    CHECK_EQUAL(close(fd), 0);
    CHECK_OK(plx_watcher_remove(watcher));
    COSTS(desk, CHECK_EQUAL(look_for(desk, 1, 0), 0), "create=1 add=3 epoll_wait=2 close=1", "");
    COSTS_A_LOOK(desk, CHECK_EQUAL(look_for(desk, 1, 0), 0));
    desk_close(desk);
}

static void ask_everything(struct desk *desk, plx_watcher *watcher)
{
    CHECK_EQUAL(plx_context_count(desk->context), 1);
    CHECK(plx_context_find(desk->context, desk->descriptors[0]) == watcher);
    CHECK(plx_context_backend(desk->context) == desk->backend);
    CHECK(plx_watcher_is_active(watcher));
    CHECK_EVENTS(plx_watcher_events(watcher), PLX_READ);
    CHECK_EVENTS(plx_watcher_triggered(watcher), PLX_READ);
    plx_watcher_set_data(watcher, desk);
    CHECK(plx_watcher_data(watcher) == desk);
    CHECK(plx_watcher_handle(watcher).as.fd == desk->descriptors[0]);
    CHECK(plx_watcher_context(watcher) == desk->context);
}

static void questions(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, true), PLX_READ);
    CHECK_EQUAL(desk_look(desk), 1);
    COSTS_NOTHING(desk, ask_everything(desk, watcher));
    desk_close(desk);
}

static void refuse_everything(struct desk *desk, plx_watcher *watcher)
{
    plx_context *context = desk->context;
    CHECK_CODE(add_again(desk, 0), PLX_ERR_FORKED);
    CHECK_CODE(plx_context_wait(context, ready, 1, PLX_FOREVER), PLX_ERR_FORKED);
    CHECK_CODE(plx_context_wake(context), PLX_ERR_FORKED);
    CHECK_CODE(plx_context_fd(context), PLX_ERR_FORKED);
    CHECK_CODE(plx_watcher_modify(watcher, PLX_WRITE), PLX_ERR_FORKED);
    CHECK_CODE(plx_watcher_remove(watcher), PLX_ERR_FORKED);
}

struct child {
    struct desk *desk;
    plx_watcher *watcher;
};

static void live_as_child(void *argument)
{
    struct child *child = argument;
    COSTS_NOTHING(child->desk, refuse_everything(child->desk, child->watcher));
    COSTS(child->desk, destroy(child->desk), "close=2", CLOSED_WAKE);
}

static void fork_guard(struct desk *desk)
{
    desk_open(desk, 0);
    struct child child = {desk, desk_add(desk, desk_event(desk, true), PLX_READ)};
    in_child(live_as_child, &child);
    COSTS_NOTHING(desk, CHECK_OK(plx_context_after_fork(desk->context)));
    desk_close(desk);
}

static const struct cost_case cases[] = {
    {"create_destroy", create_destroy, false},
    {"add", add, false},
    {"add_hit", add_hit, false},
    {"add_refused", add_refused, false},
    {"modify_same", modify_same, false},
    {"modify_changed", modify_changed, false},
    {"modify_often", modify_often, false},
    {"modify_undone", modify_undone, false},
    {"modify_then_remove", modify_then_remove, false},
    {"modify_edge", modify_edge, true},
    {"rearm_oneshot", rearm_oneshot, false},
    {"rearm_mute", rearm_mute, false},
    {"remove_and_close", remove_and_close, false},
    {"files", files, false},
    {"buffered", buffered, false},
    {"batch", batch, false},
    {"large_batch", large_batch, false},
    {"timeouts", timeouts, false},
    {"wake_awake", wake_awake, false},
    {"wake_asleep", wake_asleep, false},
    {"wake_by_thread", wake_by_thread, false},
    {"nested", nested, true},
    {"ghost", ghost, true},
    {"questions", questions, false},
    {"fork_guard", fork_guard, false},
    {"exact_wait_missing", exact_wait_missing, true},
    {"exact_wait_filtered", exact_wait_filtered, true},
    {"exact_wait_interrupted", exact_wait_interrupted, true},
};

int main(void)
{
#ifdef POLLUX_STRESS
    printf("1..0 # SKIP %s\n", desk_odd_build());
    return 0;
#endif
    const struct cost_group groups[] = {
        {cases, COUNT_OF(cases), 0},
        {runtime_cases, runtime_case_count, 0},
#ifdef POLLUX_PLAYS_KQUEUE
        calls_kqueue_group,
#endif
#ifdef POLLUX_PLAYS_EVENT_PORTS
        calls_event_ports_group,
#endif
    };
#ifdef POLLUX_PLAYS_KQUEUE
    calls_kqueue_count();
#endif
#ifdef POLLUX_PLAYS_EVENT_PORTS
    calls_event_ports_count();
#endif
    return desk_run_cases(groups, COUNT_OF(groups));
}
