/* SPDX-License-Identifier: MIT */
/*
 * closing.c: descriptors that go. In the safe order with plx_context_close(); behind the library's
 * back (S20, T6); and with a duplicate that keeps the file alive (S6).
 */
#include "cases.h"

void close_removes_and_closes(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    say(&ends);
    scene_forget(scene, ends.here);
    CHECK_OK(plx_context_close(scene->context, ends.here));
    CHECK(!is_open(ends.here));
    CHECK(!plx_watcher_is_active(watcher));
    CHECK_EVENTS(plx_watcher_triggered(watcher), 0);
    CHECK_EQUAL(plx_context_count(scene->context), 0);
    CHECK(plx_context_find(scene->context, ends.here) == NULL);
    EXPECT_QUIET(scene);
}

void close_of_what_is_not_watched(struct scene *scene)
{
    plx_socket fd = stream_pair(scene).here;

    scene_forget(scene, fd);
    CHECK_OK(plx_context_close(scene->context, fd));
    CHECK(!is_open(fd));
}

void close_of_what_is_not_open(struct scene *scene)
{
    CHECK_CODE(plx_context_close(scene->context, closed_number(scene)), PLX_ERR_BADHANDLE);
    CHECK_CODE(plx_context_close(scene->context, PLX_BAD_SOCKET), PLX_ERR_BADHANDLE);
    CHECK_CODE(plx_context_close(scene->context, 2147483647), PLX_ERR_BADHANDLE);
}

void close_of_what_was_closed_under_its_watcher(struct scene *scene)
{
    plx_socket fd = stream_pair(scene).here;
    plx_watcher *watcher = watch(scene, fd, PLX_READ);

    close_descriptor(scene, fd);
    CHECK_CODE(plx_context_close(scene->context, fd), PLX_ERR_BADHANDLE);
    CHECK(!plx_watcher_is_active(watcher));
    CHECK_EQUAL(plx_context_count(scene->context), 0);
    EXPECT_QUIET(scene);
}

void close_of_a_fired_oneshot(struct scene *scene)
{
    plx_socket fd = stream_pair(scene).here;
    plx_watcher *watcher = watch(scene, fd, PLX_WRITE | PLX_ONESHOT);

    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    scene_forget(scene, fd);
    CHECK_OK(plx_context_close(scene->context, fd));
    CHECK(!is_open(fd));
    EXPECT_QUIET(scene);
}

void close_with_a_duplicate_leaves_no_ghost(struct scene *scene)
{
    struct ends ends = stream_pair(scene);

    duplicate(scene, ends.here);
    watch(scene, ends.here, PLX_READ | PLX_WRITE);
    say(&ends);
    scene_forget(scene, ends.here);
    CHECK_OK(plx_context_close(scene->context, ends.here));
    EXPECT_NO_SPIN(scene);
}

/* At most one report, which must be of the closed watcher and an error; then silence. */
static void expect_one_error_or_silence(struct scene *scene, const plx_watcher *closed,
                                        uint32_t asked)
{
    int count = wait_for(scene, SHORT_WHILE);

    if (count == 0)
        CHECK(tolerance_silent_close(scene->backend));
    else
        CHECK_EQUAL(count, 1);
    if (count == 1) {
        CHECK(scene->ready[0] == closed);
        CHECK_EVENTS(plx_watcher_triggered(closed), PLX_ERROR | asked);
    }
    EXPECT_NO_SPIN(scene);
}

void closed_under_us_is_one_error_or_silence(struct scene *scene)
{
    plx_socket fd = stream_pair(scene).here;
    plx_watcher *watcher = watch(scene, fd, PLX_READ);

    EXPECT_QUIET(scene);
    close_descriptor(scene, fd);
    expect_one_error_or_silence(scene, watcher, PLX_READ);
    CHECK(plx_watcher_is_active(watcher));
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_QUIET(scene);
}

void closed_under_us_before_the_first_wait(struct scene *scene)
{
    plx_socket fd = stream_pair(scene).here;
    plx_watcher *watcher = watch(scene, fd, PLX_WRITE);

    close_descriptor(scene, fd);
    expect_one_error_or_silence(scene, watcher, PLX_WRITE);
}

