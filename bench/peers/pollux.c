/* SPDX-License-Identifier: MIT */
/* pollux.c: pollux through its public API, as any program uses it. */
#include "echo.h"
#include "peer.h"

#include <pollux.h>

#include <stdio.h>
#include <stdlib.h>

#define BATCH 1024

static plx_context *context;
static plx_watcher *ready[BATCH];

static const char *pollux_version(void)
{
    static char text[32];
    int version = plx_version();
    snprintf(text, sizeof(text), "%d.%d.%d", version / 10000, version / 100 % 100, version % 100);
    return text;
}

static int open_context(void)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    options.backend = PLX_BACKEND_EPOLL;
    return plx_context_create(&context, &options) < 0 ? -1 : 0;
}

static void end(struct echo_connection *connection)
{
    plx_context_close(context, connection->fd);
    echo_drop(connection);
    free(connection);
}

static void on_listener(int listener)
{
    for (int fd; (fd = echo_accept(listener)) >= 0;) {
        struct echo_connection *connection = echo_allocate(sizeof(*connection));
        echo_open(connection, fd);
        if (plx_context_add(context, plx_fd(fd), PLX_READ, connection, NULL) < 0)
            end(connection);
    }
}

static void on_connection(plx_watcher *watcher, struct echo_connection *connection)
{
    enum echo_want want = echo_step(connection);
    if (want == connection->want)
        return;
    connection->want = want;
    uint32_t events = want == ECHO_WANT_READ ? PLX_READ : PLX_WRITE;
    if (want == ECHO_WANT_CLOSE || plx_watcher_modify(watcher, events) < 0)
        end(connection);
}

static int pollux_serve(int listener)
{
    if (open_context() < 0)
        return -1;
    if (plx_context_add(context, plx_fd(listener), PLX_READ, NULL, NULL) < 0)
        return -1;
    for (;;) {
        int count = plx_context_wait(context, ready, BATCH, PLX_FOREVER);
        for (int i = 0; i < count; i++) {
            struct echo_connection *connection = plx_watcher_data(ready[i]);
            if (connection)
                on_connection(ready[i], connection);
            else
                on_listener(listener);
        }
    }
}

static int pollux_watch(const int *descriptors, int count, uint64_t *counter)
{
    if (open_context() < 0)
        return -1;
    for (int i = 0; i < count; i++)
        if (plx_context_add(context, plx_fd(descriptors[i]), PLX_READ, counter, NULL) < 0)
            return -1;
    return 0;
}

static void pollux_turn(void)
{
    int count = plx_context_wait(context, ready, BATCH, 0);
    for (int i = 0; i < count; i++) {
        uint64_t *counter = plx_watcher_data(ready[i]);
        if (plx_watcher_triggered(ready[i]) & PLX_READ)
            (*counter)++;
    }
}

/* --- Timers --- */

static plx_watcher **timers;
static uint64_t *fired;

static int pollux_timers_open(size_t count, uint64_t *counter)
{
    fired = counter;
    timers = malloc(count * sizeof(plx_watcher *));
    return timers ? open_context() : -1;
}

static void pollux_timers_start(size_t index, uint64_t nanoseconds)
{
    plx_handle handle = plx_timer((plx_duration)nanoseconds, 0);
    if (plx_context_add(context, handle, PLX_TIMER, fired, &timers[index]) < 0)
        abort();
}

static void pollux_timers_move(size_t index, uint64_t nanoseconds)
{
    plx_watcher_again(timers[index], (plx_duration)nanoseconds);
}

static void pollux_timers_again(size_t index)
{
    plx_watcher_again(timers[index], PLX_SECONDS(BENCH_IDLE_SECONDS));
}

static void pollux_timers_stop(size_t index)
{
    plx_watcher_remove(timers[index]);
}

static void pollux_timers_turn(void)
{
    int count = plx_context_wait(context, ready, BATCH, 0);
    for (int i = 0; i < count; i++) {
        uint64_t *counter = plx_watcher_data(ready[i]);
        if (plx_watcher_triggered(ready[i]) & PLX_TIMER)
            (*counter)++;
    }
}

static const struct bench_timers pollux_timers = {
    .open = pollux_timers_open,
    .start = pollux_timers_start,
    .move = pollux_timers_move,
    .again = pollux_timers_again,
    .stop = pollux_timers_stop,
    .turn = pollux_timers_turn,
};

extern const struct bench_peer bench_peer_pollux;
const struct bench_peer bench_peer_pollux = {
    .name = "pollux",
    .version = pollux_version,
    .serve = pollux_serve,
    .watch = pollux_watch,
    .turn = pollux_turn,
    .timers = &pollux_timers,
};
