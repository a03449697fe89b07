/* SPDX-License-Identifier: MIT */
/*
 * notify.c: watchers that are raised by the program itself, from whatever thread or signal handler,
 * and stay ready until they are cleared.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "cases.h"

static plx_watcher *add_notify(struct scene *scene, uint32_t modes)
{
    plx_watcher *watcher = NULL;

    CHECK_OK(plx_context_add(scene->context, plx_notify(), PLX_NOTIFY | modes, NULL, &watcher));
    CHECK(watcher != NULL);
    return watcher;
}

static plx_watcher *add_raised(struct scene *scene, uint32_t modes)
{
    plx_watcher *watcher = add_notify(scene, modes);

    CHECK_OK(plx_watcher_notify(watcher));
    return watcher;
}

/* --- Raised and cleared --- */

void notify_is_level_until_cleared(struct scene *scene)
{
    plx_watcher *watcher = add_notify(scene, 0);

    EXPECT_QUIET(scene);
    for (int round = 0; round < 3; round++) {
        CHECK_OK(plx_watcher_notify(watcher));
        EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
        EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
        CHECK_OK(plx_watcher_clear(watcher));
        EXPECT_NO_SPIN(scene);
    }
}

void notify_coalesces(struct scene *scene)
{
    plx_watcher *watcher = add_notify(scene, 0);

    for (int i = 0; i < 100000; i++)
        CHECK_OK(plx_watcher_notify(watcher));
    EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
    for (int i = 0; i < 1000; i++)
        CHECK_OK(plx_watcher_notify(watcher));
    CHECK_OK(plx_watcher_clear(watcher));
    EXPECT_NO_SPIN(scene);
}

void notify_cleared_before_the_wait(struct scene *scene)
{
    plx_watcher *watcher = add_raised(scene, 0);

    CHECK_OK(plx_watcher_clear(watcher));
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_clear(watcher));
    EXPECT_QUIET(scene);
}

void notify_after_a_clear_counts(struct scene *scene)
{
    plx_watcher *watcher = add_raised(scene, 0);

    CHECK_OK(plx_watcher_clear(watcher));
    CHECK_OK(plx_watcher_notify(watcher));
    EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
    CHECK_OK(plx_watcher_clear(watcher));
    CHECK_OK(plx_watcher_notify(watcher));
    CHECK_OK(plx_watcher_clear(watcher));
    EXPECT_QUIET(scene);
}

void notify_oneshot_is_told_once(struct scene *scene)
{
    plx_watcher *watcher = add_raised(scene, PLX_ONESHOT);

    EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_clear(watcher));
    CHECK_OK(plx_watcher_notify(watcher));
    EXPECT_QUIET(scene);
    CHECK(plx_watcher_is_active(watcher));
    CHECK_OK(plx_watcher_modify(watcher, PLX_NOTIFY | PLX_ONESHOT));
    EXPECT_REPORT(scene, watcher, PLX_NOTIFY); /* it is still up */
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_clear(watcher));
    CHECK_OK(plx_watcher_modify(watcher, PLX_NOTIFY | PLX_ONESHOT));
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_notify(watcher));
    EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
}

void notify_modify_changes_the_mode(struct scene *scene)
{
    plx_watcher *watcher = add_raised(scene, PLX_ONESHOT);

    EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
    CHECK_OK(plx_watcher_modify(watcher, PLX_NOTIFY));
    EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
    EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
    CHECK_OK(plx_watcher_modify(watcher, PLX_NOTIFY | PLX_ONESHOT));
    CHECK_EVENTS(plx_watcher_events(watcher), PLX_NOTIFY | PLX_ONESHOT);
    EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
    EXPECT_QUIET(scene);
}

void notify_does_not_hide_a_wake(struct scene *scene)
{
    plx_watcher *watcher = add_raised(scene, 0);

    CHECK_OK(plx_context_wake(scene->context));
    EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
    CHECK_OK(plx_watcher_clear(watcher));
    EXPECT_QUIET(scene); /* the wake ended the wait before */
}

/* --- Who may --- */