void closed_under_us_is_an_error_once_modified(struct scene *scene)
{
    plx_socket fd = stream_pair(scene).here;
    plx_watcher *watcher = watch(scene, fd, PLX_READ);

    close_descriptor(scene, fd);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(plx_watcher_modify(watcher, i ? PLX_READ : PLX_WRITE));
        EXPECT_REPORT(scene, watcher, PLX_ERROR | (i ? PLX_READ : PLX_WRITE));
        EXPECT_NO_SPIN(scene);
    }
    CHECK_OK(plx_watcher_remove(watcher));
}

void closed_under_a_fired_oneshot(struct scene *scene)
{
    plx_socket fd = stream_pair(scene).here;
    plx_watcher *watcher = watch(scene, fd, PLX_WRITE | PLX_ONESHOT);

    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    close_descriptor(scene, fd);
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE | PLX_ONESHOT));
    EXPECT_REPORT(scene, watcher, PLX_WRITE | PLX_ERROR);
    EXPECT_QUIET(scene);
}

void closed_under_us_does_not_disturb_others(struct scene *scene)
{
    struct ends healthy = stream_pair(scene), sick = stream_pair(scene);
    plx_watcher *reader = watch(scene, healthy.here, PLX_READ);
    plx_watcher *closed = watch(scene, sick.here, PLX_READ);

    close_descriptor(scene, sick.here);
    CHECK_OK(plx_watcher_modify(closed, PLX_READ | PLX_WRITE));
    say(&healthy);
    CHECK_EQUAL(wait_for(scene, PATIENCE), 2);
    CHECK_EVENTS(plx_watcher_triggered(reader), PLX_READ);
    CHECK_EVENTS(plx_watcher_triggered(closed), PLX_READ | PLX_WRITE | PLX_ERROR);
    EXPECT_REPORT(scene, reader, PLX_READ);
    drain(healthy.here);
    EXPECT_QUIET(scene);
}

void closed_number_came_back_with_another_file(struct scene *scene)
{
    struct ends first = stream_pair(scene), second = stream_pair(scene);
    plx_watcher *stale = watch(scene, first.here, PLX_READ), *fresh = NULL;
    bool noticed = tolerance_notices_reuse(scene->backend);

    move_to(scene, second.here, first.here);
    CHECK_CODE(plx_context_add(scene->context, plx_fd(first.here), PLX_WRITE, NULL, &fresh),
               noticed ? PLX_OK : PLX_ERR_EXISTS);
    CHECK(plx_watcher_is_active(stale) == !noticed);
    CHECK(plx_context_find(scene->context, first.here) == (noticed ? fresh : stale));
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    if (noticed)
        EXPECT_REPORT(scene, fresh, PLX_WRITE);
    else
        EXPECT_QUIET(scene);
}

void closed_socket_came_back_as_a_file_and_back(struct scene *scene)
{
    struct ends first = stream_pair(scene), second = stream_pair(scene);
    plx_watcher *watchers[3] = {watch(scene, first.here, PLX_READ), NULL, NULL};
    plx_context *context = scene->context;

    if (!tolerance_notices_reuse(scene->backend))
        check_skip("the backend cannot tell that a number was reused");
    move_to(scene, regular_file(scene), first.here);
    CHECK_OK(plx_context_add(context, plx_fd(first.here), PLX_READ, NULL, &watchers[1]));
    CHECK(!plx_watcher_is_active(watchers[0]));
    EXPECT_REPORT(scene, watchers[1], PLX_READ);
    move_to(scene, second.here, first.here);
    CHECK_OK(plx_context_add(context, plx_fd(first.here), PLX_READ, NULL, &watchers[2]));
    CHECK(!plx_watcher_is_active(watchers[1]));
    EXPECT_QUIET(scene);
    CHECK_EQUAL(plx_context_count(context), 1);
}

/* A watcher whose number was closed while a duplicate keeps the file, and the file is readable. */
static struct ends closed_with_duplicate(struct scene *scene, plx_watcher **ret_watcher)
{
    struct ends ends = stream_pair(scene);

    duplicate(scene, ends.here);
    *ret_watcher = watch(scene, ends.here, PLX_READ);
    say(&ends);
    close_descriptor(scene, ends.here);
    return ends;
}

void duplicate_trap_remove_leaves_no_ghost(struct scene *scene)
{
    plx_watcher *watcher;

    closed_with_duplicate(scene, &watcher);
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_NO_SPIN(scene);
    EXPECT_NO_SPIN(scene);
}

