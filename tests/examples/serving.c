/* SPDX-License-Identifier: MIT */
/*
 * serving.c: the echo server under clients of every kind, in each mode on each backend.
 *
 * Every story gets a server of its own, which has to end well afterwards: a story in which all goes
 * right but after which the server leaks or dies is a failure.
 */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <pollux.h>

#include "child.h"
#include "stories.h"
#include "stream.h"
#include "tap.h"

enum { KIB = 1024, MIB = 1024 * KIB };

/* What the server may take in all, connections that do not read included. */
enum { RSS_LIMIT_KIB = 6 * KIB };

/* A socket that takes nothing for so long is taken to be full. */
enum { QUIET_MS = 200 };

/* Few descriptors, so that a handful of connections uses them up. */
enum { FEW_DESCRIPTORS = 32 };

static bool memory_is_bounded(const struct echo_server *server)
{
    long kib = child_rss_anon_kib(&server->child);

    CHECK_SAY(!child_memory_tells() || (kib > 0 && kib <= RSS_LIMIT_KIB), "RssAnon is %ld KiB",
              kib);
    return true;
}

static int64_t cpu_used_in(const struct echo_server *server, long while_ns)
{
    const struct timespec moment = {.tv_nsec = while_ns};
    int64_t before = child_cpu_ns(&server->child);

    nanosleep(&moment, NULL);
    return child_cpu_ns(&server->child) - before;
}

/*
 * A server that spins burns a processor for as long as we look; one that has only to finish what it
 * was given becomes quiet, sooner or later.
 */
static bool becomes_quiet(const struct echo_server *server)
{
    int64_t used = INT64_MAX;

    for (int looks = 0; looks < 40 && used > 20000000; looks++)
        used = cpu_used_in(server, 200000000);
    CHECK_SAY(used <= 20000000, "still %" PRId64 " ns of processor time in 200 ms", used);
    return true;
}

static bool open_stream(const struct echo_server *server, struct stream *stream, uint32_t seed)
{
    *stream = (struct stream){.fd = echo_server_connect(server), .seed = seed};
    CHECK(stream->fd >= 0);
    return true;
}

static bool open_slow_stream(const struct echo_server *server, struct stream *stream, uint32_t seed)
{
    int fd = echo_server_connect_small(server);

    *stream = (struct stream){.fd = fd, .seed = seed};
    CHECK(stream->fd >= 0);
    return true;
}

static bool echoes_every_size(const struct echo_server *server)
{
    static const uint64_t sizes[] = {1,     2,        63,    64,     1000,    4096,
                                     65535, 64 * KIB, 65537, 200000, MIB,     MIB + 1,
                                     1,     4 * MIB,  3,     MIB,    8 * MIB, 7};
    struct stream stream;
    uint64_t total = 0;

    CHECK(open_stream(server, &stream, 1));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        total += sizes[i];
        CHECK(stream_exchange(&stream, total));
    }
    close(stream.fd);
    return true;
}

static bool slow_reader_loses_nothing(const struct echo_server *server)
{
    const uint64_t total = 32 * MIB;
    struct stream slow;
    struct stream other;

    CHECK(open_slow_stream(server, &slow, 2));
    CHECK(open_stream(server, &other, 3));
    CHECK(stream_send_unread(&slow, total, QUIET_MS));
    CHECK(becomes_quiet(server));
    CHECK(memory_is_bounded(server));
    CHECK(stream_exchange(&other, 100 * KIB));
    CHECK(stream_exchange(&slow, total));
    CHECK(memory_is_bounded(server));
    close(slow.fd);
    close(other.fd);
    return true;
}

/* Sends on all of them until nobody takes more. */
static bool fill(struct stream *streams, size_t count)
{
    uint64_t before;
    uint64_t after = 0;

    do {
        before = after;
        after = 0;
        for (size_t i = 0; i < count; i++) {
            CHECK(stream_send_unread(&streams[i], MIB, 2));
            after += streams[i].sent;
        }
    } while (after > before);
    return true;
}

/* More of them than the server has buffers for: 64 KiB each would be twice what it may take. */
static bool many_slow_readers_are_bounded(const struct echo_server *server)
{
    enum { SLOW = 150 };
    struct stream slow[SLOW];
    struct stream other;

    for (uint32_t i = 0; i < SLOW; i++)
        CHECK(open_slow_stream(server, &slow[i], i));
    CHECK(fill(slow, SLOW));
    CHECK(becomes_quiet(server));
    CHECK(memory_is_bounded(server));
    CHECK(open_stream(server, &other, SLOW));
    CHECK(stream_exchange(&other, 16 * MIB));
    CHECK(memory_is_bounded(server));
    for (uint32_t i = 0; i < SLOW; i++)
        CHECK(stream_collect(&slow[i]));
    for (uint32_t i = 0; i < SLOW; i++)
        close(slow[i].fd);
    close(other.fd);
    return true;
}

