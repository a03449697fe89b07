/* SPDX-License-Identifier: MIT */
/*
 * peer.h: what a competitor implements, once, in one file.
 *
 * A process uses one peer, for one purpose: to serve echoes, or to watch descriptors.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdint.h>

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
};

/* All that were built in; ends with NULL. */
extern const struct bench_peer *const bench_peers[];

/* NULL if there is no such peer. */
const struct bench_peer *bench_peer_find(const char *name);

#endif
