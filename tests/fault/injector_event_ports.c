/* SPDX-License-Identifier: MIT */
/*
 * injector_event_ports.c: the part of injector.h that stands beneath event ports, where those are
 * played. What the shim calls itself does not fail, and does not count.
 */
#include <stddef.h>

#include "backends/event_ports.h"
#include "injector_played.h"

static struct plx__event_ports_calls real;

static int failing_create(void)
{
    const struct rule *rule = injector_hit(POINT_PORT);
    if (rule)
        return injector_fail(rule);
    injector_enter_shim();
    int port = real.create();
    injector_leave_shim();
    return port;
}

/* What has no token is the queue's own. */
static int failing_associate(int port, int source, uintptr_t object, int events, void *user)
{
    const struct rule *rule = user ? injector_hit(POINT_ASSOCIATE) : NULL;
    if (rule)
        return injector_fail(rule);
    injector_enter_shim();
    int result = real.associate(port, source, object, events, user);
    injector_leave_shim();
    return result;
}

/* What is there already neither sleeps nor is interrupted. */
static int failing_get(int port, port_event_t *events, uint_t room, uint_t *count,
                       struct timespec *timeout)
{
    const struct rule *rule = NULL;
    bool is_look = timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
    if (!is_look) {
        injector_before_sleep(port);
        rule = injector_hit(POINT_PORT_SLEEP);
    }
    if (rule) {
        *count = 0;
        return injector_fail(rule);
    }
    injector_enter_shim();
    int result = real.get(port, events, room, count, timeout);
    injector_leave_shim();
    return result;
}

void injector_open_event_ports(void)
{
    real = plx__event_ports_calls;
    plx__event_ports_calls.create = failing_create;
    plx__event_ports_calls.associate = failing_associate;
    plx__event_ports_calls.get = failing_get;
}
