/* SPDX-License-Identifier: MIT */
/*
 * test_descriptor_map.c: descriptor -> number.
 */
#include <limits.h>

#include <pollux/error.h>

#include "memory.h"
#include "random.h"
#include "require.h"
#include "src/base/descriptor_map.h"
#include "suites.h"

#define PAGE (1 << PLX__MAP_PAGE_BITS)

struct fixture {
    struct memory memory;
    struct plx__descriptor_map map;
};

static void fixture_open(struct fixture *fixture)
{
    memory_open(&fixture->memory);
    plx__map_open(&fixture->map, &fixture->memory.allocator);
}

static void fixture_close(struct fixture *fixture)
{
    plx__map_close(&fixture->map);
    memory_close(&fixture->memory);
}

static void put(struct fixture *fixture, plx_socket fd, uint32_t number)
{
    REQUIRE(plx__map_reserve(&fixture->map, fd) == PLX_OK);
    plx__map_set(&fixture->map, fd, number);
}

/* Looks a few descriptors up that nobody could have set. */
static void check_strangers(const struct fixture *fixture)
{
    static const plx_socket strangers[] = {-1, -2, INT_MIN, INT_MAX, INT_MAX - PAGE};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
        REQUIRE(plx__map_get(&fixture->map, strangers[i]) == PLX__MAP_NONE);
}

START_TEST(an_empty_map_knows_nobody)
{
    struct fixture fixture;
    fixture_open(&fixture);
    check_strangers(&fixture);
    ck_assert_uint_eq(plx__map_get(&fixture.map, 0), PLX__MAP_NONE);
    plx_socket fd = PLX_BAD_SOCKET;
    ck_assert_uint_eq(plx__map_next(&fixture.map, &fd), PLX__MAP_NONE);
    ck_assert_uint_eq(fixture.memory.requests, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_was_set_is_found_and_its_neighbours_are_not)
{
    static const plx_socket fds[] = {0, 1, PAGE - 1, PAGE, 5 * PAGE, 1000, 70000};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        struct fixture fixture;
        fixture_open(&fixture);
        put(&fixture, fds[i], 4711);
        ck_assert_uint_eq(plx__map_get(&fixture.map, fds[i]), 4711);
        ck_assert_uint_eq(plx__map_get(&fixture.map, fds[i] - 1), PLX__MAP_NONE);
        ck_assert_uint_eq(plx__map_get(&fixture.map, fds[i] + 1), PLX__MAP_NONE);
        ck_assert_uint_eq(plx__map_get(&fixture.map, fds[i] + PAGE), PLX__MAP_NONE);
        check_strangers(&fixture);
        plx__map_set(&fixture.map, fds[i], PLX__MAP_NONE);
        ck_assert_uint_eq(plx__map_get(&fixture.map, fds[i]), PLX__MAP_NONE);
        fixture_close(&fixture);
    }
}
END_TEST

START_TEST(number_zero_is_a_number)
{
    struct fixture fixture;
    fixture_open(&fixture);
    put(&fixture, 9, 0);
    ck_assert_uint_eq(plx__map_get(&fixture.map, 9), 0);
    plx_socket fd = PLX_BAD_SOCKET;
    ck_assert_uint_eq(plx__map_next(&fixture.map, &fd), 0);
    ck_assert_int_eq(fd, 9);
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_was_reserved_needs_no_memory)
{
    struct fixture fixture;
    fixture_open(&fixture);
    ck_assert_int_eq(plx__map_reserve(&fixture.map, 8 * PAGE), PLX_OK);
    uint32_t requests = fixture.memory.requests;
    for (plx_socket fd = 8 * PAGE; fd < 9 * PAGE; fd++)
        put(&fixture, fd, (uint32_t)fd);
    ck_assert_uint_eq(fixture.memory.requests, requests);
    fixture_close(&fixture);
}
END_TEST

/* A pointer for each page below it and one page: no table of its own size. */
START_TEST(a_lone_high_descriptor_is_cheap)
{
    struct fixture fixture;
    fixture_open(&fixture);
    put(&fixture, 1000000, 1);
    size_t pages = 1000000 / PAGE + 1;
    ck_assert_uint_eq(fixture.memory.blocks, 2);
    ck_assert_uint_le(fixture.memory.bytes,
                      (pages + pages / 8 + PLX__GROWTH_STEP) * sizeof(void *) +
                          PAGE * sizeof(uint32_t));
    fixture_close(&fixture);
}
END_TEST

