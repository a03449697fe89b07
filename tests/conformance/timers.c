/* SPDX-License-Identifier: MIT */
/*
 * timers.c: one timer: when it fires, how often, and what moves it (S13, S14).
 *
 * How late a report is, is the machine's affair: nothing here depends on it. Never early is ours,
 * and every case reads the clock itself to know. What has to be due is made so by reading the clock
 * until it is.
 */
#include "timers.h"

#define HOUR  PLX_SECONDS(3600)
#define ROUND 20

/* --- When it fires --- */

void timer_is_never_early(struct scene *scene)
{
    static const plx_duration durations[] = {
        0,         PLX_NS(1),       PLX_NS(999),  PLX_US(1),       PLX_US(20), PLX_US(300),
        PLX_MS(1), PLX_NS(1000001), PLX_US(1700), PLX_NS(1999999), PLX_MS(6),  PLX_NS(20500001)};

    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        for (int repeat = 0; repeat < 5; repeat++) {
            plx_duration started = now();
            plx_watcher *timer = start_timer(scene, durations[i], 0);

            EXPECT_REPORT(scene, timer, PLX_TIMER);
            CHECK(now() - started >= durations[i]);
            CHECK_OK(plx_watcher_remove(timer));
        }
    }
}

void timer_is_never_early_in_a_look(struct scene *scene)
{
    for (int repeat = 0; repeat < 50; repeat++) {
        plx_duration started = now();
        plx_watcher *timer = start_timer(scene, PLX_US(200), 0);

        while (look(scene) == 0) {
        }
        CHECK(now() - started >= PLX_US(200));
        CHECK_OK(plx_watcher_remove(timer));
    }
}

void timer_counts_from_add(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, PLX_MS(2), 0);

    pass(PLX_MS(2));
    CHECK_EQUAL(look(scene), 1);
    CHECK(scene->ready[0] == timer);
    CHECK_EVENTS(plx_watcher_triggered(timer), PLX_TIMER);
}

void timer_without_period_fires_once(struct scene *scene)
{
    static const plx_duration none[] = {0, PLX_FOREVER};

    for (size_t i = 0; i < COUNT_OF(none); i++) {
        plx_watcher *timer = start_timer(scene, PLX_US(100), none[i]);

        CHECK_EQUAL(plx_watcher_count(timer), 0);
        pass(PLX_MS(1)); /* late, and still one */
        EXPECT_REPORT(scene, timer, PLX_TIMER);
        CHECK_EQUAL(plx_watcher_count(timer), 1);
        EXPECT_QUIET(scene);
        EXPECT_NO_SPIN(scene);
        CHECK(plx_watcher_is_active(timer));
        CHECK_EVENTS(plx_watcher_triggered(timer), PLX_TIMER);
    }
}

void timer_of_zero_is_due_at_once(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, 0, 0);

    CHECK_EQUAL(look(scene), 1);
    CHECK(scene->ready[0] == timer);
    EXPECT_QUIET(scene);
}

/* --- Periods --- */

/* How many points of a grid have passed. */
static long long passed(plx_duration since_first, plx_duration every)
{
    return since_first < 0 ? 0 : since_first / every + 1;
}

/*
 * Watches a periodic timer whose first deadline is no earlier than `low`. However late each report
 * is, all together stand for the periods that have passed, neither more nor less: a timer that
 * counted from its last report would fall behind, and one that counted twice would run ahead.
 */
static void expect_grid(struct scene *scene, plx_watcher *timer, plx_duration low,
                        plx_duration every)
{
    plx_duration high;
    long long total;

    EXPECT_REPORT(scene, timer, PLX_TIMER);
    total = (long long)plx_watcher_count(timer);
    high = now() - every * (total - 1);
    CHECK(low <= high);
    for (int i = 0; i < ROUND; i++) {
        plx_duration before;

        pass(i % 2 ? every / 3 : 3 * every + every / 2);
        before = now();
        EXPECT_REPORT(scene, timer, PLX_TIMER);
        total += (long long)plx_watcher_count(timer);
        CHECK(total <= passed(now() - low, every));
        CHECK(total >= passed(before - high, every));
    }
}

void timer_period_keeps_its_grid(struct scene *scene)
{
    plx_duration started = now();
    plx_watcher *timer = start_timer(scene, PLX_MS(3), PLX_MS(1));

    expect_grid(scene, timer, started + PLX_MS(3), PLX_MS(1));
}

void timer_short_period_keeps_its_grid(struct scene *scene)
{
    plx_duration started = now();
    plx_watcher *timer = start_timer(scene, 0, PLX_US(70));

    expect_grid(scene, timer, started, PLX_US(70));
}

void timer_missed_periods_are_one_report(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, PLX_MS(1), PLX_NS(1));

    pass(PLX_MS(2));
    EXPECT_REPORT(scene, timer, PLX_TIMER);
    CHECK(plx_watcher_count(timer) >= 1000000);
    CHECK_OK(plx_watcher_remove(timer));
    EXPECT_QUIET(scene);
}

void timer_count_is_that_of_the_last_report(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, 0, HOUR);

    EXPECT_REPORT(scene, timer, PLX_TIMER);
    CHECK_EQUAL(plx_watcher_count(timer), 1);
    EXPECT_QUIET(scene);
    CHECK_EQUAL(plx_watcher_count(timer), 1);
    CHECK_OK(plx_watcher_again(timer, 0));
    CHECK_EQUAL(plx_watcher_count(timer), 1);
    CHECK_OK(plx_watcher_remove(timer));
    CHECK_EQUAL(look(scene), 0); /* its memory is free from here on */
    timer = start_timer(scene, HOUR, 0);
    CHECK_EQUAL(plx_watcher_count(timer), 0);
    CHECK_EVENTS(plx_watcher_triggered(timer), 0);
    CHECK_EQUAL(plx_watcher_count(watch(scene, stream_pair(scene).here, PLX_READ)), 0);
}

