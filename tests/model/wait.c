/* SPDX-License-Identifier: MIT */
/* wait.c: one wait against its forecast. */
#include "run.h"

#include <errno.h>
#include <time.h>

#include "custom.h"
#include "faults.h"
#include "journal.h"

struct wait {
    plx_watcher *ready[RUN_CAPACITY + 1];
    int capacity;
    plx_duration timeout;
    int certain;  /* how many had to be reported before it was known how many fit */
    int possible; /* how many could be */
    int count;
    int cause; /* errno, if it failed */
    plx_duration elapsed;
    struct faults faults;
    bool is_haunted;
    bool is_cut_short; /* something is missing for a good reason, and comes with the next wait */
    bool is_reported[MODEL_ROOM]; /* by place in the model */
};

static plx_duration now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return PLX_SECONDS(time.tv_sec) + PLX_NS(time.tv_nsec);
}

/* Mostly too small for all that is ready. */
static int choose_capacity(struct dice *dice)
{
    return dice_one_in(dice, 4) ? RUN_CAPACITY : 1 + (int)dice_roll(dice, 8);
}

/*
 * Only what is bound to come is waited for without limit. Now and then, and rather where a ghost
 * may be about, there is time to sleep: long enough to tell it from asking the kernel again and
 * again.
 */
static plx_duration choose_timeout(struct dice *dice, bool is_certain, bool is_haunted)
{
    if (is_certain && dice_one_in(dice, 4))
        return dice_one_in(dice, 2) ? PLX_FOREVER : PLX_SECONDS(1000);
    return dice_one_in(dice, is_haunted && !is_certain ? 10 : 200) ? PLX_MS(2) : 0;
}

static void perform(struct run *run, struct wait *wait)
{
    plx_watcher *untouched = (plx_watcher *)wait;
    wait->ready[wait->capacity] = untouched;
    objects_enter_wait(run->context);
    faults_begin(&run->dice, 2);
    plx_duration start = now();
    wait->count = plx_context_wait(run->context, wait->ready, wait->capacity, wait->timeout);
    wait->cause = errno;
    wait->elapsed = now() - start;
    wait->faults = run_end_faults(run);
    /* A further call failed: what came before it is delivered all the same. */
    wait->is_cut_short = wait->faults.has_fired && wait->faults.code != PLX_OK;
    objects_enter_wait(NULL);
    if (wait->faults.queues > 0) {
        run->totals.rebuilds++;
        model_rebuild(&run->model, !wait->is_cut_short);
    }
    if (wait->ready[wait->capacity] != untouched)
        journal_fail("the wait wrote behind the end of the array");
    run->owes_rebuild &= wait->faults.queues == 0;
    if (run->owes_rebuild && !wait->is_cut_short)
        journal_fail("the wait before reported too few for no reason");
    if (wait->faults.allocations > 0)
        journal_fail("the wait allocated memory");
}

/* --- The reports --- */

static void check_report(struct run *run, struct wait *wait, plx_watcher *watcher)
{
    struct registration *registration = model_find_watcher(&run->model, watcher);
    if (!registration)
        journal_fail("the wait reported a watcher that was removed");
    bool *is_reported = &wait->is_reported[registration - run->model.registrations];
    if (*is_reported)
        journal_fail("the wait reported descriptor %d twice", registration->number);
    *is_reported = true;

    struct forecast forecast = model_forecast(&run->model, registration);
    uint32_t events = plx_watcher_triggered(watcher);
    journal_result(" %d:%#x", registration->number, events);
    if (forecast.certainty == SILENT)
        journal_fail("descriptor %d should be silent, and reported %#x", registration->number,
                     events);
    /* With room to spare, what is buffered and what the descriptor says come together. */
    bool is_sure = !wait->is_cut_short && !wait->is_haunted && !registration->is_lost;
    bool is_whole = is_sure && wait->count < wait->capacity;
    uint32_t least = is_whole ? forecast.most : forecast.least;
    if (events == 0 || events & ~forecast.most || least & ~events)
        journal_fail("descriptor %d reported %#x, not %#x to %#x", registration->number, events,
                     least, forecast.most);
}

/*
 * A ghost may take the place of a watcher, but only once: the queue is then rebuilt, in this wait
 * or else in the next.
 */
static bool is_excused(struct run *run, struct wait *wait)
{
    if (!wait->is_cut_short && wait->is_haunted) {
        run->owes_rebuild = wait->faults.queues == 0;
        wait->is_cut_short = true;
    }
    return wait->is_cut_short;
}

