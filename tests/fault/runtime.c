/* SPDX-License-Identifier: MIT */
/*
 * runtime.c: short lives of timers, notifies, signals, processes and the loop, like those of
 * descriptors in scenarios.c.
 */
#include "runtime.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVERY_SEAT SEATS
#define A_MOMENT   PLX_US(200)

/* Never comes. */
#define LATER PLX_SECONDS(100000)

/* --- Timers --- */

void scenario_timers(struct stage *stage)
{
    stage_create(stage, 0);
    stage_add(stage, 0, plx_timer(0, 0), PLX_TIMER, PLX_OK);
    stage_add(stage, 1, plx_timer(LATER, 0), PLX_TIMER, PLX_OK);
    stage_add(stage, 2, plx_timer(0, LATER), PLX_TIMER, PLX_OK);
    stage_add(stage, 3, plx_timer(PLX_FOREVER, 0), PLX_TIMER, PLX_OK);
    stage_add(stage, 4, plx_timer(-5, 0), PLX_TIMER, PLX_ERR_INVALID);
    for (int i = 4; i < SEATS; i++) /* the tables grow */
        stage_add(stage, i, plx_timer(LATER - i, 0), PLX_TIMER, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_again(stage, 3, 0);
    stage_again(stage, 1, LATER);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_modify(stage, 0, PLX_TIMER, PLX_OK);
    stage_modify(stage, 1, PLX_READ, PLX_ERR_INVALID);
    stage_modify(stage, 2, PLX_TIMER | PLX_ONESHOT, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_again(stage, 0, A_MOMENT);
    stage_wait(stage, EVERY_SEAT, PLX_FOREVER);
    stage_remove(stage, 1);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_add(stage, 1, plx_timer(0, 0), PLX_TIMER, PLX_OK);
    stage_wait(stage, 1, PATIENCE);
    stage_destroy(stage);
}

static bool shows_within(int fd, int milliseconds)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    int count = poll(&entry, 1, milliseconds);
    CHECK(count >= 0);
    return count > 0;
}

static void check_shown(int line, const struct stage *stage, int fd, bool is_shown)
{
    bool is_vague = stage->trial->is_owing && !is_shown;
    if (fd >= 0 && !is_vague &&
        shows_within(fd, is_shown ? (int)(PATIENCE / PLX_MS(1)) : 0) != is_shown)
        check_failed(__FILE__, line, "the nested descriptor does%s show", is_shown ? " not" : "");
}

/* There is nothing to nest on poll. */
#define EXPECT_SHOWN(fd, is_shown) check_shown(__LINE__, stage, fd, is_shown)

/* In calm: who is disturbed looks until nothing is left. */
static void take_one(struct stage *stage)
{
    plx_watcher *ready[1];
    CHECK_EQUAL(plx_context_wait(stage->context, ready, 1, 0), 1);
}

/* Timers that come due while nobody waits, and while a wait is about something else. */
void scenario_nested_timers(struct stage *stage)
{
    stage_create(stage, 0);
    stage_add(stage, 0, plx_timer(A_MOMENT, 0), PLX_TIMER, PLX_OK);
    stage_add(stage, 1, plx_timer(LATER, 0), PLX_TIMER, PLX_OK);
    stage_again(stage, 1, LATER);
    int fd = stage_fd(stage);
    EXPECT_SHOWN(fd, true);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    EXPECT_SHOWN(fd, false);
    stage_add(stage, 2, plx_timer(0, LATER), PLX_TIMER, PLX_OK);
    stage_again(stage, 0, 0);
    EXPECT_SHOWN(fd, true);
    take_one(stage);
    EXPECT_SHOWN(fd, true);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    EXPECT_SHOWN(fd, false);
    stage_again(stage, 0, A_MOMENT);
    stage_again(stage, 0, PLX_FOREVER);
    stage_wait(stage, EVERY_SEAT, PLX_MS(1));
    EXPECT_SHOWN(fd, false);
    stage_modify(stage, 0, PLX_TIMER, PLX_OK);
    EXPECT_SHOWN(fd, true);
    stage_remove(stage, 0);
    stage_wait(stage, EVERY_SEAT, 0);
    EXPECT_SHOWN(fd, false);
    stage_destroy(stage);
}

/* --- Notify --- */

static void notify_watcher(void *watcher)
{
    plx_watcher_notify(watcher);
}

void scenario_notify(struct stage *stage)
{
    stage_create(stage, 0);
    for (int i = 0; i < 3; i++)
        stage_add(stage, i, plx_notify(), PLX_NOTIFY, PLX_OK);
    stage_add(stage, 3, plx_fd(stage_event(stage, false)), PLX_READ, PLX_OK);
    stage_notify(stage, 0);
    stage_notify(stage, 0);
    stage_wait(stage, EVERY_SEAT, PLX_FOREVER);
    stage_notify(stage, 1);
    stage_wait(stage, EVERY_SEAT, PLX_FOREVER);
    stage_clear(stage, 0);
    stage_clear(stage, 1);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    for (int i = 0; i < 2; i++) {
        injector_on_sleep(notify_watcher, stage->seats[2].watcher);
        stage_wait(stage, EVERY_SEAT, i == 0 ? PLX_FOREVER : PATIENCE);
        stage_clear(stage, 2);
        stage_wait(stage, EVERY_SEAT, A_MOMENT);
    }
    stage_modify(stage, 0, PLX_NOTIFY | PLX_ONESHOT, PLX_OK);
    stage_notify(stage, 0);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_modify(stage, 0, PLX_NOTIFY, PLX_OK);
    stage_notify(stage, 1);
    stage_remove(stage, 1);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    int fd = stage_fd(stage);
    EXPECT_SHOWN(fd, true);
    stage_clear(stage, 0);
    EXPECT_SHOWN(fd, false);
    stage_notify(stage, 2);
    EXPECT_SHOWN(fd, true);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_remove(stage, 2);
    EXPECT_SHOWN(fd, false);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_destroy(stage);
}

/* --- The loop --- */

void scenario_loop(struct stage *stage)
{
    stage_create(stage, 0);
    stage_post(stage);
    stage_wait(stage, EVERY_SEAT, PLX_FOREVER); /* returns for it, and leaves it */
    stage_turn(stage, PLX_FOREVER);
    stage_on(stage, 0, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_on(stage, 1, plx_timer(0, 0), PLX_TIMER, PLX_OK);
    stage_on(stage, 2, plx_notify(), PLX_NOTIFY, PLX_OK);
    stage_on(stage, 3, plx_fd(-1), PLX_READ, PLX_ERR_BADHANDLE);
    stage_notify(stage, 2);
    for (int i = 0; i < 20; i++)
        stage_post(stage);
    stage_turn(stage, PATIENCE);
    stage_clear(stage, 2);
    stage_turn(stage, PATIENCE);
    stage_stop(stage);
    stage_run(stage);
    stage_remove(stage, 0);
    stage_remove(stage, 2);
    stage_again(stage, 1, A_MOMENT);
    stage_run(stage); /* until the timer has fired, and nothing is left */
    stage_post(stage);
    stage_run(stage);
    stage_post(stage);
    stage_destroy(stage);
}

static void stop_context(void *context)
{
    plx_context_stop(context);
}

/* An outer loop sees tasks, and a run that nothing ends is stopped from a handler. */
void scenario_nested_loop(struct stage *stage)
{
    stage_create(stage, 0);
    stage_run(stage); /* there is nothing to run for */
    int fd = stage_fd(stage);
    stage_on(stage, 0, plx_notify(), PLX_NOTIFY, PLX_OK);
    stage_on(stage, 1, plx_fd(stage_event(stage, false)), PLX_READ, PLX_OK);
    EXPECT_SHOWN(fd, false);
    stage_post(stage);
    stage_post(stage);
    EXPECT_SHOWN(fd, true);
    stage_wait(stage, EVERY_SEAT, PLX_FOREVER);
    EXPECT_SHOWN(fd, true);
    stage_turn(stage, 0);
    EXPECT_SHOWN(fd, false);
    stage_notify(stage, 0);
    stage_turn(stage, 0);
    EXPECT_SHOWN(fd, true);
    stage_clear(stage, 0);
    EXPECT_SHOWN(fd, false);
    injector_on_sleep(stop_context, stage->context);
    stage_run(stage);
    EXPECT_SHOWN(fd, false);
    stage_stop(stage);
    EXPECT_SHOWN(fd, true);
    stage_run(stage);
    stage_turn(stage, 0);
    EXPECT_SHOWN(fd, false);
    stage_post(stage);
    stage_destroy(stage);
}

/* --- Signals --- */

static bool is_default(int signo)
{
    struct sigaction action;
    CHECK(sigaction(signo, NULL, &action) == 0);
    return !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL;
}

static void send_signal(void *unused)
{
    (void)unused;
    CHECK(raise(SIGUSR1) == 0);
}

static void note_deliveries(struct stage *stage, int seat)
{
    stage_note(stage, "%d: %d deliveries", seat,
               (int)plx_watcher_count(stage->seats[seat].watcher));
}

void scenario_signals(struct stage *stage)
{
    stage_create(stage, 0);
    stage_add(stage, 0, plx_signal(SIGUSR1), PLX_SIGNAL, PLX_OK);
    stage_add(stage, 1, plx_signal(SIGUSR1), PLX_SIGNAL | PLX_ONESHOT, PLX_OK);
    stage_add(stage, 2, plx_signal(SIGKILL), PLX_SIGNAL, PLX_ERR_INVALID);
    stage_add(stage, 2, plx_signal(SIGUSR2), PLX_SIGNAL, PLX_OK);
    send_signal(NULL);
    send_signal(NULL);
    stage_wait(stage, EVERY_SEAT, PLX_FOREVER);
    note_deliveries(stage, 0);
    injector_on_sleep(send_signal, NULL);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    note_deliveries(stage, 0);
    stage_modify(stage, 1, PLX_SIGNAL, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    note_deliveries(stage, 1);
    stage_remove(stage, 0);
    send_signal(NULL);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_remove(stage, 1);
    CHECK(is_default(SIGUSR1) && !is_default(SIGUSR2));
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_add(stage, 0, plx_signal(SIGUSR1), PLX_SIGNAL, PLX_OK);
    int fd = stage_fd(stage);
    send_signal(NULL);
    EXPECT_SHOWN(fd, true);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    EXPECT_SHOWN(fd, false);
    stage_destroy(stage);
    CHECK(is_default(SIGUSR1) && is_default(SIGUSR2));
}

/* --- Processes --- */

static pid_t start_child(void)
{
    pid_t parent = getpid();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent)
        pause();
    _exit(1);
}

/* It is over, and not yet collected. */
static void end_child(pid_t child)
{
    siginfo_t info;
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
}

static void note_status(struct stage *stage, int seat)
{
    int status = -1;
    int code = plx_watcher_exit_status(stage->seats[seat].watcher, &status);
    stage_note(stage, "%d: %s, status %d", seat, plx_error_name(code), status);
}

void scenario_processes(struct stage *stage)
{
    pid_t children[] = {start_child(), start_child(), start_child()};
    stage_create(stage, 0);
    end_child(children[0]);
    stage_add(stage, 4, plx_process(0), PLX_PROCESS, PLX_ERR_INVALID);
    for (int i = 0; i < 3; i++)
        stage_add(stage, i, plx_process(children[i]), PLX_PROCESS, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    for (int i = 0; i < 2; i++)
        note_status(stage, i);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    end_child(children[1]);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    note_status(stage, 1);
    stage_modify(stage, 1, PLX_PROCESS, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_remove(stage, 0);
    stage_remove(stage, 1);
    stage_add(stage, 0, plx_process(children[1]), PLX_PROCESS, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    note_status(stage, 0);
    stage_destroy(stage);
    end_child(children[2]);
    for (int i = 0; i < 3; i++)
        CHECK(waitpid(children[i], NULL, 0) == children[i]);
}

/* --- Fork --- */

static void live_as_child(struct stage *stage)
{
    stage_after_fork(stage);
    stage->posted = stage->ran; /* the tasks of the parent are its own */
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_clear(stage, 1);
    send_signal(NULL);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_again(stage, 0, 0);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_post(stage);
    stage_turn(stage, 0);
    stage_remove(stage, 2);
    CHECK(is_default(SIGUSR1));
    stage_destroy(stage);
}

void scenario_fork_runtime(struct stage *stage)
{
    stage_create(stage, 0);
    stage_add(stage, 0, plx_timer(0, 0), PLX_TIMER, PLX_OK);
    stage_add(stage, 1, plx_notify(), PLX_NOTIFY, PLX_OK);
    stage_add(stage, 2, plx_signal(SIGUSR1), PLX_SIGNAL, PLX_OK);
    stage_notify(stage, 1);
    stage_post(stage);
    stage_in_child(stage, live_as_child);
    send_signal(NULL);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_turn(stage, 0);
    stage_destroy(stage);
}
