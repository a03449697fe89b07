/* SPDX-License-Identifier: MIT */
/*
 * test_arrival.c: what threads and signal handlers bring, at every moment that lies between two
 * steps of the owner; and what the owner does at every moment of theirs.
 *
 * The threads of tests/stress meet some of these moments by chance. Here one thread plays both
 * parts, and each moment is made to happen.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pollux.h>

#include "require.h"
#include "rig.h"
#include "steps.h"
#include "src/base/tuning.h"
#include "suites.h"

enum { A, B, C, WATCHERS }; /* B is a one-shot; C comes and goes */
enum { TASKS = 8 };
enum is_up { DOWN, UP, MAYBE };

/* A context, and what is known of it. */
struct play {
    plx_context *context;
    int outer; /* plx_context_fd(), or -1 */
    plx_watcher *watchers[WATCHERS];
    enum is_up is_up[WATCHERS];
    bool is_armed[WATCHERS];
    bool is_told[WATCHERS]; /* by the wait or turn that is going on */
    unsigned posted;
    unsigned ran;
    bool has_run[TASKS];
    bool has_come; /* the intruder, */
    bool is_late;  /* and not before the kernel was called */
};

static struct play play;

/* --- What is told --- */

static void called(plx_watcher *watcher, uint32_t triggered, void *data)
{
    REQUIRE(triggered == PLX_NOTIFY && data != NULL);
    for (int who = 0; who < WATCHERS; who++) {
        if (play.watchers[who] == watcher)
            play.is_told[who] = true;
    }
}

static void task(plx_context *context, void *data)
{
    REQUIRE(context == play.context);
    bool *has_run = data;
    REQUIRE(!*has_run);
    *has_run = true;
    play.ran++;
}

/* --- What others do --- */

static void raise_one(int who)
{
    REQUIRE(plx_watcher_notify(play.watchers[who]) == PLX_OK);
    play.is_up[who] = UP;
}

static void raise_a(void)
{
    raise_one(A);
}

static void raise_a_and_b(void)
{
    raise_one(B);
    raise_one(A);
}

static void post(void)
{
    bool *mine = &play.has_run[play.posted++];
    REQUIRE(plx_context_post(play.context, task, mine) == PLX_OK);
}

/* --- What the owner does --- */

static void add(int who, uint32_t modes)
{
    REQUIRE(plx_context_on(play.context, plx_notify(), PLX_NOTIFY | modes, called, &play,
                           &play.watchers[who]) == PLX_OK);
    play.is_up[who] = DOWN;
    play.is_armed[who] = true;
}

static void add_c(void)
{
    add(C, 0);
}

static void raise_c(void)
{
    raise_one(C);
}

static void remove_one(int who)
{
    plx_watcher *watcher = play.watchers[who];
    play.watchers[who] = NULL;
    play.is_up[who] = DOWN;
    REQUIRE(plx_watcher_remove(watcher) == PLX_OK);
}

static void remove_c(void)
{
    remove_one(C);
}

/* Whoever is raised meanwhile may be up or not. */
static void clear_one(int who)
{
    play.is_up[who] = DOWN;
    REQUIRE(plx_watcher_clear(play.watchers[who]) == PLX_OK);
    if (play.is_up[who] == UP)
        play.is_up[who] = MAYBE;
}

static void clear_a(void)
{
    clear_one(A);
}

static void clear_b(void)
{
    clear_one(B);
}

static void arm_b(void)
{
    play.is_armed[B] = true;
    REQUIRE(plx_watcher_modify(play.watchers[B], PLX_NOTIFY | PLX_ONESHOT) == PLX_OK);
}

/* Who was up before has to be told, who is not up now must not be. */
static void compare(const enum is_up *before)
{
    for (int who = 0; who < WATCHERS; who++) {
        bool is_told = play.is_told[who];
        if (play.is_armed[who])
            ck_assert_msg(before[who] != UP || is_told, "%d was not told", who);
        ck_assert_msg(!is_told || (play.is_armed[who] && play.is_up[who] != DOWN), "%d was told",
                      who);
        if (play.is_up[who] == MAYBE && play.is_armed[who])
            play.is_up[who] = is_told ? UP : DOWN;
        if (who == B && is_told)
            play.is_armed[B] = false;
        play.is_told[who] = false;
    }
}

static void keep(enum is_up *before)
{
    for (int who = 0; who < WATCHERS; who++)
        before[who] = play.is_up[who];
}

static void wait_for(plx_duration timeout)
{
    plx_watcher *ready[8];
    enum is_up before[WATCHERS];
    keep(before);
    int count = plx_context_wait(play.context, ready, 8, timeout);
    REQUIRE(count >= 0);
    for (int i = 0; i < count; i++)
        called(ready[i], plx_watcher_triggered(ready[i]), plx_watcher_data(ready[i]));
    REQUIRE(count == play.is_told[A] + play.is_told[B] + play.is_told[C]);
    compare(before);
}

static void look(void)
{
    wait_for(0);
}

