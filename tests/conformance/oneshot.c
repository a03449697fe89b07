/* SPDX-License-Identifier: MIT */
/* oneshot.c: one combined report per arm, then silence until modify (S7). */
#include "cases.h"

#define MANY 10

void oneshot_reports_once(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ | PLX_ONESHOT);

    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_QUIET(scene);
}

void oneshot_report_is_combined(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher;

    say(&ends);
    watcher = watch(scene, ends.here, PLX_READ | PLX_WRITE | PLX_ONESHOT);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_WRITE);
    EXPECT_QUIET(scene);
}

void oneshot_one_direction_disarms_both(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ | PLX_WRITE | PLX_ONESHOT);

    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    say(&ends);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_WRITE | PLX_ONESHOT));
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_WRITE);
    EXPECT_QUIET(scene);
}

void oneshot_modify_arms_again(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ | PLX_ONESHOT);

    say(&ends);
    for (int i = 0; i < 4; i++) {
        EXPECT_REPORT(scene, watcher, PLX_READ);
        EXPECT_QUIET(scene);
        CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_ONESHOT));
    }
    drain(ends.here);
    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
}

void oneshot_two_modifies_are_one_arm(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ | PLX_ONESHOT);

    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_ONESHOT));
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_ONESHOT));
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_QUIET(scene);
}

void oneshot_fired_is_deaf_to_hangup(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ | PLX_ONESHOT);

    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    there_hangs_up(scene, &ends);
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_ONESHOT));
    EXPECT_HANGUP(scene, watcher, PLX_READ);
    EXPECT_NO_SPIN(scene);
}

void oneshot_fired_is_deaf_to_reset(struct scene *scene)
{
    struct ends ends = tcp_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_WRITE | PLX_ONESHOT);

    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    there_resets(scene, &ends);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE | PLX_ONESHOT));
    EXPECT_REPORT(scene, watcher, PLX_WRITE | PLX_ERROR | PLX_HUP);
    EXPECT_QUIET(scene);
}

void oneshot_fired_stays_registered(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_WRITE | PLX_ONESHOT);
    plx_watcher *second = NULL;

    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    CHECK(plx_watcher_is_active(watcher));
    CHECK_EVENTS(plx_watcher_events(watcher), PLX_WRITE | PLX_ONESHOT);
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    CHECK(plx_context_find(scene->context, ends.here) == watcher);
    CHECK_CODE(plx_context_add(scene->context, plx_fd(ends.here), PLX_WRITE, NULL, &second),
               PLX_ERR_EXISTS);
    CHECK(second == NULL);
    EXPECT_QUIET(scene);
}

void oneshot_fired_can_be_removed(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_WRITE | PLX_ONESHOT);

    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_QUIET(scene);
    EXPECT_REPORT(scene, watch(scene, ends.here, PLX_WRITE), PLX_WRITE);
}

void oneshot_becomes_level_and_back(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_WRITE | PLX_ONESHOT);

    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE));
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE | PLX_ONESHOT));
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    EXPECT_QUIET(scene);
}

void oneshot_for_error_alone(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_ERROR | PLX_ONESHOT);

    say(&ends);
    EXPECT_QUIET(scene);
    there_hangs_up(scene, &ends);
    EXPECT_HANGUP(scene, watcher, 0);
    EXPECT_NO_SPIN(scene);
}

static void expect_each_once(struct scene *scene, int capacity)
{
    plx_watcher *watchers[MANY];
    int seen = 0;

    for (int i = 0; i < MANY; i++)
        watchers[i] = watch(scene, stream_pair(scene).here, PLX_WRITE | PLX_ONESHOT);
    while (seen < MANY) {
        int count = plx_context_wait(scene->context, scene->ready, capacity, PATIENCE);

        CHECK_EQUAL(count, seen + capacity < MANY ? capacity : MANY - seen);
        for (int i = 0; i < count; i++) {
            CHECK_EVENTS(plx_watcher_triggered(scene->ready[i]), PLX_WRITE);
            CHECK(plx_watcher_data(scene->ready[i]) == NULL);
            plx_watcher_set_data(scene->ready[i], scene);
        }
        seen += count;
    }
    EXPECT_QUIET(scene);
    for (int i = 0; i < MANY; i++)
        CHECK(plx_watcher_data(watchers[i]) == scene);
}

void oneshot_capacity_one_loses_nothing(struct scene *scene)
{
    expect_each_once(scene, 1);
}

void oneshot_capacity_three_loses_nothing(struct scene *scene)
{
    expect_each_once(scene, 3);
}

void oneshot_left_over_then_removed(struct scene *scene)
{
    plx_watcher *watchers[2];

    for (int i = 0; i < 2; i++)
        watchers[i] = watch(scene, stream_pair(scene).here, PLX_WRITE | PLX_ONESHOT);
    CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, PATIENCE), 1);
    CHECK_OK(plx_watcher_remove(scene->ready[0] == watchers[0] ? watchers[1] : watchers[0]));
    EXPECT_QUIET(scene);
}

void oneshot_left_over_then_modified(struct scene *scene)
{
    plx_watcher *watchers[2], *left;
    struct ends pairs[2] = {stream_pair(scene), stream_pair(scene)};

    for (int i = 0; i < 2; i++)
        watchers[i] = watch(scene, pairs[i].here, PLX_WRITE | PLX_ONESHOT);
    CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, PATIENCE), 1);
    left = scene->ready[0] == watchers[0] ? watchers[1] : watchers[0];
    CHECK_OK(plx_watcher_modify(left, PLX_READ | PLX_ONESHOT));
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(left, PLX_WRITE | PLX_ONESHOT));
    EXPECT_REPORT(scene, left, PLX_WRITE);
    EXPECT_QUIET(scene);
}
