/* SPDX-License-Identifier: MIT */
/*
 * runtime.c: the system calls and clock reads of what has no descriptor of its own, and of the
 * loop: timers, notify, post, stop, signals, processes.
 */
#include "runtime.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fallback.h"
#include "src/os/process.h"

/* Never comes in a test. */
#define LATER PLX_SECONDS(1000)

static plx_watcher *ready[ROOM];

static int wait_for(struct desk *desk, plx_duration timeout)
{
    return plx_context_wait(desk->context, ready, ROOM, timeout);
}

static plx_watcher *add_timer(struct desk *desk, plx_duration after, plx_duration every)
{
    return desk_watch(desk, plx_timer(after, every), PLX_TIMER);
}

/* One look, for which the clock is read because a timer is running. */
#define COSTS_A_TIMED_LOOK(desk, operation)                                                        \
    COSTS_NAMED(desk, operation, #operation, "epoll_wait=1 clock=1", "ppoll=1 clock=1")

/* --- Timers --- */

static void timer_life(struct desk *desk)
{
    plx_watcher *watcher = NULL;
    desk_open(desk, 0);
    COSTS(desk, watcher = add_timer(desk, LATER, 0), "clock=1", "clock=1");
    COSTS(desk, add_timer(desk, LATER, LATER), "clock=1", "clock=1");
    COSTS_NOTHING(desk, add_timer(desk, PLX_FOREVER, 0));
    COSTS(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_TIMER)), "clock=1", "clock=1");
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_again(watcher, LATER)));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_again(watcher, PLX_MS(1))));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_again(watcher, PLX_FOREVER)));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_again(watcher, LATER)));
    COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_remove(watcher)));
    COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    desk_close(desk);
}

/* Timers that are stopped are none: the clock is nobody's business. */
static void timers_stopped(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = add_timer(desk, LATER, 0);
    add_timer(desk, PLX_FOREVER, LATER);
    CHECK_OK(plx_watcher_again(watcher, PLX_FOREVER));
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    CHECK_OK(plx_watcher_remove(watcher));
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    desk_close(desk);
}

static void add_due(struct desk *desk, int count, plx_duration every)
{
    for (int i = 0; i < count; i++)
        add_timer(desk, 0, every);
}

/* One is as dear as a thousand. */
static void timers_expire(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = add_timer(desk, 0, 0);
    COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(desk_look(desk), 1));
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    CHECK_OK(plx_watcher_again(watcher, 0));
    COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(desk_look(desk), 1));
    add_due(desk, 1000, 0);
    COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(desk_look(desk), 1000));
    add_due(desk, 1000, LATER);
    COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(desk_look(desk), 1000));
    COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(wait_for(desk, 0), 0));
    desk_close(desk);
}

/* With a descriptor that is ready as well, and a limit to the wait: still one look at the clock. */
static void timers_and_descriptors(struct desk *desk)
{
    desk_open(desk, 0);
    desk_add(desk, desk_event(desk, true), PLX_READ);
    add_timer(desk, 0, 0);
    add_timer(desk, LATER, 0);
    COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(wait_for(desk, PLX_FOREVER), 2));
    desk_close(desk);

    skip_without_exact_wait(desk);
    desk_open(desk, 0);
    desk_add(desk, desk_event(desk, true), PLX_READ);
    add_timer(desk, LATER, 0);
    COSTS(desk, CHECK_EQUAL(wait_for(desk, PLX_SECONDS(9)), 1), "epoll_pwait2=1 clock=1",
          "ppoll=1 clock=1");
    desk_close(desk);
}

/* One sleep, and the clock before and after it. */
static void timer_ends_sleep(struct desk *desk)
{
    skip_without_exact_wait(desk);
    desk_open(desk, 0);
    desk_hold_clock();
    plx_watcher *watcher = add_timer(desk, PLX_US(200), 0);
    add_timer(desk, LATER, 0);
    COSTS(desk, CHECK_EQUAL(wait_for(desk, PLX_FOREVER), 1), "epoll_pwait2=1 clock=2",
          "ppoll=1 clock=2");
    desk_hold_clock();
    CHECK_OK(plx_watcher_again(watcher, PLX_US(200)));
    COSTS(desk, CHECK_EQUAL(wait_for(desk, PLX_SECONDS(9)), 1), "epoll_pwait2=1 clock=2",
          "ppoll=1 clock=2");
    COSTS(desk, CHECK_EQUAL(wait_for(desk, PLX_US(200)), 0), "epoll_pwait2=1 clock=2",
          "ppoll=1 clock=2");
    desk_close(desk);
}

