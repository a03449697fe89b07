/* SPDX-License-Identifier: MIT */
/*
 * test_ghost.c: what epoll still holds of a descriptor that was closed, and what no caller can
 * bring about in a test: generations that are used up, and refusals at the wrong moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <pollux.h>

#include "require.h"
#include "rig.h"
#include "src/core/context.h"
#include "suites.h"

struct haunt {
    plx_context *context;
    struct ends ends;  /* of the ghost: its number is closed */
    int spare;         /* which keeps its file open */
    uint32_t number;   /* of its slot, where the next watcher will be */
    struct ends fresh; /* for that one */
};

static plx_watcher *watch(plx_context *context, int fd)
{
    plx_watcher *watcher;
    REQUIRE(plx_context_add(context, plx_fd(fd), PLX_READ, NULL, &watcher) == PLX_OK);
    return watcher;
}

static int look(plx_context *context)
{
    plx_watcher *ready[4];
    return plx_context_wait(context, ready, 4, 0);
}

static void open_context(plx_context **context)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    options.backend = rig_backend->id;
    calls_open();
    REQUIRE(plx_context_create(context, &options) == PLX_OK);
}

/* Leaves a ghost that says nothing yet, with the first token of its slot. */
static struct haunt haunt_open(void)
{
    struct haunt haunt = {.ends = rig_pipe(), .fresh = rig_pipe()};
    open_context(&haunt.context);
    plx_watcher *watcher = watch(haunt.context, haunt.ends.read);
    haunt.number = plx__slot_number(&watcher->target.slot);
    REQUIRE(watcher->target.slot.generation == 1);
    haunt.spare = dup(haunt.ends.read);
    close(haunt.ends.read);
    REQUIRE(plx_watcher_remove(watcher) == PLX_OK);
    REQUIRE(look(haunt.context) == 0); /* which frees the slot */
    return haunt;
}

static void haunt_close(struct haunt *haunt)
{
    plx_context_destroy(haunt->context);
    rig_close_ends(haunt->fresh);
    close(haunt->spare);
    close(haunt->ends.write);
    calls_close();
}

/* The next watcher, after so many that its slot has one generation left. */
static plx_watcher *watch_long_after(struct haunt *haunt)
{
    plx_watcher *watcher = watch(haunt->context, haunt->fresh.read);
    REQUIRE(plx__slot_number(&watcher->target.slot) == haunt->number);
    watcher->target.slot.generation = PLX__GENERATION_MAX;
    return watcher;
}

/* The ghost has something to say, under a token that is somebody's by now. */
static void stir_and_look(struct haunt *haunt, const plx_watcher *watcher)
{
    REQUIRE(plx__slot_number(&watcher->target.slot) == haunt->number);
    REQUIRE(watcher->target.slot.generation == 1);
    REQUIRE(write(haunt->ends.write, "!", 1) == 1);
    ck_assert_int_eq(look(haunt->context), 0);
    REQUIRE(write(haunt->fresh.write, "!", 1) == 1);
    ck_assert_int_eq(look(haunt->context), 1);
}

START_TEST(removals_that_use_up_the_generations)
{
    struct haunt haunt = haunt_open();
    REQUIRE(plx_watcher_remove(watch_long_after(&haunt)) == PLX_OK);
    ck_assert_int_eq(look(haunt.context), 0);
    stir_and_look(&haunt, watch(haunt.context, haunt.fresh.read));
    haunt_close(&haunt);
}
END_TEST

/* While there are ghosts, each change has a token of its own. */
START_TEST(changes_that_use_up_the_generations)
{
    struct haunt haunt = haunt_open();
    plx_watcher *watcher = watch_long_after(&haunt);
    REQUIRE(plx_watcher_modify(watcher, PLX_READ | PLX_RDHUP) == PLX_OK);
    ck_assert_int_eq(look(haunt.context), 0);
    stir_and_look(&haunt, watcher);
    haunt_close(&haunt);
}
END_TEST

