/* SPDX-License-Identifier: MIT */
/*
 * context.h: the structs of the core, and who offers what to whom.
 *
 *   context.c     create, destroy, fork, the questions
 *   watcher.c     add, modify, remove, the questions: what all kinds of watchers share
 *   descriptor.c  the kinds that have a descriptor of the caller's behind them
 *   interest.c    what the kernel holds and what it shall hold
 *   wait.c        one wait, from entry to exit
 *   ready.c       records -> ready watchers
 *   arrival.c     what other threads and signal handlers bring in
 *   requeue.c     a fresh kernel queue
 *   nest.c        the descriptor for an outer loop
 *   normalise.h   kernel facts -> events
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
#include "src/base/timer_queue.h"
#include "src/base/tuning.h"
#include "src/os/os.h"

/*
 * A watcher. 32 bytes with 8-byte pointers: the promise of 64 bytes for each descriptor is kept
 * here, on poll too, where 16 bytes and a little more go to the backend's arrays and 4 to 8 to
 * the descriptor map.
 *
 * Life: taken from the slot table by add, ACTIVE until removed, then retired: its token is stale
 * at once, its memory stays until the next wait has walked the list of touched watchers. A timer,
 * whose token nobody has, is among what was staged instead (src/sources/timer.h).
 */
struct plx_watcher {
    struct plx__target target;
    void *data;
    uint16_t events;    /* what the caller watches, modes included */
    uint16_t triggered; /* the last report, not yet masked with `events` */
    uint16_t kernel;    /* what the kernel holds; meaningless while PLX__OUTSIDE */
    uint16_t flags;
};

/* A watcher that can have something to report of which the kernel does not know. */
struct plx__ringed {
    struct plx_watcher watcher;
    struct plx__ring ring; /* in the ring of the context where its kind waits, or in none */
};

/* A custom handle, or a file that the kernel does not watch. */
struct plx__wide {
    struct plx__ringed ringed;
    const plx_handle_ops *ops; /* NULL for a plain descriptor */
    void *object;
};

/*
 * A watcher that other threads and signal handlers raise: see arrival.c. They touch nothing of it
 * but these two, and its slab.
 */
struct plx__raised {
    struct plx__ringed ringed;
    struct plx__ring among; /* in the context's `raisable` */
    _Atomic uint32_t state;
    struct plx__raised *next; /* among the arrivals; whoever set PLX__LINKED owns it */
};

/* Bits of plx__raised.state. */
#define PLX__ALIVE  0x1u /* its watcher was not removed */
#define PLX__UP     0x2u /* something is to be reported */
#define PLX__LINKED 0x4u /* among the arrivals, or on the way there */

/*
 * The kinds of watchers, each a class of slots; with a callback, which then stands behind
 * everything else in the slot, a second one.
 */
enum plx__kind {
    PLX__KIND_FD,
    PLX__KIND_WIDE,
    PLX__KIND_TIMER,
    PLX__KIND_NOTIFY,
    PLX__KIND_SIGNAL,
    PLX__KIND_PROCESS,
    PLX__KINDS
};

/* What a kind does its own way. */
struct plx__kind_ops {
    size_t size; /* of its watchers */

    /* What can be asked of it, with or without PLX_ONESHOT; 0: see `check`. */
    uint32_t natural;

    /* PLX_OK, or why these events cannot be asked of it in this context. */
    int (*check)(const struct plx_context *context, uint32_t events);

    /* Begins to watch. NULL: plx__timer_add() does. It may put a watcher of another kind in the
       place of the new one. On error nothing has changed. */
    int (*start)(struct plx_context *context, struct plx_watcher **watcher,
                 const plx_handle *handle);

    /* Arms it again with the events that it has now. On error nothing has changed. */
    int (*change)(struct plx_context *context, struct plx_watcher *watcher);

    /* Nothing of it is reported until it is changed: it was marked PLX__MUTED. */
    void (*mute)(struct plx_context *context, struct plx_watcher *watcher);

    /* Ends watching. Nothing of it is reported from now on. */
    void (*stop)(struct plx_context *context, struct plx_watcher *watcher);

