/* SPDX-License-Identifier: MIT */
/*
 * compare.c: no model here. Whatever a context of one backend reports of a descriptor, one of each
 * other backend has to report as well, in the same step and in the same words. Waits take nothing
 * out of the world, so that all sides see the same.
 *
 * Level-triggered and one-shot, since under PLX_EDGE kernels may tell more than once (T4). What is
 * allowed to differ otherwise is in the list of tolerances.
 */
#include "compare.h"

#include <string.h>

#include "dice.h"
#include "journal.h"
#include "tolerance.h"
#include "world.h"

#define ROOM WORLD_NUMBERS

/* A slow machine needs less for all of it. */
#define WATCH_EVERY   1000
#define WATCH_SECONDS 120

struct entry {
    int number;
    uint32_t events;
    plx_watcher *watchers[COMPARE_SIDES];
};

static struct {
    struct world world;
    plx_backend backends[COMPARE_SIDES];
    plx_context *contexts[COMPARE_SIDES];
    int sides;
    uint32_t askable; /* of all sides */
    struct entry entries[ROOM];
    int count;
    unsigned long reports;
} all;

static const char *name(int side)
{
    return plx_backend_name(all.backends[side]);
}

/* The code of a call on each side. */
static int agree(const char *call, const int *codes)
{
    for (int side = 1; side < all.sides; side++) {
        if (codes[side] != codes[0])
            journal_fail("%s gave %s on %s and %s on %s", call, plx_error_name(codes[0]), name(0),
                         plx_error_name(codes[side]), name(side));
    }
    journal_result(" -> %s", plx_error_name(codes[0]));
    return codes[0];
}

static uint32_t choose_events(struct dice *dice)
{
    static const uint32_t modes[] = {0, 0, 0, PLX_ONESHOT};
    uint32_t events = 0;
    events |= dice_one_in(dice, 2) ? PLX_READ : 0;
    events |= dice_one_in(dice, 3) ? PLX_WRITE : 0;
    events |= dice_one_in(dice, 4) ? PLX_RDHUP : 0;
    events |= dice_one_in(dice, 4) ? PLX_PRI & all.askable : 0;
    events |= events == 0 ? PLX_ERROR | PLX_HUP : 0;
    return events | modes[dice_roll(dice, 4)];
}

static struct entry *any_entry(struct dice *dice)
{
    return all.count > 0 ? &all.entries[dice_roll(dice, (uint32_t)all.count)] : NULL;
}

static struct entry *find(int number)
{
    for (int i = 0; i < all.count; i++) {
        if (all.entries[i].number == number)
            return &all.entries[i];
    }
    return NULL;
}

/* --- Operations, the same on all sides --- */

static void add(struct dice *dice)
{
    struct entry entry = {.number = world_any(&all.world, dice), .events = choose_events(dice)};
    int codes[COMPARE_SIDES];
    if (all.count == ROOM)
        return;
    journal_note("add %d, %#x", entry.number, entry.events);
    for (int side = 0; side < all.sides; side++)
        codes[side] = plx_context_add(all.contexts[side], plx_fd(entry.number), entry.events, NULL,
                                      &entry.watchers[side]);
    if (agree("add", codes) == PLX_OK)
        all.entries[all.count++] = entry;
}

static void modify_to(struct entry *entry, uint32_t events)
{
    int codes[COMPARE_SIDES];
    entry->events = events;
    for (int side = 0; side < all.sides; side++)
        codes[side] = plx_watcher_modify(entry->watchers[side], events);
    agree("modify", codes);
}

static void modify(struct dice *dice)
{
    struct entry *entry = any_entry(dice);
    if (!entry)
        return;
    uint32_t events = dice_one_in(dice, 3) ? entry->events : choose_events(dice);
    journal_note("modify %d, %#x", entry->number, events);
    modify_to(entry, events);
}

static void remove_entry(struct entry *entry)
{
    int codes[COMPARE_SIDES];
    journal_note("remove %d", entry->number);
    for (int side = 0; side < all.sides; side++)
        codes[side] = plx_watcher_remove(entry->watchers[side]);
    agree("remove", codes);
    *entry = all.entries[--all.count];
}

static void remove_one(struct dice *dice)
{
    struct entry *entry = any_entry(dice);
    if (entry)
        remove_entry(entry);
}

/* Who watches it has to let go before the last of them closes it. */
static void close_one(struct dice *dice)
{
    int number = world_any(&all.world, dice);
    if (number < 0)
        return;
    struct entry *entry = find(number);
    if (entry)
        remove_entry(entry);
    journal_note("close %d", number);
    world_before_close(&all.world, number);
    int code = plx_context_close(all.contexts[dice_roll(dice, (uint32_t)all.sides)], number);
    if (code != PLX_OK)
        journal_fail("close gave %s", plx_error_name(code));
    world_after_close(&all.world, number);
}

static void open_one(struct dice *dice)
{
    if (dice_one_in(dice, 4)) {
        journal_note("duplicate");
        world_duplicate(&all.world, dice, world_any(&all.world, dice));
    } else {
        journal_note("open");
        world_open_file(&all.world, dice);
    }
    if (all.world.count > 0) {
        const struct descriptor *last = &all.world.numbers[all.world.count - 1];
        journal_result(" %s %d", world_name(last->file), last->number);
    }
}

