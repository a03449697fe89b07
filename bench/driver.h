/* SPDX-License-Identifier: MIT */
/*
 * driver.h: what all programs that run a peer in their own process have in common: their options,
 * and the line of results.
 */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include "options.h"
#include "peers/peer.h"

#include <stdbool.h>
#include <stddef.h>

struct driver {
    const struct bench_peer *peer;
    const char *tag; /* JSON members to put in front of the line */
    bool marks;
    bool pinned;
};

/*
 * Reads the options: --peer NAME, --cpu N, --tag TEXT, --seed N, --marks, and those of
 * the table; `--list` prints the peers that take part. Binds the process to its processor and opens
 * the loop of the peer. Ends the process with status 2 and the usage text when something is wrong.
 */
struct driver driver_begin(int argc, char *argv[], const char *usage,
                           const struct option_number *options,
                           bool (*takes_part)(const struct bench_peer *peer));

/*
 * With --marks a tracer sees where the operation begins, and where it ends (NULL): as the name that
 * the thread takes.
 */
void driver_mark(const struct driver *driver, const char *operation);

/* The thread's processor time since the last call, in nanoseconds. */
double driver_lap(void);

/*
 * A line of results, as README.md describes it: begin, the metrics, end. The cell is a format:
 * `NAME=VALUE` pairs between commas.
 */
__attribute__((format(printf, 3, 4))) void
driver_begin_line(const struct driver *driver, const char *workload, const char *cell, ...);
void driver_metric(const char *name, double value);
void driver_end_line(const struct driver *driver);

/* A pseudo-random number below the limit, up to 2^40. Without a division, which would cost more
   than some of the operations that are measured. */
uint64_t driver_below(uint64_t limit);

/* Puts the numbers 0 to count-1 into a random order. */
void driver_shuffle(size_t *order, size_t count);

#endif