/* A turn has room for all, except in the hostile build. */
#define TURNS ((WATCHERS + PLX__TURN - 1) / PLX__TURN)

static void turn(void)
{
    unsigned posted = play.posted;
    enum is_up before[WATCHERS];
    keep(before);
    for (int i = 0; i < TURNS; i++)
        REQUIRE(plx_context_turn(play.context, 0) >= 0);
    compare(before);
    REQUIRE(play.ran >= posted);
}

/* --- What holds --- */

static bool shows(void)
{
    return rig_oracle(play.outer, PLX_READ) == PLX_READ;
}

static bool is_due(void)
{
    bool is_due = play.posted > play.ran;
    for (int who = 0; who < WATCHERS; who++)
        is_due |= play.is_armed[who] && play.is_up[who] == UP;
    return is_due;
}

static bool is_certain(void)
{
    bool is_certain = true;
    for (int who = 0; who < WATCHERS; who++)
        is_certain &= !play.is_armed[who] || play.is_up[who] != MAYBE;
    return is_certain;
}

/* The nested descriptor shows what the next wait or turn will tell, and nothing else. */
static void check_outside(void)
{
    if (play.outer >= 0 && is_certain())
        ck_assert_msg(shows() == is_due(), "it shows %s", is_due() ? "nothing" : "for nothing");
}

/* What comes just when the owner takes it may show once for nothing, until the next turn. */
static void settle(void)
{
    if (play.outer < 0)
        return;
    ck_assert_msg(shows() || !is_due(), "it shows nothing");
    turn();
}

/* All is told and cleared, and then it is quiet. */
static void check_end(void)
{
    steps.before = 0;
    turn();
    look();
    clear_a();
    clear_b();
    look();
    ck_assert_uint_eq(play.ran, play.posted);
    plx_watcher *ready[1];
    ck_assert_int_eq(plx_context_wait(play.context, ready, 1, 0), 0);
    check_outside();
}

static void play_open(bool is_nested)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    options.backend = rig_backend->id;
    play = (struct play){.outer = -1};
    steps = (struct steps){.intrude = NULL};
    calls_open();
    REQUIRE(plx_context_create(&play.context, &options) == PLX_OK);
    if (is_nested)
        play.outer = plx_context_fd(play.context);
    add(A, 0);
    add(B, PLX_ONESHOT);
}

static void play_close(void)
{
    plx_context_destroy(play.context);
    calls_close();
}

/* --- Somebody comes while the owner works --- */

static void (*const script[])(void) = {
    look,    raise_a, look,     clear_a, look,    raise_a,  clear_a, look,          add_c,
    raise_c, look,    remove_c, add_c,   raise_c, remove_c, turn,    raise_a_and_b, turn,
    clear_a, clear_b, arm_b,    look,    post,    look,     turn,    raise_a_and_b, look,
    arm_b,   turn,    clear_b,  arm_b,   clear_a, turn,
};

static void (*visit)(void);

static void come(void)
{
    play.has_come = true;
    visit();
}

/* False if there are not so many steps. */
static bool play_script(bool is_nested, uint32_t before)
{
    play_open(is_nested);
    steps.intrude = come;
    steps.before = before;
    for (size_t i = 0; i < sizeof script / sizeof script[0]; i++) {
        bool has_come = play.has_come;
        script[i]();
        if (has_come != play.has_come)
            settle();
        check_outside();
    }
    check_end();
    play_close();
    return play.has_come;
}

static void play_all(bool is_nested)
{
    static void (*const visits[])(void) = {raise_a, raise_a_and_b, post};
    for (size_t i = 0; i < sizeof visits / sizeof visits[0]; i++) {
        uint32_t n = 1;
        visit = visits[i];
        while (play_script(is_nested, n))
            n++;
        ck_assert_uint_gt(n, 50);
    }
}

START_TEST(what_is_brought_counts_whenever_it_comes)
{
    play_all(false);
}
END_TEST

START_TEST(what_is_brought_shows_outside_whenever_it_comes)
{
    play_all(true);
}
END_TEST

static void come_late(void)
{
    play.is_late = !play.has_come;
    if (play.is_late)
        come();
}

/* The last moment at which it can come is that of the call in which the owner sleeps. */
static bool sleep_with(bool is_nested, uint32_t before)
{
    play_open(is_nested);
    raise_a();
    clear_a(); /* it is still among the arrivals */
    steps.intrude = come;
    steps.before = before;
    calls.intrude = come_late;
    calls.intrude_before = 1;
    wait_for(PLX_FOREVER);
    bool is_late = play.is_late;
    calls.intrude_before = 0;
    check_end();
    play_close();
    return !is_late;
}

START_TEST(a_sleep_ends_whenever_it_comes)
{
    static void (*const visits[])(void) = {raise_a, raise_a_and_b, post};
    for (int nested = 0; nested <= (rig_backend->nest != NULL); nested++) {
        for (size_t i = 0; i < sizeof visits / sizeof visits[0]; i++) {
            visit = visits[i];
            for (uint32_t n = 1; sleep_with(nested, n); n++)
                continue;
        }
    }
}
END_TEST

