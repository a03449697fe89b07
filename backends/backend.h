/* SPDX-License-Identifier: MIT */
/*
 * backend.h: THE contract between the core and a kernel mechanism.
 *
 * A backend translates; the core decides. It is a const struct of functions and facts, so that
 * several are in one binary, tests can put a failing kernel beneath one, and everything that may be
 * relied on stands here. Numbered clauses; tests/unit/test_backend.c has a test for each.
 *
 *   B1  `was` is true when `modify` is called, and `want` differs from it, or the target has to be
 *       armed again.
 *   B2  After an error the kernel still holds what it held before.
 *   B3  A backend never calls back.
 *   B4  `wait` gives 0..capacity records, and is asked for 1..PLX__BATCH: a backend may have arrays
 *       of that size. It returns 0 early when a signal handler ran, a wake came, or somebody set
 *       the clock by which a kernel sleeps, never an error for that: the core owns the deadline
 *       and calls again.
 *   B5  One record for each token and wait.
 *   B6  Raw kernel facts go up; normalising is the core's. Each record has at least one fact that
 *       the interest asks for, or ERROR, HUP or PLX__GONE.
 *   B7  A record may be stale; the core drops it. A token of zeroes says that a wake arrived; the
 *       core drops that as well.
 *   B8  A sleep is at most late, never early through rounding.
 *   B9  Nothing is allocated but in `open` and `add`, and there before anything has changed.
 *   B10 A change costs at most one system call. `modify` may be carried by the next `wait` where
 *       the kernel can take it (kqueue); a refusal then comes as a record with PLX__GONE.
 *   B11 After a record for a target whose interest has PLX_ONESHOT, and after PLX__GONE, the kernel
 *       holds the target silent, as if `want` had been PLX__SILENT.
 *   B12 With more ready than `capacity`, the next `wait` goes on with those that were not reported:
 *       nobody comes again before everybody had a turn.
 *
 * Masks. `want` and `was` hold READ, WRITE, PRI, RDHUP and the modes ONESHOT and EDGE. ERROR and
 * HUP are always watched, so an interest of PLX_ONESHOT alone means "nothing but those, once".
 * PLX__SILENT (0) means: registered, and nothing is to be reported. A kernel that cannot help
 * telling about ERROR and HUP may give one record more; the core drops it.
 *
 * Results are PLX_OK or PLX_ERR_ codes, with the native cause in errno.
 */
#ifndef POLLUX_BACKENDS_BACKEND_H
#define POLLUX_BACKENDS_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <pollux/backend.h>
#include <pollux/event.h>
#include <pollux/handle.h>
#include <pollux/time.h>

#include "src/base/alloc.h"
#include "src/base/slot_table.h"

#define PLX__SILENT UINT32_C(0)

/* Beside the public bits in a record: the kernel says that there is no such descriptor. */
#define PLX__GONE UINT32_C(0x8000)

/* Every event that a descriptor can be asked for. */
#define PLX__DATA_EVENTS (PLX_READ | PLX_WRITE | PLX_PRI | PLX_RDHUP)
#define PLX__MODES       (PLX_ONESHOT | PLX_EDGE)

/*
 * The part of a watcher that a backend sees: which descriptor, and under which token. Its address
 * is stable from `add` to `remove`.
 */
struct plx__target {
    struct plx__slot slot; /* plx__slot_token() is what the kernel carries */
    plx_socket fd;
    uint32_t place; /* the backend's own; poll keeps the index in its array here */
};

/* What `wait` brings up. In this order epoll may write it itself. */
struct plx__record {
    uint32_t events; /* public bits and PLX__GONE */
    struct plx__token token;
};

/* A backend's state; each defines its own struct. */
struct plx__queue;

struct plx__backend {
    plx_backend id;
    const char *name;
    uint32_t supports;     /* events and modes that may be asked for */
    bool is_level_on_file; /* regular files can be added; else add says NOSUPPORT */
    bool is_remembered;    /* the kernel holds the interests: a renewed queue is empty */