static void refused_for(struct scene *scene, plx_handle handle, uint32_t events)
{
    plx_watcher *watcher = NULL;

    CHECK_OK(plx_context_add(scene->context, handle, events, NULL, &watcher));
    CHECK_CODE(plx_watcher_notify(watcher), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_clear(watcher), PLX_ERR_INVALID);
    CHECK_OK(plx_watcher_remove(watcher));
}

void notify_of_other_kinds_is_refused(struct scene *scene)
{
    refused_for(scene, plx_fd(stream_pair(scene).here), PLX_READ);
    refused_for(scene, plx_fd(always_ready(scene)), PLX_READ);
    refused_for(scene, plx_timer(PLX_FOREVER, 0), PLX_TIMER);
    CHECK_CODE(plx_watcher_notify(NULL), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_clear(NULL), PLX_ERR_INVALID);
    EXPECT_QUIET(scene);
}

void notify_events_are_checked(struct scene *scene)
{
    static const uint32_t bad[] = {
        0,         PLX_READ,    PLX_NOTIFY | PLX_READ,  PLX_NOTIFY | PLX_EDGE,  PLX_ONESHOT,
        PLX_TIMER, PLX_PROCESS, PLX_NOTIFY | PLX_TIMER, PLX_NOTIFY | PLX_ERROR, 0x1000 | PLX_NOTIFY,
    };
    plx_watcher *raised = add_raised(scene, PLX_ONESHOT), *watcher = NULL;
    plx_handle odd = plx_notify();

    EXPECT_REPORT(scene, raised, PLX_NOTIFY);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        CHECK_CODE(plx_context_add(scene->context, plx_notify(), bad[i], NULL, &watcher),
                   PLX_ERR_INVALID);
        CHECK_CODE(plx_watcher_modify(raised, bad[i]), PLX_ERR_INVALID);
    }
    odd.reserved = 1;
    CHECK_CODE(plx_context_add(scene->context, odd, PLX_NOTIFY, NULL, &watcher), PLX_ERR_INVALID);
    CHECK(watcher == NULL);
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    EXPECT_QUIET(scene); /* a refused modify does not arm */
}

void notify_is_asked_like_others(struct scene *scene)
{
    plx_watcher *watcher = add_notify(scene, 0);
    int status;

    CHECK_EQUAL(plx_watcher_handle(watcher).kind, PLX_HANDLE_NOTIFY);
    CHECK(plx_watcher_context(watcher) == scene->context);
    CHECK_EVENTS(plx_watcher_events(watcher), PLX_NOTIFY);
    CHECK_EVENTS(plx_watcher_triggered(watcher), 0);
    CHECK_OK(plx_watcher_notify(watcher));
    EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
    CHECK_EQUAL(plx_watcher_count(watcher), 0);
    CHECK_CODE(plx_watcher_again(watcher, 1), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_exit_status(watcher, &status), PLX_ERR_INVALID);
    plx_watcher_set_data(watcher, scene);
    CHECK(plx_watcher_data(watcher) == scene);
    CHECK(plx_backend_supports(scene->backend, PLX_NOTIFY));
}

void notify_twice_is_two_watchers(struct scene *scene)
{
    plx_watcher *first = add_notify(scene, 0), *second = add_notify(scene, 0);

    CHECK(first != second);
    CHECK_EQUAL(plx_context_count(scene->context), 2);
    CHECK_OK(plx_watcher_notify(second));
    EXPECT_REPORT(scene, second, PLX_NOTIFY);
    CHECK_OK(plx_watcher_notify(first));
    CHECK_EQUAL(wait_for(scene, PATIENCE), 2);
    CHECK_OK(plx_watcher_clear(second));
    EXPECT_REPORT(scene, first, PLX_NOTIFY);
}

/* --- Removal --- */

void notify_removed_is_inactive(struct scene *scene)
{
    plx_watcher *watcher = add_raised(scene, 0);

    EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
    CHECK_OK(plx_watcher_remove(watcher));
    CHECK_EVENTS(plx_watcher_triggered(watcher), 0);
    CHECK_CODE(plx_watcher_notify(watcher), PLX_ERR_INACTIVE);
    CHECK_CODE(plx_watcher_clear(watcher), PLX_ERR_INACTIVE);
    CHECK_CODE(plx_watcher_modify(watcher, PLX_NOTIFY), PLX_ERR_INACTIVE);
    EXPECT_NO_SPIN(scene);
    CHECK_CODE(plx_watcher_notify(watcher), PLX_ERR_INACTIVE); /* nobody has its place yet */
    EXPECT_QUIET(scene);
}

