/* SPDX-License-Identifier: MIT */
/*
 * kevent.c: the call. Changes first, in their order; then, unless one of them had something to say,
 * the scan of the queue; then sleep, until something is active.
 */
#include "shim.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

/* --- Changes --- */

static bool is_known(short filter)
{
    switch (filter) {
    case EVFILT_READ:
    case EVFILT_WRITE:
    case EVFILT_TIMER:
    case EVFILT_PROC:
        return true;
    case EVFILT_USER:
        return shim_traits.has_user;
    default:
        return false;
    }
}

static struct note *find_source(const struct queue *queue, const struct kevent *change)
{
    struct note *note = queue->others;
    while (note && (note->event.ident != change->ident || note->event.filter != change->filter))
        note = note->next;
    return note;
}

/* The note that a change is for, NULL if there is none. A descriptor must be open for that. */
static int find_note(struct queue *queue, const struct kevent *change, struct note **ret_note)
{
    struct place *place;
    if (shim_is_source(change->filter)) {
        *ret_note = find_source(queue, change);
        return 0;
    }
    int cause = shim_open_place(queue, change->ident, &place);
    *ret_note = cause ? NULL : place->notes[change->filter == EVFILT_WRITE];
    return cause;
}

static int attach(struct note *note)
{
    if (shim_is_source(note->event.filter))
        return shim_attach_source(note);
    int cause = shim_may_attach(note->place, note->event.filter);
    return cause ? cause : shim_watch(note->place);
}

static int make_note(struct queue *queue, const struct kevent *change)
{
    struct note *note = shim_new_note(queue, change);
    int cause = note ? attach(note) : ENOMEM;
    if (cause) {
        if (note)
            shim_drop_note(note);
        return cause;
    }
    if (shim_look(note) && !note->is_disabled)
        shim_activate(note);
    return 0;
}

/* What an existing note takes from a change; its kind (EV_CLEAR and the like) it does not. */
static int touch(struct note *note, const struct kevent *change)
{
    note->event.udata = change->udata;
    if (shim_is_source(note->event.filter))
        return shim_touch_source(note, change);
    note->fflags = change->fflags;
    note->data = change->data;
    return 0;
}

static int modify_note(struct note *note, const struct kevent *change)
{
    bool looks =
        shim_traits.enable_looks || change->flags & EV_ADD || note->event.filter == EVFILT_USER;
    int cause = looks ? touch(note, change) : 0;
    if (change->flags & EV_FORCEONESHOT) {
        note->event.flags |= EV_ONESHOT;
        note->is_active = true;
    }
    if (change->flags & EV_DISABLE)
        note->is_disabled = true;
    else if (change->flags & EV_ENABLE || (change->flags & EV_ADD && shim_traits.add_enables))
        note->is_disabled = false;
    if (looks && !note->is_disabled && shim_look(note))
        note->is_active = true;
    if (note->is_active)
        shim_activate(note);
    return cause;
}

static int apply_to_note(struct queue *queue, struct note *note, const struct kevent *change)
{
    if (!note)
        return change->flags & EV_ADD ? make_note(queue, change) : ENOENT;
    if (change->flags & EV_DELETE) {
        shim_drop_note(note);
        return 0;
    }
    return modify_note(note, change);
}

static int apply(struct queue *queue, const struct kevent *change)
{
    struct note *note = NULL;
    unsigned int both = EV_ENABLE | EV_DISABLE;
    if (!is_known(change->filter) || (change->flags & both) == both)
        return EINVAL;
    int cause = find_note(queue, change, &note);
    if (cause)
        return cause;
    cause = apply_to_note(queue, note, change);
    struct place *place =
        shim_is_source(change->filter) ? NULL : shim_place_of(queue, (int)change->ident);
    if (place && !place->notes[0] && !place->notes[1])
        shim_drop_place(place);
    return cause;
}

/*
 * All changes. False where one had something to say and there was no room for it: the changes after
 * it are not applied and what the others said is not counted, with `errno` 0 for a mere receipt.
 */
static bool apply_all(struct queue *queue, const struct kevent *changes, int count,
                      struct kevent *events, int room, int *ret_said)
{
    int said = 0;
    for (int i = 0; i < count; i++) {
        struct kevent change = changes[i];
        if (change.filter == 0 && shim_traits.skips_filter_zero)
            continue;
        change.flags &= (unsigned short)~EV_SYSFLAGS;
        int cause = apply(queue, &change);
        if (!cause && !(change.flags & EV_RECEIPT))
            continue;
        if (said == room) {
            errno = cause;
            return false;
        }
        change.flags = EV_ERROR;
        change.data = cause;
        events[said++] = change;
    }
    *ret_said = said;
    return true;
}

/* --- The scan --- */

/* Looks again at the note in front. False if it is not active any more. */
static bool is_still_active(struct note *note)
{
    bool is_file = note->place && note->place->kind != KIND_HELPER;
    shim_dequeue(note);
    if (note->is_disabled)
        return false;
    if (is_file && shim_is_stale(note->place)) {
        shim_drop_place(note->place);
        return false;
    }
    /* A note that goes with its report is not looked at: it tells what made it active. */
    note->is_active = note->event.flags & EV_ONESHOT || shim_look(note);
    return note->is_active;
}

