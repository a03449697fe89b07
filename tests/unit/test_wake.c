/* SPDX-License-Identifier: MIT */
/*
 * test_wake.c: a wake at every moment that lies between two system calls.
 *
 * The threads of tests/stress meet most of these moments by chance; here each is made to happen,
 * because a signal handler may run there.
 */
#include <fcntl.h>
#include <unistd.h>

#include <pollux.h>

#include "require.h"
#include "rig.h"
#include "suites.h"

/* A context with a file, which is ready outside the kernel, and a pipe. */
struct play {
    plx_context *context;
    int outer; /* plx_context_fd(), or -1 */
    int null;
    struct ends ends;
    plx_watcher *file;
    plx_watcher *pipe;
};

static struct play play;
static bool has_come;   /* the wake was called */
static bool is_pending; /* and no wait has ended since */

static void come(void)
{
    REQUIRE(plx_context_wake(play.context) == PLX_OK);
    has_come = is_pending = true;
}

static void play_open(bool is_nested)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    options.backend = rig_backend->id;
    calls_open();
    REQUIRE(plx_context_create(&play.context, &options) == PLX_OK);
    play.outer = is_nested ? plx_context_fd(play.context) : -1;
    play.null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    play.ends = rig_readable_pipe();
    play.file = play.pipe = NULL;
    has_come = is_pending = false;
    calls.intrude = come;
}

static void play_close(void)
{
    plx_context_destroy(play.context);
    rig_close_ends(play.ends);
    close(play.null);
    calls_close();
}

/* --- Steps --- */

static void add_file(void)
{
    REQUIRE(plx_context_add(play.context, plx_fd(play.null), PLX_READ, NULL, &play.file) == PLX_OK);
}

static void remove_file(void)
{
    REQUIRE(plx_watcher_remove(play.file) == PLX_OK);
}

static void add_pipe(void)
{
    REQUIRE(plx_context_add(play.context, plx_fd(play.ends.read), PLX_READ, NULL, &play.pipe) ==
            PLX_OK);
}

static void silence_pipe(void)
{
    REQUIRE(plx_watcher_modify(play.pipe, PLX_PRI) == PLX_OK);
}

static void arm_pipe_once(void)
{
    REQUIRE(plx_watcher_modify(play.pipe, PLX_READ | PLX_ONESHOT) == PLX_OK);
}

static void remove_pipe(void)
{
    REQUIRE(plx_watcher_remove(play.pipe) == PLX_OK);
}

/* Closed and removed while a duplicate lives: epoll needs a fresh queue. */
static void lose_pipe(void)
{
    int duplicate = dup(play.ends.read);
    close(play.ends.read);
    remove_pipe();
    play.ends.read = duplicate;
}

static void look(void)
{
    plx_watcher *ready[4];
    REQUIRE(plx_context_wait(play.context, ready, 4, 0) >= 0);
    is_pending = false;
}

static void look_at_one(void)
{
    plx_watcher *ready[1];
    REQUIRE(plx_context_wait(play.context, ready, 1, 0) >= 0);
    is_pending = false;
}

static void (*const steps[])(void) = {
    look, add_file,    look,          remove_file,  look, add_file, add_pipe, look_at_one,
    look, remove_file, look_at_one,   silence_pipe, look, add_file, look,     arm_pipe_once,
    look, remove_file, arm_pipe_once, lose_pipe,    look, add_pipe, look,     remove_pipe,
};

#define STEPS (sizeof steps / sizeof steps[0])

/* --- What holds --- */

static bool shows(void)
{
    return rig_oracle(play.outer, PLX_READ) == PLX_READ;
}

/* Nothing is ready any more: the next wait ends if a wake is pending, and nothing shows then. */
static void check_end(void)
{
    plx_watcher *ready[1];
    if (is_pending)
        ck_assert_int_eq(plx_context_wait(play.context, ready, 1, PLX_FOREVER), 0);
    ck_assert_int_eq(plx_context_wait(play.context, ready, 1, 0), 0);
    if (play.outer >= 0)
        ck_assert(!shows());
}

/* All steps, with a wake before or after the nth call. False if there are not so many calls. */
static bool play_with(bool is_nested, uint32_t before, uint32_t after)
{
    play_open(is_nested);
    calls.intrude_before = before;
    calls.intrude_after = after;
    for (size_t i = 0; i < STEPS; i++) {
        steps[i]();
        if (is_pending && play.outer >= 0)
            ck_assert_msg(shows(), "step %zu, call %u or %u", i, (unsigned)before, (unsigned)after);
    }
    calls.intrude_before = calls.intrude_after = 0;
    check_end();
    play_close();
    return has_come;
}

static void play_all(bool is_nested)
{
    uint32_t n = 1;
    while (play_with(is_nested, n, 0))
        n++;
    ck_assert_uint_gt(n, STEPS / 2);
    for (n = 1; play_with(is_nested, 0, n); n++)
        continue;
}

START_TEST(a_wake_counts_whenever_it_comes)
{
    play_all(false);
}
END_TEST

START_TEST(a_wake_shows_outside_whenever_it_comes)
{
    play_all(true);
}
END_TEST

/* The sleep is the only call of its wait: there is no moment at which a wake could miss it. */
START_TEST(a_sleep_ends_however_late_the_wake)
{
    plx_watcher *ready[1];
    for (int nested = 0; nested <= (rig_backend->nest != NULL); nested++) {
        play_open(nested);
        calls.intrude_before = 1;
        ck_assert_int_eq(plx_context_wait(play.context, ready, 1, PLX_FOREVER), 0);
        ck_assert(has_come);
        is_pending = false;
        check_end();
        play_close();
    }
}
END_TEST

/* A waker that has said that it comes, and writes only after the owner's next wait. */
START_TEST(a_wake_that_writes_late_shows_once)
{
    play_open(true);
    for (int round = 0; round < 10; round++) {
        calls.intrude = look;
        calls.intrude_before = 1;
        ck_assert_int_eq(plx_context_wake(play.context), PLX_OK);
        look();
        ck_assert(!shows());
    }
    play_close();
}
END_TEST

static TCase *case_of(const char *name, SFun use)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, use, NULL);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_wake_counts_whenever_it_comes);
    tcase_add_test(tests, a_sleep_ends_however_late_the_wake);
    return tests;
}

Suite *wake_suite(void)
{
    Suite *suite = suite_create("wake");
    TCase *epoll = case_of("epoll", rig_use_epoll);
    tcase_add_test(epoll, a_wake_shows_outside_whenever_it_comes);
    tcase_add_test(epoll, a_wake_that_writes_late_shows_once);
    suite_add_tcase(suite, epoll);
    suite_add_tcase(suite, case_of("poll", rig_use_poll));
#ifdef POLLUX_PLAYS_EVENT_PORTS
    TCase *event_ports = case_of("event_ports", rig_use_event_ports);
    tcase_add_test(event_ports, a_wake_shows_outside_whenever_it_comes);
    tcase_add_test(event_ports, a_wake_that_writes_late_shows_once);
    suite_add_tcase(suite, event_ports);
#endif
    return suite;
}
