/* SPDX-License-Identifier: MIT */
/*
 * context.h: the structs of the core, and who offers what to whom.
 *
 *   context.c   create, destroy, fork, the questions         wait.c      one wait, from entry to
 * exit watcher.c   add, modify, remove, the questions           ready.c     records -> ready
 * watchers interest.c  what the kernel holds and what it shall      requeue.c   a fresh kernel
 * queue nest.c      the descriptor for an outer loop             normalise.h kernel facts -> events
 */
#ifndef POLLUX_CORE_CONTEXT_H
#define POLLUX_CORE_CONTEXT_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pollux.h>

#include "backends/backend.h"
#include "src/base/alloc.h"
#include "src/base/descriptor_map.h"
#include "src/base/ring.h"
#include "src/base/slot_table.h"
#include "src/base/tuning.h"
#include "src/os/os.h"

/*
 * A watcher. 32 bytes with 8-byte pointers: the promise of 64 bytes for each descriptor is kept
 * here, on poll too, where 16 bytes and a little more go to the backend's arrays and 4 to 8 to
 * the descriptor map.
 *
 * Life: taken from the slot table by add, ACTIVE until removed, then retired: its token is stale
 * at once, its memory stays until the next wait has walked the list of touched watchers.
 */
struct plx_watcher {
    struct plx__target target;
    void *data;
    uint16_t events;    /* what the caller watches, modes included */
    uint16_t triggered; /* the last report, not yet masked with `events` */
    uint16_t kernel;    /* what the kernel holds; meaningless while PLX__OUTSIDE */
    uint16_t flags;
};

/* A watcher with more behind it: a custom handle, or a file that the kernel does not watch. */
struct plx__wide {
    struct plx_watcher watcher;
    const plx_handle_ops *ops; /* NULL for a plain descriptor */
    void *object;
    struct plx__ring ring; /* in the context's `always` or `buffered`, or in none */
};

/* Bits of plx_watcher.flags. */
#define PLX__ACTIVE  0x001u /* not removed */
#define PLX__WIDE    0x002u /* a struct plx__wide */
#define PLX__OUTSIDE 0x004u /* not in the kernel queue: a file, which is always ready */
#define PLX__BUFFERS 0x008u /* its handle has has_buffered */
#define PLX__MUTED   0x010u /* reported for the last time until modify */
#define PLX__REARM   0x020u /* tell the kernel even if the mask is the same */
#define PLX__TOUCHED 0x040u /* in the context's list of touched watchers */
#define PLX__REFUSED 0x080u /* the kernel has no such descriptor: one ERROR report is due */
#define PLX__ONCE    0x100u /* `kernel` has PLX_ONESHOT: the next record is the last */
#define PLX__GIVEN   0x200u /* in the batch that is being made; only while a wait needs to know */
#define PLX__SEEN    0x400u /* the kernel reported it in this wait; likewise */
#define PLX__LOST    0x800u /* the kernel refused it: what it still reports is a ghost */

/* Bits of plx_context.state, which other threads and signal handlers change too. */
#define PLX__BUSY     0x1u /* a thread is inside wait */
#define PLX__SLEEPING 0x2u /* and may be asleep in the kernel */
#define PLX__WOKEN    0x4u /* a wake is pending */
#define PLX__NESTED   0x8u /* plx_context_fd() was called: wakes have to show there */

/* Who can have something to report. A wait serves them in turn. */
enum plx__source { PLX__SOURCE_KERNEL, PLX__SOURCE_ALWAYS, PLX__SOURCE_BUFFERED, PLX__SOURCES };

struct plx_context {
    const struct plx__backend *backend;
    struct plx__queue *queue;
    const plx__guard *guard;
    uint32_t stamp;
    _Atomic uint32_t state;

    struct plx__slot_table slots;
    struct plx__descriptor_map map; /* of active watchers only */
    size_t active_count;

    /* Watchers that the next wait has to look at, linked by slot.next: changed, refused, removed.
     */
    uint32_t touched;
    uint32_t refused_count; /* how many of them are PLX__REFUSED */

    /* Members of the two rings, and refused watchers: what has to do with a wait and is not in the
       kernel. One compare tells whether a wait can take the short way. */
    uint32_t own_count;

    struct plx__ring always;   /* files that are armed and so ready */
    struct plx__ring buffered; /* custom handles to be asked for buffered bytes */
    enum plx__source turn;     /* who is served first in the next wait that has to choose */

    bool has_ghosts;    /* the kernel may hold descriptors that were closed and removed */
    bool needs_requeue; /* and it reports one: it needs a fresh queue */
    bool is_raised;     /* the nested descriptor was made to show ready */
    bool saw_wake;      /* the kernel reported a wake in this wait */

