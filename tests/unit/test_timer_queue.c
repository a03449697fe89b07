/* SPDX-License-Identifier: MIT */
/*
 * test_timer_queue.c: deadlines come back in order, whatever was moved or removed meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include <pollux/error.h>

#include "memory.h"
#include "random.h"
#include "require.h"
#include "src/base/timer_queue.h"
#include "suites.h"

/* Enough for far ones, and for more than one pass over them. */
enum { MANY = 40000, SECOND = 1000000000 };

/* The queue's fields are where nobody would expect them, amidst what is not its own. */
struct timer {
    struct plx__slot slot;
    uint32_t before;
    uint32_t place;
    uint64_t between;
    int64_t deadline;
    uint64_t behind;
};

struct fixture {
    struct memory memory;
    struct plx__slot_table slots;
    struct plx__timer_queue queue;
    struct timer *timers[MANY];
};

static void fixture_open(struct fixture *fixture)
{
    const struct plx__timer_layout layout = {offsetof(struct timer, deadline),
                                             offsetof(struct timer, place)};
    memory_open(&fixture->memory);
    const size_t size = sizeof(struct timer);
    plx__slots_open(&fixture->slots, &fixture->memory.allocator, NULL, &size, 1);
    plx__timers_open(&fixture->queue, &fixture->memory.allocator, &fixture->slots, layout);
    for (size_t i = 0; i < MANY; i++)
        fixture->timers[i] = NULL;
}

static void fixture_close(struct fixture *fixture)
{
    plx__timers_close(&fixture->queue);
    plx__slots_close(&fixture->slots);
    memory_close(&fixture->memory);
}

/* Checks an entry; returns its key. */
static int64_t check_entry(const struct fixture *fixture, const struct plx__timer_entry *entry,
                           uint32_t place)
{
    const struct timer *timer = plx__slots_at(fixture->slots.slabs, entry->number);
    int64_t key;
    memcpy(&key, entry->key, sizeof key);
    REQUIRE(timer->place == place);
    REQUIRE(timer->deadline >= key && key >= fixture->queue.bound);
    return key;
}

static bool is_hole(const struct plx__timer_entry *entry)
{
    return entry->number & PLX__TIMER_HOLE;
}

/* Returns how many there are in the run. */
static uint32_t check_run(const struct fixture *fixture)
{
    const struct plx__timer_queue *queue = &fixture->queue;
    REQUIRE(queue->first <= queue->run.count && queue->run.count <= queue->run.capacity);
    int64_t previous = INT64_MIN;
    uint32_t count = 0;
    REQUIRE(queue->first == queue->run.count || !is_hole(&queue->run.at[queue->first]));
    for (uint32_t i = queue->first; i < queue->run.count; i++) {
        if (is_hole(&queue->run.at[i]))
            continue;
        int64_t key = check_entry(fixture, &queue->run.at[i], i | PLX__TIMER_RUN);
        REQUIRE(previous <= key && key <= queue->floor);
        previous = key;
        count++;
    }
    return count;
}

/* The run is in order, the heap is a heap, the floor is between them and the far ones, and objects
   know their place. */
static void check_invariants(const struct fixture *fixture)
{
    const struct plx__timer_queue *queue = &fixture->queue;
    REQUIRE(queue->bound <= queue->floor);
    REQUIRE(queue->floor == INT64_MAX || queue->far.capacity > 0);
    REQUIRE(queue->heap.count <= queue->heap.capacity);
    for (uint32_t i = 0; i < queue->heap.count; i++) {
        int64_t parent;
        memcpy(&parent, queue->heap.at[i > 0 ? (i - 1) / 4 : 0].key, sizeof parent);
        int64_t key = check_entry(fixture, &queue->heap.at[i], i + 1);
        REQUIRE(parent <= key && key <= queue->floor);
    }
    REQUIRE(queue->far.count < queue->far.capacity || queue->far.capacity == 0);
    uint32_t holes = 0;
    for (uint32_t i = 1; i <= queue->far.count; i++) {
        if (is_hole(&queue->far.at[i]))
            holes++;
        else
            REQUIRE(check_entry(fixture, &queue->far.at[i], i | PLX__TIMER_FAR) >= queue->floor);
    }
    REQUIRE(holes == queue->hole_count);
    uint32_t near_count = check_run(fixture) + queue->heap.count;
    REQUIRE(queue->count == near_count + queue->far.count - holes);
}