void duplicate_trap_remove_of_a_fired_oneshot(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ | PLX_ONESHOT);

    duplicate(scene, ends.here);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    close_descriptor(scene, ends.here);
    CHECK_OK(plx_watcher_remove(watcher));
    put(ends.there);
    EXPECT_NO_SPIN(scene);
}

void duplicate_trap_many_at_once(struct scene *scene)
{
    enum { GHOSTS = 20 };
    plx_watcher *watchers[GHOSTS];
    struct ends pairs[GHOSTS];

    for (int i = 0; i < GHOSTS; i++) {
        pairs[i] = stream_pair(scene);
        duplicate(scene, pairs[i].here);
        watchers[i] = watch(scene, pairs[i].here, PLX_READ);
        say(&pairs[i]);
    }
    for (int i = 0; i < GHOSTS; i++)
        close_descriptor(scene, pairs[i].here);
    for (int i = 0; i < GHOSTS; i++)
        CHECK_OK(plx_watcher_remove(watchers[i]));
    EXPECT_NO_SPIN(scene);
    EXPECT_NO_SPIN(scene);
}

void duplicate_trap_reused_number_is_clean(struct scene *scene)
{
    struct ends fresh = stream_pair(scene);
    plx_watcher *stale, *watcher;
    struct ends old = closed_with_duplicate(scene, &stale);

    CHECK_OK(plx_watcher_remove(stale));
    move_to(scene, fresh.here, old.here);
    fresh.here = old.here;
    watcher = watch(scene, fresh.here, PLX_READ);
    EXPECT_NO_SPIN(scene);
    say(&fresh);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_NO_SPIN(scene);
}

void duplicate_trap_add_retires_the_stale(struct scene *scene)
{
    struct ends fresh = stream_pair(scene);
    plx_watcher *stale, *watcher = NULL;
    struct ends old;

    if (!tolerance_notices_reuse(scene->backend))
        check_skip("the backend cannot tell that a number was reused");
    old = closed_with_duplicate(scene, &stale);
    move_to(scene, fresh.here, old.here);
    fresh.here = old.here;
    CHECK_OK(plx_context_add(scene->context, plx_fd(old.here), PLX_READ, NULL, &watcher));
    CHECK(!plx_watcher_is_active(stale));
    EXPECT_NO_SPIN(scene);
    say(&fresh);
    EXPECT_REPORT(scene, watcher, PLX_READ);
}

void duplicate_trap_same_file_at_its_old_number(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_socket spare = duplicate(scene, ends.here);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ), *again = watcher;
    bool is_new = tolerance_close_is_final(scene->backend);

    close_descriptor(scene, ends.here);
    move_to(scene, spare, ends.here);
    CHECK_CODE(plx_context_add(scene->context, plx_fd(ends.here), PLX_READ, NULL, &again),
               is_new ? PLX_OK : PLX_ERR_EXISTS);
    CHECK(plx_watcher_is_active(watcher) == !is_new);
    watcher = is_new ? again : watcher;
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_QUIET(scene);
}

/*
 * A number whose first file left a ghost lost its second one in the same way, and the first comes
 * back to it: a modify now reaches the ghost, while the second file still reports its watcher.
 */
static plx_watcher *closed_over_a_ghost(struct scene *scene, struct ends *first,
                                        struct ends *second, uint32_t events)
{
    plx_watcher *ghost, *watcher;
    plx_socket spare;

    if (tolerance_close_is_final(scene->backend))
        check_skip("no ghosts: closing ends a watch");
    *first = stream_pair(scene);
    *second = stream_pair(scene);
    spare = duplicate(scene, first->here);
    ghost = watch(scene, first->here, PLX_READ);
    close_descriptor(scene, first->here);
    CHECK_OK(plx_watcher_remove(ghost));
    move_to(scene, second->here, first->here);
    watcher = watch(scene, first->here, PLX_READ);
    second->here = duplicate(scene, first->here);
    move_to(scene, spare, first->here);
    CHECK_OK(plx_watcher_modify(watcher, events));
    return watcher;
}

void duplicate_trap_two_files_are_one_report(struct scene *scene)
{
    struct ends first, second;
    plx_watcher *watcher = closed_over_a_ghost(scene, &first, &second, PLX_READ | PLX_WRITE);

    say(&first);
    say(&second);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_WRITE);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_WRITE);
}

