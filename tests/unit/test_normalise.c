/* SPDX-License-Identifier: MIT */
/*
 * test_normalise.c: clauses S1 to S4 of the semantics, for every combination of what a kernel can
 * say and what can be asked for.
 */
#include "require.h"
#include "src/core/normalise.h"
#include "suites.h"

/* The rules, written out: an event is reported if one of its causes is known. */
static const struct rule {
    uint32_t event;
    bool is_always_asked;
    uint32_t causes;
} rules[] = {
    /* S1: what ends a direction makes it ready, so that whoever reads or writes finds out. */
    {PLX_READ, false, PLX_READ | PLX_RDHUP | PLX_HUP | PLX_ERROR | PLX__GONE},
    {PLX_WRITE, false, PLX_WRITE | PLX_HUP | PLX_ERROR | PLX__GONE},
    {PLX_PRI, false, PLX_PRI},
    /* S3: only where asked. A HUP alone does not say which half the peer closed. */
    {PLX_RDHUP, false, PLX_RDHUP},
    /* S2: never for a half close. */
    {PLX_HUP, true, PLX_HUP},
    /* S4 and S20: a hint to look. */
    {PLX_ERROR, true, PLX_ERROR | PLX__GONE},
};

static uint32_t expected(uint32_t facts, uint32_t asked)
{
    uint32_t events = 0;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        bool is_asked = rules[i].is_always_asked || asked & rules[i].event;
        if (is_asked && facts & rules[i].causes)
            events |= rules[i].event;
    }
    return events;
}

static const uint32_t fact_bits[] = {PLX_READ,  PLX_WRITE, PLX_PRI,  PLX_RDHUP,
                                     PLX_ERROR, PLX_HUP,   PLX__GONE};
static const uint32_t asked_bits[] = {PLX_READ,  PLX_WRITE, PLX_PRI,     PLX_RDHUP,
                                      PLX_ERROR, PLX_HUP,   PLX_ONESHOT, PLX_EDGE};

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define SUBSETS(bits) (1u << COUNT(bits))

static uint32_t subset(const uint32_t *bits, size_t count, uint32_t which)
{
    uint32_t mask = 0;
    for (size_t i = 0; i < count; i++)
        mask |= which >> i & 1 ? bits[i] : 0;
    return mask;
}

START_TEST(every_combination_follows_the_rules)
{
    for (uint32_t f = 0; f < SUBSETS(fact_bits); f++) {
        for (uint32_t a = 0; a < SUBSETS(asked_bits); a++) {
            uint32_t facts = subset(fact_bits, COUNT(fact_bits), f);
            uint32_t asked = subset(asked_bits, COUNT(asked_bits), a);
            uint32_t events = plx__normalise(facts, asked);
            if (events != expected(facts, asked))
                ck_abort_msg("facts %#x, asked %#x: %#x, not %#x", (unsigned)facts, (unsigned)asked,
                             (unsigned)events, (unsigned)expected(facts, asked));
        }
    }
}
END_TEST

/* Without a look at the table above: what a program may rely on. */
START_TEST(if_read_then_read_is_always_enough)
{
    for (uint32_t f = 1; f < SUBSETS(fact_bits); f++) {
        uint32_t facts = subset(fact_bits, COUNT(fact_bits), f);
        if (facts & ~(PLX_WRITE | PLX_PRI))
            REQUIRE((plx__normalise(facts, PLX_READ) & PLX_READ) != 0);
    }
}
END_TEST

START_TEST(a_half_close_is_no_hang_up)
{
    ck_assert_uint_eq(plx__normalise(PLX_READ | PLX_RDHUP, PLX_READ), PLX_READ);
    ck_assert_uint_eq(plx__normalise(PLX_READ | PLX_RDHUP, PLX_READ | PLX_RDHUP),
                      PLX_READ | PLX_RDHUP);
    ck_assert_uint_eq(plx__normalise(PLX_RDHUP, PLX_WRITE), 0);
}
END_TEST

START_TEST(nothing_but_public_events_comes_out)
{
    const uint32_t known = PLX_READ | PLX_WRITE | PLX_PRI | PLX_RDHUP | PLX_ERROR | PLX_HUP;
    for (unsigned bit = 0; bit < 32; bit++) {
        uint32_t facts = UINT32_C(1) << bit;
        ck_assert_uint_eq(plx__normalise(facts, UINT32_MAX) & ~known, 0);
    }
    ck_assert_uint_eq(plx__normalise(UINT32_MAX, UINT32_MAX), known);
    ck_assert_uint_eq(plx__normalise(0, UINT32_MAX), 0);
}
END_TEST

Suite *normalise_suite(void)
{
    Suite *suite = suite_create("normalise");
    TCase *tests = tcase_create("normalise");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_combination_follows_the_rules);
    tcase_add_test(tests, if_read_then_read_is_always_enough);
    tcase_add_test(tests, a_half_close_is_no_hang_up);
    tcase_add_test(tests, nothing_but_public_events_comes_out);
    suite_add_tcase(suite, tests);
    return suite;
}
