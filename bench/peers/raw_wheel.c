/* SPDX-License-Identifier: MIT */
/*
 * raw_wheel.c: the limit of timers: a bare hierarchical wheel of milliseconds, the links inside the
 * timers, and nothing around it.
 *
 * Four levels of 256 slots, each slot of a level as long as all slots of the one below. A timer
 * goes where the highest byte lies in which its time differs from the wheel's; when the wheel
 * reaches the slot of a higher level, the timers in it move down.
 */
#include "machine.h"
#include "peer.h"
#include "raw.h"

#include <stdlib.h>

#define LEVELS      4
#define SLOTS       256
#define MILLISECOND UINT64_C(1000000)

struct link {
    struct link *next;
    struct link *previous;
};

/* The link comes first: a link in a slot is a timer. */
struct timer {
    struct link link;
    uint64_t due;
    uint64_t *counter;
};

static struct link slots[LEVELS][SLOTS];
static struct timer *timers;
static uint64_t *told;
static uint64_t ticked; /* every millisecond up to here was looked at */
static uint64_t now;    /* as the last pass saw it, like the time of a loop */

static uint64_t read_clock(void)
{
    return machine_clock(CLOCK_MONOTONIC) / MILLISECOND;
}

static int wheel_open(void)
{
    for (int level = 0; level < LEVELS; level++)
        for (int slot = 0; slot < SLOTS; slot++)
            slots[level][slot].next = slots[level][slot].previous = &slots[level][slot];
    ticked = now = read_clock();
    return 0;
}

static void wheel_close(void)
{
}

static void put(struct timer *timer)
{
    uint64_t differs = (timer->due ^ ticked) | 1;
    int level = (63 - __builtin_clzll(differs)) / 8;
    if (level >= LEVELS)
        level = LEVELS - 1;
    struct link *slot = &slots[level][timer->due >> 8 * level & (SLOTS - 1)];
    timer->link.next = slot->next;
    timer->link.previous = slot;
    slot->next->previous = &timer->link;
    slot->next = &timer->link;
}

/* What is stopped points to itself, and may be taken out once more. */
static void take(struct timer *timer)
{
    timer->link.next->previous = timer->link.previous;
    timer->link.previous->next = timer->link.next;
    timer->link.next = timer->link.previous = &timer->link;
}

/* Never at the tick that was looked at already. */
static void set(struct timer *timer, uint64_t nanoseconds)
{
    timer->due = now + (nanoseconds + MILLISECOND - 1) / MILLISECOND;
    if (timer->due <= ticked)
        timer->due = ticked + 1;
    put(timer);
}

static void move_down(int level)
{
    struct link *slot = &slots[level][ticked >> 8 * level & (SLOTS - 1)];
    while (slot->next != slot) {
        struct timer *timer = (struct timer *)slot->next;
        take(timer);
        put(timer);
    }
}

static void tick(void)
{
    ticked++;
    for (int level = LEVELS - 1; level > 0; level--)
        if ((ticked & ((UINT64_C(1) << 8 * level) - 1)) == 0)
            move_down(level);
    struct link *slot = &slots[0][ticked & (SLOTS - 1)];
    while (slot->next != slot) {
        struct timer *timer = (struct timer *)slot->next;
        take(timer);
        (*timer->counter)++;
    }
}

static void wheel_turn(void)
{
    now = read_clock();
    while (ticked < now)
        tick();
}

static int timers_open(size_t count, uint64_t *counter)
{
    told = counter;
    timers = malloc(count * sizeof(*timers));
    return timers ? 0 : -1;
}

static void timers_start(size_t index, uint64_t nanoseconds)
{
    timers[index].counter = told;
    set(&timers[index], nanoseconds);
}

static void timers_move(size_t index, uint64_t nanoseconds)
{
    take(&timers[index]);
    set(&timers[index], nanoseconds);
}

static void timers_again(size_t index)
{
    timers_move(index, BENCH_IDLE_SECONDS * UINT64_C(1000000000));
}

static void timers_stop(size_t index)
{
    take(&timers[index]);
}

static const struct bench_timers wheel_timers = {
    .open = timers_open,
    .start = timers_start,
    .move = timers_move,
    .again = timers_again,
    .stop = timers_stop,
};

extern const struct bench_peer bench_peer_raw_wheel;
const struct bench_peer bench_peer_raw_wheel = {
    .name = "raw_wheel",
    .version = raw_kernel_version,
    .open = wheel_open,
    .close = wheel_close,
    .turn = wheel_turn,
    .timers = &wheel_timers,
    .lacks = "it has timers alone",
};