/*
 * Resets idle, with answers under way, and after a half close, where Linux answers a send with
 * EPIPE and a signal that kills who is not prepared.
 */
static bool reset_harms_nobody_else(const struct echo_server *server)
{
    struct stream other;
    struct stream doomed;

    CHECK(open_stream(server, &other, 4));
    for (uint32_t i = 0; i < 30; i++) {
        CHECK(open_slow_stream(server, &doomed, i));
        if (i % 3 == 0)
            CHECK(stream_exchange(&doomed, i * KIB));
        else
            CHECK(stream_send_unread(&doomed, MIB, QUIET_MS));
        if (i % 3 == 2)
            CHECK(shutdown(doomed.fd, SHUT_WR) == 0);
        stream_reset(&doomed);
        CHECK(stream_exchange(&other, other.sent + 10 * KIB));
    }
    CHECK(becomes_quiet(server));
    close(other.fd);
    return true;
}

static bool half_close_gets_the_rest(const struct echo_server *server)
{
    struct stream stream;

    CHECK(open_slow_stream(server, &stream, 5));
    CHECK(stream_send_unread(&stream, 3 * MIB, QUIET_MS));
    CHECK(shutdown(stream.fd, SHUT_WR) == 0);
    CHECK(stream_collect(&stream));
    CHECK(stream_at_end(&stream));
    close(stream.fd);

    CHECK(open_stream(server, &stream, 6));
    CHECK(shutdown(stream.fd, SHUT_WR) == 0);
    CHECK(stream_at_end(&stream));
    close(stream.fd);
    return true;
}

/* Data and end of file in one segment burst: under PLX_EDGE one report has to bring both. */
static bool short_visits_end(const struct echo_server *server)
{
    for (uint32_t i = 0; i < 200; i++) {
        struct stream stream;

        CHECK(open_stream(server, &stream, i));
        CHECK(stream_send_unread(&stream, 1 + i, QUIET_MS));
        CHECK(shutdown(stream.fd, SHUT_WR) == 0);
        CHECK(stream_collect(&stream));
        CHECK(stream_at_end(&stream));
        close(stream.fd);
    }
    return true;
}

static bool idle_connections_cost_nothing(const struct echo_server *server)
{
    enum { IDLE = 500 };
    struct stream idle[IDLE];
    struct stream active;

    for (uint32_t i = 0; i < IDLE; i++)
        CHECK(open_stream(server, &idle[i], i));
    CHECK(open_stream(server, &active, 7));
    for (uint64_t i = 1; i <= 1000; i++)
        CHECK(stream_exchange(&active, i * 64));
    CHECK(becomes_quiet(server));
    CHECK(memory_is_bounded(server));
    for (uint32_t i = 0; i < IDLE; i++) {
        CHECK(stream_exchange(&idle[i], 100));
        close(idle[i].fd);
    }
    close(active.fd);
    return true;
}

struct flood {
    struct stream stream;
    pthread_barrier_t both_ready;
    atomic_bool stop;
    bool went_well;
};

static void *flood_until_told(void *argument)
{
    struct flood *flood = argument;
    static unsigned char bytes[MIB];

    pthread_barrier_wait(&flood->both_ready);
    while (!atomic_load(&flood->stop)) { /* as much as goes, both ways; what fails is tried again */
        struct pollfd state = {.fd = flood->stream.fd, .events = POLLIN | POLLOUT};

        flood->went_well =
            poll(&state, 1, PATIENCE_MS) == 1 && (state.revents & (POLLERR | POLLHUP)) == 0;
        if (!flood->went_well)
            break;
        send(flood->stream.fd, bytes, sizeof(bytes) / 2, MSG_DONTWAIT | MSG_NOSIGNAL);
        recv(flood->stream.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    }
    return NULL;
}

static bool flood_starves_nobody(const struct echo_server *server)
{
    struct flood flood = {.went_well = true};
    struct stream quiet;
    pthread_t thread;
    bool served = true;

    CHECK(open_stream(server, &flood.stream, 8));
    CHECK(open_stream(server, &quiet, 9));
    CHECK(pthread_barrier_init(&flood.both_ready, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, flood_until_told, &flood) == 0);
    pthread_barrier_wait(&flood.both_ready);
    for (uint64_t i = 1; i <= 1000 && served; i++)
        served = stream_exchange(&quiet, i * 64);
    atomic_store(&flood.stop, true);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&flood.both_ready);
    CHECK(served);
    CHECK(flood.went_well);
    close(flood.stream.fd);
    close(quiet.fd);
    return true;
}