/* The alarm is one timerfd for all. It is set when the next deadline becomes earlier... */
static void nested_timers(struct desk *desk)
{
    desk_open(desk, 0);
    COSTS(desk, CHECK(plx_context_fd(desk->context) >= 0), "create=1 add=3 timerfd=1 read=1", "");
    plx_watcher *watcher = NULL, *earlier = NULL;
    COSTS(desk, watcher = add_timer(desk, LATER, 0), "settime=1 clock=1", "");
    COSTS(desk, add_timer(desk, LATER, 0), "clock=1", "");
    COSTS(desk, earlier = add_timer(desk, LATER / 2, 0), "settime=1 clock=1", "");
    COSTS(desk, CHECK_OK(plx_watcher_again(watcher, LATER)), "clock=1", "");
    COSTS(desk, CHECK_OK(plx_watcher_again(watcher, LATER / 4)), "settime=1 clock=1", "");
    COSTS(desk, CHECK_OK(plx_watcher_again(watcher, LATER)), "clock=1", "");
    COSTS(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_TIMER)), "clock=1", "");
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_again(watcher, PLX_FOREVER)));
    /* ... and when a wait ends, if it is not right then. */
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 0), "epoll_wait=1 settime=1 clock=1", "");
    COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_remove(earlier)));
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 0), "epoll_wait=1 settime=1 clock=1", "");
    desk_close(desk);
}

static void nested_expiry(struct desk *desk)
{
    desk_open(desk, 0);
    CHECK(plx_context_fd(desk->context) >= 0);
    plx_watcher *watcher = add_timer(desk, 0, 0);
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 1), "epoll_wait=1 settime=1 clock=1", "");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    COSTS(desk, CHECK_OK(plx_watcher_again(watcher, 0)), "settime=1 clock=1", "");
    add_due(desk, 1000, LATER);
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 1001), "epoll_wait=1 settime=1 clock=1", "");
    COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    desk_close(desk);
}

/* --- Notify --- */

static plx_watcher *add_notify(struct desk *desk)
{
    return desk_watch(desk, plx_notify(), PLX_NOTIFY);
}

static void notify_awake(struct desk *desk)
{
    plx_watcher *watcher = NULL;
    desk_open(desk, 0);
    COSTS_NOTHING(desk, watcher = add_notify(desk));
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    for (int i = 0; i < 3; i++) {
        COSTS_NOTHING(desk, CHECK_OK(plx_watcher_notify(watcher)));
        COSTS_NOTHING(desk, CHECK_OK(plx_watcher_notify(watcher)));
        COSTS_A_LOOK(desk, CHECK_EQUAL(wait_for(desk, PLX_FOREVER), 1));
        COSTS_A_LOOK(desk, CHECK_EQUAL(wait_for(desk, PLX_FOREVER), 1));
        COSTS_NOTHING(desk, CHECK_OK(plx_watcher_notify(watcher)));
        COSTS_NOTHING(desk, CHECK_OK(plx_watcher_clear(watcher)));
        COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    }
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_remove(watcher)));
    desk_close(desk);
}

static void notify_twice(void *watcher)
{
    CHECK_OK(plx_watcher_notify(watcher));
    CHECK_OK(plx_watcher_notify(watcher));
}

static void notify_asleep(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = add_notify(desk);
    for (int i = 0; i < 3; i++) {
        desk_on_sleep(notify_twice, watcher);
        COSTS(desk, CHECK_EQUAL(wait_for(desk, PLX_FOREVER), 1), "epoll_wait=1 write=1",
              "ppoll=1 read=1 write=1");
        COSTS_NOTHING(desk, CHECK_OK(plx_watcher_clear(watcher)));
        COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    }
    desk_close(desk);
}

#define NOTIFIES 10000

static void notify_all(void *argument)
{
    plx_watcher *const *notifies = argument;
    for (int i = 0; i < NOTIFIES; i++)
        CHECK_OK(plx_watcher_notify(notifies[i]));
}

