/* SPDX-License-Identifier: MIT */
/* libevent.c: libevent on epoll: persistent events inside the connections, no locks, no
 * environment. */
#include "echo.h"
#include "peer.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct connection {
    struct event event;
    struct echo_connection echo;
};

static struct event_base *base;

static const char *libevent_version(void)
{
    return event_get_version();
}

static int open_base(void)
{
    struct event_config *config = event_config_new();
    if (!config)
        return -1;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    event_config_avoid_method(config, "poll");
    event_config_avoid_method(config, "select");
    base = event_base_new_with_config(config);
    event_config_free(config);
    return base && strcmp(event_base_get_method(base), "epoll") == 0 ? 0 : -1;
}

static void end(struct connection *connection)
{
    event_del(&connection->event);
    close(connection->echo.fd);
    echo_drop(&connection->echo);
    free(connection);
}

static void on_connection(evutil_socket_t fd, short events, void *data);

static int watch(struct connection *connection, short events)
{
    event_assign(&connection->event, base, connection->echo.fd, (short)(events | EV_PERSIST),
                 on_connection, connection);
    return event_add(&connection->event, NULL);
}

static void on_connection(evutil_socket_t fd, short events, void *data)
{
    (void)fd;
    (void)events;
    struct connection *connection = data;
    enum echo_want want = echo_step(&connection->echo);
    if (want == connection->echo.want)
        return;
    connection->echo.want = want;
    if (want == ECHO_WANT_CLOSE) {
        end(connection);
        return;
    }
    event_del(&connection->event);
    if (watch(connection, want == ECHO_WANT_READ ? EV_READ : EV_WRITE) < 0)
        end(connection);
}

static void on_listener(evutil_socket_t listener, short events, void *data)
{
    (void)events;
    (void)data;
    for (int fd; (fd = echo_accept(listener)) >= 0;) {
        struct connection *connection = echo_allocate(sizeof(*connection));
        echo_open(&connection->echo, fd);
        if (watch(connection, EV_READ) < 0)
            end(connection);
    }
}

static int libevent_serve(int listener)
{
    static struct event event;
    if (open_base() < 0)
        return -1;
    event_assign(&event, base, listener, EV_READ | EV_PERSIST, on_listener, NULL);
    if (event_add(&event, NULL) < 0)
        return -1;
    event_base_dispatch(base);
    return -1;
}

static void on_ready(evutil_socket_t fd, short events, void *data)
{
    (void)fd;
    uint64_t *counter = data;
    if (events & EV_READ)
        (*counter)++;
}

static int libevent_watch(const int *descriptors, int count, uint64_t *counter)
{
    if (open_base() < 0)
        return -1;
    struct event *events = echo_allocate((size_t)count * sizeof(*events));
    for (int i = 0; i < count; i++) {
        event_assign(&events[i], base, descriptors[i], EV_READ | EV_PERSIST, on_ready, counter);
        if (event_add(&events[i], NULL) < 0)
            return -1;
    }
    return 0;
}

/* Without ONCE the loop goes on as long as anything is ready. */
static void libevent_turn(void)
{
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* --- Timers: the same timeout for many goes into a queue of its own, as its manual recommends ---
 */

static struct event *timers;
static const struct timeval *idle;
static uint64_t *fired;

static void on_timer(evutil_socket_t fd, short events, void *data)
{
    (void)fd;
    uint64_t *counter = data;
    if (events & EV_TIMEOUT)
        (*counter)++;
}

static int libevent_timers_open(size_t count, uint64_t *counter)
{
    const struct timeval timeout = {.tv_sec = BENCH_IDLE_SECONDS};
    fired = counter;
    timers = malloc(count * sizeof(*timers));
    if (!timers || open_base() < 0)
        return -1;
    idle = event_base_init_common_timeout(base, &timeout);
    return idle ? 0 : -1;
}

static void libevent_timers_move(size_t index, uint64_t nanoseconds)
{
    struct timeval timeout = {.tv_sec = (time_t)(nanoseconds / 1000000000),
                              .tv_usec = (suseconds_t)(nanoseconds / 1000 % 1000000)};
    event_add(&timers[index], &timeout);
}

static void libevent_timers_start(size_t index, uint64_t nanoseconds)
{
    event_assign(&timers[index], base, -1, 0, on_timer, fired);
    libevent_timers_move(index, nanoseconds);
}

static void libevent_timers_again(size_t index)
{
    event_add(&timers[index], idle);
}

static void libevent_timers_stop(size_t index)
{
    event_del(&timers[index]);
}

static const struct bench_timers libevent_timers = {
    .open = libevent_timers_open,
    .start = libevent_timers_start,
    .move = libevent_timers_move,
    .again = libevent_timers_again,
    .stop = libevent_timers_stop,
    .turn = libevent_turn,
};

extern const struct bench_peer bench_peer_libevent;
const struct bench_peer bench_peer_libevent = {
    .name = "libevent",
    .version = libevent_version,
    .serve = libevent_serve,
    .watch = libevent_watch,
    .turn = libevent_turn,
    .timers = &libevent_timers,
};
