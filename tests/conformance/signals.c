/* SPDX-License-Identifier: MIT */
/*
 * signals.c: every delivery is accounted for by every watcher of its signal, whoever else is
 * watching; and dispositions, masks and children are as if nobody were (S18).
 *
 * raise() returns after the handler has run, on this very thread: where a case raises, counts are
 * exact. Signals from elsewhere the kernel may make one of, as long as they are pending together.
 */
#include "signals.h"

#if SUPPORT_HAS_SIGNALS

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

plx_watcher *watch_signal(plx_context *context, int signo, uint32_t modes)
{
    plx_watcher *watcher = NULL;

    CHECK_OK(plx_context_add(context, plx_signal(signo), PLX_SIGNAL | modes, NULL, &watcher));
    CHECK(watcher != NULL);
    return watcher;
}

void skip_where_signals_are_merged(void)
{
#if defined(__SANITIZE_THREAD__)
    check_skip("the thread sanitizer makes one of several signals");
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    check_skip("the thread sanitizer makes one of several signals");
#endif
#endif
}

void raise_often(int signo, int times)
{
    for (int i = 0; i < times; i++)
        CHECK(raise(signo) == 0);
}

static sigset_t set_of(int signo)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, signo);
    return set;
}

void block(int signo)
{
    sigset_t set = set_of(signo);

    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void unblock(int signo)
{
    sigset_t set = set_of(signo);

    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

volatile sig_atomic_t notes;

void note(int signo)
{
    (void)signo;
    notes++;
}

void dispose(int signo, void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    CHECK(sigaction(signo, &action, NULL) == 0);
    notes = 0;
}

/* --- One watcher --- */

void signal_is_reported_once(struct scene *scene)
{
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);

    EXPECT_QUIET(scene);
    CHECK_EQUAL(plx_watcher_count(watcher), 0);
    raise_often(SIGUSR1, 1);
    EXPECT_DELIVERIES(scene, watcher, 1);
    EXPECT_NO_SPIN(scene);
    CHECK_EQUAL(plx_watcher_count(watcher), 1);
    raise_often(SIGUSR1, 1);
    CHECK_EQUAL(look(scene), 1);
    CHECK(scene->ready[0] == watcher);
    EXPECT_QUIET(scene);
}

void signal_burst_is_counted(struct scene *scene)
{
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);

    raise_often(SIGUSR1, 1000);
    EXPECT_DELIVERIES(scene, watcher, 1000);
    raise_often(SIGUSR1, 3);
    EXPECT_DELIVERIES(scene, watcher, 3);
    EXPECT_QUIET(scene);
}

void signal_hundred_thousand_are_accounted_for(struct scene *scene)
{
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);
    uint64_t heard = 0;

    for (int i = 0; i < 100000; i += 1 + i % 40) {
        raise_often(SIGUSR1, 1 + i % 40);
        CHECK_EQUAL(look(scene), 1);
        heard += plx_watcher_count(watcher);
        CHECK_EQUAL(heard, i + 1 + i % 40);
    }
    CHECK(heard >= 100000);
    EXPECT_QUIET(scene);
}

void signal_tells_what_it_watches(struct scene *scene)
{
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR2, PLX_ONESHOT);
    plx_handle handle = plx_watcher_handle(watcher);

    CHECK_EQUAL(handle.kind, PLX_HANDLE_SIGNAL);
    CHECK_EQUAL(handle.as.signo, SIGUSR2);
    CHECK_EVENTS(plx_watcher_events(watcher), PLX_SIGNAL | PLX_ONESHOT);
    CHECK_EVENTS(plx_watcher_triggered(watcher), 0);
    CHECK_EQUAL(plx_context_count(scene->context), 1);
}

void signal_takes_no_descriptor(struct scene *scene)
{
    size_t before = open_descriptors();

    for (int i = 0; i < 10; i++)
        watch_signal(scene->context, SIGUSR1, 0);
    raise_often(SIGUSR1, 1);
    CHECK_EQUAL(look(scene), 10);
    CHECK_EQUAL(open_descriptors(), before);
}

