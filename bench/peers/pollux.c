/* SPDX-License-Identifier: MIT */
/*
 * pollux.c: pollux through its public API, as any program uses it: one peer for each backend, which
 * ask what is ready, and one that is called back, as the users of other libraries are.
 */
#include "echo.h"
#include "peer.h"

#include <pollux.h>

#include <stdio.h>
#include <stdlib.h>

#define BATCH 1024

static plx_context *context;
static plx_watcher *ready[BATCH];
static plx_watcher **watchers; /* of the group that is in use */
static uint64_t *told;         /* its counter */

static const char *pollux_version(void)
{
    static char text[32];
    int version = plx_version();
    snprintf(text, sizeof(text), "%d.%d.%d", version / 10000, version / 100 % 100, version % 100);
    return text;
}

static int open_context(plx_backend backend)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    options.backend = backend;
    return plx_context_create(&context, &options) < 0 ? -1 : 0;
}

static int epoll_open(void)
{
    return open_context(PLX_BACKEND_EPOLL);
}

static int poll_open(void)
{
    return open_context(PLX_BACKEND_POLL);
}

static void pollux_close(void)
{
    plx_context_destroy(context);
}

static void require(int status)
{
    if (status < 0)
        echo_fail(plx_error_text(status));
}

static void pollux_turn(void)
{
    int count = plx_context_wait(context, ready, BATCH, 0);
    for (int i = 0; i < count; i++) {
        uint64_t *counter = plx_watcher_data(ready[i]);
        if (plx_watcher_triggered(ready[i]) & (PLX_READ | PLX_TIMER))
            (*counter)++;
    }
}

/* --- Echo --- */

struct connection {
    struct echo_connection echo;
    plx_watcher *timer; /* NULL without idle timeouts */
};

static void end(struct connection *connection)
{
    if (connection->timer)
        plx_watcher_remove(connection->timer);
    plx_context_close(context, connection->echo.fd);
    echo_drop(&connection->echo);
    free(connection);
}

static void on_listener(int listener)
{
    const plx_handle idle = plx_timer(PLX_SECONDS(echo_extras.idle_seconds), 0);
    for (int fd; (fd = echo_accept(listener)) >= 0;) {
        struct connection *connection = echo_allocate(sizeof(*connection));
        echo_open(&connection->echo, fd);
        connection->timer = NULL;
        if (echo_extras.idle_seconds)
            require(plx_context_add(context, idle, PLX_TIMER, connection, &connection->timer));
        if (plx_context_add(context, plx_fd(fd), PLX_READ, connection, NULL) < 0)
            end(connection);
    }
}

static void on_connection(plx_watcher *watcher, struct connection *connection)
{
    if (connection->timer)
        plx_watcher_again(connection->timer, PLX_SECONDS(echo_extras.idle_seconds));
    enum echo_want want = echo_step(&connection->echo);
    if (want == connection->echo.want)
        return;
    connection->echo.want = want;
    uint32_t events = want == ECHO_WANT_READ ? PLX_READ : PLX_WRITE;
    if (want == ECHO_WANT_CLOSE || plx_watcher_modify(watcher, events) < 0)
        end(connection);
}

static void on_tick(plx_watcher *watcher)
{
    echo_tick_fired();
    echo_tick_started();
    plx_watcher_again(watcher, PLX_MS(ECHO_TICK_MS));
}

/* Nothing triggered: the connection ended earlier in this batch, and its data is gone. */
static void on_report(plx_watcher *watcher, int listener)
{
    uint32_t events = plx_watcher_triggered(watcher);
    if (!events)
        return;
    struct connection *connection = plx_watcher_data(watcher);
    if (events & PLX_TIMER && connection)
        end(connection);
    else if (events & PLX_TIMER)
        on_tick(watcher);
    else if (connection)
        on_connection(watcher, connection);
    else
        on_listener(listener);
}

