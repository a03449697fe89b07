/* SPDX-License-Identifier: MIT */
/*
 * timer_queue.h: who is due next, among a few or a million.
 *
 *    run    +-------------+    the next ones, in order: up to a sixteenth of all, or a few hundred;
 *    heap   +---+              and those that came so near since, in the order of a heap
 *           - - - - - floor - - - - - -  nobody above is later, nobody below is earlier
 *    far    +------------------------------------------ - -
 *           +------------------------------------------ - -    the others, in no order
 *
 * Starting a far timer appends it, stopping it leaves a hole for the next one, moving it changes
 * its key. Order is paid for only when the time comes near, and most timers are stopped or moved
 * before that. When nobody is near, and somebody asks who is next, one pass over the far ones picks
 * the next few, up to a floor that a sample suggests, and sorts them; before the first time,
 * whoever comes is far. When many have come near, the latest of them become far.
 *
 * Moving a timer to a later deadline is one store into its object: the entry keeps the old key,
 * which is put right by whoever comes across it. So a key is never later than its deadline.
 *
 * A call costs O(log n), amortised: a pass over all comes once in as many calls as are a share of
 * n. docs/adr/0007-timers.md has what else was measured.
 */
#ifndef POLLUX_BASE_TIMER_QUEUE_H
#define POLLUX_BASE_TIMER_QUEUE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pollux/error.h>

#include "src/base/alloc.h"
#include "src/base/duration.h"
#include "src/base/slot_table.h"
#include "src/base/tuning.h"

/* Twelve bytes for a timer. The key is an int64_t in two halves: alignment would cost four more. */
struct plx__timer_entry {
    uint32_t key[2];
    uint32_t number;
};

struct plx__timer_entries {
    struct plx__timer_entry *at;
    uint32_t count;
    uint32_t capacity;
};

/* Where the queue's two fields are in an object of the slot table. */
struct plx__timer_layout {
    uint16_t deadline; /* int64_t: the exact deadline while queued */
    uint16_t place;    /* uint32_t: 0 while not queued, so that zeroed objects are not */
};

struct plx__timer_queue {
    const plx_allocator *allocator;
    const struct plx__slot_table *slots;
    uint32_t count;                /* in all three */
    uint32_t room;                 /* for so many there is memory */
    int64_t floor;                 /* no later than any key in `far`, no earlier than any other */
    int64_t bound;                 /* no later than any key at all */
    uint32_t first;                /* in `run`: who was before it is out */
    struct plx__timer_entries run; /* `run` and `far`: once there were more than PLX__TIMER_NEAR */
    struct plx__timer_entries heap;
    struct plx__timer_entries far; /* from index 1 */
    uint32_t hole; /* in `far`: the first of the linked entries without a timer, or 0 */
    uint32_t hole_count;
    bool is_asked; /* there was a run since it was empty */
    struct plx__timer_layout layout;
};

/* A place: an index with one of these bits, in `far` not 0; or an index in `heap`, plus 1. */
#define PLX__TIMER_FAR UINT32_C(0x80000000)
#define PLX__TIMER_RUN UINT32_C(0x40000000)

/* The number of an entry without a timer has this bit. In `far` the others are the index of the
   next one, in `run` they are what they were. */
#define PLX__TIMER_HOLE UINT32_C(0x80000000)

void plx__timers_open(struct plx__timer_queue *queue, const plx_allocator *allocator,
                      const struct plx__slot_table *slots, struct plx__timer_layout layout);
void plx__timers_close(struct plx__timer_queue *queue);

/* The long way of plx__timers_reserve(). */
int plx__timers_grow(struct plx__timer_queue *queue, uint32_t count);

/* Makes room for `count` timers in all: the only call that needs memory. */
static inline int plx__timers_reserve(struct plx__timer_queue *queue, uint32_t count)
{
    return count <= queue->room ? PLX_OK : plx__timers_grow(queue, count);
}

/* The long way of plx__timers_set(): finds the place for an object that is new or comes nearer. */
void plx__timers_put(struct plx__timer_queue *queue, void *object, int64_t deadline);

/* The long way of plx__timers_remove(), for one that is not far. */
void plx__timers_leave_near(struct plx__timer_queue *queue, void *object);

/* The next deadline, to the nanosecond; PLX__NEVER if there is none. */
int64_t plx__timers_earliest(struct plx__timer_queue *queue);

/*
 * The same while no more than `tries` timers turn out to have been put off; else a time before it.
 * To sleep too short once in a while costs less than to look each time for who is really the next,
 * when all are put off again and again.
 */
int64_t plx__timers_no_earlier(struct plx__timer_queue *queue, unsigned tries);

/* The long way of plx__timers_may_be_due(). */
bool plx__timers_look(struct plx__timer_queue *queue, int64_t now);

/* False if nothing is due by `now`. True may turn out to be wrong; it is cheaper to ask. */
static inline bool plx__timers_may_be_due(struct plx__timer_queue *queue, int64_t now)
{
    return queue->bound <= now && plx__timers_look(queue, now);
}

/* The long way of plx__timers_take(). */
void *plx__timers_take_due(struct plx__timer_queue *queue, int64_t now);