static struct timer *new_timer(struct fixture *fixture, size_t index)
{
    struct timer *timer = plx__slots_take(&fixture->slots, 0);
    REQUIRE(timer != NULL);
    memset(&timer->slot + 1, 0, sizeof *timer - sizeof timer->slot);
    timer->before = (uint32_t)index;
    fixture->timers[index] = timer;
    return timer;
}

static struct timer *add(struct fixture *fixture, size_t index, int64_t deadline)
{
    struct timer *timer = fixture->timers[index];
    if (!timer)
        timer = new_timer(fixture, index);
    if (!plx__timer_is_queued(&fixture->queue, timer))
        REQUIRE(plx__timers_reserve(&fixture->queue, fixture->queue.count + 1) == PLX_OK);
    if (!plx__timer_is_queued(&fixture->queue, timer) && index % 2 == 0)
        plx__timers_add(&fixture->queue, timer, plx__slot_number(&timer->slot), deadline);
    else
        plx__timers_set(&fixture->queue, timer, deadline);
    REQUIRE(plx__timer_is_queued(&fixture->queue, timer));
    REQUIRE(timer->deadline == deadline);
    return timer;
}

static void add_random(struct fixture *fixture, struct random *random, uint32_t range)
{
    for (size_t i = 0; i < MANY; i++)
        add(fixture, i, random_below(random, range));
}

/* Takes all; returns how many there were. Each is out of the queue, and none before its turn. */
static uint32_t take_all(struct fixture *fixture, int64_t now)
{
    int64_t previous = INT64_MIN;
    uint32_t count = 0;
    for (struct timer *timer; (timer = plx__timers_take(&fixture->queue, now)); count++) {
        REQUIRE(timer->deadline >= previous && timer->deadline <= now);
        REQUIRE(timer == fixture->timers[timer->before]);
        REQUIRE(timer->between == 0 && timer->behind == 0);
        REQUIRE(!plx__timer_is_queued(&fixture->queue, timer));
        previous = timer->deadline;
    }
    return count;
}

START_TEST(an_empty_queue_has_no_deadline)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    ck_assert_int_eq(plx__timers_earliest(&fixture.queue), PLX__NEVER);
    ck_assert_ptr_null(plx__timers_take(&fixture.queue, INT64_MAX));
    ck_assert_uint_eq(fixture.memory.requests, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_timer_is_due_at_its_nanosecond)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    struct timer *timer = add(&fixture, 0, 5);
    ck_assert_int_eq(plx__timers_earliest(&fixture.queue), 5);
    ck_assert_ptr_null(plx__timers_take(&fixture.queue, 4));
    ck_assert_ptr_eq(plx__timers_take(&fixture.queue, 5), timer);
    ck_assert_ptr_null(plx__timers_take(&fixture.queue, 5));
    ck_assert_int_eq(plx__timers_earliest(&fixture.queue), PLX__NEVER);
    fixture_close(&fixture);
}
END_TEST

