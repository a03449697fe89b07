/* SPDX-License-Identifier: MIT */
/*
 * threads_example.c: the echo server with several threads serves a thousand connections, keeps its
 * threads equally busy, and ends well while others still come.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pollux.h>

#include "child.h"
#include "stories.h"
#include "stream.h"
#include "tap.h"
#include "words.h"

enum { CLIENTS = 1000, THREADS = 4 };

/* What the last words say of one thread. */
struct share {
    uint64_t accepted;
    uint64_t handed_over;
    uint64_t open_at_end;
};

static bool open_threads(struct echo_server *server, const char *echo_threads, const char *options,
                         unsigned descriptors)
{
    struct words words;

    words_split(&words, options);
    return echo_server_start(server, echo_threads, words.list, descriptors);
}

/* The last words, one line for each thread, in order, and one for all. */
static bool parse_ending(const struct ending *ending, struct share shares[THREADS],
                         const char *total)
{
    const char *line = ending->out;

    CHECK_SAY(ending->status == 0, "status %d, \"%s\"", ending->status, ending->err);
    CHECK_SAY(ending->err[0] == '\0', "\"%s\"", ending->err);
    for (size_t i = 0; i < THREADS; i++) {
        size_t number = THREADS;

        CHECK_SAY(sscanf(line,
                         "thread %zu: accepted %" SCNu64 ", handed over %" SCNu64
                         ", open at the end %" SCNu64,
                         &number, &shares[i].accepted, &shares[i].handed_over,
                         &shares[i].open_at_end) == 4 &&
                      number == i,
                  "\"%s\"", ending->out);
        line = strchr(line, '\n');
        CHECK(line != NULL);
        line++;
    }
    CHECK_SAY(strncmp(line, total, strlen(total)) == 0, "\"%s\"", line);
    return true;
}

/*
 * The kernel deals clients to listeners by a hash: that all of a thousand come out even by chance
 * is beyond belief, so somebody has handed over. While clients only come, a thread gets at most 4
 * more than another and one, and one for each thread that chooses at the same moment.
 */
static bool shares_are_even(const struct share shares[THREADS])
{
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    uint64_t handed_over = 0;

    for (size_t i = 0; i < THREADS; i++) {
        least = shares[i].open_at_end < least ? shares[i].open_at_end : least;
        most = shares[i].open_at_end > most ? shares[i].open_at_end : most;
        handed_over += shares[i].handed_over;
    }
    CHECK_SAY(most - least <= 4 + 1 + THREADS, "from %" PRIu64 " to %" PRIu64, least, most);
    CHECK(handed_over > 0);
    return true;
}

static bool thousand_connections(const char *echo_threads)
{
    static struct stream streams[CLIENTS];
    struct share shares[THREADS];
    struct echo_server server;
    struct ending ending;

    CHECK(open_threads(&server, echo_threads, "--threads 4", 0));
    for (uint32_t i = 0; i < CLIENTS; i++) {
        streams[i] = (struct stream){.fd = echo_server_connect(&server), .seed = i};
        CHECK(streams[i].fd >= 0);
        CHECK(stream_send_unread(&streams[i], 1000, PATIENCE_MS));
    }
    for (uint32_t i = 0; i < CLIENTS; i++)
        CHECK(stream_collect(&streams[i]));
    for (uint32_t i = 0; i < CLIENTS; i += 10)
        CHECK(stream_exchange(&streams[i], 100000));
    ending = child_end(&server.child, SIGTERM);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        CHECK(stream_at_end(&streams[i]));
        close(streams[i].fd);
    }
    CHECK(parse_ending(&ending, shares,
                       "accepted 1000, failed 0, open at the end 1000, echoed 10900000 bytes\n"));
    return shares_are_even(shares);
}

static bool every_kind_of_client(const char *echo_threads, const char *options)
{
    struct echo_server server;
    struct stream slow = {.seed = 1};
    struct stream half = {.seed = 2};
    struct stream doomed = {.seed = 3};
    struct ending ending;

    CHECK(open_threads(&server, echo_threads, options, 0));
    slow.fd = echo_server_connect_small(&server);
    half.fd = echo_server_connect(&server);
    doomed.fd = echo_server_connect_small(&server);
    CHECK(slow.fd >= 0 && half.fd >= 0 && doomed.fd >= 0);
    CHECK(stream_send_unread(&slow, 8000000, 100));
    CHECK(stream_send_unread(&doomed, 8000000, 100));
    stream_reset(&doomed);
    CHECK(stream_exchange(&half, 3000000) && shutdown(half.fd, SHUT_WR) == 0);
    CHECK(stream_at_end(&half));
    CHECK(stream_exchange(&slow, 8000000));
    ending = child_end(&server.child, SIGINT);
    CHECK(stream_at_end(&slow));
    close(slow.fd);
    close(half.fd);
    CHECK_SAY(ending.status == 0, "status %d, \"%s\"", ending.status, ending.err);
    CHECK_SAY(strstr(ending.out, "\naccepted 3, failed 1, open at the end 1, ") != NULL, "\"%s\"",
              ending.out);
    return true;
}

