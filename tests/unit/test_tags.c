/* SPDX-License-Identifier: MIT */
/*
 * test_tags.c: whose an object is, by its address alone. The objects here are addresses and nothing
 * else: nobody looks at them.
 */
#include "require.h"
#include "src/base/tags.h"
#include "suites.h"

#define PAGE   ((uintptr_t)PLX__TAG_PAGE)
#define BLOCK  (PAGE * 1000000) /* where a block begins */
#define ACROSS (PAGE * PLX__TAG_PAGES)
#define LIMIT  (PLX__TAG_OWNERS - 1)

static const void *at(uintptr_t address)
{
    return (const void *)address;
}

static void *owner_of(const void *object)
{
    void *owner = NULL;
    return plx__tag_find(object, &owner) ? owner : NULL;
}

START_TEST(an_object_of_no_block_has_no_tag)
{
    int ours;
    uint32_t owner = plx__tags_enlist(&ours);
    plx__tag_set(owner, at(BLOCK), true);
    ck_assert_ptr_null(owner_of(at(BLOCK)));
    ck_assert_ptr_null(owner_of(NULL));
    plx__tags_dismiss(owner);
}
END_TEST

START_TEST(a_tag_comes_and_goes_and_its_neighbours_stay)
{
    int ours;
    uint32_t owner = plx__tags_enlist(&ours);
    plx__tags_open(owner, at(BLOCK + 8), 4 * PAGE);
    for (uintptr_t i = BLOCK + 8; i < BLOCK + 4 * PAGE; i += PLX__TAG_SPACE) {
        ck_assert_ptr_null(owner_of(at(i)));
        plx__tag_set(owner, at(i), true);
        ck_assert_ptr_eq(owner_of(at(i)), &ours);
    }
    for (uintptr_t i = BLOCK + 8; i < BLOCK + 4 * PAGE; i += 2 * PLX__TAG_SPACE) {
        if (i / (2 * PLX__TAG_SPACE) % 2)
            plx__tag_clear(at(i));
        else
            plx__tag_set(owner, at(i), false);
        ck_assert_ptr_null(owner_of(at(i)));
        ck_assert_ptr_eq(owner_of(at(i + PLX__TAG_SPACE)), &ours);
    }
    plx__tags_close(owner, at(BLOCK + 8), 4 * PAGE);
    plx__tags_dismiss(owner);
}
END_TEST

START_TEST(one_after_the_other_gets_a_tag)
{
    int ours, theirs;
    struct plx__tag_cursor cursor = {0};
    uint32_t owner = plx__tags_enlist(&ours), other = plx__tags_enlist(&theirs);
    plx__tags_open(owner, at(BLOCK), PAGE);
    plx__tags_open(other, at(BLOCK + PAGE), PAGE);
    plx__tags_open(owner, at(BLOCK + 2 * PAGE), PAGE);
    for (uintptr_t i = BLOCK; i < BLOCK + 4 * PAGE; i += 2 * PLX__TAG_SPACE)
        plx__tag_give(&cursor, owner, at(i));
    plx__tag_give(&cursor, owner, at(BLOCK + PLX__TAG_SPACE)); /* and back */
    for (uintptr_t i = BLOCK; i < BLOCK + 4 * PAGE; i += PLX__TAG_SPACE) {
        bool is_given = i / PLX__TAG_SPACE % 2 == 0 || i == BLOCK + PLX__TAG_SPACE;
        bool is_ours = i < BLOCK + PAGE || (i >= BLOCK + 2 * PAGE && i < BLOCK + 3 * PAGE);
        ck_assert_ptr_eq(owner_of(at(i)), is_given && is_ours ? &ours : NULL);
    }
    plx__tags_close(owner, at(BLOCK), 3 * PAGE);
    plx__tags_close(other, at(BLOCK + PAGE), PAGE);
    plx__tags_dismiss(owner);
    plx__tags_dismiss(other);
}
END_TEST

/* Another block begins where the first one ends: the page between is the first one's. */
START_TEST(a_page_has_one_owner)
{
    int ours, theirs;
    uint32_t owner = plx__tags_enlist(&ours), other = plx__tags_enlist(&theirs);
    const uintptr_t end = BLOCK + PAGE + PAGE / 2, next = end + PLX__TAG_SPACE;
    ck_assert_uint_ne(owner, other);
    plx__tags_open(owner, at(BLOCK), end - BLOCK);
    plx__tags_open(other, at(end), 2 * PAGE);
    plx__tag_set(owner, at(BLOCK + PAGE), true);
    plx__tag_set(other, at(next), true);
    plx__tag_set(other, at(BLOCK + PAGE), false);
    plx__tag_set(other, at(next + PAGE), true);
    ck_assert_ptr_eq(owner_of(at(BLOCK + PAGE)), &ours);
    ck_assert_ptr_null(owner_of(at(next)));
    ck_assert_ptr_eq(owner_of(at(next + PAGE)), &theirs);

    plx__tags_close(other, at(end), 2 * PAGE);
    ck_assert_ptr_eq(owner_of(at(BLOCK + PAGE)), &ours);
    ck_assert_ptr_null(owner_of(at(next + PAGE)));
    plx__tags_close(owner, at(BLOCK), end - BLOCK);
    plx__tags_open(other, at(BLOCK + PAGE), PAGE);
    ck_assert_ptr_null(owner_of(at(BLOCK + PAGE)));
    plx__tag_set(other, at(BLOCK + PAGE), true);
    ck_assert_ptr_eq(owner_of(at(BLOCK + PAGE)), &theirs);
    plx__tags_close(other, at(BLOCK + PAGE), PAGE);
    plx__tags_dismiss(owner);
    plx__tags_dismiss(other);
}
END_TEST