    /* The handle that it was made with. */
    plx_handle (*handle)(const struct plx_watcher *watcher);

    /* What its last report stands for. NULL: nothing. */
    uint64_t (*count)(const struct plx_watcher *watcher);

    /* What a raised one reports now; 0: nothing after all. It lowers itself unless it stays ready.
       NULL: it is never raised. */
    uint32_t (*report)(struct plx_context *context, struct plx_watcher *watcher);

    /* In a forked child, of what can be raised: takes hold again of what is the process's, and
       forgets what came to the parent. It may be called again. NULL: nothing to do. */
    int (*resume)(struct plx_context *context, struct plx_watcher *watcher);

    /* In a forked child, of one whose descriptor is gone: true if it was the library's own and is
       there again, under its number. NULL: it was not. */
    bool (*reopen)(struct plx_watcher *watcher);

    /* The context is being destroyed: gives back what is the process's. NULL: nothing to do. */
    void (*release)(struct plx_watcher *watcher);

    /* The watcher is about to be freed. Only for those that are PLX__WIDE. */
    void (*clean)(struct plx_watcher *watcher);
};

extern const struct plx__kind_ops *const plx__kinds[PLX__KINDS];

/* Bits of plx_watcher.flags. */
#define PLX__ACTIVE  0x001u /* not removed */
#define PLX__WIDE    0x002u /* of the kind with more behind it */
#define PLX__OUTSIDE 0x004u /* not in the kernel queue: a file, which is always ready */
#define PLX__BUFFERS 0x008u /* its handle has has_buffered */
#define PLX__MUTED   0x010u /* reported for the last time until modify; a timer: not running */
#define PLX__REARM   0x020u /* tell the kernel even if the mask is the same */
#define PLX__TOUCHED 0x040u /* in the context's list of touched watchers */
#define PLX__REFUSED 0x080u /* the kernel has no such descriptor: one ERROR report is due */
#define PLX__ONCE    0x100u /* `kernel` has PLX_ONESHOT: the next record is the last */
#define PLX__GIVEN   0x200u /* in the batch that is being made; only while a wait needs to know */
#define PLX__SEEN    0x400u /* the kernel reported it in this wait; likewise */
#define PLX__LOST    0x800u /* the kernel refused it: what it still reports is a ghost */

#define PLX__BACKGROUND 0x1000u /* does not keep plx_context_run() going */

/* Bits of plx_context.state, which other threads and signal handlers change too. */
#define PLX__BUSY     0x01u /* a thread is inside wait, or in the callbacks of a turn */
#define PLX__SLEEPING 0x02u /* and may be asleep in the kernel */
#define PLX__NESTED   0x04u /* plx_context_fd() was called: what follows has to show there */
#define PLX__WOKEN    0x08u /* a wake is pending */
#define PLX__POSTED   0x10u /* a task was posted */
#define PLX__ARRIVED  0x20u /* something is among the arrivals */
#define PLX__STOPPED  0x40u /* run is to return */
#define PLX__HALTED   0x80u /* and a sleep is to end for it: whoever takes either takes this */

/* One of these ends a sleep. */
#define PLX__NEWS (PLX__WOKEN | PLX__POSTED | PLX__ARRIVED | PLX__HALTED)

/* These end a wait, even without a report. */
#define PLX__ENDINGS (PLX__WOKEN | PLX__POSTED | PLX__HALTED)

/* Who can have something to report. A wait serves them in turn. */
enum plx__source {
    PLX__SOURCE_KERNEL,
    PLX__SOURCE_TIMERS,
    PLX__SOURCE_RAISED,
    PLX__SOURCE_ALWAYS,
    PLX__SOURCE_BUFFERED,
    PLX__SOURCES
};

struct plx__task; /* of src/loop/post.c */

struct plx_context {
    const struct plx__backend *backend;
    struct plx__queue *queue;
    const plx__guard *guard;
    uint32_t stamp;
    _Atomic uint32_t state;

    struct plx__slot_table slots;
    struct plx__descriptor_map map; /* of active watchers only */
    uint32_t active_count;
    uint32_t armed_count; /* those that keep plx_context_run() going */

