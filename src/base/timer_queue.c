/* SPDX-License-Identifier: MIT */
#include "src/base/timer_queue.h"

#include <assert.h>
#include <string.h>

#include <pollux/error.h>

/* Four children lie in one or two cache lines; with more, a small heap only compares more. */
#define CHILDREN 4u

static_assert(sizeof(struct plx__timer_entry) == 12, "the price of a timer");

static int64_t key_of(const struct plx__timer_entry *entry)
{
    int64_t key;
    memcpy(&key, entry->key, sizeof key);
    return key;
}

static void set_key(struct plx__timer_entry *entry, int64_t key)
{
    memcpy(entry->key, &key, sizeof key);
}

static void *object_of(const struct plx__timer_queue *queue, const struct plx__timer_entry *entry)
{
    return plx__slots_at(queue->slots->slabs, entry->number);
}

static int64_t deadline_of(const struct plx__timer_queue *queue,
                           const struct plx__timer_entry *entry)
{
    return *plx__timer_deadline(queue, object_of(queue, entry));
}

/* Writes an entry to its index, and the index into its object. */
static void put(struct plx__timer_queue *queue, uint32_t index, struct plx__timer_entry entry)
{
    queue->entries[index] = entry;
    *plx__timer_place(queue, object_of(queue, &entry)) = index + 1;
}

static uint32_t tier_end(const struct plx__timer_queue *queue, uint32_t tier)
{
    return tier + 1 < queue->tier_count ? queue->tiers[tier + 1].first : queue->count;
}

static uint32_t tier_size(const struct plx__timer_queue *queue, uint32_t tier)
{
    return tier_end(queue, tier) - queue->tiers[tier].first;
}

static uint32_t heap_size(const struct plx__timer_queue *queue)
{
    return tier_end(queue, 0);
}

static void sift_up(struct plx__timer_queue *queue, uint32_t index, struct plx__timer_entry entry)
{
    int64_t key = key_of(&entry);
    while (index > 0) {
        uint32_t parent = (index - 1) / CHILDREN;
        if (key_of(&queue->entries[parent]) <= key)
            break;
        put(queue, index, queue->entries[parent]);
        index = parent;
    }
    put(queue, index, entry);
}

static uint32_t least_child(const struct plx__timer_queue *queue, uint32_t first, uint32_t end)
{
    uint32_t least = first;
    int64_t least_key = key_of(&queue->entries[first]);
    uint32_t stop = end - first < CHILDREN ? end : first + CHILDREN;
    for (uint32_t i = first + 1; i < stop; i++) {
        int64_t key = key_of(&queue->entries[i]);
        least = key < least_key ? i : least;
        least_key = key < least_key ? key : least_key;
    }
    return least;
}

static void sift_down(struct plx__timer_queue *queue, uint32_t index, uint32_t end,
                      struct plx__timer_entry entry)
{
    int64_t key = key_of(&entry);
    for (;;) {
        uint32_t child = index * CHILDREN + 1;
        if (child >= end)
            break;
        child = least_child(queue, child, end);
        if (key <= key_of(&queue->entries[child]))
            break;
        put(queue, index, queue->entries[child]);
        index = child;
    }
    put(queue, index, entry);
}

static void make_heap(struct plx__timer_queue *queue)
{
    uint32_t end = heap_size(queue);
    for (uint32_t i = (end + CHILDREN - 2) / CHILDREN; i-- > 0;)
        sift_down(queue, i, end, queue->entries[i]);
    queue->heap_limit = 2 * (end > PLX__TIMER_FILL ? end : PLX__TIMER_FILL);
}

/*
 * A deadline that about a sixteenth of the heap's entries do not exceed. The golden ratio spreads
 * the samples so that no regular pattern of short and long timers hides between them.
 */
static int64_t choose_pivot(const struct plx__timer_queue *queue, uint32_t size)
{
    int64_t least[PLX__TIMER_SAMPLES / 16];
    const uint32_t wanted = PLX__TIMER_SAMPLES / 16;
    uint32_t count = 0;
    for (uint32_t i = 0; i < PLX__TIMER_SAMPLES; i++) {
        uint32_t index = (uint32_t)((uint64_t)(i * UINT32_C(0x9E3779B9)) * size >> 32);
        int64_t deadline = deadline_of(queue, &queue->entries[index]);
        uint32_t rank = count < wanted ? count++ : wanted;
        if (rank == wanted) {
            if (deadline >= least[wanted - 1])
                continue;
            rank = wanted - 1;
        }
        for (; rank > 0 && least[rank - 1] > deadline; rank--)
            least[rank] = least[rank - 1];
        least[rank] = deadline;
    }
    return least[wanted - 1];
}