static uintptr_t across_from(uintptr_t address)
{
    uintptr_t other = address + PAGE;
    while (plx__tag_word(at(other)) != plx__tag_word(at(address)))
        other += PAGE;
    return other;
}

/* They have the same place. Who comes second gets it when the first one goes. */
START_TEST(pages_that_lie_across_are_not_taken_for_each_other)
{
    int ours;
    const uintptr_t across = across_from(BLOCK);
    uint32_t owner = plx__tags_enlist(&ours);
    plx__tags_open(owner, at(BLOCK), PAGE);
    plx__tags_open(owner, at(across), PAGE);
    plx__tag_set(owner, at(across), true);
    ck_assert_ptr_null(owner_of(at(BLOCK)));
    ck_assert_ptr_null(owner_of(at(across)));
    plx__tag_set(owner, at(BLOCK), true);
    ck_assert_ptr_eq(owner_of(at(BLOCK)), &ours);
    ck_assert_ptr_null(owner_of(at(across)));
    plx__tags_close(owner, at(across), PAGE);
    ck_assert_ptr_eq(owner_of(at(BLOCK)), &ours);
    plx__tags_close(owner, at(BLOCK), PAGE);

    plx__tags_open(owner, at(across), PAGE);
    plx__tag_set(owner, at(across), true);
    ck_assert_ptr_eq(owner_of(at(across)), &ours);
    ck_assert_ptr_null(owner_of(at(BLOCK)));
    plx__tags_close(owner, at(across), PAGE);
    plx__tags_dismiss(owner);
}
END_TEST

START_TEST(owners_without_a_number_have_no_tags)
{
    int owners[LIMIT];
    uint32_t numbers[LIMIT];
    for (size_t i = 0; i < LIMIT; i++) {
        numbers[i] = plx__tags_enlist(&owners[i]);
        REQUIRE(numbers[i] == i + 1);
    }
    ck_assert_uint_eq(plx__tags_enlist(&owners[0]), 0);
    plx__tags_open(0, at(BLOCK), PAGE);
    plx__tag_set(0, at(BLOCK), true);
    ck_assert_ptr_null(owner_of(at(BLOCK)));
    plx__tags_close(0, at(BLOCK), PAGE);
    plx__tags_dismiss(0);

    plx__tags_dismiss(numbers[1]);
    ck_assert_uint_eq(plx__tags_enlist(&owners[0]), numbers[1]); /* it is free again */
    for (size_t i = 0; i < LIMIT; i++)
        plx__tags_dismiss(numbers[i]);
}
END_TEST

/* Their pages' numbers do not fit into a word. There the low addresses are not to be found. */
START_TEST(high_addresses_have_no_tags)
{
#if UINTPTR_MAX > UINT32_MAX
    int ours;
    uint32_t owner = plx__tags_enlist(&ours);
    const uintptr_t too_high = ACROSS << (64 - PLX__TAG_REST_BIT);
    plx__tags_open(owner, at(too_high + BLOCK), PAGE);
    plx__tag_set(owner, at(too_high + BLOCK), true);
    plx__tag_set(owner, at(BLOCK), true);
    ck_assert_ptr_null(owner_of(at(too_high + BLOCK)));
    ck_assert_ptr_null(owner_of(at(BLOCK)));
    plx__tags_close(owner, at(too_high + BLOCK), PAGE);

    plx__tags_open(owner, at(BLOCK), PAGE);
    plx__tag_set(owner, at(too_high + BLOCK), true);
    ck_assert_ptr_null(owner_of(at(BLOCK)));
    plx__tags_close(owner, at(too_high + BLOCK), PAGE);
    plx__tag_set(owner, at(BLOCK), true);
    ck_assert_ptr_eq(owner_of(at(BLOCK)), &ours);
    plx__tags_close(owner, at(BLOCK), PAGE);
    plx__tags_dismiss(owner);
#endif
}
END_TEST

/* As the heaps of threads lie in glibc: 64 MiB from one to the next. */
START_TEST(pages_at_even_distances_have_different_places)
{
    for (uintptr_t i = 1; i < 64; i++)
        REQUIRE(plx__tag_word(at(BLOCK)) != plx__tag_word(at(BLOCK + i * ACROSS)));
}
END_TEST

Suite *tags_suite(void)
{
    Suite *suite = suite_create("tags");
    TCase *tests = tcase_create("tags");
    tcase_add_test(tests, an_object_of_no_block_has_no_tag);
    tcase_add_test(tests, a_tag_comes_and_goes_and_its_neighbours_stay);
    tcase_add_test(tests, one_after_the_other_gets_a_tag);
    tcase_add_test(tests, a_page_has_one_owner);
    tcase_add_test(tests, pages_that_lie_across_are_not_taken_for_each_other);
    tcase_add_test(tests, pages_at_even_distances_have_different_places);
    tcase_add_test(tests, owners_without_a_number_have_no_tags);
    tcase_add_test(tests, high_addresses_have_no_tags);
    suite_add_tcase(suite, tests);
    return suite;
}
