/* SPDX-License-Identifier: MIT */
/*
 * nesting.c: plx_context_fd(): a context inside another loop. The descriptor must be readable
 * whenever a wait would return at once, whatever the reason, and not otherwise.
 */
#include "cases.h"

#define BACKENDS 8

/* Everything that may stand around a context: poll(2), a queue of the system, other contexts. */
struct nest {
    struct scene *scene;
    plx_socket fd;
    plx_socket queue;
    plx_context *outer[BACKENDS];
    int outer_count;
};

static struct nest nest_of(struct scene *scene)
{
    struct nest nest = {scene, PLX_BAD_SOCKET, PLX_BAD_SOCKET, {NULL}, 0};
    plx_backend backends[BACKENDS];

    nest.fd = nested(scene);
    nest.queue = system_queue(scene, nest.fd);
    nest.outer_count = plx_backend_list(backends, BACKENDS);
    for (int i = 0; i < nest.outer_count; i++) {
        plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;

        options.backend = backends[i];
        CHECK_OK(plx_context_create(&nest.outer[i], &options));
        CHECK_OK(plx_context_add(nest.outer[i], plx_fd(nest.fd), PLX_READ, NULL, NULL));
    }
    return nest;
}

static void leave_nest(struct nest *nest)
{
    CHECK_EQUAL(plx_context_fd(nest->scene->context), nest->fd);
    for (int i = 0; i < nest->outer_count; i++)
        plx_context_destroy(nest->outer[i]);
}

/* Where nothing is due, a wait takes away what is left of the last report. */
static void settle(struct scene *scene)
{
    if (tolerance_nested_lags(scene->backend))
        CHECK_EQUAL(look(scene), 0);
}

static void expect_nested(int line, const struct nest *nest, bool ready)
{
    plx_watcher *reported[1];

    if (!ready)
        settle(nest->scene);
    check_equal(__FILE__, line, "readable in poll", readable_now(nest->fd), ready);
    check_equal(__FILE__, line, "readable in a queue", system_queue_ready(nest->queue), ready);
    for (int i = 0; i < nest->outer_count; i++)
        check_equal(__FILE__, line, plx_backend_name(plx_context_backend(nest->outer[i])),
                    plx_context_wait(nest->outer[i], reported, 1, 0), ready);
}

#define EXPECT_NESTED(nest, ready) expect_nested(__LINE__, (nest), (ready))

void nest_exists_or_is_refused(struct scene *scene)
{
    int fd = plx_context_fd(scene->context);

    if (tolerance_refuses_nesting(scene->backend)) {
        CHECK_CODE(fd, PLX_ERR_NOSUPPORT);
        EXPECT_QUIET(scene);
        return;
    }
    CHECK(fd >= 0 && is_open((plx_socket)fd));
    CHECK_EQUAL(plx_context_fd(scene->context), fd);
    EXPECT_QUIET(scene);
}

void nest_follows_the_kernel(struct scene *scene)
{
    struct nest nest = nest_of(scene);
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    EXPECT_NESTED(&nest, false);
    say(&ends);
    EXPECT_NESTED(&nest, true);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_NESTED(&nest, true);
    drain(ends.here);
    EXPECT_NESTED(&nest, false);
    EXPECT_QUIET(scene);
    EXPECT_NESTED(&nest, false);
    leave_nest(&nest);
}

void nest_of_what_is_ready_already(struct scene *scene)
{
    plx_watcher *watcher = watch(scene, stream_pair(scene).here, PLX_WRITE);
    struct nest nest = nest_of(scene);

    EXPECT_NESTED(&nest, true);
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_NESTED(&nest, false);
    leave_nest(&nest);
}

void nest_sees_staged_changes_of_before(struct scene *scene)
{
    plx_watcher *watcher = watch(scene, stream_pair(scene).here, PLX_READ);
    struct nest nest;

    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE));
    nest = nest_of(scene);
    EXPECT_NESTED(&nest, true);
    leave_nest(&nest);
}

void nest_sees_changes_at_once(struct scene *scene)
{
    struct nest nest = nest_of(scene);
    plx_watcher *watcher = watch(scene, stream_pair(scene).here, PLX_READ);

    EXPECT_NESTED(&nest, false);
    CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE));
    EXPECT_NESTED(&nest, true);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_NESTED(&nest, false);
    CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE));
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_NESTED(&nest, false);
    leave_nest(&nest);
}

