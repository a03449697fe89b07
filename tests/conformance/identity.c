/* SPDX-License-Identifier: MIT */
/*
 * identity.c: who is who. The table in user space decides (S6): one watcher a descriptor, no
 * report for a watcher that is gone, also when its number comes back.
 */
#include "cases.h"

void identity_find_and_count(struct scene *scene)
{
    plx_socket first = stream_pair(scene).here, second = stream_pair(scene).here;
    plx_context *context = scene->context;
    plx_watcher *watcher;

    CHECK_EQUAL(plx_context_count(context), 0);
    CHECK(plx_context_find(context, first) == NULL);
    watcher = watch(scene, first, PLX_READ);
    CHECK(plx_context_find(context, first) == watcher);
    CHECK(plx_context_find(context, second) == NULL);
    CHECK(watch(scene, second, PLX_READ) == plx_context_find(context, second));
    CHECK_EQUAL(plx_context_count(context), 2);
    CHECK_OK(plx_watcher_remove(watcher));
    CHECK(plx_context_find(context, first) == NULL);
    CHECK_EQUAL(plx_context_count(context), 1);
    look(scene);
    CHECK(plx_context_find(context, first) == NULL);
    CHECK_EQUAL(plx_context_count(context), 1);
}

void identity_find_of_no_descriptor(struct scene *scene)
{
    watch(scene, stream_pair(scene).here, PLX_READ);
    CHECK(plx_context_find(scene->context, PLX_BAD_SOCKET) == NULL);
    CHECK(plx_context_find(scene->context, (plx_socket)-2) == NULL);
    CHECK(plx_context_find(scene->context, 100000) == NULL);
    CHECK(plx_context_find(scene->context, 2147483647) == NULL);
}

void identity_accessors(struct scene *scene)
{
    plx_socket fd = stream_pair(scene).here;
    int first, second;
    plx_watcher *watcher = NULL;

    CHECK_OK(plx_context_add(scene->context, plx_fd(fd), PLX_READ | PLX_ONESHOT, &first, &watcher));
    CHECK(plx_watcher_data(watcher) == &first);
    plx_watcher_set_data(watcher, &second);
    CHECK(plx_watcher_data(watcher) == &second);
    CHECK(plx_watcher_context(watcher) == scene->context);
    CHECK(plx_watcher_is_active(watcher));
    CHECK_EVENTS(plx_watcher_events(watcher), PLX_READ | PLX_ONESHOT);
    CHECK_EVENTS(plx_watcher_triggered(watcher), 0);
    CHECK_EQUAL(plx_watcher_handle(watcher).kind, PLX_HANDLE_FD);
    CHECK_EQUAL(plx_watcher_handle(watcher).reserved, 0);
    CHECK(plx_watcher_handle(watcher).as.fd == fd);
}

void identity_removed_can_be_asked(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    int data, other;
    plx_watcher *watcher = NULL;

    CHECK_OK(plx_context_add(scene->context, plx_fd(ends.here), PLX_WRITE, &data, &watcher));
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    CHECK_OK(plx_watcher_remove(watcher));
    CHECK(!plx_watcher_is_active(watcher));
    CHECK_EVENTS(plx_watcher_triggered(watcher), 0);
    CHECK(plx_watcher_data(watcher) == &data);
    plx_watcher_set_data(watcher, &other);
    CHECK(plx_watcher_data(watcher) == &other);
    CHECK(plx_watcher_context(watcher) == scene->context);
    CHECK(plx_watcher_handle(watcher).as.fd == ends.here);
}

void identity_removed_is_inactive(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_WRITE);

    CHECK_OK(plx_watcher_remove(watcher));
    CHECK_CODE(plx_watcher_remove(watcher), PLX_ERR_INACTIVE);
    CHECK_CODE(plx_watcher_modify(watcher, PLX_READ), PLX_ERR_INACTIVE);
    CHECK(!plx_watcher_is_active(watcher));
    CHECK_EQUAL(plx_context_count(scene->context), 0);
    EXPECT_QUIET(scene);
}

void identity_added_twice_exists(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    int data;
    plx_watcher *watcher = NULL, *second = (plx_watcher *)(void *)scene;

    CHECK_OK(plx_context_add(scene->context, plx_fd(ends.here), PLX_READ, &data, &watcher));
    CHECK_CODE(plx_context_add(scene->context, plx_fd(ends.here), PLX_WRITE, scene, &second),
               PLX_ERR_EXISTS);
    CHECK(second == (plx_watcher *)(void *)scene);
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    CHECK_EVENTS(plx_watcher_events(watcher), PLX_READ);
    CHECK(plx_watcher_data(watcher) == &data);
    EXPECT_QUIET(scene);
}

void identity_added_again_after_removal(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *old = watch(scene, ends.here, PLX_WRITE), *fresh;

    CHECK_OK(plx_watcher_remove(old));
    fresh = watch(scene, ends.here, PLX_READ);
    CHECK(fresh != old);
    CHECK(!plx_watcher_is_active(old) && plx_watcher_is_active(fresh));
    CHECK(plx_context_find(scene->context, ends.here) == fresh);
    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_REPORT(scene, fresh, PLX_READ);
}

