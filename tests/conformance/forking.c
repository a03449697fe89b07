/* SPDX-License-Identifier: MIT */
/*
 * forking.c: a child process inherits the context but not the right to use it, until it asks for a
 * queue of its own; and nothing it does reaches the parent's (S17).
 */
#include "cases.h"

#if SUPPORT_HAS_FORK

/* A reader that stays quiet, and a writer that has fired its one shot. */
struct family {
    struct scene *scene;
    struct ends quiet;
    struct ends fired;
    plx_watcher *reader;
    plx_watcher *oneshot;
};

static struct family family_of(struct scene *scene)
{
    struct family family = {scene, stream_pair(scene), stream_pair(scene), NULL, NULL};

    family.reader = watch(scene, family.quiet.here, PLX_READ);
    family.oneshot = watch(scene, family.fired.here, PLX_WRITE | PLX_ONESHOT);
    EXPECT_REPORT(scene, family.oneshot, PLX_WRITE);
    return family;
}

/* The context works as if nobody had ever forked. */
static void expect_untouched(struct family *family)
{
    struct scene *scene = family->scene;

    EXPECT_QUIET(scene);
    say(&family->quiet);
    EXPECT_REPORT(scene, family->reader, PLX_READ);
    EXPECT_REPORT(scene, family->reader, PLX_READ);
    drain(family->quiet.here);
    CHECK_OK(plx_watcher_modify(family->oneshot, PLX_WRITE | PLX_ONESHOT));
    EXPECT_REPORT(scene, family->oneshot, PLX_WRITE);
    EXPECT_QUIET(scene);
    CHECK_EQUAL(plx_context_count(scene->context), 2);
    CHECK_OK(plx_context_wake(scene->context));
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 0);
}

static void expect_refused_calls(struct family *family)
{
    plx_context *context = family->scene->context;
    plx_watcher *ready[1], *watcher = NULL;

    CHECK_CODE(plx_context_add(context, plx_fd(family->fired.there), PLX_READ, NULL, &watcher),
               PLX_ERR_FORKED);
    CHECK(watcher == NULL);
    CHECK_CODE(plx_context_wait(context, ready, 1, 0), PLX_ERR_FORKED);
    CHECK_CODE(plx_context_wake(context), PLX_ERR_FORKED);
    CHECK_CODE(plx_context_fd(context), PLX_ERR_FORKED);
    CHECK_CODE(plx_watcher_modify(family->reader, PLX_WRITE), PLX_ERR_FORKED);
    CHECK_CODE(plx_watcher_remove(family->reader), PLX_ERR_FORKED);
    CHECK_EQUAL(plx_context_count(context), 2);
    CHECK_EVENTS(plx_watcher_events(family->reader), PLX_READ);
    CHECK(plx_watcher_is_active(family->reader));
    CHECK(plx_context_find(context, family->quiet.here) == family->reader);
}

static void child_is_refused(void *argument)
{
    expect_refused_calls(argument);
}

void fork_every_call_is_refused(struct scene *scene)
{
    struct family family = family_of(scene);

    in_child(child_is_refused, &family);
    expect_untouched(&family);
}

static void child_closes(void *argument)
{
    struct family *family = argument;
    plx_context *context = family->scene->context;

    CHECK_CODE(plx_context_close(context, family->quiet.here), PLX_ERR_FORKED);
    CHECK(!is_open(family->quiet.here));
    CHECK(plx_watcher_is_active(family->reader));
    close_descriptor(family->scene, family->fired.here);
}

void fork_child_closes_descriptors(struct scene *scene)
{
    struct family family = family_of(scene);

    in_child(child_closes, &family);
    expect_untouched(&family);
}

static void child_destroys(void *argument)
{
    struct family *family = argument;

    plx_context_destroy(family->scene->context);
    CHECK(is_open(family->quiet.here));
}

void fork_destroy_in_the_child(struct scene *scene)
{
    struct family family = family_of(scene);

    in_child(child_destroys, &family);
    expect_untouched(&family);
}

static void child_takes_over(void *argument)
{
    struct family *family = argument;

    CHECK_OK(plx_context_after_fork(family->scene->context));
    expect_untouched(family);
}