/* The C library keeps some numbers for itself, and says so. */
static void do_nothing(int signo)
{
    (void)signo;
}

static bool is_watchable(int signo)
{
    const int never[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction present;

    for (size_t i = 0; i < COUNT_OF(never); i++) {
        if (signo == never[i])
            return false;
    }
    /* Valgrind tells of the one that it keeps for itself, but gives it no handler. */
    const struct sigaction handled = {.sa_handler = do_nothing};
    return sigaction(signo, &handled, &present) == 0 && sigaction(signo, &present, NULL) == 0;
}

static void expect_refusal(struct scene *scene, plx_handle handle, uint32_t events)
{
    plx_watcher *watcher = NULL;

    CHECK_CODE(plx_context_add(scene->context, handle, events, NULL, &watcher), PLX_ERR_INVALID);
    CHECK(watcher == NULL);
    CHECK_EQUAL(plx_context_count(scene->context), 0);
}

void signal_numbers_that_are_refused(struct scene *scene)
{
    const int beyond[] = {0, -1, INT_MIN, NSIG, INT_MAX};

    for (int signo = 1; signo < NSIG; signo++) {
        if (!is_watchable(signo))
            expect_refusal(scene, plx_signal(signo), PLX_SIGNAL);
    }
    for (size_t i = 0; i < COUNT_OF(beyond); i++)
        expect_refusal(scene, plx_signal(beyond[i]), PLX_SIGNAL);
    CHECK(!is_watchable(SIGKILL) && is_watchable(SIGUSR1));
}

void signal_every_other_number_is_reported(struct scene *scene)
{
    for (int signo = 1; signo < NSIG; signo++) {
        plx_watcher *watcher;

        if (!is_watchable(signo))
            continue;
        watcher = watch_signal(scene->context, signo, 0);
        raise_often(signo, 1);
        EXPECT_DELIVERIES(scene, watcher, 1);
        CHECK_OK(plx_watcher_remove(watcher));
    }
}

void signal_events_that_are_refused(struct scene *scene)
{
    const uint32_t wrong[] = {0,
                              PLX_READ,
                              PLX_ERROR,
                              PLX_ONESHOT,
                              PLX_PROCESS,
                              PLX_SIGNAL | PLX_READ,
                              PLX_SIGNAL | PLX_EDGE,
                              PLX_SIGNAL | PLX_TIMER,
                              PLX_SIGNAL | 0x10000};
    plx_watcher *watcher;

    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        expect_refusal(scene, plx_signal(SIGUSR1), wrong[i]);
    expect_refusal(scene, plx_fd(stream_pair(scene).here), PLX_SIGNAL);
    watcher = watch_signal(scene->context, SIGUSR1, 0);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        CHECK_CODE(plx_watcher_modify(watcher, wrong[i]), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_again(watcher, 0), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_notify(watcher), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_clear(watcher), PLX_ERR_INVALID);
    raise_often(SIGUSR1, 1);
    EXPECT_DELIVERIES(scene, watcher, 1);
}

/* --- Modes, changes and removal --- */

void signal_oneshot_is_reported_once_per_arm(struct scene *scene)
{
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, PLX_ONESHOT);

    raise_often(SIGUSR1, 2);
    EXPECT_DELIVERIES(scene, watcher, 2);
    EXPECT_QUIET(scene);
    CHECK(plx_watcher_is_active(watcher));
    CHECK_OK(plx_watcher_modify(watcher, PLX_SIGNAL | PLX_ONESHOT));
    EXPECT_QUIET(scene);
    raise_often(SIGUSR1, 1);
    EXPECT_DELIVERIES(scene, watcher, 1);
}