/* --- Stopped, never, and refused --- */

void timer_that_is_stopped_waits_for_again(struct scene *scene)
{
    plx_watcher *once = start_timer(scene, PLX_FOREVER, 0);
    plx_watcher *often = start_timer(scene, PLX_FOREVER, PLX_MS(1));

    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_again(once, PLX_MS(1)));
    EXPECT_REPORT(scene, once, PLX_TIMER);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_again(often, PLX_MS(1)));
    for (int i = 0; i < 3; i++)
        EXPECT_REPORT(scene, often, PLX_TIMER);
    CHECK_OK(plx_watcher_again(often, PLX_FOREVER));
    EXPECT_NO_SPIN(scene);
}

void timer_stopped_while_due_is_silent(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, PLX_US(100), PLX_US(100));

    pass(PLX_MS(1));
    CHECK_OK(plx_watcher_again(timer, PLX_FOREVER));
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_again(timer, 0));
    CHECK_OK(plx_watcher_again(timer, PLX_FOREVER));
    EXPECT_QUIET(scene);
    CHECK_EVENTS(plx_watcher_triggered(timer), 0);
}

void timer_refuses_negative_durations(struct scene *scene)
{
    static const plx_duration bad[] = {-2, PLX_MS(-1), INT64_MIN + 1, INT64_MIN};
    plx_watcher *none = NULL, *timer = start_timer(scene, PLX_MS(5), 0);

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        CHECK_CODE(plx_context_add(scene->context, plx_timer(bad[i], 0), PLX_TIMER, NULL, &none),
                   PLX_ERR_INVALID);
        CHECK_CODE(plx_context_add(scene->context, plx_timer(0, bad[i]), PLX_TIMER, NULL, &none),
                   PLX_ERR_INVALID);
        CHECK_CODE(
            plx_context_add(scene->context, plx_timer(PLX_FOREVER, bad[i]), PLX_TIMER, NULL, &none),
            PLX_ERR_INVALID);
        CHECK_CODE(plx_watcher_again(timer, bad[i]), PLX_ERR_INVALID);
    }
    CHECK(none == NULL);
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    EXPECT_REPORT(scene, timer, PLX_TIMER);
    CHECK_CODE(plx_watcher_again(timer, -2), PLX_ERR_INVALID);
    EXPECT_QUIET(scene);
}

void timer_sums_that_do_not_fit_never_come(struct scene *scene)
{
    plx_watcher *far = start_timer(scene, INT64_MAX, INT64_MAX);
    plx_watcher *nearly = start_timer(scene, INT64_MAX - 1, 1);
    plx_watcher *later = start_timer(scene, PLX_MS(1), INT64_MAX), *near;

    EXPECT_REPORT(scene, later, PLX_TIMER);
    CHECK_EQUAL(plx_watcher_count(later), 1);
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_again(later, INT64_MAX));
    CHECK_OK(plx_watcher_again(far, INT64_MAX - 1));
    CHECK_OK(plx_watcher_modify(nearly, PLX_TIMER));
    EXPECT_QUIET(scene);
    near = start_timer(scene, PLX_MS(1), 0);
    CHECK_EQUAL(wait_for(scene, INT64_MAX), 1);
    CHECK(scene->ready[0] == near);
    CHECK_OK(plx_watcher_again(far, PLX_MS(1)));
    EXPECT_REPORT(scene, far, PLX_TIMER);
    EXPECT_QUIET(scene);
}

void timer_refuses_other_events(struct scene *scene)
{
    static const uint32_t bad[] = {0,
                                   PLX_READ,
                                   PLX_WRITE,
                                   PLX_ERROR,
                                   PLX_ONESHOT,
                                   PLX_NOTIFY,
                                   PLX_TIMER | PLX_EDGE,
                                   PLX_TIMER | PLX_EDGE | PLX_ONESHOT,
                                   PLX_TIMER | PLX_READ,
                                   PLX_TIMER | PLX_HUP,
                                   PLX_TIMER | PLX_SIGNAL,
                                   PLX_TIMER | 0x1000,
                                   PLX_TIMER | UINT32_C(0x80000000)};
    plx_watcher *timer = start_timer(scene, PLX_MS(1), 0), *none = NULL;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        CHECK_CODE(plx_context_add(scene->context, plx_timer(0, 0), bad[i], NULL, &none),
                   PLX_ERR_INVALID);
        CHECK_CODE(plx_watcher_modify(timer, bad[i]), PLX_ERR_INVALID);
    }
    CHECK(none == NULL);
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    CHECK_EVENTS(plx_watcher_events(timer), PLX_TIMER);
    EXPECT_REPORT(scene, timer, PLX_TIMER);
}

void timer_event_is_for_timers_alone(struct scene *scene)
{
    static const uint32_t bad[] = {PLX_TIMER, PLX_TIMER | PLX_READ, PLX_TIMER | PLX_NOTIFY};
    plx_watcher *reader = watch(scene, stream_pair(scene).here, PLX_READ), *bell = NULL;
    plx_socket fd = stream_pair(scene).here;

    CHECK_OK(plx_context_add(scene->context, plx_notify(), PLX_NOTIFY, NULL, &bell));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        CHECK_CODE(plx_context_add(scene->context, plx_fd(fd), bad[i], NULL, NULL),
                   PLX_ERR_INVALID);
        CHECK_CODE(plx_context_add(scene->context, plx_notify(), bad[i], NULL, NULL),
                   PLX_ERR_INVALID);
        CHECK_CODE(plx_watcher_modify(reader, bad[i]), PLX_ERR_INVALID);
        CHECK_CODE(plx_watcher_modify(bell, bad[i]), PLX_ERR_INVALID);
    }
    CHECK_EQUAL(plx_context_count(scene->context), 2);
    EXPECT_QUIET(scene);
}

/* --- One-shot, and modify --- */

