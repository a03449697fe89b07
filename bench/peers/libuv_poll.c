/* SPDX-License-Identifier: MIT */
/* libuv_poll.c: libuv as readiness: one uv_poll_t in each connection, the socket calls our own. */
#include "echo.h"
#include "libuv.h"
#include "peer.h"
#include "post_queue.h"

#include <stdlib.h>
#include <unistd.h>

static uint64_t *told; /* the counter of the group that is in use */

/* --- Echo --- */

struct connection {
    uv_poll_t poll;
    uv_timer_t timer;
    int handles; /* that libuv still has */
    struct echo_connection echo;
};

/* Closed handles are libuv's until it says so of each: the connection is freed then. */
static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    if (--connection->handles == 0)
        free(connection);
}

static void end(struct connection *connection)
{
    if (uv_is_closing((uv_handle_t *)&connection->poll))
        return;
    uv_close((uv_handle_t *)&connection->poll, on_closed);
    if (echo_extras.idle_seconds)
        uv_close((uv_handle_t *)&connection->timer, on_closed);
    close(connection->echo.fd);
    echo_drop(&connection->echo);
}

static void on_idle(uv_timer_t *timer)
{
    end(timer->data);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct connection *connection = poll->data;
    if (echo_extras.idle_seconds)
        uv_timer_again(&connection->timer);
    enum echo_want want = status < 0 ? ECHO_WANT_CLOSE : echo_step(&connection->echo);
    if (want == connection->echo.want)
        return;
    connection->echo.want = want;
    int interest = want == ECHO_WANT_READ ? UV_READABLE : UV_WRITABLE;
    if (want == ECHO_WANT_CLOSE || uv_poll_start(poll, interest, on_connection) < 0)
        end(connection);
}

/* uv_timer_again starts the period anew, and is the cheapest way to push a timer back. */
static void start_idle(struct connection *connection)
{
    uint64_t milliseconds = UINT64_C(1000) * echo_extras.idle_seconds;
    uv_timer_init(&libuv_loop, &connection->timer);
    connection->timer.data = connection;
    connection->handles++;
    uv_timer_start(&connection->timer, on_idle, milliseconds, milliseconds);
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    const int *listener = poll->data;
    for (int fd; (fd = echo_accept(*listener)) >= 0;) {
        struct connection *connection = echo_allocate(sizeof(*connection));
        echo_open(&connection->echo, fd);
        if (uv_poll_init(&libuv_loop, &connection->poll, fd) < 0) {
            close(fd);
            free(connection);
            continue;
        }
        connection->poll.data = connection;
        connection->handles = 1;
        if (echo_extras.idle_seconds)
            start_idle(connection);
        if (uv_poll_start(&connection->poll, UV_READABLE, on_connection) < 0)
            end(connection);
    }
}

static int libuv_serve(int listener)
{
    static uv_poll_t poll;
    static int fd;
    fd = listener;
    if (uv_poll_init(&libuv_loop, &poll, listener) < 0)
        return -1;
    poll.data = &fd;
    if (uv_poll_start(&poll, UV_READABLE, on_listener) < 0)
        return -1;
    libuv_start_tick();
    uv_run(&libuv_loop, UV_RUN_DEFAULT);
    return -1;
}

/* --- Descriptors --- */

static void on_ready(uv_poll_t *poll, int status, int events)
{
    uint64_t *counter = poll->data;
    if (status == 0 && (events & UV_READABLE))
        (*counter)++;
}

static int watch_all(uv_poll_cb callback, const int *descriptors, int count, uint64_t *counter)
{
    uv_poll_t *polls = echo_allocate((size_t)count * sizeof(*polls));
    for (int i = 0; i < count; i++) {
        if (uv_poll_init(&libuv_loop, &polls[i], descriptors[i]) < 0)
            return -1;
        polls[i].data = counter;
        if (uv_poll_start(&polls[i], UV_READABLE, callback) < 0)
            return -1;
    }
    return 0;
}

static int libuv_watch(const int *descriptors, int count, uint64_t *counter)
{
    return watch_all(on_ready, descriptors, count, counter);
}

/* There is no one-shot: the handler stops the handle, and starts it when it wants more. */
static void on_ready_once(uv_poll_t *poll, int status, int events)
{
    uv_poll_stop(poll);
    on_ready(poll, status, events);
    uv_poll_start(poll, UV_READABLE, on_ready_once);
}

static int libuv_watch_once(const int *descriptors, int count, uint64_t *counter)
{
    return watch_all(on_ready_once, descriptors, count, counter);
}

/* --- Registrations --- */

static uv_poll_t *polls;

