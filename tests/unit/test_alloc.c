/* SPDX-License-Identifier: MIT */
/*
 * test_alloc.c: blocks, and arrays that grow.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <pollux/error.h>

#include "memory.h"
#include "require.h"
#include "src/base/alloc.h"
#include "suites.h"

enum { STEP = 16 };

/* An array that grows, as its users have it. */
struct array {
    uint64_t *elements;
    uint32_t capacity;
};

static int grow(struct memory *memory, struct array *array, uint32_t needed)
{
    return plx__alloc_grow(&memory->allocator, &array->elements, &array->capacity, needed, STEP,
                           sizeof *array->elements);
}

static void array_free(struct memory *memory, struct array *array)
{
    plx__alloc_free(&memory->allocator, array->elements, array->capacity * sizeof *array->elements);
    memory_close(memory);
}

START_TEST(the_default_is_malloc)
{
    unsigned char *block = plx__alloc_zeroed(&plx__alloc_default, 100);
    REQUIRE(block != NULL);
    for (size_t i = 0; i < 100; i++)
        REQUIRE(block[i] == 0);
    memset(block, 7, 100);
    block = plx__alloc_default.resize(plx__alloc_default.state, block, 100, 5000);
    REQUIRE(block != NULL);
    for (size_t i = 0; i < 100; i++)
        REQUIRE(block[i] == 7);
    plx__alloc_free(&plx__alloc_default, block, 5000);
}
END_TEST

START_TEST(a_zeroed_block_is_zeroes)
{
    struct memory memory;
    memory_open(&memory);
    unsigned char *block = plx__alloc_zeroed(&memory.allocator, 4097);
    REQUIRE(block != NULL);
    for (size_t i = 0; i < 4097; i++)
        REQUIRE(block[i] == 0);
    plx__alloc_free(&memory.allocator, block, 4097);
    memory_close(&memory);
}
END_TEST

START_TEST(no_memory_is_null)
{
    struct memory memory;
    memory_open(&memory);
    memory.refuse = 1;
    ck_assert_ptr_null(plx__alloc_zeroed(&memory.allocator, 10));
    plx__alloc_free(&memory.allocator, NULL, 0); /* what was never there may be freed */
    memory_close(&memory);
}
END_TEST

START_TEST(what_is_large_enough_is_left_alone)
{
    struct memory memory;
    struct array array = {0};
    memory_open(&memory);
    ck_assert_int_eq(grow(&memory, &array, 1), PLX_OK);
    uint64_t *before = array.elements;
    for (uint32_t needed = 0; needed <= array.capacity; needed++)
        ck_assert_int_eq(grow(&memory, &array, needed), PLX_OK);
    ck_assert_ptr_eq(array.elements, before);
    ck_assert_uint_eq(memory.requests, 1);
    array_free(&memory, &array);
}
END_TEST

START_TEST(growing_keeps_what_is_there)
{
    struct memory memory;
    struct array array = {0};
    memory_open(&memory);
    for (uint32_t i = 0; i < 1000; i++) {
        REQUIRE(grow(&memory, &array, i + 1) == PLX_OK);
        array.elements[i] = i;
        for (uint32_t j = 0; j <= i; j++)
            REQUIRE(array.elements[j] == j);
    }
    array_free(&memory, &array);
}
END_TEST

/* The promise of bytes for each descriptor leaves no room for doubling. */
START_TEST(growing_wastes_one_eighth_and_a_step_at_most)
{
    struct memory memory;
    struct array array = {0};
    memory_open(&memory);
    for (uint32_t needed = 1; needed <= 20000; needed++) {
        REQUIRE(grow(&memory, &array, needed) == PLX_OK);
        REQUIRE(array.capacity >= needed);
        REQUIRE(array.capacity <= needed + needed / 8 + STEP);
    }
    /* A few dozen times for all of it: a capacity that grows by a constant would need 1250. */
    REQUIRE(memory.requests <= 60);
    array_free(&memory, &array);
}
END_TEST

START_TEST(one_large_step_is_exact)
{
    struct memory memory;
    struct array array = {0};
    memory_open(&memory);
    ck_assert_int_eq(grow(&memory, &array, 5000), PLX_OK);
    ck_assert_uint_eq(array.capacity, 5000);
    array_free(&memory, &array);
}
END_TEST

START_TEST(growing_without_memory_changes_nothing)
{
    struct memory memory;
    struct array array = {0};
    memory_open(&memory);
    ck_assert_int_eq(grow(&memory, &array, 20), PLX_OK);
    for (uint32_t i = 0; i < array.capacity; i++)
        array.elements[i] = i;
    struct array before = array;
    memory.refuse = 1;
    ck_assert_int_eq(grow(&memory, &array, 21), PLX_ERR_NOMEM);
    ck_assert_ptr_eq(array.elements, before.elements);
    ck_assert_uint_eq(array.capacity, before.capacity);
    for (uint32_t i = 0; i < array.capacity; i++)
        ck_assert_uint_eq(array.elements[i], i);
    ck_assert_int_eq(grow(&memory, &array, 21), PLX_OK);
    array_free(&memory, &array);
}
END_TEST

START_TEST(a_size_that_does_not_fit_is_out_of_memory)
{
    struct memory memory;
    struct array array = {NULL, UINT32_MAX - 1};
    memory_open(&memory);
    ck_assert_int_eq(grow(&memory, &array, UINT32_MAX), PLX_ERR_NOMEM);
    array.capacity = 0;
    ck_assert_int_eq(
        plx__alloc_grow(&memory.allocator, &array.elements, &array.capacity, 3, STEP, SIZE_MAX / 2),
        PLX_ERR_NOMEM);
    ck_assert_uint_eq(memory.requests, 0); /* nobody was asked for a wrapped size */
    ck_assert_ptr_null(array.elements);
    ck_assert_uint_eq(array.capacity, 0);
}
END_TEST

Suite *alloc_suite(void)
{
    Suite *suite = suite_create("alloc");
    TCase *tests = tcase_create("alloc");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_default_is_malloc);
    tcase_add_test(tests, a_zeroed_block_is_zeroes);
    tcase_add_test(tests, no_memory_is_null);
    tcase_add_test(tests, what_is_large_enough_is_left_alone);
    tcase_add_test(tests, growing_keeps_what_is_there);
    tcase_add_test(tests, growing_wastes_one_eighth_and_a_step_at_most);
    tcase_add_test(tests, one_large_step_is_exact);
    tcase_add_test(tests, growing_without_memory_changes_nothing);
    tcase_add_test(tests, a_size_that_does_not_fit_is_out_of_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