void timer_oneshot_is_muted_until_modify(struct scene *scene)
{
    plx_watcher *timer = NULL;

    CHECK_OK(plx_context_add(scene->context, plx_timer(PLX_MS(1), PLX_US(100)),
                             PLX_TIMER | PLX_ONESHOT, NULL, &timer));
    for (int i = 0; i < 3; i++) {
        pass(PLX_MS(2));
        EXPECT_REPORT(scene, timer, PLX_TIMER);
        CHECK(plx_watcher_count(timer) >= 10);
        EXPECT_QUIET(scene);
        CHECK(plx_watcher_is_active(timer));
        CHECK_EVENTS(plx_watcher_events(timer), PLX_TIMER | PLX_ONESHOT);
        CHECK_OK(plx_watcher_modify(timer, PLX_TIMER | PLX_ONESHOT));
    }
    CHECK_OK(plx_watcher_modify(timer, PLX_TIMER));
    for (int i = 0; i < 3; i++)
        EXPECT_REPORT(scene, timer, PLX_TIMER);
}

void timer_oneshot_is_armed_by_again(struct scene *scene)
{
    plx_watcher *timer = NULL;

    CHECK_OK(plx_context_add(scene->context, plx_timer(0, PLX_MS(1)), PLX_TIMER | PLX_ONESHOT, NULL,
                             &timer));
    for (int i = 0; i < 3; i++) {
        EXPECT_REPORT(scene, timer, PLX_TIMER);
        EXPECT_QUIET(scene);
        CHECK_OK(plx_watcher_again(timer, PLX_US(500)));
    }
}

void timer_modify_starts_again(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, PLX_MS(4), 0);

    pass(PLX_MS(4)); /* due: and yet it starts again, then and after each report */
    for (int i = 0; i < 3; i++) {
        plx_duration started = now();

        CHECK_OK(plx_watcher_modify(timer, PLX_TIMER));
        EXPECT_REPORT(scene, timer, PLX_TIMER);
        CHECK(now() - started >= PLX_MS(4));
        EXPECT_QUIET(scene);
    }
}

void timer_modify_takes_its_own_after(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, PLX_MS(1), 0);
    plx_watcher *stopped = start_timer(scene, PLX_FOREVER, PLX_US(1));
    plx_duration started;

    CHECK_OK(plx_watcher_again(timer, HOUR));
    EXPECT_QUIET(scene);
    started = now();
    CHECK_OK(plx_watcher_modify(timer, PLX_TIMER));
    EXPECT_REPORT(scene, timer, PLX_TIMER);
    CHECK(now() - started >= PLX_MS(1));

    CHECK_OK(plx_watcher_again(stopped, 0));
    EXPECT_REPORT(scene, stopped, PLX_TIMER);
    CHECK_OK(plx_watcher_modify(stopped, PLX_TIMER));
    EXPECT_QUIET(scene);
}

/*
 * A modify that undoes an again before any wait has seen it. The descriptors are there to notice if
 * the one were taken for the other: a timer has no number that the kernel knows.
 */
void timer_modify_after_again_is_all_there_is(struct scene *scene)
{
    enum { SOME = 8 };
    plx_watcher *timer = start_timer(scene, PLX_MS(1), PLX_NS(1)), *readers[SOME];
    struct ends ends[SOME];

    for (int i = 0; i < SOME; i++) {
        ends[i] = stream_pair(scene);
        readers[i] = watch(scene, ends[i].here, PLX_READ);
    }
    for (int i = 0; i < SOME; i++) {
        plx_duration started;

        CHECK_OK(plx_watcher_again(timer, i % 2 ? 0 : HOUR));
        started = now();
        CHECK_OK(plx_watcher_modify(timer, PLX_TIMER | PLX_ONESHOT));
        EXPECT_REPORT(scene, timer, PLX_TIMER);
        CHECK(now() - started >= PLX_MS(1));
        EXPECT_QUIET(scene);
        say(&ends[i]);
        EXPECT_REPORT(scene, readers[i], PLX_READ);
        EXPECT_REPORT(scene, readers[i], PLX_READ);
        drain(ends[i].here);
    }
}

/* --- Again --- */

void timer_again_moves_it_later(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, PLX_MS(1), 0);

    for (int i = 0; i < 3; i++) {
        plx_duration started = now();

        CHECK_OK(plx_watcher_again(timer, PLX_MS(3)));
        pass(PLX_MS(1)); /* past the deadline that it had */
        while (look(scene) == 0) {
        }
        CHECK(scene->ready[0] == timer);
        CHECK(now() - started >= PLX_MS(3));
    }
}

void timer_again_moves_it_earlier(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, HOUR, 0), *other = start_timer(scene, HOUR, 0);
    plx_duration started;

    EXPECT_QUIET(scene);
    started = now();
    CHECK_OK(plx_watcher_again(timer, PLX_MS(2)));
    EXPECT_REPORT(scene, timer, PLX_TIMER);
    CHECK(now() - started >= PLX_MS(2));
    CHECK_OK(plx_watcher_again(other, 0));
    EXPECT_REPORT(scene, other, PLX_TIMER);
    EXPECT_QUIET(scene);
}

void timer_again_after_it_fired(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, 0, 0);

    for (int i = 0; i < 5; i++) {
        plx_duration started;

        EXPECT_REPORT(scene, timer, PLX_TIMER);
        started = now();
        CHECK_OK(plx_watcher_again(timer, PLX_US(700)));
        while (look(scene) == 0) {
        }
        CHECK(now() - started >= PLX_US(700));
        CHECK_OK(plx_watcher_again(timer, 0));
    }
}