void nest_sees_oneshots(struct scene *scene)
{
    struct nest nest = nest_of(scene);
    plx_watcher *watcher = watch(scene, stream_pair(scene).here, PLX_WRITE | PLX_ONESHOT);

    EXPECT_NESTED(&nest, true);
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    EXPECT_NESTED(&nest, false);
    CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE | PLX_ONESHOT));
    EXPECT_NESTED(&nest, true);
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    EXPECT_NESTED(&nest, false);
    leave_nest(&nest);
}

void nest_sees_mutes(struct scene *scene)
{
    struct nest nest = nest_of(scene);
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_ERROR);

    EXPECT_NESTED(&nest, false);
    there_closes(scene, &ends);
    EXPECT_NESTED(&nest, true);
    EXPECT_REPORT(scene, watcher, PLX_HUP);
    EXPECT_NESTED(&nest, false);
    leave_nest(&nest);
}

void nest_sees_wakes(struct scene *scene)
{
    struct nest nest;

    skip_without_nesting(scene);
    CHECK_OK(plx_context_wake(scene->context));
    nest = nest_of(scene);
    for (int i = 0; i < 3; i++) {
        EXPECT_NESTED(&nest, true);
        CHECK_EQUAL(look(scene), 0);
        EXPECT_NESTED(&nest, false);
        EXPECT_QUIET(scene);
        CHECK_OK(plx_context_wake(scene->context));
        CHECK_OK(plx_context_wake(scene->context));
    }
    leave_nest(&nest);
}

void nest_wake_takes_no_place_in_the_array(struct scene *scene)
{
    struct nest nest = nest_of(scene);
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    CHECK_OK(plx_context_wake(scene->context));
    say(&ends);
    CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, 0), 1);
    CHECK(scene->ready[0] == watcher);
    drain(ends.here);
    EXPECT_NESTED(&nest, false);
    leave_nest(&nest);
}

static void wake_once(void *argument)
{
    plx_context_wake(argument);
}

void nest_sees_wakes_of_threads(struct scene *scene)
{
    struct nest nest = nest_of(scene);
    struct thread *thread = thread_start(wake_once, scene->context);

    until_readable(nest.fd);
    thread_join(thread);
    EXPECT_NESTED(&nest, true);
    CHECK_EQUAL(look(scene), 0);
    EXPECT_NESTED(&nest, false);
    leave_nest(&nest);
}

void nest_sees_files(struct scene *scene)
{
    struct nest nest = nest_of(scene);
    plx_watcher *watcher = watch(scene, regular_file(scene), PLX_READ);

    EXPECT_NESTED(&nest, true);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_NESTED(&nest, true);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_ONESHOT));
    EXPECT_NESTED(&nest, true);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_NESTED(&nest, false);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_NESTED(&nest, true);
    CHECK_OK(plx_watcher_modify(watcher, PLX_ERROR));
    EXPECT_NESTED(&nest, false);
    CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE));
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_NESTED(&nest, false);
    leave_nest(&nest);
}

void nest_of_a_file_that_was_there(struct scene *scene)
{
    plx_watcher *watcher = watch(scene, regular_file(scene), PLX_READ);
    struct nest nest = nest_of(scene);

    EXPECT_NESTED(&nest, true);
    scene_forget(scene, plx_watcher_handle(watcher).as.fd);
    CHECK_OK(plx_context_close(scene->context, plx_watcher_handle(watcher).as.fd));
    EXPECT_NESTED(&nest, false);
    leave_nest(&nest);
}

struct tank {
    plx_socket fd;
    bool full;
};

static plx_socket tank_fd(void *object)
{
    return ((struct tank *)object)->fd;
}

static bool tank_has_buffered(void *object)
{
    return ((struct tank *)object)->full;
}

static const plx_handle_ops tank_ops = {sizeof(plx_handle_ops), tank_fd, NULL, tank_has_buffered,
                                        NULL};

