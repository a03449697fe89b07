/* SPDX-License-Identifier: MIT */
/*
 * test_duration.c: sums that saturate and divisions that round up.
 */
#include "src/base/duration.h"
#include "suites.h"

START_TEST(units_are_nanoseconds)
{
    ck_assert_int_eq(PLX_NS(7), 7);
    ck_assert_int_eq(PLX_US(7), 7000);
    ck_assert_int_eq(PLX_MS(7), 7000000);
    ck_assert_int_eq(PLX_SECONDS(7), INT64_C(7000000000));
    ck_assert_int_eq(PLX_SECONDS(158913790), INT64_C(158913790000000000));
}
END_TEST

START_TEST(a_deadline_is_the_sum)
{
    ck_assert_int_eq(plx__deadline(0, 0), 0);
    ck_assert_int_eq(plx__deadline(100, 0), 100);
    ck_assert_int_eq(plx__deadline(100, 1), 101);
    ck_assert_int_eq(plx__deadline(PLX_SECONDS(5), PLX_SECONDS(158913790)), PLX_SECONDS(158913795));
}
END_TEST

START_TEST(a_deadline_saturates)
{
    static const int64_t clocks[] = {0, 1, 1000000000, INT64_MAX / 2, INT64_MAX - 1};
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        int64_t now = clocks[i], room = INT64_MAX - now;
        ck_assert_int_eq(plx__deadline(now, room - 1), INT64_MAX - 1);
        ck_assert_int_eq(plx__deadline(now, room), PLX__NEVER);
        ck_assert_int_eq(plx__deadline(now, INT64_MAX), PLX__NEVER);
        ck_assert_int_eq(plx__deadline(now, PLX_FOREVER), PLX__NEVER);
    }
}
END_TEST

START_TEST(what_remains_is_never_negative)
{
    ck_assert_int_eq(plx__remaining(100, 0), 100);
    ck_assert_int_eq(plx__remaining(100, 99), 1);
    ck_assert_int_eq(plx__remaining(100, 100), 0);
    ck_assert_int_eq(plx__remaining(100, 101), 0);
    ck_assert_int_eq(plx__remaining(0, INT64_MAX), 0);
    ck_assert_int_eq(plx__remaining(INT64_MAX - 1, 0), INT64_MAX - 1);
}
END_TEST

START_TEST(for_ever_remains_for_ever)
{
    ck_assert_int_eq(plx__remaining(PLX__NEVER, 0), PLX_FOREVER);
    ck_assert_int_eq(plx__remaining(PLX__NEVER, INT64_MAX - 1), PLX_FOREVER);
    ck_assert_int_eq(plx__remaining(plx__deadline(5, PLX_FOREVER), 1000), PLX_FOREVER);
}
END_TEST

START_TEST(a_part_of_a_unit_is_a_whole_one)
{
    static const struct {
        plx_duration duration;
        int64_t unit, units;
    } rows[] = {
        {0, PLX_MS(1), 0},
        {1, PLX_MS(1), 1},
        {PLX_MS(1) - 1, PLX_MS(1), 1},
        {PLX_MS(1), PLX_MS(1), 1},
        {PLX_MS(1) + 1, PLX_MS(1), 2},
        {PLX_MS(1500), PLX_SECONDS(1), 2},
        {PLX_SECONDS(3), PLX_SECONDS(1), 3},
        {17, 1, 17},
        {INT64_MAX, 1, INT64_MAX},
        {INT64_MAX, PLX_MS(1), INT64_MAX / PLX_MS(1) + 1},
        {INT64_MAX, INT64_MAX, 1},
        {1, INT64_MAX, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_int_eq(plx__round_up(rows[i].duration, rows[i].unit), rows[i].units);
}
END_TEST

Suite *duration_suite(void)
{
    Suite *suite = suite_create("duration");
    TCase *tests = tcase_create("duration");
    tcase_add_test(tests, units_are_nanoseconds);
    tcase_add_test(tests, a_deadline_is_the_sum);
    tcase_add_test(tests, a_deadline_saturates);
    tcase_add_test(tests, what_remains_is_never_negative);
    tcase_add_test(tests, for_ever_remains_for_ever);
    tcase_add_test(tests, a_part_of_a_unit_is_a_whole_one);
    suite_add_tcase(suite, tests);
    return suite;
}