/* The clock that counts is that of the call, or a later one: never that of the last wait. */
void timer_again_counts_from_the_call_at_the_earliest(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, HOUR, 0), *busy = start_timer(scene, 0, PLX_US(50));

    for (int i = 0; i < 10; i++) {
        plx_duration started;

        wait_for(scene, PATIENCE);
        pass(PLX_MS(2)); /* the time of the last wait is long gone */
        if (i % 2)       /* whoever else has the clock read, before or after, must not matter */
            CHECK_OK(plx_watcher_modify(busy, PLX_TIMER));
        started = now();
        CHECK_OK(plx_watcher_again(timer, PLX_MS(1)));
        pass(PLX_US(200) * i); /* the wait comes late */
        if (i % 3)
            CHECK_OK(plx_watcher_modify(busy, PLX_TIMER));
        do {
            wait_for(scene, PATIENCE);
        } while (!was_reported(scene, timer));
        CHECK(now() - started >= PLX_MS(1));
    }
}

void timer_again_many_times_before_a_wait(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, 0, 0);
    plx_duration started;

    for (int i = 0; i < 1000; i++)
        CHECK_OK(plx_watcher_again(timer, i % 3 ? PLX_MS(i) : 0));
    started = now();
    CHECK_OK(plx_watcher_again(timer, PLX_MS(2)));
    EXPECT_REPORT(scene, timer, PLX_TIMER);
    CHECK(now() - started >= PLX_MS(2));
    CHECK_EQUAL(plx_watcher_count(timer), 1);
    EXPECT_QUIET(scene);
    for (int i = 0; i < 1000; i++)
        CHECK_OK(plx_watcher_again(timer, PLX_MS(1000 - i)));
    CHECK_OK(plx_watcher_again(timer, HOUR));
    EXPECT_QUIET(scene);
}

void timer_again_before_it_is_removed(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, HOUR, 0), *stopped = start_timer(scene, HOUR, 0);

    CHECK_OK(plx_watcher_again(timer, 0));
    CHECK_OK(plx_watcher_remove(timer));
    CHECK_CODE(plx_watcher_again(timer, 0), PLX_ERR_INACTIVE);
    CHECK_CODE(plx_watcher_remove(timer), PLX_ERR_INACTIVE);
    CHECK_OK(plx_watcher_again(stopped, 0));
    CHECK_OK(plx_watcher_again(stopped, PLX_FOREVER));
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_again(stopped, 0));
    EXPECT_REPORT(scene, stopped, PLX_TIMER);
}

/* More than one wait could report: a server closes that many connections when its peer goes. */
void timer_removed_by_the_thousand(struct scene *scene)
{
    enum { COUNT = 3000 };
    plx_watcher *removed[COUNT], *fresh = NULL;

    for (int i = 0; i < COUNT; i++)
        removed[i] = start_timer(scene, HOUR, 0);
    for (int i = 0; i < COUNT; i++) {
        if (i % 3 == 0)
            CHECK_OK(plx_watcher_again(removed[i], 0));
        CHECK_OK(plx_watcher_remove(removed[i]));
        fresh = start_timer(scene, HOUR, 0);
    }
    for (int i = 0; i < COUNT; i++) /* no place of theirs was given away */
        CHECK(!plx_watcher_is_active(removed[i]));
    CHECK_EQUAL(plx_context_count(scene->context), COUNT);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_again(fresh, 0));
    EXPECT_REPORT(scene, fresh, PLX_TIMER);
    EXPECT_QUIET(scene);
}

/* Whatever else is done between two waits: some of it looks at all timers. */
void timer_removed_beside_others_that_change(struct scene *scene)
{
    plx_watcher *removed[3], *moved = start_timer(scene, HOUR, 0), *fresh;

    for (size_t i = 0; i < COUNT_OF(removed); i++) {
        removed[i] = start_timer(scene, HOUR, 0);
        CHECK_OK(plx_watcher_again(moved, i % 2 ? 0 : HOUR));
        CHECK_OK(plx_watcher_again(removed[i], 0));
        CHECK_OK(plx_watcher_remove(removed[i]));
        CHECK_OK(plx_watcher_modify(moved, PLX_TIMER));
    }
    fresh = start_timer(scene, HOUR, 0);
    for (size_t i = 0; i < COUNT_OF(removed); i++)
        CHECK(!plx_watcher_is_active(removed[i]) && removed[i] != fresh);
    EXPECT_QUIET(scene);
    CHECK_EQUAL(plx_context_count(scene->context), 2);
    CHECK_OK(plx_watcher_again(moved, 0));
    EXPECT_REPORT(scene, moved, PLX_TIMER);
    EXPECT_QUIET(scene);
}

/* Their timers lie side by side in memory. What is done to one context shows in no other. */
void timer_of_several_contexts(struct scene *scene)
{
    enum { CONTEXTS = 5, COUNT = 40 };
    plx_context *contexts[CONTEXTS];
    plx_watcher *timers[CONTEXTS][COUNT], *ready[COUNT];

    for (int i = 0; i < CONTEXTS; i++)
        contexts[i] = i == 0 ? scene->context : another_context(scene);
    for (int j = 0; j < COUNT; j++)
        for (int i = 0; i < CONTEXTS; i++)
            CHECK_OK(
                plx_context_add(contexts[i], plx_timer(HOUR, 0), PLX_TIMER, NULL, &timers[i][j]));
    for (int j = 0; j < COUNT; j++)
        for (int i = 0; i < CONTEXTS; i++)
            CHECK_OK(plx_watcher_again(timers[i][j], j % 2 ? 0 : HOUR));
    for (int i = CONTEXTS - 1; i >= 0; i--) {
        CHECK_EQUAL(plx_context_wait(contexts[i], ready, COUNT, 0), COUNT / 2);
        for (int j = 0; j < COUNT / 2; j++)
            CHECK(plx_watcher_context(ready[j]) == contexts[i]);
        for (int j = 0; j < COUNT; j += 3)
            CHECK_OK(plx_watcher_remove(timers[i][j]));
        CHECK_EQUAL(plx_context_count(contexts[i]), COUNT - (COUNT + 2) / 3);
        for (int j = 0; j < COUNT; j++)
            CHECK_EQUAL(plx_watcher_is_active(timers[i][j]), j % 3 != 0);
        if (i > 0)
            plx_context_destroy(contexts[i]);
    }
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_again(timers[0][1], 0));
    EXPECT_REPORT(scene, timers[0][1], PLX_TIMER);
}

