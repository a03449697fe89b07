/* SPDX-License-Identifier: MIT */
/*
 * echo_hold: an echo server holds 10 000 connections of which 100 are active for a minute.
 *
 *     echo_hold [--connections N] [--active N] [--seconds N] [--rss-kib N] SERVER [OPTION...]
 *
 * Every byte that comes back is compared. The active ones speak in turn with their answers, one
 * message in flight each; the idle ones speak once before the minute and once after it. The client
 * is bare epoll: it must not lean on what it tests. Connections come from several addresses of the
 * loopback network, a few thousand from each, and end with a reset, so that no run leaves a crowd
 * of sockets in TIME_WAIT to the next. Prints TAP.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "tap.h"

enum { MESSAGE = 64, PER_ADDRESS = 2500, BATCH = 256 };

struct client {
    int fd;
    uint32_t received; /* of the message under way */
    uint64_t requests; /* complete, and right */
};

struct settings {
    uint32_t connections;
    uint32_t active;
    uint32_t seconds;
    uint32_t rss_kib;
};

struct crowd {
    struct settings settings;
    struct echo_server server;
    struct client *clients;
    int epoll;
    uint32_t waiting; /* asked, and not answered yet */
    long highest_kib;
};

/* No two messages are alike: a byte from another connection or another time does not pass. */
static void compose(unsigned char *message, uint32_t client, uint64_t request)
{
    uint64_t state = ((uint64_t)client << 32) + request;

    for (size_t i = 0; i < MESSAGE; i++) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        message[i] = (unsigned char)(state >> 56);
    }
}

static double seconds_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void note_memory(struct crowd *crowd)
{
    long kib = child_rss_anon_kib(&crowd->server.child);

    if (kib > crowd->highest_kib)
        crowd->highest_kib = kib;
}

static int connect_from(const struct echo_server *server, uint32_t index)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    /* The port is chosen when both ends are known: else 127.0.x.y has too few of them. */
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + index / PER_ADDRESS);
    if (fd >= 0 && setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
        bind(fd, (const struct sockaddr *)&from, sizeof(from)) == 0 &&
        connect(fd, (const struct sockaddr *)&server->address, server->address_size) == 0)
        return fd;
    tap_note("connection %" PRIu32 ": %s", index, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool connect_all(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->settings.connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

        crowd->clients[i].fd = connect_from(&crowd->server, i);
        CHECK(crowd->clients[i].fd >= 0);
        CHECK(epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, crowd->clients[i].fd, &event) == 0);
    }
    return true;
}

static bool ask(struct crowd *crowd, uint32_t index)
{
    struct client *client = &crowd->clients[index];
    unsigned char message[MESSAGE];
    ssize_t sent;

    compose(message, index, client->requests);
    sent = send(client->fd, message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
    CHECK_SAY(sent == MESSAGE, "connection %" PRIu32 ": %zd, %s", index, sent, strerror(errno));
    crowd->waiting++;
    return true;
}

/* Reads what is there of an answer. */
static bool hear(struct crowd *crowd, uint32_t index)
{
    struct client *client = &crowd->clients[index];
    unsigned char expected[MESSAGE];
    unsigned char bytes[MESSAGE + 1]; /* one more than may come */
    size_t room = sizeof(bytes) - client->received;
    ssize_t got = recv(client->fd, bytes, room, MSG_DONTWAIT);

    CHECK_SAY(got > 0, "connection %" PRIu32 ": %zd, %s", index, got, strerror(errno));
    CHECK((size_t)got < room);
    compose(expected, index, client->requests);
    CHECK(memcmp(bytes, expected + client->received, (size_t)got) == 0);
    client->received += (uint32_t)got;
    if (client->received == MESSAGE) {
        client->received = 0;
        client->requests++;
        crowd->waiting--;
    }
    return true;
}

/* One look at who answered. `again`: who did speaks again. */
static bool turn(struct crowd *crowd, bool again)
{
    struct epoll_event events[BATCH];
    int ready = epoll_wait(crowd->epoll, events, BATCH, PATIENCE_MS);

    CHECK_SAY(ready > 0, "%" PRIu32 " connections have no answer", crowd->waiting);
    for (int i = 0; i < ready; i++) {
        uint32_t index = events[i].data.u32;

        CHECK(hear(crowd, index));
        if (again && crowd->clients[index].received == 0)
            CHECK(ask(crowd, index));
    }
    return true;
}

static bool hear_all(struct crowd *crowd)
{
    while (crowd->waiting > 0)
        if (!turn(crowd, false))
            return false;
    note_memory(crowd);
    return true;
}

/* Every connection speaks once, BATCH of them at a time. */
static bool all_answer(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->settings.connections; i++) {
        CHECK(ask(crowd, i));
        if (crowd->waiting == BATCH)
            CHECK(hear_all(crowd));
    }
    return hear_all(crowd);
}

static bool hold_all(struct crowd *crowd)
{
    CHECK(connect_all(crowd));
    CHECK(all_answer(crowd));
    CHECK(child_descriptors(&crowd->server.child, LONG_MAX) > (long)crowd->settings.connections);
    return true;
}