    /*
     * While these are 0 a wait has nothing to do but to ask the kernel. They are read together.
     */
    uint32_t touched;       /* watchers that the next wait has to look at, linked by their slots:
                               changed, refused, removed */
    uint32_t needs_requeue; /* the kernel reports a ghost: it needs a fresh queue */
    uint32_t own_count;     /* members of the rings, and refused watchers */
    struct plx__timer_queue timers; /* and its `count` */

    uint32_t refused_count;    /* how many of the touched are PLX__REFUSED */
    struct plx__ring always;   /* files that are armed and so ready */
    struct plx__ring buffered; /* custom handles to be asked for buffered bytes */
    struct plx__ring raised;   /* signals, notifies and finished processes to be reported */
    enum plx__source turn;     /* who is served first in the next wait that has to choose */
    int64_t now;               /* the clock, read at most once between two sleeps; 0: not yet */

    uint32_t timer_watchers; /* active timers, running or not, and ended ones that are staged */
    uint64_t *staged_end;    /* behind the last word in `staged` */
    uint64_t *shown_end;     /* up to here, those that were removed are not PLX__ACTIVE any more */

    bool has_ghosts; /* the kernel may hold descriptors that were closed and removed */
    bool is_raised;  /* the nested descriptor was made to show ready */
    bool saw_wake;   /* the kernel reported a wake in this wait */
    bool has_unseen; /* further on in `staged` there are some that still are */
    int64_t alarm;   /* what wakes the nested descriptor; PLX__NEVER: nothing */

    /* Brought in by other threads and signal handlers, the latest first. */
    _Atomic(struct plx__raised *) arrivals;
    _Atomic(struct plx__task *) posted;

    struct plx__ring raisable; /* all watchers that others can raise */
    struct plx__task *tasks;   /* taken over from `posted`, in order */
    struct plx__loop *loop;    /* made by the first turn */
    void (*task_dropped)(plx_task *task, void *data);

    plx_allocator allocator;
    union {
        struct plx__record records[PLX__BATCH]; /* in a wait */
        uint64_t staged[PLX__STAGED];           /* until the next one: see src/sources/timer.h */
    };
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
    return (struct plx_watcher *)((uintptr_t)ring - offsetof(struct plx__ringed, ring));
}

static inline struct plx__raised *plx__raised_among(struct plx__ring *among)
{
    return (struct plx__raised *)((uintptr_t)among - offsetof(struct plx__raised, among));
}

static inline struct plx__ring *plx__watcher_ring(struct plx_watcher *watcher)
{
    return &((struct plx__ringed *)watcher)->ring;
}

/* The class of slots of a kind, without and with a callback. */
static inline unsigned plx__kind_class(enum plx__kind kind, bool has_callback)
{
    return (unsigned)kind * 2 + has_callback;
}

/* Where the callback stands in a slot of such a class: behind all that the kind has, `size`. */
static inline plx_callback **plx__callback_place(const struct plx_watcher *watcher, size_t size)
{
    return (plx_callback **)((uintptr_t)watcher + size);
}

static inline enum plx__kind plx__watcher_kind(const struct plx_watcher *watcher)
{
    return (enum plx__kind)(plx__slot_class(&watcher->target.slot) / 2);
}

/* Was it added with a callback, which then stands behind everything else in its slot? */
static inline bool plx__watcher_has_callback(const struct plx_watcher *watcher)
{
    return plx__slot_class(&watcher->target.slot) % 2;
}

/* The context that was created last, or NULL when that is gone. */
extern _Atomic(struct plx_context *) plx__latest_context;

/*
 * In most programs there is one context, so it is guessed, and the branch foreseen. A processor
 * that gets the owner's address from the watcher's memory does not know until then what the stores
 * of a call go to, and holds back what the next call loads (docs/adr/0007 has what that costs). The
 * compiler is not to see that both are the same.
 */
static inline struct plx_context *plx__guess_owner(struct plx_context *owner)
{
    struct plx_context *guess = atomic_load_explicit(&plx__latest_context, memory_order_relaxed);
    if (!PLX__LIKELY(owner == guess))
        return owner;
    PLX__HIDE(guess);
    return guess;
}