static void check_missing(struct run *run, struct wait *wait, int place)
{
    struct registration *registration = &run->model.registrations[place];
    if (model_forecast(&run->model, registration).certainty != CERTAIN) {
        registration->missed = 0;
        return;
    }
    if (wait->count < wait->capacity && !is_excused(run, wait))
        journal_fail("descriptor %d is ready, there was room, and it was not reported",
                     registration->number);
    if (++registration->missed > MODEL_PATIENCE)
        journal_fail("descriptor %d starves: it was not reported in %u waits", registration->number,
                     registration->missed);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* S12. */
static void check_count(struct run *run, struct wait *wait)
{
    if (wait->count > least(wait->possible, wait->capacity))
        journal_fail("the wait reported %d of %d watchers into an array of %d", wait->count,
                     wait->possible, wait->capacity);
    if (wait->count < least(wait->certain, wait->capacity) && !is_excused(run, wait))
        journal_fail("the wait reported %d watchers; %d are ready, and %d fit", wait->count,
                     wait->certain, wait->capacity);
}

/* The right to a report that was given is used up. */
static void settle(struct run *run, const struct wait *wait)
{
    for (int i = 0; i < run->model.count; i++) {
        struct registration *registration = &run->model.registrations[i];
        if (wait->is_reported[i])
            model_report(&run->model, registration, plx_watcher_triggered(registration->watcher));
        else if (wait->count < wait->capacity && !wait->is_cut_short)
            model_pass_over(registration);
    }
}

/* Everybody who was to be asked for bytes was, nobody else, and who had none is left alone. */
static void check_questions(struct run *run, const struct wait *wait)
{
    for (int i = 0; i < run->model.count; i++) {
        struct registration *registration = &run->model.registrations[i];
        struct object *object = registration->object;
        if (!object)
            continue;
        bool is_due = model_is_to_be_asked(registration);
        /* A plain file is ready to read anyway; what is lost may have gone mute (S20). */
        bool is_exempt = registration->is_plain || registration->is_lost;
        if (is_due && object->asked == 0 && wait->count >= 0 && !is_exempt)
            journal_fail("the object of descriptor %d was not asked", registration->number);
        if (!is_due && object->asked > 0)
            journal_fail("the object of descriptor %d was asked for nothing", registration->number);
        if (object->asked > 0 && object->buffered == 0)
            registration->is_due = false;
        object->asked = 0;
    }
}

/* What was removed before is gone, and was cleaned up. */
static void check_retired(struct run *run)
{
    for (int i = 0; i < run->model.retired_count; i++) {
        struct object *object = run->model.retired[i].object;
        if (!object)
            continue;
        if (object->asked > 0)
            journal_fail("a removed object was asked for bytes");
        if (object_wants_cleanup(object) && object->cleaned != 1)
            journal_fail("a removed object was not cleaned up in the wait");
        object->is_taken = false;
    }
    run->model.retired_count = 0;
}

/*
 * A wait that reports nothing sleeps. Few things wake it in between: a signal, a ghost, or one that
 * is silent and has hung up, and each only once.
 */
static void check_sleep(const struct run *run, const struct wait *wait)
{
    unsigned most = 16 + (unsigned)run->model.count;
    if (wait->count == 0 && wait->faults.waits > most)
        journal_fail("the wait spins: it asked the kernel %u times for nothing",
                     wait->faults.waits);
}

static void check_time(const struct run *run, const struct wait *wait)
{
    if (wait->count == 0 && !run->model.is_woken && wait->elapsed < wait->timeout)
        journal_fail("the wait ended after %lld ns of %lld", (long long)wait->elapsed,
                     (long long)wait->timeout);
    if (wait->count == 0 && !run->model.is_woken && wait->timeout == PLX_FOREVER)
        journal_fail("the wait ended for no reason");
}

static void check_reports(struct run *run, struct wait *wait)
{
    for (int i = 0; i < wait->count; i++)
        check_report(run, wait, wait->ready[i]);
    for (int i = 0; i < run->model.count; i++) {
        if (!wait->is_reported[i])
            check_missing(run, wait, i);
    }
    check_count(run, wait);
    check_sleep(run, wait);
    check_time(run, wait);
    check_questions(run, wait);
    settle(run, wait);
    /* A nested context rebuilds at the end of the wait: what was reported may come once more. */
    if (wait->faults.queues > 0)
        model_rebuild(&run->model, !wait->is_cut_short);
}

void wait_play(struct run *run)
{
    struct model *model = &run->model;
    struct wait wait = {0};
    world_check_still(&run->world);
    run_compare_nested(run);
    wait.capacity = choose_capacity(&run->dice);
    wait.certain = model_ready(model, CERTAIN);
    wait.is_haunted = model_is_haunted(model);
    wait.timeout = choose_timeout(&run->dice, wait.certain > 0 || model->is_woken, wait.is_haunted);
    journal_note("wait for %d of %d, %lld ns", wait.capacity, wait.certain,
                 (long long)wait.timeout);
    perform(run, &wait);
    run->totals.waits++;
    journal_result(" -> %d", wait.count);

    wait.possible = model_ready(model, POSSIBLE);
    check_retired(run);
    if (wait.count < 0) {
        if (!wait.faults.has_fired || wait.count != wait.faults.code)
            journal_fail("the wait failed: %s", plx_error_name(wait.count));
        if (wait.faults.cause != 0 && wait.cause != wait.faults.cause)
            journal_fail("the wait left errno at %d instead of %d", wait.cause, wait.faults.cause);
        check_questions(run, &wait);
    } else {
        check_reports(run, &wait);
        run->totals.reports += (unsigned long)wait.count;
    }
    model->is_woken &= wait.count < 0; /* a wait that failed has not told of the wake */
    run->is_unflushed = wait.faults.has_fired;
    run_compare_nested(run);
}
