/* SPDX-License-Identifier: MIT */
/*
 * load.h: the load: many connections held, some of them busy, every echo checked.
 *
 * Bare epoll, one thread. A busy connection has a fixed number of requests under way (closed loop),
 * so the latencies are those of a server as busy as the client can make it. They are service times
 * under that load, no answer to "how late would my user's request be": see open_load.h.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "histogram.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_LARGEST_MESSAGE 65536

struct load_connection {
    int fd;            /* -1: lost */
    uint32_t sent;     /* number of the last request */
    uint32_t answered; /* and of the last whole echo */
    uint32_t received; /* bytes of the echo after that */
};

struct load {
    int queue;
    int count; /* connections asked for */
    int held;  /* that are open and have echoed */
    int busy;  /* requests under way */
    int nap;   /* how long to sleep for an echo: 0 spins, -1 sleeps */
    int depth; /* requests that a busy connection has under way */
    size_t bytes;
    uint64_t budget; /* requests that may still be sent */
    uint64_t replies;
    uint64_t errors;
    struct load_connection *connections;
    uint64_t *sent_at; /* `depth` for each connection */
    struct histogram histogram;
};

/*
 * `depth` messages of so many bytes are not larger than LOAD_LARGEST_MESSAGE. `spin`: never sleep
 * for an echo. 0, or -1 when there is no memory or no queue.
 */
int load_open(struct load *load, int count, size_t bytes, int depth, bool spin);

/* Connects all and has each echo once. 0 when all are held. */
int load_connect(struct load *load, const struct sockaddr_in *server);

/* Sends on `active` connections, spread over all, at most `budget` requests. */
void load_start(struct load *load, int active, uint64_t budget);

/* Answers echoes with new requests until `end` (CLOCK_MONOTONIC), or until nothing is under way. */
void load_run_until(struct load *load, uint64_t end);

/* Forgets what was counted so far, errors apart. */
void load_reset_counts(struct load *load);

/* Sends nothing more and waits for what is under way; what does not come counts as lost. */
void load_finish(struct load *load);

/* Resets every connection, so that none lingers in TIME_WAIT. */
void load_close(struct load *load);

#endif