/* One of them costs what a single one costs; all of them cost no more. */
static void notify_many(struct desk *desk)
{
    static plx_watcher *notifies[NOTIFIES];
    desk_open(desk, 0);
    for (int i = 0; i < NOTIFIES; i++)
        notifies[i] = add_notify(desk);
    desk_on_sleep(notify_twice, notifies[NOTIFIES / 2]);
    COSTS(desk, CHECK_EQUAL(wait_for(desk, PLX_FOREVER), 1), "epoll_wait=1 write=1",
          "ppoll=1 read=1 write=1");
    CHECK(ready[0] == notifies[NOTIFIES / 2]);
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_clear(ready[0])));
    COSTS_NOTHING(desk, notify_all(notifies));
    COSTS_A_LOOK(desk, CHECK_EQUAL(wait_for(desk, 0), ROOM));
    desk_close(desk);
}

static void nested_notify(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = add_notify(desk), *other = add_notify(desk);
    CHECK(plx_context_fd(desk->context) >= 0);
    COSTS(desk, CHECK_OK(plx_watcher_notify(watcher)), "write=1", "");
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_notify(watcher)));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_notify(other)));
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 2));
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 2));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_clear(other)));
    COSTS(desk, CHECK_OK(plx_watcher_clear(watcher)), "read=1", "");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    desk_close(desk);
}

/* --- The loop --- */

static void do_nothing(plx_watcher *watcher, uint32_t triggered, void *data)
{
    (void)watcher, (void)triggered, (void)data;
}

static void count_task(plx_context *context, void *data)
{
    (void)context;
    ++*(int *)data;
}

static int turn(struct desk *desk)
{
    return plx_context_turn(desk->context, 0);
}

static void add_with_callback(struct desk *desk, plx_handle handle, uint32_t events,
                              plx_callback *callback, void *data)
{
    CHECK_OK(plx_context_on(desk->context, handle, events, callback, data, NULL));
}

static void turns(struct desk *desk)
{
    desk_open(desk, 0);
    COSTS_A_LOOK(desk, CHECK_EQUAL(turn(desk), 0));
    plx_handle handle = plx_fd(desk_event(desk, true));
    COSTS(desk, add_with_callback(desk, handle, PLX_READ, do_nothing, NULL), "add=1", "ppoll=1");
    COSTS_A_LOOK(desk, CHECK_EQUAL(turn(desk), 1));
    add_with_callback(desk, plx_timer(0, 0), PLX_TIMER, do_nothing, NULL);
    COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(turn(desk), 2));
    COSTS_A_LOOK(desk, CHECK_EQUAL(turn(desk), 1));
    desk_close(desk);
}

/* A watcher without a callback is muted: the kernel hears of it with the next wait. */
static void turn_without_callback(struct desk *desk)
{
    desk_open(desk, 0);
    desk_add(desk, desk_event(desk, true), PLX_READ);
    add_timer(desk, 0, 1);
    CHECK_OK(plx_watcher_notify(add_notify(desk)));
    COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(turn(desk), 0));
    COSTS(desk, CHECK_EQUAL(turn(desk), 0), "mod=1 epoll_wait=1", "ppoll=1");
    COSTS_A_LOOK(desk, CHECK_EQUAL(turn(desk), 0));
    desk_close(desk);
}

static void post_awake(struct desk *desk)
{
    int ran = 0;
    desk_open(desk, 0);
    for (int i = 0; i < 3; i++) {
        COSTS_NOTHING(desk, CHECK_OK(plx_context_post(desk->context, count_task, &ran)));
        COSTS_NOTHING(desk, CHECK_OK(plx_context_post(desk->context, count_task, &ran)));
        COSTS_A_LOOK(desk, CHECK_EQUAL(plx_context_turn(desk->context, PLX_FOREVER), 2));
        COSTS_A_LOOK(desk, CHECK_EQUAL(turn(desk), 0));
    }
    CHECK_EQUAL(ran, 6);
    COSTS_NOTHING(desk, CHECK_OK(plx_context_post(desk->context, count_task, &ran)));
    COSTS_A_LOOK(desk, CHECK_OK(plx_context_run(desk->context)));
    CHECK_EQUAL(ran, 7);
    desk_close(desk);
}

struct post {
    plx_context *context;
    int *ran;
};

static void post_twice(void *argument)
{
    const struct post *post = argument;
    for (int i = 0; i < 2; i++)
        CHECK_OK(plx_context_post(post->context, count_task, post->ran));
}

