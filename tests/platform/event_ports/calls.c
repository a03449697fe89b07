/* SPDX-License-Identifier: MIT */
/* calls.c: port_associate(), port_dissociate(), port_send(), port_sendn() and port_alert(). */
#include "shim.h"

#include <errno.h>
#include <limits.h>

static int result_of(int cause)
{
    if (cause == 0)
        return 0;
    errno = cause;
    return -1;
}

/* Which object of which source? */
static int cause_against(int source, uintptr_t object)
{
    if (source == PORT_SOURCE_FILE)
        return ENOTSUP;
    if (source != PORT_SOURCE_FD)
        return EINVAL;
    return object > INT_MAX ? EBADFD : 0;
}

static int refuse_inherited(const struct port *port)
{
    if (!port->is_inherited)
        return 0;
    ports_counts.foreign++;
    return ENOTSUP;
}

int port_associate(int fd, int source, uintptr_t object, int events, void *user)
{
    sigset_t outside;
    struct port *port = ports_enter(fd, &outside);
    if (!port)
        return -1;
    ports_counts.associates++;
    int cause = cause_against(source, object);
    if (!cause)
        cause = refuse_inherited(port);
    if (!cause) {
        ports_notice(port);
        cause = ports_associate(port, (int)object, events, user);
    }
    ports_leave(port, &outside);
    return result_of(cause);
}

int port_dissociate(int fd, int source, uintptr_t object)
{
    sigset_t outside;
    struct port *port = ports_enter(fd, &outside);
    if (!port)
        return -1;
    ports_counts.dissociates++;
    int cause = cause_against(source, object);
    if (!cause)
        cause = ports_dissociate(port, (int)object);
    ports_leave(port, &outside);
    return result_of(cause);
}

int port_send(int fd, int events, void *user)
{
    sigset_t outside;
    struct port *port = ports_enter(fd, &outside);
    if (!port)
        return -1;
    ports_counts.sends++;
    /* What is ready is not noticed here: on its way from epoll's queue to this one it would not
       show for a moment, and nobody expects that of somebody else's thread. */
    int cause = refuse_inherited(port);
    if (!cause)
        cause = ports_send(port, events, user);
    ports_leave(port, &outside);
    return result_of(cause);
}

/* The errors are filled in only where there is one. */
int port_sendn(int ports[], int errors[], uint_t count, int events, void *user)
{
    uint_t sent = 0;
    if (count == 0)
        return result_of(EINVAL);
    for (uint_t i = 0; i < count; i++) {
        int cause = port_send(ports[i], events, user) == 0 ? 0 : errno;
        if (cause && sent == i) {
            for (uint_t before = 0; before < i; before++)
                errors[before] = 0;
        }
        if (cause || sent < i)
            errors[i] = cause;
        sent += !cause;
    }
    return (int)sent;
}

static int alert(struct port *port, int flags, int events, void *user)
{
    if ((flags & PORT_ALERT_INVALID) == PORT_ALERT_INVALID)
        return EINVAL;
    if (flags == PORT_ALERT_UPDATE && port->is_alerted)
        return EBUSY;
    port->is_alerted = true;
    port->alert = (port_event_t){
        .portev_events = events, .portev_source = PORT_SOURCE_ALERT, .portev_user = user};
    for (struct sleeper *sleeper = port->sleepers; sleeper; sleeper = sleeper->next) {
        if (!sleeper->is_alerted)
            sleeper->alert = port->alert;
        sleeper->is_alerted = true;
        ports_ring(sleeper->call);
    }
    return 0;
}

/* Without events the mode ends, whatever the flags say. */
int port_alert(int fd, int flags, int events, void *user)
{
    sigset_t outside;
    struct port *port = ports_enter(fd, &outside);
    if (!port)
        return -1;
    ports_counts.others++;
    int cause = refuse_inherited(port);
    if (!cause && events)
        cause = alert(port, flags, events, user);
    else if (!cause)
        port->is_alerted = false;
    ports_leave(port, &outside);
    return result_of(cause);
}