static int pollux_serve(int listener)
{
    const plx_handle tick = plx_timer(PLX_MS(ECHO_TICK_MS), 0);
    if (plx_context_add(context, plx_fd(listener), PLX_READ, NULL, NULL) < 0)
        return -1;
    echo_tick_started();
    if (echo_extras.ticks && plx_context_add(context, tick, PLX_TIMER, NULL, NULL) < 0)
        return -1;
    for (;;) {
        int count = plx_context_wait(context, ready, BATCH, PLX_FOREVER);
        for (int i = 0; i < count; i++)
            on_report(ready[i], listener);
    }
}

/* --- Descriptors --- */

static int pollux_watch(const int *descriptors, int count, uint64_t *counter)
{
    for (int i = 0; i < count; i++)
        if (plx_context_add(context, plx_fd(descriptors[i]), PLX_READ, counter, NULL) < 0)
            return -1;
    return 0;
}

static int pollux_watch_once(const int *descriptors, int count, uint64_t *counter)
{
    const uint32_t events = PLX_READ | PLX_ONESHOT;
    for (int i = 0; i < count; i++)
        if (plx_context_add(context, plx_fd(descriptors[i]), events, counter, NULL) < 0)
            return -1;
    return 0;
}

static void pollux_turn_once(void)
{
    int count = plx_context_wait(context, ready, BATCH, 0);
    for (int i = 0; i < count; i++) {
        uint64_t *counter = plx_watcher_data(ready[i]);
        if (plx_watcher_triggered(ready[i]) & PLX_READ)
            (*counter)++;
        plx_watcher_modify(ready[i], PLX_READ | PLX_ONESHOT);
    }
}

/* --- Registrations --- */

static int open_watchers(size_t count, uint64_t *counter)
{
    told = counter;
    watchers = malloc(count * sizeof(plx_watcher *));
    return watchers ? 0 : -1;
}

static void watchers_add(size_t index, int fd)
{
    require(plx_context_add(context, plx_fd(fd), PLX_READ, told, &watchers[index]));
}

static void watchers_modify(size_t index, bool writing)
{
    require(plx_watcher_modify(watchers[index], writing ? PLX_READ | PLX_WRITE : PLX_READ));
}

static void watchers_remove(size_t index, int fd)
{
    (void)fd;
    require(plx_watcher_remove(watchers[index]));
}

static void watchers_close(size_t index, int fd)
{
    (void)index;
    require(plx_context_close(context, fd));
}

/* A watcher has no pause: it is removed and made again, and that is what a pause costs. */
static const struct bench_watchers pollux_watchers = {
    .open = open_watchers,
    .add = watchers_add,
    .modify = watchers_modify,
    .stop = watchers_remove,
    .start = watchers_add,
    .remove = watchers_remove,
    .close = watchers_close,
};

/* --- Timers --- */

static void timers_start(size_t index, uint64_t nanoseconds)
{
    plx_handle handle = plx_timer((plx_duration)nanoseconds, 0);
    require(plx_context_add(context, handle, PLX_TIMER, told, &watchers[index]));
}

static void timers_move(size_t index, uint64_t nanoseconds)
{
    plx_watcher_again(watchers[index], (plx_duration)nanoseconds);
}

static void timers_again(size_t index)
{
    plx_watcher_again(watchers[index], PLX_SECONDS(BENCH_IDLE_SECONDS));
}

static void timers_stop(size_t index)
{
    plx_watcher_remove(watchers[index]);
}

static const struct bench_timers pollux_timers = {
    .open = open_watchers,
    .start = timers_start,
    .move = timers_move,
    .again = timers_again,
    .stop = timers_stop,
};

/* --- Wake-ups --- */

