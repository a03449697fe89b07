/* SPDX-License-Identifier: MIT */
/* edge.c: changes instead of state. Native, or refused, and never quietly level (S8). */
#include "cases.h"

void edge_is_native_or_refused(struct scene *scene)
{
    bool refused = tolerance_refuses_edge(scene->backend);
    int code = refused ? PLX_ERR_NOSUPPORT : PLX_OK;
    struct ends ends = stream_pair(scene), others = stream_pair(scene);
    plx_watcher *level = watch(scene, others.here, PLX_WRITE);
    plx_watcher *edge = NULL;

    CHECK(plx_backend_supports(scene->backend, PLX_EDGE) == !refused);
    CHECK_CODE(plx_context_add(scene->context, plx_fd(ends.here), PLX_READ | PLX_EDGE, NULL, &edge),
               code);
    CHECK((edge == NULL) == refused);
    CHECK((plx_context_find(scene->context, ends.here) == NULL) == refused);
    CHECK_CODE(plx_watcher_modify(level, PLX_WRITE | PLX_EDGE), code);
    CHECK_EVENTS(plx_watcher_events(level), refused ? PLX_WRITE : PLX_WRITE | PLX_EDGE);
    EXPECT_REPORT(scene, level, PLX_WRITE);
}

void edge_unchanged_is_not_repeated(struct scene *scene)
{
    struct ends ends;
    plx_watcher *watcher;

    skip_without_edge(scene);
    ends = stream_pair(scene);
    say(&ends);
    watcher = watch(scene, ends.here, PLX_READ | PLX_EDGE);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_NO_SPIN(scene);
}

void edge_every_change_is_reported(struct scene *scene)
{
    struct ends ends;
    plx_watcher *watcher;

    skip_without_edge(scene);
    ends = stream_pair(scene);
    watcher = watch(scene, ends.here, PLX_READ | PLX_EDGE);
    for (int i = 0; i < 5; i++) {
        EXPECT_QUIET(scene);
        say(&ends);
        EXPECT_REPORT(scene, watcher, PLX_READ);
        CHECK_EQUAL(drain(ends.here), 1);
    }
}

void edge_partial_read_is_no_change(struct scene *scene)
{
    struct ends ends;
    plx_watcher *watcher;
    char byte[1];

    skip_without_edge(scene);
    ends = stream_pair(scene);
    say(&ends);
    say(&ends);
    watcher = watch(scene, ends.here, PLX_READ | PLX_EDGE);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    take(ends.here, byte, sizeof byte);
    EXPECT_QUIET(scene);
}

void edge_space_is_a_change(struct scene *scene)
{
    struct ends ends;
    plx_watcher *watcher;

    skip_without_edge(scene);
    ends = stream_pair(scene);
    fill(ends.here);
    watcher = watch(scene, ends.here, PLX_WRITE | PLX_EDGE);
    EXPECT_QUIET(scene);
    drain(ends.there);
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    EXPECT_QUIET(scene);
}

void edge_hangup_is_a_change(struct scene *scene)
{
    struct ends ends;
    plx_watcher *watcher;

    skip_without_edge(scene);
    ends = stream_pair(scene);
    watcher = watch(scene, ends.here, PLX_READ | PLX_EDGE);
    EXPECT_QUIET(scene);
    there_closes(scene, &ends);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_HUP);
    EXPECT_NO_SPIN(scene);
}

void edge_modify_reports_again(struct scene *scene)
{
    struct ends ends;
    plx_watcher *watcher;

    skip_without_edge(scene);
    ends = stream_pair(scene);
    say(&ends);
    watcher = watch(scene, ends.here, PLX_READ | PLX_EDGE);
    for (int i = 0; i < 3; i++) {
        EXPECT_REPORT(scene, watcher, PLX_READ);
        EXPECT_QUIET(scene);
        CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_EDGE));
    }
    drain(ends.here);
    EXPECT_QUIET(scene);
}

void edge_becomes_level_and_back(struct scene *scene)
{
    struct ends ends;
    plx_watcher *watcher;

    skip_without_edge(scene);
    ends = stream_pair(scene);
    say(&ends);
    watcher = watch(scene, ends.here, PLX_READ | PLX_EDGE);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_EDGE));
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_QUIET(scene);
}

void edge_with_oneshot(struct scene *scene)
{
    struct ends ends;
    plx_watcher *watcher;

    skip_without_edge(scene);
    ends = stream_pair(scene);
    watcher = watch(scene, ends.here, PLX_READ | PLX_EDGE | PLX_ONESHOT);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    drain(ends.here);
    say(&ends);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_EDGE | PLX_ONESHOT));
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_QUIET(scene);
}

void edge_small_capacity_loses_nothing(struct scene *scene)
{
    skip_without_edge(scene);
    for (int i = 0; i < 10; i++)
        watch(scene, stream_pair(scene).here, PLX_WRITE | PLX_EDGE);
    for (int i = 0; i < 5; i++) {
        CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 2, PATIENCE), 2);
        for (int j = 0; j < 2; j++) {
            CHECK(plx_watcher_data(scene->ready[j]) == NULL);
            plx_watcher_set_data(scene->ready[j], scene);
        }
    }
    EXPECT_QUIET(scene);
}
