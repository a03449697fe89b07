/* SPDX-License-Identifier: MIT */
/*
 * injector_event_ports.c: the part of injector.h that stands beneath event ports, where they are
 * played. What the shim calls itself does not fail, and does not count.
 */
#include "injector_event_ports.h"

#include <errno.h>
#include <fcntl.h>

#include "backends/event_ports.h"
#include "injector_kqueue.h"

static struct plx__event_ports_calls real;

/* What the last call took out. */
static port_event_t *taken;
static uint_t taken_count;

/* The timer of a nested port; a wait takes it out before it looks at anything. */
static int bell = -1;
static bool is_wait_begun;

static int gets_in_this_call(void)
{
    return injector_count(POINT_PORT_GET) + injector_count(POINT_PORT_SLEEP);
}

static int failing_create(void)
{
    const struct rule *rule = injector_hit(POINT_PORT);
    return rule ? injector_fail(rule) : real.create();
}

/* The kernel looks at the descriptor before it looks for room. The bell's mark is no watcher's. */
static int failing_associate(int port, int source, uintptr_t object, int events, void *user)
{
    bool is_open = fcntl((int)object, F_GETFD) >= 0;
    bool is_ending = gets_in_this_call() > 0 && !is_wait_begun;
    bool is_nesting = bell >= 0 && (injector_count(POINT_TIMERFD) > 0 || is_ending);
    enum point point = !user        ? POINT_ASSOCIATE_OWN
                       : is_nesting ? POINT_ASSOCIATE_NESTING
                                    : POINT_ASSOCIATE;
    const struct rule *rule = is_open ? injector_hit(point) : NULL;
    if (!rule)
        return real.associate(port, source, object, events, user);
    if (bell >= 0)
        injector_owe();
    return injector_fail(rule);
}

/* ENOENT: it was delivered, and its place is free again all the same. */
static int failing_dissociate(int port, int source, uintptr_t object)
{
    is_wait_begun |= object == (uintptr_t)bell;
    const struct rule *rule = injector_hit(POINT_DISSOCIATE);
    int result = real.dissociate(port, source, object);
    return rule ? injector_fail(rule) : result;
}

/* What takes its place, an alert, ends a sleep, but does not show in a nested port. */
static int failing_send(int port, int events, void *user)
{
    const struct rule *rule = bell >= 0 ? NULL : injector_hit(POINT_SEND);
    return rule ? injector_fail(rule) : real.send(port, events, user);
}

static int really_get(int port, port_event_t *events, uint_t room, uint_t *count,
                      struct timespec *timeout)
{
    injector_enter_shim();
    int result = real.get(port, events, room, count, timeout);
    injector_leave_shim();
    is_wait_begun = false;
    taken = events;
    taken_count = events->portev_source ? *count : 0;
    return result;
}

static int failing_get(int port, port_event_t *events, uint_t room, uint_t *count,
                       struct timespec *timeout)
{
    bool is_look = timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
    if (is_look) {
        injector_hit(POINT_PORT_GET);
        return really_get(port, events, room, count, timeout);
    }
    injector_before_sleep(port);
    const struct rule *rule = injector_hit(POINT_PORT_SLEEP);
    return rule ? injector_fail(rule) : really_get(port, events, room, count, timeout);
}

/* A watcher alone, of which the kernel has told nothing in this public call? */
static bool is_alone(const struct pollfd *entries, nfds_t count)
{
    bool is_told = count > 1;
    if (gets_in_this_call() > 0) {
        for (uint_t i = 0; i < taken_count; i++)
            is_told |= taken[i].portev_object == (uintptr_t)entries->fd;
    }
    return !is_told;
}

static int failing_look(struct pollfd *entries, nfds_t count, int milliseconds)
{
    bool is_one = is_alone(entries, count);
    const struct rule *rule =
        is_one ? injector_hit_one(POINT_PORT_LOOK_ONE, *entries) : injector_hit(POINT_PORT_LOOK);
    if (!rule)
        return real.look(entries, count, milliseconds);
    return is_one ? injector_fail_one(rule, *entries) : injector_fail(rule);
}

static int failing_identify(int fd, struct stat *file)
{
    const struct rule *rule = injector_hit(POINT_IDENTIFY);
    return rule ? injector_fail(rule) : real.identify(fd, file);
}

static int failing_timerfd(int clock, int flags)
{
    const struct rule *rule = injector_hit(POINT_TIMERFD);
    return rule ? injector_fail(rule) : (bell = real.timerfd(clock, flags));
}

void injector_open_event_ports(void)
{
    real = plx__event_ports_calls;
    plx__event_ports_calls.create = failing_create;
    plx__event_ports_calls.associate = failing_associate;
    plx__event_ports_calls.dissociate = failing_dissociate;
    plx__event_ports_calls.send = failing_send;
    plx__event_ports_calls.get = failing_get;
    plx__event_ports_calls.look = failing_look;
    plx__event_ports_calls.identify = failing_identify;
    plx__event_ports_calls.timerfd = failing_timerfd;
}
