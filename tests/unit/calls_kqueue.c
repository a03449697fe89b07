/* SPDX-License-Identifier: MIT */
/*
 * calls_kqueue.c: the part of calls.h that stands beneath kqueue, where that is played.
 */
#include "backends/kqueue.h"

#include <stdarg.h>

#include "calls.h"
#include "rig.h"

static struct plx__kqueue_calls real;

void rig_use_kqueue(void)
{
    rig_backend = &plx__backend_kqueue;
}

static int call_create(void)
{
    return calls_is_refused() ? -1 : calls_returned(real.create());
}

/* A wait, as long as it is a test's, brings no changes when its time is of interest. */
static int call_kevent(int queue, const struct kevent *changes, int change_count,
                       struct kevent *events, int room, const struct timespec *timeout)
{
    static const struct timespec none = {0, 0};
    bool is_wait = change_count == 0 && room > 0;
    if (is_wait)
        calls.slept = timeout ? PLX_SECONDS(timeout->tv_sec) + timeout->tv_nsec : PLX_FOREVER;
    if (calls_is_refused())
        return -1;
    if (is_wait && calls.is_hasty)
        timeout = &none;
    return calls_returned(real.kevent(queue, changes, change_count, events, room, timeout));
}

static int call_look(struct pollfd *entries, nfds_t count, int milliseconds)
{
    return calls_is_refused() ? -1 : calls_returned(real.look(entries, count, milliseconds));
}

static int call_identify(int fd, struct stat *file)
{
    return calls_is_refused() ? -1 : calls_returned(real.identify(fd, file));
}

/* Of the commands with an argument all have an int. */
static int call_control(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    int argument = va_arg(arguments, int);
    va_end(arguments);
    return calls_is_refused() ? -1 : calls_returned(real.control(fd, command, argument));
}

static int call_pipe(int ends[2])
{
    return calls_is_refused() ? -1 : calls_returned(real.pipe(ends));
}

static int call_close(int fd)
{
    calls.total++;
    return real.close(fd);
}

void calls_open_kqueue(void)
{
    real = plx__kqueue_calls;
    plx__kqueue_calls.create = call_create;
    plx__kqueue_calls.kevent = call_kevent;
    plx__kqueue_calls.look = call_look;
    plx__kqueue_calls.identify = call_identify;
    plx__kqueue_calls.control = call_control;
    plx__kqueue_calls.pipe = call_pipe;
    plx__kqueue_calls.close = call_close;
}

void calls_close_kqueue(void)
{
    plx__kqueue_calls = real;
}