static int wakers_open(size_t count, uint64_t *counter)
{
    if (open_watchers(count, counter) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (plx_context_add(context, plx_notify(), PLX_NOTIFY, counter, &watchers[i]) < 0)
            return -1;
    return 0;
}

static void wakers_notify(size_t index)
{
    plx_watcher_notify(watchers[index]);
}

static void on_posted(plx_context *the_context, void *data)
{
    (void)the_context;
    uint64_t *counter = data;
    (*counter)++;
}

static void wakers_post(uint64_t *counter)
{
    require(plx_context_post(context, on_posted, counter));
}

static void take_notices(plx_duration timeout)
{
    int count = plx_context_wait(context, ready, BATCH, timeout);
    for (int i = 0; i < count; i++) {
        uint64_t *counter = plx_watcher_data(ready[i]);
        plx_watcher_clear(ready[i]);
        (*counter)++;
    }
}

static void wakers_wait(void)
{
    take_notices(PLX_FOREVER);
}

static void wakers_turn(void)
{
    take_notices(0);
}

/* Posted tasks belong to the loop, so here it is the loop that waits. */
static void wakers_run(void)
{
    plx_context_turn(context, PLX_FOREVER);
}

static const struct bench_wakers pollux_wakers = {
    .open = wakers_open,
    .notify = wakers_notify,
    .turn = wakers_turn,
    .wait = wakers_wait,
    .post = wakers_post,
    .run = wakers_run,
};

/* --- Called back --- */

static void callbacks_turn(void)
{
    plx_context_turn(context, 0);
}

static void on_event(plx_watcher *watcher, uint32_t events, void *data)
{
    (void)watcher;
    uint64_t *counter = data;
    if (events & (PLX_READ | PLX_TIMER))
        (*counter)++;
}

static void on_event_once(plx_watcher *watcher, uint32_t events, void *data)
{
    on_event(watcher, events, data);
    plx_watcher_modify(watcher, PLX_READ | PLX_ONESHOT);
}

static int watch_with(plx_callback *callback, uint32_t events, const int *descriptors, int count,
                      uint64_t *counter)
{
    for (int i = 0; i < count; i++)
        if (plx_context_on(context, plx_fd(descriptors[i]), events, callback, counter, NULL) < 0)
            return -1;
    return 0;
}

static int callbacks_watch(const int *descriptors, int count, uint64_t *counter)
{
    return watch_with(on_event, PLX_READ, descriptors, count, counter);
}

static int callbacks_watch_once(const int *descriptors, int count, uint64_t *counter)
{
    return watch_with(on_event_once, PLX_READ | PLX_ONESHOT, descriptors, count, counter);
}

static void callbacks_timers_start(size_t index, uint64_t nanoseconds)
{
    plx_handle handle = plx_timer((plx_duration)nanoseconds, 0);
    require(plx_context_on(context, handle, PLX_TIMER, on_event, told, &watchers[index]));
}

static const struct bench_timers callbacks_timers = {
    .open = open_watchers,
    .start = callbacks_timers_start,
    .move = timers_move,
    .again = timers_again,
    .stop = timers_stop,
};

extern const struct bench_peer bench_peer_pollux;
const struct bench_peer bench_peer_pollux = {
    .name = "pollux",
    .version = pollux_version,
    .open = epoll_open,
    .close = pollux_close,
    .turn = pollux_turn,
    .turn_once = pollux_turn_once,
    .serve = pollux_serve,
    .serves = BENCH_SERVES_IDLE | BENCH_SERVES_TICK,
    .watch = pollux_watch,
    .watch_once = pollux_watch_once,
    .watchers = &pollux_watchers,
    .timers = &pollux_timers,
    .wakers = &pollux_wakers,
};

/* What is asked of descriptors; the rest does not depend on the backend. */
extern const struct bench_peer bench_peer_pollux_poll;
const struct bench_peer bench_peer_pollux_poll = {
    .name = "pollux_poll",
    .version = pollux_version,
    .open = poll_open,
    .close = pollux_close,
    .turn = pollux_turn,
    .turn_once = pollux_turn_once,
    .serve = pollux_serve,
    .serves = BENCH_SERVES_IDLE | BENCH_SERVES_TICK,
    .watch = pollux_watch,
    .watch_once = pollux_watch_once,
    .watchers = &pollux_watchers,
    .lacks = "timers and wake-ups do not depend on the backend",
};

extern const struct bench_peer bench_peer_pollux_callbacks;
const struct bench_peer bench_peer_pollux_callbacks = {
    .name = "pollux_callbacks",
    .version = pollux_version,
    .open = epoll_open,
    .close = pollux_close,
    .turn = callbacks_turn,
    .watch = callbacks_watch,
    .watch_once = callbacks_watch_once,
    .timers = &callbacks_timers,
    .lacks = "it differs from pollux only where something is reported",
};