START_TEST(many_come_in_order)
{
    static struct fixture fixture;
    struct random random = random_open();
    fixture_open(&fixture);
    add_random(&fixture, &random, SECOND);
    check_invariants(&fixture);
    ck_assert_uint_eq(take_all(&fixture, SECOND), MANY);
    ck_assert_uint_eq(fixture.queue.count, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(rising_and_falling_deadlines_come_in_order)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    for (int64_t i = 0; i < MANY; i++)
        add(&fixture, (size_t)i, i < MANY / 2 ? i : 2 * MANY - i);
    check_invariants(&fixture);
    ck_assert_uint_eq(take_all(&fixture, 2 * MANY), MANY);
    fixture_close(&fixture);
}
END_TEST

START_TEST(nobody_is_early)
{
    static struct fixture fixture;
    struct random random = random_open();
    fixture_open(&fixture);
    add_random(&fixture, &random, SECOND);
    uint32_t count = 0;
    for (int64_t now; (now = plx__timers_earliest(&fixture.queue)) != PLX__NEVER;) {
        REQUIRE(plx__timers_take(&fixture.queue, now - 1) == NULL);
        uint32_t due = take_all(&fixture, now);
        REQUIRE(due > 0);
        count += due;
    }
    ck_assert_uint_eq(count, MANY);
    fixture_close(&fixture);
}
END_TEST

/* No floor divides those that are equal: all of a loop's turn, or half of them. */
START_TEST(equal_deadlines_are_all_due_together)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    for (int64_t late = 0; late <= 1000; late += 1000) {
        for (size_t i = 0; i < MANY; i++)
            add(&fixture, i, 1000 + (int64_t)(i % 2) * late);
        check_invariants(&fixture);
        ck_assert_uint_eq(take_all(&fixture, 999), 0);
        ck_assert_uint_eq(take_all(&fixture, 1999), late > 0 ? MANY / 2 : MANY);
        ck_assert_uint_eq(take_all(&fixture, 2000), late > 0 ? MANY / 2 : 0);
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(deadlines_may_be_anywhere_in_64_bits)
{
    static const int64_t deadlines[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1};
    enum { COUNT = sizeof deadlines / sizeof deadlines[0] };
    static struct fixture fixture;
    fixture_open(&fixture);
    for (size_t i = 0; i < MANY; i++)
        add(&fixture, i, deadlines[i % COUNT]);
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert_int_eq(plx__timers_earliest(&fixture.queue), deadlines[i]);
        ck_assert_uint_eq(take_all(&fixture, deadlines[i]), MANY / COUNT + (i < MANY % COUNT));
        check_invariants(&fixture);
    }
    fixture_close(&fixture);
}
END_TEST

static int64_t anywhere(struct random *random)
{
    uint64_t high = random_below(random, UINT32_MAX), low = random_below(random, UINT32_MAX);
    return (int64_t)(high << 32 | low);
}

/* All of them are one run, of a few or of many. */
START_TEST(a_run_is_in_order_wherever_its_deadlines_are)
{
    static struct fixture fixture;
    struct random random = random_open();
    fixture_open(&fixture);
    ck_assert_int_eq(plx__timers_reserve(&fixture.queue, MANY), PLX_OK);
    for (uint32_t count = 2; count <= MANY / PLX__TIMER_SHARE / 2; count += 1 + count / 4) {
        for (size_t i = 0; i < count; i++)
            add(&fixture, i, anywhere(&random));
        plx__timers_earliest(&fixture.queue);
        if (count <= PLX__TIMER_IN_ORDER / 2)
            ck_assert_uint_eq(fixture.queue.run.count, count);
        check_invariants(&fixture);
        ck_assert_uint_eq(take_all(&fixture, INT64_MAX - 1), count);
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(never_does_not_come)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    for (size_t i = 0; i < MANY; i++)
        add(&fixture, i, i == MANY / 2 ? 7 : PLX__NEVER);
    ck_assert_uint_eq(take_all(&fixture, INT64_MAX), 1);
    ck_assert_int_eq(plx__timers_earliest(&fixture.queue), PLX__NEVER);
    add(&fixture, 1, INT64_MAX - 1);
    ck_assert_uint_eq(take_all(&fixture, INT64_MAX), 1);
    ck_assert_uint_eq(fixture.queue.count, MANY - 2);
    fixture_close(&fixture);
}
END_TEST

/* The earliest deadline is exact even when every key is out of date. */
START_TEST(a_timer_that_was_put_off_comes_at_its_later_time)
{
    static struct fixture fixture;
    struct random random = random_open();
    fixture_open(&fixture);
    add_random(&fixture, &random, SECOND);
    plx__timers_earliest(&fixture.queue);
    for (size_t i = 0; i < MANY; i++)
        add(&fixture, i, fixture.timers[i]->deadline + SECOND);
    check_invariants(&fixture);
    ck_assert_int_ge(plx__timers_earliest(&fixture.queue), SECOND);
    ck_assert_uint_eq(take_all(&fixture, SECOND - 1), 0);
    ck_assert_uint_eq(take_all(&fixture, 2 * (int64_t)SECOND), MANY);
    fixture_close(&fixture);
}
END_TEST

/* Nothing is sorted that may be put off again. */
START_TEST(putting_off_leaves_the_run_as_it_is)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    ck_assert_int_eq(plx__timers_reserve(&fixture.queue, MANY), PLX_OK);
    for (size_t i = 0; i < MANY; i++)
        add(&fixture, i, (int64_t)i);
    ck_assert_int_eq(plx__timers_earliest(&fixture.queue), 0);
    size_t size = fixture.queue.run.count * sizeof *fixture.queue.run.at;
    ck_assert_uint_gt(size, 0);
    void *run = malloc(size);
    memcpy(run, fixture.queue.run.at, size);
    for (size_t i = 0; i < MANY; i++)
        add(&fixture, i, MANY + (int64_t)i);
    ck_assert_int_eq(memcmp(run, fixture.queue.run.at, size), 0);
    check_invariants(&fixture);
    ck_assert_int_eq(plx__timers_earliest(&fixture.queue), MANY);
    free(run);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_timer_that_was_brought_forward_comes_at_its_earlier_time)
{
    static struct fixture fixture;
    struct random random = random_open();
    fixture_open(&fixture);
    for (size_t i = 0; i < MANY; i++)
        add(&fixture, i, SECOND + (int64_t)random_below(&random, SECOND));
    for (size_t i = 0; i < MANY; i++) {
        int64_t deadline = SECOND - (int64_t)i;
        add(&fixture, i, deadline);
        REQUIRE(plx__timers_earliest(&fixture.queue) == deadline);
    }
    check_invariants(&fixture);
    ck_assert_uint_eq(take_all(&fixture, SECOND), MANY);
    fixture_close(&fixture);
}
END_TEST

/* Put off and then brought forward again, to before and after the key that the entry kept. */
START_TEST(back_and_forth_counts_as_the_last_call_said)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    struct timer *timer = add(&fixture, 0, 100);
    add(&fixture, 1, 150);
    plx__timers_set(&fixture.queue, timer, 300);
    plx__timers_set(&fixture.queue, timer, 200);
    ck_assert_int_eq(plx__timers_earliest(&fixture.queue), 150);
    plx__timers_set(&fixture.queue, timer, 50);
    ck_assert_int_eq(plx__timers_earliest(&fixture.queue), 50);
    ck_assert_uint_eq(take_all(&fixture, 149), 1);
    fixture_close(&fixture);
}
END_TEST

