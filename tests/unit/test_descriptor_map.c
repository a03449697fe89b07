/* SPDX-License-Identifier: MIT */
/*
 * test_descriptor_map.c: descriptor -> number, whichever of the two maps the build has.
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

#ifndef POLLUX_SPARSE_DESCRIPTORS

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

#else

/* Numbers of one home, or behind each other's: every removal closes a gap that others are behind.
 */
START_TEST(a_gap_is_closed_whoever_goes_first)
{
    enum { COUNT = 12 };
    for (size_t gone = 0; gone < COUNT; gone++) {
        struct fixture fixture;
        fixture_open(&fixture);
        for (plx_socket fd = 0; fd < COUNT; fd++)
            put(&fixture, fd << 20, (uint32_t)fd);
        for (size_t i = 0; i < COUNT; i++) {
            plx_socket fd = (plx_socket)((gone + i * 5) % COUNT);
            plx__map_set(&fixture.map, fd << 20, PLX__MAP_NONE);
            for (size_t j = 0; j < COUNT; j++) {
                plx_socket other = (plx_socket)((gone + j * 5) % COUNT);
                uint32_t expected = j <= i ? PLX__MAP_NONE : (uint32_t)other;
                REQUIRE(plx__map_get(&fixture.map, other << 20) == expected);
            }
        }
        fixture_close(&fixture);
    }
}
END_TEST

/* What was removed leaves its room: a server whose connections come and go allocates nothing. */
START_TEST(coming_and_going_needs_no_memory)
{
    struct fixture fixture;
    fixture_open(&fixture);
    ck_assert_int_eq(plx__map_expect(&fixture.map, 100), PLX_OK);
    uint32_t requests = fixture.memory.requests;
    for (plx_socket fd = 0; fd < 10000; fd++) {
        put(&fixture, fd, (uint32_t)fd);
        if (fd >= 100)
            plx__map_set(&fixture.map, fd - 99, PLX__MAP_NONE);
    }
    ck_assert_uint_eq(fixture.memory.requests, requests);
    ck_assert_uint_eq(plx__map_get(&fixture.map, 0), 0);
    ck_assert_uint_eq(plx__map_get(&fixture.map, 9999), 9999);
    ck_assert_uint_eq(plx__map_get(&fixture.map, 9900), PLX__MAP_NONE);
    fixture_close(&fixture);
}
END_TEST

START_TEST(without_memory_nothing_changes)
{
    struct fixture fixture;
    fixture_open(&fixture);
    plx_socket fd = 0;
    for (; fixture.memory.requests < 4; fd++)
        put(&fixture, fd, (uint32_t)fd);
    uint32_t refusals = 0;
    for (plx_socket last = 4 * fd; fd < last; fd++) {
        fixture.memory.refuse = 1;
        if (plx__map_reserve(&fixture.map, fd) == PLX_ERR_NOMEM) {
            refusals++;
            REQUIRE(plx__map_get(&fixture.map, fd) == PLX__MAP_NONE);
            REQUIRE(plx__map_get(&fixture.map, fd - 1) == (uint32_t)fd - 1);
        }
        fixture.memory.refuse = 0;
        put(&fixture, fd, (uint32_t)fd);
    }
    ck_assert_uint_ge(refusals, 2);
    for (plx_socket old = 0; old < fd; old++)
        REQUIRE(plx__map_get(&fixture.map, old) == (uint32_t)old);
    fixture_close(&fixture);
}
END_TEST

#endif

START_TEST(the_walk_is_complete)
{
    static const plx_socket fds[] = {0, PAGE - 1, PAGE, PAGE + 1, 9 * PAGE - 1, 50000};
    enum { COUNT = sizeof fds / sizeof fds[0] };
    struct fixture fixture;
    bool is_seen[COUNT] = {false};
    fixture_open(&fixture);
    for (size_t i = COUNT; i-- > 0;)
        put(&fixture, fds[i], (uint32_t)i);
    plx_socket fd = PLX_BAD_SOCKET;
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t number = plx__map_next(&fixture.map, &fd);
        ck_assert_uint_lt(number, COUNT);
        ck_assert_int_eq(fd, fds[number]);
        ck_assert(!is_seen[number]);
        is_seen[number] = true;
    }
    ck_assert_uint_eq(plx__map_next(&fixture.map, &fd), PLX__MAP_NONE);
    fixture_close(&fixture);
}
END_TEST

enum { SPAN = 3000, STEPS = 20000 };

static void compare_all(struct fixture *fixture, const uint32_t *plain)
{
    uint32_t count = 0;
    plx_socket walked = PLX_BAD_SOCKET;
    for (plx_socket fd = 0; fd < SPAN; fd++) {
        REQUIRE(plx__map_get(&fixture->map, fd) == plain[fd]);
        count += plain[fd] != PLX__MAP_NONE;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = plx__map_next(&fixture->map, &walked);
        REQUIRE(number != PLX__MAP_NONE);
        REQUIRE(number == plain[walked]);
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
#ifndef POLLUX_SPARSE_DESCRIPTORS
    tcase_add_test(tests, what_was_reserved_needs_no_memory);
    tcase_add_test(tests, a_lone_high_descriptor_is_cheap);
#else
    tcase_add_test(tests, a_gap_is_closed_whoever_goes_first);
    tcase_add_test(tests, coming_and_going_needs_no_memory);
#endif
    tcase_add_test(tests, without_memory_nothing_changes);
    tcase_add_test(tests, the_walk_is_complete);
    tcase_add_test(tests, a_random_schedule_agrees_with_a_plain_array);
    suite_add_tcase(suite, tests);
    return suite;
}