/* As a server does with each message that comes. */
void timer_again_and_again_keeps_it_from_firing(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *reader = watch(scene, ends.here, PLX_READ);
    plx_duration last = now();
    plx_watcher *idle = start_timer(scene, PLX_MS(50), 0);

    for (int i = 0; i < 200; i++) {
        say(&ends);
        wait_for(scene, PATIENCE);
        if (was_reported(scene, idle)) /* on a machine that took so long for one message */
            CHECK(now() - last >= PLX_MS(50));
        CHECK(was_reported(scene, reader));
        drain(ends.here);
        last = now();
        CHECK_OK(plx_watcher_again(idle, PLX_MS(50)));
        pass(PLX_US(500)); /* two deadlines altogether */
    }
    EXPECT_REPORT(scene, idle, PLX_TIMER);
    CHECK(now() - last >= PLX_MS(50));
}

void timer_again_begins_a_new_grid(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, PLX_US(300), PLX_MS(1));
    plx_duration started;

    EXPECT_REPORT(scene, timer, PLX_TIMER);
    started = now();
    CHECK_OK(plx_watcher_again(timer, PLX_US(500)));
    expect_grid(scene, timer, started + PLX_US(500), PLX_MS(1));
}

void timer_again_on_the_batch_in_hand(struct scene *scene)
{
    plx_watcher *first = start_timer(scene, 0, 1), *second = start_timer(scene, 0, 0);
    plx_duration started;

    CHECK_EQUAL(look(scene), 2);
    started = now();
    CHECK_OK(plx_watcher_again(first, HOUR)); /* though it is due again */
    CHECK_OK(plx_watcher_again(second, PLX_MS(2)));
    CHECK_EVENTS(plx_watcher_triggered(first), 0);
    CHECK_EVENTS(plx_watcher_triggered(second), 0);
    EXPECT_REPORT(scene, second, PLX_TIMER);
    CHECK(now() - started >= PLX_MS(2));
    EXPECT_QUIET(scene);
}

void timer_modify_on_the_batch_in_hand(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, 0, HOUR);

    EXPECT_REPORT(scene, timer, PLX_TIMER);
    CHECK_OK(plx_watcher_modify(timer, PLX_TIMER | PLX_ONESHOT));
    CHECK_EVENTS(plx_watcher_triggered(timer), 0);
    EXPECT_REPORT(scene, timer, PLX_TIMER);
}

static void put_off_other(plx_watcher *watcher, uint32_t triggered, void *data)
{
    plx_watcher **pair = data;
    (void)triggered;
    CHECK_OK(plx_watcher_again(pair[watcher == pair[0]], HOUR));
}

/* Both are due; whoever is called first puts the other one off. */
void timer_put_off_is_not_called(struct scene *scene)
{
    plx_watcher *pair[2];

    for (int i = 0; i < 2; i++)
        CHECK_OK(plx_context_on(scene->context, plx_timer(0, 0), PLX_TIMER, put_off_other, pair,
                                &pair[i]));
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 1);
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 0);
}

void timer_again_is_for_timers_that_are_there(struct scene *scene)
{
    plx_watcher *reader = watch(scene, stream_pair(scene).here, PLX_READ), *bell = NULL;
    plx_watcher *timer = start_timer(scene, PLX_FOREVER, 0);

    CHECK_OK(plx_context_add(scene->context, plx_notify(), PLX_NOTIFY, NULL, &bell));
    CHECK_CODE(plx_watcher_again(reader, 0), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_again(bell, 0), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_again(NULL, 0), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_notify(timer), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_clear(timer), PLX_ERR_INVALID);
    CHECK_OK(plx_watcher_remove(timer));
    CHECK_CODE(plx_watcher_again(timer, 0), PLX_ERR_INACTIVE);
    CHECK_CODE(plx_watcher_modify(timer, PLX_TIMER), PLX_ERR_INACTIVE);
    CHECK_CODE(plx_watcher_remove(timer), PLX_ERR_INACTIVE);
    EXPECT_QUIET(scene);
}

/* --- Removal, and who is who --- */

void timer_removed_in_the_batch_is_masked(struct scene *scene)
{
    plx_watcher *first, *second;

    start_timer(scene, 0, PLX_US(1));
    start_timer(scene, 0, PLX_US(1));
    CHECK_EQUAL(look(scene), 2);
    first = scene->ready[0];
    second = scene->ready[1];
    CHECK(first != second);
    CHECK_OK(plx_watcher_remove(second));
    CHECK_EVENTS(plx_watcher_triggered(first), PLX_TIMER);
    CHECK_EVENTS(plx_watcher_triggered(second), 0);
    CHECK(!plx_watcher_is_active(second));
    EXPECT_REPORT(scene, first, PLX_TIMER);
    CHECK_OK(plx_watcher_remove(first));
    EXPECT_QUIET(scene);
}

void timer_removed_before_its_time_is_silent(struct scene *scene)
{
    for (int i = 0; i < 3; i++) {
        plx_watcher *timer = start_timer(scene, PLX_US(100), PLX_US(100));

        if (i == 1)
            CHECK_OK(plx_watcher_again(timer, PLX_US(50)));
        if (i == 2)
            pass(PLX_MS(1));
        CHECK_OK(plx_watcher_remove(timer));
        CHECK_EQUAL(plx_context_count(scene->context), 0);
        EXPECT_QUIET(scene);
    }
}

