/* SPDX-License-Identifier: MIT */
/*
 * open_load.h: requests that come when they come, however late the server is with those before.
 *
 * Which connection sends when is drawn before the first request. Each is sent at its time, also
 * while others of the same connection are under way, and its latency counts from the time at which
 * it was due, not from when the client got round to sending it. So a server that stops for a while
 * shows in every request that its stop made wait: nothing is left out because nobody asked.
 */
#ifndef BENCH_OPEN_LOAD_H
#define BENCH_OPEN_LOAD_H

#include "histogram.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPEN_LOAD_LARGEST 4096

struct open_request {
    uint64_t due; /* CLOCK_MONOTONIC */
    uint32_t connection;
    uint32_t next; /* under way on the same connection, or none */
};

struct open_connection {
    int fd;
    uint32_t received; /* bytes of the echo that comes next */
    uint32_t oldest;   /* requests under way, or none */
    uint32_t newest;
};

struct open_load {
    int queue;
    int count;
    size_t bytes;
    bool spins;
    struct open_connection *connections;
    struct open_request *requests; /* in the order of their times */
    uint32_t planned;
    uint32_t sent;
    uint32_t answered;
    uint64_t errors;
    uint64_t counts_from;       /* what was due before is warm-up */
    struct histogram latencies; /* from the time it was due to the whole echo */
    struct histogram lateness;  /* from the time it was due to the call of send */
};

/* `spin`: never sleep. 0, or -1 when there is no memory or no queue. */
int open_load_open(struct open_load *load, int count, size_t bytes, bool spin);

/* Connects all and has each echo once. 0, or -1 if not all of them did. */
int open_load_connect(struct open_load *load, const struct sockaddr_in *server);

/*
 * Draws the requests of so many nanoseconds: so many a second on average, the gaps exponential, the
 * connections random. Those of the first `warmup` nanoseconds do not count. The plan begins a
 * moment from now. 0, or -1 without memory.
 */
int open_load_plan(struct open_load *load, double per_second, uint64_t warmup, uint64_t duration,
                   uint64_t seed);

/*
 * Sends all at their times and waits for the echoes; what has not come ten seconds after the last
 * one counts as an error. `between`, if it is not NULL, is called whenever there was nothing to do
 * at once, and must be short.
 */
void open_load_run(struct open_load *load, void (*between)(void *), void *data);

/* Resets every connection. */
void open_load_close(struct open_load *load);

#endif
