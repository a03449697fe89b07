/* SPDX-License-Identifier: MIT */
/* time.c: waits last as long as they were told to: never less, however long (S13). */
#include "cases.h"

static void expect_lasts(struct scene *scene, plx_duration duration)
{
    plx_duration started = now();

    CHECK_EQUAL(wait_for(scene, duration), 0);
    CHECK(now() - started >= duration);
}

void time_empty_context_sleeps(struct scene *scene)
{
    expect_lasts(scene, PLX_MS(50));
    EXPECT_NO_SPIN(scene);
}

void time_zero_looks_once(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    CHECK_EQUAL(look(scene), 0);
    say(&ends);
    CHECK_EQUAL(look(scene), 1);
    CHECK(scene->ready[0] == watcher);
}

void time_is_never_cut_short(struct scene *scene)
{
    static const plx_duration durations[] = {
        PLX_NS(1), PLX_NS(999),     PLX_US(1),    PLX_US(50),      PLX_US(300), PLX_NS(999999),
        PLX_MS(1), PLX_NS(1000001), PLX_US(1500), PLX_NS(1999999), PLX_MS(7),   PLX_NS(20500001)};

    watch(scene, stream_pair(scene).here, PLX_READ);
    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        for (int repeat = 0; repeat < 5; repeat++)
            expect_lasts(scene, durations[i]);
    }
}

void time_ready_ends_a_long_wait(struct scene *scene)
{
    plx_watcher *watcher = watch(scene, stream_pair(scene).here, PLX_WRITE);

    CHECK_EQUAL(wait_for(scene, PLX_SECONDS(158913790)), 1);
    CHECK_EQUAL(wait_for(scene, INT64_MAX), 1);
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
    CHECK(scene->ready[0] == watcher);
}

struct sleeper {
    plx_context *context;
    long thread;
    struct ends ends;
};

static void wake_sleeper(void *argument)
{
    struct sleeper *sleeper = argument;

    until_asleep(sleeper->thread);
    plx_context_wake(sleeper->context);
}

static void write_to_sleeper(void *argument)
{
    struct sleeper *sleeper = argument;

    until_asleep(sleeper->thread);
    say(&sleeper->ends);
}

void time_huge_waits_are_waits(struct scene *scene)
{
    static const plx_duration durations[] = {PLX_MS(INT64_C(2147483647)),
                                             PLX_MS(INT64_C(2147483648)),
                                             PLX_MS(INT64_C(4294967296)),
                                             PLX_SECONDS(25 * 86400),
                                             PLX_SECONDS(2147483647),
                                             PLX_SECONDS(158913790),
                                             PLX_SECONDS(INT64_C(4294967296)),
                                             INT64_MAX - 1,
                                             INT64_MAX,
                                             PLX_FOREVER};
    struct sleeper sleeper = {scene->context, thread_self(), {0, 0}};

    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        struct thread *thread = thread_start(wake_sleeper, &sleeper);

        CHECK_EQUAL(wait_for(scene, durations[i]), 0);
        thread_join(thread);
    }
    EXPECT_QUIET(scene);
}

void time_data_ends_an_endless_wait(struct scene *scene)
{
    struct sleeper sleeper = {scene->context, thread_self(), stream_pair(scene)};
    plx_watcher *watcher = watch(scene, sleeper.ends.here, PLX_READ);
    struct thread *thread = thread_start(write_to_sleeper, &sleeper);

    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
    CHECK(scene->ready[0] == watcher);
    thread_join(thread);
}

void time_watchers_that_stay_quiet_do_not_shorten(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    watch(scene, always_ready(scene), PLX_ERROR);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_RDHUP));
    expect_lasts(scene, PLX_MS(30));
    CHECK_OK(plx_watcher_remove(watcher));
    expect_lasts(scene, PLX_MS(30));
}

#if SUPPORT_HAS_SIGNALS

#include <signal.h>

static volatile sig_atomic_t interruptions;
static volatile sig_atomic_t handler_socket;

static void count_interruption(int signal)
{
    (void)signal;
    interruptions++;
}

static void write_from_handler(int signal)
{
    (void)signal;
    put(handler_socket);
}

static void expect_interruptions_ignored(struct scene *scene, bool restart)
{
    interruptions = 0;
    alarm_start(PLX_MS(5), PLX_MS(5), count_interruption, restart);
    expect_lasts(scene, PLX_MS(100));
    alarm_stop();
    CHECK(interruptions > 0);
}

void time_goes_on_after_signals(struct scene *scene)
{
    expect_interruptions_ignored(scene, false);
    expect_interruptions_ignored(scene, true);
    watch(scene, stream_pair(scene).here, PLX_READ);
    expect_interruptions_ignored(scene, false);
}

void time_endless_wait_survives_signals(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    handler_socket = ends.there;
    alarm_start(PLX_MS(20), 0, write_from_handler, false);
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
    alarm_stop();
    CHECK(scene->ready[0] == watcher);
    CHECK_EVENTS(plx_watcher_triggered(watcher), PLX_READ);
}

#endif