/*
 * Brings what is due at `pivot` or before to the front of the nearest tier. Old keys that it meets
 * are put right, but no further than the end of the tier.
 */
static uint32_t partition(struct plx__timer_queue *queue, uint32_t size, int64_t pivot)
{
    int64_t ceiling = queue->tier_count > 1 ? queue->tiers[1].floor - 1 : INT64_MAX;
    uint32_t front = 0;
    for (uint32_t i = 0; i < size; i++) {
        struct plx__timer_entry entry = queue->entries[i];
        if (key_of(&entry) > pivot)
            continue;
        int64_t deadline = deadline_of(queue, &entry);
        set_key(&entry, deadline < ceiling ? deadline : ceiling);
        if (deadline > pivot) {
            queue->entries[i] = entry;
            continue;
        }
        if (front != i)
            put(queue, i, queue->entries[front]);
        put(queue, front++, entry);
    }
    return front;
}

static void drop_tier(struct plx__timer_queue *queue, uint32_t tier)
{
    queue->tier_count--;
    memmove(&queue->tiers[tier], &queue->tiers[tier + 1],
            (queue->tier_count - tier) * sizeof queue->tiers[0]);
}

/* Cuts the nearest tier in two. The further part swallows the tiers that it has outgrown. */
static void add_cut(struct plx__timer_queue *queue, uint32_t first, int64_t floor)
{
    if (queue->tier_count == PLX__TIMER_TIERS)
        drop_tier(queue, 1);
    memmove(&queue->tiers[2], &queue->tiers[1], (queue->tier_count - 1) * sizeof queue->tiers[0]);
    queue->tiers[1] = (struct plx__timer_tier){floor, first};
    queue->tier_count++;
    while (queue->tier_count > 2 && tier_size(queue, 1) >= tier_size(queue, 2) / PLX__TIMER_RATIO)
        drop_tier(queue, 2);
}

/* Makes the nearest tier, which is in no order, a heap of reasonable size. */
static void cut_heap(struct plx__timer_queue *queue)
{
    for (uint32_t size; (size = heap_size(queue)) > PLX__TIMER_FILL;) {
        int64_t pivot = choose_pivot(queue, size);
        if (queue->tier_count > 1 && pivot >= queue->tiers[1].floor) {
            drop_tier(queue, 1); /* most were put off, to beyond their tier */
            continue;
        }
        uint32_t front = partition(queue, size, pivot);
        if (front == size)
            break; /* many that are equal make a good heap, whatever their number */
        add_cut(queue, front, pivot + 1);
    }
    make_heap(queue);
}

/* False if nothing is queued. */
static bool fill_heap(struct plx__timer_queue *queue)
{
    if (heap_size(queue) > 0)
        return true;
    while (queue->tier_count > 1 && heap_size(queue) == 0)
        drop_tier(queue, 0);
    if (queue->count == 0)
        return false;
    cut_heap(queue);
    return true;
}

/* Every tier behind that of the new entry moves by one: its first goes to its end. */
static void insert_entry(struct plx__timer_queue *queue, struct plx__timer_entry entry)
{
    int64_t key = key_of(&entry);
    uint32_t tier = queue->tier_count - 1;
    uint32_t gap = queue->count++;
    for (; tier > 0 && key < queue->tiers[tier].floor; tier--) {
        uint32_t first = queue->tiers[tier].first++;
        if (first != gap)
            put(queue, gap, queue->entries[first]);
        gap = first;
    }
    if (tier > 0) {
        put(queue, gap, entry);
        return;
    }
    sift_up(queue, gap, entry);
    if (heap_size(queue) > queue->heap_limit)
        cut_heap(queue);
}

static uint32_t find_tier(const struct plx__timer_queue *queue, uint32_t index)
{
    uint32_t tier = queue->tier_count - 1;
    while (index < queue->tiers[tier].first)
        tier--;
    return tier;
}

