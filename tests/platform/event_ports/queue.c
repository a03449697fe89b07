/* SPDX-License-Identifier: MIT */
/* queue.c: the events of a port, in which order they are given, and who is told of them. */
#include "shim.h"

#include <errno.h>

void ports_enqueue(struct port *port, struct event *event)
{
    event->before = port->last;
    event->behind = NULL;
    if (port->last)
        port->last->behind = event;
    else
        port->first = event;
    port->last = event;
    event->is_queued = true;
    port->queued++;
}

void ports_dequeue(struct port *port, struct event *event)
{
    if (!event->is_queued)
        return;
    if (event->before)
        event->before->behind = event->behind;
    else
        port->first = event->behind;
    if (event->behind)
        event->behind->before = event->before;
    else
        port->last = event->before;
    event->is_queued = false;
    port->queued--;
}

/*
 * Sent events, of all ports. No allocation: port_send() may be called in a handler that has
 * interrupted malloc(). What is never used is never touched, so it takes no memory.
 */
static struct event pool[PORT_SHIM_POOL];
static unsigned int pool_used;
static struct event *free_events;

static struct event *new_sent_event(void)
{
    struct event *event = free_events;
    if (event)
        free_events = event->behind;
    else if (pool_used < PORT_SHIM_POOL)
        event = &pool[pool_used++];
    return event;
}

void ports_free_sent(struct event *event)
{
    event->behind = free_events;
    free_events = event;
}

int ports_send(struct port *port, int events, void *user)
{
    if (port->kept >= port->limit)
        return EAGAIN;
    struct event *event = new_sent_event();
    if (!event)
        return ENOMEM;
    event->object = NULL;
    event->told = (port_event_t){
        .portev_events = events, .portev_source = PORT_SOURCE_USER, .portev_user = user};
    port->kept++;
    ports_enqueue(port, event);
    return 0;
}

/* By the seed, the same on every machine: a linear congruence, of which the high bits are used. */
static unsigned int roll(unsigned int sides)
{
    static uint64_t state;
    static unsigned int seed;
    if (seed != ports_traits.seed) {
        seed = ports_traits.seed;
        state = seed;
    }
    state = state * UINT64_C(6364136223846793005) + 1;
    return (unsigned int)(state >> 33) % sides;
}

static struct event *next_event(const struct port *port)
{
    struct event *event = port->first;
    if (ports_traits.order == PORT_REVERSED)
        return port->last;
    if (ports_traits.order == PORT_SHUFFLED) {
        for (unsigned int steps = roll(port->queued); steps > 0; steps--)
            event = event->behind;
    }
    return event;
}

/* The delivery ends the association; a kernel keeps its structure for the next one. */
unsigned int ports_deliver(struct port *port, port_event_t *list, unsigned int max)
{
    unsigned int count = 0;
    while (count < max && port->queued > 0) {
        struct event *event = next_event(port);
        ports_dequeue(port, event);
        if (event->object && ports_is_stale(event->object)) {
            ports_drop_object(event->object);
            continue;
        }
        list[count] = event->told;
        list[count++].portev_pad = 0x5a5a; /* nobody sets it there */
        if (!event->object) {
            ports_free_sent(event);
            port->kept--;
        }
    }
    return count;
}

/*
 * The bell wakes all sleepers, and the first of them is served. While he sleeps on although there
 * are events, the bell is still: it would not let him.
 */
void ports_settle(struct port *port)
{
    if (port->is_inherited)
        return;
    bool is_enough = !port->sleepers || port->queued >= port->sleepers->wanted;
    bool rings = port->queued > 0 && is_enough;
    if (rings && !port->rings)
        ports_ring(port->bell);
    if (!rings && port->rings)
        ports_silence(port->bell);
    port->rings = rings;
}