void notify_removed_before_it_was_told(struct scene *scene)
{
    plx_watcher *first = add_raised(scene, 0), *second = add_raised(scene, 0);

    CHECK_OK(plx_watcher_remove(first));
    EXPECT_REPORT(scene, second, PLX_NOTIFY);
    CHECK_OK(plx_watcher_remove(second));
    EXPECT_QUIET(scene);
}

void notify_removed_in_the_batch(struct scene *scene)
{
    plx_watcher *watchers[] = {add_raised(scene, 0), add_raised(scene, 0)};
    int left;

    CHECK_EQUAL(wait_for(scene, PATIENCE), 2);
    left = scene->ready[0] == watchers[0];
    CHECK_OK(plx_watcher_remove(scene->ready[1]));
    CHECK_EVENTS(plx_watcher_triggered(scene->ready[1]), 0);
    CHECK_EVENTS(plx_watcher_triggered(scene->ready[0]), PLX_NOTIFY);
    EXPECT_REPORT(scene, watchers[!left], PLX_NOTIFY);
}

/* Nothing of a watcher is left to the one that gets its memory. */
void notify_place_is_given_on_clean(struct scene *scene)
{
    for (int round = 0; round < 300; round++) {
        plx_watcher *watcher = add_raised(scene, round % 2 ? PLX_ONESHOT : 0), *heir;

        if (round % 3)
            CHECK_EQUAL(look(scene), 1);
        CHECK_OK(plx_watcher_remove(watcher));
        CHECK_EQUAL(look(scene), 0);
        heir = add_notify(scene, 0);
        CHECK_EQUAL(look(scene), 0);
        CHECK_OK(plx_watcher_notify(heir));
        EXPECT_REPORT(scene, heir, PLX_NOTIFY);
        CHECK_OK(plx_watcher_remove(heir));
    }
    CHECK_EQUAL(plx_context_count(scene->context), 0);
}

void notify_destroyed_while_raised(struct scene *scene)
{
    plx_context *context = another_context(scene);

    for (int i = 0; i < 100; i++) {
        plx_watcher *watcher;

        CHECK_OK(plx_context_add(context, plx_notify(), PLX_NOTIFY, NULL, &watcher));
        CHECK_OK(plx_watcher_notify(watcher));
        if (i == 50)
            CHECK_EQUAL(plx_context_wait(context, scene->ready, 8, 0), 8);
        if (i % 10 == 0)
            CHECK_OK(plx_watcher_remove(watcher));
    }
    plx_context_destroy(context);
}

void notify_stays_in_its_context(struct scene *scene)
{
    plx_context *other = another_context(scene);
    plx_watcher *here = add_notify(scene, 0), *there, *ready[2];

    CHECK_OK(plx_context_add(other, plx_notify(), PLX_NOTIFY, NULL, &there));
    CHECK_OK(plx_watcher_notify(there));
    EXPECT_QUIET(scene);
    CHECK_EQUAL(plx_context_wait(other, ready, 2, PATIENCE), 1);
    CHECK(ready[0] == there);
    plx_context_destroy(other);
    CHECK_OK(plx_watcher_notify(here));
    EXPECT_REPORT(scene, here, PLX_NOTIFY);
}

/* --- Other threads, signal handlers --- */

struct caller {
    plx_watcher *watcher;
    long main_thread;
    int code;
};

static void notify_when_asleep(void *argument)
{
    struct caller *caller = argument;

    until_asleep(caller->main_thread);
    caller->code = plx_watcher_notify(caller->watcher);
}

void notify_from_a_thread_ends_a_sleep(struct scene *scene)
{
    struct caller caller = {add_notify(scene, 0), thread_self(), PLX_ERR_SYSTEM};

    watch(scene, stream_pair(scene).here, PLX_READ);
    for (int i = 0; i < 10; i++) {
        struct thread *thread = thread_start(notify_when_asleep, &caller);

        CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
        CHECK(scene->ready[0] == caller.watcher);
        thread_join(thread);
        CHECK_OK(caller.code);
        CHECK_OK(plx_watcher_clear(caller.watcher));
        EXPECT_QUIET(scene);
    }
}

