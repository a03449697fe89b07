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
static_assert(PLX__TIMER_IN_ORDER >= 8, "and in the run");

static uint32_t less_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t more_of(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
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

/*
 * Reorders entries so that none before `middle` is later than it, and none behind it earlier. The
 * pivots are anywhere, but not last. Those in the middle would be among the latest each time, if
 * timeouts of two seconds were started, and then, so that they come between them, of one.
 */
static void divide(struct plx__timer_entry *at, uint32_t count, uint32_t middle)
{
    uint32_t low = 0, high = count - 1, dice = count;
    while (low < high) {
        dice = dice * UINT32_C(747796405) + UINT32_C(2891336453);
        int64_t pivot = key_of(&at[low + (uint32_t)((uint64_t)dice * (high - low) >> 32)]);
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

/* Those from an index on become far. */
static void send_far(struct plx__timer_queue *queue, struct plx__timer_entries *entries,
                     uint32_t index)
{
    for (uint32_t i = index; i < entries->count; i++) {
        struct plx__timer_entry entry = entries->at[i];
        if (is_hole(&entry))
            continue;
        plx__timer_set_key(&entry, deadline_of(queue, &entry));
        plx__timer_push_far(queue, entry, object_of(queue, &entry));
    }
    entries->count = index;
}

/* All but an eighth, in whatever order they were, become far; the floor falls. */
static void keep_eighth(struct plx__timer_queue *queue, struct plx__timer_entries *entries)
{
    uint32_t kept = entries->count / 8;
    divide(entries->at, entries->count, kept);
    queue->floor = key_of(&entries->at[kept]);
    send_far(queue, entries, kept);
}

/*
 * The heap was full; and nobody in the run is later than the floor. To keep half of the heap would
 * be cheaper for the next pass over the far ones, and dearer for a million timers that are started,
 * stopped and moved before anybody asks for the first: one in sixteen of them would be sifted.
 */
static void cut_heap(struct plx__timer_queue *queue)
{
    keep_eighth(queue, &queue->heap);
    make_heap(queue);
    uint32_t end = queue->run.count;
    while (end > queue->first && key_of(&queue->run.at[end - 1]) > queue->floor)
        end--;
    send_far(queue, &queue->run, end);
}

/* Where the next one is, by its key, or NULL if nobody is near. */
static inline struct plx__timer_entry *find_next(struct plx__timer_queue *queue)
{
    struct plx__timer_entry *heap = queue->heap.count > 0 ? queue->heap.at : NULL;
    if (queue->first == queue->run.count)
        return heap;
    struct plx__timer_entry *run = &queue->run.at[queue->first];
    return heap && key_of(heap) < key_of(run) ? heap : run;
}

/* The first of the run is never a hole. */
static void skip_holes(struct plx__timer_queue *queue)
{
    while (queue->first < queue->run.count && is_hole(&queue->run.at[queue->first]))
        queue->first++;
}

static void leave_run(struct plx__timer_queue *queue, uint32_t index)
{
    queue->run.at[index].number |= PLX__TIMER_HOLE;
    skip_holes(queue);
}

static inline void drop_next(struct plx__timer_queue *queue, const struct plx__timer_entry *next)
{
    if (next == queue->heap.at)
        leave_heap(queue, 0);
    else
        leave_run(queue, queue->first);
}

/*
 * Until somebody asks who is next, the floor falls with those that come: a thousand timers that are
 * started before the first wait would be sifted, and for the most part be far soon after. From then
 * on who is not later than the floor is near, even if nobody else is: else a short timer among many
 * that never come would have all of them looked at each time.
 */
static void insert(struct plx__timer_queue *queue, struct plx__timer_entry entry, void *object)
{
    int64_t key = key_of(&entry);
    if (!queue->is_asked && queue->heap.count == 0 && queue->far.capacity > 0) {
        queue->floor = key < queue->floor ? key : queue->floor;
        plx__timer_push_far(queue, entry, object);
        return;
    }
    if (key <= queue->floor && queue->heap.count == queue->heap.capacity)
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
 * The deadline of some far timer, such that about as many others are not later as make half a run.
 * The golden ratio spreads the sample: no regular pattern of long and short timers hides in its
 * gaps.
 */
static int64_t choose_floor(const struct plx__timer_queue *queue)
{
    int64_t least[PLX__TIMER_SAMPLES];
    uint32_t all = queue->far.count, wanted = queue->run.capacity / 2, count = 0;
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
 * the run until that is full. No branch depends on a key: one in sixteen cannot be foreseen.
 */
static uint32_t find_near(const struct plx__timer_queue *queue, uint32_t *index, int64_t limit)
{
    struct plx__timer_entry *found = queue->run.at;
    uint32_t i = *index, end = queue->run.count, capacity = queue->run.capacity;
    for (; i > 0 && end < capacity; i--) {
        found[end].number = i;
        end += key_of(&queue->far.at[i]) <= limit;
    }
    *index = i;
    return end;
}

/* Moves those that were found to the run, if their deadlines are as near as their keys. Indices
   fall, so that what fills a gap was looked at. */
static void take_near(struct plx__timer_queue *queue, uint32_t end, int64_t limit)
{
    struct plx__timer_entry *run = queue->run.at;
    for (uint32_t i = queue->run.count; i < end; i++) {
        if (i + AHEAD < end)
            prefetch_far(queue, run[i + AHEAD].number);
        if (queue->far.count > AHEAD)
            prefetch_far(queue, queue->far.count - AHEAD); /* it will fill a gap */
        uint32_t index = run[i].number;
        struct plx__timer_entry entry = queue->far.at[index];
        int64_t deadline = deadline_of(queue, &entry);
        plx__timer_set_key(&entry, deadline);
        queue->far.at[index] = entry;
        if (deadline > limit)
            continue;
        uint32_t last = queue->far.count--;
        if (index != last)
            put_far(queue, index, queue->far.at[last]);
        run[queue->run.count++] = entry;
    }
}

/* Up to so many are sorted by comparing. */
#define FEW 24u

static void sort_few(struct plx__timer_entry *at, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct plx__timer_entry entry = at[i];
        uint32_t rank = i;
        for (; rank > 0 && key_of(&at[rank - 1]) > key_of(&entry); rank--)
            at[rank] = at[rank - 1];
        at[rank] = entry;
    }
}

#define DIGIT_BITS 8u
#define DIGITS     (1u << DIGIT_BITS)

static inline uint32_t digit_of(const struct plx__timer_entry *entry, uint64_t base, unsigned shift)
{
    return (uint32_t)(((uint64_t)key_of(entry) - base) >> shift) % DIGITS;
}

/* Those with equal digits stay in the order that they were in. */
static void sort_by_digit(struct plx__timer_entry *to, const struct plx__timer_entry *from,
                          uint32_t count, uint64_t base, unsigned shift)
{
    uint32_t places[DIGITS] = {0}, sum = 0;
    for (uint32_t i = 0; i < count; i++)
        places[digit_of(&from[i], base, shift)]++;
    for (uint32_t digit = 0; digit < DIGITS; digit++) {
        uint32_t these = places[digit];
        places[digit] = sum;
        sum += these;
    }
    for (uint32_t i = 0; i < count; i++)
        to[places[digit_of(&from[i], base, shift)]++] = from[i];
}

/*
 * Digit by digit, as far as keys differ: three or four for timeouts of some seconds, of which a
 * run has a share. Who compares takes a step that nobody can foresee for each bit of how many there
 * are. Behind the far ones there is room, of which the run was a part.
 */
static void sort_many(struct plx__timer_queue *queue)
{
    struct plx__timer_entry *from = queue->run.at, *to = &queue->far.at[queue->far.count + 1];
    uint32_t count = queue->run.count;
    assert(count < queue->far.capacity - queue->far.count);
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (uint32_t i = 0; i < count; i++) {
        int64_t key = key_of(&from[i]);
        least = key < least ? key : least;
        most = key > most ? key : most;
    }
    uint64_t range = (uint64_t)most - (uint64_t)least;
    for (unsigned shift = 0; shift < 64 && range >> shift > 0; shift += DIGIT_BITS) {
        sort_by_digit(to, from, count, (uint64_t)least, shift);
        struct plx__timer_entry *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != queue->run.at)
        memcpy(queue->run.at, from, count * sizeof *from);
}

static void sort_run(struct plx__timer_queue *queue)
{
    if (queue->run.count <= FEW)
        sort_few(queue->run.at, queue->run.count);
    else
        sort_many(queue);
    for (uint32_t i = 0; i < queue->run.count; i++)
        *plx__timer_place(queue, object_of(queue, &queue->run.at[i])) = i | PLX__TIMER_RUN;
}

/*
 * Makes a run of those that come next. Those at the floor are taken only if there is nobody before
 * it, and as many as there is room for: thousands may have the same deadline.
 */
static void fill_run(struct plx__timer_queue *queue)
{
    close_ranks(queue);
    queue->is_asked = true;
    queue->first = queue->run.count = 0;
    queue->floor = choose_floor(queue);
    for (uint32_t index = queue->far.count; index > 0;) {
        int64_t limit = queue->floor - (queue->floor > INT64_MIN);
        take_near(queue, find_near(queue, &index, limit), limit);
        if (queue->run.count == queue->run.capacity)
            keep_eighth(queue, &queue->run); /* the sample was wrong */
    }
    if (queue->run.count == 0) {
        uint32_t index = queue->far.count;
        while (index > 0 && queue->run.count < queue->run.capacity)
            take_near(queue, find_near(queue, &index, queue->floor), queue->floor);
    }
    sort_run(queue);
}

/* Puts the next entry where its deadline belongs. */
static void correct_next(struct plx__timer_queue *queue, const struct plx__timer_entry *next,
                         int64_t deadline)
{
    struct plx__timer_entry entry = *next;
    plx__timer_set_key(&entry, deadline);
    if (next == queue->heap.at && deadline <= queue->floor) {
        sift_down(queue, 0, entry);
    } else {
        drop_next(queue, next);
        insert(queue, entry, object_of(queue, &entry));
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
        .bound = INT64_MAX,
    };
}

static void close_entries(const struct plx__timer_queue *queue, struct plx__timer_entries *entries)
{
    plx__alloc_free(queue->allocator, entries->at, entries->capacity * sizeof *entries->at);
}

void plx__timers_close(struct plx__timer_queue *queue)
{
    close_entries(queue, &queue->run);
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
    uint32_t share = (count + PLX__TIMER_SHARE - 1) / PLX__TIMER_SHARE;
    uint32_t next = more_of(share, less_of(count, PLX__TIMER_IN_ORDER));
    int code = reserve_entries(queue, &queue->run, next);
    if (code >= 0)
        code = reserve_entries(queue, &queue->heap, more_of(next / 4, PLX__TIMER_NEAR));
    if (code >= 0)
        code = reserve_entries(queue, &queue->far, count + 1);
    if (code >= 0)
        queue->room = less_of(queue->run.capacity * PLX__TIMER_SHARE, queue->far.capacity - 1);
    return code;
}

void plx__timers_put(struct plx__timer_queue *queue, void *object, int64_t deadline)
{
    uint32_t place = *plx__timer_place(queue, object);
    struct plx__timer_entry entry = {.number = plx__slot_number(object)};
    plx__timer_set_key(&entry, deadline);
    *plx__timer_deadline(queue, object) = deadline;
    if (deadline < queue->bound)
        queue->bound = deadline;
    if (place == 0) {
        insert(queue, entry, object);
        queue->count++;
    } else if (place & PLX__TIMER_FAR) {
        plx__timer_leave_far(queue, place & ~PLX__TIMER_FAR);
        insert(queue, entry, object);
    } else if (place & PLX__TIMER_RUN) {
        uint32_t index = place & ~PLX__TIMER_RUN;
        if (deadline < key_of(&queue->run.at[index])) {
            leave_run(queue, index);
            insert(queue, entry, object);
        }
    } else if (deadline < key_of(&queue->heap.at[place - 1])) {
        sift_up(queue, place - 1, entry);
    }
}

void plx__timers_leave_near(struct plx__timer_queue *queue, void *object)
{
    uint32_t place = *plx__timer_place(queue, object);
    if (place & PLX__TIMER_RUN)
        leave_run(queue, place & ~PLX__TIMER_RUN);
    else
        leave_heap(queue, place - 1);
}

int64_t plx__timers_no_earlier(struct plx__timer_queue *queue, unsigned tries)
{
    while (queue->count > 0) {
        const struct plx__timer_entry *next = find_next(queue);
        if (!next) {
            fill_run(queue);
            continue;
        }
        int64_t deadline = deadline_of(queue, next);
        if (deadline == key_of(next) || tries-- == 0)
            return key_of(next);
        correct_next(queue, next, deadline);
    }
    return PLX__NEVER;
}

int64_t plx__timers_earliest(struct plx__timer_queue *queue)
{
    return plx__timers_no_earlier(queue, UINT_MAX);
}

/* Where the next one is, or NULL if no key is as early as `now`. */
static inline struct plx__timer_entry *find_due(struct plx__timer_queue *queue, int64_t now)
{
    struct plx__timer_entry *next;
    while (!(next = find_next(queue))) {
        queue->bound = queue->floor;
        if (queue->count == 0 || queue->floor > now)
            return NULL;
        fill_run(queue);
    }
    queue->bound = key_of(next);
    return queue->bound <= now ? next : NULL;
}

bool plx__timers_look(struct plx__timer_queue *queue, int64_t now)
{
    return find_due(queue, now) != NULL;
}

/* In a run it is known who comes some places later. */
static inline void prefetch_run(const struct plx__timer_queue *queue)
{
    uint32_t index = queue->first + AHEAD;
    if (index >= queue->run.count)
        return;
    uint32_t number = queue->run.at[index].number & ~PLX__TIMER_HOLE;
    void *object = plx__slots_at(queue->slots->slabs, number);
    PLX__PREFETCH(plx__timer_place(queue, object));
    PLX__PREFETCH(plx__timer_deadline(queue, object));
}

/* Keys that `now` has not reached need not be right, which saves the work on all those timers that
   are moved on before anybody sleeps for them. */
void *plx__timers_take_due(struct plx__timer_queue *queue, int64_t now)
{
    const struct plx__timer_entry *next;
    while ((next = find_due(queue, now))) {
        void *object = object_of(queue, next);
        int64_t deadline = *plx__timer_deadline(queue, object);
        if (deadline != key_of(next)) {
            correct_next(queue, next, deadline);
        } else if (deadline == PLX__NEVER) {
            break;
        } else {
            prefetch_run(queue);
            drop_next(queue, next);
            plx__timer_is_out(queue, object);
            return object;
        }
    }
    return NULL;
}
