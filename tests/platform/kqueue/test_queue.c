/* SPDX-License-Identifier: MIT */
/* test_queue.c: the queue as a descriptor, in time, among threads and processes. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kit.h"

/* --- Close --- */

/* kqueue(2): close() removes the notes of the number, though a duplicate keeps the file open. */
static bool close_drops_the_notes_whatever_duplicates_live(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    int duplicate = keep(dup(pipe.here));
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    put(pipe.there, "x");
    drop(pipe.here);
    CHECK(kqueue_shim_notes(kq) == 0);
    CHECK(ask(kq, &event, 1) == 0);
    CHECK(!shows(kq));
    CHECK(change(kq, duplicate, EVFILT_READ, EV_DELETE) == ENOENT);
    return true;
}

static bool duplicates_have_notes_of_their_own(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent events[4];
    int duplicate = keep(dup(pipe.here));
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    change(kq, duplicate, EVFILT_READ, EV_ADD);
    put(pipe.there, "x");
    CHECK(ask(kq, events, 4) == 2 && events[0].ident != events[1].ident);
    return true;
}

/* dup2() closes what it replaces, and the old notes do not come back with the old file. */
static bool dup2_drops_the_notes(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    int duplicate = keep(dup(pipe.here));
    put(pipe.there, "x");
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    CHECK(dup2(duplicate, pipe.here) == pipe.here);
    CHECK(ask(kq, &event, 1) == 0);
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_ADD) == 0);
    CHECK(ask(kq, &event, 1) == 1);
    CHECK(dup3(duplicate, pipe.here, O_CLOEXEC) == pipe.here);
    CHECK(ask(kq, &event, 1) == 0);
    return true;
}

/* Closed behind the back of the linker's close(): noticed by the identity of the file. */
static bool close_is_noticed_late(void)
{
    int kq = new_queue();
    struct pair old = new_pipe(), fresh = new_pipe();
    struct kevent event;
    put(old.there, "x");
    put(fresh.there, "x");
    change(kq, old.here, EVFILT_READ, EV_ADD);
    CHECK(ask(kq, &event, 1) == 1);
    keep(dup(old.here));
    CHECK(syscall(SYS_dup2, fresh.here, old.here) == old.here);
    CHECK(ask(kq, &event, 1) == 0);
    CHECK(change(kq, old.here, EVFILT_READ, EV_DELETE) == ENOENT);
    CHECK(change(kq, old.here, EVFILT_READ, EV_ADD) == 0);
    CHECK(ask(kq, &event, 1) == 1);
    return true;
}

static bool late_notice_is_in_time_for_a_change(void)
{
    int kq = new_queue();
    struct pair old = new_pipe(), fresh = new_pipe();
    change(kq, old.here, EVFILT_READ, EV_ADD);
    CHECK(syscall(SYS_dup2, fresh.here, old.here) == old.here);
    CHECK(change(kq, old.here, EVFILT_READ, EV_DELETE) == ENOENT);
    return true;
}

static bool reused_number_has_no_notes(void)
{
    int kq = new_queue();
    struct pair first = new_pipe();
    struct kevent event;
    int number = first.here;
    change(kq, number, EVFILT_READ, EV_ADD);
    drop(number);
    struct pair second = new_pipe();
    CHECK(second.here == number);
    put(second.there, "x");
    CHECK(ask(kq, &event, 1) == 0);
    CHECK(change(kq, number, EVFILT_READ, EV_DELETE) == ENOENT);
    return true;
}

/* kevent(2): EBADF; another kind of descriptor is EINVAL on FreeBSD and EBADF on NetBSD. */
static bool what_is_no_queue_is_refused(void)
{
    struct pair pipe = new_pipe();
    struct kevent event;
    int kq = new_queue();
    errno = 0;
    CHECK(ask(pipe.here, &event, 1) == -1 && errno == EINVAL);
    kqueue_shim_play(&kqueue_shim_netbsd);
    CHECK(ask(pipe.here, &event, 1) == -1 && errno == EBADF);
    kqueue_shim_play(&kqueue_shim_freebsd);
    drop(kq);
    CHECK(ask(kq, &event, 1) == -1 && errno == EBADF);
    return true;
}