void timer_added_again_and_again_while_due(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, 0, 0);

    for (int i = 0; i < 100; i++) {
        plx_watcher *next = start_timer(scene, 0, 0);

        CHECK_OK(plx_watcher_remove(timer));
        if (i % 3 == 0) {
            EXPECT_REPORT(scene, next, PLX_TIMER);
            EXPECT_QUIET(scene);
        }
        timer = next;
    }
}

void timer_accessors(struct scene *scene)
{
    int here = 0, there = 0;
    plx_watcher *timer = NULL;
    plx_handle handle;

    CHECK_OK(plx_context_add(scene->context, plx_timer(PLX_MS(3), PLX_FOREVER),
                             PLX_TIMER | PLX_ONESHOT, &here, &timer));
    CHECK_OK(plx_watcher_again(timer, HOUR));
    handle = plx_watcher_handle(timer);
    CHECK_EQUAL(handle.kind, PLX_HANDLE_TIMER);
    CHECK_EQUAL(handle.reserved, 0);
    CHECK_EQUAL(handle.as.timer.after, PLX_MS(3)); /* again has no say in it */
    CHECK_EQUAL(handle.as.timer.every, PLX_FOREVER);
    CHECK(plx_watcher_data(timer) == &here);
    plx_watcher_set_data(timer, &there);
    CHECK(plx_watcher_data(timer) == &there);
    CHECK(plx_watcher_context(timer) == scene->context);
    CHECK_EVENTS(plx_watcher_events(timer), PLX_TIMER | PLX_ONESHOT);
    CHECK_EVENTS(plx_watcher_triggered(timer), 0);
    CHECK(plx_watcher_is_active(timer));
    CHECK_CODE(plx_watcher_exit_status(timer, &here), PLX_ERR_INVALID);
}

void timer_every_one_is_a_watcher_of_its_own(struct scene *scene)
{
    plx_watcher *timers[10];

    for (size_t i = 0; i < COUNT_OF(timers); i++) {
        timers[i] = start_timer(scene, i % 2 ? HOUR : PLX_FOREVER, 0);
        CHECK_EQUAL(plx_context_count(scene->context), i + 1);
    }
    CHECK_OK(plx_context_add(scene->context, plx_timer(0, 0), PLX_TIMER, NULL, NULL));
    CHECK_EQUAL(look(scene), 1);
    CHECK_EQUAL(plx_context_count(scene->context), COUNT_OF(timers) + 1); /* fired, and active */
    for (size_t i = COUNT_OF(timers); i-- > 0;) {
        CHECK_OK(plx_watcher_remove(timers[i]));
        CHECK_EQUAL(plx_context_count(scene->context), i + 1);
    }
}

/* Nothing that a timer keeps, its count for one, is the number of a descriptor. */
void timer_is_nobodys_descriptor(struct scene *scene)
{
    plx_watcher *timers[SCENE_CAPACITY], *reader;
    plx_socket fd = stream_pair(scene).here;

    for (size_t i = 0; i < COUNT_OF(timers); i++)
        timers[i] = start_timer(scene, 0, HOUR);
    CHECK_EQUAL(look(scene), SCENE_CAPACITY);
    for (plx_socket number = 0; number < 100; number++)
        CHECK(plx_context_find(scene->context, number) == NULL);
    CHECK_CODE(plx_context_close(scene->context, closed_number(scene)), PLX_ERR_BADHANDLE);
    reader = watch(scene, fd, PLX_READ);
    scene_forget(scene, fd);
    CHECK_OK(plx_context_close(scene->context, fd));
    CHECK(!plx_watcher_is_active(reader));
    for (size_t i = 0; i < COUNT_OF(timers); i++) {
        CHECK(plx_watcher_is_active(timers[i]));
        CHECK_OK(plx_watcher_again(timers[i], 0));
    }
    CHECK_EQUAL(look(scene), SCENE_CAPACITY);
}

void timer_in_a_context_that_is_destroyed(struct scene *scene)
{
    plx_context *context = another_context(scene);
    plx_watcher *ready[8], *timer = NULL;

    for (int i = 0; i < 8; i++)
        CHECK_OK(plx_context_add(context, plx_timer(i % 2 ? 0 : HOUR, i % 4 ? 0 : PLX_NS(1)),
                                 PLX_TIMER, NULL, &timer));
    CHECK_EQUAL(plx_context_wait(context, ready, 2, 0), 2);
    CHECK_OK(plx_watcher_again(timer, HOUR));
    CHECK_OK(plx_watcher_again(ready[0], 0));
    CHECK_OK(plx_watcher_remove(ready[0]));
    CHECK_OK(plx_watcher_remove(ready[1]));
    plx_context_destroy(context);
    EXPECT_QUIET(scene);
}

/* --- The wait around it --- */

void timer_and_the_timeout_of_the_wait(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, PLX_MS(30), 0);
    plx_duration started = now();
    int count = wait_for(scene, PLX_MS(3));

    CHECK(now() - started >= PLX_MS(3));
    if (count == 0) /* not, where the machine was away for as long as the timer takes */
        EXPECT_REPORT(scene, timer, PLX_TIMER);
    CHECK(was_reported(scene, timer));

    CHECK_OK(plx_watcher_again(timer, PLX_MS(1)));
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
    CHECK(scene->ready[0] == timer);
    CHECK_OK(plx_watcher_again(timer, PLX_MS(1)));
    CHECK_EQUAL(wait_for(scene, PLX_SECONDS(158913790)), 1);
}

void timer_far_away_does_not_end_a_wait(struct scene *scene)
{
    plx_duration started = now();

    start_timer(scene, HOUR, PLX_NS(1));
    start_timer(scene, PLX_SECONDS(158913790), 0);
    start_timer(scene, PLX_FOREVER, 0);
    for (int i = 0; i < 5; i++) {
        CHECK_EQUAL(wait_for(scene, PLX_US(300)), 0);
        CHECK(now() - started >= PLX_US(300) * (i + 1));
    }
    EXPECT_NO_SPIN(scene);
}

