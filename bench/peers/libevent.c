/* SPDX-License-Identifier: MIT */
/*
 * libevent.c: libevent on epoll: persistent events inside the objects of the user, no environment,
 * and no locks but where other threads take part.
 *
 * Changelists are a second peer. They save calls where registrations change, which only some
 * workloads do, and its manual warns of them where descriptors are duplicated, so programs of
 * unknown callers go without.
 */
#include "echo.h"
#include "peer.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct event_base *base;
static struct event *events; /* of the group that is in use */
static uint64_t *told;       /* its counter */

static const char *libevent_version(void)
{
    return event_get_version();
}

/* Without PRECISE_TIMER timers have the grain of the coarse clock, which costs less to read. */
static int open_base(int flags)
{
    struct event_config *config = event_config_new();
    if (!config)
        return -1;
    if (echo_extras.ticks)
        flags |= EVENT_BASE_FLAG_PRECISE_TIMER;
    event_config_set_flag(config, flags | EVENT_BASE_FLAG_IGNORE_ENV);
    event_config_avoid_method(config, "poll");
    event_config_avoid_method(config, "select");
    base = event_base_new_with_config(config);
    event_config_free(config);
    return base && strncmp(event_base_get_method(base), "epoll", 5) == 0 ? 0 : -1;
}

static int libevent_open(void)
{
    return open_base(EVENT_BASE_FLAG_NOLOCK);
}

