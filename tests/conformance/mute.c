/* SPDX-License-Identifier: MIT */
/* mute.c: interest in nothing but ERROR and HUP: told once, then silent until modify (S10). */
#include "cases.h"

void mute_data_is_not_news(struct scene *scene)
{
    struct ends ends = stream_pair(scene);

    watch(scene, ends.here, PLX_ERROR);
    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_QUIET(scene);
    there_half_closes(&ends);
    EXPECT_NO_SPIN(scene);
}

static void expect_told_once(struct scene *scene, uint32_t asked)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, asked);

    EXPECT_QUIET(scene);
    there_hangs_up(scene, &ends);
    EXPECT_HANGUP(scene, watcher, 0);
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_modify(watcher, asked));
    EXPECT_HANGUP(scene, watcher, 0);
    EXPECT_QUIET(scene);
    CHECK(plx_watcher_is_active(watcher));
    CHECK_OK(plx_watcher_remove(watcher));
}

void mute_error_alone_is_told_once(struct scene *scene)
{
    expect_told_once(scene, PLX_ERROR);
}

void mute_hup_alone_is_told_once(struct scene *scene)
{
    expect_told_once(scene, PLX_HUP);
    expect_told_once(scene, PLX_ERROR | PLX_HUP);
}

void mute_reset_is_told_once(struct scene *scene)
{
    struct ends ends = tcp_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_ERROR);

    there_resets(scene, &ends);
    EXPECT_REPORT(scene, watcher, PLX_ERROR | PLX_HUP);
    EXPECT_NO_SPIN(scene);
}

void mute_what_was_there_before_add(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher;

    there_hangs_up(scene, &ends);
    watcher = watch(scene, ends.here, PLX_ERROR);
    EXPECT_HANGUP(scene, watcher, 0);
    EXPECT_QUIET(scene);
}

void mute_ends_when_more_is_asked(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_ERROR);

    say(&ends);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_OK(plx_watcher_modify(watcher, PLX_ERROR));
    EXPECT_QUIET(scene);
    there_hangs_up(scene, &ends);
    EXPECT_HANGUP(scene, watcher, 0);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_HANGUP(scene, watcher, PLX_READ);
    EXPECT_HANGUP(scene, watcher, PLX_READ);
}

void mute_leaves_capacity_to_others(struct scene *scene)
{
    struct ends quiet = stream_pair(scene), loud = stream_pair(scene);
    plx_watcher *muted = watch(scene, quiet.here, PLX_ERROR);
    plx_watcher *reader = watch(scene, loud.here, PLX_READ);

    there_hangs_up(scene, &quiet);
    EXPECT_HANGUP(scene, muted, 0);
    say(&loud);
    for (int i = 0; i < 3; i++)
        EXPECT_REPORT(scene, reader, PLX_READ);
}
