/* SPDX-License-Identifier: MIT */
/* load.c: see load.h. */
#include "load.h"

#include "connect.h"
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH          256
#define CONNECT_WINDOW 512 /* connections that have not echoed yet; far below the backlog */
#define PATIENCE       (UINT64_C(10) * 1000000000)

int load_open(struct load *load, int count, size_t bytes, int depth, bool spin)
{
    memset(load, 0, sizeof(*load));
    load->count = count;
    load->bytes = bytes;
    load->depth = depth;
    load->nap = spin ? 0 : -1;
    load->connections = calloc((size_t)count, sizeof(*load->connections));
    load->sent_at = calloc((size_t)count * (size_t)depth, sizeof(*load->sent_at));
    load->queue = epoll_create1(EPOLL_CLOEXEC);
    return load->connections && load->sent_at && load->queue >= 0 ? 0 : -1;
}

/* Every message differs from the one before it and from those of all other connections. */
static void compose(uint64_t *message, size_t bytes, uint32_t index, uint32_t sequence)
{
    uint64_t word = ((uint64_t)index << 32 | sequence) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < bytes / sizeof(*message); i++)
        message[i] = word + i;
}

static void lose(struct load *load, struct load_connection *connection)
{
    load->errors++;
    load->held--;
    load->busy -= (int)(connection->sent - connection->answered);
    connection->answered = connection->sent;
    close(connection->fd);
    connection->fd = -1;
}

static uint32_t index_of(const struct load *load, const struct load_connection *connection)
{
    return (uint32_t)(connection - load->connections);
}

static uint64_t *sent_at(const struct load *load, const struct load_connection *connection,
                         uint32_t sequence)
{
    size_t depth = (size_t)load->depth;
    return &load->sent_at[index_of(load, connection) * depth + sequence % depth];
}

/* So many more requests, in one call. */
static void request(struct load *load, struct load_connection *connection, uint64_t count,
                    uint64_t now)
{
    static uint64_t messages[LOAD_LARGEST_MESSAGE / sizeof(uint64_t)];
    if (count > load->budget)
        count = load->budget;
    if (count == 0 || connection->fd < 0)
        return;
    load->budget -= count;
    load->busy += (int)count;
    for (uint64_t i = 0; i < count; i++) {
        connection->sent++;
        *sent_at(load, connection, connection->sent) = now;
        compose(messages + i * load->bytes / sizeof(*messages), load->bytes,
                index_of(load, connection), connection->sent);
    }
    ssize_t size = (ssize_t)(count * load->bytes);
    if (send(connection->fd, messages, (size_t)size, MSG_NOSIGNAL) != size)
        lose(load, connection);
}

/*
 * Takes the next bytes that came: at most up to the end of one echo. Returns how many were taken,
 * or 0 if they are not what was sent.
 */
static size_t take(struct load *load, struct load_connection *connection, const char *bytes,
                   size_t size, uint64_t now)
{
    static uint64_t message[LOAD_LARGEST_MESSAGE / sizeof(uint64_t)];
    uint32_t sequence = connection->answered + 1;
    if (connection->answered == connection->sent)
        return 0;
    if (size > load->bytes - connection->received)
        size = load->bytes - connection->received;
    compose(message, load->bytes, index_of(load, connection), sequence);
    if (memcmp((const char *)message + connection->received, bytes, size) != 0)
        return 0;
    connection->received += (uint32_t)size;
    if (connection->received < load->bytes)
        return size;
    histogram_record(&load->histogram, now - *sent_at(load, connection, sequence));
    connection->received = 0;
    connection->answered = sequence;
    load->busy--;
    load->replies++;
    return size;
}

/* What was answered is asked again. */
static void on_readable(struct load *load, struct load_connection *connection)
{
    static char buffer[LOAD_LARGEST_MESSAGE];
    ssize_t received = recv(connection->fd, buffer, sizeof(buffer), 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    uint64_t now = machine_clock(CLOCK_MONOTONIC);
    uint32_t answered = connection->answered;
    size_t taken = 1;
    for (ssize_t at = 0; at < received && taken > 0; at += (ssize_t)taken)
        taken = take(load, connection, buffer + at, (size_t)(received - at), now);
    if (received <= 0 || taken == 0)
        lose(load, connection);
    else
        request(load, connection, connection->answered - answered, now);
}

static void pump(struct load *load, int nap)
{
    struct epoll_event ready[BATCH];
    int count = epoll_wait(load->queue, ready, BATCH, nap);
    for (int i = 0; i < count; i++)
        on_readable(load, &load->connections[ready[i].data.u32]);
}

/* A sleep ends after a second at the latest, for a look at the clock. */
void load_run_until(struct load *load, uint64_t end)
{
    while (load->busy > 0 && machine_clock(CLOCK_MONOTONIC) < end)
        pump(load, load->nap ? 1000 : 0);
}

/* Connecting blocks: on loopback the kernel answers at once, before the server accepts. */
static int open_connection(struct load *load, int index, const struct sockaddr_in *server)
{
    int fd = connect_socket(index);
    if (fd < 0)
        return -1;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    if (connect(fd, (const struct sockaddr *)server, sizeof(*server)) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
        epoll_ctl(load->queue, EPOLL_CTL_ADD, fd, &event) < 0) {
        close(fd);
        return -1;
    }
    load->connections[index].fd = fd;
    load->held++;
    return 0;
}

int load_connect(struct load *load, const struct sockaddr_in *server)
{
    for (int i = 0; i < load->count; i++)
        load->connections[i].fd = -1;
    for (int i = 0; i < load->count; i++) {
        if (open_connection(load, i, server) < 0)
            return -1;
        load->budget = 1;
        request(load, &load->connections[i], 1, machine_clock(CLOCK_MONOTONIC));
        uint64_t end = machine_clock(CLOCK_MONOTONIC) + PATIENCE;
        while (load->busy >= CONNECT_WINDOW && machine_clock(CLOCK_MONOTONIC) < end)
            pump(load, 1000);
        if (load->busy >= CONNECT_WINDOW)
            return -1;
    }
    load_finish(load);
    return load->held == load->count ? 0 : -1;
}

void load_start(struct load *load, int active, uint64_t budget)
{
    load->budget = budget;
    for (int i = 0; i < active; i++) {
        int64_t place = (int64_t)i * load->count / active;
        request(load, &load->connections[place], (uint64_t)load->depth,
                machine_clock(CLOCK_MONOTONIC));
    }
}

void load_reset_counts(struct load *load)
{
    load->replies = 0;
    histogram_clear(&load->histogram);
}

void load_finish(struct load *load)
{
    load->budget = 0;
    load_run_until(load, machine_clock(CLOCK_MONOTONIC) + PATIENCE);
    for (int i = 0; i < load->count && load->busy > 0; i++)
        if (load->connections[i].sent != load->connections[i].answered)
            lose(load, &load->connections[i]);
}

void load_close(struct load *load)
{
    for (int i = 0; i < load->count; i++)
        if (load->connections[i].fd >= 0)
            close(load->connections[i].fd);
    close(load->queue);
    free(load->connections);
    free(load->sent_at);
}