static bool wait_for_descriptors(const struct echo_server *server, long count)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    long seen = child_descriptors(&server->child, FEW_DESCRIPTORS);

    for (int i = 0; i < PATIENCE_MS && seen != count; i++) {
        nanosleep(&moment, NULL);
        seen = child_descriptors(&server->child, FEW_DESCRIPTORS);
    }
    CHECK_SAY(seen == count, "%ld descriptors instead of %ld", seen, count);
    return true;
}

static bool out_of_descriptors_it_goes_on(const struct echo_server *server)
{
    enum { CLIENTS = 2 * FEW_DESCRIPTORS };
    struct stream client[CLIENTS];
    long served = FEW_DESCRIPTORS - child_descriptors(&server->child, FEW_DESCRIPTORS);

    CHECK_SAY(served > 2 && served < FEW_DESCRIPTORS, "room for %ld", served);
    for (uint32_t i = 0; i < CLIENTS; i++)
        CHECK(open_stream(server, &client[i], i));
    CHECK(wait_for_descriptors(server, FEW_DESCRIPTORS));
    for (long i = 0; i < served; i++)
        CHECK(stream_exchange(&client[i], 10 * KIB));
    CHECK(becomes_quiet(server));

    /* One leaves, the first of those who wait is next. Sent before it was accepted, and not lost.
     */
    for (long i = served; i < CLIENTS; i++) {
        CHECK(stream_send_unread(&client[i], 5 * KIB, QUIET_MS));
        close(client[i - served].fd);
        CHECK(stream_collect(&client[i]));
    }
    for (long i = CLIENTS - served; i < CLIENTS; i++)
        close(client[i].fd);
    return true;
}

static const struct story {
    const char *name;
    bool (*tell)(const struct echo_server *server);
    unsigned descriptors;
} stories[] = {
    {"echoes_every_size", echoes_every_size, 0},
    {"slow_reader_loses_nothing", slow_reader_loses_nothing, 0},
    {"many_slow_readers_are_bounded", many_slow_readers_are_bounded, 0},
    {"reset_harms_nobody_else", reset_harms_nobody_else, 0},
    {"half_close_gets_the_rest", half_close_gets_the_rest, 0},
    {"short_visits_end", short_visits_end, 0},
    {"idle_connections_cost_nothing", idle_connections_cost_nothing, 0},
    {"flood_starves_nobody", flood_starves_nobody, 0},
    {"out_of_descriptors_it_goes_on", out_of_descriptors_it_goes_on, FEW_DESCRIPTORS},
};

static bool tell(const struct story *story, const char *echo_server, char *const *options)
{
    struct echo_server server;
    struct ending ending;
    bool went_well;

    CHECK(echo_server_start(&server, echo_server, options, story->descriptors));
    went_well = story->tell(&server);
    ending = child_end(&server.child, SIGTERM);
    CHECK_SAY(ending.status == 0, "status %d, \"%s\"", ending.status, ending.err);
    CHECK_SAY(strncmp(ending.out, "accepted ", 9) == 0, "\"%s\"", ending.out);
    CHECK_SAY(ending.err[0] == '\0', "\"%s\"", ending.err);
    return went_well;
}

static void tell_all(const char *echo_server, plx_backend backend, const char *mode)
{
    char backend_name[32];
    char mode_option[32];
    char backend_option[] = "--backend";
    char *options[] = {backend_option, backend_name, mode_option, NULL};

    snprintf(backend_name, sizeof(backend_name), "%s", plx_backend_name(backend));
    snprintf(mode_option, sizeof(mode_option), "--%s", mode);
    if (strcmp(mode, "level") == 0)
        options[2] = NULL;
    for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
        tap_result(tell(&stories[i], echo_server, options), "echo_server/%s/%s/%s", backend_name,
                   mode, stories[i].name);
}

void tell_serving(const char *echo_server)
{
    plx_backend backends[8];
    int count = plx_backend_list(backends, 8);

    for (int i = 0; i < count; i++) {
        tell_all(echo_server, backends[i], "level");
        tell_all(echo_server, backends[i], "oneshot");
        if (plx_backend_supports(backends[i], PLX_EDGE))
            tell_all(echo_server, backends[i], "edge");
    }
}