void timer_is_slept_for(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, PLX_MS(150), 0);
    plx_duration used = processor_time();
    long naps = times_slept();

    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
    CHECK(scene->ready[0] == timer);
    CHECK(processor_time() - used < PLX_MS(75));
    CHECK(times_slept() > naps);
}

static plx_duration best_of_many(struct scene *scene, plx_watcher *timer)
{
    plx_duration best = INT64_MAX;

    for (int i = 0; i < 500 && best >= PLX_MS(1); i++) {
        plx_duration started = now(), lasted;

        if (timer)
            CHECK_OK(plx_watcher_again(timer, PLX_US(100)));
        CHECK_EQUAL(wait_for(scene, timer ? PLX_FOREVER : PLX_US(100)), timer ? 1 : 0);
        lasted = now() - started;
        CHECK(lasted >= PLX_US(100));
        best = lasted < best ? lasted : best;
    }
    return best;
}

/* The best of many says whether whole milliseconds were slept, however busy the machine is. */
void timer_of_microseconds_is_not_rounded(struct scene *scene)
{
    if (best_of_many(scene, NULL) >= PLX_MS(1))
        check_skip("the kernel sleeps in milliseconds");
    CHECK(best_of_many(scene, start_timer(scene, PLX_FOREVER, 0)) < PLX_MS(1));
}

void timer_does_not_hide_data(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *reader = watch(scene, ends.here, PLX_READ);
    plx_watcher *timer = start_timer(scene, HOUR, 0);

    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_REPORT(scene, reader, PLX_READ);
    CHECK_OK(plx_watcher_again(timer, 0));
    CHECK_EQUAL(look(scene), 2);
    CHECK(scene->ready[0] == timer); /* first, because it is due */
    CHECK(scene->ready[1] == reader);
}

void timer_and_a_wake(struct scene *scene)
{
    plx_watcher *timer = start_timer(scene, HOUR, 0);

    CHECK_OK(plx_context_wake(scene->context));
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 0);
    CHECK_OK(plx_watcher_again(timer, 0));
    CHECK_OK(plx_context_wake(scene->context));
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
    CHECK(scene->ready[0] == timer);
    EXPECT_QUIET(scene);
}

#if SUPPORT_HAS_SIGNALS

#include <signal.h>

static volatile sig_atomic_t interruptions;

static void count_interruption(int signal)
{
    (void)signal;
    interruptions++;
}

void timer_goes_on_after_signals(struct scene *scene)
{
    plx_duration started;
    plx_watcher *timer;

    interruptions = 0;
    alarm_start(PLX_MS(1), PLX_MS(1), count_interruption, false);
    started = now();
    timer = start_timer(scene, PLX_MS(50), 0);
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
    CHECK(now() - started >= PLX_MS(50));
    CHECK(scene->ready[0] == timer);
    CHECK_OK(plx_watcher_again(timer, HOUR));
    started = now();
    CHECK_EQUAL(wait_for(scene, PLX_MS(20)), 0);
    CHECK(now() - started >= PLX_MS(20));
    alarm_stop();
    CHECK(interruptions > 0);
}

#endif

/* --- In another loop --- */

void timer_shows_in_an_outer_loop(struct scene *scene)
{
    plx_socket fd = nested(scene);
    plx_duration started = now();
    plx_watcher *timer = start_timer(scene, PLX_MS(5), PLX_MS(40));
    bool shown = readable_now(fd);

    CHECK(!shown || now() - started >= PLX_MS(5));
    for (int i = 0; i < 3; i++) {
        until_readable(fd);
        CHECK(now() - started >= PLX_MS(5) + PLX_MS(40) * i);
        CHECK(readable_now(fd)); /* for as long as nobody waits */
        CHECK_EQUAL(look(scene), 1);
        CHECK(scene->ready[0] == timer);
    }
    CHECK_OK(plx_watcher_again(timer, PLX_FOREVER));
    CHECK_EQUAL(look(scene), 0);
    CHECK(!readable_now(fd));
}

void timer_of_before_shows_in_an_outer_loop(struct scene *scene)
{
    plx_watcher *due = start_timer(scene, 0, 0), *moved = start_timer(scene, HOUR, 0);
    plx_socket fd;

    CHECK_OK(plx_watcher_again(moved, 0));
    fd = nested(scene);
    CHECK(readable_now(fd));
    CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, 0), 1);
    CHECK(readable_now(fd)); /* there is one left */
    CHECK(scene->ready[0] == due || scene->ready[0] == moved);
    CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, 0), 1);
    CHECK(!readable_now(fd));
    CHECK_EQUAL(look(scene), 0);
}

void timer_removed_before_shows_in_no_outer_loop(struct scene *scene)
{
    plx_watcher *removed = start_timer(scene, HOUR, 0), *moved = start_timer(scene, HOUR, 0);
    plx_socket fd;

    CHECK_OK(plx_watcher_again(removed, 0));
    CHECK_OK(plx_watcher_again(moved, PLX_FOREVER));
    CHECK_OK(plx_watcher_remove(removed));
    fd = nested(scene);
    CHECK(!readable_now(fd));
    start_timer(scene, HOUR, 0); /* its place is not that of the removed one yet */
    CHECK(!plx_watcher_is_active(removed));
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_again(moved, 0));
    CHECK(readable_now(fd));
    EXPECT_REPORT(scene, moved, PLX_TIMER);
    CHECK(!readable_now(fd));
}

