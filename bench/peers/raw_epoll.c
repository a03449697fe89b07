/* SPDX-License-Identifier: MIT */
/* raw_epoll.c: the limit. The bare system calls, level-triggered, with nothing around them. */
#include "echo.h"
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/utsname.h>
#include <unistd.h>

#define BATCH 1024

static int queue;
static struct epoll_event ready[BATCH];

static const char *raw_version(void)
{
    static struct utsname system;
    return uname(&system) == 0 ? system.release : "unknown";
}

static int watch(int operation, int fd, uint32_t events, void *data)
{
    struct epoll_event event = {.events = events, .data.ptr = data};
    return epoll_ctl(queue, operation, fd, &event);
}

/* The kernel forgets a descriptor by itself when it is closed. */
static void end(struct echo_connection *connection)
{
    close(connection->fd);
    echo_drop(connection);
    free(connection);
}

static void on_listener(int listener)
{
    for (int fd; (fd = echo_accept(listener)) >= 0;) {
        struct echo_connection *connection = echo_allocate(sizeof(*connection));
        echo_open(connection, fd);
        if (watch(EPOLL_CTL_ADD, fd, EPOLLIN, connection) < 0)
            end(connection);
    }
}

static void on_connection(struct echo_connection *connection)
{
    enum echo_want want = echo_step(connection);
    if (want == connection->want)
        return;
    connection->want = want;
    uint32_t events = want == ECHO_WANT_READ ? EPOLLIN : EPOLLOUT;
    if (want == ECHO_WANT_CLOSE || watch(EPOLL_CTL_MOD, connection->fd, events, connection) < 0)
        end(connection);
}

static int raw_serve(int listener)
{
    queue = epoll_create1(EPOLL_CLOEXEC);
    if (queue < 0 || watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL) < 0)
        return -1;
    for (;;) {
        int count = epoll_wait(queue, ready, BATCH, -1);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.ptr)
                on_connection(ready[i].data.ptr);
            else
                on_listener(listener);
        }
    }
}

static int raw_watch(const int *descriptors, int count, uint64_t *counter)
{
    queue = epoll_create1(EPOLL_CLOEXEC);
    if (queue < 0)
        return -1;
    for (int i = 0; i < count; i++)
        if (watch(EPOLL_CTL_ADD, descriptors[i], EPOLLIN, counter) < 0)
            return -1;
    return 0;
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

extern const struct bench_peer bench_peer_raw_epoll;
const struct bench_peer bench_peer_raw_epoll = {
    .name = "raw_epoll",
    .version = raw_version,
    .serve = raw_serve,
    .watch = raw_watch,
    .turn = raw_turn,
};