START_TEST(without_memory_nothing_changes)
{
    struct fixture fixture;
    fixture_open(&fixture);
    put(&fixture, 3, 33);
    for (uint32_t refused = 1; refused <= 2; refused++) {
        plx_socket fd = (plx_socket)refused * 100000; /* a longer table and a page */
        fixture.memory.refuse = refused;
        ck_assert_int_eq(plx__map_reserve(&fixture.map, fd), PLX_ERR_NOMEM);
        ck_assert_uint_eq(plx__map_get(&fixture.map, fd), PLX__MAP_NONE);
        ck_assert_uint_eq(plx__map_get(&fixture.map, 3), 33);
        put(&fixture, fd, 44);
        ck_assert_uint_eq(plx__map_get(&fixture.map, fd), 44);
        ck_assert_uint_eq(plx__map_get(&fixture.map, 3), 33);
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(the_walk_is_complete_and_in_order)
{
    static const plx_socket fds[] = {0, PAGE - 1, PAGE, PAGE + 1, 9 * PAGE - 1, 50000};
    enum { COUNT = sizeof fds / sizeof fds[0] };
    struct fixture fixture;
    fixture_open(&fixture);
    for (size_t i = COUNT; i-- > 0;)
        put(&fixture, fds[i], (uint32_t)i);
    plx_socket fd = PLX_BAD_SOCKET;
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(plx__map_next(&fixture.map, &fd), i);
        ck_assert_int_eq(fd, fds[i]);
    }
    ck_assert_uint_eq(plx__map_next(&fixture.map, &fd), PLX__MAP_NONE);
    fixture_close(&fixture);
}
END_TEST

/* While walking, the one in hand may be taken out: that is how a watcher is retired. */
START_TEST(the_walk_survives_removal_of_the_one_in_hand)
{
    struct fixture fixture;
    fixture_open(&fixture);
    for (plx_socket fd = 0; fd < 5 * PAGE; fd++)
        put(&fixture, fd, (uint32_t)fd);
    plx_socket fd = PLX_BAD_SOCKET;
    for (plx_socket expected = 0; expected < 5 * PAGE; expected++) {
        ck_assert_uint_eq(plx__map_next(&fixture.map, &fd), (uint32_t)expected);
        plx__map_set(&fixture.map, fd, PLX__MAP_NONE);
    }
    fd = PLX_BAD_SOCKET;
    ck_assert_uint_eq(plx__map_next(&fixture.map, &fd), PLX__MAP_NONE);
    fixture_close(&fixture);
}
END_TEST

enum { SPAN = 3000, STEPS = 20000 };

static void compare_all(struct fixture *fixture, const uint32_t *plain)
{
    plx_socket walked = PLX_BAD_SOCKET;
    for (plx_socket fd = 0; fd < SPAN; fd++) {
        REQUIRE(plx__map_get(&fixture->map, fd) == plain[fd]);
        if (plain[fd] != PLX__MAP_NONE) {
            REQUIRE(plx__map_next(&fixture->map, &walked) == plain[fd]);
            REQUIRE(walked == fd);
        }
    }
    REQUIRE(plx__map_next(&fixture->map, &walked) == PLX__MAP_NONE);
}

START_TEST(a_random_schedule_agrees_with_a_plain_array)
{
    struct random random = random_open();
    struct fixture fixture;
    static uint32_t plain[SPAN];
    fixture_open(&fixture);
    for (size_t i = 0; i < SPAN; i++)
        plain[i] = PLX__MAP_NONE;
    for (uint32_t step = 0; step < STEPS; step++) {
        plx_socket fd = (plx_socket)random_below(&random, SPAN);
        uint32_t number = random_below(&random, 3) == 0 ? PLX__MAP_NONE : step;
        fixture.memory.refuse = random_below(&random, 4) == 0;
        int code = plx__map_reserve(&fixture.map, fd);
        REQUIRE(code == PLX_OK || code == PLX_ERR_NOMEM);
        if (code == PLX_OK) {
            plx__map_set(&fixture.map, fd, number);
            plain[fd] = number;
        }
        if (step % 1000 == 0)
            compare_all(&fixture, plain);
    }
    compare_all(&fixture, plain);
    fixture_close(&fixture);
}
END_TEST

Suite *descriptor_map_suite(void)
{
    Suite *suite = suite_create("descriptor_map");
    TCase *tests = tcase_create("descriptor_map");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, an_empty_map_knows_nobody);
    tcase_add_test(tests, what_was_set_is_found_and_its_neighbours_are_not);
    tcase_add_test(tests, number_zero_is_a_number);
    tcase_add_test(tests, what_was_reserved_needs_no_memory);
    tcase_add_test(tests, a_lone_high_descriptor_is_cheap);
    tcase_add_test(tests, without_memory_nothing_changes);
    tcase_add_test(tests, the_walk_is_complete_and_in_order);
    tcase_add_test(tests, the_walk_survives_removal_of_the_one_in_hand);
    tcase_add_test(tests, a_random_schedule_agrees_with_a_plain_array);
    suite_add_tcase(suite, tests);
    return suite;
}