#define QUESTIONS (5 * SUPPORT_MANY)

struct exchange {
    plx_watcher *watcher;
    atomic_int asked;
    atomic_int answered;
};

static void answer_by_notify(void *argument)
{
    struct exchange *exchange = argument;

    for (int i = 1; i <= QUESTIONS; i++) {
        while (atomic_load(&exchange->asked) < i)
            continue;
        atomic_store(&exchange->answered, i);
        plx_watcher_notify(exchange->watcher);
    }
}

/* The notifier stores, then raises; the waiter clears, then looks. No order of the two may hang. */
void notify_is_never_lost(struct scene *scene)
{
    struct exchange exchange = {add_notify(scene, 0), 0, 0};
    struct thread *thread = thread_start(answer_by_notify, &exchange);

    for (int i = 1; i <= QUESTIONS; i++) {
        atomic_store(&exchange.asked, i);
        while (atomic_load(&exchange.answered) < i) {
            CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
            CHECK_OK(plx_watcher_clear(exchange.watcher));
        }
    }
    thread_join(thread);
}

#if SUPPORT_HAS_SIGNALS

static plx_watcher *handlers_watcher;
static atomic_int handlers_code;
static atomic_int handlers_errno;

static void notify_from_handler(int signal)
{
    int saved = errno;

    (void)signal;
    errno = EXDEV;
    atomic_store(&handlers_code, plx_watcher_notify(handlers_watcher));
    atomic_store(&handlers_errno, errno);
    errno = saved;
}

void notify_from_a_signal_handler(struct scene *scene)
{
    handlers_watcher = add_notify(scene, 0);
    for (int i = 0; i < 5; i++) {
        atomic_store(&handlers_code, PLX_ERR_SYSTEM);
        alarm_start(PLX_MS(10), 0, notify_from_handler, i % 2);
        CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
        alarm_stop();
        CHECK(scene->ready[0] == handlers_watcher);
        CHECK_OK(atomic_load(&handlers_code));
        CHECK_EQUAL(atomic_load(&handlers_errno), EXDEV);
        CHECK_OK(plx_watcher_clear(handlers_watcher));
        EXPECT_QUIET(scene);
    }
}

void notify_storm_from_a_signal_handler(struct scene *scene)
{
    plx_duration deadline = now() + PLX_MS(100);

    handlers_watcher = add_notify(scene, 0);
    alarm_start(PLX_US(200), PLX_US(200), notify_from_handler, false);
    while (now() < deadline) {
        CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
        CHECK_OK(plx_watcher_clear(handlers_watcher));
    }
    alarm_stop();
    CHECK_OK(plx_watcher_clear(handlers_watcher));
    EXPECT_QUIET(scene);
}

#endif

/* --- Many, and beside others --- */

void notify_is_told_in_order_of_arrival(struct scene *scene)
{
    enum { COUNT = 32 };
    plx_watcher *watchers[COUNT];

    for (int i = 0; i < COUNT; i++)
        watchers[i] = add_notify(scene, PLX_ONESHOT);
    for (int i = 0; i < COUNT; i++)
        CHECK_OK(plx_watcher_notify(watchers[i * 13 % COUNT]));
    CHECK_EQUAL(wait_for(scene, PATIENCE), COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK(scene->ready[i] == watchers[i * 13 % COUNT]);
}

/* How often each of many was told, in waits that are as full as they can be. */
static void take_each_once(struct scene *scene, int count)
{
    for (int left = count; left > 0; left -= scene->count) {
        CHECK_EQUAL(look(scene), left < SCENE_CAPACITY ? left : SCENE_CAPACITY);
        for (int i = 0; i < scene->count; i++) {
            unsigned char *times = plx_watcher_data(scene->ready[i]);

            CHECK_EQUAL((*times)++, 0);
            CHECK_OK(plx_watcher_clear(scene->ready[i]));
        }
    }
    EXPECT_QUIET(scene);
}

void notify_ten_thousand(struct scene *scene)
{
    enum { COUNT = 10000 };
    static plx_watcher *watchers[COUNT];
    static unsigned char times[COUNT];

    for (int i = 0; i < COUNT; i++) {
        times[i] = 0;
        CHECK_OK(
            plx_context_add(scene->context, plx_notify(), PLX_NOTIFY, &times[i], &watchers[i]));
    }
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_notify(watchers[7777]));
    EXPECT_REPORT(scene, watchers[7777], PLX_NOTIFY);
    for (int i = 0; i < COUNT; i++)
        CHECK_OK(plx_watcher_notify(watchers[i]));
    take_each_once(scene, COUNT);
}