void signal_deliveries_while_muted_are_told_later(struct scene *scene)
{
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, PLX_ONESHOT);

    raise_often(SIGUSR1, 1);
    EXPECT_DELIVERIES(scene, watcher, 1);
    raise_often(SIGUSR1, 4);
    EXPECT_NO_SPIN(scene);
    raise_often(SIGUSR1, 3);
    CHECK_OK(plx_watcher_modify(watcher, PLX_SIGNAL));
    EXPECT_DELIVERIES(scene, watcher, 7);
    raise_often(SIGUSR1, 1);
    EXPECT_DELIVERIES(scene, watcher, 1);
    EXPECT_QUIET(scene);
}

void signal_modify_keeps_what_is_pending(struct scene *scene)
{
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);

    raise_often(SIGUSR1, 2);
    CHECK_OK(plx_watcher_modify(watcher, PLX_SIGNAL | PLX_ONESHOT));
    raise_often(SIGUSR1, 1);
    CHECK_OK(plx_watcher_modify(watcher, PLX_SIGNAL));
    EXPECT_DELIVERIES(scene, watcher, 3);
    CHECK_OK(plx_watcher_modify(watcher, PLX_SIGNAL));
    EXPECT_QUIET(scene);
}

void signal_removed_with_a_delivery_pending(struct scene *scene)
{
    plx_watcher *stays = watch_signal(scene->context, SIGUSR1, 0);
    plx_watcher *goes = watch_signal(scene->context, SIGUSR1, 0);

    raise_often(SIGUSR1, 1);
    CHECK_OK(plx_watcher_remove(goes));
    CHECK_CODE(plx_watcher_remove(goes), PLX_ERR_INACTIVE);
    CHECK_CODE(plx_watcher_modify(goes, PLX_SIGNAL), PLX_ERR_INACTIVE);
    CHECK(!plx_watcher_is_active(goes));
    EXPECT_DELIVERIES(scene, stays, 1);
    raise_often(SIGUSR1, 1);
    CHECK_OK(plx_watcher_remove(stays));
    EXPECT_NO_SPIN(scene);
    CHECK_EQUAL(plx_context_count(scene->context), 0);
}

void signal_removed_from_the_batch(struct scene *scene)
{
    plx_watcher *watchers[2];

    for (int i = 0; i < 2; i++)
        watchers[i] = watch_signal(scene->context, SIGUSR1, 0);
    raise_often(SIGUSR1, 1);
    CHECK_EQUAL(look(scene), 2);
    CHECK_OK(plx_watcher_remove(scene->ready[1]));
    CHECK_EVENTS(plx_watcher_triggered(scene->ready[1]), 0);
    CHECK_EVENTS(plx_watcher_triggered(scene->ready[0]), PLX_SIGNAL);
    CHECK(plx_watcher_is_active(watchers[0]) != plx_watcher_is_active(watchers[1]));
}

void signal_before_add_is_not_seen(struct scene *scene)
{
    plx_watcher *early = watch_signal(scene->context, SIGUSR1, 0), *late;

    raise_often(SIGUSR1, 1);
    late = watch_signal(scene->context, SIGUSR1, 0);
    EXPECT_DELIVERIES(scene, early, 1);
    raise_often(SIGUSR1, 1);
    CHECK_OK(plx_watcher_remove(late));
    late = watch_signal(scene->context, SIGUSR1, 0);
    CHECK_EQUAL(look(scene), 1);
    CHECK(scene->ready[0] == early);
    CHECK_EQUAL(plx_watcher_count(late), 0);
}

/* --- Several watchers --- */

void signal_watchers_of_one_context_see_each_delivery(struct scene *scene)
{
    plx_watcher *watchers[3], *other = watch_signal(scene->context, SIGUSR2, 0);

    for (int i = 0; i < 3; i++) {
        watchers[i] = watch_signal(scene->context, SIGUSR1, 0);
        raise_often(SIGUSR1, 1);
    }
    CHECK_EQUAL(plx_context_count(scene->context), 4);
    CHECK_EQUAL(look(scene), 3);
    for (int i = 0; i < 3; i++) {
        CHECK(was_reported(scene, watchers[i]));
        CHECK_EQUAL(plx_watcher_count(watchers[i]), 3 - i);
    }
    raise_often(SIGUSR2, 2);
    EXPECT_DELIVERIES(scene, other, 2);
}

