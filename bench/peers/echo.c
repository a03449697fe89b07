/* SPDX-License-Identifier: MIT */
/* echo.c: see echo.h. */
#include "echo.h"

#include "histogram.h"
#include "machine.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

char echo_buffer[ECHO_BUFFER_SIZE];
struct echo_extras echo_extras;
struct lateness *echo_lateness;

int echo_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) {
            perror("accept");
            exit(EXIT_FAILURE);
        }
        return -1;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

void echo_open(struct echo_connection *connection, int fd)
{
    *connection = (struct echo_connection){.fd = fd, .want = ECHO_WANT_READ};
}

void echo_drop(struct echo_connection *connection)
{
    free(connection->kept);
    connection->kept = NULL;
}

void *echo_allocate(size_t size)
{
    void *block = malloc(size);
    if (!block) {
        perror("malloc");
        exit(EXIT_FAILURE);
    }
    return block;
}

void echo_fail(const char *what)
{
    fprintf(stderr, "%s failed\n", what);
    exit(EXIT_FAILURE);
}

static uint64_t tick_due;

void echo_tick_started(void)
{
    tick_due = machine_clock(CLOCK_MONOTONIC) + ECHO_TICK_MS * UINT64_C(1000000);
}

void echo_tick_fired(void)
{
    uint64_t now = machine_clock(CLOCK_MONOTONIC);
    if (!echo_lateness)
        return;
    if (now < tick_due)
        echo_lateness->early++;
    histogram_record(&echo_lateness->late, now < tick_due ? 0 : now - tick_due);
}

/* How much the socket took: 0 when it is full, -1 when it is broken. */
static ssize_t send_some(int fd, const char *bytes, size_t size)
{
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return sent;
}

static enum echo_want keep(struct echo_connection *connection, const char *bytes, size_t size)
{
    connection->blocked = true;
    connection->kept = echo_allocate(size);
    connection->kept_size = size;
    memcpy(connection->kept, bytes, size);
    return ECHO_WANT_WRITE;
}

static enum echo_want step_read(struct echo_connection *connection)
{
    ssize_t received = recv(connection->fd, echo_buffer, sizeof(echo_buffer), 0);
    connection->blocked = received < (ssize_t)sizeof(echo_buffer);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return ECHO_WANT_READ;
    if (received <= 0)
        return ECHO_WANT_CLOSE;
    ssize_t sent = send_some(connection->fd, echo_buffer, (size_t)received);
    if (sent == received)
        return ECHO_WANT_READ;
    if (sent < 0)
        return ECHO_WANT_CLOSE;
    return keep(connection, echo_buffer + sent, (size_t)(received - sent));
}

static enum echo_want step_write(struct echo_connection *connection)
{
    ssize_t sent = send_some(connection->fd, connection->kept, connection->kept_size);
    if (sent < 0)
        return ECHO_WANT_CLOSE;
    connection->kept_size -= (size_t)sent;
    connection->blocked = connection->kept_size > 0;
    if (connection->kept_size > 0) {
        memmove(connection->kept, connection->kept + sent, connection->kept_size);
        return ECHO_WANT_WRITE;
    }
    echo_drop(connection);
    return ECHO_WANT_READ;
}

enum echo_want echo_step(struct echo_connection *connection)
{
    return connection->want == ECHO_WANT_READ ? step_read(connection) : step_write(connection);
}