static void post_asleep(struct desk *desk)
{
    int ran = 0;
    desk_open(desk, 0);
    struct post post = {desk->context, &ran};
    for (int i = 0; i < 3; i++) {
        desk_on_sleep(post_twice, &post);
        COSTS(desk, CHECK_EQUAL(plx_context_turn(desk->context, PLX_FOREVER), 2),
              "epoll_wait=1 write=1", "ppoll=1 read=1 write=1");
        COSTS_A_LOOK(desk, CHECK_EQUAL(turn(desk), 0));
    }
    CHECK_EQUAL(ran, 6);
    desk_close(desk);
}

static void stop_twice(void *context)
{
    plx_context_stop(context);
    plx_context_stop(context);
}

static void stop(struct desk *desk)
{
    desk_open(desk, 0);
    COSTS_NOTHING(desk, CHECK_OK(plx_context_run(desk->context))); /* nothing to run for */
    add_with_callback(desk, plx_notify(), PLX_NOTIFY, do_nothing, NULL);
    COSTS_NOTHING(desk, stop_twice(desk->context));
    COSTS_NOTHING(desk, CHECK_OK(plx_context_run(desk->context)));
    desk_on_sleep(stop_twice, desk->context);
    COSTS(desk, CHECK_OK(plx_context_run(desk->context)), "epoll_wait=1 write=1",
          "ppoll=1 read=1 write=1");
    desk_close(desk);
}

static void touch_lightly(plx_watcher *watcher, uint32_t triggered, void *data)
{
    plx_watcher *const *others = data;
    (void)triggered;
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    CHECK_OK(plx_watcher_again(others[0], PLX_FOREVER));
    CHECK_OK(plx_watcher_clear(others[1]));
    plx_watcher_set_background(others[2], true);
}

/* An outer loop hears of what changes, and of nothing else. */
static void nested_turn(struct desk *desk)
{
    desk_open(desk, 0);
    CHECK(plx_context_fd(desk->context) >= 0);
    plx_watcher *others[] = {add_timer(desk, PLX_FOREVER, 0), add_notify(desk), add_notify(desk)};
    add_timer(desk, LATER, 0);
    add_with_callback(desk, plx_fd(desk_event(desk, true)), PLX_READ, touch_lightly, others);
    CHECK_EQUAL(turn(desk), 1);
    for (int i = 0; i < 3; i++)
        COSTS_A_TIMED_LOOK(desk, CHECK_EQUAL(turn(desk), 1));
    desk_close(desk);
}

static void notify_other(plx_watcher *watcher, uint32_t triggered, void *data)
{
    (void)watcher, (void)triggered;
    CHECK_OK(plx_watcher_notify(data));
}

static void post_other(plx_watcher *watcher, uint32_t triggered, void *data)
{
    (void)triggered;
    CHECK_OK(plx_context_post(plx_watcher_context(watcher), count_task, data));
}

static void clear_it(plx_watcher *watcher, uint32_t triggered, void *data)
{
    (void)triggered, (void)data;
    CHECK_OK(plx_watcher_clear(watcher));
}

/* Callbacks of the thread that waits: nobody is asleep, and nobody has to be woken. */
static void news_in_callbacks(struct desk *desk)
{
    int ran = 0;
    plx_watcher *notify;
    desk_open(desk, 0);
    CHECK_OK(plx_context_on(desk->context, plx_notify(), PLX_NOTIFY, clear_it, NULL, &notify));
    add_with_callback(desk, plx_fd(desk_event(desk, true)), PLX_READ, notify_other, notify);
    add_with_callback(desk, plx_fd(desk_event(desk, true)), PLX_READ, post_other, &ran);
    COSTS_A_LOOK(desk, CHECK_EQUAL(turn(desk), 3)); /* the task included */
    COSTS_A_LOOK(desk, CHECK_EQUAL(turn(desk), 4)); /* and the notify */
    CHECK_EQUAL(ran, 2);
    desk_close(desk);
}

/* --- Signals --- */

static pid_t self;

static plx_watcher *add_signal(struct desk *desk)
{
    return desk_watch(desk, plx_signal(SIGUSR1), PLX_SIGNAL);
}

/* What the process does once for its first signal is not counted. */
static void open_signals(struct desk *desk)
{
    self = getpid();
    desk_open(desk, 0);
    CHECK_OK(plx_watcher_remove(add_signal(desk)));
    CHECK_EQUAL(desk_look(desk), 0);
}

