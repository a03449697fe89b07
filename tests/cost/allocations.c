/* SPDX-License-Identifier: MIT */
/*
 * allocations.c: what the runtime asks the context's allocator for: a watcher when it is added, a
 * task when it is posted, the first turn once. Nothing else.
 */
#include "allocations.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY  1500
#define LATER PLX_SECONDS(1000)

static plx_watcher *watchers[MANY];

static void add_all(struct desk *desk, plx_handle handle, uint32_t events)
{
    for (int i = 0; i < MANY; i++)
        watchers[i] = desk_watch(desk, handle, events);
}

static void modify_all(uint32_t events)
{
    for (int i = 0; i < MANY; i++)
        CHECK_OK(plx_watcher_modify(watchers[i], events));
}

static void remove_all(void)
{
    for (int i = 0; i < MANY; i++)
        CHECK_OK(plx_watcher_remove(watchers[i]));
}

static void again_all(plx_duration after)
{
    for (int i = 0; i < MANY; i++)
        CHECK_OK(plx_watcher_again(watchers[i], after));
}

static void use_timers(struct desk *desk)
{
    ALLOCATES_NOTHING(desk, again_all(LATER));
    ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 0));
    ALLOCATES_NOTHING(desk, again_all(0));
    ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), MANY));
    ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 0));
    ALLOCATES_NOTHING(desk, modify_all(PLX_TIMER | PLX_ONESHOT));
    ALLOCATES_NOTHING(desk, again_all(PLX_FOREVER));
    ALLOCATES_NOTHING(desk, again_all(LATER));
    ALLOCATES_NOTHING(desk, remove_all());
    ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 0));
}

/* Also when all of them are stopped while they are added: there is room for each to start. */
static void timers(struct desk *desk)
{
    desk_open(desk, 0);
    add_all(desk, plx_timer(PLX_FOREVER, 0), PLX_TIMER);
    use_timers(desk);
    for (int i = 0; i < 3; i++) {
        ALLOCATES_NOTHING(desk, add_all(desk, plx_timer(0, LATER), PLX_TIMER));
        use_timers(desk);
    }
    desk_close(desk);
}

static void notify_all(void)
{
    for (int i = 0; i < MANY; i++)
        CHECK_OK(plx_watcher_notify(watchers[i]));
}

static void clear_all(void)
{
    for (int i = 0; i < MANY; i++)
        CHECK_OK(plx_watcher_clear(watchers[i]));
}

static void notify(struct desk *desk)
{
    desk_open(desk, 0);
    add_all(desk, plx_notify(), PLX_NOTIFY);
    for (int i = 0; i < 3; i++) {
        ALLOCATES_NOTHING(desk, notify_all());
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), MANY));
        ALLOCATES_NOTHING(desk, clear_all());
        ALLOCATES_NOTHING(desk, notify_all());
        ALLOCATES_NOTHING(desk, modify_all(PLX_NOTIFY | PLX_ONESHOT));
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), MANY));
        ALLOCATES_NOTHING(desk, remove_all());
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 0));
        ALLOCATES_NOTHING(desk, add_all(desk, plx_notify(), PLX_NOTIFY));
    }
    desk_close(desk);
}

static void signals(struct desk *desk)
{
    desk_open(desk, 0);
    plx_handle handle = plx_signal(SIGUSR1);
    plx_watcher *watcher = desk_watch(desk, handle, PLX_SIGNAL);
    for (int i = 0; i < 3; i++) {
        ALLOCATES_NOTHING(desk, CHECK(raise(SIGUSR1) == 0));
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 1));
        ALLOCATES_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_SIGNAL)));
        ALLOCATES_NOTHING(desk, CHECK_OK(plx_watcher_remove(watcher)));
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 0));
        ALLOCATES_NOTHING(desk, watcher = desk_watch(desk, handle, PLX_SIGNAL));
    }
    desk_close(desk);
}

/* Over, and not yet collected. */
static pid_t finished_child(void)
{
    siginfo_t info;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    CHECK(child > 0 && waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    return child;
}

static void processes(struct desk *desk)
{
    desk_open(desk, 0);
    plx_handle handle = plx_process(finished_child());
    plx_watcher *watcher = desk_watch(desk, handle, PLX_PROCESS);
    for (int i = 0; i < 3; i++) {
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 1));
        ALLOCATES_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_PROCESS)));
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 1));
        ALLOCATES_NOTHING(desk, CHECK_OK(plx_watcher_remove(watcher)));
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 0));
        ALLOCATES_NOTHING(desk, watcher = desk_watch(desk, handle, PLX_PROCESS));
    }
    desk_close(desk);
    CHECK(waitpid((pid_t)handle.as.pid, NULL, 0) == (pid_t)handle.as.pid);
}

static void count_task(plx_context *context, void *data)
{
    (void)context;
    ++*(int *)data;
}

static void post_all(struct desk *desk, int *ran)
{
    for (int i = 0; i < MANY; i++)
        CHECK_OK(plx_context_post(desk->context, count_task, ran));
}

/* Each task is one block, and is given back when it runs. */
static void posts(struct desk *desk)
{
    int ran = 0;
    desk_open(desk, 0);
    ALLOCATES(desk, 1, CHECK_EQUAL(plx_context_turn(desk->context, 0), 0));
    size_t bytes = desk->memory.bytes;
    for (int i = 1; i <= 3; i++) {
        ALLOCATES(desk, MANY, post_all(desk, &ran));
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(plx_context_turn(desk->context, 0), MANY));
        CHECK_EQUAL(ran, i * MANY);
        CHECK_EQUAL(desk->memory.bytes, bytes);
    }
    post_all(desk, &ran);
    desk_close(desk); /* what never ran is given back as well */
}

static void call_back(plx_watcher *watcher, uint32_t triggered, void *data)
{
    (void)triggered;
    ++*(int *)data;
    CHECK_OK(plx_watcher_modify(watcher, plx_watcher_events(watcher)));
}

static void turns(struct desk *desk)
{
    int called = 0;
    desk_open(desk, 0);
    plx_handle handles[] = {plx_fd(desk_event(desk, true)), plx_timer(0, 1), plx_notify()};
    uint32_t events[] = {PLX_READ, PLX_TIMER, PLX_NOTIFY};
    for (int i = 0; i < 3; i++)
        CHECK_OK(
            plx_context_on(desk->context, handles[i], events[i], call_back, &called, &watchers[i]));
    CHECK_OK(plx_watcher_notify(watchers[2]));
    CHECK_EQUAL(plx_context_turn(desk->context, 0), 3);
    for (int i = 0; i < 3; i++)
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(plx_context_turn(desk->context, 0), 3));
    plx_context_stop(desk->context);
    ALLOCATES_NOTHING(desk, CHECK_OK(plx_context_run(desk->context)));
    CHECK_EQUAL(called, 12);
    desk_close(desk);
}

const struct cost_case allocation_cases[] = {
    {"runtime_timers", timers, false},   {"runtime_notify", notify, false},
    {"runtime_signals", signals, false}, {"runtime_processes", processes, false},
    {"runtime_posts", posts, false},     {"runtime_turns", turns, false},
};

const size_t allocation_case_count = COUNT_OF(allocation_cases);
