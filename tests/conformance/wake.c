/* SPDX-License-Identifier: MIT */
/* wake.c: ending a wait from elsewhere, and who may wait at all. */
#include <errno.h>
#include <stdatomic.h>

#include "cases.h"

void wake_before_a_wait_is_remembered(struct scene *scene)
{
    CHECK_OK(plx_context_wake(scene->context));
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 0);
    EXPECT_QUIET(scene);
}

void wake_many_times_counts_once(struct scene *scene)
{
    for (int i = 0; i < 100000; i++)
        CHECK_OK(plx_context_wake(scene->context));
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 0);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_context_wake(scene->context));
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 0);
    EXPECT_NO_SPIN(scene);
}

void wake_is_spent_by_a_wait_of_zero(struct scene *scene)
{
    CHECK_OK(plx_context_wake(scene->context));
    CHECK_EQUAL(look(scene), 0);
    EXPECT_QUIET(scene);
}

void wake_does_not_hide_the_ready(struct scene *scene)
{
    plx_watcher *watcher = watch(scene, stream_pair(scene).here, PLX_WRITE);
    plx_watcher *file = watch(scene, always_ready(scene), PLX_READ);

    CHECK_OK(plx_context_wake(scene->context));
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 2);
    CHECK(was_reported(scene, watcher) && was_reported(scene, file));
}

void wake_takes_no_place_in_the_array(struct scene *scene)
{
    plx_watcher *watcher = watch(scene, stream_pair(scene).here, PLX_WRITE);

    for (int i = 0; i < 3; i++) {
        int count;

        CHECK_OK(plx_context_wake(scene->context));
        count = plx_context_wait(scene->context, scene->ready, 1, PATIENCE);
        CHECK_EQUAL(count, 1);
        CHECK(scene->ready[0] == watcher);
    }
}

void wake_is_no_watcher(struct scene *scene)
{
    CHECK_OK(plx_context_wake(scene->context));
    CHECK_EQUAL(plx_context_count(scene->context), 0);
    CHECK_EQUAL(look(scene), 0);
}

struct partner {
    plx_context *context;
    long main_thread;
    atomic_int asked;
    atomic_int answered;
    int code;
};

static void wake_when_asleep(void *argument)
{
    struct partner *partner = argument;

    until_asleep(partner->main_thread);
    partner->code = plx_context_wake(partner->context);
}

static struct partner partner_of(struct scene *scene)
{
    struct partner partner = {scene->context, thread_self(), 0, 0, PLX_ERR_SYSTEM};

    return partner;
}

void wake_from_another_thread(struct scene *scene)
{
    struct partner partner = partner_of(scene);

    watch(scene, stream_pair(scene).here, PLX_READ);
    for (int i = 0; i < 10; i++) {
        struct thread *thread = thread_start(wake_when_asleep, &partner);

        CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 0);
        thread_join(thread);
        CHECK_OK(partner.code);
    }
    EXPECT_QUIET(scene);
}

#define QUESTIONS (5 * SUPPORT_MANY)

static void answer_questions(void *argument)
{
    struct partner *partner = argument;

    for (int i = 1; i <= QUESTIONS; i++) {
        while (atomic_load(&partner->asked) < i)
            continue;
        atomic_store(&partner->answered, i);
        plx_context_wake(partner->context);
    }
}

/* The waker stores, then wakes; the waiter looks, then waits. No order of the two may hang. */
void wake_is_never_lost(struct scene *scene)
{
    struct partner partner = partner_of(scene);
    struct thread *thread = thread_start(answer_questions, &partner);

    for (int i = 1; i <= QUESTIONS; i++) {
        atomic_store(&partner.asked, i);
        while (atomic_load(&partner.answered) < i)
            CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 0);
    }
    thread_join(thread);
}

/* Either thread may be the second; this one insists. */
static void wait_for_ever(void *argument)
{
    struct partner *partner = argument;
    plx_watcher *ready[1];

    partner->main_thread = thread_self();
    atomic_store(&partner->asked, 1);
    do {
        partner->code = plx_context_wait(partner->context, ready, 1, PLX_FOREVER);
    } while (partner->code == PLX_ERR_BUSY);
}

void wake_second_waiter_is_busy(struct scene *scene)
{
    struct partner partner = partner_of(scene);
    struct thread *thread = thread_start(wait_for_ever, &partner);
    plx_watcher *ready[1];
    int code;

    while (atomic_load(&partner.asked) == 0)
        continue;
    until_asleep(partner.main_thread);
    while ((code = plx_context_wait(scene->context, ready, 1, 0)) == 0)
        continue;
    CHECK_CODE(code, PLX_ERR_BUSY);
    CHECK_OK(plx_context_wake(scene->context));
    thread_join(thread);
    CHECK_OK(partner.code);
    EXPECT_QUIET(scene);
}

#if SUPPORT_HAS_SIGNALS

static plx_context *handlers_context;
static atomic_int handlers_code;
static atomic_int handlers_errno;

static void wake_from_handler(int signal)
{
    int saved = errno;

    (void)signal;
    errno = EXDEV;
    atomic_store(&handlers_code, plx_context_wake(handlers_context));
    atomic_store(&handlers_errno, errno);
    errno = saved;
}

void wake_from_a_signal_handler(struct scene *scene)
{
    handlers_context = scene->context;
    for (int i = 0; i < 5; i++) {
        atomic_store(&handlers_code, PLX_ERR_SYSTEM);
        alarm_start(PLX_MS(10), 0, wake_from_handler, i % 2);
        CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 0);
        alarm_stop();
        CHECK_OK(atomic_load(&handlers_code));
        CHECK_EQUAL(atomic_load(&handlers_errno), EXDEV);
    }
    EXPECT_QUIET(scene);
}

void wake_storm_from_a_signal_handler(struct scene *scene)
{
    plx_duration deadline = now() + PLX_MS(100);

    handlers_context = scene->context;
    alarm_start(PLX_US(200), PLX_US(200), wake_from_handler, false);
    while (now() < deadline)
        CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 0);
    alarm_stop();
    look(scene);
    EXPECT_QUIET(scene);
}

#endif