/* The heap loses the entry at `index`; the gap is then behind it. */
static void leave_heap(struct plx__timer_queue *queue, uint32_t index)
{
    uint32_t last = heap_size(queue) - 1;
    struct plx__timer_entry entry = queue->entries[last];
    if (index == last)
        return;
    if (index > 0 && key_of(&entry) < key_of(&queue->entries[(index - 1) / CHILDREN]))
        sift_up(queue, index, entry);
    else
        sift_down(queue, index, last, entry);
}

/* The last of each tier fills the gap, which so moves on to the end of the array. */
static void remove_entry(struct plx__timer_queue *queue, uint32_t index)
{
    uint32_t tier = find_tier(queue, index);
    uint32_t gap = tier_end(queue, tier) - 1;
    if (tier == 0)
        leave_heap(queue, index);
    else if (index != gap)
        put(queue, index, queue->entries[gap]);
    while (++tier < queue->tier_count) {
        uint32_t last = tier_end(queue, tier) - 1;
        queue->tiers[tier].first--;
        if (last != gap)
            put(queue, gap, queue->entries[last]);
        gap = last;
    }
    queue->count--;
}

void plx__timers_open(struct plx__timer_queue *queue, const plx_allocator *allocator,
                      const struct plx__slot_table *slots, struct plx__timer_layout layout)
{
    *queue = (struct plx__timer_queue){
        .allocator = allocator,
        .slots = slots,
        .layout = layout,
        .heap_limit = 2 * PLX__TIMER_FILL,
        .tier_count = 1,
    };
}

void plx__timers_close(struct plx__timer_queue *queue)
{
    plx__alloc_free(queue->allocator, queue->entries, queue->capacity * sizeof *queue->entries);
}

int plx__timers_reserve(struct plx__timer_queue *queue, uint32_t count)
{
    return plx__alloc_grow(queue->allocator, &queue->entries, &queue->capacity, count,
                           PLX__GROWTH_STEP, sizeof *queue->entries);
}

void plx__timers_insert(struct plx__timer_queue *queue, void *object, int64_t deadline)
{
    assert(queue->count < queue->capacity);
    struct plx__timer_entry entry = {.number = plx__slot_number(object)};
    set_key(&entry, deadline);
    *plx__timer_deadline(queue, object) = deadline;
    insert_entry(queue, entry);
}

void plx__timers_advance(struct plx__timer_queue *queue, void *object, int64_t deadline)
{
    uint32_t index = *plx__timer_place(queue, object) - 1;
    struct plx__timer_entry entry = queue->entries[index];
    *plx__timer_deadline(queue, object) = deadline;
    if (key_of(&entry) <= deadline)
        return;
    set_key(&entry, deadline);
    uint32_t tier = find_tier(queue, index);
    if (tier == 0) {
        sift_up(queue, index, entry);
    } else if (deadline >= queue->tiers[tier].floor) {
        queue->entries[index] = entry;
    } else {
        remove_entry(queue, index);
        insert_entry(queue, entry);
    }
}

void plx__timers_remove(struct plx__timer_queue *queue, void *object)
{
    uint32_t *place = plx__timer_place(queue, object);
    if (*place == 0)
        return;
    remove_entry(queue, *place - 1);
    *place = 0;
}

/* Puts the first entry of the heap where its deadline belongs. */
static void correct_first(struct plx__timer_queue *queue, int64_t deadline)
{
    struct plx__timer_entry entry = queue->entries[0];
    set_key(&entry, deadline);
    if (queue->tier_count == 1 || deadline < queue->tiers[1].floor) {
        sift_down(queue, 0, heap_size(queue), entry);
    } else {
        remove_entry(queue, 0);
        insert_entry(queue, entry);
    }
}

int64_t plx__timers_earliest(struct plx__timer_queue *queue)
{
    while (fill_heap(queue)) {
        int64_t deadline = deadline_of(queue, &queue->entries[0]);
        if (deadline == key_of(&queue->entries[0]))
            return deadline;
        correct_first(queue, deadline);
    }
    return PLX__NEVER;
}

void *plx__timers_take(struct plx__timer_queue *queue, int64_t now)
{
    if (queue->count == 0)
        return NULL;
    int64_t deadline = plx__timers_earliest(queue);
    if (deadline > now || deadline == PLX__NEVER)
        return NULL;
    void *object = object_of(queue, &queue->entries[0]);
    remove_entry(queue, 0);
    *plx__timer_place(queue, object) = 0;
    return object;
}
