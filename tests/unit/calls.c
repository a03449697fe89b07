/* SPDX-License-Identifier: MIT */
/*
 * calls.c: see calls.h.
 */
#include "calls.h"

#include <errno.h>

#include "backends/epoll.h"
#include "backends/poll.h"

struct calls calls;

static struct plx__epoll_calls real_epoll;
static struct plx__poll_calls real_poll;

/* Counts down; at 0 the intruder comes, and does not intrude upon itself. */
static void come_closer(uint32_t *distance)
{
    static bool is_intruding;

    if (is_intruding || *distance == 0 || --*distance > 0)
        return;
    is_intruding = true;
    calls.intrude();
    is_intruding = false;
}

bool calls_is_refused(void)
{
    come_closer(&calls.intrude_before);
    calls.total++;
    if (calls.refuse == 0 || --calls.refuse > 0)
        return false;
    errno = calls.cause;
    return true;
}

int calls_returned(int result)
{
    come_closer(&calls.intrude_after);
    return result;
}

static ssize_t transferred(ssize_t result)
{
    come_closer(&calls.intrude_after);
    return result;
}

static plx_duration to_duration(const struct timespec *time)
{
    return time ? PLX_SECONDS(time->tv_sec) + time->tv_nsec : PLX_FOREVER;
}

static int call_create(int flags)
{
    return calls_is_refused() ? -1 : calls_returned(real_epoll.create(flags));
}

static int call_control(int queue, int operation, int fd, struct epoll_event *event)
{
    return calls_is_refused() ? -1
                              : calls_returned(real_epoll.control(queue, operation, fd, event));
}

static int call_wait(int queue, struct epoll_event *events, int capacity, int milliseconds)
{
    calls.slept = milliseconds < 0 ? PLX_FOREVER : PLX_MS(milliseconds);
    if (calls_is_refused())
        return -1;
    return calls_returned(
        real_epoll.wait(queue, events, capacity, calls.is_hasty ? 0 : milliseconds));
}

static int call_wait_exactly(int queue, struct epoll_event *events, int capacity,
                             const struct timespec *timeout, const sigset_t *mask)
{
    if (calls.no_exact_wait) {
        calls.total++;
        errno = calls.no_exact_wait;
        return -1;
    }
    calls.slept = to_duration(timeout);
    if (calls_is_refused())
        return -1;
    if (calls.is_hasty)
        return calls_returned(real_epoll.wait(queue, events, capacity, 0));
    return calls_returned(real_epoll.wait_exactly(queue, events, capacity, timeout, mask));
}

static int call_ppoll(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
                      const sigset_t *mask)
{
    static const struct timespec none = {0, 0};
    calls.slept = to_duration(timeout);
    if (calls_is_refused())
        return -1;
    return calls_returned(real_poll.wait(entries, count, calls.is_hasty ? &none : timeout, mask));
}

static int call_look(struct pollfd *entries, nfds_t count, int milliseconds)
{
    return calls_is_refused() ? -1 : calls_returned(real_epoll.look(entries, count, milliseconds));
}

static int call_eventfd(unsigned int value, int flags)
{
    return calls_is_refused() ? -1 : calls_returned(real_epoll.eventfd(value, flags));
}

static int call_open_wake(int ret_ends[2])
{
    return calls_is_refused() ? -1 : calls_returned(real_poll.open_wake(ret_ends));
}

static int call_timerfd(int clock, int flags)
{
    return calls_is_refused() ? -1 : calls_returned(real_epoll.timerfd(clock, flags));
}

static int call_set_timer(int timer, int flags, const struct itimerspec *time,
                          struct itimerspec *old)
{
    return calls_is_refused() ? -1 : calls_returned(real_epoll.set_timer(timer, flags, time, old));
}

static ssize_t call_read(int fd, void *bytes, size_t size)
{
    return calls_is_refused() ? -1 : transferred(real_epoll.read(fd, bytes, size));
}

static ssize_t call_write(int fd, const void *bytes, size_t size)
{
    return calls_is_refused() ? -1 : transferred(real_epoll.write(fd, bytes, size));
}

static int call_close(int fd)
{
    calls.total++;
    return real_epoll.close(fd);
}

void calls_open(void)
{
    real_epoll = plx__epoll_calls;
    real_poll = plx__poll_calls;
    calls = (struct calls){0};
    plx__epoll_calls = (struct plx__epoll_calls){
        .create = call_create,
        .control = call_control,
        .wait = call_wait,
        .wait_exactly = call_wait_exactly,
        .look = call_look,
        .eventfd = call_eventfd,
        .timerfd = call_timerfd,
        .set_timer = call_set_timer,
        .read = call_read,
        .write = call_write,
        .close = call_close,
    };
    plx__poll_calls = (struct plx__poll_calls){
        .wait = call_ppoll,
        .open_wake = call_open_wake,
        .read = call_read,
        .write = call_write,
        .close = call_close,
    };
#ifdef POLLUX_PLAYS_KQUEUE
    calls_open_kqueue();
#endif
#ifdef POLLUX_PLAYS_EVENT_PORTS
    calls_open_event_ports();
#endif
}

void calls_close(void)
{
    plx__epoll_calls = real_epoll;
    plx__poll_calls = real_poll;
#ifdef POLLUX_PLAYS_KQUEUE
    calls_close_kqueue();
#endif
#ifdef POLLUX_PLAYS_EVENT_PORTS
    calls_close_event_ports();
#endif
}

uint32_t calls_taken(void)
{
    uint32_t taken = calls.total;
    calls.total = 0;
    return taken;
}