static inline struct plx_context *plx__watcher_owner(const struct plx_watcher *watcher)
{
    return plx__guess_owner(plx__slot_slab(&watcher->target.slot)->owner);
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

/* Does the watcher keep plx_context_run() going? */
static inline bool plx__keeps_running(uint32_t flags)
{
    return (flags & (PLX__ACTIVE | PLX__MUTED | PLX__BACKGROUND)) == PLX__ACTIVE;
}

/* The flags that say whether a watcher is armed change here, when it is added, and when it is
   retired. */
static inline void plx__watcher_mark(struct plx_context *context, struct plx_watcher *watcher,
                                     uint32_t set, uint32_t clear)
{
    uint32_t flags = (watcher->flags | set) & ~clear;
    context->armed_count += plx__keeps_running(flags);
    context->armed_count -= plx__keeps_running(watcher->flags);
    watcher->flags = (uint16_t)flags;
}

/* --- watcher.c --- */

/* An unused watcher of that kind, or NULL when there is no memory. */
struct plx_watcher *plx__watcher_take(struct plx_context *context, enum plx__kind kind,
                                      bool has_callback);

/* Adds a watcher; `callback` may be NULL. See plx_context_add() and plx_context_on(). */
int plx__watcher_add(struct plx_context *context, const plx_handle *handle, uint32_t events,
                     plx_callback *callback, void *data, plx_watcher **ret_watcher);

/* Timers that were removed without a look at them may still be PLX__ACTIVE. Here that ends. */
void plx__timers_show(struct plx_context *context);

static inline bool plx__watcher_is_active(struct plx_context *context,
                                          const struct plx_watcher *watcher)
{
    if (watcher->flags & PLX__ACTIVE && context->has_unseen &&
        plx__watcher_kind(watcher) == PLX__KIND_TIMER)
        plx__timers_show(context);
    return watcher->flags & PLX__ACTIVE;
}

/* NULL if it was added without one. */
plx_callback *plx__watcher_callback(const struct plx_watcher *watcher);

/* PLX_OK and its context, or why nothing can be done with a watcher. */
static inline int plx__watcher_check(const struct plx_watcher *watcher,
                                     struct plx_context **ret_context)
{
    if (!watcher)
        return PLX_ERR_INVALID;
    *ret_context = plx__watcher_owner(watcher);
    if (plx__is_forked(*ret_context))
        return PLX_ERR_FORKED;
    return plx__watcher_is_active(*ret_context, watcher) ? PLX_OK : PLX_ERR_INACTIVE;
}

/* Silences an active watcher until modify. */
void plx__watcher_mute(struct plx_context *context, struct plx_watcher *watcher);

/* The registration of an active watcher has ended, which stopped watching before. */
void plx__watcher_retire(struct plx_context *context, struct plx_watcher *watcher);

/* Frees a retired watcher, after the cleanup of its handle. */
static inline void plx__watcher_free(struct plx_context *context, struct plx_watcher *watcher)
{
    if (watcher->flags & PLX__WIDE)
        plx__kinds[plx__watcher_kind(watcher)]->clean(watcher);
    plx__slots_put(&context->slots, &watcher->target.slot);
}

/* --- interest.c --- */

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
static inline void plx__touch(struct plx_context *context, struct plx_watcher *watcher)
{
    if (watcher->flags & PLX__TOUCHED)
        return;
    watcher->flags |= PLX__TOUCHED;
    plx__slot_link(&watcher->target.slot, context->touched);
    context->touched = plx__slot_number(&watcher->target.slot);
}

/* --- ready.c --- */

/* Puts a wide watcher into the ring where its kind waits to be reported, or takes it out. */
void plx__ready_arm(struct plx_context *context, struct plx_watcher *watcher);

/* Puts a ringed watcher at the end of a ring, wherever it was before. */
void plx__ready_join(struct plx_context *context, struct plx__ring *home,
                     struct plx_watcher *watcher);

/* Takes a ringed watcher out of its ring, if it is in one. */
void plx__ready_leave(struct plx_context *context, struct plx_watcher *watcher);

/*
 * Shares `capacity` out among all sources, sleeping at most `timeout` in the kernel if nothing is
 * ready outside it. Returns how many were given; 0 also when a signal handler ran.
 */
int plx__ready_collect_in_turn(struct plx_context *context, struct plx_watcher **ret_ready,
                               int capacity, plx_duration timeout);

/* How long the kernel may be asked to sleep: not longer than until the next timer is due. */
plx_duration plx__ready_sleep_limit(struct plx_context *context, plx_duration timeout);

/* The same without the kernel, which had nothing a moment ago. */
int plx__ready_collect_own(struct plx_context *context, struct plx_watcher **ret_ready,
                           int capacity);

/* Looks for more after `count` were given. Returns how many there are then. */
int plx__ready_collect_rest(struct plx_context *context, struct plx_watcher **ret_ready,
                            int capacity, int count);

/* Takes one record, of whatever kind. Returns how many watchers it gave: 0 or 1. */
int plx__ready_take(struct plx_context *context, struct plx_watcher **ret_ready,
                    const struct plx__record *record);

/* --- arrival.c --- */

/* Ends a sleep because of `news`, some of the bits in PLX__NEWS. Any thread or signal handler. */
void plx__rouse(struct plx_context *context, uint32_t news);

/* Forgets news of one kind. False if there were none. The owner alone. */
bool plx__take_news(struct plx_context *context, uint32_t news);

/* Raises a watcher. PLX_ERR_INACTIVE if it was removed. Any thread or signal handler. */
int plx__raise(struct plx_context *context, struct plx__raised *raised);

/* What was raised is not to be reported any more. */
void plx__lower(struct plx_context *context, struct plx__raised *raised);

/* Takes over what has arrived. */
void plx__take_arrivals(struct plx_context *context);

/* Puts a watcher that can be reported again into the ring, if it is up. */
void plx__raised_arm(struct plx_context *context, struct plx__raised *raised);

/* Begins and ends that a watcher can be raised. Nobody may be raising it in the latter. */
void plx__raised_open(struct plx_context *context, struct plx__raised *raised);
void plx__raised_close(struct plx_context *context, struct plx__raised *raised);

/* In a forked child: no other thread is there any more, even if one was about to bring something.
 */
void plx__raised_after_fork(struct plx_context *context);

/* --- wait.c --- */

/* The clock, as it was after the last sleep. */
int64_t plx__now(struct plx_context *context);

/* plx_context_wait(), after which the context stays PLX__BUSY unless it failed. */
int plx__wait_and_stay(struct plx_context *context, struct plx_watcher **ret_ready, int capacity,
                       plx_duration timeout);

/* One call of the backend's wait, which a wake can end. */
int plx__kernel_wait(struct plx_context *context, int capacity, plx_duration timeout);

/* --- requeue.c --- */

/* Gives the context a fresh kernel queue with the same watchers. On error the old one is kept. */
int plx__requeue(struct plx_context *context, bool is_forked);

/* --- nest.c --- */

static inline bool plx__is_nested(const struct plx_context *context)
{
    return atomic_load_explicit(&context->state, memory_order_relaxed) & PLX__NESTED;
}

/* Makes the nested descriptor show what is ready outside the kernel. */
void plx__nest_show(struct plx_context *context);

/* The same, if there is one. */
static inline void plx__nest_update(struct plx_context *context)
{
    if (plx__is_nested(context))
        plx__nest_show(context);
}

/* The same at the end of a wait of a nested context, before it forgets the wakes that came. */
void plx__nest_leave(struct plx_context *context);

/* And after it has forgotten them. */
void plx__nest_left(struct plx_context *context);

/* --- src/loop --- */

/* Frees what the loop has of a context that is being destroyed. */
void plx__loop_close(struct plx_context *context);

/* Is a callback or task of this context on the stack of the calling thread? */
bool plx__loop_is_inside(const struct plx_context *context);

/* In a forked child: the tasks are the parent's. */
void plx__loop_after_fork(struct plx_context *context);

/* The context is to be destroyed once the outermost turn or run returns. */
void plx__loop_doom(struct plx_context *context);

#endif