/* The active ones are spread over all: neighbours in the server's tables are idle. */
static bool stay_active(struct crowd *crowd)
{
    const struct settings *settings = &crowd->settings;
    uint32_t step = settings->connections / settings->active;
    double end = seconds_now() + settings->seconds;
    double sample = 0;

    for (uint32_t i = 0; i < settings->active; i++)
        CHECK(ask(crowd, i * step));
    for (double now = seconds_now(); now < end; now = seconds_now()) {
        CHECK(turn(crowd, true));
        if (now >= sample) {
            note_memory(crowd);
            sample = now + 1;
        }
    }
    return hear_all(crowd);
}

static bool memory_is_bounded(const struct crowd *crowd)
{
    CHECK_SAY(crowd->highest_kib > 0 && crowd->highest_kib <= (long)crowd->settings.rss_kib,
              "RssAnon was %ld KiB", crowd->highest_kib);
    return true;
}

static bool server_ends_well(struct crowd *crowd)
{
    struct ending ending = child_end(&crowd->server.child, SIGTERM);
    char expected[64];

    snprintf(expected, sizeof(expected), "accepted %" PRIu32 ", failed 0, open at the end %" PRIu32,
             crowd->settings.connections, crowd->settings.connections);
    CHECK_SAY(ending.status == 0, "status %d, \"%s\"", ending.status, ending.err);
    CHECK_SAY(strncmp(ending.out, expected, strlen(expected)) == 0, "\"%s\"", ending.out);
    return true;
}

static void close_all(struct crowd *crowd)
{
    const struct linger at_once = {.l_onoff = 1};

    for (uint32_t i = 0; i < crowd->settings.connections; i++) {
        if (crowd->clients[i].fd < 0)
            continue;
        setsockopt(crowd->clients[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(crowd->clients[i].fd);
    }
}

static void tell(struct crowd *crowd)
{
    const struct settings *settings = &crowd->settings;
    uint64_t requests = 0;

    tap_result(hold_all(crowd), "%" PRIu32 " connections are held", settings->connections);
    tap_result(stay_active(crowd), "%" PRIu32 " of them are active for %" PRIu32 " s without error",
               settings->active, settings->seconds);
    tap_result(all_answer(crowd), "every connection answers afterwards");
    for (uint32_t i = 0; i < settings->connections; i++)
        requests += crowd->clients[i].requests;
    tap_note("%" PRIu64 " requests, RssAnon at most %ld KiB", requests, crowd->highest_kib);
    if (child_memory_tells())
        tap_result(memory_is_bounded(crowd), "RssAnon is at most %" PRIu32 " KiB",
                   settings->rss_kib);
    else
        tap_skip("a sanitizer's memory is in it", "RssAnon is at most %" PRIu32 " KiB",
                 settings->rss_kib);
    tap_result(server_ends_well(crowd), "the server ends well, and has counted every connection");
}

_Noreturn static void usage(void)
{
    fputs("usage: echo_hold [--connections N] [--active N] [--seconds N] [--rss-kib N]"
          " SERVER [OPTION...]\n",
          stderr);
    exit(2);
}

static uint32_t number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value < 1 || value > 1000000)
        usage();
    return (uint32_t)value;
}

static struct settings parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"connections", required_argument, NULL, 'c'},
        {"active", required_argument, NULL, 'a'},
        {"seconds", required_argument, NULL, 's'},
        {"rss-kib", required_argument, NULL, 'r'},
        {NULL, 0, NULL, 0},
    };
    struct settings settings = {10000, 100, 60, 6 * 1024};
    int option;

    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (option == 'c')
            settings.connections = number(optarg);
        else if (option == 'a')
            settings.active = number(optarg);
        else if (option == 's')
            settings.seconds = number(optarg);
        else if (option == 'r')
            settings.rss_kib = number(optarg);
        else
            usage();
    }
    if (optind == argc || settings.active > settings.connections)
        usage();
    return settings;
}

/* False, with the reason, where the system does not allow so many connections. */
static bool enough_descriptors(uint32_t connections)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return false;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max >= connections + 100;
}

int main(int argc, char **argv)
{
    struct crowd crowd = {.settings = parse(argc, argv)};

    if (!enough_descriptors(crowd.settings.connections)) {
        tap_skip("the limit of open descriptors is too low", "%" PRIu32 " connections are held",
                 crowd.settings.connections);
        return tap_end();
    }
    crowd.clients = calloc(crowd.settings.connections, sizeof(*crowd.clients));
    crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (crowd.clients == NULL || crowd.epoll < 0 ||
        !echo_server_start(&crowd.server, argv[optind], argv + optind + 1, 0)) {
        tap_result(false, "the server starts");
        return tap_end();
    }
    for (uint32_t i = 0; i < crowd.settings.connections; i++)
        crowd.clients[i].fd = -1;
    tell(&crowd);
    close_all(&crowd);
    close(crowd.epoll);
    free(crowd.clients);
    return tap_end();
}
