/* SPDX-License-Identifier: MIT */
/* load.c: see load.h. */
#include "load.h"

#include "machine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH            256
#define CONNECT_WINDOW   512 /* connections that have not echoed yet; far below the backlog */
#define SOURCE_ADDRESSES 64  /* so that no pair of addresses runs out of ports */
#define PATIENCE         (UINT64_C(10) * 1000000000)

int load_open(struct load *load, int count, size_t bytes, bool spin)
{
    memset(load, 0, sizeof(*load));
    load->count = count;
    load->bytes = bytes;
    load->nap = spin ? 0 : -1;
    load->connections = calloc((size_t)count, sizeof(*load->connections));
    load->queue = epoll_create1(EPOLL_CLOEXEC);
    return load->connections && load->queue >= 0 ? 0 : -1;
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
    if (connection->busy)
        load->busy--;
    connection->busy = false;
    close(connection->fd);
    connection->fd = -1;
}

static void request(struct load *load, struct load_connection *connection, uint64_t now)
{
    static uint64_t message[LOAD_LARGEST_MESSAGE / sizeof(uint64_t)];
    if (load->budget == 0 || connection->fd < 0)
        return;
    load->budget--;
    load->busy++;
    connection->busy = true;
    connection->received = 0;
    connection->sent_at = now;
    compose(message, load->bytes, (uint32_t)(connection - load->connections),
            ++connection->sequence);
    ssize_t sent = send(connection->fd, message, load->bytes, MSG_NOSIGNAL);
    if (sent != (ssize_t)load->bytes)
        lose(load, connection);
}

/* Are these the next bytes of what was sent? */
static bool is_echo(const struct load *load, const struct load_connection *connection,
                    const char *bytes, size_t size)
{
    static uint64_t message[LOAD_LARGEST_MESSAGE / sizeof(uint64_t)];
    if (!connection->busy || size > load->bytes - connection->received)
        return false;
    compose(message, load->bytes, (uint32_t)(connection - load->connections), connection->sequence);
    return memcmp((const char *)message + connection->received, bytes, size) == 0;
}

static void on_readable(struct load *load, struct load_connection *connection)
{
    static char buffer[LOAD_LARGEST_MESSAGE];
    ssize_t received = recv(connection->fd, buffer, sizeof(buffer), 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (received <= 0 || !is_echo(load, connection, buffer, (size_t)received)) {
        lose(load, connection);
        return;
    }
    connection->received += (uint32_t)received;
    if (connection->received < load->bytes)
        return;
    uint64_t now = machine_clock(CLOCK_MONOTONIC);
    histogram_record(&load->histogram, now - connection->sent_at);
    connection->busy = false;
    load->busy--;
    load->replies++;
    request(load, connection, now);
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

static int open_socket(int index)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    /* The port is chosen at connect, per pair of addresses and not for all of them. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    struct sockaddr_in source = {.sin_family = AF_INET};
    uint32_t host = (uint32_t)(index % SOURCE_ADDRESSES);
    source.sin_addr.s_addr = htonl(UINT32_C(0x7f000101) + (host << 8));
    if (bind(fd, (struct sockaddr *)&source, sizeof(source)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Connecting blocks: on loopback the kernel answers at once, before the server accepts. */
static int open_connection(struct load *load, int index, const struct sockaddr_in *server)
{
    int fd = open_socket(index);
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
        request(load, &load->connections[i], machine_clock(CLOCK_MONOTONIC));
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
        request(load, &load->connections[place], machine_clock(CLOCK_MONOTONIC));
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
        if (load->connections[i].busy)
            lose(load, &load->connections[i]);
}

void load_close(struct load *load)
{
    for (int i = 0; i < load->count; i++)
        if (load->connections[i].fd >= 0)
            close(load->connections[i].fd);
    close(load->queue);
    free(load->connections);
}