static void remove_every(struct fixture *fixture, size_t step, size_t *order)
{
    for (size_t i = 0; i < MANY; i += step) {
        struct timer *timer = fixture->timers[order[i]];
        plx__timers_remove(&fixture->queue, timer);
        REQUIRE(!plx__timer_is_queued(&fixture->queue, timer));
        plx__timers_remove(&fixture->queue, timer);
        if (i % 1000 == 0)
            check_invariants(fixture);
    }
}

START_TEST(removal_leaves_the_others_in_order)
{
    static struct fixture fixture;
    static size_t order[MANY];
    struct random random = random_open();
    fixture_open(&fixture);
    for (size_t i = 0; i < MANY; i++) {
        size_t other = random_below(&random, (uint32_t)i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    for (size_t step = 1; step <= 3; step++) {
        add_random(&fixture, &random, SECOND);
        plx__timers_earliest(&fixture.queue);
        remove_every(&fixture, step, order);
        ck_assert_uint_eq(take_all(&fixture, SECOND), MANY - (MANY + step - 1) / step);
    }
    fixture_close(&fixture);
}
END_TEST

/* A slot that comes back as another timer has nothing of the first one's. */
START_TEST(a_removed_timer_may_be_freed)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    for (size_t round = 0; round < 1000; round++) {
        struct timer *timer = add(&fixture, round, (int64_t)round);
        add(&fixture, round, SECOND);
        plx__timers_remove(&fixture.queue, timer);
        plx__slot_retire(&timer->slot);
        plx__slots_put(&fixture.slots, &timer->slot);
    }
    ck_assert_int_eq(plx__timers_earliest(&fixture.queue), PLX__NEVER);
    ck_assert_uint_eq(fixture.queue.count, 0);
    fixture_close(&fixture);
}
END_TEST

/* A timer with a period that is queued again at once, as long as more are due. */
START_TEST(a_taken_timer_may_be_queued_again_at_once)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    for (size_t i = 0; i < 100; i++)
        add(&fixture, i, (int64_t)(i * 100));
    int64_t previous = 0;
    for (size_t i = 0; i < MANY; i++) {
        struct timer *timer = plx__timers_take(&fixture.queue, INT64_MAX - 1);
        REQUIRE(timer != NULL && timer->deadline >= previous);
        previous = timer->deadline;
        add(&fixture, timer->before, previous + 10000);
    }
    check_invariants(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* Growing takes up to three requests: for the run, the heap and the far ones. */
START_TEST(without_memory_nothing_changes)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    for (uint32_t count = 0; count < MANY; count++) {
        fixture.memory.refuse = 1 + count % 3;
        int code = plx__timers_reserve(&fixture.queue, count + 1);
        if (fixture.memory.refuse == 0) {
            int64_t earliest = plx__timers_earliest(&fixture.queue);
            ck_assert_int_eq(code, PLX_ERR_NOMEM);
            ck_assert_int_eq(earliest, count > 0 ? MANY - (int64_t)count + 1 : PLX__NEVER);
            ck_assert_uint_eq(fixture.queue.count, count);
            check_invariants(&fixture);
        }
        fixture.memory.refuse = 0;
        add(&fixture, count, MANY - (int64_t)count);
    }
    ck_assert_uint_eq(take_all(&fixture, MANY), MANY);
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_was_reserved_needs_no_memory)
{
    static struct fixture fixture;
    struct random random = random_open();
    fixture_open(&fixture);
    ck_assert_int_eq(plx__timers_reserve(&fixture.queue, MANY), PLX_OK);
    ck_assert_int_eq(plx__slots_reserve(&fixture.slots, 0, MANY), PLX_OK);
    uint32_t requests = fixture.memory.requests;
    add_random(&fixture, &random, SECOND);
    add_random(&fixture, &random, SECOND);
    take_all(&fixture, SECOND);
    ck_assert_uint_eq(fixture.memory.requests, requests);
    fixture_close(&fixture);
}
END_TEST

/* As they are when the heap has been used up by timers that went to the far end. */
START_TEST(all_that_room_was_made_for_may_be_far)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    ck_assert_int_eq(plx__timers_reserve(&fixture.queue, MANY), PLX_OK);
    for (size_t i = 0; i < MANY; i++)
        add(&fixture, i, (int64_t)i);
    uint32_t most = 0;
    for (int64_t i = 0; i < MANY; i++) {
        struct timer *timer = plx__timers_take(&fixture.queue, i);
        REQUIRE(timer != NULL);
        add(&fixture, timer->before, MANY + i);
        most = fixture.queue.far.count > most ? fixture.queue.far.count : most;
    }
    ck_assert_uint_eq(most, MANY);
    ck_assert_uint_eq(take_all(&fixture, 2 * MANY), MANY);
    fixture_close(&fixture);
}
END_TEST