static int lowest_free(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static bool closed_queue_leaves_nothing_open(void)
{
    int before = lowest_free();
    int kq = new_queue(), outer = new_queue();
    struct pair pipe = new_pipe();
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    change(kq, pipe.there, EVFILT_WRITE, EV_ADD);
    change_with(kq, 1, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, 3600, NULL);
    change(outer, kq, EVFILT_READ, EV_ADD);
    drop(kq);
    CHECK(kqueue_shim_notes(outer) == 0);
    drop(outer);
    drop(pipe.here);
    drop(pipe.there);
    int after = lowest_free();
    int last = keep(dup(0)), next = keep(dup(0));
    CHECK(after == before && last == before && next == before + 1);
    return true;
}

/* --- Nesting --- */

/* kqueue_poll(): readable while notes are queued. A level note stays queued with its report, and
   leaves with the next scan that finds it over. */
static bool queue_is_readable_while_notes_are_queued(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    CHECK(!shows(kq));
    put(pipe.there, "x");
    CHECK(shows(kq));
    CHECK(ask(kq, &event, 1) == 1);
    CHECK(shows(kq));
    empty(pipe.here);
    CHECK(shows(kq));
    CHECK(ask(kq, &event, 1) == 0);
    CHECK(!shows(kq));
    return true;
}

static bool told_edge_is_not_readable(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    change(kq, pipe.here, EVFILT_READ, EV_ADD | EV_CLEAR);
    put(pipe.there, "x");
    CHECK(shows(kq));
    CHECK(ask(kq, &event, 1) == 1);
    CHECK(!shows(kq));
    return true;
}

/* filt_kqueue(): data is the number of queued notes. */
static bool queues_nest(void)
{
    int outer = new_queue(), middle = new_queue(), inner = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    CHECK(change(outer, middle, EVFILT_READ, EV_ADD) == 0);
    CHECK(change(middle, inner, EVFILT_READ, EV_ADD) == 0);
    CHECK(change(inner, pipe.here, EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
    CHECK(ask(outer, &event, 1) == 0);
    put(pipe.there, "x");
    CHECK(await(outer, &event, 1) == 1 && event.ident == (uintptr_t)middle && event.data == 1);
    CHECK(ask(middle, &event, 1) == 1 && event.ident == (uintptr_t)inner);
    CHECK(ask(inner, &event, 1) == 1 && event.ident == (uintptr_t)pipe.here);
    CHECK(ask(outer, &event, 1) == 0 || ask(middle, &event, 1) == 0);
    CHECK(ask(outer, &event, 1) == 0);
    return true;
}

static bool user_event_shows_in_an_outer_queue(void)
{
    int outer = new_queue(), inner = new_queue();
    struct kevent event;
    change(outer, inner, EVFILT_READ, EV_ADD | EV_CLEAR);
    change(inner, 1, EVFILT_USER, EV_ADD | EV_CLEAR);
    for (int i = 0; i < 3; i++) {
        change_with(inner, 1, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
        CHECK(ask(outer, &event, 1) == 1);
        CHECK(ask(inner, &event, 1) == 1);
        CHECK(ask(outer, &event, 1) == 0);
    }
    return true;
}

/* --- Time --- */

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* kqueue(2): nanoseconds, never early. */
static bool sleep_is_not_short(void)
{
    static const struct timespec spans[] = {{0, 1}, {0, 300000}, {0, 2500000}};
    int kq = new_queue();
    struct kevent event;
    for (int i = 0; i < 3; i++) {
        int64_t start = now_ns();
        CHECK(kevent(kq, NULL, 0, &event, 1, &spans[i]) == 0);
        CHECK(now_ns() - start >= spans[i].tv_nsec);
    }
    return true;
}

/* kqueue_scan(): EINVAL, and what was changed stays changed. */
static bool bad_times_are_einval_after_the_changes(void)
{
    static const struct timespec bad[] = {{-1, 0}, {0, -1}, {0, 1000000000}};
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    for (int i = 0; i < 3; i++) {
        EV_SET(&event, pipe.here, EVFILT_READ, EV_ADD, 0, 0, NULL);
        errno = 0;
        CHECK(kevent(kq, &event, 1, &event, 1, &bad[i]) == -1 && errno == EINVAL);
        CHECK(change(kq, pipe.here, EVFILT_READ, EV_DELETE) == 0);
    }
    return true;
}

/* kqueue(2): without room it does not wait, whatever the time says. */
static bool no_room_is_no_wait(void)
{
    int kq = new_queue();
    CHECK(kevent(kq, NULL, 0, NULL, 0, NULL) == 0);
    errno = 0;
    CHECK(kevent(kq, NULL, 0, NULL, -1, NULL) == -1 && errno == EINVAL);
    CHECK(kevent(kq, NULL, -1, NULL, 0, NULL) == -1 && errno == EINVAL);
    return true;
}

/* A time that is longer than INT32_MAX seconds is for ever; it must not overflow. */
static bool endless_time_ends_with_an_event(void)
{
    static const struct timespec endless = {INT64_MAX, 999999999};
    int kq = new_queue();
    struct kevent event;
    change_with(kq, 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_MSECONDS, 5, NULL);
    CHECK(kevent(kq, NULL, 0, &event, 1, &endless) == 1);
    return true;
}

/* --- Signals --- */

static int handled_queue;
static atomic_int handled;

static void trigger_from_handler(int number)
{
    struct kevent event;
    (void)number;
    EV_SET(&event, 1, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
    if (handled_queue >= 0)
        kevent(handled_queue, &event, 1, NULL, 0, NULL);
    atomic_fetch_add(&handled, 1);
}

static void handle(int number, int queue)
{
    struct sigaction action = {.sa_handler = trigger_from_handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    handled_queue = queue;
    atomic_store(&handled, 0);
    sigaction(number, &action, NULL);
}

/* Signals `target` until it is told that it was enough: a signal may come before a sleep begins. */
struct caller {
    pthread_t target;
    pthread_t thread;
    atomic_bool is_enough;
};

static void *call_up(void *argument)
{
    struct caller *caller = argument;
    const struct timespec pause = {0, 200000};
    while (!atomic_load(&caller->is_enough)) {
        pthread_kill(caller->target, SIGUSR1);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static bool start_calls(struct caller *caller, int queue)
{
    handle(SIGUSR1, queue);
    caller->target = pthread_self();
    atomic_init(&caller->is_enough, false);
    return pthread_create(&caller->thread, NULL, call_up, caller) == 0;
}

static void end_calls(struct caller *caller)
{
    atomic_store(&caller->is_enough, true);
    pthread_join(caller->thread, NULL);
    signal(SIGUSR1, SIG_DFL);
    handled_queue = -1;
}

/* kevent(2), EINTR, with SA_RESTART as well; the changes of that call are applied. */
static bool signal_ends_a_sleep_and_changes_stay(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    struct caller caller;
    EV_SET(&event, pipe.here, EVFILT_READ, EV_ADD, 0, 0, NULL);
    CHECK(start_calls(&caller, -1));
    int result = kevent(kq, &event, 1, &event, 1, NULL);
    int cause = errno;
    end_calls(&caller);
    CHECK(result == -1 && cause == EINTR);
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_DELETE) == 0);
    return true;
}

/* EINTR is for sleeps: what is active is given although a signal came. */
static bool events_are_not_lost_to_a_signal(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    struct caller caller;
    bool holds = true;
    put(pipe.there, "x");
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    CHECK(start_calls(&caller, -1));
    while (holds && atomic_load(&handled) < 20)
        holds = kevent(kq, NULL, 0, &event, 1, NULL) == 1;
    end_calls(&caller);
    CHECK(holds);
    return true;
}

/* kevent() is a system call, so that a handler may call it, wherever the signal hits. */
static bool handlers_may_trigger(void)
{
    int kq = new_queue();
    struct kevent event;
    struct caller caller;
    change(kq, 1, EVFILT_USER, EV_ADD | EV_CLEAR);
    CHECK(start_calls(&caller, kq));
    while (atomic_load(&handled) < 100) {
        change(kq, 2, EVFILT_USER, EV_ADD);
        ask(kq, &event, 1);
        change(kq, 2, EVFILT_USER, EV_DELETE);
    }
    end_calls(&caller);
    change_with(kq, 1, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
    CHECK(ask(kq, &event, 1) == 1);
    return true;
}

/* --- Threads --- */

struct sleeper {
    int kq;
    int result;
    struct kevent event;
};

static void *sleep_in(void *argument)
{
    struct sleeper *sleeper = argument;
    sleeper->result = await(sleeper->kq, &sleeper->event, 1);
    return NULL;
}

static void until_asleep(unsigned long sleeps)
{
    while (kqueue_shim_counts().sleeps < sleeps)
        sched_yield();
}

static bool trigger_ends_a_sleep_of_another_thread(void)
{
    struct sleeper sleeper = {.kq = new_queue()};
    pthread_t thread;
    change(sleeper.kq, 1, EVFILT_USER, EV_ADD | EV_CLEAR);
    kqueue_shim_reset_counts();
    CHECK(pthread_create(&thread, NULL, sleep_in, &sleeper) == 0);
    until_asleep(1);
    change_with(sleeper.kq, 1, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
    pthread_join(thread, NULL);
    CHECK(sleeper.result == 1 && sleeper.event.filter == EVFILT_USER);
    return true;
}

static bool add_counts_for_a_sleep_that_has_begun(void)
{
    struct sleeper sleeper = {.kq = new_queue()};
    struct pair pipe = new_pipe();
    pthread_t thread;
    put(pipe.there, "x");
    kqueue_shim_reset_counts();
    CHECK(pthread_create(&thread, NULL, sleep_in, &sleeper) == 0);
    until_asleep(1);
    change(sleeper.kq, pipe.here, EVFILT_READ, EV_ADD);
    pthread_join(thread, NULL);
    CHECK(sleeper.result == 1 && sleeper.event.ident == (uintptr_t)pipe.here);
    return true;
}

/* One event with EV_CLEAR is for one of those who sleep. */
static bool two_sleepers_get_an_event_each(void)
{
    struct sleeper sleepers[2] = {{.kq = new_queue()}};
    pthread_t threads[2];
    sleepers[1].kq = sleepers[0].kq;
    for (int i = 0; i < 2; i++)
        change(sleepers[0].kq, i, EVFILT_USER, EV_ADD | EV_CLEAR);
    kqueue_shim_reset_counts();
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, sleep_in, &sleepers[i]) == 0);
    until_asleep(2);
    for (int i = 0; i < 2; i++)
        change_with(sleepers[0].kq, i, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK(sleepers[0].result == 1 && sleepers[1].result == 1);
    CHECK(sleepers[0].event.ident != sleepers[1].event.ident);
    return true;
}

static void *change_all_the_time(void *argument)
{
    const struct sleeper *sleeper = argument;
    struct pair pipe = {-1, -1};
    for (int i = 0; i < 300; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
            break;
        pipe = (struct pair){ends[0], ends[1]};
        change(sleeper->kq, pipe.here, EVFILT_READ, EV_ADD | (i & 1 ? EV_CLEAR : 0));
        change(sleeper->kq, pipe.there, EVFILT_WRITE, EV_ADD | EV_ONESHOT);
        close(pipe.here);
        close(pipe.there);
    }
    change_with(sleeper->kq, 1, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
    return NULL;
}

static bool others_may_change_while_one_waits(void)
{
    struct sleeper sleeper = {.kq = new_queue()};
    pthread_t thread;
    struct kevent event;
    change(sleeper.kq, 1, EVFILT_USER, EV_ADD | EV_CLEAR);
    CHECK(pthread_create(&thread, NULL, change_all_the_time, &sleeper) == 0);
    int result;
    do {
        result = await(sleeper.kq, &event, 1);
    } while (result == 1 && event.filter != EVFILT_USER);
    pthread_join(thread, NULL);
    CHECK(result == 1);
    CHECK(kqueue_shim_notes(sleeper.kq) == 1);
    return true;
}

/* --- Processes --- */

/* The exit status of a child that does this. */
static int in_child(int (*play)(int), int kq)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(play(kq));
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int has_no_queue(int kq)
{
    struct kevent event;
    if (fcntl(kq, F_GETFD) >= 0 || errno != EBADF)
        return 1;
    if (ask(kq, &event, 1) >= 0 || errno != EBADF)
        return 2;
    return 0;
}

/* kqueue(2): the queue is not inherited by a child created with fork(2). */
static bool queue_is_not_inherited(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    int status = in_child(has_no_queue, kq);
    CHECK_SAY(status == 0, "the child says %d", status);
    put(pipe.there, "x");
    CHECK(ask(kq, &event, 1) == 1 && event.ident == (uintptr_t)pipe.here);
    return true;
}

/* So the number is free in the child: a close there, of what it takes for its queue, would hit it.
 */
static int takes_the_number(int kq)
{
    struct kevent event;
    int own = kqueue();
    if (own != kq)
        return 1;
    EV_SET(&event, 1, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, NULL);
    if (kevent(own, &event, 1, NULL, 0, NULL) != 0)
        return 2;
    EV_SET(&event, 1, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
    return kevent(own, &event, 1, &event, 1, NULL) == 1 ? 0 : 3;
}

static bool number_is_free_in_a_child(void)
{
    int kq = new_queue();
    struct kevent event;
    change(kq, 1, EVFILT_USER, EV_ADD);
    int status = in_child(takes_the_number, kq);
    CHECK_SAY(status == 0, "the child says %d", status);
    CHECK(ask(kq, &event, 1) == 0);
    return true;
}

/* kqueue(2): kqueue() makes no close-on-exec descriptor, kqueue1(O_CLOEXEC) does. */
static bool close_on_exec_is_as_asked(void)
{
    int plain = new_queue(), closing = keep(kqueue1(O_CLOEXEC));
    CHECK(!(fcntl(plain, F_GETFD) & FD_CLOEXEC));
    CHECK(fcntl(closing, F_GETFD) & FD_CLOEXEC);
    errno = 0;
    CHECK(kqueue1(O_APPEND) == -1 && errno == EINVAL);
    return true;
}

/* Not of a kernel: what the tests of costs stand on. */
static bool calls_are_counted(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    put(pipe.there, "x");
    kqueue_shim_reset_counts();
    EV_SET(&event, pipe.here, EVFILT_READ, EV_ADD, 0, 0, NULL);
    CHECK(kevent(kq, &event, 1, &event, 1, NULL) == 1);
    CHECK(ask(kq, &event, 1) == 1);
    struct kqueue_counts counts = kqueue_shim_counts();
    CHECK(counts.calls == 2 && counts.changes == 1 && counts.events == 2 && counts.sleeps == 0);
    return true;
}

const struct fact facts_of_queues[] = {
    FACT(close_drops_the_notes_whatever_duplicates_live),
    FACT(duplicates_have_notes_of_their_own),
    FACT(dup2_drops_the_notes),
    FACT(close_is_noticed_late),
    FACT(late_notice_is_in_time_for_a_change),
    FACT(reused_number_has_no_notes),
    FACT(what_is_no_queue_is_refused),
    FACT(closed_queue_leaves_nothing_open),
    FACT(queue_is_readable_while_notes_are_queued),
    FACT(told_edge_is_not_readable),
    FACT(queues_nest),
    FACT(user_event_shows_in_an_outer_queue),
    FACT(sleep_is_not_short),
    FACT(bad_times_are_einval_after_the_changes),
    FACT(no_room_is_no_wait),
    FACT(endless_time_ends_with_an_event),
    FACT(signal_ends_a_sleep_and_changes_stay),
    FACT(events_are_not_lost_to_a_signal),
    FACT(handlers_may_trigger),
    FACT(trigger_ends_a_sleep_of_another_thread),
    FACT(add_counts_for_a_sleep_that_has_begun),
    FACT(two_sleepers_get_an_event_each),
    FACT(others_may_change_while_one_waits),
    FACT(queue_is_not_inherited),
    FACT(number_is_free_in_a_child),
    FACT(close_on_exec_is_as_asked),
    FACT(calls_are_counted),
    FACTS_END,
};
