/* SPDX-License-Identifier: MIT */
/* test_sources.c: EVFILT_USER, EVFILT_TIMER, EVFILT_PROC. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kit.h"

static int first_mark, second_mark;

static int trigger(int kq, unsigned int fflags)
{
    return change_with(kq, 1, EVFILT_USER, 0, NOTE_TRIGGER | fflags, 0, &second_mark);
}

/* kqueue(2), EVFILT_USER, EV_CLEAR. */
static bool user_event_is_told_once_with_clear(void)
{
    int kq = new_queue();
    struct kevent event;
    CHECK(change(kq, 1, EVFILT_USER, EV_ADD | EV_CLEAR) == 0);
    CHECK(ask(kq, &event, 1) == 0);
    CHECK(trigger(kq, 0) == 0 && trigger(kq, 0) == 0);
    CHECK(shows(kq));
    CHECK(ask(kq, &event, 1) == 1 && event.ident == 1 && event.filter == EVFILT_USER);
    CHECK(!shows(kq));
    CHECK(ask(kq, &event, 1) == 0);
    CHECK(change(kq, 1, EVFILT_USER, EV_ENABLE) == 0);
    CHECK(ask(kq, &event, 1) == 0);
    return true;
}

/* Without EV_CLEAR it stays triggered; filt_usertouch(): a change with EV_CLEAR ends that. */
static bool user_event_without_clear_stays(void)
{
    int kq = new_queue();
    struct kevent event;
    change(kq, 1, EVFILT_USER, EV_ADD);
    trigger(kq, 0);
    CHECK(ask(kq, &event, 1) == 1 && ask(kq, &event, 1) == 1);
    CHECK(change(kq, 1, EVFILT_USER, EV_CLEAR) == 0);
    CHECK(ask(kq, &event, 1) == 0);
    return true;
}

/* filt_usertouch(): the trigger in a change with EV_CLEAR is cleared with it. */
static bool trigger_with_clear_triggers_nothing(void)
{
    int kq = new_queue();
    struct kevent event;
    change(kq, 1, EVFILT_USER, EV_ADD | EV_CLEAR);
    change_with(kq, 1, EVFILT_USER, EV_ADD | EV_CLEAR, NOTE_TRIGGER, 0, NULL);
    CHECK(ask(kq, &event, 1) == 0);
    return true;
}

/* Seen on both kernels. */
static bool trigger_replaces_udata(void)
{
    int kq = new_queue();
    struct kevent event;
    for (int i = 0; i < 2; i++) {
        kqueue_shim_play(i == 0 ? &kqueue_shim_freebsd : &kqueue_shim_netbsd);
        change_with(kq, 1, EVFILT_USER, EV_ADD, 0, 0, &first_mark);
        trigger(kq, 0);
        CHECK(ask(kq, &event, 1) == 1 && event.udata == &second_mark);
        change(kq, 1, EVFILT_USER, EV_DELETE);
    }
    return true;
}

/* kqueue_register() empties fflags before filt_userattach() looks at them, on both; macOS does not.
 */
static bool trigger_that_makes_the_note_is_lost(void)
{
    struct kqueue_traits macos = kqueue_shim_freebsd;
    int kq = new_queue();
    struct kevent event;
    change_with(kq, 1, EVFILT_USER, EV_ADD, NOTE_TRIGGER, 0, NULL);
    CHECK(ask(kq, &event, 1) == 0);
    macos.new_user_triggers = true;
    kqueue_shim_play(&macos);
    change_with(kq, 2, EVFILT_USER, EV_ADD, NOTE_TRIGGER, 0, NULL);
    CHECK(ask(kq, &event, 1) == 1 && event.ident == 2);
    return true;
}

/* kqueue(2): NOTE_FFAND, NOTE_FFOR, NOTE_FFCOPY, NOTE_FFNOP. */
static bool user_flags_are_combined(void)
{
    int kq = new_queue();
    struct kevent event;
    change_with(kq, 1, EVFILT_USER, EV_ADD | EV_CLEAR, 0x0f, 0, NULL);
    trigger(kq, NOTE_FFNOP | 0xff);
    CHECK(ask(kq, &event, 1) == 1 && event.fflags == 0x0f);
    trigger(kq, NOTE_FFOR | 0xf0);
    CHECK(ask(kq, &event, 1) == 1 && event.fflags == 0xff);
    trigger(kq, NOTE_FFAND | 0x3c);
    CHECK(ask(kq, &event, 1) == 1 && event.fflags == 0x3c);
    trigger(kq, NOTE_FFCOPY | 0x01);
    CHECK(ask(kq, &event, 1) == 1 && event.fflags == 0x01);
    return true;
}

/* Triggering what is not there makes nothing. */
static bool trigger_without_note_is_enoent(void)
{
    int kq = new_queue();
    CHECK(trigger(kq, 0) == ENOENT);
    CHECK(kqueue_shim_notes(kq) == 0);
    return true;
}

/* NetBSD before 10, OpenBSD before 7.8: who needs it probes for it. */
static bool missing_user_filter_is_einval(void)
{
    struct kqueue_traits old = kqueue_shim_netbsd;
    int kq = new_queue();
    old.has_user = false;
    kqueue_shim_play(&old);
    CHECK(change(kq, 1, EVFILT_USER, EV_ADD) == EINVAL);
    return true;
}