/* Comes and stays, again and again, until nobody answers the door. */
struct crowd {
    struct echo_server *server;
    pthread_barrier_t begun;
    int fds[CLIENTS];
    int count;
    bool is_refused;
};

static void *keep_coming(void *argument)
{
    struct crowd *crowd = argument;

    for (int i = 0; i < CLIENTS; i++) {
        int fd = crowd->is_refused ? -1 : echo_server_connect(crowd->server);

        crowd->is_refused = fd < 0;
        if (fd >= 0)
            crowd->fds[crowd->count++] = fd;
        if (i == 50)
            pthread_barrier_wait(&crowd->begun);
    }
    return NULL;
}

/* Whoever came is counted, and what is handed over in the last moment is lost by nobody. */
static bool ends_while_others_come(const char *echo_threads)
{
    static struct crowd crowd;
    struct echo_server server;
    struct ending ending;
    struct share shares[THREADS];
    uint64_t accepted = 0;
    uint64_t open_at_end = 0;
    pthread_t thread;

    crowd = (struct crowd){.server = &server};
    CHECK(open_threads(&server, echo_threads, "--threads 4", 0));
    CHECK(pthread_barrier_init(&crowd.begun, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, keep_coming, &crowd) == 0);
    pthread_barrier_wait(&crowd.begun);
    ending = child_end(&server.child, SIGTERM);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&crowd.begun);
    for (int i = 0; i < crowd.count; i++)
        close(crowd.fds[i]);
    CHECK(crowd.count >= 50);
    CHECK(parse_ending(&ending, shares, "accepted "));
    for (size_t i = 0; i < THREADS; i++) {
        accepted += shares[i].accepted;
        open_at_end += shares[i].open_at_end;
    }
    CHECK_SAY(accepted == open_at_end, "%" PRIu64 " accepted, %" PRIu64 " open", accepted,
              open_at_end);
    return true;
}

/* Also when it is another thread that has the next descriptor free. */
static bool out_of_descriptors_it_goes_on(const char *echo_threads)
{
    enum { FEW = 40, MANY = 2 * FEW };
    struct stream streams[MANY];
    struct echo_server server;

    CHECK(open_threads(&server, echo_threads, "--threads 2", FEW));
    for (uint32_t i = 0; i < MANY; i++) {
        streams[i] = (struct stream){.fd = echo_server_connect(&server), .seed = i};
        CHECK(streams[i].fd >= 0);
        CHECK(stream_send_unread(&streams[i], 1000, PATIENCE_MS));
    }
    for (uint32_t i = 0; i < MANY; i++)
        CHECK(shutdown(streams[i].fd, SHUT_WR) == 0); /* who was served goes, and makes room */
    for (uint32_t i = 0; i < MANY; i++) {
        CHECK(stream_collect(&streams[i]));
        CHECK(stream_at_end(&streams[i]));
        close(streams[i].fd);
    }
    CHECK(child_end(&server.child, SIGTERM).status == 0);
    return true;
}

static void tell_bad_options(const char *echo_threads)
{
    static const struct {
        const char *options;
        const char *reason;
    } bad[] = {
        {"--nonsense", "usage:"},
        {"--threads", "usage:"},
        {"--threads 0", "0: there can be"},
        {"--threads 257", "257: there can be"},
        {"--threads 2x", "2x: there can be"},
        {"70000", "70000: a port is"},
        {"localhost 0", "localhost: not an IPv4 or IPv6 address"},
        {"127.0.0.1 0 0", "usage:"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        tap_result(program_ends(echo_threads, bad[i].options, 2, bad[i].reason),
                   "echo_threads/options/%s", bad[i].options);
}

/* The soft limit may be too low for the clients, who are all here. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void tell_on(const char *backend, const char *echo_threads)
{
    setenv("POLLUX_BACKEND", backend, 1);
    tap_result(thousand_connections(echo_threads), "echo_threads/%s/thousand_connections", backend);
    tap_result(every_kind_of_client(echo_threads, "--threads 3"),
               "echo_threads/%s/every_kind_of_client", backend);
    tap_result(every_kind_of_client(echo_threads, ""), "echo_threads/%s/default_threads", backend);
    tap_result(ends_while_others_come(echo_threads), "echo_threads/%s/ends_while_others_come",
               backend);
    tap_result(out_of_descriptors_it_goes_on(echo_threads),
               "echo_threads/%s/out_of_descriptors_it_goes_on", backend);
    unsetenv("POLLUX_BACKEND");
}

void tell_threads(const char *echo_threads)
{
    plx_backend backends[8];
    int count = plx_backend_list(backends, 8);

    raise_descriptor_limit();
    tell_bad_options(echo_threads);
    for (int i = 0; i < count; i++)
        tell_on(plx_backend_name(backends[i]), echo_threads);
}