static void send_signal(void *unused)
{
    (void)unused;
    kill(self, SIGUSR1);
}

/* What is read of the disposition, and what is written. */
static void signal_life(struct desk *desk)
{
    plx_watcher *watcher = NULL, *second = NULL;
    open_signals(desk);
    COSTS(desk, watcher = add_signal(desk), "sigaction=2 sigmask=2 getpid=1",
          "sigaction=2 sigmask=2 getpid=1");
    COSTS(desk, second = add_signal(desk), "sigaction=2 sigmask=2 getpid=1",
          "sigaction=2 sigmask=2 getpid=1");
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_SIGNAL)));
    COSTS(desk, CHECK_OK(plx_watcher_remove(watcher)), "sigmask=2 getpid=1", "sigmask=2 getpid=1");
    COSTS(desk, CHECK_OK(plx_watcher_remove(second)), "sigaction=2 sigmask=2 getpid=1",
          "sigaction=2 sigmask=2 getpid=1");
    desk_close(desk);
}

/* The handler asks the kernel one thing: is it in a child made by vfork()? */
static void signal_awake(struct desk *desk)
{
    open_signals(desk);
    plx_watcher *watcher = add_signal(desk);
    for (int i = 0; i < 3; i++) {
        COSTS(desk, send_signal(NULL), "getpid=1 kill=1", "getpid=1 kill=1");
        COSTS(desk, send_signal(NULL), "getpid=1 kill=1", "getpid=1 kill=1");
        COSTS_A_LOOK(desk, CHECK_EQUAL(wait_for(desk, PLX_FOREVER), 1));
        CHECK_EQUAL(plx_watcher_count(watcher), 2);
        COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    }
    desk_close(desk);
}

/* With a hundred who watch it the delivery costs the same. */
static void signal_asleep(struct desk *desk)
{
    open_signals(desk);
    add_signal(desk);
    for (int watchers = 1; watchers <= 100; watchers += 99) {
        desk_on_sleep(send_signal, NULL);
        COSTS(desk, CHECK_EQUAL(wait_for(desk, PLX_FOREVER), watchers),
              "epoll_wait=1 write=1 getpid=1 kill=1", "ppoll=1 read=1 write=1 getpid=1 kill=1");
        for (int i = 1; watchers == 1 && i < 100; i++)
            add_signal(desk);
    }
    desk_close(desk);
}

static void nested_signal(struct desk *desk)
{
    open_signals(desk);
    add_signal(desk);
    CHECK(plx_context_fd(desk->context) >= 0);
    COSTS(desk, send_signal(NULL), "write=1 getpid=1 kill=1", "");
    COSTS(desk, send_signal(NULL), "getpid=1 kill=1", "");
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 1), "epoll_wait=1 read=1", "");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    desk_close(desk);
}

/* --- Processes --- */

#define CHILDREN 1000

static pid_t children[CHILDREN];
static int child_count;

static void collect_children(void)
{
    while (child_count > 0) {
        pid_t child = children[--child_count];
        kill(child, SIGKILL);
        CHECK(waitpid(child, NULL, 0) == child);
    }
}

/* It waits to be ended, and does not outlive the test. */
static void start_children(int count)
{
    collect_children(); /* of a case that left early */
    while (child_count < count) {
        pid_t parent = getpid();
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            while (getppid() == parent)
                pause();
            _exit(1);
        }
        children[child_count++] = child;
    }
}

/* It is over, and not yet collected. */
static void end_child(pid_t child)
{
    siginfo_t info;
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
}

static plx_watcher *add_process(struct desk *desk, pid_t child)
{
    return desk_watch(desk, plx_process(child), PLX_PROCESS);
}