/* Takes out the object with the next deadline if that is no later than `now`, else NULL. A deadline
   of PLX__NEVER is not reached. */
static inline void *plx__timers_take(struct plx__timer_queue *queue, int64_t now)
{
    return queue->bound <= now ? plx__timers_take_due(queue, now) : NULL;
}

static inline int64_t *plx__timer_deadline(const struct plx__timer_queue *queue, void *object)
{
    return (int64_t *)((uintptr_t)object + queue->layout.deadline);
}

static inline uint32_t *plx__timer_place(const struct plx__timer_queue *queue, void *object)
{
    return (uint32_t *)((uintptr_t)object + queue->layout.place);
}

static inline bool plx__timer_is_queued(const struct plx__timer_queue *queue, void *object)
{
    return *plx__timer_place(queue, object) != 0;
}

static inline void plx__timer_set_key(struct plx__timer_entry *entry, int64_t key)
{
    memcpy(entry->key, &key, sizeof key);
}

/* The next hole is fetched by the time when it is needed. */
static inline uint32_t plx__timer_take_hole(struct plx__timer_queue *queue)
{
    uint32_t index = queue->hole;
    queue->hole = queue->far.at[index].number & ~PLX__TIMER_HOLE;
    queue->hole_count--;
    PLX__PREFETCH(&queue->far.at[queue->hole]);
    return index;
}

/* Where there is room for it. */
static inline void plx__timer_push_far(struct plx__timer_queue *queue,
                                       struct plx__timer_entry entry, void *object)
{
    uint32_t index = queue->hole_count > 0 ? plx__timer_take_hole(queue) : ++queue->far.count;
    assert(index < queue->far.capacity);
    queue->far.at[index] = entry;
    *plx__timer_place(queue, object) = index | PLX__TIMER_FAR;
}

/* Nobody else is touched. The next pass over the far ones pays for the hole, once. */
static inline void plx__timer_leave_far(struct plx__timer_queue *queue, uint32_t index)
{
    struct plx__timer_entry entry = {.number = PLX__TIMER_HOLE | queue->hole};
    plx__timer_set_key(&entry, INT64_MAX);
    queue->far.at[index] = entry;
    queue->hole = index;
    if (++queue->hole_count == queue->far.count)
        queue->far.count = queue->hole = queue->hole_count = 0;
}

/* Queues an object, whose slot has this number, that is not queued; there has to be room. Most are
   far. */
static inline void plx__timers_add(struct plx__timer_queue *queue, void *object, uint32_t number,
                                   int64_t deadline)
{
    if (deadline <= queue->floor) {
        plx__timers_put(queue, object, deadline);
        return;
    }
    struct plx__timer_entry entry = {.number = number};
    plx__timer_set_key(&entry, deadline);
    *plx__timer_deadline(queue, object) = deadline;
    plx__timer_push_far(queue, entry, object);
    queue->count++;
}

/* Notes that an object has left. */
static inline void plx__timer_is_out(struct plx__timer_queue *queue, void *object)
{
    *plx__timer_place(queue, object) = 0;
    if (--queue->count == 0) {
        queue->floor = queue->bound = INT64_MAX;
        queue->is_asked = false;
    }
}

/* Takes an object out; nothing happens if it is not queued. */
static inline void plx__timers_remove(struct plx__timer_queue *queue, void *object)
{
    uint32_t place = *plx__timer_place(queue, object);
    if (place == 0)
        return;
    if (place & PLX__TIMER_FAR)
        plx__timer_leave_far(queue, place & ~PLX__TIMER_FAR);
    else
        plx__timers_leave_near(queue, object);
    plx__timer_is_out(queue, object);
}

/*
 * A far timer stays far. Whether it comes forward, so that its key has to follow, nobody can
 * foresee, and a wrong guess would be found out only when the object has come from memory: there is
 * no branch, and the key that need not be written is that of the unused first entry.
 */
static inline void plx__timer_set_far(struct plx__timer_queue *queue, uint32_t place, int64_t *old,
                                      int64_t deadline)
{
    uint32_t comes_forward = deadline < *old;
    uint32_t index = (place & ~PLX__TIMER_FAR) & -comes_forward;
    *old = deadline;
    memcpy(queue->far.at[index].key, &deadline, sizeof deadline);
}

/* plx__timers_set() for who knows where the queue's two fields are. */
static inline void plx__timers_set_at(struct plx__timer_queue *queue, void *object, uint32_t place,
                                      int64_t *old, int64_t deadline)
{
    if (place & PLX__TIMER_FAR && deadline >= queue->floor)
        plx__timer_set_far(queue, place, old, deadline);
    else if (place != 0 && deadline >= *old)
        *old = deadline;
    else
        plx__timers_put(queue, object, deadline);
}

/*
 * Gives an object a deadline, whether it is queued or not; if not, there has to be room. An idle
 * timeout that is pushed back on every message takes the middle way, which is one store.
 */
static inline void plx__timers_set(struct plx__timer_queue *queue, void *object, int64_t deadline)
{
    plx__timers_set_at(queue, object, *plx__timer_place(queue, object),
                       plx__timer_deadline(queue, object), deadline);
}

#endif