/* The places of those that were removed are the next ones', so that no more than was reserved is
   used; and who was removed is not found where he was when the time comes. */
START_TEST(the_places_of_removed_timers_are_used_again)
{
    static struct fixture fixture;
    struct random random = random_open();
    fixture_open(&fixture);
    add_random(&fixture, &random, SECOND);
    for (int round = 0; round < 3; round++) {
        for (size_t i = (size_t)round; i < MANY; i += 2)
            plx__timers_remove(&fixture.queue, fixture.timers[i]);
        check_invariants(&fixture);
        for (size_t i = (size_t)round; i < MANY; i += 4)
            add(&fixture, i, (int64_t)random_below(&random, SECOND));
        check_invariants(&fixture);
        ck_assert_uint_le(fixture.queue.far.count, MANY);
    }
    uint32_t left = fixture.queue.count;
    ck_assert_uint_eq(take_all(&fixture, SECOND), left);
    fixture_close(&fixture);
}
END_TEST

START_TEST(removing_all_leaves_no_holes)
{
    static struct fixture fixture;
    struct random random = random_open();
    fixture_open(&fixture);
    add_random(&fixture, &random, SECOND);
    for (size_t i = 0; i < MANY; i++)
        plx__timers_remove(&fixture.queue, fixture.timers[i]);
    ck_assert_uint_eq(fixture.queue.far.count, 0);
    ck_assert_uint_eq(fixture.queue.hole_count, 0);
    ck_assert(!plx__timers_may_be_due(&fixture.queue, INT64_MAX));
    ck_assert_int_eq(plx__timers_earliest(&fixture.queue), PLX__NEVER);
    add(&fixture, 7, 7);
    ck_assert_ptr_eq(plx__timers_take(&fixture.queue, 7), fixture.timers[7]);
    fixture_close(&fixture);
}
END_TEST