/* --- The owner comes while somebody brings something --- */

/* B is among the arrivals when A is raised, which others may see at any moment of it. */
static bool raise_with(bool is_nested, uint32_t before)
{
    play_open(is_nested);
    add_c();
    raise_one(B);
    raise_c();
    play.is_up[A] = MAYBE;
    steps.intrude = come;
    steps.before = before;
    REQUIRE(plx_watcher_notify(play.watchers[A]) == PLX_OK);
    steps.before = 0;
    play.is_up[A] = play.has_come && visit == clear_a ? MAYBE : UP;
    check_outside();
    if (play.watchers[C])
        remove_c();
    look();
    check_end();
    play_close();
    return play.has_come;
}

START_TEST(the_owner_may_come_while_one_is_raised)
{
    static void (*const visits[])(void) = {look, turn, clear_a, clear_b, arm_b, remove_c};
    for (int nested = 0; nested <= (rig_backend->nest != NULL); nested++) {
        for (size_t i = 0; i < sizeof visits / sizeof visits[0]; i++) {
            uint32_t n = 1;
            visit = visits[i];
            while (raise_with(nested, n))
                n++;
            ck_assert_uint_gt(n, 4);
        }
    }
}
END_TEST

/* The task counts as posted when the call has returned; until then it may run or not. */
static bool post_with(bool is_nested, uint32_t before)
{
    play_open(is_nested);
    steps.intrude = come;
    steps.before = before;
    REQUIRE(plx_context_post(play.context, task, &play.has_run[0]) == PLX_OK);
    play.posted = 1;
    steps.before = 0;
    if (play.ran == 0)
        check_outside();
    check_end();
    play_close();
    return play.has_come;
}

START_TEST(the_owner_may_come_while_one_posts)
{
    static void (*const visits[])(void) = {look, turn};
    for (int nested = 0; nested <= (rig_backend->nest != NULL); nested++) {
        for (size_t i = 0; i < sizeof visits / sizeof visits[0]; i++) {
            uint32_t n = 1;
            visit = visits[i];
            while (post_with(nested, n))
                n++;
            ck_assert_uint_gt(n, 2);
        }
    }
}
END_TEST

/* --- A process is made in between --- */

/* What was up is up, and all of it can be raised and cleared as ever. */
static void live_as_child(void)
{
    play.posted = play.ran = 0;
    REQUIRE(plx_context_after_fork(play.context) == PLX_OK);
    look();
    for (int round = 0; round < 2; round++) {
        raise_a();
        look();
        clear_a();
        look();
    }
    play.posted = TASKS - 1; /* what was the parent's does not run */
    play.ran = TASKS - 1;
    post();
    check_end();
    _exit(EXIT_SUCCESS);
}

static void fork_a_child(void)
{
    int status = 0;
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0)
        live_as_child();
    REQUIRE(waitpid(child, &status, 0) == child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS, "in the child");
}

/* The wait that stays in the parent may have had the one-shot's report in hand. */
static void finish_taking(void)
{
    play.is_up[B] = MAYBE;
    look();
}

static void finish_raising(void)
{
    play.is_up[A] = MAYBE;
    REQUIRE(plx_watcher_notify(play.watchers[A]) == PLX_OK);
    play.is_up[A] = UP;
}

static void finish_posting(void)
{
    REQUIRE(plx_context_post(play.context, task, &play.has_run[0]) == PLX_OK);
    play.posted = 1;
}

static bool fork_with(void (*finish)(void), uint32_t before)
{
    play_open(false);
    raise_one(B);
    if (finish == finish_taking)
        raise_a();
    steps.intrude = come;
    steps.before = before;
    finish();
    steps.before = 0;
    check_end();
    play_close();
    return play.has_come;
}

START_TEST(a_child_is_whole_whenever_it_is_made)
{
    static void (*const works[])(void) = {finish_taking, finish_raising, finish_posting};
    visit = fork_a_child;
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        uint32_t n = 1;
        while (fork_with(works[i], n))
            n++;
        ck_assert_uint_gt(n, 2);
    }
}
END_TEST

static TCase *case_of(const char *name, SFun use)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, use, NULL);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_is_brought_counts_whenever_it_comes);
    tcase_add_test(tests, a_sleep_ends_whenever_it_comes);
    tcase_add_test(tests, the_owner_may_come_while_one_is_raised);
    tcase_add_test(tests, the_owner_may_come_while_one_posts);
    tcase_add_test(tests, a_child_is_whole_whenever_it_is_made);
    return tests;
}

Suite *arrival_suite(void)
{
    Suite *suite = suite_create("arrival");
    TCase *epoll = case_of("epoll", rig_use_epoll);
    tcase_add_test(epoll, what_is_brought_shows_outside_whenever_it_comes);
    suite_add_tcase(suite, epoll);
    suite_add_tcase(suite, case_of("poll", rig_use_poll));
    return suite;
}
