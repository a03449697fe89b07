/* SPDX-License-Identifier: MIT */
/*
 * raw_edge.c: the limit of edge-triggered servers: each connection is registered once, for all it
 * will ever want, and never touched again.
 *
 * A short read ends a visit without a call that says EAGAIN: what comes later is a new edge. Only
 * the end of a stream makes none when it was there before the read, so EPOLLRDHUP is asked for, and
 * once it was told the connection is read to its end.
 */
#include "echo.h"
#include "peer.h"
#include "raw.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH  1024
#define EDGES  (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
#define ENDING (EPOLLRDHUP | EPOLLHUP | EPOLLERR)

struct connection {
    struct echo_connection echo;
    bool ending;
};

static int queue;
static struct epoll_event ready[BATCH];

static int edge_open(void)
{
    queue = epoll_create1(EPOLL_CLOEXEC);
    return queue < 0 ? -1 : 0;
}

static void edge_close(void)
{
    close(queue);
}

static void end(struct connection *connection)
{
    close(connection->echo.fd);
    echo_drop(&connection->echo);
    free(connection);
}

static void on_listener(int listener)
{
    for (int fd; (fd = echo_accept(listener)) >= 0;) {
        struct connection *connection = echo_allocate(sizeof(*connection));
        struct epoll_event event = {.events = EDGES, .data.ptr = connection};
        echo_open(&connection->echo, fd);
        connection->ending = false;
        if (epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event) < 0)
            end(connection);
    }
}

static void on_connection(struct connection *connection, uint32_t events)
{
    struct echo_connection *echo = &connection->echo;
    if (events & ENDING)
        connection->ending = true;
    /* A new connection is writable, which is an edge that nobody waits for. */
    else if (!(events & (echo->want == ECHO_WANT_READ ? EPOLLIN : EPOLLOUT)))
        return;
    do {
        echo->want = echo_step(echo);
        if (echo->want == ECHO_WANT_CLOSE) {
            end(connection);
            return;
        }
    } while (!echo->blocked || (connection->ending && echo->want == ECHO_WANT_READ));
}

static int edge_serve(int listener)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(queue, EPOLL_CTL_ADD, listener, &event) < 0)
        return -1;
    for (;;) {
        int count = epoll_wait(queue, ready, BATCH, -1);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.ptr)
                on_connection(ready[i].data.ptr, ready[i].events);
            else
                on_listener(listener);
        }
    }
}

extern const struct bench_peer bench_peer_raw_edge;
const struct bench_peer bench_peer_raw_edge = {
    .name = "raw_edge",
    .version = raw_kernel_version,
    .open = edge_open,
    .close = edge_close,
    .serve = edge_serve,
    .lacks = "it only serves: an edge is told once, so that nothing stays ready",
};