void signal_contexts_see_each_delivery(struct scene *scene)
{
    plx_context *context = another_context(scene);
    plx_watcher *here = watch_signal(scene->context, SIGUSR1, 0);
    plx_watcher *there = watch_signal(context, SIGUSR1, 0), *ready[1];

    raise_often(SIGUSR1, 2);
    EXPECT_DELIVERIES(scene, here, 2);
    raise_often(SIGUSR1, 1);
    CHECK_EQUAL(plx_context_wait(context, ready, 1, PATIENCE), 1);
    CHECK(ready[0] == there);
    CHECK_EQUAL(plx_watcher_count(there), 3);
    plx_context_destroy(context);
    EXPECT_DELIVERIES(scene, here, 1);
    raise_often(SIGUSR1, 1);
    EXPECT_DELIVERIES(scene, here, 1);
}

struct listener {
    plx_context *context;
    uint64_t want;
    uint64_t heard;
};

static void listen_to_signals(void *argument)
{
    struct listener *listener = argument;
    plx_watcher *ready[1];

    while (listener->heard < listener->want &&
           plx_context_wait(listener->context, ready, 1, PATIENCE) == 1)
        listener->heard += plx_watcher_count(ready[0]);
}

void signal_threads_with_a_context_each(struct scene *scene)
{
    struct listener listeners[4];
    struct thread *threads[4];

    for (int i = 0; i < 4; i++) {
        listeners[i] = (struct listener){another_context(scene), 5000, 0};
        watch_signal(listeners[i].context, SIGUSR1, 0);
        threads[i] = thread_start(listen_to_signals, &listeners[i]);
    }
    raise_often(SIGUSR1, 5000);
    for (int i = 0; i < 4; i++) {
        thread_join(threads[i]);
        CHECK_EQUAL(listeners[i].heard, 5000);
        plx_context_destroy(listeners[i].context);
    }
}

struct guest {
    const struct scene *scene;
    int good_rounds;
};

/* All hear all; what it raises itself a guest must hear, and soon: another thread's handler may be
   about to raise the same watcher, and no look of zero waits for it. */
static void come_and_go(void *argument)
{
    struct guest *guest = argument;

    for (int round = 0; round < 200; round++) {
        plx_context *context = another_context(guest->scene);
        plx_watcher *watcher = NULL, *ready[1];
        int code = plx_context_add(context, plx_signal(SIGUSR1), PLX_SIGNAL, NULL, &watcher);

        for (int i = 0; i < 5; i++)
            raise(SIGUSR1);
        if (code == PLX_OK && plx_context_wait(context, ready, 1, PATIENCE) == 1)
            guest->good_rounds += plx_watcher_count(watcher) >= 5;
        plx_context_destroy(context);
    }
}

void signal_contexts_come_and_go(struct scene *scene)
{
    struct guest guests[3];
    struct thread *threads[3];

    dispose(SIGUSR1, note);
    for (int i = 0; i < 3; i++) {
        guests[i] = (struct guest){scene, 0};
        threads[i] = thread_start(come_and_go, &guests[i]);
    }
    for (int i = 0; i < 3; i++) {
        thread_join(threads[i]);
        CHECK_EQUAL(guests[i].good_rounds, 200);
    }
    CHECK_EQUAL(notes, 0);
    raise_often(SIGUSR1, 1);
    CHECK_EQUAL(notes, 1);
    dispose(SIGUSR1, SIG_DFL);
}

