/* SPDX-License-Identifier: MIT */
/*
 * test_ring.c: the intrusive ring.
 */
#include <string.h>

#include "require.h"
#include "src/base/ring.h"
#include "suites.h"

enum { NODES = 3 };

/* A ring, and beside it the order that its nodes should have. */
struct pair {
    struct plx__ring head;
    struct plx__ring nodes[NODES];
    size_t order[NODES];
    size_t count;
};

static void pair_open(struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    plx__ring_open(&pair->head);
}

static bool expects(const struct pair *pair, size_t node)
{
    for (size_t i = 0; i < pair->count; i++) {
        if (pair->order[i] == node)
            return true;
    }
    return false;
}

static void expect_without(struct pair *pair, size_t node)
{
    size_t kept = 0;
    for (size_t i = 0; i < pair->count; i++) {
        if (pair->order[i] != node)
            pair->order[kept++] = pair->order[i];
    }
    pair->count = kept;
}

static void append(struct pair *pair, size_t node)
{
    plx__ring_append(&pair->head, &pair->nodes[node]);
    expect_without(pair, node);
    pair->order[pair->count++] = node;
}

static void leave(struct pair *pair, size_t node)
{
    plx__ring_leave(&pair->nodes[node]);
    expect_without(pair, node);
}

/* The order is the expected one, read in both directions. */
static void compare(const struct pair *pair)
{
    const struct plx__ring *forth = &pair->head, *back = &pair->head;
    for (size_t i = 0; i < pair->count; i++) {
        forth = forth->next;
        back = back->previous;
        REQUIRE(forth == &pair->nodes[pair->order[i]]);
        REQUIRE(back == &pair->nodes[pair->order[pair->count - 1 - i]]);
    }
    REQUIRE(forth->next == &pair->head);
    REQUIRE(back->previous == &pair->head);
    REQUIRE(plx__ring_is_empty(&pair->head) == (pair->count == 0));
    for (size_t i = 0; i < NODES; i++)
        REQUIRE(plx__ring_is_member(&pair->nodes[i]) == expects(pair, i));
}

START_TEST(a_new_ring_is_empty)
{
    struct pair pair;
    pair_open(&pair);
    compare(&pair);
}
END_TEST

START_TEST(nodes_stand_in_the_order_of_their_coming)
{
    struct pair pair;
    pair_open(&pair);
    for (size_t i = 0; i < NODES; i++)
        append(&pair, i);
    compare(&pair);
}
END_TEST

START_TEST(who_left_may_leave_again)
{
    struct pair pair;
    pair_open(&pair);
    append(&pair, 0);
    append(&pair, 1);
    leave(&pair, 0);
    leave(&pair, 0);
    compare(&pair);
}
END_TEST

START_TEST(appending_takes_a_node_out_of_another_ring)
{
    struct pair from, to;
    pair_open(&from);
    pair_open(&to);
    append(&from, 0);
    append(&from, 1);
    append(&from, 2);
    plx__ring_append(&to.head, &from.nodes[1]);
    ck_assert_ptr_eq(to.head.next, &from.nodes[1]);
    ck_assert_ptr_eq(to.head.previous, &from.nodes[1]);
    ck_assert_ptr_eq(from.head.next->next, &from.nodes[2]);
    ck_assert_ptr_eq(from.head.previous->previous, &from.nodes[0]);
}
END_TEST

/* Each digit of `story` in base 2 * NODES is one step: append or leave one of the nodes. */
static void play(unsigned story, unsigned steps)
{
    struct pair pair;
    pair_open(&pair);
    for (; steps > 0; steps--, story /= 2 * NODES) {
        size_t node = story % (2 * NODES) / 2;
        if (story % 2)
            append(&pair, node);
        else
            leave(&pair, node);
        compare(&pair);
    }
}

START_TEST(every_short_story_ends_in_the_right_order)
{
    enum { STEPS = 5, STORIES = 6 * 6 * 6 * 6 * 6 };
    for (unsigned story = 0; story < STORIES; story++)
        play(story, STEPS);
}
END_TEST

Suite *ring_suite(void)
{
    Suite *suite = suite_create("ring");
    TCase *tests = tcase_create("ring");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_new_ring_is_empty);
    tcase_add_test(tests, nodes_stand_in_the_order_of_their_coming);
    tcase_add_test(tests, who_left_may_leave_again);
    tcase_add_test(tests, appending_takes_a_node_out_of_another_ring);
    tcase_add_test(tests, every_short_story_ends_in_the_right_order);
    suite_add_tcase(suite, tests);
    return suite;
}