    /* Does it work here and now? Running out of descriptors is no reason for no. */
    bool (*is_available)(void);

    /* The allocator outlives the queue. `capacity` targets are to fit without another allocation.
     */
    int (*open)(struct plx__queue **ret_queue, const plx_allocator *allocator, uint32_t capacity);

    /* Closes this process's descriptors and frees memory. It unregisters nothing: in a forked child
       that would happen in the parent's queue. */
    void (*close)(struct plx__queue *queue);

    /*
     * Adds a target. PLX_ERR_EXISTS if the kernel has this very file under this number;
     * PLX_ERR_NOSUPPORT if it is of a kind the kernel cannot watch because it is always ready;
     * PLX_ERR_BADHANDLE if it is not open.
     */
    int (*add)(struct plx__queue *queue, struct plx__target *target, uint32_t want);

    /* The target's token may be another one than before, and is handed over anew.
       PLX_ERR_BADHANDLE or PLX_ERR_NOTFOUND: the descriptor was closed. */
    int (*modify)(struct plx__queue *queue, struct plx__target *target, uint32_t was,
                  uint32_t want);

    /* Always forgets the target. False if the kernel did not know the descriptor: it was closed,
       and where a duplicate lives the kernel may go on reporting it under the old token. */
    bool (*remove)(struct plx__queue *queue, struct plx__target *target);

    /* PLX_OK if the kernel still holds this target under this very file; PLX_ERR_NOTFOUND or
       PLX_ERR_BADHANDLE if not; another code if it could not be found out. May cost two calls. */
    int (*holds)(struct plx__queue *queue, struct plx__target *target);

    int (*wait)(struct plx__queue *queue, struct plx__record *records, int capacity,
                plx_duration timeout);

    /* What a wait would say now of one target with this interest, as facts; nothing is consumed and
       no state changes. 0 also if it cannot be found out. One system call, save for those that a
       signal ended. */
    uint32_t (*look)(struct plx__queue *queue, const struct plx__target *target, uint32_t want);

    /* Ends the sleep of a `wait` in another thread. Async-signal-safe, any thread. Preserves errno.
     */
    void (*wake)(struct plx__queue *queue);

    /*
     * Puts a fresh kernel queue in the place of the old one, which is kept aside until `settle`.
     * Where there are no ghosts the same one may stay in its own process; targets are added to it
     * again all the same. `is_forked`: nothing may be shared with the old one, which is the
     * parent's.
     */
    int (*renew)(struct plx__queue *queue, bool is_forked);

    /* Ends a renewal: keeps the fresh queue and closes the old one, or the other way round. */
    void (*settle)(struct plx__queue *queue, bool keep_fresh);

    /*
     * A descriptor that is readable while `wait` would give a record, or while `raise` is on.
     * The number stays through `renew` unless is_forked. NULL where the kernel has no such thing.
     */
    int (*nest)(struct plx__queue *queue);

    /* Turns the other reason for readiness on or off. One system call; on event ports another one,
       to take back what shows. */
    void (*raise)(struct plx__queue *queue, bool on);

    /* A third reason, from `deadline` on, by the clock of plx__os_now(); PLX__NEVER: none. As many
       calls. NULL where `nest` is. */
    void (*alarm)(struct plx__queue *queue, int64_t deadline);
};

extern const struct plx__backend plx__backend_epoll;
extern const struct plx__backend plx__backend_poll;
extern const struct plx__backend plx__backend_kqueue;
extern const struct plx__backend plx__backend_wsapoll;
extern const struct plx__backend plx__backend_event_ports;

/*
 * Resolves what the caller asked for to a backend that works here. PLX_ERR_INVALID for
 * PLX_BACKEND_NONE and unknown values, PLX_ERR_UNAVAILABLE for what does not work here.
 */
int plx__backend_resolve(plx_backend wanted, const struct plx__backend **ret_backend);

#endif