static void happen(struct dice *dice)
{
    int number = world_any(&all.world, dice);
    uint32_t choice = dice_roll(dice, 12);
    if (number < 0)
        return;
    journal_note("happen %u to %d", choice, number);
    if (choice < 4)
        world_write(&all.world, dice, number);
    else if (choice < 6)
        world_read(&all.world, dice, number);
    else if (choice < 8)
        world_drain(&all.world, number);
    else if (choice == 8)
        world_fill(&all.world, number);
    else if (choice == 9)
        world_shut_down(&all.world, number);
    else if (choice == 10)
        world_send_urgent(&all.world, number);
    else
        world_make_abrupt(&all.world, number);
}

/* --- Waits --- */

/* By place in the entries; 0: no report. */
typedef uint32_t reports[ROOM];

static int wait_on(int side, int capacity, reports into)
{
    plx_watcher *ready[ROOM];
    int count = plx_context_wait(all.contexts[side], ready, capacity, 0);
    if (count < 0)
        journal_fail("%s: the wait gave %s", name(side), plx_error_name(count));
    for (int i = 0; i < count; i++) {
        int place = 0;
        while (place < all.count && all.entries[place].watchers[side] != ready[i])
            place++;
        if (place == all.count)
            journal_fail("%s reported a watcher that was removed", name(side));
        into[place] |= plx_watcher_triggered(ready[i]);
    }
    all.reports += (unsigned long)count;
    return count;
}

/* Is it one of the differences that are allowed? */
static bool is_tolerated(const struct entry *entry, int side, uint32_t difference)
{
    const struct file *file = world_file(&all.world, entry->number);
    return !(difference & ~PLX_WRITE) && file->is_shut &&
           tolerance_shut_is_ready(all.backends[0]) != tolerance_shut_is_ready(all.backends[side]);
}

/* After a difference that is allowed they start again from the same state. */
static bool compare(struct entry *entry, int place, reports *seen)
{
    bool is_same = true;
    for (int side = 1; side < all.sides; side++) {
        uint32_t difference = seen[0][place] ^ seen[side][place];
        if (difference != 0 && !is_tolerated(entry, side, difference))
            journal_fail("descriptor %d (%s) reported %#x on %s and %#x on %s", entry->number,
                         world_name(world_file(&all.world, entry->number)), seen[0][place], name(0),
                         seen[side][place], name(side));
        is_same &= difference == 0;
    }
    if (!is_same)
        modify_to(entry, entry->events);
    return is_same;
}

/*
 * With too little room the sides may choose different watchers, but as many; what has room for all
 * tells the rest. One-shots come in one of the two.
 */
static void wait_for_all(struct dice *dice)
{
    reports seen[COMPARE_SIDES];
    int counts[COMPARE_SIDES];
    bool is_same = true;
    int capacity = 1 + (int)dice_roll(dice, 6);
    world_check_still(&all.world);
    journal_note("wait for %d, and for all", capacity);
    memset(seen, 0, sizeof seen);
    for (int side = 0; side < all.sides; side++) {
        counts[side] = wait_on(side, capacity, seen[side]);
        wait_on(side, ROOM, seen[side]);
    }
    for (int place = 0; place < all.count; place++)
        is_same &= compare(&all.entries[place], place, seen);
    for (int side = 1; side < all.sides && is_same; side++) {
        if (counts[side] != counts[0])
            journal_fail("of %d places %d were used on %s and %d on %s", capacity, counts[0],
                         name(0), counts[side], name(side));
    }
}

/* --- The schedule --- */

static void play(struct dice *dice)
{
    static const struct {
        unsigned odds;
        void (*play)(struct dice *dice);
    } operations[] = {{30, wait_for_all}, {26, happen},  {14, add},     {12, modify},
                      {5, remove_one},    {9, open_one}, {4, close_one}};
    unsigned choice = dice_roll(dice, 100);
    size_t i = 0;
    while (choice >= operations[i].odds)
        choice -= operations[i++].odds;
    operations[i].play(dice);
}

static void open_side(int side)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    options.backend = all.backends[side];
    int code = plx_context_create(&all.contexts[side], &options);
    if (code < 0)
        journal_fail("no context on %s: %s", name(side), plx_error_name(code));
}

unsigned long compare_play(const plx_backend *backends, int count, uint64_t seed,
                           uint64_t operations)
{
    memset(&all, 0, sizeof all);
    all.sides = count;
    all.askable = UINT32_MAX;
    world_open(&all.world);
    for (int side = 0; side < count; side++) {
        all.backends[side] = backends[side];
        if (!plx_backend_supports(backends[side], PLX_PRI))
            all.askable &= ~PLX_PRI;
        open_side(side);
    }
    for (uint64_t i = 0; i < operations; i++) {
        struct dice dice = dice_of(seed, i);
        if (i % WATCH_EVERY == 0)
            journal_watch(WATCH_SECONDS);
        play(&dice);
    }
    journal_watch(0);
    for (int side = 0; side < count; side++)
        plx_context_destroy(all.contexts[side]);
    world_close(&all.world);
    return all.reports;
}