void nest_sees_buffered_bytes(struct scene *scene)
{
    struct nest nest = nest_of(scene);
    struct tank tank = {stream_pair(scene).here, true};
    plx_watcher *watcher = NULL;

    CHECK_OK(
        plx_context_add(scene->context, plx_custom(&tank_ops, &tank), PLX_READ, NULL, &watcher));
    EXPECT_NESTED(&nest, true);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_NESTED(&nest, true);
    tank.full = false;
    EXPECT_QUIET(scene);
    EXPECT_NESTED(&nest, false);
    tank.full = true;
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_NESTED(&nest, true);
    CHECK_OK(plx_watcher_remove(watcher));
    CHECK_EQUAL(look(scene), 0);
    EXPECT_NESTED(&nest, false);
    leave_nest(&nest);
}

void nest_sees_what_a_small_capacity_left(struct scene *scene)
{
    struct nest nest = nest_of(scene);

    for (int i = 0; i < 3; i++)
        watch(scene, stream_pair(scene).here, PLX_WRITE | PLX_ONESHOT);
    for (int i = 0; i < 3; i++) {
        EXPECT_NESTED(&nest, true);
        CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, 0), 1);
    }
    EXPECT_NESTED(&nest, false);
    leave_nest(&nest);
}

/* After the queue inside was made anew, number and registrations outside are still good. */
void nest_survives_the_duplicate_trap(struct scene *scene)
{
    struct nest nest = nest_of(scene);
    struct ends ends = stream_pair(scene);
    plx_watcher *reader = watch(scene, ends.here, PLX_READ);

    for (int round = 0; round < 3; round++) {
        struct ends trap = stream_pair(scene);
        plx_watcher *ghost = watch(scene, trap.here, PLX_READ);

        duplicate(scene, trap.here);
        say(&trap);
        EXPECT_NESTED(&nest, true);
        close_descriptor(scene, trap.here);
        CHECK_OK(plx_watcher_remove(ghost));
        CHECK_EQUAL(look(scene), 0);
        EXPECT_NESTED(&nest, false);
        say(&ends);
        EXPECT_NESTED(&nest, true);
        EXPECT_REPORT(scene, reader, PLX_READ);
        drain(ends.here);
        EXPECT_NESTED(&nest, false);
    }
    CHECK_OK(plx_context_wake(scene->context));
    EXPECT_NESTED(&nest, true);
    CHECK_EQUAL(look(scene), 0);
    EXPECT_NESTED(&nest, false);
    leave_nest(&nest);
}

void nest_started_after_the_duplicate_trap(struct scene *scene)
{
    struct ends trap = stream_pair(scene), ends = stream_pair(scene);
    plx_watcher *ghost = watch(scene, trap.here, PLX_READ);
    struct nest nest;

    duplicate(scene, trap.here);
    say(&trap);
    close_descriptor(scene, trap.here);
    CHECK_OK(plx_watcher_remove(ghost));
    EXPECT_QUIET(scene);
    nest = nest_of(scene);
    EXPECT_NESTED(&nest, false);
    watch(scene, ends.here, PLX_READ);
    say(&ends);
    EXPECT_NESTED(&nest, true);
    leave_nest(&nest);
}

void nest_drives_a_context_from_a_context(struct scene *scene)
{
    plx_context *outer;
    plx_watcher *inner_watcher, *outer_watcher = NULL, *ready[1];
    struct ends ends = stream_pair(scene);

    skip_without_nesting(scene);
    outer = another_context(scene);
    inner_watcher = watch(scene, ends.here, PLX_READ);
    CHECK_OK(plx_context_add(outer, plx_fd(nested(scene)), PLX_READ, scene, &outer_watcher));
    for (int i = 0; i < 3; i++) {
        say(&ends);
        CHECK_EQUAL(plx_context_wait(outer, ready, 1, PLX_FOREVER), 1);
        CHECK(ready[0] == outer_watcher);
        EXPECT_REPORT(scene, inner_watcher, PLX_READ);
        drain(ends.here);
        settle(scene);
        CHECK_EQUAL(plx_context_wait(outer, ready, 1, SHORT_WHILE), 0);
    }
    plx_context_destroy(outer);
}

/* A queue inside itself: the kernel says no, and the context goes on. */
void nest_in_itself_is_refused(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher;

    CHECK(plx_context_add(scene->context, plx_fd(nested(scene)), PLX_READ, NULL, NULL) < 0);
    CHECK_EQUAL(plx_context_count(scene->context), 0);
    watcher = watch(scene, ends.here, PLX_READ);
    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
}
