/* SPDX-License-Identifier: MIT */
/*
 * fake_kqueue.c: kqueue as a script says; see fake.h. Whatever the script says, the changes of the
 * call are made first, and if one of them comes back the queue is not looked at.
 */
#include "backends/kqueue.h"

#include <errno.h>
#include <stdlib.h>

#include <pollux/event.h>

#include "tests/platform/fake.h"

/* No filter of any system: such a change comes back, in its turn. */
#define REFUSED_FILTER (-77)

enum { MOST = 64 };

static struct plx__kqueue_calls real;

static bool is_of_descriptor(const struct kevent *event)
{
    return event->filter == EVFILT_READ || event->filter == EVFILT_WRITE;
}

/* Copies the changes, of which one may be refused: returns its index, or -1. */
static int prepare(struct kevent *altered, const struct kevent *changes, int count)
{
    int refused = -1;
    if (count > MOST)
        abort();
    for (int i = 0; i < count; i++) {
        altered[i] = changes[i];
        if (!is_of_descriptor(&changes[i]) || !(changes[i].flags & EV_ADD))
            continue;
        if (fake_is_refused()) {
            altered[i].filter = REFUSED_FILTER;
            refused = i;
        } else {
            fake_note((int)changes[i].ident, (uint64_t)(uintptr_t)changes[i].udata);
        }
    }
    return refused;
}

static int change_and_ask(int queue, const struct kevent *changes, int change_count,
                          struct kevent *events, int room, const struct timespec *timeout)
{
    struct kevent altered[MOST];
    int refused = prepare(altered, changes, change_count);
    if (refused < 0)
        return real.kevent(queue, changes, change_count, events, room, timeout);
    short filter = changes[refused].filter;
    int count = real.kevent(queue, altered, change_count, events, room, timeout);
    for (int i = 0; i < count; i++) {
        if (events[i].filter != REFUSED_FILTER)
            continue;
        events[i].filter = filter;
        events[i].data = fake.cause;
    }
    return count;
}

/* Only makes the changes; those that come back are put into `events`. */
static int change_only(int queue, const struct kevent *changes, int change_count,
                       struct kevent *events)
{
    static const struct timespec none = {0, 0};
    struct kevent receipts[MOST];
    int failures = 0;
    for (int i = 0; i < change_count; i++) {
        receipts[i] = changes[i];
        receipts[i].flags |= EV_RECEIPT;
    }
    int count = change_count == 0
                    ? 0
                    : change_and_ask(queue, receipts, change_count, receipts, change_count, &none);
    for (int i = 0; i < count; i++) {
        if (receipts[i].flags & EV_ERROR && receipts[i].data != 0)
            events[failures++] = receipts[i];
    }
    return failures;
}

static int give(const struct fake_answer *answer, struct kevent *events)
{
    for (int i = 0; i < answer->count; i++) {
        const struct fake_event *event = &answer->events[i];
        events[i] = (struct kevent){.ident = (uintptr_t)event->fd, .data = 1};
        events[i].filter = event->events == PLX_WRITE ? EVFILT_WRITE : EVFILT_READ;
        events[i].udata = (void *)(uintptr_t)fake_token(event);
    }
    return answer->error ? -1 : answer->count;
}

/* A list of changes alone asks for the receipt of each. */
static bool is_wait(const struct kevent *changes, int change_count, const struct kevent *events)
{
    return events && (change_count == 0 || !(changes[0].flags & EV_RECEIPT));
}

static int ask(int queue, const struct kevent *changes, int change_count, struct kevent *events,
               int room, const struct timespec *timeout)
{
    if (!is_wait(changes, change_count, events))
        return change_and_ask(queue, changes, change_count, events, room, timeout);
    bool is_interrupted = fake_is_interrupted();
    const struct fake_answer *answer = is_interrupted ? NULL : fake_next(room);
    if (!is_interrupted && !answer)
        return change_and_ask(queue, changes, change_count, events, room, timeout);
    int failures = change_only(queue, changes, change_count, events);
    if (failures > 0)
        return failures;
    errno = is_interrupted ? EINTR : answer->error;
    return is_interrupted ? -1 : give(answer, events);
}

static int look(struct pollfd *entries, nfds_t count, int milliseconds)
{
    return fake_is_interrupted() ? -1 : real.look(entries, count, milliseconds);
}

void fake_open_kqueue(void)
{
    real = plx__kqueue_calls;
    plx__kqueue_calls.kevent = ask;
    plx__kqueue_calls.look = look;
}

void fake_close_kqueue(void)
{
    plx__kqueue_calls = real;
}