void fork_after_fork_works(struct scene *scene)
{
    struct family family = family_of(scene);

    in_child(child_takes_over, &family);
    expect_untouched(&family);
}

static void child_takes_over_twice(void *argument)
{
    struct family *family = argument;

    CHECK_OK(plx_context_after_fork(family->scene->context));
    CHECK_OK(plx_context_after_fork(family->scene->context));
    expect_untouched(family);
}

void fork_after_fork_may_be_repeated(struct scene *scene)
{
    struct family family = family_of(scene);

    in_child(child_takes_over_twice, &family);
    expect_untouched(&family);
}

void fork_after_fork_means_nothing_to_the_parent(struct scene *scene)
{
    struct family family = family_of(scene);

    CHECK_OK(plx_context_after_fork(scene->context));
    expect_untouched(&family);
}

static void child_changes_everything(void *argument)
{
    struct family *family = argument;
    struct scene *scene = family->scene;

    CHECK_OK(plx_context_after_fork(scene->context));
    CHECK_OK(plx_watcher_modify(family->reader, PLX_WRITE));
    EXPECT_REPORT(scene, family->reader, PLX_WRITE);
    CHECK_OK(plx_watcher_remove(family->reader));
    scene_forget(scene, family->fired.here);
    CHECK_OK(plx_context_close(scene->context, family->fired.here));
    CHECK_EQUAL(plx_context_count(scene->context), 0);
    watch(scene, family->quiet.there, PLX_WRITE);
    CHECK_EQUAL(wait_for(scene, PATIENCE), 1);
    plx_context_destroy(scene->context);
}

void fork_child_changes_everything(struct scene *scene)
{
    struct family family = family_of(scene);

    in_child(child_changes_everything, &family);
    expect_untouched(&family);
}

static void child_forks_again(void *argument)
{
    struct family *family = argument;

    CHECK_OK(plx_context_after_fork(family->scene->context));
    in_child(child_is_refused, family);
    in_child(child_takes_over, family);
    expect_untouched(family);
}

void fork_grandchild(struct scene *scene)
{
    struct family family = family_of(scene);

    in_child(child_forks_again, &family);
    expect_untouched(&family);
}

static void child_wakes(void *argument)
{
    struct family *family = argument;
    struct scene *scene = family->scene;

    CHECK_CODE(plx_context_wake(scene->context), PLX_ERR_FORKED);
    CHECK_OK(plx_context_after_fork(scene->context));
    CHECK_OK(plx_context_wake(scene->context));
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 0);
    CHECK_OK(plx_context_wake(scene->context));
}

void fork_wake_stays_in_the_process(struct scene *scene)
{
    struct family family = family_of(scene);

    in_child(child_wakes, &family);
    EXPECT_QUIET(scene);
    if (!tolerance_refuses_nesting(scene->backend))
        CHECK(plx_context_fd(scene->context) >= 0);
    in_child(child_wakes, &family);
    EXPECT_QUIET(scene);
    expect_untouched(&family);
}

static void child_lost_a_descriptor(void *argument)
{
    struct family *family = argument;
    struct scene *scene = family->scene;

    close_descriptor(scene, family->quiet.here);
    CHECK_OK(plx_context_after_fork(scene->context));
    EXPECT_REPORT(scene, family->reader, PLX_READ | PLX_ERROR);
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_modify(family->oneshot, PLX_WRITE | PLX_ONESHOT));
    EXPECT_REPORT(scene, family->oneshot, PLX_WRITE);
}

void fork_descriptor_lost_before_after_fork(struct scene *scene)
{
    struct family family = family_of(scene);

    in_child(child_lost_a_descriptor, &family);
    expect_untouched(&family);
}

struct shapes {
    struct scene *scene;
    plx_watcher *file;
    plx_watcher *fired_file;
    plx_watcher *muted;
};

