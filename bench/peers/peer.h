/* SPDX-License-Identifier: MIT */
/*
 * peer.h: what a competitor implements, in one file.
 *
 * A process uses one peer, for one purpose. `open` comes first, then the functions of one group.
 * A group that a library has nothing for is NULL, and the peer is left out of its workloads;
 * `lacks` says why, for the reader of a report.
 *
 * Handlers do one thing: they add one to the counter that was given with the objects, which they
 * find through the pointer that the library keeps for its users. A function without a result ends
 * the process if it fails: such a trial measures nothing.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Registrations that come and go. Objects are named by their index. */
struct bench_watchers {
    /* Room for `count` of them, which nobody has touched yet. Returns 0, or -1 on failure. */
    int (*open)(size_t count, uint64_t *counter);

    /* Makes the object and watches a descriptor for reading, level-triggered. */
    void (*add)(size_t index, int fd);

    /* Watches for writing as well, or for reading alone again. */
    void (*modify)(size_t index, bool writing);

    /* A pause: the descriptor is not watched from `stop` to `start`, and the object stays. */
    void (*stop)(size_t index, int fd);
    void (*start)(size_t index, int fd);

    /* The end of the object. The descriptor stays open. */
    void (*remove)(size_t index, int fd);

    /* The end of both, in the order that the library asks for. */
    void (*close)(size_t index, int fd);
};

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
};

/* What `again` waits for, and nothing that is measured ever reaches. */
#define BENCH_IDLE_SECONDS 2000

/* How other threads reach the loop. */
struct bench_wakers {
    /* `count` objects that can be notified. Returns 0, or -1 on failure. */
    int (*open)(size_t count, uint64_t *counter);

    /* Any thread: the handler of that object runs, once for several of these that come together. */
    void (*notify)(size_t index);

    /* One pass that does not sleep, and one that sleeps until something was notified. */
    void (*turn)(void);
    void (*wait)(void);

    /*
     * Any thread: the loop adds one to the counter, exactly once for each. `run` is one pass that
     * sleeps until something was posted. NULL, both: there is no such queue.
     */
    void (*post)(uint64_t *counter);
    void (*run)(void);
};

/* What a server can do beside echoing. */
#define BENCH_SERVES_IDLE 1U /* a timer in each connection, pushed back by each message */
#define BENCH_SERVES_TICK 2U /* a timer of a millisecond whose lateness is noted */

struct bench_peer {
    const char *name;

    /* Of the library that runs, not of its headers. */
    const char *(*version)(void);

    /* Makes a loop, and frees one that watches nothing. 0, or -1 after a message. */
    int (*open)(void);
    void (*close)(void);

    /* One pass of the loop that does not sleep. */
    void (*turn)(void);

    /* Echoes for every connection that reaches the listener. Returns -1 on failure only. */
    int (*serve)(int listener);
    unsigned serves; /* BENCH_SERVES_ bits */

    /*
     * Watches `count` descriptors for reading, level-triggered. Returns 0, or -1 on failure.
     */
    int (*watch)(const int *descriptors, int count, uint64_t *counter);

    /*
     * The same, but a report disarms its descriptor, and the handler arms it again. Returns 0, or
     * -1 on failure.
     */
    int (*watch_once)(const int *descriptors, int count, uint64_t *counter);
    void (*turn_once)(void); /* as `turn`; NULL: `turn` does it */

    const struct bench_watchers *watchers;
    const struct bench_timers *timers;
    const struct bench_wakers *wakers;

    /* Why something above is NULL. */
    const char *lacks;

    /* Why it cannot run on this system, or NULL. NULL itself where it always can. */
    const char *(*refused)(void);
};

/* All that were built in; ends with NULL. */
extern const struct bench_peer *const bench_peers[];

/* NULL if there is no such peer. */
const struct bench_peer *bench_peer_find(const char *name);

/*
 * What `--list` prints: `NAME VERSION` of those for which `takes_part` holds, and `! NAME REASON`
 * of the others. Returns 0.
 */
int bench_peer_list(bool (*takes_part)(const struct bench_peer *peer));

#endif
