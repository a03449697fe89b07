/* SPDX-License-Identifier: MIT */
/* files.c: files, directories and the null device are always ready, as POSIX has it (S16). */
#include "cases.h"

typedef plx_socket opener(struct scene *scene);

static opener *const openers[] = {regular_file, directory, null_device};

#define FOR_EACH_OPENER(index) for (size_t index = 0; index < COUNT_OF(openers); index++)

void files_are_always_ready(struct scene *scene)
{
    FOR_EACH_OPENER(i)
    {
        plx_watcher *watcher = watch(scene, openers[i](scene), PLX_READ | PLX_WRITE);

        for (int repeat = 0; repeat < 3; repeat++)
            EXPECT_REPORT(scene, watcher, PLX_READ | PLX_WRITE);
        CHECK_OK(plx_watcher_remove(watcher));
        EXPECT_QUIET(scene);
    }
}

void files_report_what_was_asked(struct scene *scene)
{
    FOR_EACH_OPENER(i)
    {
        plx_watcher *watcher = watch(scene, openers[i](scene), PLX_READ | PLX_RDHUP);

        EXPECT_REPORT(scene, watcher, PLX_READ);
        CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE));
        EXPECT_REPORT(scene, watcher, PLX_WRITE);
        CHECK_OK(plx_watcher_remove(watcher));
    }
}

void files_end_an_endless_wait(struct scene *scene)
{
    plx_watcher *watcher = watch(scene, regular_file(scene), PLX_READ);

    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
    CHECK(scene->ready[0] == watcher);
}

static void expect_once_per_arm(struct scene *scene, uint32_t mode)
{
    FOR_EACH_OPENER(i)
    {
        plx_watcher *watcher = watch(scene, openers[i](scene), PLX_READ | mode);

        for (int arm = 0; arm < 3; arm++) {
            EXPECT_REPORT(scene, watcher, PLX_READ);
            EXPECT_QUIET(scene);
            CHECK_OK(plx_watcher_modify(watcher, PLX_READ | mode));
        }
        CHECK_OK(plx_watcher_remove(watcher));
    }
}

void files_oneshot_fires_once_per_arm(struct scene *scene)
{
    expect_once_per_arm(scene, PLX_ONESHOT);
}

void files_edge_fires_once_per_arm(struct scene *scene)
{
    skip_without_edge(scene);
    expect_once_per_arm(scene, PLX_EDGE);
    expect_once_per_arm(scene, PLX_EDGE | PLX_ONESHOT);
}

void files_edge_is_refused_like_elsewhere(struct scene *scene)
{
    plx_socket file = regular_file(scene);

    if (!tolerance_refuses_edge(scene->backend))
        check_skip("the backend has EDGE");
    CHECK_CODE(plx_context_add(scene->context, plx_fd(file), PLX_READ | PLX_EDGE, NULL, NULL),
               PLX_ERR_NOSUPPORT);
    CHECK_EQUAL(plx_context_count(scene->context), 0);
}

void files_oneshot_becomes_level(struct scene *scene)
{
    plx_watcher *watcher = watch(scene, regular_file(scene), PLX_READ | PLX_ONESHOT);

    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_REPORT(scene, watcher, PLX_READ);
}

void files_have_no_errors(struct scene *scene)
{
    plx_watcher *watcher = watch(scene, regular_file(scene), PLX_ERROR | PLX_HUP);

    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_RDHUP));
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_OK(plx_watcher_modify(watcher, PLX_ERROR));
    EXPECT_NO_SPIN(scene);
}

void files_share_a_wait_with_sockets(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *file = watch(scene, regular_file(scene), PLX_READ);
    plx_watcher *socket = watch(scene, ends.here, PLX_READ);

    EXPECT_REPORT(scene, file, PLX_READ);
    say(&ends);
    CHECK_EQUAL(wait_for(scene, PATIENCE), 2);
    CHECK(was_reported(scene, file) && was_reported(scene, socket));
    CHECK_OK(plx_watcher_remove(file));
    EXPECT_REPORT(scene, socket, PLX_READ);
}

void files_are_registered_like_others(struct scene *scene)
{
    plx_socket fd = regular_file(scene);
    plx_watcher *watcher = watch(scene, fd, PLX_READ);

    CHECK_CODE(plx_context_add(scene->context, plx_fd(fd), PLX_READ, NULL, NULL), PLX_ERR_EXISTS);
    CHECK(plx_context_find(scene->context, fd) == watcher);
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    CHECK_OK(plx_watcher_remove(watcher));
    CHECK_OK(plx_context_add(scene->context, plx_fd(fd), PLX_WRITE, NULL, &watcher));
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    scene_forget(scene, fd);
    CHECK_OK(plx_context_close(scene->context, fd));
    EXPECT_QUIET(scene);
}

void files_removed_in_the_batch(struct scene *scene)
{
    plx_watcher *watchers[2];

    for (int i = 0; i < 2; i++)
        watchers[i] = watch(scene, regular_file(scene), PLX_READ);
    CHECK_EQUAL(wait_for(scene, PATIENCE), 2);
    CHECK_OK(plx_watcher_remove(watchers[1]));
    CHECK_EVENTS(plx_watcher_triggered(watchers[1]), 0);
    EXPECT_REPORT(scene, watchers[0], PLX_READ);
}

void files_many_with_small_capacity(struct scene *scene)
{
    enum { FILES = 10 };
    plx_watcher *watchers[FILES];

    for (int i = 0; i < FILES; i++)
        watchers[i] = watch(scene, regular_file(scene), PLX_READ);
    for (int round = 0; round < 8; round++) {
        CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 3, PATIENCE), 3);
        for (int i = 0; i < 3; i++)
            plx_watcher_set_data(scene->ready[i], scene);
    }
    for (int i = 0; i < FILES; i++)
        CHECK(plx_watcher_data(watchers[i]) == scene);
}
