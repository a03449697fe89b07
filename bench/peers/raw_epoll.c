/* SPDX-License-Identifier: MIT */
/* raw_epoll.c: the limit. The bare system calls, level-triggered, with nothing around them. */
#include "echo.h"
#include "machine.h"
#include "peer.h"
#include "raw.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define BATCH 1024

static int queue;
static struct epoll_event ready[BATCH];

static int raw_open(void)
{
    queue = epoll_create1(EPOLL_CLOEXEC);
    return queue < 0 ? -1 : 0;
}

static void raw_close(void)
{
    close(queue);
}

static int control(int operation, int fd, uint32_t events, void *data)
{
    struct epoll_event event = {.events = events, .data.ptr = data};
    return epoll_ctl(queue, operation, fd, &event);
}

static void raw_turn(void)
{
    int count = epoll_wait(queue, ready, BATCH, 0);
    for (int i = 0; i < count; i++) {
        uint64_t *counter = ready[i].data.ptr;
        if (ready[i].events & EPOLLIN)
            (*counter)++;
    }
}

/*
 * --- Echo ---
 *
 * All idle timeouts are equally long, so a list in the order of the last message holds them in the
 * order of their deadlines: as little as anybody can do for them.
 */

struct connection {
    struct echo_connection echo;
    struct connection *older;
    struct connection *newer;
    uint64_t deadline;
};

static int listening;
static int tick_timer;
static struct connection idle = {.older = &idle, .newer = &idle};
static uint64_t now;

static void forget_idle(struct connection *connection)
{
    connection->older->newer = connection->newer;
    connection->newer->older = connection->older;
}

static void note_idle(struct connection *connection)
{
    connection->deadline = now + echo_extras.idle_seconds * UINT64_C(1000000000);
    connection->older = idle.older;
    connection->newer = &idle;
    idle.older->newer = connection;
    idle.older = connection;
}

/* The kernel forgets a descriptor by itself when it is closed. */
static void end(struct connection *connection)
{
    if (echo_extras.idle_seconds)
        forget_idle(connection);
    close(connection->echo.fd);
    echo_drop(&connection->echo);
    free(connection);
}

static void on_listener(int listener)
{
    for (int fd; (fd = echo_accept(listener)) >= 0;) {
        struct connection *connection = echo_allocate(sizeof(*connection));
        echo_open(&connection->echo, fd);
        if (echo_extras.idle_seconds)
            note_idle(connection);
        if (control(EPOLL_CTL_ADD, fd, EPOLLIN, connection) < 0)
            end(connection);
    }
}

static void on_connection(struct connection *connection)
{
    if (echo_extras.idle_seconds) {
        forget_idle(connection);
        note_idle(connection);
    }
    enum echo_want want = echo_step(&connection->echo);
    if (want == connection->echo.want)
        return;
    connection->echo.want = want;
    uint32_t events = want == ECHO_WANT_READ ? EPOLLIN : EPOLLOUT;
    if (want == ECHO_WANT_CLOSE ||
        control(EPOLL_CTL_MOD, connection->echo.fd, events, connection) < 0)
        end(connection);
}

static void start_tick(void)
{
    const struct itimerspec once = {.it_value.tv_nsec = ECHO_TICK_MS * 1000000L};
    echo_tick_started();
    timerfd_settime(tick_timer, 0, &once, NULL);
}

static void on_report(const struct epoll_event *event)
{
    if (event->data.ptr == &listening) {
        on_listener(listening);
    } else if (event->data.ptr == &tick_timer) {
        echo_tick_fired();
        start_tick();
    } else {
        on_connection(event->data.ptr);
    }
}

/* Ends what has been idle; milliseconds until the next one would be, -1 for never. */
static int look_at_idle(void)
{
    if (!echo_extras.idle_seconds)
        return -1;
    now = machine_clock(CLOCK_MONOTONIC);
    while (idle.newer != &idle && idle.newer->deadline <= now)
        end(idle.newer);
    if (idle.newer == &idle)
        return -1;
    return (int)((idle.newer->deadline - now) / 1000000) + 1;
}

