/* SPDX-License-Identifier: MIT */
/*
 * fake_epoll.c: epoll as a script says; see fake.h. A report by script takes nothing out of the
 * queue beneath: EPOLLONESHOT stays armed there.
 */
#include "backends/epoll.h"

#include <errno.h>

#include <pollux/event.h>

#include "tests/platform/fake.h"

static struct plx__epoll_calls real;

/* Whoever is refused for good was closed: the kernel does not have it any more. */
static int refuse(int queue, int fd)
{
    int cause = errno;
    if (cause != ENOMEM)
        real.control(queue, EPOLL_CTL_DEL, fd, NULL);
    errno = cause;
    return -1;
}

static int control(int queue, int operation, int fd, struct epoll_event *event)
{
    if (operation != EPOLL_CTL_DEL && fake_is_refused())
        return refuse(queue, fd);
    if (operation != EPOLL_CTL_DEL && event->data.u64 != 0)
        fake_note(fd, event->data.u64);
    return real.control(queue, operation, fd, event);
}

static int give(const struct fake_answer *answer, struct epoll_event *events)
{
    for (int i = 0; i < answer->count; i++) {
        uint32_t facts = answer->events[i].events;
        events[i].events = (facts & PLX_READ ? EPOLLIN : 0u) | (facts & PLX_WRITE ? EPOLLOUT : 0u);
        events[i].data.u64 = fake_token(&answer->events[i]);
    }
    return answer->error ? -1 : answer->count;
}

static int wait_roughly(int queue, struct epoll_event *events, int capacity, int milliseconds)
{
    if (fake_is_interrupted())
        return -1;
    const struct fake_answer *answer = fake_next(capacity);
    return answer ? give(answer, events) : real.wait(queue, events, capacity, milliseconds);
}

static int wait_exactly(int queue, struct epoll_event *events, int capacity,
                        const struct timespec *timeout, const sigset_t *mask)
{
    if (fake_is_interrupted())
        return -1;
    const struct fake_answer *answer = fake_next(capacity);
    return answer ? give(answer, events)
                  : real.wait_exactly(queue, events, capacity, timeout, mask);
}

static int look(struct pollfd *entries, nfds_t count, int milliseconds)
{
    return fake_is_interrupted() ? -1 : real.look(entries, count, milliseconds);
}

void fake_open_epoll(void)
{
    real = plx__epoll_calls;
    plx__epoll_calls.control = control;
    plx__epoll_calls.wait = wait_roughly;
    plx__epoll_calls.wait_exactly = wait_exactly;
    plx__epoll_calls.look = look;
}

void fake_close_epoll(void)
{
    plx__epoll_calls = real;
}