void timer_moved_shows_in_an_outer_loop(struct scene *scene)
{
    plx_socket fd = nested(scene);
    plx_watcher *timer = start_timer(scene, HOUR, 0), *other = start_timer(scene, HOUR, 0);
    plx_duration started;

    CHECK(!readable_now(fd));
    started = now();
    CHECK_OK(plx_watcher_again(timer, PLX_MS(2)));
    until_readable(fd);
    CHECK(now() - started >= PLX_MS(2));
    EXPECT_REPORT(scene, timer, PLX_TIMER);
    CHECK(!readable_now(fd));
    CHECK_OK(plx_watcher_again(other, 0));
    CHECK(readable_now(fd));
    EXPECT_REPORT(scene, other, PLX_TIMER);
    CHECK_OK(plx_watcher_modify(other, PLX_TIMER));
    CHECK(!readable_now(fd));
}

/* Taking an alarm back may wait for the next wait: it shows once for nothing, and never again. */
void timer_gone_is_forgotten_by_an_outer_loop(struct scene *scene)
{
    plx_socket fd = nested(scene);

    for (int i = 0; i < 3; i++) {
        plx_watcher *timer = start_timer(scene, PLX_MS(1), PLX_MS(1));

        if (i == 1)
            pass(PLX_MS(1));
        CHECK_OK(i == 2 ? plx_watcher_again(timer, PLX_FOREVER) : plx_watcher_remove(timer));
        CHECK_EQUAL(look(scene), 0);
        pass(PLX_MS(3));
        CHECK(!readable_now(fd));
    }
}

void timer_drives_a_context_from_a_context(struct scene *scene)
{
    plx_socket fd = nested(scene);
    plx_context *outer = another_context(scene);
    plx_watcher *timer = start_timer(scene, PLX_MS(1), PLX_MS(1)), *ready[1];

    CHECK_OK(plx_context_add(outer, plx_fd(fd), PLX_READ, NULL, NULL));
    for (int i = 0; i < 5; i++) {
        CHECK_EQUAL(plx_context_wait(outer, ready, 1, PLX_FOREVER), 1);
        CHECK_EQUAL(look(scene), 1);
        CHECK(scene->ready[0] == timer);
    }
    CHECK_OK(plx_watcher_remove(timer));
    CHECK_EQUAL(look(scene), 0);
    CHECK_EQUAL(plx_context_wait(outer, ready, 1, SHORT_WHILE), 0);
    plx_context_destroy(outer);
}

/* --- In a child --- */

#if SUPPORT_HAS_FORK

struct clocks {
    struct scene *scene;
    plx_duration started;
    plx_watcher *once;
    plx_watcher *often;
    plx_watcher *moved;
    plx_watcher *stopped;
};

static struct clocks clocks_of(struct scene *scene)
{
    struct clocks clocks = {.scene = scene, .started = now()};

    clocks.once = start_timer(scene, PLX_MS(20), 0);
    clocks.often = start_timer(scene, HOUR, PLX_MS(1));
    clocks.moved = start_timer(scene, HOUR, 0);
    clocks.stopped = start_timer(scene, PLX_FOREVER, 0);
    CHECK_OK(plx_watcher_again(clocks.moved, PLX_MS(10)));
    return clocks;
}

/* Which of the two is first depends on how long the fork took. */
static void expect_both(struct clocks *clocks)
{
    struct scene *scene = clocks->scene;
    int once = 0, moved = 0;

    while (once + moved < 2) {
        CHECK(wait_for(scene, PATIENCE) >= 1);
        once += was_reported(scene, clocks->once);
        moved += was_reported(scene, clocks->moved);
        CHECK(!once || now() - clocks->started >= PLX_MS(20));
        CHECK(now() - clocks->started >= PLX_MS(10));
    }
    CHECK_EQUAL(once, 1);
    EXPECT_QUIET(scene);
}

static void expect_running(struct clocks *clocks)
{
    struct scene *scene = clocks->scene;

    CHECK_EQUAL(plx_context_count(scene->context), 4);
    expect_both(clocks);
    CHECK_OK(plx_watcher_again(clocks->often, 0));
    for (int i = 0; i < 3; i++)
        EXPECT_REPORT(scene, clocks->often, PLX_TIMER);
    CHECK_OK(plx_watcher_remove(clocks->often));
    CHECK_OK(plx_watcher_again(clocks->stopped, 0));
    EXPECT_REPORT(scene, clocks->stopped, PLX_TIMER);
    EXPECT_QUIET(scene);
}

static void child_has_timers(void *argument)
{
    struct clocks *clocks = argument;
    plx_context *context = clocks->scene->context;

    CHECK_CODE(plx_watcher_again(clocks->once, 0), PLX_ERR_FORKED);
    CHECK_CODE(plx_watcher_remove(clocks->once), PLX_ERR_FORKED);
    CHECK_CODE(plx_context_add(context, plx_timer(0, 0), PLX_TIMER, NULL, NULL), PLX_ERR_FORKED);
    CHECK_OK(plx_context_after_fork(context));
    expect_running(clocks);
}

void timer_runs_on_in_a_child_and_in_its_parent(struct scene *scene)
{
    struct clocks clocks = clocks_of(scene);

    in_child(child_has_timers, &clocks);
    expect_running(&clocks);
}

static void child_nests_timers(void *argument)
{
    struct scene *scene = argument;
    plx_watcher *timer;
    plx_socket fd;

    CHECK_OK(plx_context_after_fork(scene->context));
    fd = nested(scene);
    until_readable(fd);
    CHECK_EQUAL(look(scene), 1);
    CHECK(!readable_now(fd));
    timer = start_timer(scene, HOUR, 0);
    CHECK(!readable_now(fd));
    CHECK_OK(plx_watcher_again(timer, 0));
    CHECK(readable_now(fd));
    CHECK_EQUAL(look(scene), 1);
}

void timer_shows_in_an_outer_loop_of_a_child(struct scene *scene)
{
    plx_socket fd = nested(scene);
    plx_watcher *timer = start_timer(scene, PLX_MS(2), 0);

    in_child(child_nests_timers, scene);
    until_readable(fd);
    EXPECT_REPORT(scene, timer, PLX_TIMER);
    CHECK(!readable_now(fd));
}

#endif
