/* SPDX-License-Identifier: MIT */
/* open_load.c: see open_load.h. */
#include "open_load.h"

#include "connect.h"
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH       256
#define NONE        UINT32_MAX
#define WINDOW      512 /* connections that have not echoed yet; far below the backlog */
#define MILLISECOND UINT64_C(1000000)
#define PATIENCE    (UINT64_C(10000) * MILLISECOND)

int open_load_open(struct open_load *load, int count, size_t bytes, bool spin)
{
    memset(load, 0, sizeof(*load));
    load->count = count;
    load->bytes = bytes;
    load->spins = spin;
    load->connections = calloc((size_t)count, sizeof(*load->connections));
    load->queue = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; load->connections && i < count; i++)
        load->connections[i] = (struct open_connection){.fd = -1, .oldest = NONE, .newest = NONE};
    return load->connections && load->queue >= 0 ? 0 : -1;
}

/* No two requests of a plan have the same message. */
static void compose(uint64_t *message, size_t bytes, uint32_t request)
{
    uint64_t word = (request + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < bytes / sizeof(*message); i++)
        message[i] = word + i;
}

static void lose(struct open_load *load, struct open_connection *connection)
{
    for (uint32_t i = connection->oldest; i != NONE; i = load->requests[i].next) {
        load->errors++;
        load->answered++;
    }
    connection->oldest = connection->newest = NONE;
    close(connection->fd);
    connection->fd = -1;
}

static void send_request(struct open_load *load, uint32_t index)
{
    uint64_t message[OPEN_LOAD_LARGEST / sizeof(uint64_t)];
    struct open_request *request = &load->requests[index];
    struct open_connection *connection = &load->connections[request->connection];
    uint64_t now = machine_clock(CLOCK_MONOTONIC);
    if (request->due >= load->counts_from)
        histogram_record(&load->lateness, now - request->due);
    request->next = NONE;
    if (connection->oldest == NONE)
        connection->oldest = index;
    else
        load->requests[connection->newest].next = index;
    connection->newest = index;
    compose(message, load->bytes, index);
    if (connection->fd < 0 ||
        send(connection->fd, message, load->bytes, MSG_NOSIGNAL) != (ssize_t)load->bytes)
        lose(load, connection);
}

static void finish_oldest(struct open_load *load, struct open_connection *connection)
{
    const struct open_request *request = &load->requests[connection->oldest];
    if (request->due >= load->counts_from)
        histogram_record(&load->latencies, machine_clock(CLOCK_MONOTONIC) - request->due);
    load->answered++;
    connection->received = 0;
    connection->oldest = request->next;
}

/* At most up to the end of one echo. How many bytes were taken; 0: they are not what was sent. */
static size_t take(struct open_load *load, struct open_connection *connection, const char *bytes,
                   size_t size)
{
    uint64_t message[OPEN_LOAD_LARGEST / sizeof(uint64_t)];
    if (connection->oldest == NONE)
        return 0;
    if (size > load->bytes - connection->received)
        size = load->bytes - connection->received;
    compose(message, load->bytes, connection->oldest);
    if (memcmp((const char *)message + connection->received, bytes, size) != 0)
        return 0;
    connection->received += (uint32_t)size;
    if (connection->received == load->bytes)
        finish_oldest(load, connection);
    return size;
}