/* kqueue(2), EVFILT_TIMER: EV_CLEAR by itself, data counts. */
static bool timer_counts_and_repeats(void)
{
    int kq = new_queue();
    struct kevent event;
    CHECK(change_with(kq, 7, EVFILT_TIMER, EV_ADD, NOTE_USECONDS, 500, NULL) == 0);
    CHECK(await(kq, &event, 1) == 1 && event.ident == 7 && event.data >= 1);
    CHECK(event.flags & EV_CLEAR);
    CHECK(await(kq, &event, 1) == 1 && event.data >= 1);
    return true;
}

static bool timer_once_is_gone_afterwards(void)
{
    int kq = new_queue();
    struct kevent event;
    change_with(kq, 7, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_NSECONDS, 1000, NULL);
    CHECK(await(kq, &event, 1) == 1 && event.data == 1);
    CHECK(kqueue_shim_notes(kq) == 0);
    return true;
}

/* filt_timervalidate(): 0 is 1, below is EINVAL. NetBSD refuses both. */
static bool timer_of_nothing_differs(void)
{
    int kq = new_queue();
    struct kevent event;
    CHECK(change_with(kq, 1, EVFILT_TIMER, EV_ADD, 0, -1, NULL) == EINVAL);
    CHECK(change_with(kq, 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, 0, NULL) == 0);
    CHECK(await(kq, &event, 1) == 1);
    kqueue_shim_play(&kqueue_shim_netbsd);
    CHECK(change_with(kq, 1, EVFILT_TIMER, EV_ADD, 0, 0, NULL) == EINVAL);
    CHECK(kqueue_shim_notes(kq) == 0);
    return true;
}

/* filt_timertouch(): what has run off and was not collected is thrown away. */
static bool timer_added_again_starts_afresh(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    change_with(kq, 1, EVFILT_TIMER, EV_ADD, NOTE_NSECONDS, 1000, NULL);
    while (!shows(kq))
        sched_yield();
    change(kq, pipe.here, EVFILT_READ, EV_ADD); /* the queue has seen it by now */
    change_with(kq, 1, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, 3600, NULL);
    CHECK(ask(kq, &event, 1) == 0);
    CHECK(kqueue_shim_notes(kq) == 2);
    return true;
}

static pid_t child_that_ends(int status)
{
    pid_t child = fork();
    if (child == 0)
        _exit(status);
    return child;
}

/* kqueue(2), EVFILT_PROC, NOTE_EXIT; the note goes with the report, the child stays a zombie. */
static bool end_of_a_child_is_told_with_its_status(void)
{
    int kq = new_queue(), status = 0;
    struct kevent event;
    pid_t child = child_that_ends(7);
    CHECK(change_with(kq, child, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, NULL) == 0);
    CHECK(await(kq, &event, 1) == 1);
    CHECK(event.ident == (uintptr_t)child && event.filter == EVFILT_PROC);
    CHECK(event.flags & EV_EOF && event.flags & EV_ONESHOT && event.fflags == NOTE_EXIT);
    CHECK(kqueue_shim_notes(kq) == 0);
    CHECK(waitpid(child, &status, 0) == child && event.data == status);
    return true;
}

static bool end_by_a_signal_is_a_wait_status(void)
{
    int kq = new_queue(), status = 0;
    struct kevent event;
    pid_t child = fork();
    if (child == 0) {
        for (;;)
            pause();
    }
    int cause = change_with(kq, child, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, NULL);
    int before = ask(kq, &event, 1);
    kill(child, SIGKILL); /* before all checks: nobody else would end it */
    CHECK(cause == 0 && before == 0);
    CHECK(await(kq, &event, 1) == 1);
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && event.data == status);
    return true;
}

/* filt_procattach(): a zombie can be attached to, what was collected cannot. */
static bool collected_child_is_esrch(void)
{
    int kq = new_queue();
    siginfo_t end;
    struct kevent event;
    pid_t child = child_that_ends(0);
    CHECK(waitid(P_PID, (id_t)child, &end, WEXITED | WNOWAIT) == 0);
    CHECK(change_with(kq, child, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, NULL) == 0);
    CHECK(ask(kq, &event, 1) == 1 && event.data == 0);
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(change_with(kq, child, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, NULL) == ESRCH);
    CHECK(kqueue_shim_notes(kq) == 0);
    return true;
}

const struct fact facts_of_sources[] = {
    FACT(user_event_is_told_once_with_clear),
    FACT(user_event_without_clear_stays),
    FACT(trigger_with_clear_triggers_nothing),
    FACT(trigger_replaces_udata),
    FACT(trigger_that_makes_the_note_is_lost),
    FACT(user_flags_are_combined),
    FACT(trigger_without_note_is_enoent),
    FACT(missing_user_filter_is_einval),
    FACT(timer_counts_and_repeats),
    FACT(timer_once_is_gone_afterwards),
    FACT(timer_of_nothing_differs),
    FACT(timer_added_again_starts_afresh),
    FACT(end_of_a_child_is_told_with_its_status),
    FACT(end_by_a_signal_is_a_wait_status),
    FACT(collected_child_is_esrch),
    FACTS_END,
};
