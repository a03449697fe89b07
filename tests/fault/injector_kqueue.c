/* SPDX-License-Identifier: MIT */
/*
 * injector_kqueue.c: the part of injector.h that stands beneath kqueue, where that is played. What
 * the shim calls itself does not fail, and does not count.
 */
#include "injector_kqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "backends/kqueue.h"
#include "check.h"

/* No filter of any system: a change with it comes back as an error, in its turn. */
#define REFUSED_FILTER (-77)

#define MOST_CHANGES 256

static struct plx__kqueue_calls real;

static int failing_create(void)
{
    const struct rule *rule = injector_hit(POINT_KQUEUE);
    if (rule)
        return injector_fail(rule);
    injector_enter_shim();
    int queue = real.create();
    injector_leave_shim();
    return queue;
}

static int really(int queue, const struct kevent *changes, int change_count, struct kevent *events,
                  int room, const struct timespec *timeout)
{
    injector_enter_shim();
    int count = real.kevent(queue, changes, change_count, events, room, timeout);
    injector_leave_shim();
    return count;
}

/* A filter is made of memory, unless there is nothing to be watched in the first place. */
static bool needs_memory(const struct kevent *change)
{
    bool is_descriptor = change->filter == EVFILT_READ || change->filter == EVFILT_WRITE;
    return is_descriptor && change->flags & EV_ADD && fcntl((int)change->ident, F_GETFD) >= 0;
}

/* All changes but those that are refused are made; these come back. */
static int change_with_room(int queue, const struct kevent *changes, int change_count,
                            struct kevent *events, int room, const struct timespec *timeout)
{
    static struct kevent altered[MOST_CHANGES];
    static short filters[MOST_CHANGES];
    int refused = 0, told = 0;
    CHECK(change_count <= MOST_CHANGES);
    for (int i = 0; i < change_count; i++) {
        altered[i] = changes[i];
        if (needs_memory(&changes[i]) && injector_hit(POINT_FILTER)) {
            altered[i].filter = REFUSED_FILTER;
            filters[refused++] = changes[i].filter;
        }
    }
    int count = really(queue, altered, change_count, events, room, timeout);
    for (int i = 0; i < count; i++) {
        if (events[i].filter != REFUSED_FILTER)
            continue;
        CHECK(told < refused);
        events[i].filter = filters[told++];
        events[i].data = ENOMEM;
    }
    return count;
}

/* The changes have been made by the time that a signal ends the sleep. */
static int sleep_in(int queue, const struct kevent *changes, int change_count,
                    struct kevent *events, int room, const struct timespec *timeout)
{
    static const struct timespec none = {0, 0};
    injector_before_sleep(queue);
    const struct rule *rule = injector_hit(POINT_KEVENT_SLEEP);
    if (!rule)
        return change_with_room(queue, changes, change_count, events, room, timeout);
    int count = really(queue, changes, change_count, events, room, &none);
    return count == 0 ? injector_fail(rule) : count;
}

static int failing_kevent(int queue, const struct kevent *changes, int change_count,
                          struct kevent *events, int room, const struct timespec *timeout)
{
    bool is_look = timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
    bool is_wake = room == 0 && changes->fflags & NOTE_TRIGGER;
    if (room > 0 && !is_look)
        return sleep_in(queue, changes, change_count, events, room, timeout);
    if (room > 0)
        return change_with_room(queue, changes, change_count, events, room, timeout);
    const struct rule *rule = is_wake ? NULL : injector_hit(POINT_FILTER_OWN);
    return rule ? injector_fail(rule) : really(queue, changes, change_count, events, room, timeout);
}

void injector_open_kqueue(void)
{
    real = plx__kqueue_calls;
    plx__kqueue_calls.create = failing_create;
    plx__kqueue_calls.kevent = failing_kevent;
}
