/* SPDX-License-Identifier: MIT */
/*
 * peer.h: what a competitor implements, once, in one file.
 *
 * A process uses one peer, for one purpose: to serve echoes, to watch descriptors, or to keep
 * timers.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stddef.h>
#include <stdint.h>

/*
 * What a library does with timers, in a process that does nothing else. Objects are named by their
 * index; durations count from now. A timer that fires adds one to the counter.
 */
struct bench_timers {
    /* Room for `count` objects, which nobody has touched yet. Returns 0, or -1 on failure. */
    int (*open)(size_t count, uint64_t *counter);

    /* Makes the object and starts it. */
    void (*start)(size_t index, uint64_t nanoseconds);

    /* Moves a running one, each time by another duration. */
    void (*move)(size_t index, uint64_t nanoseconds);

    /* Pushes a running one back by the idle timeout, the same for all: the call for each message.
     */
    void (*again)(size_t index);

    /* Ends it for good; it may be started again. */
    void (*stop)(size_t index);

    /* One pass of the loop that does not sleep. */
    void (*turn)(void);
};

/* What `again` waits for, and nothing that is measured ever reaches. */
#define BENCH_IDLE_SECONDS 2000

struct bench_peer {
    const char *name;

    /* Of the library that runs, not of its headers. */
    const char *(*version)(void);

    /* Echoes for every connection that reaches the listener. Returns -1 on failure only. */
    int (*serve)(int listener);

    /*
     * Watches `count` descriptors for reading, level-triggered. Whenever one is reported, the
     * handler adds one to the counter, which it finds through the pointer that the library keeps
     * for it. NULL where a library cannot watch a descriptor. Returns 0, or -1 on failure.
     */
    int (*watch)(const int *descriptors, int count, uint64_t *counter);

    /* One pass of the loop that does not sleep. NULL where `watch` is. */
    void (*turn)(void);

    /* NULL where a library has none of its own. */
    const struct bench_timers *timers;
};

/* All that were built in; ends with NULL. */
extern const struct bench_peer *const bench_peers[];

/* NULL if there is no such peer. */
const struct bench_peer *bench_peer_find(const char *name);

#endif