static void check_exit(plx_watcher *watcher)
{
    int status = 0;
    CHECK_OK(plx_watcher_exit_status(watcher, &status));
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Kernels before 5.3, and Valgrind of that age. */
static void skip_without_pidfd(void)
{
    int fd = plx__process_calls.open(getpid());
    if (fd < 0)
        check_skip("there is no pidfd_open() here");
    close(fd);
}

static void process_life(struct desk *desk)
{
    plx_watcher *watcher = NULL;
    skip_without_pidfd();
    start_children(2);
    desk_open(desk, 0);
    COSTS(desk, watcher = add_process(desk, children[0]), "add=1 pidfd=1", "ppoll=1 pidfd=1");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    end_child(children[0]);
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 1), "epoll_wait=1 waitid=1", "ppoll=1 waitid=1");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    COSTS_NOTHING(desk, check_exit(watcher));
    COSTS(desk, CHECK_OK(plx_watcher_remove(watcher)), "del=1 close=1", "close=1");
    watcher = add_process(desk, children[1]);
    COSTS(desk, CHECK_OK(plx_watcher_remove(watcher)), "del=1 close=1", "close=1");
    desk_close(desk);
    collect_children();
}

/* An exit costs what it costs, whoever else is watched. */
static void process_exit_among(struct desk *desk, int count)
{
    static plx_watcher *watchers[CHILDREN];
    skip_without_pidfd();
    start_children(count);
    desk_open(desk, 0);
    for (int i = 0; i < count; i++)
        watchers[i] = add_process(desk, children[i]);
    for (int i = 0; i < count && i < 3; i++) {
        end_child(children[i]);
        COSTS(desk, CHECK_EQUAL(wait_for(desk, 0), 1), "epoll_wait=1 waitid=1", "ppoll=1 waitid=1");
        CHECK(ready[0] == watchers[i]);
        COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    }
    desk_close(desk);
    collect_children();
}

static void process_exit_1(struct desk *desk)
{
    process_exit_among(desk, 1);
}

static void process_exit_10(struct desk *desk)
{
    process_exit_among(desk, 10);
}

static void process_exit_1000(struct desk *desk)
{
    desk_need_descriptors(CHILDREN + 64);
    process_exit_among(desk, CHILDREN);
}

static int refuse_pidfd(int pid)
{
    (void)pid;
    errno = ENOSYS;
    return -1;
}

/* Kernels before 5.3: SIGCHLD does not say reliably whose, so that each child is asked once. */
static void process_by_signal(struct desk *desk)
{
    struct plx__process_calls calls = plx__process_calls;
    plx_watcher *watcher = NULL;
    start_children(10);
    self = getpid();
    desk_open(desk, 0);
    plx__process_calls.open = refuse_pidfd;
    for (int i = 0; i < 10; i++)
        watcher = add_process(desk, children[i]);
    plx__process_calls = calls;
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 0), "epoll_wait=1 waitid=10", "ppoll=1 waitid=10");
    COSTS_A_LOOK(desk, CHECK_EQUAL(desk_look(desk), 0));
    end_child(children[9]);
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 1), "epoll_wait=1 waitid=10", "ppoll=1 waitid=10");
    COSTS_NOTHING(desk, check_exit(watcher));
    end_child(children[0]); /* who has reported is not asked again */
    COSTS(desk, CHECK_EQUAL(desk_look(desk), 1), "epoll_wait=1 waitid=9", "ppoll=1 waitid=9");
    desk_close(desk);
    collect_children();
}

const struct cost_case runtime_cases[] = {
    {"timer_life", timer_life, false},
    {"timers_stopped", timers_stopped, false},
    {"timers_expire", timers_expire, false},
    {"timers_and_descriptors", timers_and_descriptors, false},
    {"timer_ends_sleep", timer_ends_sleep, false},
    {"nested_timers", nested_timers, true},
    {"nested_expiry", nested_expiry, true},
    {"notify_awake", notify_awake, false},
    {"notify_asleep", notify_asleep, false},
    {"notify_many", notify_many, false},
    {"nested_notify", nested_notify, true},
    {"turns", turns, false},
    {"turn_without_callback", turn_without_callback, false},
    {"post_awake", post_awake, false},
    {"post_asleep", post_asleep, false},
    {"stop", stop, false},
    {"nested_turn", nested_turn, true},
    {"news_in_callbacks", news_in_callbacks, false},
    {"signal_life", signal_life, false},
    {"signal_awake", signal_awake, false},
    {"signal_asleep", signal_asleep, false},
    {"nested_signal", nested_signal, true},
    {"process_life", process_life, false},
    {"process_exit_1", process_exit_1, false},
    {"process_exit_10", process_exit_10, false},
    {"process_exit_1000", process_exit_1000, false},
    {"process_by_signal", process_by_signal, false},
};

const size_t runtime_case_count = COUNT_OF(runtime_cases);