static void child_keeps_shapes(void *argument)
{
    struct shapes *shapes = argument;
    struct scene *scene = shapes->scene;

    CHECK_OK(plx_context_after_fork(scene->context));
    EXPECT_REPORT(scene, shapes->file, PLX_READ);
    CHECK_OK(plx_watcher_remove(shapes->file));
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_modify(shapes->fired_file, PLX_READ | PLX_ONESHOT));
    EXPECT_REPORT(scene, shapes->fired_file, PLX_READ);
    CHECK_OK(plx_watcher_modify(shapes->muted, PLX_ERROR));
    EXPECT_REPORT(scene, shapes->muted, PLX_HUP);
    EXPECT_NO_SPIN(scene);
}

void fork_after_fork_keeps_files_and_mutes(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    struct shapes shapes = {scene, NULL, NULL, NULL};

    shapes.fired_file = watch(scene, regular_file(scene), PLX_READ | PLX_ONESHOT);
    EXPECT_REPORT(scene, shapes.fired_file, PLX_READ);
    shapes.muted = watch(scene, ends.here, PLX_ERROR);
    there_closes(scene, &ends);
    EXPECT_REPORT(scene, shapes.muted, PLX_HUP);
    shapes.file = watch(scene, regular_file(scene), PLX_READ);
    in_child(child_keeps_shapes, &shapes);
    EXPECT_REPORT(scene, shapes.file, PLX_READ);
}

static void child_makes_its_own(void *argument)
{
    struct family *family = argument;
    plx_context *context = another_context(family->scene);
    plx_watcher *watcher = NULL, *ready[1];

    CHECK_OK(plx_context_add(context, plx_fd(family->quiet.here), PLX_WRITE, NULL, &watcher));
    CHECK_EQUAL(plx_context_wait(context, ready, 1, PATIENCE), 1);
    CHECK(ready[0] == watcher);
    plx_context_destroy(context);
    expect_refused_calls(family);
}

void fork_new_context_in_the_child(struct scene *scene)
{
    struct family family = family_of(scene);

    in_child(child_makes_its_own, &family);
    expect_untouched(&family);
}

static void child_counts_descriptors(void *argument)
{
    struct scene *scene = argument;
    size_t before = open_descriptors(), inherited = inherited_descriptors();
    size_t fresh;

    CHECK_OK(plx_context_after_fork(scene->context));
    fresh = open_descriptors() - before;
    CHECK((fresh == 0) == tolerance_queue_is_inherited(scene->backend));
    CHECK_EQUAL(inherited_descriptors(), inherited);
    plx_context_destroy(scene->context);
    CHECK(open_descriptors() < before + fresh);
}

void fork_after_fork_exchanges_descriptors(struct scene *scene)
{
    watch(scene, stream_pair(scene).here, PLX_READ);
    in_child(child_counts_descriptors, scene);
}

static void child_nests(void *argument)
{
    struct family *family = argument;
    struct scene *scene = family->scene;
    int fd;

    CHECK_OK(plx_context_after_fork(scene->context));
    fd = plx_context_fd(scene->context);
    CHECK(fd >= 0);
    CHECK(!readable_now(fd));
    say(&family->quiet);
    CHECK(readable_now(fd));
    drain(family->quiet.here);
    CHECK(!readable_now(fd));
}

void fork_nesting_starts_anew(struct scene *scene)
{
    struct family family;
    int fd;

    skip_without_nesting(scene);
    family = family_of(scene);
    fd = plx_context_fd(scene->context);
    CHECK(fd >= 0);
    in_child(child_nests, &family);
    CHECK(!readable_now(fd));
    say(&family.quiet);
    CHECK(readable_now(fd));
    drain(family.quiet.here);
    expect_untouched(&family);
    CHECK_EQUAL(plx_context_fd(scene->context), fd);
}

static void child_holds_on(void *argument)
{
    const plx_socket *release = argument;

    until_readable(*release);
}

/* The child's copy of the descriptor keeps the file alive after the parent has closed its own. */
void fork_child_keeps_a_closed_file_alive(struct scene *scene)
{
    struct ends ends = stream_pair(scene), release = pipe_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);
    long child = child_start(child_holds_on, &release.here);

    say(&ends);
    close_descriptor(scene, ends.here);
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_NO_SPIN(scene);
    say(&release);
    child_join(child);
    EXPECT_QUIET(scene);
}

#endif
