/* SPDX-License-Identifier: MIT */
/*
 * timer_queue.h: who is due next, among a few or a million.
 *
 * One array of deadlines and slot numbers, cut into tiers. The nearest tier is a small heap; the
 * others are unordered, and only known to be no earlier than their floor:
 *
 *    floor         none              t1                    t2
 *    entries   +----------+----------------------+----------------------------------+
 *              |   heap   |       unordered      |            unordered             |
 *              +----------+----------------------+----------------------------------+
 *
 * Starting a far timer appends; stopping it fills the gap with the last entry of its tier; bringing
 * it forward inside its tier changes one number. Once the heap has been used up, a small part of
 * the next tier is picked out by a pivot, until what is left is small enough for a heap. So an
 * entry is ordered only when its time comes near, and most timers are stopped or moved before that.
 * Cuts are cheap to forget: two neighbours become one tier by dropping the cut between them.
 *
 * Moving a timer to a later deadline is one store into the object: its entry keeps the old key,
 * which is put right when somebody comes across it. A key is never later than its deadline.
 *
 * Every call is O(log n), amortised. docs/adr/0007-timers.md has what else was measured.
 */
#ifndef POLLUX_BASE_TIMER_QUEUE_H
#define POLLUX_BASE_TIMER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/alloc.h"
#include "src/base/duration.h"
#include "src/base/slot_table.h"
#include "src/base/tuning.h"

/* Twelve bytes for a timer. The key is an int64_t in two halves: alignment would cost four more. */
struct plx__timer_entry {
    uint32_t key[2];
    uint32_t number;
};

struct plx__timer_tier {
    int64_t floor; /* no key here or further on is less; without meaning for the heap */
    uint32_t first;
};

/* Where the queue's two fields are in an object of the slot table. */
struct plx__timer_layout {
    uint16_t deadline; /* int64_t: the exact deadline while queued */
    uint16_t place;    /* uint32_t: 0 while not queued, so that zeroed objects are not */
};

struct plx__timer_queue {
    const plx_allocator *allocator;
    const struct plx__slot_table *slots;
    struct plx__timer_layout layout;
    struct plx__timer_entry *entries;
    uint32_t count;
    uint32_t capacity;
    uint32_t heap_limit; /* a larger heap is cut */
    uint32_t tier_count; /* at least one: the heap */
    struct plx__timer_tier tiers[PLX__TIMER_TIERS];
};

void plx__timers_open(struct plx__timer_queue *queue, const plx_allocator *allocator,
                      const struct plx__slot_table *slots, struct plx__timer_layout layout);
void plx__timers_close(struct plx__timer_queue *queue);

/* Makes room for `count` timers in all: the only call that needs memory. */
int plx__timers_reserve(struct plx__timer_queue *queue, uint32_t count);

/* Queues an object, for which there is room, or brings a queued one forward: the long way of
   plx__timers_set(). */
void plx__timers_insert(struct plx__timer_queue *queue, void *object, int64_t deadline);
void plx__timers_advance(struct plx__timer_queue *queue, void *object, int64_t deadline);

/* Takes an object out; nothing happens if it is not queued. */
void plx__timers_remove(struct plx__timer_queue *queue, void *object);

/* The next deadline, to the nanosecond; PLX__NEVER if there is none. */
int64_t plx__timers_earliest(struct plx__timer_queue *queue);

/* Takes out the object with the next deadline if that is no later than `now`, else NULL. A deadline
   of PLX__NEVER is not reached. */
void *plx__timers_take(struct plx__timer_queue *queue, int64_t now);

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

/*
 * Gives an object a deadline, whether it is queued or not. An idle timeout that is pushed back on
 * every message takes the first way out: it touches nothing but the object.
 */
static inline void plx__timers_set(struct plx__timer_queue *queue, void *object, int64_t deadline)
{
    if (!plx__timer_is_queued(queue, object))
        plx__timers_insert(queue, object, deadline);
    else if (deadline >= *plx__timer_deadline(queue, object))
        *plx__timer_deadline(queue, object) = deadline;
    else
        plx__timers_advance(queue, object, deadline);
}

#endif
