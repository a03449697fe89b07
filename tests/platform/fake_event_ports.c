/* SPDX-License-Identifier: MIT */
/*
 * fake_event_ports.c: event ports as a script says; see fake.h. What it delivers is dissociated
 * beneath, as a delivery is. As libc has it, the number is written with success and with ETIME.
 */
#include "backends/event_ports.h"

#include <errno.h>

#include <pollux/event.h>

#include "tests/platform/fake.h"

static struct plx__event_ports_calls real;

static int associate(int port, int source, uintptr_t object, int events, void *user)
{
    if (user && fake_is_refused())
        return -1;
    if (user)
        fake_note((int)object, (uint64_t)(uintptr_t)user);
    return real.associate(port, source, object, events, user);
}

static int give(int port, const struct fake_answer *answer, port_event_t *events, uint_t *count)
{
    for (int i = 0; i < answer->count; i++) {
        const struct fake_event *event = &answer->events[i];
        real.dissociate(port, PORT_SOURCE_FD, (uintptr_t)event->fd);
        events[i].portev_source = PORT_SOURCE_FD;
        events[i].portev_object = (uintptr_t)event->fd;
        events[i].portev_user = (void *)(uintptr_t)fake_token(event);
        events[i].portev_events =
            (event->events & PLX_READ ? POLLIN : 0) | (event->events & PLX_WRITE ? POLLOUT : 0);
    }
    errno = answer->error;
    if (answer->error == 0 || answer->error == ETIME || answer->count > 0)
        *count = (uint_t)answer->count;
    return answer->error ? -1 : 0;
}

static int get(int port, port_event_t *events, uint_t room, uint_t *count, struct timespec *timeout)
{
    if (fake_is_interrupted())
        return -1;
    const struct fake_answer *answer = fake_next((int)room);
    return answer ? give(port, answer, events, count)
                  : real.get(port, events, room, count, timeout);
}

static int look(struct pollfd *entries, nfds_t count, int milliseconds)
{
    return fake_is_interrupted() ? -1 : real.look(entries, count, milliseconds);
}

void fake_open_event_ports(void)
{
    real = plx__event_ports_calls;
    plx__event_ports_calls.associate = associate;
    plx__event_ports_calls.get = get;
    plx__event_ports_calls.look = look;
}

void fake_close_event_ports(void)
{
    plx__event_ports_calls = real;
}