void identity_result_may_be_ignored(struct scene *scene)
{
    plx_socket fd = stream_pair(scene).here;
    plx_watcher *watcher;

    CHECK_OK(plx_context_add(scene->context, plx_fd(fd), PLX_WRITE, NULL, NULL));
    watcher = plx_context_find(scene->context, fd);
    CHECK(watcher != NULL);
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
}

void identity_duplicates_are_two(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *first = watch(scene, ends.here, PLX_READ);
    plx_watcher *second = watch(scene, duplicate(scene, ends.here), PLX_READ | PLX_WRITE);

    say(&ends);
    CHECK_EQUAL(wait_for(scene, PATIENCE), 2);
    CHECK_EVENTS(plx_watcher_triggered(first), PLX_READ);
    CHECK_EVENTS(plx_watcher_triggered(second), PLX_READ | PLX_WRITE);
    CHECK_OK(plx_watcher_remove(first));
    EXPECT_REPORT(scene, second, PLX_READ | PLX_WRITE);
}

void identity_far_off_number(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_socket far_off = duplicate_far_off(scene, ends.here);
    plx_watcher *watcher = watch(scene, far_off, PLX_READ);

    CHECK(plx_context_find(scene->context, far_off) == watcher);
    CHECK(plx_context_find(scene->context, far_off - 1) == NULL);
    CHECK(plx_context_find(scene->context, far_off + 1) == NULL);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_QUIET(scene);
}

void identity_number_comes_back_many_times(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_socket number = ends.here;
    plx_watcher *watcher;

    for (int i = 0; i < 300; i++) {
        struct ends next = stream_pair(scene);

        watcher = watch(scene, number, PLX_READ);
        CHECK_EQUAL(look(scene), 0);
        say(&ends);
        CHECK_EQUAL(look(scene), 1);
        CHECK(scene->ready[0] == watcher);
        CHECK_OK(plx_watcher_remove(watcher));
        close_descriptor(scene, ends.there);
        move_to(scene, next.here, number);
        ends = (struct ends){number, next.there};
    }
    EXPECT_QUIET(scene);
    CHECK_EQUAL(plx_context_count(scene->context), 0);
}

void identity_added_and_removed_without_a_wait(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = NULL;

    for (int i = 0; i < 1000; i++) {
        watcher = watch(scene, ends.here, i % 2 ? PLX_READ : PLX_WRITE);
        if (i < 999)
            CHECK_OK(plx_watcher_remove(watcher));
    }
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
}

void identity_destroy_with_everything_in_it(struct scene *scene)
{
    plx_context *context = another_context(scene);
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = NULL, *ready[4];

    CHECK_OK(plx_context_add(context, plx_fd(ends.here), PLX_WRITE, NULL, NULL));
    CHECK_OK(plx_context_add(context, plx_fd(ends.there), PLX_WRITE | PLX_ONESHOT, NULL, &watcher));
    CHECK_OK(plx_context_add(context, plx_fd(always_ready(scene)), PLX_READ, NULL, NULL));
    CHECK_EQUAL(plx_context_wait(context, ready, 4, PATIENCE), 3);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    CHECK_OK(plx_watcher_remove(plx_context_find(context, ends.here)));
    CHECK_OK(plx_context_wake(context));
    plx_context_destroy(context);
    CHECK(is_open(ends.here) && is_open(ends.there));
    EXPECT_REPORT(scene, watch(scene, ends.here, PLX_WRITE), PLX_WRITE);
}

void identity_destroy_leaves_no_descriptor(struct scene *scene)
{
    size_t before = open_descriptors();
    plx_context *context = another_context(scene);

    if (!tolerance_refuses_nesting(scene->backend))
        CHECK(plx_context_fd(context) >= 0);
    CHECK(open_descriptors() > before);
    plx_context_destroy(context);
    CHECK_EQUAL(open_descriptors(), before);
}

void identity_descriptors_close_on_exec(struct scene *scene)
{
    size_t before = inherited_descriptors();
    plx_context *context = another_context(scene);

    if (!tolerance_refuses_nesting(scene->backend))
        CHECK(plx_context_fd(context) >= 0);
    CHECK_EQUAL(inherited_descriptors(), before);
    plx_context_destroy(context);
}

static void use_elsewhere(void *argument)
{
    struct scene *scene = argument;

    scene->count = plx_context_wait(scene->context, scene->ready, SCENE_CAPACITY, PATIENCE);
}

void identity_context_changes_hands(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    say(&ends);
    thread_join(thread_start(use_elsewhere, scene));
    CHECK_EQUAL(scene->count, 1);
    CHECK(scene->ready[0] == watcher);
    EXPECT_REPORT(scene, watcher, PLX_READ);
}