void signal_with_room_for_one_is_not_the_only_one(struct scene *scene)
{
    plx_watcher *first = watch_signal(scene->context, SIGUSR1, 0);
    plx_watcher *second = watch_signal(scene->context, SIGUSR2, 0);
    plx_watcher *reader = watch(scene, stream_pair(scene).here, PLX_WRITE), *ready[1];
    int reports = 0, heard = 0;

    raise_often(SIGUSR2, 1);
    raise_often(SIGUSR1, 1);
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(plx_context_wait(scene->context, ready, 1, PATIENCE), 1);
        reports += ready[0] == reader;
        heard += ready[0] != reader;
    }
    CHECK_EQUAL(reports, 2);
    CHECK_EQUAL(heard, 2);
    CHECK_EQUAL(plx_watcher_count(first), 1);
    CHECK_EQUAL(plx_watcher_count(second), 1);
}

/* --- Sleeping waits --- */

struct sender {
    long thread; /* is asleep when it sends */
    int signo;
    int times;
};

/* The signal is for the other thread. */
static void send_when_asleep(void *argument)
{
    const struct sender *sender = argument;

    block(sender->signo);
    for (int i = 0; i < sender->times; i++) {
        until_asleep(sender->thread);
        kill(getpid(), sender->signo);
    }
}

void signal_ends_a_sleep(struct scene *scene)
{
    struct sender sender = {thread_self(), SIGUSR1, 1};
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);

    watch(scene, stream_pair(scene).here, PLX_READ);
    for (int i = 0; i < 20; i++) {
        struct thread *thread = thread_start(send_when_asleep, &sender);

        CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
        CHECK(scene->ready[0] == watcher);
        CHECK_EQUAL(plx_watcher_count(watcher), 1);
        thread_join(thread);
    }
    EXPECT_QUIET(scene);
}

/* The handler runs on the thread of this case, and the wait is another's. */
void signal_ends_the_sleep_of_another_thread(struct scene *scene)
{
    struct listener listener = {scene->context, 1000, 0};
    struct thread *thread;

    watch_signal(scene->context, SIGUSR1, 0);
    thread = thread_start(listen_to_signals, &listener);
    raise_often(SIGUSR1, 1000);
    thread_join(thread);
    CHECK_EQUAL(listener.heard, 1000);
}

/* Neither one that nobody watches nor one that is muted. */
void signal_of_no_interest_ends_no_sleep(struct scene *scene)
{
    const int signals[] = {SIGUSR2, SIGUSR1};
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, PLX_ONESHOT);

    dispose(SIGUSR2, note);
    raise_often(SIGUSR1, 1);
    EXPECT_DELIVERIES(scene, watcher, 1);
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        struct sender sender = {thread_self(), signals[i], 20};
        struct thread *thread = thread_start(send_when_asleep, &sender);

        EXPECT_NO_SPIN(scene);
        thread_join(thread);
    }
    CHECK(notes > 0);
    CHECK_OK(plx_watcher_modify(watcher, PLX_SIGNAL));
    EXPECT_REPORT(scene, watcher, PLX_SIGNAL);
    dispose(SIGUSR2, SIG_DFL);
}

void signal_that_is_blocked_comes_later(struct scene *scene)
{
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);

    block(SIGUSR1);
    raise_often(SIGUSR1, 5);
    EXPECT_QUIET(scene);
    unblock(SIGUSR1); /* five that were pending together are one */
    EXPECT_DELIVERIES(scene, watcher, 1);
}

void signal_from_the_clock(struct scene *scene)
{
    plx_watcher *watcher;

    dispose(SIGALRM, SIG_IGN);
    watcher = watch_signal(scene->context, SIGALRM, 0);
    alarm_send(PLX_MS(2), PLX_MS(2));
    for (int i = 0; i < 10; i++) {
        EXPECT_REPORT(scene, watcher, PLX_SIGNAL);
        CHECK(plx_watcher_count(watcher) >= 1);
    }
    CHECK_OK(plx_watcher_remove(watcher));
    alarm_stop();
    EXPECT_QUIET(scene);
}