/* Those that are started and stopped before anybody asks for the first are not put in order. */
START_TEST(nobody_is_near_before_somebody_asks)
{
    static struct fixture fixture;
    struct random random = random_open();
    fixture_open(&fixture);
    add_random(&fixture, &random, SECOND);
    for (size_t i = 0; i < MANY; i++)
        plx__timers_remove(&fixture.queue, fixture.timers[i]);
    int64_t least = SECOND;
    for (size_t i = 0; i < MANY; i++) {
        int64_t deadline = (int64_t)random_below(&random, SECOND);
        least = deadline < least ? deadline : least;
        add(&fixture, i, deadline);
    }
    ck_assert(!plx__timers_may_be_due(&fixture.queue, least - 1));
    ck_assert_uint_eq(fixture.queue.far.count, MANY);
    check_invariants(&fixture);
    ck_assert_int_eq(plx__timers_earliest(&fixture.queue), least);
    ck_assert_uint_lt(fixture.queue.far.count, MANY);
    ck_assert_uint_eq(take_all(&fixture, SECOND), MANY);
    fixture_close(&fixture);
}
END_TEST

/* A tick among many that never come is no reason to look at them each time. */
START_TEST(a_short_timer_among_many_leaves_them_alone)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    ck_assert_int_eq(plx__timers_reserve(&fixture.queue, MANY), PLX_OK);
    for (size_t i = 0; i < MANY; i++)
        add(&fixture, i, PLX__NEVER);
    struct timer *tick = fixture.timers[0];
    uint32_t passes = 0;
    for (int64_t now = 0; now < 1000; now++) {
        add(&fixture, 0, now);
        REQUIRE(plx__timers_earliest(&fixture.queue) == now);
        passes += (tick->place & PLX__TIMER_RUN) != 0;
        REQUIRE(plx__timers_take(&fixture.queue, now) == tick);
    }
    ck_assert_uint_le(passes, 10);
    check_invariants(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* Twelve bytes, a share of them again and a quarter of that for what is near, and an eighth for
   growth. */
START_TEST(a_timer_costs_what_it_is_said_to)
{
    static struct fixture fixture;
    fixture_open(&fixture);
    for (uint32_t count = 1; count <= MANY; count++) {
        REQUIRE(plx__timers_reserve(&fixture.queue, count) == PLX_OK);
        uint32_t near_count = count / PLX__TIMER_SHARE + PLX__TIMER_IN_ORDER;
        uint32_t entries = count + near_count + near_count / 4 + PLX__TIMER_NEAR;
        REQUIRE(fixture.memory.bytes <= (entries + entries / 8 + 4 * PLX__GROWTH_STEP) * 12);
    }
    ck_assert_uint_eq(fixture.memory.blocks, 3);
    fixture_close(&fixture);
}
END_TEST

/*
 * The model: a tournament. Each timer has a leaf with its deadline, PLX__NEVER while it is not
 * queued, and each inner node the lesser of two.
 */
enum { LEAVES = 16384, STEPS = 1000000 };

struct model {
    struct random random;
    int64_t now;
    int64_t least[2 * LEAVES];
};

static void model_set(struct model *model, size_t index, int64_t deadline)
{
    size_t node = LEAVES + index;
    model->least[node] = deadline;
    while ((node /= 2) > 0) {
        int64_t left = model->least[2 * node], right = model->least[2 * node + 1];
        model->least[node] = left < right ? left : right;
    }
}

/* Near, far, on a coarse grid as timeouts are, long past, or so far that nobody will see it. */
static int64_t some_deadline(struct model *model)
{
    int64_t offset = random_below(&model->random, SECOND);
    switch (random_below(&model->random, 8)) {
    case 0:
        return model->now + offset / 1000000;
    case 1:
    case 2:
        return model->now + offset / 1000;
    case 3:
        return (model->now / 1000000 + 100) * 1000000;
    case 4:
        return model->now - offset;
    case 5:
        return INT64_MAX - 1 - offset;
    default:
        return model->now + offset;
    }
}

static void take_one(struct fixture *fixture, struct model *model)
{
    struct timer *timer = plx__timers_take(&fixture->queue, model->now);
    if (!timer) {
        REQUIRE(model->least[1] > model->now);
        return;
    }
    REQUIRE(timer->deadline == model->least[1]);
    REQUIRE(model->least[LEAVES + timer->before] == timer->deadline);
    model_set(model, timer->before, PLX__NEVER);
}

/* A step; `growth` of ten touch the deadline of some timer. */
static void step(struct fixture *fixture, struct model *model, uint32_t growth)
{
    size_t index = random_below(&model->random, LEAVES);
    if (random_below(&model->random, 10) < growth) {
        int64_t deadline = some_deadline(model);
        add(fixture, index, deadline);
        model_set(model, index, deadline);
        return;
    }
    switch (random_below(&model->random, 4)) {
    case 0:
        plx__timers_remove(&fixture->queue, fixture->timers[index]);
        model_set(model, index, PLX__NEVER);
        return;
    case 1:
        model->now += random_below(&model->random, 100000);
        return;
    case 2:
        REQUIRE(plx__timers_earliest(&fixture->queue) == model->least[1]);
        return;
    default:
        take_one(fixture, model);
    }
}

START_TEST(a_million_random_steps_agree_with_a_tournament)
{
    static struct fixture fixture;
    static struct model model;
    fixture_open(&fixture);
    model.random = random_open();
    for (size_t i = 0; i < LEAVES; i++) {
        new_timer(&fixture, i);
        model_set(&model, i, PLX__NEVER);
    }
    uint32_t growth = 9;
    for (uint32_t i = 0; i < STEPS; i++) {
        if (i % 50000 == 0)
            growth = 1 + random_below(&model.random, 9);
        step(&fixture, &model, growth);
        if (i % 5000 == 0)
            check_invariants(&fixture);
    }
    while (model.least[1] != PLX__NEVER) {
        model.now = model.least[1];
        take_one(&fixture, &model);
    }
    ck_assert_uint_eq(fixture.queue.count, 0);
    fixture_close(&fixture);
}
END_TEST

Suite *timer_queue_suite(void)
{
    Suite *suite = suite_create("timer_queue");
    TCase *tests = tcase_create("timer_queue");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, an_empty_queue_has_no_deadline);
    tcase_add_test(tests, a_timer_is_due_at_its_nanosecond);
    tcase_add_test(tests, many_come_in_order);
    tcase_add_test(tests, rising_and_falling_deadlines_come_in_order);
    tcase_add_test(tests, nobody_is_early);
    tcase_add_test(tests, equal_deadlines_are_all_due_together);
    tcase_add_test(tests, deadlines_may_be_anywhere_in_64_bits);
    tcase_add_test(tests, a_run_is_in_order_wherever_its_deadlines_are);
    tcase_add_test(tests, never_does_not_come);
    tcase_add_test(tests, a_timer_that_was_put_off_comes_at_its_later_time);
    tcase_add_test(tests, putting_off_leaves_the_run_as_it_is);
    tcase_add_test(tests, a_timer_that_was_brought_forward_comes_at_its_earlier_time);
    tcase_add_test(tests, back_and_forth_counts_as_the_last_call_said);
    tcase_add_test(tests, removal_leaves_the_others_in_order);
    tcase_add_test(tests, a_removed_timer_may_be_freed);
    tcase_add_test(tests, a_taken_timer_may_be_queued_again_at_once);
    tcase_add_test(tests, without_memory_nothing_changes);
    tcase_add_test(tests, what_was_reserved_needs_no_memory);
    tcase_add_test(tests, all_that_room_was_made_for_may_be_far);
    tcase_add_test(tests, the_places_of_removed_timers_are_used_again);
    tcase_add_test(tests, removing_all_leaves_no_holes);
    tcase_add_test(tests, nobody_is_near_before_somebody_asks);
    tcase_add_test(tests, a_short_timer_among_many_leaves_them_alone);
    tcase_add_test(tests, a_timer_costs_what_it_is_said_to);
    tcase_add_test(tests, a_million_random_steps_agree_with_a_tournament);
    suite_add_tcase(suite, tests);
    return suite;
}