void duplicate_trap_two_files_and_a_oneshot(struct scene *scene)
{
    struct ends first, second;
    plx_watcher *watcher = closed_over_a_ghost(scene, &first, &second, PLX_READ | PLX_ONESHOT);

    say(&second);
    EXPECT_NO_SPIN(scene);
    say(&first);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_NO_SPIN(scene);
}

void duplicate_trap_others_keep_their_state(struct scene *scene)
{
    struct ends quiet = stream_pair(scene), fired = stream_pair(scene), muted = stream_pair(scene);
    plx_watcher *reader = watch(scene, quiet.here, PLX_READ), *ghost;
    plx_watcher *oneshot = watch(scene, fired.here, PLX_WRITE | PLX_ONESHOT);
    plx_watcher *error = watch(scene, muted.here, PLX_ERROR);

    EXPECT_REPORT(scene, oneshot, PLX_WRITE);
    there_hangs_up(scene, &muted);
    EXPECT_HANGUP(scene, error, 0);
    closed_with_duplicate(scene, &ghost);
    CHECK_OK(plx_watcher_remove(ghost));
    EXPECT_NO_SPIN(scene);
    say(&quiet);
    EXPECT_REPORT(scene, reader, PLX_READ);
    CHECK_OK(plx_watcher_modify(oneshot, PLX_WRITE | PLX_ONESHOT));
    drain(quiet.here);
    EXPECT_REPORT(scene, oneshot, PLX_WRITE);
    EXPECT_QUIET(scene);
}

void duplicate_trap_ghost_takes_no_place(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *ghost, *reader = watch(scene, ends.here, PLX_READ);

    closed_with_duplicate(scene, &ghost);
    say(&ends);
    CHECK_OK(plx_watcher_remove(ghost));
    CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, 0), 1);
    CHECK(scene->ready[0] == reader);
}

void duplicate_trap_with_files_and_wakes(struct scene *scene)
{
    plx_watcher *file = watch(scene, regular_file(scene), PLX_READ | PLX_ONESHOT), *ghost;

    EXPECT_REPORT(scene, file, PLX_READ);
    closed_with_duplicate(scene, &ghost);
    CHECK_OK(plx_watcher_remove(ghost));
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_modify(file, PLX_READ | PLX_ONESHOT));
    EXPECT_REPORT(scene, file, PLX_READ);
    CHECK_OK(plx_context_wake(scene->context));
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 0);
    EXPECT_QUIET(scene);
}

void duplicate_trap_makes_no_descriptors(struct scene *scene)
{
    size_t inherited = inherited_descriptors();
    size_t before;

    look(scene);
    before = open_descriptors();
    for (int i = 0; i < 5; i++) {
        struct ends ends = stream_pair(scene);
        plx_socket spare = duplicate(scene, ends.here);
        plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

        say(&ends);
        close_descriptor(scene, ends.here);
        CHECK_OK(plx_watcher_remove(watcher));
        EXPECT_QUIET(scene);
        close_descriptor(scene, spare);
        close_descriptor(scene, ends.there);
    }
    CHECK_EQUAL(open_descriptors(), before);
    CHECK_EQUAL(inherited_descriptors(), inherited);
}

/* A fresh queue would need a descriptor. The wait says so, and the next one tries again. */
void duplicate_trap_out_of_descriptors(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *ghost, *reader = watch(scene, ends.here, PLX_READ);
    int code;

    closed_with_duplicate(scene, &ghost);
    use_up_descriptors(scene);
    CHECK_OK(plx_watcher_remove(ghost));
    code = plx_context_wait(scene->context, scene->ready, SCENE_CAPACITY, SHORT_WHILE);
    CHECK(code == 0 || code == PLX_ERR_TOOBIG);
    give_back_descriptors(scene);
    EXPECT_NO_SPIN(scene);
    say(&ends);
    EXPECT_REPORT(scene, reader, PLX_READ);
}

/* What stands behind the ghost is told all the same. */
void duplicate_trap_out_of_descriptors_tells(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *ghost, *reader = watch(scene, ends.here, PLX_READ);

    closed_with_duplicate(scene, &ghost);
    say(&ends);
    use_up_descriptors(scene);
    CHECK_OK(plx_watcher_remove(ghost));
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, PATIENCE), 1);
        CHECK(scene->ready[0] == reader);
    }
    give_back_descriptors(scene);
    EXPECT_REPORT(scene, reader, PLX_READ);
}
