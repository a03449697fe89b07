/* SPDX-License-Identifier: MIT */
/*
 * churn_client.c: connections that live for one request: connect, send, wait for the echo, reset.
 * Some of them are under way at a time, and each that ends is followed by the next.
 */
#include "client.h"
#include "connect.h"
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BYTES       64
#define MOST        1024
#define MILLISECOND UINT64_C(1000000)

static long at_once = 1;
static long measured = 1000;
static long wanted = 0; /* 0: for a time, not for a count */

static const struct option_number options[] = {
    {"--at-once", &at_once, 1, MOST, NULL},
    {"--measure", &measured, 1, 3600000, NULL},
    {"--connections", &wanted, 1, 1000000000, NULL},
    {NULL, NULL, 0, 0, NULL},
};

static const char usage[] = "usage: bench_churn_client [OPTION...] -- SERVER [ARGUMENT...]\n"
                            "  --at-once N      connections under way (1)\n"
                            "  --measure MS     time of the measurement (1000)\n"
                            "  --connections N  make so many instead of for a time\n";

struct slot {
    int fd;
    size_t received;
};

static struct slot slots[MOST];
static int queue;
static const struct sockaddr_in *address;
static unsigned long opened;
static unsigned long finished;

static const char *message(void)
{
    static char bytes[BYTES];
    memset(bytes, 'x', sizeof(bytes));
    return bytes;
}

/* Connecting blocks: on loopback the kernel answers at once, before the server accepts. */
static int begin_next(struct slot *slot)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = slot};
    slot->fd = connect_socket((int)(opened++ % 100000));
    slot->received = 0;
    if (slot->fd < 0 || connect(slot->fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return -1;
    if (send(slot->fd, message(), BYTES, MSG_NOSIGNAL) != BYTES)
        return -1;
    return epoll_ctl(queue, EPOLL_CTL_ADD, slot->fd, &event);
}

/* 1: the echo is whole and the connection was reset; 0: more has to come. */
static int on_readable(struct slot *slot)
{
    char bytes[BYTES];
    ssize_t received = recv(slot->fd, bytes, BYTES - slot->received, MSG_DONTWAIT);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (received <= 0 || memcmp(bytes, message(), (size_t)received) != 0)
        return -1;
    slot->received += (size_t)received;
    if (slot->received < BYTES)
        return 0;
    finished++;
    close(slot->fd);
    slot->fd = -1;
    return 1;
}

static bool goes_on(uint64_t end)
{
    if (wanted)
        return opened < (unsigned long)wanted;
    return machine_clock(CLOCK_MONOTONIC) < end;
}

/* What is under way at the end is let finish, and counts. */
static int churn(bool spins, uint64_t end)
{
    struct epoll_event ready[MOST];
    opened = finished = 0;
    for (long i = 0; i < at_once; i++)
        if (begin_next(&slots[i]) < 0)
            return -1;
    while (finished < opened) {
        int count = epoll_wait(queue, ready, MOST, spins ? 0 : 1000);
        for (int i = 0; i < count; i++) {
            int status = on_readable(ready[i].data.ptr);
            if (status > 0 && goes_on(end))
                status = begin_next(ready[i].data.ptr);
            if (status < 0)
                return -1;
        }
    }
    return 0;
}

static int run(const struct client *client)
{
    const struct server *server = &client->server;
    address = &server->address;
    queue = epoll_create1(EPOLL_CLOEXEC);
    if (!wanted && churn(client->pinned, machine_clock(CLOCK_MONOTONIC) + 100 * MILLISECOND) < 0)
        return -1;
    uint64_t wall = machine_clock(CLOCK_MONOTONIC);
    uint64_t cpu = machine_clock(server->clock);
    if (churn(client->pinned, wall + (uint64_t)measured * MILLISECOND) < 0)
        return -1;
    double count = (double)finished;
    double seconds = (double)(machine_clock(CLOCK_MONOTONIC) - wall) / 1e9;
    client_begin_line(client, "churn", "at_once=%ld", at_once);
    client_metric("server_cpu_ns", (double)(machine_clock(server->clock) - cpu) / count);
    client_metric("connections_per_second", count / seconds);
    client_metric("connections", count);
    client_end_line(client);
    return 0;
}

int main(int argc, char *argv[])
{
    struct client client = client_begin(argc, argv, usage, options);
    client_start_server(&client);
    int status = run(&client);
    if (status < 0)
        fprintf(stderr, "%s: a connection was not served\n", client.server.name);
    if (server_stop(&client.server) < 0)
        fprintf(stderr, "%s: the server did not end well\n", client.server.name);
    return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
