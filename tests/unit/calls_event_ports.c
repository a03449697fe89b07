/* SPDX-License-Identifier: MIT */
/*
 * calls_event_ports.c: the part of calls.h that stands beneath event ports, where they are played.
 */
#include "backends/event_ports.h"

#include <stdarg.h>

#include "calls.h"
#include "rig.h"

static struct plx__event_ports_calls real;

void rig_use_event_ports(void)
{
    rig_backend = &plx__backend_event_ports;
}

static int call_create(void)
{
    return calls_is_refused() ? -1 : calls_returned(real.create());
}

static int call_associate(int port, int source, uintptr_t object, int events, void *user)
{
    return calls_is_refused() ? -1
                              : calls_returned(real.associate(port, source, object, events, user));
}

static int call_dissociate(int port, int source, uintptr_t object)
{
    return calls_is_refused() ? -1 : calls_returned(real.dissociate(port, source, object));
}

static int call_send(int port, int events, void *user)
{
    return calls_is_refused() ? -1 : calls_returned(real.send(port, events, user));
}

static int call_alert(int port, int flags, int events, void *user)
{
    return calls_is_refused() ? -1 : calls_returned(real.alert(port, flags, events, user));
}

static int call_get(int port, port_event_t *events, uint_t room, uint_t *count,
                    struct timespec *timeout)
{
    struct timespec none = {0, 0};
    calls.slept = timeout ? PLX_SECONDS(timeout->tv_sec) + timeout->tv_nsec : PLX_FOREVER;
    if (calls_is_refused())
        return -1;
    return calls_returned(real.get(port, events, room, count, calls.is_hasty ? &none : timeout));
}

static int call_drain(int port, port_event_t *events, uint_t room, uint_t *count,
                      struct timespec *timeout)
{
    return calls_is_refused() ? -1 : calls_returned(real.drain(port, events, room, count, timeout));
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

static int call_timerfd(int clock, int flags)
{
    return calls_is_refused() ? -1 : calls_returned(real.timerfd(clock, flags));
}

static int call_set_timer(int timer, int flags, const struct itimerspec *time,
                          struct itimerspec *old)
{
    return calls_is_refused() ? -1 : calls_returned(real.set_timer(timer, flags, time, old));
}

static int call_close(int fd)
{
    calls.total++;
    return real.close(fd);
}

void calls_open_event_ports(void)
{
    real = plx__event_ports_calls;
    plx__event_ports_calls = (struct plx__event_ports_calls){
        .create = call_create,
        .associate = call_associate,
        .dissociate = call_dissociate,
        .send = call_send,
        .alert = call_alert,
        .get = call_get,
        .drain = call_drain,
        .look = call_look,
        .identify = call_identify,
        .control = call_control,
        .timerfd = call_timerfd,
        .set_timer = call_set_timer,
        .close = call_close,
    };
}

void calls_close_event_ports(void)
{
    plx__event_ports_calls = real;
}