static int changelist_open(void)
{
    return open_base(EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
}

static void libevent_close(void)
{
    event_base_free(base);
}

/* Without ONCE the loop goes on as long as anything is ready. */
static void libevent_turn(void)
{
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/*
 * --- Echo ---
 *
 * A persistent event with a timeout starts that anew whenever it is reported, so the idle timeout
 * needs no call. It is the same for all and so goes into a queue of its own.
 */

struct connection {
    struct event event;
    struct echo_connection echo;
};

static const struct timeval *idle; /* NULL: no timeout */

static void end(struct connection *connection)
{
    event_del(&connection->event);
    close(connection->echo.fd);
    echo_drop(&connection->echo);
    free(connection);
}

static void on_connection(evutil_socket_t fd, short what, void *data);

static int watch(struct connection *connection, short what)
{
    event_assign(&connection->event, base, connection->echo.fd, (short)(what | EV_PERSIST),
                 on_connection, connection);
    return event_add(&connection->event, idle);
}

static void on_connection(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    struct connection *connection = data;
    if (what & EV_TIMEOUT) {
        end(connection);
        return;
    }
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

static void on_listener(evutil_socket_t listener, short what, void *data)
{
    (void)what;
    (void)data;
    for (int fd; (fd = echo_accept(listener)) >= 0;) {
        struct connection *connection = echo_allocate(sizeof(*connection));
        echo_open(&connection->echo, fd);
        if (watch(connection, EV_READ) < 0)
            end(connection);
    }
}

static const struct timeval *common_timeout(unsigned seconds)
{
    const struct timeval timeout = {.tv_sec = (time_t)seconds};
    return event_base_init_common_timeout(base, &timeout);
}

/* The time of the base is that of the start of its pass; a timer counts from then. */
static void start_tick(struct event *tick)
{
    const struct timeval timeout = {.tv_usec = ECHO_TICK_MS * 1000};
    echo_tick_started();
    event_base_update_cache_time(base);
    event_add(tick, &timeout);
}

static void on_tick(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    echo_tick_fired();
    start_tick(data);
}

static int libevent_serve(int listener)
{
    static struct event event, tick;
    if (echo_extras.idle_seconds && !(idle = common_timeout(echo_extras.idle_seconds)))
        return -1;
    event_assign(&event, base, listener, EV_READ | EV_PERSIST, on_listener, NULL);
    event_assign(&tick, base, -1, 0, on_tick, &tick);
    if (event_add(&event, NULL) < 0)
        return -1;
    if (echo_extras.ticks)
        start_tick(&tick);
    event_base_dispatch(base);
    return -1;
}

/* --- Descriptors --- */

static void on_ready(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    uint64_t *counter = data;
    if (what & EV_READ)
        (*counter)++;
}

static int libevent_watch(const int *descriptors, int count, uint64_t *counter)
{
    events = echo_allocate((size_t)count * sizeof(*events));
    for (int i = 0; i < count; i++) {
        event_assign(&events[i], base, descriptors[i], EV_READ | EV_PERSIST, on_ready, counter);
        if (event_add(&events[i], NULL) < 0)
            return -1;
    }
    return 0;
}

/* An event that is not persistent is a one-shot. */
static void on_ready_once(evutil_socket_t fd, short what, void *data)
{
    struct event *event = data;
    on_ready(fd, what, told);
    event_add(event, NULL);
}

static int libevent_watch_once(const int *descriptors, int count, uint64_t *counter)
{
    told = counter;
    events = echo_allocate((size_t)count * sizeof(*events));
    for (int i = 0; i < count; i++) {
        event_assign(&events[i], base, descriptors[i], EV_READ, on_ready_once, &events[i]);
        if (event_add(&events[i], NULL) < 0)
            return -1;
    }
    return 0;
}

/* --- Registrations --- */

static int events_open(size_t count, uint64_t *counter)
{
    told = counter;
    events = malloc(count * sizeof(*events));
    return events ? 0 : -1;
}

static void watchers_assign(size_t index, int fd, short what)
{
    event_assign(&events[index], base, fd, (short)(what | EV_PERSIST), on_ready, told);
    echo_require(event_add(&events[index], NULL) == 0, "event_add");
}

static void watchers_add(size_t index, int fd)
{
    watchers_assign(index, fd, EV_READ);
}

/* There is no modify: an event is deleted, made anew and added. */
static void watchers_modify(size_t index, bool writing)
{
    int fd = event_get_fd(&events[index]);
    event_del(&events[index]);
    watchers_assign(index, fd, writing ? EV_READ | EV_WRITE : EV_READ);
}

static void watchers_stop(size_t index, int fd)
{
    (void)fd;
    event_del(&events[index]);
}

static void watchers_start(size_t index, int fd)
{
    (void)fd;
    echo_require(event_add(&events[index], NULL) == 0, "event_add");
}

static void watchers_close(size_t index, int fd)
{
    event_del(&events[index]);
    close(fd);
}

static const struct bench_watchers libevent_watchers = {
    .open = events_open,
    .add = watchers_add,
    .modify = watchers_modify,
    .stop = watchers_stop,
    .start = watchers_start,
    .remove = watchers_stop,
    .close = watchers_close,
};

/* --- Timers: the same timeout for many goes into a queue of its own, as its manual recommends ---
 */

static void on_timer(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    uint64_t *counter = data;
    if (what & EV_TIMEOUT)
        (*counter)++;
}

static int timers_open(size_t count, uint64_t *counter)
{
    idle = common_timeout(BENCH_IDLE_SECONDS);
    return idle ? events_open(count, counter) : -1;
}

static void timers_move(size_t index, uint64_t nanoseconds)
{
    struct timeval timeout = {.tv_sec = (time_t)(nanoseconds / 1000000000),
                              .tv_usec = (suseconds_t)(nanoseconds / 1000 % 1000000)};
    event_add(&events[index], &timeout);
}

static void timers_start(size_t index, uint64_t nanoseconds)
{
    event_assign(&events[index], base, -1, 0, on_timer, told);
    timers_move(index, nanoseconds);
}

static void timers_again(size_t index)
{
    event_add(&events[index], idle);
}

static void timers_stop(size_t index)
{
    event_del(&events[index]);
}

static const struct bench_timers libevent_timers = {
    .open = timers_open,
    .start = timers_start,
    .move = timers_move,
    .again = timers_again,
    .stop = timers_stop,
};

/* --- Wake-ups: an event that nothing but event_active activates, in a base with locks --- */

static void on_active(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    uint64_t *counter = data;
    (*counter)++;
}

static int wakers_open(size_t count, uint64_t *counter)
{
    libevent_close();
    if (evthread_use_pthreads() < 0 || open_base(0) < 0 || events_open(count, counter) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        event_assign(&events[i], base, -1, EV_PERSIST, on_active, counter);
    return 0;
}

static void wakers_notify(size_t index)
{
    event_active(&events[index], EV_READ, 0);
}

static void wakers_turn(void)
{
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY);
}

static void wakers_wait(void)
{
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
}

static void wakers_post(uint64_t *counter)
{
    int status = event_base_once(base, -1, EV_TIMEOUT, on_active, counter, NULL);
    echo_require(status == 0, "event_base_once");
}

static const struct bench_wakers libevent_wakers = {
    .open = wakers_open,
    .notify = wakers_notify,
    .turn = wakers_turn,
    .wait = wakers_wait,
    .post = wakers_post,
    .run = wakers_wait,
};

extern const struct bench_peer bench_peer_libevent;
const struct bench_peer bench_peer_libevent = {
    .name = "libevent",
    .version = libevent_version,
    .open = libevent_open,
    .close = libevent_close,
    .turn = libevent_turn,
    .serve = libevent_serve,
    .serves = BENCH_SERVES_IDLE | BENCH_SERVES_TICK,
    .watch = libevent_watch,
    .watch_once = libevent_watch_once,
    .watchers = &libevent_watchers,
    .timers = &libevent_timers,
    .wakers = &libevent_wakers,
};

extern const struct bench_peer bench_peer_libevent_changelist;
const struct bench_peer bench_peer_libevent_changelist = {
    .name = "libevent_changelist",
    .version = libevent_version,
    .open = changelist_open,
    .close = libevent_close,
    .turn = libevent_turn,
    .watch = libevent_watch,
    .watch_once = libevent_watch_once,
    .watchers = &libevent_watchers,
    .lacks = "it differs from libevent only where registrations change",
};
