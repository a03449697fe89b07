/* SPDX-License-Identifier: MIT */
/*
 * calls_event_ports.c: the column of event ports in the table of system calls, where they are
 * played: what the shim calls itself does not count. Memory has no column here: the shim's own
 * blocks would be counted with the library's.
 */
#include "calls_event_ports.h"

#include <sys/socket.h>
#include <unistd.h>

#include "backends/event_ports.h"
#include "desk.h"

/* --- Counting --- */

static struct plx__event_ports_calls real;

static int counted_create(void)
{
    desk_count(COUNT_CREATE);
    desk_pause();
    int port = real.create();
    desk_go_on();
    return port;
}

static int counted_associate(int port, int source, uintptr_t object, int events, void *user)
{
    desk_count(COUNT_ASSOCIATE);
    desk_pause();
    int result = real.associate(port, source, object, events, user);
    desk_go_on();
    return result;
}

static int counted_dissociate(int port, int source, uintptr_t object)
{
    desk_count(COUNT_DISSOCIATE);
    desk_pause();
    int result = real.dissociate(port, source, object);
    desk_go_on();
    return result;
}

static int counted_send(int port, int events, void *user)
{
    desk_count(COUNT_SEND);
    desk_pause();
    int result = real.send(port, events, user);
    desk_go_on();
    return result;
}

static int counted_get(int port, port_event_t *events, uint_t room, uint_t *count,
                       struct timespec *timeout)
{
    desk_count(COUNT_GET);
    if (!timeout || timeout->tv_sec != 0 || timeout->tv_nsec != 0)
        desk_before_sleep();
    desk_pause();
    int result = real.get(port, events, room, count, timeout);
    desk_go_on();
    return result;
}

static int counted_drain(int port, port_event_t *events, uint_t room, uint_t *count,
                         struct timespec *timeout)
{
    desk_count(COUNT_GET);
    desk_pause();
    int result = real.drain(port, events, room, count, timeout);
    desk_go_on();
    return result;
}

static int counted_look(struct pollfd *entries, nfds_t count, int milliseconds)
{
    desk_count(COUNT_POLL);
    return real.look(entries, count, milliseconds);
}

static int counted_set_timer(int timer, int flags, const struct itimerspec *time,
                             struct itimerspec *old)
{
    desk_count(COUNT_SETTIME);
    return real.set_timer(timer, flags, time, old);
}

void calls_event_ports_count(void)
{
    real = plx__event_ports_calls;
    plx__event_ports_calls.create = counted_create;
    plx__event_ports_calls.associate = counted_associate;
    plx__event_ports_calls.dissociate = counted_dissociate;
    plx__event_ports_calls.send = counted_send;
    plx__event_ports_calls.get = counted_get;
    plx__event_ports_calls.drain = counted_drain;
    plx__event_ports_calls.look = counted_look;
    plx__event_ports_calls.set_timer = counted_set_timer;
}

/* --- Cases --- */

#define COSTS_HERE(desk, operation, calls) COSTS_NAMED(desk, operation, #operation, calls, calls)

static plx_watcher *ready[ROOM];

static int look_for(struct desk *desk, int capacity, plx_duration timeout)
{
    int count = plx_context_wait(desk->context, ready, capacity, timeout);
    CHECK(count >= 0);
    return count;
}

static int add_again(struct desk *desk, int fd)
{
    return plx_context_add(desk->context, plx_fd(fd), PLX_READ, NULL, NULL);
}

/* Which file it is, and the association. One that is there is taken out and put back. */
static void add(struct desk *desk)
{
    desk_open(desk, 0);
    int fd = desk_event(desk, true);
    COSTS_HERE(desk, desk_add(desk, fd, PLX_READ), "fstat=1 associate=1");
    COSTS_HERE(desk, CHECK_CODE(add_again(desk, fd), PLX_ERR_EXISTS), "fstat=1 dissociate=1");
    COSTS_HERE(desk, CHECK_CODE(add_again(desk, 19999), PLX_ERR_BADHANDLE), "fstat=1");
    COSTS_HERE(desk, CHECK_EQUAL(desk_look(desk), 1), "associate=1 get=1");
    COSTS_HERE(desk, CHECK_CODE(add_again(desk, fd), PLX_ERR_EXISTS), "fstat=1");
    desk_close(desk);
}

/* What changes is told before the wait, however often it changed: one that is associated is
   associated anew, which is before the wait looks, and one that was reported has to be anyway. */
static void modify(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, true), PLX_READ);
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ)));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE)));
    COSTS_HERE(desk, CHECK_EQUAL(desk_look(desk), 1), "poll=1 associate=1 get=1");
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ)));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_WRITE)));
    COSTS_HERE(desk, CHECK_EQUAL(desk_look(desk), 1), "associate=1 get=1");
    desk_close(desk);
}

/* The delivery has silenced it already. */
static void oneshot(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, true), PLX_READ | PLX_ONESHOT);
    COSTS_HERE(desk, CHECK_EQUAL(desk_look(desk), 1), "poll=1 get=1");
    COSTS_HERE(desk, CHECK_EQUAL(desk_look(desk), 0), "get=1");
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_ONESHOT)));
    COSTS_HERE(desk, CHECK_EQUAL(desk_look(desk), 1), "associate=1 get=1");
    desk_close(desk);
}

