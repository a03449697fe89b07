/* SPDX-License-Identifier: MIT */
/* faults_event_ports.c: the part of faults.h that stands beneath event ports, where they are
 * played. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>

#include "backends/event_ports.h"
#include "victims.h"

static struct plx__event_ports_calls real;

static int create_port(void)
{
    victims_count_queue();
    return victims_is_refused(VICTIM_QUEUE) ? victims_refuse() : real.create();
}

/* A port is out of room in the same way as a system is out of memory. */
static int associate(int port, int source, uintptr_t object, int events, void *user)
{
    bool is_open = fcntl((int)object, F_GETFD) >= 0;
    if (is_open && (victims_is_refused(VICTIM_ADDITION) || victims_is_refused(VICTIM_CHANGE)))
        return victims_refuse_with(ENOMEM);
    return real.associate(port, source, object, events, user);
}

/* The kernel looks first: a signal ends a sleep only if nothing is there. */
static int interrupt_sleep(int port, port_event_t *events, uint_t room, uint_t *count)
{
    struct timespec none = {0, 0};
    uint_t wanted = *count;
    int result = real.get(port, events, room, count, &none);
    if (result < 0 || *count > 0)
        return result;
    *count = wanted;
    return victims_refuse_with(EINTR);
}

static int get(int port, port_event_t *events, uint_t room, uint_t *count, struct timespec *timeout)
{
    bool is_look = timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
    victims_count_wait();
    if (!is_look && victims_is_refused(VICTIM_WAITING))
        return interrupt_sleep(port, events, room, count);
    return real.get(port, events, room, count, timeout);
}

static int make_timer(int clock, int flags)
{
    return victims_is_refused(VICTIM_COUNTER) ? victims_refuse() : real.timerfd(clock, flags);
}

void faults_install_event_ports(void)
{
    real = plx__event_ports_calls;
    plx__event_ports_calls.create = create_port;
    plx__event_ports_calls.associate = associate;
    plx__event_ports_calls.get = get;
    plx__event_ports_calls.timerfd = make_timer;
}