static void on_readable(struct open_load *load, struct open_connection *connection)
{
    static char buffer[65536];
    ssize_t received = recv(connection->fd, buffer, sizeof(buffer), 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    size_t taken = 1;
    for (ssize_t at = 0; at < received && taken > 0; at += (ssize_t)taken)
        taken = take(load, connection, buffer + at, (size_t)(received - at));
    if (received <= 0 || taken == 0)
        lose(load, connection);
}

static int pump(struct open_load *load, int nap)
{
    struct epoll_event ready[BATCH];
    int count = epoll_wait(load->queue, ready, BATCH, nap);
    for (int i = 0; i < count; i++)
        on_readable(load, &load->connections[ready[i].data.u32]);
    return count;
}

/* How long it may sleep: a millisecond less than there is time, as a sleep is never exact. */
static int nap_until(const struct open_load *load, uint64_t now)
{
    if (load->spins)
        return 0;
    if (load->sent == load->planned)
        return 1;
    uint64_t due = load->requests[load->sent].due;
    return due > now + MILLISECOND ? (int)((due - now) / MILLISECOND) - 1 : 0;
}

void open_load_run(struct open_load *load, void (*between)(void *), void *data)
{
    uint64_t end = load->requests[load->planned - 1].due + PATIENCE;
    uint64_t now = machine_clock(CLOCK_MONOTONIC);
    while (load->answered < load->planned && now < end) {
        while (load->sent < load->planned && load->requests[load->sent].due <= now)
            send_request(load, load->sent++);
        int count = pump(load, between ? 0 : nap_until(load, now));
        if (between && count <= 0)
            between(data);
        now = machine_clock(CLOCK_MONOTONIC);
    }
    for (int i = 0; load->answered < load->planned && i < load->count; i++)
        if (load->connections[i].oldest != NONE)
            lose(load, &load->connections[i]);
}

static int make_room(struct open_load *load, size_t count)
{
    struct open_request *requests = realloc(load->requests, count * sizeof(*requests));
    if (!requests)
        return -1;
    load->requests = requests;
    load->planned = load->sent = load->answered = 0;
    return 0;
}

static int open_connection(struct open_load *load, int index, const struct sockaddr_in *server)
{
    int fd = connect_socket(index);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    if (fd < 0)
        return -1;
    load->connections[index].fd = fd;
    if (connect(fd, (const struct sockaddr *)server, sizeof(*server)) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return -1;
    return epoll_ctl(load->queue, EPOLL_CTL_ADD, fd, &event);
}

int open_load_connect(struct open_load *load, const struct sockaddr_in *server)
{
    if (make_room(load, (size_t)load->count) < 0)
        return -1;
    load->counts_from = UINT64_MAX;
    for (int i = 0; i < load->count; i++) {
        if (open_connection(load, i, server) < 0)
            return -1;
        uint64_t now = machine_clock(CLOCK_MONOTONIC);
        load->requests[i] = (struct open_request){.due = now, .connection = (uint32_t)i};
        load->planned++;
        send_request(load, load->sent++);
        while (load->sent - load->answered >= WINDOW &&
               machine_clock(CLOCK_MONOTONIC) < now + PATIENCE)
            pump(load, 1);
    }
    open_load_run(load, NULL, NULL);
    return load->errors == 0 ? 0 : -1;
}

/* Between 0 and 1, never 0 itself. */
static double next_share(uint64_t *dice)
{
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    return (double)((*dice >> 11) + 1) / (double)(UINT64_C(1) << 53);
}

int open_load_plan(struct open_load *load, double per_second, uint64_t warmup, uint64_t duration,
                   uint64_t seed)
{
    uint64_t dice = (2 * seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    double gap = 1e9 / per_second;
    double length = (double)(warmup + duration);
    size_t room = (size_t)(length / gap * 1.2) + 1000;
    if (make_room(load, room) < 0)
        return -1;
    uint64_t begin = machine_clock(CLOCK_MONOTONIC) + 10 * MILLISECOND;
    double at = 0;
    for (; at < length && load->planned < room; at -= log(next_share(&dice)) * gap) {
        uint32_t connection = (uint32_t)(next_share(&dice) * load->count) % (uint32_t)load->count;
        load->requests[load->planned++] =
            (struct open_request){.due = begin + (uint64_t)at, .connection = connection};
    }
    load->counts_from = begin + warmup;
    histogram_clear(&load->latencies);
    histogram_clear(&load->lateness);
    return 0;
}

void open_load_close(struct open_load *load)
{
    for (int i = 0; i < load->count; i++)
        if (load->connections[i].fd >= 0)
            close(load->connections[i].fd);
    close(load->queue);
    free(load->connections);
    free(load->requests);
}