/* A closed descriptor is its watcher's own report and no reason for the call to fail. */
START_TEST(a_refusal_keeps_its_cause_beside_a_closed_descriptor)
{
    for (int nests = 0; nests <= 1; nests++) {
        plx_context *context;
        struct ends closed = rig_pipe(), open = rig_pipe();
        open_context(&context);
        plx_watcher *watchers[2] = {watch(context, closed.read), watch(context, open.read)};
        close(closed.read);
        for (int i = 0; i < 2; i++) /* the later change is made first */
            REQUIRE(plx_watcher_modify(watchers[i], PLX_READ | PLX_PRI) == PLX_OK);

        calls.refuse = 1;
        calls.cause = ENOMEM;
        errno = 0;
        int code = nests ? plx_context_fd(context) : look(context);
        int cause = errno;
        ck_assert_int_eq(code, PLX_ERR_NOMEM);
        ck_assert_int_eq(cause, ENOMEM);
        ck_assert_int_eq(look(context), 1);
        ck_assert_uint_eq(plx_watcher_triggered(watchers[0]), PLX_ERROR | PLX_READ);
        plx_context_destroy(context);
        close(closed.write);
        rig_close_ends(open);
        calls_close();
    }
}
END_TEST

/* The wait of a nested context looks after the rest before it returns, and so tries again. */
START_TEST(a_wait_that_fails_keeps_its_cause)
{
    unsigned failed = 0;
    for (uint32_t n = 1; n <= 12; n++) {
        struct haunt haunt = haunt_open();
        REQUIRE(plx_context_fd(haunt.context) >= 0);
        watch(haunt.context, haunt.fresh.read);
        REQUIRE(write(haunt.ends.write, "!", 1) == 1);
        calls.refuse = n;
        calls.cause = EMFILE;
        errno = 0;
        int code = look(haunt.context);
        int cause = errno;
        if (code < 0)
            ck_assert_int_eq(cause, EMFILE);
        failed += code < 0;
        haunt_close(&haunt);
    }
    ck_assert_uint_gt(failed, 3);
}
END_TEST

/* The descriptor of a process takes the number that a watcher has lost, or nothing has changed. */
START_TEST(an_add_that_is_refused_leaves_who_has_lost_the_number)
{
    plx_context *context;
    struct ends ends = rig_pipe();
    open_context(&context);
    plx_watcher *lost = watch(context, ends.read);
    close(ends.read);

    calls.refuse = 1;
    calls.cause = ENOMEM;
    ck_assert_int_eq(plx_context_add(context, plx_process(getpid()), PLX_PROCESS, NULL, NULL),
                     PLX_ERR_NOMEM);
    ck_assert(plx_watcher_is_active(lost));
    ck_assert(plx_context_find(context, ends.read) == lost);
    ck_assert_int_eq(fcntl(ends.read, F_GETFD), -1);

    ck_assert_int_eq(plx_context_add(context, plx_process(getpid()), PLX_PROCESS, NULL, NULL),
                     PLX_OK);
    ck_assert(!plx_watcher_is_active(lost));
    ck_assert_uint_eq(plx_context_count(context), 1);
    ck_assert_int_eq(look(context), 0);
    plx_context_destroy(context);
    close(ends.write);
    calls_close();
}
END_TEST

Suite *ghost_suite(void)
{
    Suite *suite = suite_create("ghost");
    TCase *tests = tcase_create("epoll");
    tcase_add_checked_fixture(tests, rig_use_epoll, NULL);
    tcase_add_test(tests, removals_that_use_up_the_generations);
    tcase_add_test(tests, changes_that_use_up_the_generations);
    tcase_add_test(tests, a_refusal_keeps_its_cause_beside_a_closed_descriptor);
    tcase_add_test(tests, a_wait_that_fails_keeps_its_cause);
    tcase_add_test(tests, an_add_that_is_refused_leaves_who_has_lost_the_number);
    suite_add_tcase(suite, tests);
    tests = tcase_create("poll");
    tcase_add_checked_fixture(tests, rig_use_poll, NULL);
    tcase_add_test(tests, an_add_that_is_refused_leaves_who_has_lost_the_number);
    suite_add_tcase(suite, tests);
    return suite;
}