/* Watchers that stay ready, one of each source; `times` counts their reports. */
struct crowd {
    plx_watcher *kernel, *file, *timer, *notify;
    int times[4];
};

static struct crowd crowd_of(struct scene *scene)
{
    struct crowd crowd = {NULL, NULL, NULL, add_raised(scene, 0), {0}};

    crowd.kernel = watch(scene, stream_pair(scene).here, PLX_WRITE);
    crowd.file = watch(scene, always_ready(scene), PLX_READ);
    CHECK_OK(plx_context_add(scene->context, plx_timer(0, 1), PLX_TIMER, NULL, &crowd.timer));
    return crowd;
}

static void count_reports(struct scene *scene, struct crowd *crowd, int capacity, int waits)
{
    plx_watcher *const members[] = {crowd->kernel, crowd->file, crowd->timer, crowd->notify};

    for (int wait = 0; wait < waits; wait++) {
        scene->count = plx_context_wait(scene->context, scene->ready, capacity, PATIENCE);
        CHECK_EQUAL(scene->count, capacity);
        for (size_t i = 0; i < COUNT_OF(members); i++)
            crowd->times[i] += was_reported(scene, members[i]);
    }
}

void notify_shares_the_capacity(struct scene *scene)
{
    struct crowd crowd = crowd_of(scene);

    for (int capacity = 1; capacity <= 3; capacity++) {
        for (int i = 0; i < 4; i++)
            crowd.times[i] = 0;
        count_reports(scene, &crowd, capacity, 60);
        for (int i = 0; i < 4; i++)
            CHECK(crowd.times[i] >= 8);
    }
    CHECK_EQUAL(wait_for(scene, PATIENCE), 4);
}

void notify_crowd_leaves_a_place_to_others(struct scene *scene)
{
    struct crowd crowd = crowd_of(scene);

    for (int i = 0; i < 100; i++)
        add_raised(scene, 0);
    count_reports(scene, &crowd, 8, 60);
    CHECK_EQUAL(crowd.times[0], 60); /* the kernel's place in every wait, */
    CHECK_EQUAL(crowd.times[2], 60); /* and those who are due come first */
    CHECK(crowd.times[1] >= 10);
    CHECK(crowd.times[3] >= 1);
}

void notify_nobody_starves_in_a_crowd(struct scene *scene)
{
    enum { COUNT = 10 };
    plx_watcher *watchers[COUNT];
    int times[COUNT] = {0};

    for (int i = 0; i < COUNT; i++)
        watchers[i] = add_raised(scene, 0);
    for (int wait = 0; wait < COUNT; wait++) {
        scene->count = plx_context_wait(scene->context, scene->ready, 3, PATIENCE);
        CHECK_EQUAL(scene->count, 3);
        for (int i = 0; i < COUNT; i++)
            times[i] += was_reported(scene, watchers[i]);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_EQUAL(times[i], 3);
}

/* --- An outer loop --- */

/* Does the nested descriptor show exactly what a look finds? */
static void expect_outside(int line, struct scene *scene, plx_socket fd, bool ready)
{
    check_equal(__FILE__, line, "readable", readable_now(fd), ready);
    check_equal(__FILE__, line, "reports", look(scene) > 0, ready);
    check_equal(__FILE__, line, "readable after a look", readable_now(fd), ready);
}

#define EXPECT_OUTSIDE(scene, fd, ready) expect_outside(__LINE__, (scene), (fd), (ready))

void notify_shows_outside(struct scene *scene)
{
    plx_socket fd = nested(scene);
    plx_watcher *watcher = add_notify(scene, 0);

    EXPECT_OUTSIDE(scene, fd, false);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(plx_watcher_notify(watcher));
        EXPECT_OUTSIDE(scene, fd, true);
        EXPECT_OUTSIDE(scene, fd, true);
        CHECK_OK(plx_watcher_clear(watcher));
        EXPECT_OUTSIDE(scene, fd, false);
    }
}

