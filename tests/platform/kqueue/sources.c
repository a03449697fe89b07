/* SPDX-License-Identifier: MIT */
/*
 * sources.c: the filters without a descriptor of the user's: USER, TIMER over a timerfd, PROC over
 * a pidfd.
 */
#include "shim.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

bool shim_is_source(short filter)
{
    return filter == EVFILT_USER || filter == EVFILT_TIMER || filter == EVFILT_PROC;
}

/* --- USER --- */

static void combine(struct note *note, unsigned int change)
{
    unsigned int flags = change & NOTE_FFLAGSMASK;
    switch (change & NOTE_FFCTRLMASK) {
    case NOTE_FFAND:
        note->fflags &= flags;
        break;
    case NOTE_FFOR:
        note->fflags |= flags;
        break;
    case NOTE_FFCOPY:
        note->fflags = flags;
        break;
    default:
        break;
    }
}

static void touch_user(struct note *note, const struct kevent *change)
{
    if (change->fflags & NOTE_TRIGGER)
        note->is_triggered = true;
    combine(note, change->fflags);
    note->data = change->data;
    if (change->flags & EV_CLEAR)
        note->is_triggered = false; /* so a change with EV_CLEAR triggers nothing: both kernels */
}

/* --- TIMER --- */

/* Nanoseconds, or -1. */
static int64_t timer_period(const struct note *note)
{
    int64_t unit = note->fflags & NOTE_SECONDS    ? 1000000000
                   : note->fflags & NOTE_USECONDS ? 1000
                   : note->fflags & NOTE_NSECONDS ? 1
                                                  : 1000000;
    int64_t count = note->data;
    if (count == 0 && !shim_traits.refuses_zero_timer)
        count = 1;
    if (count <= 0)
        return -1;
    return count > INT64_MAX / unit ? INT64_MAX : count * unit;
}

static int start_timer(struct note *note, int fd)
{
    int64_t period = timer_period(note);
    bool is_absolute = note->fflags & NOTE_ABSTIME;
    if (period < 0)
        return EINVAL;
    struct timespec span = {period / 1000000000, period % 1000000000};
    struct itimerspec timer = {.it_value = span};
    if (!is_absolute && !(note->event.flags & EV_ONESHOT))
        timer.it_interval = span;
    return timerfd_settime(fd, is_absolute ? TFD_TIMER_ABSTIME : 0, &timer, NULL) < 0 ? errno : 0;
}

static int attach_timer(struct note *note)
{
    if (timer_period(note) < 0)
        return EINVAL;
    clockid_t clock = note->fflags & NOTE_ABSTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    int cause = shim_add_helper(note, shim_stow(timerfd_create(clock, TFD_CLOEXEC | TFD_NONBLOCK)));
    note->event.flags |= EV_CLEAR;
    return cause ? cause : start_timer(note, note->place->fd);
}

/* What has run off and was not collected is thrown away. */
static int touch_timer(struct note *note, const struct kevent *change)
{
    if (!(change->flags & EV_ADD))
        return 0;
    note->fflags = change->fflags;
    note->data = change->data;
    note->event.data = 0;
    note->is_active = false;
    if (note->is_queued)
        shim_dequeue(note);
    return start_timer(note, note->place->fd);
}

static bool look_at_timer(struct note *note)
{
    uint64_t count = 0;
    if (read(note->place->fd, &count, sizeof count) == (ssize_t)sizeof count)
        note->event.data += (int64_t)count;
    return note->event.data != 0;
}

/* --- PROC --- */

static int attach_process(struct note *note)
{
    if (note->fflags & NOTE_PDATAMASK || (note->fflags & NOTE_PCTRLMASK) != NOTE_EXIT)
        return EINVAL; /* what the shim cannot play */
    if (note->event.ident == 0 || note->event.ident > INT_MAX)
        return ESRCH;
    note->event.flags |= EV_CLEAR;
    return shim_add_helper(note,
                           shim_stow((int)syscall(SYS_pidfd_open, (pid_t)note->event.ident, 0)));
}

static int wait_status(const siginfo_t *end)
{
    return end->si_code == CLD_EXITED ? (end->si_status & 0xff) << 8
                                      : end->si_status | (end->si_code == CLD_DUMPED ? 0x80 : 0);
}

/* Not collected: WNOWAIT. What it ended with is known of a child alone. */
static bool look_at_process(struct note *note)
{
    siginfo_t end = {.si_pid = 0};
    struct pollfd look = {.fd = note->place->fd, .events = POLLIN};
    if (note->event.fflags & NOTE_EXIT)
        return true;
    if (poll(&look, 1, 0) != 1)
        return false;
    int found = waitid(P_PID, (id_t)note->event.ident, &end, WEXITED | WNOHANG | WNOWAIT);
    note->event.data = found == 0 && end.si_pid ? wait_status(&end) : 0;
    note->event.fflags |= NOTE_EXIT;
    note->event.flags |= EV_EOF | EV_ONESHOT;
    return true;
}

/* --- All --- */

int shim_attach_source(struct note *note)
{
    switch (note->event.filter) {
    case EVFILT_TIMER:
        return attach_timer(note);
    case EVFILT_PROC:
        return attach_process(note);
    default:
        note->is_triggered = shim_traits.new_user_triggers && note->fflags & NOTE_TRIGGER;
        return 0;
    }
}

int shim_touch_source(struct note *note, const struct kevent *change)
{
    if (note->event.filter == EVFILT_TIMER)
        return touch_timer(note, change);
    if (note->event.filter == EVFILT_USER)
        touch_user(note, change);
    return 0;
}

bool shim_look_at_source(struct note *note)
{
    switch (note->event.filter) {
    case EVFILT_TIMER:
        return look_at_timer(note);
    case EVFILT_PROC:
        return look_at_process(note);
    default:
        return note->is_triggered;
    }
}

/* The event as it goes to the user, and with EV_CLEAR its state is forgotten. */
void shim_report_source(struct note *note, struct kevent *ret_event)
{
    *ret_event = note->event;
    if (note->event.filter == EVFILT_USER) {
        ret_event->fflags = note->fflags & NOTE_FFLAGSMASK;
        ret_event->data = note->data;
    }
    if (note->event.flags & EV_CLEAR) {
        note->is_triggered = false;
        note->event.data = 0;
    }
}