void signal_preserves_errno(struct scene *scene)
{
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);

    if (!tolerance_refuses_nesting(scene->backend))
        CHECK(plx_context_fd(scene->context) >= 0);
    errno = EXDEV;
    raise(SIGUSR1);
    CHECK_EQUAL(errno, EXDEV);
    EXPECT_DELIVERIES(scene, watcher, 1);
}

/* --- The outer loop --- */

void signal_shows_outside(struct scene *scene)
{
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);
    int fd;

    skip_without_nesting(scene);
    raise_often(SIGUSR1, 1);
    fd = plx_context_fd(scene->context);
    CHECK(fd >= 0);
    for (int i = 0; i < 3; i++) {
        CHECK(readable_now(fd) && readable_now(fd));
        EXPECT_REPORT(scene, watcher, PLX_SIGNAL);
        CHECK(!readable_now(fd));
        raise_often(SIGUSR1, 2);
    }
    CHECK_OK(plx_watcher_remove(watcher));
    CHECK_EQUAL(look(scene), 0);
    CHECK(!readable_now(fd));
}

void signal_that_is_muted_does_not_stay_outside(struct scene *scene)
{
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, PLX_ONESHOT);
    int fd;

    skip_without_nesting(scene);
    fd = plx_context_fd(scene->context);
    CHECK(fd >= 0);
    raise_often(SIGUSR1, 1);
    EXPECT_DELIVERIES(scene, watcher, 1);
    raise_often(SIGUSR1, 1);
    CHECK_EQUAL(look(scene), 0);
    CHECK(!readable_now(fd));
    CHECK_OK(plx_watcher_modify(watcher, PLX_SIGNAL));
    CHECK(readable_now(fd));
    EXPECT_DELIVERIES(scene, watcher, 1);
    CHECK(!readable_now(fd));
}

/* On a thread of its own: a handler would end the sleep of the outer loop. */
static void raise_when_asleep(void *argument)
{
    const struct sender *sender = argument;

    until_asleep(sender->thread);
    raise(sender->signo);
}

void signal_wakes_the_outer_loop(struct scene *scene)
{
    struct sender sender = {thread_self(), SIGUSR1, 1};
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);
    struct thread *thread;
    int fd;

    skip_without_nesting(scene);
    fd = plx_context_fd(scene->context);
    CHECK(fd >= 0);
    thread = thread_start(raise_when_asleep, &sender);
    until_readable(fd);
    EXPECT_DELIVERIES(scene, watcher, 1);
    thread_join(thread);
}

/* --- Dispositions and masks --- */

static void note_more(int signo, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    note(signo);
}

struct sigaction disposition(int signo)
{
    struct sigaction present;

    CHECK(sigaction(signo, NULL, &present) == 0);
    return present;
}

struct sigaction elaborate(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = note_more;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGHUP);
    sigaddset(&action.sa_mask, SIGTERM);
    return action;
}

bool is_same_set(const sigset_t *a, const sigset_t *b)
{
    for (int signo = 1; signo < NSIG; signo++) {
        if (sigismember(a, signo) != sigismember(b, signo))
            return false;
    }
    return true;
}

/* SA_RESTORER, which glibc adds to whatever passes through it, is nobody's wish. */
bool is_same_action(const struct sigaction *a, const struct sigaction *b)
{
    const unsigned flags = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_NODEFER | SA_ONSTACK | SA_RESETHAND |
                           SA_RESTART | SA_SIGINFO;

    return a->sa_handler == b->sa_handler && ((unsigned)(a->sa_flags ^ b->sa_flags) & flags) == 0 &&
           is_same_set(&a->sa_mask, &b->sa_mask);
}

static void expect_disposition(int signo, const struct sigaction *want)
{
    struct sigaction present = disposition(signo);

    CHECK(is_same_action(&present, want));
}

