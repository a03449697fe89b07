/* SPDX-License-Identifier: MIT */
/* libuv_poll.c: libuv as readiness: one uv_poll_t in each connection, the socket calls our own. */
#include "echo.h"
#include "peer.h"

#include <uv.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct connection {
    uv_poll_t poll;
    struct echo_connection echo;
};

static uv_loop_t loop;

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* A closed handle is libuv's until it says so: the connection is freed then. */
static void end(struct connection *connection)
{
    uv_poll_stop(&connection->poll);
    close(connection->echo.fd);
    echo_drop(&connection->echo);
    uv_close((uv_handle_t *)&connection->poll, on_closed);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct connection *connection = poll->data;
    enum echo_want want = status < 0 ? ECHO_WANT_CLOSE : echo_step(&connection->echo);
    if (want == connection->echo.want)
        return;
    connection->echo.want = want;
    int interest = want == ECHO_WANT_READ ? UV_READABLE : UV_WRITABLE;
    if (want == ECHO_WANT_CLOSE || uv_poll_start(poll, interest, on_connection) < 0)
        end(connection);
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    const int *listener = poll->data;
    for (int fd; (fd = echo_accept(*listener)) >= 0;) {
        struct connection *connection = echo_allocate(sizeof(*connection));
        echo_open(&connection->echo, fd);
        if (uv_poll_init(&loop, &connection->poll, fd) < 0) {
            close(fd);
            free(connection);
            continue;
        }
        connection->poll.data = connection;
        if (uv_poll_start(&connection->poll, UV_READABLE, on_connection) < 0)
            end(connection);
    }
}

static int libuv_serve(int listener)
{
    static uv_poll_t poll;
    static int fd;
    fd = listener;
    if (uv_loop_init(&loop) < 0 || uv_poll_init(&loop, &poll, listener) < 0)
        return -1;
    poll.data = &fd;
    if (uv_poll_start(&poll, UV_READABLE, on_listener) < 0)
        return -1;
    uv_run(&loop, UV_RUN_DEFAULT);
    return -1;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    uint64_t *counter = poll->data;
    if (status == 0 && (events & UV_READABLE))
        (*counter)++;
}

static int libuv_watch(const int *descriptors, int count, uint64_t *counter)
{
    if (uv_loop_init(&loop) < 0)
        return -1;
    uv_poll_t *polls = echo_allocate((size_t)count * sizeof(*polls));
    for (int i = 0; i < count; i++) {
        if (uv_poll_init(&loop, &polls[i], descriptors[i]) < 0)
            return -1;
        polls[i].data = counter;
        if (uv_poll_start(&polls[i], UV_READABLE, on_ready) < 0)
            return -1;
    }
    return 0;
}

static void libuv_turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* --- Timers: milliseconds --- */

static uv_timer_t *timers;
static uint64_t *fired;

static void on_timer(uv_timer_t *timer)
{
    uint64_t *counter = timer->data;
    (*counter)++;
}

static int libuv_timers_open(size_t count, uint64_t *counter)
{
    fired = counter;
    timers = malloc(count * sizeof(*timers));
    return timers ? uv_loop_init(&loop) : -1;
}

static void libuv_timers_start(size_t index, uint64_t nanoseconds)
{
    uv_timer_init(&loop, &timers[index]);
    timers[index].data = fired;
    uv_timer_start(&timers[index], on_timer, nanoseconds / 1000000, 0);
}

static void libuv_timers_move(size_t index, uint64_t nanoseconds)
{
    uv_timer_start(&timers[index], on_timer, nanoseconds / 1000000, 0);
}

static void libuv_timers_again(size_t index)
{
    uv_timer_start(&timers[index], on_timer, UINT64_C(1000) * BENCH_IDLE_SECONDS, 0);
}

static void libuv_timers_stop(size_t index)
{
    uv_timer_stop(&timers[index]);
}

static const struct bench_timers libuv_timers = {
    .open = libuv_timers_open,
    .start = libuv_timers_start,
    .move = libuv_timers_move,
    .again = libuv_timers_again,
    .stop = libuv_timers_stop,
    .turn = libuv_turn,
};

extern const struct bench_peer bench_peer_libuv_poll;
const struct bench_peer bench_peer_libuv_poll = {
    .name = "libuv_poll",
    .version = uv_version_string,
    .serve = libuv_serve,
    .watch = libuv_watch,
    .turn = libuv_turn,
    .timers = &libuv_timers,
};