    plx_allocator allocator;
    struct plx__record records[PLX__BATCH];
};

/* Is something ready, or to be asked, that the kernel does not know of? */
static inline bool plx__ready_has_own(const struct plx_context *context)
{
    return context->own_count > 0;
}

static inline struct plx__wide *plx__wide(struct plx_watcher *watcher)
{
    return (struct plx__wide *)watcher;
}

static inline struct plx_watcher *plx__watcher_at(const struct plx_context *context,
                                                  uint32_t number)
{
    return plx__slots_at(context->slots.slabs, number);
}

static inline struct plx_watcher *plx__watcher_in_ring(struct plx__ring *ring)
{
    return (struct plx_watcher *)((uintptr_t)ring - offsetof(struct plx__wide, ring));
}

static inline struct plx_context *plx__watcher_owner(const struct plx_watcher *watcher)
{
    return plx__slot_slab(&watcher->target.slot)->owner;
}

static inline bool plx__is_forked(const struct plx_context *context)
{
    return plx__os_is_forked(context->guard, context->stamp);
}

/*
 * Copies a struct of the caller that starts with its size over the defaults in `copy`. False if it
 * is larger than what this release knows and the rest is not zero.
 */
bool plx__read_sized(void *copy, size_t known, const void *given, size_t given_size);

/* PLX_OK, or why `events` cannot be asked of a descriptor in this context. */
int plx__interest_check(const struct plx_context *context, uint32_t events);

/* What the kernel shall hold for a watcher as it stands now. */
uint32_t plx__interest_wanted(const struct plx_watcher *watcher);

/* Notes what the kernel holds now. */
void plx__interest_note(struct plx_watcher *watcher, uint32_t held);

/*
 * Brings the kernel to what a watcher wants: in the next wait, or at once when the context is
 * nested. PLX_ERR_NOMEM, with nothing changed in the kernel, only in the latter case.
 */
int plx__interest_change(struct plx_context *context, struct plx_watcher *watcher);

/* The kernel has no such descriptor: the watcher owes one ERROR report. */
void plx__interest_refuse(struct plx_context *context, struct plx_watcher *watcher);

/* Takes back the report that a watcher owes, if it does. */
void plx__interest_forgive(struct plx_context *context, struct plx_watcher *watcher);

/* Brings every touched watcher's change to the kernel, and frees the removed ones if asked to. */
int plx__interest_flush(struct plx_context *context, bool free_removed);

/* Puts a watcher on the list of touched ones. */
void plx__touch(struct plx_context *context, struct plx_watcher *watcher);

/* Puts a watcher into the ring where its kind waits to be reported, or takes it out. */
void plx__ready_arm(struct plx_context *context, struct plx_watcher *watcher);

/* Takes a wide watcher out of its ring, if it is in one. */
void plx__ready_leave(struct plx_context *context, struct plx_watcher *watcher);

/*
 * Shares `capacity` out among all sources, sleeping at most `timeout` in the kernel if nothing is
 * ready outside it. Returns how many were given; 0 also when a signal handler ran.
 */
int plx__ready_collect_in_turn(struct plx_context *context, struct plx_watcher **ret_ready,
                               int capacity, plx_duration timeout);

/* Looks for more after `count` were given. Returns how many there are then. */
int plx__ready_collect_rest(struct plx_context *context, struct plx_watcher **ret_ready,
                            int capacity, int count);

/* Takes one record, of whatever kind. Returns how many watchers it gave: 0 or 1. */
int plx__ready_take(struct plx_context *context, struct plx_watcher **ret_ready,
                    const struct plx__record *record);

/* One call of the backend's wait, which a wake can end. */
int plx__kernel_wait(struct plx_context *context, int capacity, plx_duration timeout);

/* Gives the context a fresh kernel queue with the same watchers. On error the old one is kept. */
int plx__requeue(struct plx_context *context, bool is_forked);

/* Makes the nested descriptor show what is ready outside the kernel. Nothing to do if not nested.
 */
void plx__nest_update(struct plx_context *context);

/* The same at the end of a wait of a nested context, which forgets the wakes that came. */
void plx__nest_leave(struct plx_context *context);

/* Ends the registration of an active watcher. `is_known`: the kernel is to forget it as well. */
void plx__watcher_retire(struct plx_context *context, struct plx_watcher *watcher, bool is_known);

/* Calls the cleanup of a watcher's handle, if it has one. */
void plx__watcher_clean(struct plx_watcher *watcher);

/* Frees a retired watcher after the cleanup of its handle. */
void plx__watcher_free(struct plx_context *context, struct plx_watcher *watcher);

#endif
