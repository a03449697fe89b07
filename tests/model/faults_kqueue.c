/* SPDX-License-Identifier: MIT */
/* faults_kqueue.c: the part of faults.h that stands beneath kqueue, where that is played. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "backends/kqueue.h"
#include "journal.h"
#include "victims.h"

/* No filter of any system: a change with it comes back as an error, in its turn. */
#define REFUSED_FILTER (-77)

#define MOST_CHANGES 1024

static struct plx__kqueue_calls real;

static int create_queue(void)
{
    victims_count_queue();
    return victims_is_refused(VICTIM_QUEUE) ? victims_refuse() : real.create();
}

/* A filter is made of memory, unless there is nothing to be watched in the first place. */
static bool needs_memory(const struct kevent *change)
{
    bool is_descriptor = change->filter == EVFILT_READ || change->filter == EVFILT_WRITE;
    return is_descriptor && change->flags & EV_ADD && fcntl((int)change->ident, F_GETFD) >= 0;
}

/* The first one that is to be refused, or -1. */
static int choose_change(const struct kevent *changes, int count)
{
    for (int i = 0; i < count; i++) {
        if (needs_memory(&changes[i]) &&
            (victims_is_refused(VICTIM_ADDITION) || victims_is_refused(VICTIM_CHANGE)))
            return i;
    }
    return -1;
}

/* The other changes are made, and this one comes back. */
static int refuse_change(int queue, const struct kevent *changes, int count, int chosen,
                         struct kevent *events, int room, const struct timespec *timeout)
{
    static struct kevent altered[MOST_CHANGES];
    short filter = changes[chosen].filter;
    if (count > MOST_CHANGES)
        journal_fail("%d changes in one call", count);
    memcpy(altered, changes, (size_t)count * sizeof *altered);
    altered[chosen].filter = REFUSED_FILTER;
    count = real.kevent(queue, altered, count, events, room, timeout);
    for (int i = 0; i < count; i++) {
        if (events[i].filter != REFUSED_FILTER)
            continue;
        events[i].filter = filter;
        events[i].data = ENOMEM;
        victims_refuse_with(ENOMEM);
    }
    return count;
}

static bool is_wait(const struct kevent *changes, int change_count, int room)
{
    return room > 0 && (change_count == 0 || !(changes->flags & EV_RECEIPT));
}

/* The changes have been made by the time that a signal ends the sleep. */
static int interrupt_sleep(int queue, const struct kevent *changes, int change_count,
                           struct kevent *events, int room)
{
    static const struct timespec none = {0, 0};
    int count = real.kevent(queue, changes, change_count, events, room, &none);
    return count == 0 ? victims_refuse_with(EINTR) : count;
}

static int call_kevent(int queue, const struct kevent *changes, int change_count,
                       struct kevent *events, int room, const struct timespec *timeout)
{
    bool is_look = timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
    if (is_wait(changes, change_count, room))
        victims_count_wait();
    int chosen = choose_change(changes, change_count);
    if (chosen >= 0)
        return refuse_change(queue, changes, change_count, chosen, events, room, timeout);
    if (!is_look && room > 0 && victims_is_refused(VICTIM_WAITING))
        return interrupt_sleep(queue, changes, change_count, events, room);
    return real.kevent(queue, changes, change_count, events, room, timeout);
}

void faults_install_kqueue(void)
{
    real = plx__kqueue_calls;
    plx__kqueue_calls.create = create_queue;
    plx__kqueue_calls.kevent = call_kevent;
}
