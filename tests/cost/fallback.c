/* SPDX-License-Identifier: MIT */
/*
 * fallback.c: epoll_pwait2() is asked once. Whether it is there is known for the whole process from
 * then on, so each case is a process of its own.
 */
#include "fallback.h"

#include <errno.h>
#include <limits.h>

#include "backends/epoll.h"
#include "system.h"

void skip_without_exact_wait(const struct desk *desk)
{
    static const struct timespec none = {0, 0};
    struct epoll_event event;
    if (IS_EPOLL(desk) && plx__epoll_calls.wait_exactly(-1, &event, 1, &none, NULL) < 0 &&
        errno != EBADF)
        check_skip("there is no epoll_pwait2() here");
}

/* A kernel that never sleeps: it notes how long it was to, and ends the wait with a wake. */
static plx_context *sleeper;
static int refusal;
static int exact_calls;
static int last_milliseconds;

static int refuse_exactly(int queue, struct epoll_event *events, int capacity,
                          const struct timespec *timeout, const sigset_t *mask)
{
    (void)queue, (void)events, (void)capacity, (void)timeout, (void)mask;
    exact_calls++;
    errno = refusal;
    return -1;
}

static int note_milliseconds(int queue, struct epoll_event *events, int capacity, int milliseconds)
{
    (void)queue, (void)events, (void)capacity;
    last_milliseconds = milliseconds;
    plx_context_wake(sleeper);
    return 0;
}

static void expect_milliseconds(plx_duration timeout, int want)
{
    plx_watcher *ready[1];
    last_milliseconds = INT_MIN;
    CHECK_EQUAL(plx_context_wait(sleeper, ready, 1, timeout), 0);
    CHECK_EQUAL(last_milliseconds, want);
}

/* Milliseconds, rounded up: a wait is at most late. */
static void wait_without_exactness(void *argument)
{
    struct desk *desk = argument;
    desk_open(desk, 0);
    sleeper = desk->context;
    exact_calls = 0;
    plx__epoll_calls.wait_exactly = refuse_exactly;
    plx__epoll_calls.wait = note_milliseconds;
    for (int i = 0; i < 3; i++) {
        expect_milliseconds(PLX_NS(1), 1);
        CHECK_EQUAL(exact_calls, 1);
        expect_milliseconds(PLX_US(999), 1);
        expect_milliseconds(PLX_MS(1) + 1, 2);
        expect_milliseconds(PLX_MS(250), 250);
        expect_milliseconds(PLX_SECONDS(60) + 1, 60001);
        expect_milliseconds(PLX_FOREVER, -1);
        expect_milliseconds(0, 0);
        expect_milliseconds(INT64_MAX, 86400 * 1000);
    }
    CHECK_EQUAL(exact_calls, 1);
    desk_close(desk);
}

void exact_wait_missing(struct desk *desk)
{
    refusal = ENOSYS;
    in_child(wait_without_exactness, desk);
}

void exact_wait_filtered(struct desk *desk)
{
    refusal = EPERM;
    in_child(wait_without_exactness, desk);
}

static struct plx__epoll_calls calls;

static int interrupt_once(int queue, struct epoll_event *events, int capacity,
                          const struct timespec *timeout, const sigset_t *mask)
{
    if (exact_calls++ == 0) {
        errno = EINTR;
        return -1;
    }
    return calls.wait_exactly(queue, events, capacity, timeout, mask);
}

static void wait_interrupted(void *argument)
{
    struct desk *desk = argument;
    plx_watcher *ready[1];
    desk_open(desk, 0);
    exact_calls = 0;
    calls = plx__epoll_calls;
    plx__epoll_calls.wait_exactly = interrupt_once;
    CHECK_EQUAL(plx_context_wait(desk->context, ready, 1, PLX_MS(1)), 0);
    CHECK_EQUAL(plx_context_wait(desk->context, ready, 1, PLX_MS(1)), 0);
    CHECK_EQUAL(exact_calls, 3);
    desk_close(desk);
}

/* A signal handler is no reason to give it up. */
void exact_wait_interrupted(struct desk *desk)
{
    skip_without_exact_wait(desk);
    in_child(wait_interrupted, desk);
}