void notify_raised_before_shows_outside(struct scene *scene)
{
    plx_watcher *untold = add_raised(scene, 0), *told = add_raised(scene, 0);
    plx_socket fd;

    CHECK_EQUAL(look(scene), 2);
    CHECK_OK(plx_watcher_clear(untold));
    CHECK_OK(plx_watcher_notify(untold));
    fd = nested(scene);
    EXPECT_OUTSIDE(scene, fd, true);
    CHECK_OK(plx_watcher_clear(told));
    EXPECT_OUTSIDE(scene, fd, true);
    CHECK_OK(plx_watcher_clear(untold));
    EXPECT_OUTSIDE(scene, fd, false);
}

/* Nothing is left to show of what was taken back before anybody looked. */
void notify_taken_back_does_not_show_outside(struct scene *scene)
{
    plx_socket fd = nested(scene);
    plx_watcher *watcher = add_raised(scene, 0);

    CHECK(readable_now(fd));
    CHECK_OK(plx_watcher_clear(watcher));
    CHECK(!readable_now(fd));
    CHECK_OK(plx_watcher_notify(watcher));
    CHECK(readable_now(fd));
    CHECK_OK(plx_watcher_remove(watcher));
    CHECK(!readable_now(fd));
    watcher = add_raised(scene, 0);
    CHECK(readable_now(fd));
    CHECK_OK(plx_context_wake(scene->context));
    CHECK_OK(plx_watcher_remove(watcher));
    CHECK(readable_now(fd)); /* the wake is still to be told */
    CHECK_EQUAL(look(scene), 0);
    EXPECT_OUTSIDE(scene, fd, false);
}

/* Who raises it does not know that it is muted: one look for nothing, and then it is quiet. */
void notify_muted_shows_outside_once_at_most(struct scene *scene)
{
    plx_socket fd = nested(scene);
    plx_watcher *watcher = add_raised(scene, PLX_ONESHOT);

    EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
    CHECK_OK(plx_watcher_clear(watcher));
    CHECK_OK(plx_watcher_notify(watcher));
    CHECK_EQUAL(look(scene), 0);
    EXPECT_OUTSIDE(scene, fd, false);
    CHECK_OK(plx_watcher_notify(watcher));
    EXPECT_OUTSIDE(scene, fd, false);
    CHECK_OK(plx_watcher_modify(watcher, PLX_NOTIFY));
    EXPECT_OUTSIDE(scene, fd, true);
}

/* After a timer it is the turn of what was raised: with a capacity of one the kernel is not even
   asked. */
void notify_oneshot_shows_outside_once(struct scene *scene)
{
    plx_socket fd = nested(scene);
    plx_watcher *watcher = add_notify(scene, PLX_ONESHOT);
    plx_watcher *timer;

    CHECK_OK(plx_context_add(scene->context, plx_timer(0, 0), PLX_TIMER, NULL, &timer));
    for (int round = 0; round < 3; round++) {
        CHECK_OK(plx_watcher_modify(timer, PLX_TIMER));
        CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, 0), 1);
        CHECK_OK(plx_watcher_notify(watcher));
        CHECK(readable_now(fd));
        CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1 + round % 2, 0), 1);
        CHECK(scene->ready[0] == watcher);
        CHECK(!readable_now(fd));
        CHECK_OK(plx_watcher_clear(watcher));
        CHECK_OK(plx_watcher_modify(watcher, PLX_NOTIFY | PLX_ONESHOT));
        EXPECT_OUTSIDE(scene, fd, false);
    }
}

void notify_small_capacity_shows_outside(struct scene *scene)
{
    plx_socket fd = nested(scene);
    plx_watcher *watchers[] = {add_raised(scene, 0), add_raised(scene, 0), add_raised(scene, 0)};

    for (size_t left = COUNT_OF(watchers); left > 0; left--) {
        CHECK(readable_now(fd));
        CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, 0), 1);
        CHECK_OK(plx_watcher_clear(scene->ready[0]));
    }
    EXPECT_OUTSIDE(scene, fd, false);
}

static void notify_once(void *argument)
{
    plx_watcher_notify(argument);
}

