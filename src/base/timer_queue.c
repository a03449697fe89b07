/* SPDX-License-Identifier: MIT */
#include "src/base/timer_queue.h"

#include <assert.h>
#include <limits.h>

#include "src/base/compiler.h"

/* Four children lie in one or two cache lines; with more, a small heap only compares more. */
#define CHILDREN 4u

/* What is chosen from a sample: one that has as many before it. A larger sample would be more
   exact, and with a thousand timers dearer than what it saves. */
#define RANK 8u

/* How many objects are fetched at the same time, where it is known which they will be. */
#define AHEAD 16u

static_assert(sizeof(struct plx__timer_entry) == 12, "the price of a timer");
static_assert(PLX__TIMER_NEAR >= 8, "a cut leaves somebody in the heap");
static_assert(PLX__TIMER_HEAP >= PLX__TIMER_NEAR, "the heap holds what is cut");

static uint32_t less_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static int64_t key_of(const struct plx__timer_entry *entry)
{
    int64_t key;
    memcpy(&key, entry->key, sizeof key);
    return key;
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

/* Both write an entry to its index, and its place into its object. */
static void put_heap(struct plx__timer_queue *queue, uint32_t index, struct plx__timer_entry entry)
{
    queue->heap.at[index] = entry;
    *plx__timer_place(queue, object_of(queue, &entry)) = index + 1;
}

static void put_far(struct plx__timer_queue *queue, uint32_t index, struct plx__timer_entry entry)
{
    queue->far.at[index] = entry;
    *plx__timer_place(queue, object_of(queue, &entry)) = index | PLX__TIMER_FAR;
}

static void sift_up(struct plx__timer_queue *queue, uint32_t index, struct plx__timer_entry entry)
{
    int64_t key = key_of(&entry);
    while (index > 0) {
        uint32_t parent = (index - 1) / CHILDREN;
        if (key_of(&queue->heap.at[parent]) <= key)
            break;
        put_heap(queue, index, queue->heap.at[parent]);
        index = parent;
    }
    put_heap(queue, index, entry);
}

static inline uint32_t least_of(const struct plx__timer_entry *at, uint32_t first, uint32_t end)
{
    uint32_t least = first;
    int64_t least_key = key_of(&at[first]);
    for (uint32_t i = first + 1; i < end; i++) {
        int64_t key = key_of(&at[i]);
        least = key < least_key ? i : least;
        least_key = key < least_key ? key : least_key;
    }
    return least;
}

static void sift_down(struct plx__timer_queue *queue, uint32_t index, struct plx__timer_entry entry)
{
    int64_t key = key_of(&entry);
    uint32_t count = queue->heap.count;
    for (uint32_t child; (child = index * CHILDREN + 1) < count;) {
        if (PLX__LIKELY(child + CHILDREN <= count))
            child = least_of(queue->heap.at, child, child + CHILDREN);
        else
            child = least_of(queue->heap.at, child, count);
        if (key <= key_of(&queue->heap.at[child]))
            break;
        put_heap(queue, index, queue->heap.at[child]);
        index = child;
    }
    put_heap(queue, index, entry);
}

static void make_heap(struct plx__timer_queue *queue)
{
    for (uint32_t i = queue->heap.count; i-- > 0;)
        sift_down(queue, i, queue->heap.at[i]);
}

static void leave_heap(struct plx__timer_queue *queue, uint32_t index)
{
    struct plx__timer_entry entry = queue->heap.at[--queue->heap.count];
    if (index == queue->heap.count)
        return;
    if (index > 0 && key_of(&entry) < key_of(&queue->heap.at[(index - 1) / CHILDREN]))
        sift_up(queue, index, entry);
    else
        sift_down(queue, index, entry);
}

static bool is_hole(const struct plx__timer_entry *entry)
{
    return entry->number & PLX__TIMER_HOLE;
}

/* What will be needed of an object that may change its place. */
static void prefetch_far(const struct plx__timer_queue *queue, uint32_t index)
{
    const struct plx__timer_entry *entry = &queue->far.at[index];
    if (!is_hole(entry))
        PLX__PREFETCH(plx__timer_deadline(queue, object_of(queue, entry)));
}

/* Fills all holes with those that are last. */
static void close_ranks(struct plx__timer_queue *queue)
{
    struct plx__timer_entry *at = queue->far.at;
    uint32_t index = 1, last = queue->hole_count > 0 ? queue->far.count : 0;
    while (index < last) {
        if (is_hole(&at[last])) {
            last--;
        } else if (!is_hole(&at[index])) {
            index++;
        } else {
            if (last > AHEAD)
                prefetch_far(queue, last - AHEAD);
            put_far(queue, index, at[last--]);
        }
    }
    queue->far.count -= queue->hole_count;
    queue->hole = queue->hole_count = 0;
}

/* Reorders entries so that none before `middle` is later than it, and none behind it earlier. */
static void divide(struct plx__timer_entry *at, uint32_t count, uint32_t middle)
{
    uint32_t low = 0, high = count - 1;
    while (low < high) {
        int64_t pivot = key_of(&at[low + (high - low) / 2]);
        uint32_t i = low, j = high;
        for (;; i++, j--) {
            while (key_of(&at[i]) < pivot)
                i++;
            while (key_of(&at[j]) > pivot)
                j--;
            if (i >= j)
                break;
            struct plx__timer_entry entry = at[i];
            at[i] = at[j];
            at[j] = entry;
        }
        if (middle <= j)
            high = j;
        else
            low = j + 1;
    }
}

/*
 * All but an eighth of the heap become far. To keep half of it would be cheaper for the next pass
 * over the far ones, and dearer for a million timers that are started, stopped and moved before
 * anybody asks for the first: one in sixteen of them would be sifted.
 */
static void cut_heap(struct plx__timer_queue *queue)
{
    uint32_t count = queue->heap.count, kept = count / 8;
    divide(queue->heap.at, count, kept);
    queue->floor = key_of(&queue->heap.at[kept]);
    for (uint32_t i = kept; i < count; i++) {
        struct plx__timer_entry entry = queue->heap.at[i];
        plx__timer_set_key(&entry, deadline_of(queue, &entry));
        plx__timer_push_far(queue, entry, object_of(queue, &entry));
    }
    queue->heap.count = kept;
    queue->filled = 0;
    make_heap(queue);
}

/* Before it is cut, the heap takes a quarter of what it has room for, or the few that are always
   near: most of a thousand timers that are started before the first is due are far then. */
static bool is_crowded(const struct plx__timer_queue *queue)
{
    uint32_t spare = queue->heap.capacity / 4;
    uint32_t limit = queue->filled + (spare > PLX__TIMER_NEAR ? spare : PLX__TIMER_NEAR);
    return queue->heap.count >= less_of(limit, queue->heap.capacity);
}

/* While nobody has asked who is next, the heap stays empty: a thousand timers that are started
   before the first wait would be sifted, and for the most part be far soon after. */
static void insert(struct plx__timer_queue *queue, struct plx__timer_entry entry, void *object)
{
    int64_t key = key_of(&entry);
    if (queue->heap.count == 0 && queue->far.capacity > 0) {
        queue->floor = key < queue->floor ? key : queue->floor;
        plx__timer_push_far(queue, entry, object);
        return;
    }
    if (key <= queue->floor && is_crowded(queue))
        cut_heap(queue);
    if (key <= queue->floor)
        sift_up(queue, queue->heap.count++, entry);
    else
        plx__timer_push_far(queue, entry, object);
}

/* Keeps the least `capacity` of all values that it was given, in order; returns how many. */
static uint32_t keep_least(int64_t *least, uint32_t count, uint32_t capacity, int64_t value)
{
    if (count == capacity && value >= least[count - 1])
        return count;
    uint32_t rank = count < capacity ? count++ : count - 1;
    for (; rank > 0 && least[rank - 1] > value; rank--)
        least[rank] = least[rank - 1];
    least[rank] = value;
    return count;
}

/*
 * The deadline of some far timer, such that about as many others are not later as make half a heap.
 * The golden ratio spreads the sample: no regular pattern of long and short timers hides in its
 * gaps.
 */
static int64_t choose_floor(const struct plx__timer_queue *queue)
{
    int64_t least[PLX__TIMER_SAMPLES];
    uint32_t all = queue->far.count, wanted = queue->heap.capacity / 2, count = 0;
    if (all <= wanted)
        return INT64_MAX;
    uint32_t samples = less_of(PLX__TIMER_SAMPLES, all / wanted * RANK + RANK);
    uint32_t rank = (uint32_t)((uint64_t)samples * wanted / all);
    for (uint32_t i = 0; i < samples; i++) {
        uint32_t offset = (uint32_t)((uint64_t)(i * UINT32_C(0x9E3779B9)) * all >> 32);
        int64_t deadline = deadline_of(queue, &queue->far.at[1 + offset]);
        count = keep_least(least, count, rank + 1, deadline);
    }
    return least[count - 1];
}

/*
 * Looks from `*index` downwards for keys up to the limit, and notes their indices behind what is in
 * the heap until that is full. No branch depends on a key: one in sixteen cannot be foreseen.
 */
static uint32_t find_near(const struct plx__timer_queue *queue, uint32_t *index, int64_t limit)
{
    struct plx__timer_entry *found = queue->heap.at;
    uint32_t i = *index, end = queue->heap.count, capacity = queue->heap.capacity;
    for (; i > 0 && end < capacity; i--) {
        found[end].number = i;
        end += key_of(&queue->far.at[i]) <= limit;
    }
    *index = i;
    return end;
}

/* Moves those that were found to the heap, if their deadlines are as near as their keys. Indices
   fall, so that what fills a gap was looked at. */
static void take_near(struct plx__timer_queue *queue, uint32_t end, int64_t limit)
{
    struct plx__timer_entry *heap = queue->heap.at;
    for (uint32_t i = queue->heap.count; i < end; i++) {
        if (i + AHEAD < end)
            prefetch_far(queue, heap[i + AHEAD].number);
        if (queue->far.count > AHEAD)
            prefetch_far(queue, queue->far.count - AHEAD); /* it will fill a gap */
        uint32_t index = heap[i].number;
        struct plx__timer_entry entry = queue->far.at[index];
        int64_t deadline = deadline_of(queue, &entry);
        plx__timer_set_key(&entry, deadline);
        queue->far.at[index] = entry;
        if (deadline > limit)
            continue;
        uint32_t last = queue->far.count--;
        if (index != last)
            put_far(queue, index, queue->far.at[last]);
        heap[queue->heap.count++] = entry;
    }
}

/*
 * Fills the empty heap with those that come next. Those at the floor are taken only if there is
 * nobody before it, and as many as there is room for: thousands may have the same deadline.
 */
static void fill_heap(struct plx__timer_queue *queue)
{
    close_ranks(queue);
    queue->floor = choose_floor(queue);
    for (uint32_t index = queue->far.count; index > 0;) {
        int64_t limit = queue->floor - (queue->floor > INT64_MIN);
        take_near(queue, find_near(queue, &index, limit), limit);
        if (queue->heap.count == queue->heap.capacity)
            cut_heap(queue); /* the sample was wrong */
    }
    if (queue->heap.count == 0) {
        uint32_t index = queue->far.count;
        while (index > 0 && queue->heap.count < queue->heap.capacity)
            take_near(queue, find_near(queue, &index, queue->floor), queue->floor);
    }
    queue->filled = queue->heap.count;
    make_heap(queue);
}

/* Puts the first entry of the heap where its deadline belongs. */
static void correct_first(struct plx__timer_queue *queue, int64_t deadline)
{
    struct plx__timer_entry entry = queue->heap.at[0];
    plx__timer_set_key(&entry, deadline);
    if (deadline <= queue->floor) {
        sift_down(queue, 0, entry);
    } else {
        leave_heap(queue, 0);
        plx__timer_push_far(queue, entry, object_of(queue, &entry));
    }
}

void plx__timers_open(struct plx__timer_queue *queue, const plx_allocator *allocator,
                      const struct plx__slot_table *slots, struct plx__timer_layout layout)
{
    *queue = (struct plx__timer_queue){
        .allocator = allocator,
        .slots = slots,
        .layout = layout,
        .floor = INT64_MAX,
    };
}

static void close_entries(const struct plx__timer_queue *queue, struct plx__timer_entries *entries)
{
    plx__alloc_free(queue->allocator, entries->at, entries->capacity * sizeof *entries->at);
}

void plx__timers_close(struct plx__timer_queue *queue)
{
    close_entries(queue, &queue->heap);
    close_entries(queue, &queue->far);
}

static int reserve_entries(const struct plx__timer_queue *queue, struct plx__timer_entries *entries,
                           uint32_t count)
{
    return plx__alloc_grow(queue->allocator, &entries->at, &entries->capacity, count,
                           PLX__GROWTH_STEP, sizeof *entries->at);
}

static int grow_heap(struct plx__timer_queue *queue, uint32_t count)
{
    int code = reserve_entries(queue, &queue->heap, count);
    if (code >= 0)
        queue->room = less_of(queue->heap.capacity, PLX__TIMER_NEAR);
    return code;
}

int plx__timers_grow(struct plx__timer_queue *queue, uint32_t count)
{
    if (count <= PLX__TIMER_NEAR)
        return grow_heap(queue, count);
    uint32_t share = count / PLX__TIMER_SHARE, least = less_of(count, PLX__TIMER_HEAP);
    int code = reserve_entries(queue, &queue->heap, share > least ? share : least);
    if (code >= 0)
        code = reserve_entries(queue, &queue->far, count + 1);
    if (code >= 0)
        queue->room = less_of(queue->heap.capacity * PLX__TIMER_SHARE, queue->far.capacity - 1);
    return code;
}

void plx__timers_put(struct plx__timer_queue *queue, void *object, int64_t deadline)
{
    uint32_t place = *plx__timer_place(queue, object);
    struct plx__timer_entry entry = {.number = plx__slot_number(object)};
    plx__timer_set_key(&entry, deadline);
    *plx__timer_deadline(queue, object) = deadline;
    if (place == 0) {
        insert(queue, entry, object);
        queue->count++;
    } else if (place & PLX__TIMER_FAR) {
        plx__timer_leave_far(queue, place & ~PLX__TIMER_FAR);
        insert(queue, entry, object);
    } else if (deadline < key_of(&queue->heap.at[place - 1])) {
        sift_up(queue, place - 1, entry);
    }
}

void plx__timers_leave_heap(struct plx__timer_queue *queue, void *object)
{
    leave_heap(queue, *plx__timer_place(queue, object) - 1);
}

int64_t plx__timers_no_earlier(struct plx__timer_queue *queue, unsigned tries)
{
    while (queue->count > 0) {
        if (queue->heap.count == 0)
            fill_heap(queue);
        int64_t key = key_of(&queue->heap.at[0]);
        int64_t deadline = deadline_of(queue, &queue->heap.at[0]);
        if (deadline == key || tries-- == 0)
            return key;
        correct_first(queue, deadline);
    }
    return PLX__NEVER;
}

int64_t plx__timers_earliest(struct plx__timer_queue *queue)
{
    return plx__timers_no_earlier(queue, UINT_MAX);
}

bool plx__timers_may_be_due(struct plx__timer_queue *queue, int64_t now)
{
    if (queue->heap.count == 0) {
        if (queue->count == 0 || queue->floor > now)
            return false;
        fill_heap(queue);
    }
    return key_of(&queue->heap.at[0]) <= now;
}

/* Keys that `now` has not reached need not be right, which saves the work on all those timers that
   are moved on before anybody sleeps for them. */
void *plx__timers_take(struct plx__timer_queue *queue, int64_t now)
{
    while (plx__timers_may_be_due(queue, now)) {
        void *object = object_of(queue, &queue->heap.at[0]);
        int64_t deadline = *plx__timer_deadline(queue, object);
        if (deadline != key_of(&queue->heap.at[0])) {
            correct_first(queue, deadline);
        } else if (deadline == PLX__NEVER) {
            break;
        } else {
            plx__timers_remove(queue, object);
            return object;
        }
    }
    return NULL;
}