static int raw_serve(int listener)
{
    listening = listener;
    if (control(EPOLL_CTL_ADD, listener, EPOLLIN, &listening) < 0)
        return -1;
    if (echo_extras.ticks) {
        tick_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (control(EPOLL_CTL_ADD, tick_timer, EPOLLIN, &tick_timer) < 0)
            return -1;
        start_tick();
    }
    for (;;) {
        int count = epoll_wait(queue, ready, BATCH, look_at_idle());
        for (int i = 0; i < count; i++)
            on_report(&ready[i]);
    }
}

/* --- Descriptors --- */

static int raw_watch(const int *descriptors, int count, uint64_t *counter)
{
    for (int i = 0; i < count; i++)
        if (control(EPOLL_CTL_ADD, descriptors[i], EPOLLIN, counter) < 0)
            return -1;
    return 0;
}

/* What a report needs to be armed again. */
struct once {
    int fd;
    uint64_t *counter;
};

static int raw_watch_once(const int *descriptors, int count, uint64_t *counter)
{
    struct once *once = echo_allocate((size_t)count * sizeof(*once));
    for (int i = 0; i < count; i++) {
        once[i] = (struct once){.fd = descriptors[i], .counter = counter};
        if (control(EPOLL_CTL_ADD, once[i].fd, EPOLLIN | EPOLLONESHOT, &once[i]) < 0)
            return -1;
    }
    return 0;
}

static void raw_turn_once(void)
{
    int count = epoll_wait(queue, ready, BATCH, 0);
    for (int i = 0; i < count; i++) {
        struct once *once = ready[i].data.ptr;
        if (ready[i].events & EPOLLIN)
            (*once->counter)++;
        control(EPOLL_CTL_MOD, once->fd, EPOLLIN | EPOLLONESHOT, once);
    }
}

/* --- Registrations: the kernel keeps all there is to keep, but for the number --- */

static int *watched;
static uint64_t *told;

static int watchers_open(size_t count, uint64_t *counter)
{
    told = counter;
    watched = malloc(count * sizeof(*watched));
    return watched ? 0 : -1;
}

static void watchers_add(size_t index, int fd)
{
    watched[index] = fd;
    echo_require(control(EPOLL_CTL_ADD, fd, EPOLLIN, told) == 0, "add");
}

static void watchers_modify(size_t index, bool writing)
{
    uint32_t events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
    echo_require(control(EPOLL_CTL_MOD, watched[index], events, told) == 0, "modify");
}

static void watchers_remove(size_t index, int fd)
{
    (void)index;
    echo_require(control(EPOLL_CTL_DEL, fd, 0, NULL) == 0, "remove");
}

/* A descriptor that nobody duplicated takes its registration along. */
static void watchers_close(size_t index, int fd)
{
    (void)index;
    close(fd);
}

static const struct bench_watchers raw_watchers = {
    .open = watchers_open,
    .add = watchers_add,
    .modify = watchers_modify,
    .stop = watchers_remove,
    .start = watchers_add,
    .remove = watchers_remove,
    .close = watchers_close,
};

extern const struct bench_peer bench_peer_raw_epoll;
const struct bench_peer bench_peer_raw_epoll = {
    .name = "raw_epoll",
    .version = raw_kernel_version,
    .open = raw_open,
    .close = raw_close,
    .turn = raw_turn,
    .turn_once = raw_turn_once,
    .serve = raw_serve,
    .serves = BENCH_SERVES_IDLE | BENCH_SERVES_TICK,
    .watch = raw_watch,
    .watch_once = raw_watch_once,
    .watchers = &raw_watchers,
    .lacks = "raw_wheel is the limit of timers, and raw_eventfd that of wake-ups",
};