void notify_from_a_thread_shows_outside(struct scene *scene)
{
    plx_socket fd = nested(scene);
    plx_watcher *watcher = add_notify(scene, 0);

    for (int i = 0; i < 20; i++) {
        struct thread *thread = thread_start(notify_once, watcher);

        until_readable(fd);
        thread_join(thread);
        EXPECT_OUTSIDE(scene, fd, true);
        CHECK_OK(plx_watcher_clear(watcher));
        EXPECT_OUTSIDE(scene, fd, false);
    }
}

/* --- Child processes --- */

#if SUPPORT_HAS_FORK

/* Raised before the fork: one of which a wait has told, and one of which none has; and one that was
   not raised. */
struct clan {
    struct scene *scene;
    plx_watcher *told, *untold, *quiet;
};

static struct clan clan_of(struct scene *scene)
{
    struct clan clan = {scene, add_raised(scene, 0), add_notify(scene, 0), add_notify(scene, 0)};

    EXPECT_REPORT(scene, clan.told, PLX_NOTIFY);
    CHECK_OK(plx_watcher_notify(clan.untold));
    return clan;
}

static void expect_the_raised(const struct clan *clan)
{
    struct scene *scene = clan->scene;

    CHECK_EQUAL(wait_for(scene, PATIENCE), 2);
    CHECK(was_reported(scene, clan->told) && was_reported(scene, clan->untold));
}

static void child_clears_and_notifies(void *argument)
{
    struct clan *clan = argument;
    struct scene *scene = clan->scene;

    CHECK_CODE(plx_watcher_notify(clan->quiet), PLX_ERR_FORKED);
    CHECK_CODE(plx_watcher_clear(clan->told), PLX_ERR_FORKED);
    CHECK_OK(plx_context_after_fork(scene->context));
    expect_the_raised(clan);
    CHECK_OK(plx_watcher_clear(clan->told));
    EXPECT_REPORT(scene, clan->untold, PLX_NOTIFY);
    CHECK_OK(plx_watcher_clear(clan->untold));
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_notify(clan->quiet));
    EXPECT_REPORT(scene, clan->quiet, PLX_NOTIFY);
    CHECK_OK(plx_watcher_remove(clan->quiet));
    CHECK_OK(plx_watcher_notify(clan->told));
    EXPECT_REPORT(scene, clan->told, PLX_NOTIFY);
}

void notify_child_has_its_own(struct scene *scene)
{
    struct clan clan = clan_of(scene);

    in_child(child_clears_and_notifies, &clan);
    expect_the_raised(&clan);
    CHECK_OK(plx_watcher_clear(clan.told));
    CHECK_OK(plx_watcher_clear(clan.untold));
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_notify(clan.quiet));
    EXPECT_REPORT(scene, clan.quiet, PLX_NOTIFY);
}

static void child_destroys_clan(void *argument)
{
    struct clan *clan = argument;

    plx_context_destroy(clan->scene->context);
}

void notify_destroyed_in_a_child(struct scene *scene)
{
    struct clan clan = clan_of(scene);

    in_child(child_destroys_clan, &clan);
    expect_the_raised(&clan);
}

static void child_nests_clan(void *argument)
{
    struct clan *clan = argument;
    struct scene *scene = clan->scene;
    plx_socket fd;

    CHECK_OK(plx_context_after_fork(scene->context));
    fd = nested(scene);
    EXPECT_OUTSIDE(scene, fd, true);
    CHECK_OK(plx_watcher_clear(clan->told));
    CHECK_OK(plx_watcher_clear(clan->untold));
    EXPECT_OUTSIDE(scene, fd, false);
    CHECK_OK(plx_watcher_notify(clan->quiet));
    EXPECT_OUTSIDE(scene, fd, true);
}

void notify_shows_outside_in_a_child(struct scene *scene)
{
    plx_socket fd = nested(scene);
    struct clan clan = clan_of(scene);

    in_child(child_nests_clan, &clan);
    EXPECT_OUTSIDE(scene, fd, true);
    CHECK_OK(plx_watcher_clear(clan.told));
    CHECK_OK(plx_watcher_clear(clan.untold));
    EXPECT_OUTSIDE(scene, fd, false);
}

#endif
