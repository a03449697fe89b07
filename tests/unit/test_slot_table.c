/* SPDX-License-Identifier: MIT */
/*
 * test_slot_table.c: numbers, addresses, and tokens that go stale.
 */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include <pollux/error.h>

#include "memory.h"
#include "random.h"
#include "require.h"
#include "src/base/slot_table.h"
#include "src/base/tags.h"
#include "suites.h"

enum { MANY = 1000 };

enum { THIN, WIDE, CLASSES };

struct thin {
    struct plx__slot slot;
    unsigned char body[24];
};

struct wide {
    struct plx__slot slot;
    unsigned char body[72];
};

struct fixture {
    struct memory memory;
    struct plx__slot_table table;
    int owner; /* its address is what slots find their owner by */
};

static void fixture_open(struct fixture *fixture)
{
    memory_open(&fixture->memory);
    const size_t sizes[CLASSES] = {sizeof(struct thin), sizeof(struct wide)};
    plx__slots_open(&fixture->table, &fixture->memory.allocator, &fixture->owner, sizes, CLASSES);
}

static void fixture_close(struct fixture *fixture)
{
    plx__slots_close(&fixture->table);
    memory_close(&fixture->memory);
}

static struct plx__slot *take(struct fixture *fixture, unsigned kind)
{
    uint32_t number = PLX__SLOT_NONE;
    struct plx__slot *slot = plx__slots_take_numbered(&fixture->table, kind, &number);
    REQUIRE(slot != NULL);
    REQUIRE(number == plx__slot_number(slot));
    return slot;
}

static bool is_fresh(const struct plx__token *token, struct fixture *fixture)
{
    const struct plx__slot *slot = plx__slots_at(fixture->table.slabs, token->number);
    return slot->generation == token->generation;
}