static void remove_and_close(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, true), PLX_READ);
    int fd = dup(desk_event(desk, false));
    desk_add(desk, fd, PLX_READ);
    COSTS_HERE(desk, CHECK_OK(plx_watcher_remove(watcher)), "dissociate=1");
    COSTS_HERE(desk, CHECK_OK(plx_context_close(desk->context, fd)), "close=1 dissociate=1");
    COSTS_HERE(desk, CHECK_EQUAL(desk_look(desk), 0), "get=1");
    desk_close(desk);
}

/* Files are as everything else. */
static void files(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = NULL;
    int fd = desk_file(desk);
    COSTS_HERE(desk, watcher = desk_add(desk, fd, PLX_READ), "fstat=1 associate=1");
    COSTS_HERE(desk, CHECK_EQUAL(desk_look(desk), 1), "poll=1 get=1");
    COSTS_HERE(desk, CHECK_EQUAL(desk_look(desk), 1), "associate=1 get=1");
    COSTS_HERE(desk, CHECK_OK(plx_watcher_remove(watcher)), "dissociate=1");
    desk_close(desk);
}

/* Whoever was reported is associated again by the next wait. What has fired before the wait is
   asked about, all of it at once. */
static void batch(struct desk *desk)
{
    int fds[100];
    desk_open(desk, 0);
    for (int i = 0; i < 100; i++) {
        fds[i] = desk_event(desk, true);
        desk_add(desk, fds[i], PLX_READ);
    }
    COSTS_HERE(desk, CHECK_EQUAL(look_for(desk, 1024, 0), 100), "poll=1 get=1");
    COSTS_HERE(desk, CHECK_EQUAL(look_for(desk, 1024, 0), 100), "associate=100 get=1");
    desk_close(desk);
}

/* While there may be more than there was room for, nobody is associated again; a round that ends in
   a wait costs one more call. */
static void full_batch(struct desk *desk)
{
    desk_open(desk, 0);
    for (int i = 0; i < 3; i++)
        desk_add(desk, desk_event(desk, true), PLX_READ);
    COSTS_HERE(desk, CHECK_EQUAL(look_for(desk, 2, 0), 2), "poll=1 get=1");
    COSTS_HERE(desk, CHECK_EQUAL(look_for(desk, 2, 0), 2), "poll=1 associate=2 get=2");
    COSTS_HERE(desk, CHECK_EQUAL(look_for(desk, 4, 0), 3), "poll=1 associate=2 get=2");
    desk_close(desk);
}

static void timeouts(struct desk *desk)
{
    desk_open(desk, 0);
    COSTS_HERE(desk, CHECK_EQUAL(look_for(desk, 1, 0), 0), "get=1");
    COSTS_HERE(desk, CHECK_EQUAL(look_for(desk, 1, PLX_MS(1)), 0), "clock=2 get=1");
    desk_close(desk);
}

static void wake_twice(void *context)
{
    CHECK_OK(plx_context_wake(context));
    CHECK_OK(plx_context_wake(context));
}

/* Nothing has to be read. */
static void wake(struct desk *desk)
{
    desk_open(desk, 0);
    COSTS_NOTHING(desk, CHECK_OK(plx_context_wake(desk->context)));
    COSTS_HERE(desk, CHECK_EQUAL(look_for(desk, 1, PLX_FOREVER), 0), "get=1");
    desk_on_sleep(wake_twice, desk->context);
    COSTS_HERE(desk, CHECK_EQUAL(look_for(desk, 8, PLX_FOREVER), 0), "send=1 get=1");
    COSTS_HERE(desk, CHECK_EQUAL(look_for(desk, 8, 0), 0), "get=1");
    desk_close(desk);
}

/* The timer in the port is set, and put in again. A wait takes it out and puts it back. */
static void nested(struct desk *desk)
{
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, desk_event(desk, false), PLX_READ);
    plx_watcher *timer = desk_watch(desk, plx_timer(PLX_SECONDS(60), 0), PLX_TIMER);
    CHECK(plx_context_fd(desk->context) >= 0);
    COSTS_NOTHING(desk, CHECK(plx_context_fd(desk->context) >= 0));
    COSTS_HERE(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE)), "associate=1");
    COSTS_HERE(desk, CHECK_OK(plx_watcher_again(timer, PLX_SECONDS(30))),
               "settime=1 clock=1 associate=1");
    COSTS_HERE(desk, CHECK_EQUAL(desk_look(desk), 1),
               "poll=1 clock=1 associate=2 dissociate=1 get=1");
    desk_close(desk);
}

static const struct cost_case cases[] = {
    {"add", add, false},
    {"modify", modify, false},
    {"oneshot", oneshot, false},
    {"remove_and_close", remove_and_close, false},
    {"files", files, false},
    {"batch", batch, false},
    {"full_batch", full_batch, false},
    {"timeouts", timeouts, false},
    {"wake", wake, false},
    {"nested", nested, false},
};

const struct cost_group calls_event_ports_group = {cases, COUNT_OF(cases), PLX_BACKEND_EVENT_PORTS};