static void expect_other_disposition(int signo, const struct sigaction *unwanted)
{
    struct sigaction present = disposition(signo);

    CHECK(!is_same_action(&present, unwanted));
}

void signal_disposition_comes_back_with_the_last(struct scene *scene)
{
    const struct sigaction before = elaborate();
    plx_context *context = another_context(scene);
    plx_watcher *first, *second;

    CHECK(sigaction(SIGUSR1, &before, NULL) == 0);
    first = watch_signal(scene->context, SIGUSR1, 0);
    second = watch_signal(scene->context, SIGUSR1, 0);
    watch_signal(context, SIGUSR1, 0);
    notes = 0;
    raise_often(SIGUSR1, 1);
    CHECK_OK(plx_watcher_remove(first));
    CHECK_OK(plx_watcher_remove(second));
    expect_other_disposition(SIGUSR1, &before);
    raise_often(SIGUSR1, 1);
    CHECK_EQUAL(notes, 0);
    plx_context_destroy(context);
    expect_disposition(SIGUSR1, &before);
    raise_often(SIGUSR1, 1);
    CHECK_EQUAL(notes, 1);
    EXPECT_QUIET(scene);
    dispose(SIGUSR1, SIG_DFL);
}

void signal_ignored_or_default_comes_back(struct scene *scene)
{
    void (*const handlers[])(int) = {SIG_IGN, SIG_DFL};

    for (size_t i = 0; i < COUNT_OF(handlers); i++) {
        plx_context *context = another_context(scene);
        plx_watcher *watcher;
        struct sigaction before;

        dispose(SIGUSR1, handlers[i]);
        before = disposition(SIGUSR1);
        watcher = watch_signal(context, SIGUSR1, 0);
        expect_other_disposition(SIGUSR1, &before);
        CHECK_OK(plx_watcher_remove(watcher));
        expect_disposition(SIGUSR1, &before);
        watch_signal(context, SIGUSR1, PLX_ONESHOT);
        raise_often(SIGUSR1, 1);
        plx_context_destroy(context); /* with that one pending */
        expect_disposition(SIGUSR1, &before);
    }
}

void signal_handler_set_meanwhile_stays(struct scene *scene)
{
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);

    dispose(SIGUSR1, note);
    raise_often(SIGUSR1, 1);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_remove(watcher));
    raise_often(SIGUSR1, 1);
    CHECK_EQUAL(notes, 2);
    dispose(SIGUSR1, SIG_DFL);
}

sigset_t thread_mask(void)
{
    sigset_t mask;

    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    return mask;
}

struct bystander {
    atomic_int said;
    sigset_t before;
    sigset_t after;
};

static void stand_by(void *argument)
{
    struct bystander *bystander = argument;

    block(SIGTERM);
    bystander->before = thread_mask();
    atomic_store(&bystander->said, 1);
    while (atomic_load(&bystander->said) < 2)
        continue;
    bystander->after = thread_mask();
}

void signal_masks_stay_as_they_are(struct scene *scene)
{
    struct bystander bystander = {.said = 0};
    struct thread *thread = thread_start(stand_by, &bystander);
    sigset_t before, after;
    plx_watcher *watcher;

    block(SIGHUP);
    before = thread_mask();
    while (atomic_load(&bystander.said) < 1)
        continue;
    watcher = watch_signal(scene->context, SIGUSR1, 0);
    raise_often(SIGUSR1, 1);
    EXPECT_DELIVERIES(scene, watcher, 1);
    after = thread_mask();
    CHECK(is_same_set(&before, &after));
    CHECK_OK(plx_watcher_remove(watcher));
    after = thread_mask();
    CHECK(is_same_set(&before, &after));
    atomic_store(&bystander.said, 2);
    thread_join(thread);
    CHECK(is_same_set(&bystander.before, &bystander.after));
    unblock(SIGHUP);
}

#endif
