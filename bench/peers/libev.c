/* SPDX-License-Identifier: MIT */
/*
 * libev.c: libev on epoll, the environment ignored, the watchers inside the objects of the user.
 *
 * Idle timeouts are done the third way of its manual ("be smart about timeouts"), which is the one
 * it recommends for many of them: a message notes the time, and the timer is looked at when it
 * fires.
 */
#include "echo.h"
#include "peer.h"
#include "post_queue.h"

#include <ev.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct ev_loop *loop;
static uint64_t *told; /* the counter of the group that is in use */

static const char *libev_version(void)
{
    static char text[32];
    snprintf(text, sizeof(text), "%d.%d", ev_version_major(), ev_version_minor());
    return text;
}

static int libev_open(void)
{
    loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    return loop && ev_backend(loop) == EVBACKEND_EPOLL ? 0 : -1;
}

static void libev_close(void)
{
    ev_loop_destroy(loop);
}

static void libev_turn(void)
{
    ev_run(loop, EVRUN_NOWAIT);
}

/* --- Echo --- */

struct connection {
    ev_io watcher;
    ev_timer timer;
    ev_tstamp last_message;
    struct echo_connection echo;
};

static void end(struct connection *connection)
{
    ev_io_stop(loop, &connection->watcher);
    ev_timer_stop(loop, &connection->timer);
    close(connection->echo.fd);
    echo_drop(&connection->echo);
    free(connection);
}

static void on_idle(struct ev_loop *the_loop, ev_timer *timer, int events)
{
    (void)events;
    struct connection *connection = timer->data;
    ev_tstamp left = connection->last_message + echo_extras.idle_seconds - ev_now(the_loop);
    if (left < 0.) {
        end(connection);
        return;
    }
    ev_timer_set(timer, left, 0.);
    ev_timer_start(the_loop, timer);
}

static void on_connection(struct ev_loop *the_loop, ev_io *watcher, int events)
{
    (void)events;
    struct connection *connection = watcher->data;
    if (echo_extras.idle_seconds)
        connection->last_message = ev_now(the_loop);
    enum echo_want want = echo_step(&connection->echo);
    if (want == connection->echo.want)
        return;
    connection->echo.want = want;
    if (want == ECHO_WANT_CLOSE) {
        end(connection);
        return;
    }
    ev_io_stop(the_loop, watcher);
    ev_io_modify(watcher, want == ECHO_WANT_READ ? EV_READ : EV_WRITE);
    ev_io_start(the_loop, watcher);
}

static void on_listener(struct ev_loop *the_loop, ev_io *watcher, int events)
{
    (void)events;
    for (int fd; (fd = echo_accept(watcher->fd)) >= 0;) {
        struct connection *connection = echo_allocate(sizeof(*connection));
        echo_open(&connection->echo, fd);
        ev_io_init(&connection->watcher, on_connection, fd, EV_READ);
        connection->watcher.data = connection;
        ev_io_start(the_loop, &connection->watcher);
        ev_timer_init(&connection->timer, on_idle, echo_extras.idle_seconds, 0.);
        connection->timer.data = connection;
        connection->last_message = ev_now(the_loop);
        if (echo_extras.idle_seconds)
            ev_timer_start(the_loop, &connection->timer);
    }
}

/* The time of the loop is that of the start of its pass; a timer counts from then. */
static void start_tick(struct ev_loop *the_loop, ev_timer *timer)
{
    echo_tick_started();
    ev_now_update(the_loop);
    ev_timer_set(timer, ECHO_TICK_MS / 1e3, 0.);
    ev_timer_start(the_loop, timer);
}

static void on_tick(struct ev_loop *the_loop, ev_timer *timer, int events)
{
    (void)events;
    echo_tick_fired();
    start_tick(the_loop, timer);
}

static int libev_serve(int listener)
{
    static ev_io watcher;
    static ev_timer tick;
    ev_io_init(&watcher, on_listener, listener, EV_READ);
    ev_io_start(loop, &watcher);
    ev_init(&tick, on_tick);
    if (echo_extras.ticks)
        start_tick(loop, &tick);
    ev_run(loop, 0);
    return -1;
}

/* --- Descriptors --- */

static void on_ready(struct ev_loop *the_loop, ev_io *watcher, int events)
{
    (void)the_loop;
    uint64_t *counter = watcher->data;
    if (events & EV_READ)
        (*counter)++;
}

static ev_io *watch_all(void (*callback)(struct ev_loop *, ev_io *, int), const int *descriptors,
                        int count, uint64_t *counter)
{
    ev_io *watchers = echo_allocate((size_t)count * sizeof(*watchers));
    for (int i = 0; i < count; i++) {
        ev_io_init(&watchers[i], callback, descriptors[i], EV_READ);
        watchers[i].data = counter;
        ev_io_start(loop, &watchers[i]);
    }
    return watchers;
}

static int libev_watch(const int *descriptors, int count, uint64_t *counter)
{
    return watch_all(on_ready, descriptors, count, counter) ? 0 : -1;
}

/* There is no one-shot: the handler stops the watcher, and starts it when it wants more. */
static void on_ready_once(struct ev_loop *the_loop, ev_io *watcher, int events)
{
    ev_io_stop(the_loop, watcher);
    on_ready(the_loop, watcher, events);
    ev_io_start(the_loop, watcher);
}