static void report(struct note *note, struct kevent *ret_event)
{
    if (shim_is_source(note->event.filter))
        shim_report_source(note, ret_event);
    else
        *ret_event = note->event;
    if (note->event.flags & EV_ONESHOT) {
        shim_drop_note(note);
        return;
    }
    if (note->event.flags & EV_CLEAR) {
        note->event.data = 0;
        note->event.fflags = 0;
    }
    if (note->event.flags & EV_DISPATCH)
        note->is_disabled = true;
    if (note->event.flags & (EV_CLEAR | EV_DISPATCH))
        note->is_active = false;
    else
        shim_enqueue(note);
}

/* Everybody once who is queued now; who stays active goes to the end, behind the others. */
static int scan(struct queue *queue, struct kevent *events, int room)
{
    int count = 0;
    for (int turns = queue->queued; turns > 0 && count < room && queue->first; turns--) {
        struct note *note = queue->first;
        if (is_still_active(note))
            report(note, &events[count++]);
    }
    return count;
}

/* --- The sleep --- */

static bool is_valid(const struct timespec *time)
{
    return time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < 1000000000;
}

static struct timespec now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time;
}

static struct timespec sum(struct timespec a, struct timespec b)
{
    struct timespec result = {a.tv_sec + b.tv_sec, a.tv_nsec + b.tv_nsec};
    if (result.tv_nsec >= 1000000000) {
        result.tv_nsec -= 1000000000;
        result.tv_sec++;
    }
    return result;
}

/* What is left until a moment; false if nothing is. */
static bool left_until(struct timespec moment, struct timespec *ret_left)
{
    struct timespec present = now();
    ret_left->tv_sec = moment.tv_sec - present.tv_sec;
    ret_left->tv_nsec = moment.tv_nsec - present.tv_nsec;
    if (ret_left->tv_nsec < 0) {
        ret_left->tv_nsec += 1000000000;
        ret_left->tv_sec--;
    }
    return ret_left->tv_sec >= 0 && (ret_left->tv_sec > 0 || ret_left->tv_nsec > 0);
}

/*
 * Until the queue's descriptor is readable, without the lock. Signals are let in by the call that
 * sleeps, so that one that came since kevent() was entered ends the sleep, as it would in a kernel.
 */
static int sleep_on(struct queue *queue, const struct timespec *left, const sigset_t *outside)
{
    struct pollfd look = {.fd = queue->fd, .events = POLLIN};
    shim_counts.sleeps++;
    shim_ring(queue);
    shim_unlock_to_sleep();
    int result = ppoll(&look, 1, left, outside);
    int cause = errno;
    shim_lock_again();
    errno = cause;
    return result;
}

/* Scans until there is something to give or the time is over; NULL: there is no end to it. */
static int collect(int fd, struct kevent *events, int room, const struct timespec *deadline,
                   const sigset_t *outside)
{
    struct timespec left = {0, 0};
    struct queue *queue;
    while ((queue = shim_find(fd)) != NULL) { /* another thread may have closed it */
        shim_drain(queue);
        shim_look_at_files(queue);
        int count = scan(queue, events, room);
        if (count > 0 || (deadline && !left_until(*deadline, &left)))
            return count;
        if (queue->queued == 0 && sleep_on(queue, deadline ? &left : NULL, outside) < 0)
            return -1;
    }
    errno = EBADF;
    return -1;
}

static int call(struct queue *queue, const struct kevent *changes, int change_count,
                struct kevent *events, int room, const struct timespec *timeout,
                const sigset_t *outside)
{
    struct timespec deadline = {0, 0};
    if (change_count < 0 || room < 0) {
        errno = EINVAL;
        return -1;
    }
    int said = 0;
    if (!apply_all(queue, changes, change_count, events, room, &said))
        return errno ? -1 : 0;
    if (said != 0 || room == 0)
        return said; /* without room the time is not looked at */
    if (timeout && !is_valid(timeout)) {
        errno = EINVAL;
        return -1;
    }
    if (!timeout || timeout->tv_sec > INT_MAX)
        return collect(queue->fd, events, room, NULL, outside);
    if (timeout->tv_sec > 0 || timeout->tv_nsec > 0)
        deadline = sum(now(), *timeout);
    return collect(queue->fd, events, room, &deadline, outside);
}

int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
           int event_room, const struct timespec *timeout)
{
    sigset_t outside;
    shim_lock(&outside);
    struct queue *queue = shim_find(kq);
    int result = -1;
    int cause;
    shim_counts.calls++;
    shim_counts.changes += change_count > 0 ? (unsigned long)change_count : 0;
    if (queue)
        result = call(queue, changes, change_count, events, event_room, timeout, &outside);
    else
        errno = shim_cause_of_no_queue(kq);
    cause = errno;
    queue = shim_find(kq);
    if (queue)
        shim_ring(queue);
    shim_counts.events += result > 0 ? (unsigned long)result : 0;
    shim_unlock(&outside);
    errno = cause;
    return result;
}