static int watchers_open(size_t count, uint64_t *counter)
{
    told = counter;
    polls = malloc(count * sizeof(*polls));
    return polls ? 0 : -1;
}

static void watchers_start(size_t index, int fd)
{
    (void)fd;
    echo_require(uv_poll_start(&polls[index], UV_READABLE, on_ready) == 0, "uv_poll_start");
}

static void watchers_add(size_t index, int fd)
{
    echo_require(uv_poll_init(&libuv_loop, &polls[index], fd) == 0, "uv_poll_init");
    polls[index].data = told;
    watchers_start(index, fd);
}

static void watchers_modify(size_t index, bool writing)
{
    int events = writing ? UV_READABLE | UV_WRITABLE : UV_READABLE;
    echo_require(uv_poll_start(&polls[index], events, on_ready) == 0, "uv_poll_start");
}

static void watchers_stop(size_t index, int fd)
{
    (void)fd;
    uv_poll_stop(&polls[index]);
}

/* The object may be used again once the loop has passed. */
static void watchers_remove(size_t index, int fd)
{
    (void)fd;
    uv_close((uv_handle_t *)&polls[index], NULL);
}

static void watchers_close(size_t index, int fd)
{
    uv_close((uv_handle_t *)&polls[index], NULL);
    close(fd);
}

static const struct bench_watchers libuv_watchers = {
    .open = watchers_open,
    .add = watchers_add,
    .modify = watchers_modify,
    .stop = watchers_stop,
    .start = watchers_start,
    .remove = watchers_remove,
    .close = watchers_close,
};

/* --- Timers: milliseconds --- */

static uv_timer_t *timers;

static void on_timer(uv_timer_t *timer)
{
    uint64_t *counter = timer->data;
    (*counter)++;
}

static int timers_open(size_t count, uint64_t *counter)
{
    told = counter;
    timers = malloc(count * sizeof(*timers));
    return timers ? 0 : -1;
}

static void timers_start(size_t index, uint64_t nanoseconds)
{
    uv_timer_init(&libuv_loop, &timers[index]);
    timers[index].data = told;
    uv_timer_start(&timers[index], on_timer, nanoseconds / 1000000, 0);
}

static void timers_move(size_t index, uint64_t nanoseconds)
{
    uv_timer_start(&timers[index], on_timer, nanoseconds / 1000000, 0);
}

static void timers_again(size_t index)
{
    uv_timer_start(&timers[index], on_timer, UINT64_C(1000) * BENCH_IDLE_SECONDS, 0);
}

static void timers_stop(size_t index)
{
    uv_timer_stop(&timers[index]);
}

static const struct bench_timers libuv_timers = {
    .open = timers_open,
    .start = timers_start,
    .move = timers_move,
    .again = timers_again,
    .stop = timers_stop,
};

/* --- Wake-ups --- */

static uv_async_t *asyncs;
static uv_async_t post;

static void on_async(uv_async_t *async)
{
    uint64_t *counter = async->data;
    (*counter)++;
}

static void on_post(uv_async_t *async)
{
    (void)async;
    post_queue_run();
}

static int wakers_open(size_t count, uint64_t *counter)
{
    asyncs = malloc(count * sizeof(*asyncs));
    for (size_t i = 0; asyncs && i < count; i++) {
        if (uv_async_init(&libuv_loop, &asyncs[i], on_async) < 0)
            return -1;
        asyncs[i].data = counter;
    }
    return asyncs ? uv_async_init(&libuv_loop, &post, on_post) : -1;
}

static void wakers_notify(size_t index)
{
    uv_async_send(&asyncs[index]);
}

static void wakers_post(uint64_t *counter)
{
    post_queue_put(counter);
    uv_async_send(&post);
}

static void wakers_wait(void)
{
    uv_run(&libuv_loop, UV_RUN_ONCE);
}

static const struct bench_wakers libuv_wakers = {
    .open = wakers_open,
    .notify = wakers_notify,
    .turn = libuv_turn,
    .wait = wakers_wait,
    .post = wakers_post,
    .run = wakers_wait,
};

extern const struct bench_peer bench_peer_libuv_poll;
const struct bench_peer bench_peer_libuv_poll = {
    .name = "libuv_poll",
    .version = uv_version_string,
    .open = libuv_open,
    .close = libuv_close,
    .turn = libuv_turn,
    .serve = libuv_serve,
    .serves = BENCH_SERVES_IDLE | BENCH_SERVES_TICK,
    .watch = libuv_watch,
    .watch_once = libuv_watch_once,
    .watchers = &libuv_watchers,
    .timers = &libuv_timers,
    .wakers = &libuv_wakers,
};