static int by_number(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

START_TEST(a_table_that_was_never_used_holds_nothing)
{
    struct fixture fixture;
    fixture_open(&fixture);
    ck_assert_uint_eq(fixture.memory.requests, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(numbers_lead_to_addresses_that_never_move)
{
    struct fixture fixture;
    struct plx__slot *slots[MANY];
    uint32_t numbers[MANY];
    fixture_open(&fixture);
    for (size_t i = 0; i < MANY; i++) {
        slots[i] = take(&fixture, i % 3 == 0 ? WIDE : THIN);
        numbers[i] = plx__slot_number(slots[i]);
    }
    for (size_t i = 0; i < MANY; i++) {
        REQUIRE(plx__slots_at(fixture.table.slabs, numbers[i]) == slots[i]);
        REQUIRE(numbers[i] < PLX__SLOT_LIMIT);
    }
    qsort(numbers, MANY, sizeof numbers[0], by_number);
    for (size_t i = 1; i < MANY; i++)
        REQUIRE(numbers[i - 1] != numbers[i]);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_slot_finds_its_owner)
{
    struct fixture fixture;
    fixture_open(&fixture);
    for (size_t i = 0; i < MANY; i++) {
        struct plx__slot *slot = take(&fixture, i % 2 ? WIDE : THIN);
        REQUIRE(plx__slot_slab(slot)->owner == &fixture.owner);
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(objects_are_aligned_and_do_not_overlap)
{
    struct fixture fixture;
    struct wide *objects[MANY];
    fixture_open(&fixture);
    for (size_t i = 0; i < MANY; i++) {
        objects[i] = (struct wide *)take(&fixture, WIDE);
        REQUIRE((uintptr_t)objects[i] % alignof(void *) == 0);
        memset(objects[i]->body, (int)(i % 251 + 1), sizeof objects[i]->body);
    }
    for (size_t i = 0; i < MANY; i++) {
        for (size_t j = 0; j < sizeof objects[i]->body; j++)
            REQUIRE(objects[i]->body[j] == i % 251 + 1);
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(retiring_makes_the_token_stale_at_once)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct plx__slot *slot = take(&fixture, THIN);
    struct plx__token token = plx__slot_token(slot);
    ck_assert(is_fresh(&token, &fixture));
    plx__slot_retire(slot);
    ck_assert(!is_fresh(&token, &fixture));
    plx__slots_put(&fixture.table, slot);
    ck_assert(!is_fresh(&token, &fixture));
    fixture_close(&fixture);
}
END_TEST

START_TEST(the_next_object_in_a_slot_has_another_token)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct plx__slot *slot = take(&fixture, WIDE);
    struct plx__token old = plx__slot_token(slot);
    plx__slot_retire(slot);
    plx__slots_put(&fixture.table, slot);
    ck_assert_ptr_eq(take(&fixture, WIDE), slot);
    struct plx__token fresh = plx__slot_token(slot);
    ck_assert_uint_eq(fresh.number, old.number);
    ck_assert_uint_ne(fresh.generation, old.generation);
    ck_assert(is_fresh(&fresh, &fixture));
    ck_assert(!is_fresh(&old, &fixture));
    fixture_close(&fixture);
}
END_TEST

START_TEST(generations_wrap_past_zero_and_say_so)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct plx__slot *slot = take(&fixture, THIN);
    ck_assert_uint_eq(slot->generation, 1);
    ck_assert(!plx__slot_retire(slot));
    ck_assert_uint_eq(slot->generation, 2);
    slot->generation = PLX__GENERATION_MAX - 1;
    ck_assert(!plx__slot_retire(slot));
    ck_assert_uint_eq(slot->generation, PLX__GENERATION_MAX);
    ck_assert(plx__slot_retire(slot));
    ck_assert_uint_eq(slot->generation, 1);
    fixture_close(&fixture);
}
END_TEST

/* Backends use a token of zeroes for what is no watcher; looking it up is safe, and it is stale. */
START_TEST(a_token_of_zeroes_is_stale_everywhere)
{
    struct fixture fixture;
    const struct plx__token zeroes = {0, 0};
    fixture_open(&fixture);
    for (size_t i = 0; i < MANY; i++) {
        struct plx__slot *slot = take(&fixture, i % 2 ? WIDE : THIN);
        REQUIRE(plx__slot_number(slot) != PLX__SLOT_NONE);
        REQUIRE(slot->generation != 0);
        REQUIRE(!is_fresh(&zeroes, &fixture));
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_fresh_slab_is_handed_out_from_front_to_back)
{
    struct fixture fixture;
    fixture_open(&fixture);
    uintptr_t previous = (uintptr_t)take(&fixture, THIN);
    while (fixture.table.pools[THIN].free_count > 0) {
        uintptr_t next = (uintptr_t)take(&fixture, THIN);
        ck_assert_uint_eq(next - previous, sizeof(struct thin));
        previous = next;
    }
    ck_assert_uint_eq(fixture.table.slab_count, 1);
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_came_back_goes_out_in_the_order_of_addresses)
{
    struct fixture fixture;
    struct plx__slot *slots[200];
    fixture_open(&fixture);
    ck_assert_int_eq(plx__slots_reserve(&fixture.table, WIDE, MANY), PLX_OK);
    for (size_t i = 0; i < 200; i++)
        slots[i] = take(&fixture, THIN);
    for (size_t i = 0; i < 200; i++) {
        plx__slot_retire(slots[i * 7 % 200]);
        plx__slots_put(&fixture.table, slots[i * 7 % 200]);
    }
    uint32_t backwards = 0, free_count = fixture.table.pools[THIN].free_count;
    const struct plx__slot *previous = NULL;
    for (uint32_t i = 0; i < free_count; i++) {
        const struct plx__slot *slot = take(&fixture, THIN);
        bool is_neighbour = previous && plx__slot_slab(previous) == plx__slot_slab(slot);
        backwards += is_neighbour && (uintptr_t)slot < (uintptr_t)previous;
        previous = slot;
    }
    ck_assert_uint_eq(backwards, 0);
    fixture_close(&fixture);
}
END_TEST

/* Whatever the order in which they came back: who walks them in that order walks the memory. */
START_TEST(slabs_go_out_one_after_the_other)
{
    struct fixture fixture;
    struct plx__slot *slots[MANY];
    fixture_open(&fixture);
    for (size_t i = 0; i < MANY; i++)
        slots[i] = take(&fixture, THIN);
    for (size_t i = 0; i < MANY; i++)
        plx__slots_put(&fixture.table, slots[i * 7 % MANY]);
    uint32_t changes = 0, free_count = fixture.table.pools[THIN].free_count;
    struct plx__slab *previous = NULL;
    for (uint32_t i = 0; i < free_count; i++) {
        struct plx__slab *slab = plx__slot_slab(take(&fixture, THIN));
        changes += slab != previous;
        previous = slab;
    }
    ck_assert_uint_eq(changes, fixture.table.slab_count);
    fixture_close(&fixture);
}
END_TEST

/* A slot of one size must never come back as one of the other. */
START_TEST(classes_do_not_mix)
{
    struct fixture fixture;
    fixture_open(&fixture);
    for (size_t round = 0; round < MANY; round++) {
        unsigned kind = round % 2 ? WIDE : THIN;
        struct plx__slot *slot = take(&fixture, kind);
        ck_assert_uint_eq(plx__slot_class(slot), kind);
        ck_assert_uint_eq(plx__slot_size(slot),
                          kind == WIDE ? sizeof(struct wide) : sizeof(struct thin));
        if (round % 3 == 0) {
            plx__slot_retire(slot);
            plx__slots_put(&fixture.table, slot);
        }
    }
    fixture_close(&fixture);
}
END_TEST

/* What is not used yet is no more than a sixty-fourth, and many are in few slabs. */
START_TEST(slabs_grow_with_their_number)
{
    const bool is_tiny = PLX__SLOTS_PER_SLAB == 1;
    const size_t crowd = is_tiny ? 2000 : 200000;
    struct fixture fixture;
    fixture_open(&fixture);
    size_t largest = 0;
    for (size_t i = 0; i < crowd; i++) {
        const struct plx__slab *slab = plx__slot_slab(take(&fixture, THIN));
        size_t size = (slab->first + (size_t)slab->stride * slab->count) * PLX__SLOT_UNIT;
        REQUIRE(size >= largest);
        REQUIRE(size <= (size_t)PLX__SLOT_OFFSETS * PLX__SLOT_UNIT);
        largest = size > largest ? size : largest;
        uint32_t total = (uint32_t)i + 1 + fixture.table.pools[THIN].free_count;
        REQUIRE(fixture.table.pools[THIN].free_count <= total / 64 + 64);
    }
    ck_assert(is_tiny || largest > 60000);
    ck_assert(is_tiny || fixture.table.slab_count < 360);
    fixture_close(&fixture);
}
END_TEST

/* Also while the word in hand is emptied and filled again, and while slabs come and go. */
START_TEST(each_slot_is_somebodys_once_whatever_comes_back)
{
    static struct plx__slot *held[MANY];
    static bool is_held[PLX__SLOT_LIMIT];
    struct fixture fixture;
    struct random random = random_open();
    uint32_t count = 0, wanted = 0;
    fixture_open(&fixture);
    for (int step = 0; step < 300000; step++) {
        if (step % 1000 == 0)
            wanted = random_below(&random, MANY);
        if (step % 5000 == 0)
            REQUIRE(plx__slots_reserve(&fixture.table, THIN, random_below(&random, 100)) == PLX_OK);
        uint32_t free_count = fixture.table.pools[THIN].free_count;
        if (random_below(&random, MANY) < (count < wanted ? 600u : 400u) && count < MANY) {
            struct plx__slot *slot = take(&fixture, THIN);
            uint32_t number = plx__slot_number(slot);
            REQUIRE(!is_held[number]);
            is_held[number] = true;
            held[count++] = slot;
            REQUIRE(free_count == 0 || fixture.table.pools[THIN].free_count == free_count - 1);
        } else if (count > 0) {
            uint32_t index = random_below(&random, count);
            is_held[plx__slot_number(held[index])] = false;
            plx__slots_put(&fixture.table, held[index]);
            held[index] = held[--count];
            REQUIRE(fixture.table.pools[THIN].free_count == free_count + 1);
        }
    }
    for (uint32_t left = fixture.table.pools[THIN].free_count; left > 0; left--) {
        uint32_t number = plx__slot_number(take(&fixture, THIN));
        REQUIRE(!is_held[number]); /* what is said to be free is there */
        is_held[number] = true;
    }
    uint32_t slab_count = fixture.table.slab_count;
    ck_assert_uint_eq(fixture.table.pools[THIN].free_count, 0);
    take(&fixture, THIN);
    ck_assert_uint_eq(fixture.table.slab_count, slab_count + 1); /* and there is no more */
    fixture_close(&fixture);
}
END_TEST

/* Numbers are there for millions, whatever their classes. */
START_TEST(a_million_of_each_class_find_room)
{
    const size_t crowd = PLX__SLOTS_PER_SLAB == 1 ? 30000 : 1000000;
    struct fixture fixture;
    fixture_open(&fixture);
    for (size_t i = 0; i < crowd; i++) {
        take(&fixture, THIN);
        take(&fixture, WIDE);
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_large_reservation_takes_large_slabs)
{
    const uint32_t crowd = PLX__SLOTS_PER_SLAB == 1 ? 2000 : 3500000;
    struct fixture fixture;
    fixture_open(&fixture);
    ck_assert_int_eq(plx__slots_reserve(&fixture.table, THIN, crowd), PLX_OK);
    ck_assert_uint_le(fixture.table.slab_count, crowd / PLX__SLOTS_PER_SLAB * 65 / 64 + 1);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_small_reservation_takes_one_slab)
{
    struct fixture fixture;
    fixture_open(&fixture);
    ck_assert_int_eq(plx__slots_reserve(&fixture.table, THIN, 128), PLX_OK);
    ck_assert_uint_eq(fixture.table.slab_count, PLX__SLOTS_PER_SLAB == 1 ? 128 : 1);
    fixture_close(&fixture);
}
END_TEST

/* Of objects of a kilobyte one fits into the first slabs. */
START_TEST(large_objects_get_few_slots)
{
    struct memory memory;
    struct plx__slot_table table;
    memory_open(&memory);
    const size_t sizes[CLASSES] = {1000, sizeof(struct wide)};
    plx__slots_open(&table, &memory.allocator, NULL, sizes, CLASSES);
    for (size_t i = 0; i < 100; i++) {
        struct plx__slot *slot = plx__slots_take(&table, THIN);
        ck_assert_ptr_nonnull(slot);
        ck_assert_ptr_eq(plx__slots_at(table.slabs, plx__slot_number(slot)), slot);
        memset(slot + 1, 0xAA, 1000 - sizeof *slot);
    }
    ck_assert_uint_ge(table.slab_count, 25);
    plx__slots_close(&table);
    memory_close(&memory);
}
END_TEST

START_TEST(what_was_reserved_needs_no_memory)
{
    struct fixture fixture;
    fixture_open(&fixture);
    ck_assert_int_eq(plx__slots_reserve(&fixture.table, THIN, MANY), PLX_OK);
    uint32_t requests = fixture.memory.requests;
    for (size_t i = 0; i < MANY; i++)
        take(&fixture, THIN);
    ck_assert_int_eq(plx__slots_reserve(&fixture.table, THIN, 0), PLX_OK);
    ck_assert_uint_eq(fixture.memory.requests, requests);
    fixture_close(&fixture);
}
END_TEST

START_TEST(tags_are_those_of_the_owner_and_go_with_the_table)
{
    struct fixture fixture;
    struct plx__slot *slots[MANY];
    fixture_open(&fixture);
    plx__slots_tag(&fixture.table, THIN);
    for (size_t i = 0; i < MANY; i++) {
        slots[i] = take(&fixture, i % 3 == 0 ? WIDE : THIN);
        plx__tag_set(fixture.table.tag_number, slots[i], i % 3 == 1);
    }
    size_t found = 0;
    for (size_t i = 0; i < MANY; i++) {
        void *owner = NULL;
        bool is_tagged = plx__tag_find(slots[i], &owner);
        REQUIRE(!is_tagged || (owner == &fixture.owner && i % 3 == 1));
        found += is_tagged;
    }
    ck_assert_uint_gt(found, PLX__SLOTS_PER_SLAB == 1 ? 0 : MANY / 4);
    uint32_t number = fixture.table.tag_number;
    void *none;
    fixture_close(&fixture);
    for (size_t i = 0; i < MANY; i++)
        REQUIRE(!plx__tag_find(slots[i], &none));
    ck_assert_uint_eq(plx__tags_enlist(&found), number);
    for (size_t i = 0; i < MANY; i++)
        REQUIRE(!plx__tag_find(slots[i], &none));
}
END_TEST

static void take_all_free(struct fixture *fixture)
{
    while (fixture->table.pools[THIN].free_count > 0)
        take(fixture, THIN);
}

/* Growing takes up to two requests: a longer table of slabs, and a slab. */
START_TEST(without_memory_nothing_changes)
{
    for (uint32_t refused = 1; refused <= 2; refused++) {
        struct fixture fixture;
        fixture_open(&fixture);
        struct plx__slot *held = take(&fixture, THIN);
        do {
            take_all_free(&fixture);
            ck_assert_int_eq(plx__slots_reserve(&fixture.table, WIDE, 1), PLX_OK);
            struct plx__slot_table before = fixture.table;
            struct plx__token token = plx__slot_token(held);
            fixture.memory.refuse = refused;
            struct plx__slot *slot = plx__slots_take(&fixture.table, THIN);
            if (slot)
                continue; /* the table of slabs was long enough: one request less */
            ck_assert_uint_eq(fixture.table.slab_count, before.slab_count);
            ck_assert_mem_eq(fixture.table.pools, before.pools, sizeof before.pools);
            ck_assert(is_fresh(&token, &fixture));
            take(&fixture, THIN);
        } while (fixture.table.slab_count < 40);
        fixture.memory.refuse = 0;
        fixture_close(&fixture);
    }
}
END_TEST

START_TEST(a_reserve_that_fails_keeps_what_it_got)
{
    struct fixture fixture;
    fixture_open(&fixture);
    fixture.memory.refuse = 5;
    ck_assert_int_eq(plx__slots_reserve(&fixture.table, THIN, 20 * MANY), PLX_ERR_NOMEM);
    ck_assert_uint_gt(fixture.table.pools[THIN].free_count, 0);
    ck_assert_uint_lt(fixture.table.pools[THIN].free_count, 20 * MANY);
    ck_assert_int_eq(plx__slots_reserve(&fixture.table, THIN, 20 * MANY), PLX_OK);
    ck_assert_uint_ge(fixture.table.pools[THIN].free_count, 20 * MANY);
    fixture_close(&fixture);
}
END_TEST

START_TEST(the_last_slab_is_the_limit)
{
    struct memory memory;
    struct plx__slot_table table;
    memory_open(&memory);
    const size_t sizes[CLASSES] = {sizeof(struct thin), sizeof(struct wide)};
    plx__slots_open(&table, &memory.allocator, NULL, sizes, CLASSES);
    ck_assert_int_eq(plx__slots_reserve(&table, THIN, PLX__SLOT_LIMIT), PLX_ERR_NOMEM);
    ck_assert_uint_eq(table.slab_count, PLX__SLAB_MAX);

    uint32_t last = table.slabs[PLX__SLAB_MAX - 1]->number;
    ck_assert_uint_eq(last, PLX__SLAB_MAX - 1);
    ck_assert_ptr_null(plx__slots_take(&table, WIDE)); /* no slab is left for it */
    struct plx__slot *slot = plx__slots_take(&table, THIN);
    ck_assert_ptr_nonnull(slot);
    ck_assert_uint_eq(plx__slot_slab(slot)->number, last);
    ck_assert_uint_lt(plx__slot_number(slot), PLX__SLOT_LIMIT);
    ck_assert_ptr_eq(plx__slots_at(table.slabs, plx__slot_number(slot)), slot);
    plx__slots_close(&table);
    memory_close(&memory);
}
END_TEST

Suite *slot_table_suite(void)
{
    Suite *suite = suite_create("slot_table");
    TCase *tests = tcase_create("slot_table");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_table_that_was_never_used_holds_nothing);
    tcase_add_test(tests, numbers_lead_to_addresses_that_never_move);
    tcase_add_test(tests, a_slot_finds_its_owner);
    tcase_add_test(tests, objects_are_aligned_and_do_not_overlap);
    tcase_add_test(tests, retiring_makes_the_token_stale_at_once);
    tcase_add_test(tests, the_next_object_in_a_slot_has_another_token);
    tcase_add_test(tests, generations_wrap_past_zero_and_say_so);
    tcase_add_test(tests, a_token_of_zeroes_is_stale_everywhere);
    tcase_add_test(tests, a_fresh_slab_is_handed_out_from_front_to_back);
    tcase_add_test(tests, what_came_back_goes_out_in_the_order_of_addresses);
    tcase_add_test(tests, slabs_go_out_one_after_the_other);
    tcase_add_test(tests, classes_do_not_mix);
    tcase_add_test(tests, slabs_grow_with_their_number);
    tcase_add_test(tests, each_slot_is_somebodys_once_whatever_comes_back);
    tcase_add_test(tests, a_million_of_each_class_find_room);
    tcase_add_test(tests, a_large_reservation_takes_large_slabs);
    tcase_add_test(tests, a_small_reservation_takes_one_slab);
    tcase_add_test(tests, large_objects_get_few_slots);
    tcase_add_test(tests, what_was_reserved_needs_no_memory);
    tcase_add_test(tests, tags_are_those_of_the_owner_and_go_with_the_table);
    tcase_add_test(tests, without_memory_nothing_changes);
    tcase_add_test(tests, a_reserve_that_fails_keeps_what_it_got);
    tcase_add_test(tests, the_last_slab_is_the_limit);
    suite_add_tcase(suite, tests);
    return suite;
}