static int libev_watch_once(const int *descriptors, int count, uint64_t *counter)
{
    return watch_all(on_ready_once, descriptors, count, counter) ? 0 : -1;
}

/* --- Registrations --- */

static ev_io *watchers;

static int watchers_open(size_t count, uint64_t *counter)
{
    told = counter;
    watchers = malloc(count * sizeof(*watchers));
    return watchers ? 0 : -1;
}

static void watchers_add(size_t index, int fd)
{
    ev_io_init(&watchers[index], on_ready, fd, EV_READ);
    watchers[index].data = told;
    ev_io_start(loop, &watchers[index]);
}

/* ev_io_modify is for this; a watcher has to be stopped for it. */
static void watchers_modify(size_t index, bool writing)
{
    ev_io_stop(loop, &watchers[index]);
    ev_io_modify(&watchers[index], writing ? EV_READ | EV_WRITE : EV_READ);
    ev_io_start(loop, &watchers[index]);
}

static void watchers_stop(size_t index, int fd)
{
    (void)fd;
    ev_io_stop(loop, &watchers[index]);
}

static void watchers_start(size_t index, int fd)
{
    (void)fd;
    ev_io_start(loop, &watchers[index]);
}

static void watchers_close(size_t index, int fd)
{
    ev_io_stop(loop, &watchers[index]);
    close(fd);
}

static const struct bench_watchers libev_watchers = {
    .open = watchers_open,
    .add = watchers_add,
    .modify = watchers_modify,
    .stop = watchers_stop,
    .start = watchers_start,
    .remove = watchers_stop,
    .close = watchers_close,
};

/* --- Timers: seconds, which are made without a division --- */

static ev_timer *timers;

/* One that was moved has a period, as that is how it is moved. */
static void on_timer(struct ev_loop *the_loop, ev_timer *timer, int events)
{
    uint64_t *counter = timer->data;
    if (events & EV_TIMER)
        (*counter)++;
    if (timer->repeat > 0.)
        ev_timer_stop(the_loop, timer);
}

static int timers_open(size_t count, uint64_t *counter)
{
    told = counter;
    timers = malloc(count * sizeof(*timers));
    return timers ? 0 : -1;
}

static void timers_start(size_t index, uint64_t nanoseconds)
{
    ev_timer_init(&timers[index], on_timer, (double)nanoseconds * 1e-9, 0.);
    timers[index].data = told;
    ev_timer_start(loop, &timers[index]);
}

/* What its manual recommends for timers that are moved often. */
static void timers_move(size_t index, uint64_t nanoseconds)
{
    timers[index].repeat = (double)nanoseconds * 1e-9;
    ev_timer_again(loop, &timers[index]);
}

static void timers_again(size_t index)
{
    timers[index].repeat = BENCH_IDLE_SECONDS;
    ev_timer_again(loop, &timers[index]);
}

static void timers_stop(size_t index)
{
    ev_timer_stop(loop, &timers[index]);
}

static const struct bench_timers libev_timers = {
    .open = timers_open,
    .start = timers_start,
    .move = timers_move,
    .again = timers_again,
    .stop = timers_stop,
};

/* --- Wake-ups --- */

static ev_async *asyncs;
static ev_async post;

static void on_async(struct ev_loop *the_loop, ev_async *async, int events)
{
    (void)the_loop;
    (void)events;
    uint64_t *counter = async->data;
    (*counter)++;
}

static void on_post(struct ev_loop *the_loop, ev_async *async, int events)
{
    (void)the_loop;
    (void)async;
    (void)events;
    post_queue_run();
}

static int wakers_open(size_t count, uint64_t *counter)
{
    asyncs = malloc(count * sizeof(*asyncs));
    for (size_t i = 0; asyncs && i < count; i++) {
        ev_async_init(&asyncs[i], on_async);
        asyncs[i].data = counter;
        ev_async_start(loop, &asyncs[i]);
    }
    ev_async_init(&post, on_post);
    ev_async_start(loop, &post);
    return asyncs ? 0 : -1;
}

static void wakers_notify(size_t index)
{
    ev_async_send(loop, &asyncs[index]);
}

static void wakers_post(uint64_t *counter)
{
    post_queue_put(counter);
    ev_async_send(loop, &post);
}

static void wakers_wait(void)
{
    ev_run(loop, EVRUN_ONCE);
}

static const struct bench_wakers libev_wakers = {
    .open = wakers_open,
    .notify = wakers_notify,
    .turn = libev_turn,
    .wait = wakers_wait,
    .post = wakers_post,
    .run = wakers_wait,
};

extern const struct bench_peer bench_peer_libev;
const struct bench_peer bench_peer_libev = {
    .name = "libev",
    .version = libev_version,
    .open = libev_open,
    .close = libev_close,
    .turn = libev_turn,
    .serve = libev_serve,
    .serves = BENCH_SERVES_IDLE | BENCH_SERVES_TICK,
    .watch = libev_watch,
    .watch_once = libev_watch_once,
    .watchers = &libev_watchers,
    .timers = &libev_timers,
    .wakers = &libev_wakers,
};
