/* SPDX-License-Identifier: MIT */
/*
 * peer_test.c: do all competitors do the same work? A comparison of programs of which one drops
 * bytes or skips reports would say nothing.
 */
#include "machine.h"
#include "peers/peer.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLOOD    (UINT64_C(16) << 20) /* more than the buffers of both sockets ever hold */
#define PATIENCE 20000
#define WATCHED  50
#define READY    7

static int tests;
static int failures;
static char server_path[4096];

static void check(bool good, const char *peer, const char *what)
{
    printf("%sok %d - %s: %s\n", good ? "" : "not ", ++tests, peer, what);
    failures += !good;
}

/* The byte at a place of the stream; its period divides no buffer. */
static unsigned char byte_at(uint64_t place)
{
    return (unsigned char)(place % 251);
}

/* Sends what the socket takes. -1 if it is broken. */
static int send_more(int fd, uint64_t *sent)
{
    unsigned char bytes[16384];
    size_t size = FLOOD - *sent < sizeof(bytes) ? (size_t)(FLOOD - *sent) : sizeof(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(*sent + i);
    ssize_t done = send(fd, bytes, size, MSG_NOSIGNAL);
    if (done < 0)
        return errno == EAGAIN ? 0 : -1;
    *sent += (uint64_t)done;
    return 0;
}

static int receive_more(int fd, uint64_t *received)
{
    unsigned char bytes[4096];
    ssize_t done = recv(fd, bytes, sizeof(bytes), 0);
    if (done < 0)
        return errno == EAGAIN ? 0 : -1;
    for (ssize_t i = 0; i < done; i++)
        if (bytes[i] != byte_at(*received + (uint64_t)i))
            return -1;
    *received += (uint64_t)done;
    return done > 0 ? 0 : -1;
}

/* Reads only while nothing can be sent, so the server has to keep what it cannot send. */
static bool flood(int fd)
{
    uint64_t sent = 0;
    uint64_t received = 0;
    while (received < FLOOD) {
        short wanted = sent < FLOOD ? POLLIN | POLLOUT : POLLIN;
        struct pollfd ready = {.fd = fd, .events = wanted};
        if (poll(&ready, 1, PATIENCE) <= 0)
            return false;
        int status = ready.revents & POLLOUT ? send_more(fd, &sent) : receive_more(fd, &received);
        if (status < 0)
            return false;
    }
    return true;
}

static bool flood_comes_back(const struct server *server)
{
    int small = 4096;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    bool good =
        connect(fd, (const struct sockaddr *)&server->address, sizeof(server->address)) == 0 &&
        fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && flood(fd);
    close(fd);
    return good;
}

/* The same way the comparison goes: the server is a process of its own. */
static void test_server(const struct bench_peer *peer)
{
    char option[] = "--peer";
    char name[64];
    char *const arguments[] = {server_path, option, name, NULL};
    struct server server;
    snprintf(name, sizeof(name), "%s", peer->name);
    if (server_start(&server, arguments) < 0) {
        check(false, peer->name, "the server starts");
        return;
    }
    check(flood_comes_back(&server), peer->name, "a flood that nobody reads comes back whole");
    check(flood_comes_back(&server), peer->name, "so does the next one");
    check(server_stop(&server) == 0, peer->name, "it was alive to the end");
}

static void test_watch(const struct bench_peer *peer)
{
    static uint64_t counter;
    int descriptors[WATCHED];
    for (int i = 0; i < WATCHED; i++)
        descriptors[i] = eventfd(i < READY, EFD_NONBLOCK | EFD_CLOEXEC);
    counter = 0;
    bool watch = peer->watch(descriptors, WATCHED, &counter) == 0;
    peer->turn();
    check(watch && counter == READY, peer->name, "a turn reports each ready descriptor once");
    peer->turn();
    check(counter == UINT64_C(2) * READY, peer->name, "what was not read is reported again");
    for (int i = 0; i < READY; i++)
        eventfd_read(descriptors[i], &(eventfd_t){0});
    peer->turn();
    check(counter == UINT64_C(2) * READY, peer->name, "what was read is not");
}

int main(int argc, char *argv[])
{
    const char *slash = strrchr(argv[0], '/');
    int directory = slash ? (int)(slash - argv[0]) : 1;
    snprintf(server_path, sizeof(server_path), "%.*s/bench_echo_server", directory,
             slash ? argv[0] : ".");
    if (argc == 2)
        snprintf(server_path, sizeof(server_path), "%s", argv[1]);
    for (size_t i = 0; bench_peers[i]; i++) {
        test_server(bench_peers[i]);
        if (bench_peers[i]->watch)
            test_watch(bench_peers[i]);
    }
    printf("1..%d\n", tests);
    return failures > 0;
}
