/* SPDX-License-Identifier: MIT */
/* libev.c: libev on epoll, the environment ignored, one ev_io in each connection. */
#include "echo.h"
#include "peer.h"

#include <ev.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct connection {
    ev_io watcher;
    struct echo_connection echo;
};

static struct ev_loop *loop;

static const char *libev_version(void)
{
    static char text[32];
    snprintf(text, sizeof(text), "%d.%d", ev_version_major(), ev_version_minor());
    return text;
}

static int open_loop(void)
{
    loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    return loop && ev_backend(loop) == EVBACKEND_EPOLL ? 0 : -1;
}

static void end(struct connection *connection)
{
    ev_io_stop(loop, &connection->watcher);
    close(connection->echo.fd);
    echo_drop(&connection->echo);
    free(connection);
}

static void on_connection(struct ev_loop *the_loop, ev_io *watcher, int events)
{
    (void)events;
    struct connection *connection = watcher->data;
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
    }
}

static int libev_serve(int listener)
{
    static ev_io watcher;
    if (open_loop() < 0)
        return -1;
    ev_io_init(&watcher, on_listener, listener, EV_READ);
    ev_io_start(loop, &watcher);
    ev_run(loop, 0);
    return -1;
}

static void on_ready(struct ev_loop *the_loop, ev_io *watcher, int events)
{
    (void)the_loop;
    uint64_t *counter = watcher->data;
    if (events & EV_READ)
        (*counter)++;
}

static int libev_watch(const int *descriptors, int count, uint64_t *counter)
{
    if (open_loop() < 0)
        return -1;
    ev_io *watchers = echo_allocate((size_t)count * sizeof(*watchers));
    for (int i = 0; i < count; i++) {
        ev_io_init(&watchers[i], on_ready, descriptors[i], EV_READ);
        watchers[i].data = counter;
        ev_io_start(loop, &watchers[i]);
    }
    return 0;
}

static void libev_turn(void)
{
    ev_run(loop, EVRUN_NOWAIT);
}

/* --- Timers --- */

static ev_timer *timers;
static uint64_t *fired;

static void on_timer(struct ev_loop *the_loop, ev_timer *timer, int events)
{
    (void)the_loop;
    uint64_t *counter = timer->data;
    if (events & EV_TIMER)
        (*counter)++;
}

static int libev_timers_open(size_t count, uint64_t *counter)
{
    fired = counter;
    timers = malloc(count * sizeof(*timers));
    return timers ? open_loop() : -1;
}

static void libev_timers_start(size_t index, uint64_t nanoseconds)
{
    ev_timer_init(&timers[index], on_timer, (double)nanoseconds / 1e9, 0.);
    timers[index].data = fired;
    ev_timer_start(loop, &timers[index]);
}

/* What its manual recommends for timers that are moved often. */
static void libev_timers_move(size_t index, uint64_t nanoseconds)
{
    timers[index].repeat = (double)nanoseconds / 1e9;
    ev_timer_again(loop, &timers[index]);
}

static void libev_timers_again(size_t index)
{
    timers[index].repeat = BENCH_IDLE_SECONDS;
    ev_timer_again(loop, &timers[index]);
}

static void libev_timers_stop(size_t index)
{
    ev_timer_stop(loop, &timers[index]);
}

static const struct bench_timers libev_timers = {
    .open = libev_timers_open,
    .start = libev_timers_start,
    .move = libev_timers_move,
    .again = libev_timers_again,
    .stop = libev_timers_stop,
    .turn = libev_turn,
};

extern const struct bench_peer bench_peer_libev;
const struct bench_peer bench_peer_libev = {
    .name = "libev",
    .version = libev_version,
    .serve = libev_serve,
    .watch = libev_watch,
    .turn = libev_turn,
    .timers = &libev_timers,
};
