/* SPDX-License-Identifier: MIT */
/* wait.c: one wait against its forecast. */
#include "wait.h"

#include <errno.h>

#include "custom.h"
#include "faults.h"
#include "journal.h"

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

/* --- What comes from outside while it goes on --- */

enum guest { NOBODY, A_SIGNAL, A_TASK, A_WAKE, A_NOTIFY };

struct intrusion {
    struct run *run;
    struct wait *wait;
    enum guest guest;
    struct source *notify;
};

static void post(struct run *run)
{
    unsigned long posted = run->tasks.posted;
    while (run->tasks.posted == posted)
        loop_post(run); /* there is memory again sooner or later */
}

/* Something arrives just before the kernel is asked: this wait may tell of it, or else the next. */
static void intrude(void *argument)
{
    static const char *const names[] = {"", "signal", "task", "wake", "notify"};
    struct intrusion *intrusion = argument;
    struct run *run = intrusion->run;
    journal_result(" (a %s)", names[intrusion->guest]);
    intrusion->wait->is_disturbed = true;
    switch (intrusion->guest) {
    case A_SIGNAL:
        signal_raise(run, true);
        break;
    case A_TASK:
        post(run);
        intrusion->wait->is_ended = true;
        break;
    case A_WAKE:
        plx_context_wake(run->context);
        intrusion->wait->is_ended = run->model.is_woken = true;
        break;
    case A_NOTIFY:
        notify_raise(run, intrusion->notify, true);
        break;
    case NOBODY:
        break;
    }
}

/* Who is sure to end the wait may be waited for without limit. */
static void choose_guest(struct intrusion *intrusion)
{
    struct run *run = intrusion->run;
    struct source *notify = source_any(run, PLX_HANDLE_NOTIFY);
    if (!dice_one_in(&run->dice, 4))
        return;
    intrusion->guest = (enum guest)(1 + dice_roll(&run->dice, notify ? 4 : 3));
    intrusion->notify = notify;
    bool is_sure = intrusion->guest == A_TASK || intrusion->guest == A_WAKE ||
                   (intrusion->guest == A_NOTIFY && notify->is_armed);
    if (is_sure && dice_one_in(&run->dice, 2))
        intrusion->wait->timeout = PLX_FOREVER;
    faults_intrude(intrude, intrusion);
}

/* --- The call --- */

void wait_begin(struct run *run, struct wait *wait)
{
    wait->ready[wait->capacity] = (plx_watcher *)wait; /* nobody is to touch that */
    objects_enter_wait(run->context);
    wait->span.start = now();
}

/* A change was refused, whoever's: some may be told once more, in this wait or after it. */
static void note_refusal(struct run *run, const struct wait *wait)
{
    for (int i = 0; i < run->model.count && wait->is_cut_short; i++)
        model_refuse(&run->model, &run->model.registrations[i]);
}

void wait_end(struct run *run, struct wait *wait)
{
    wait->cause = errno;
    wait->span.end = now();
    wait->faults = run_end_faults(run);
    /* A further call failed: what came before it is delivered all the same. */
    wait->is_cut_short = wait->faults.has_fired && wait->faults.code != PLX_OK;
    objects_enter_wait(NULL);
    note_refusal(run, wait);
    if (wait->faults.queues > 0) {
        run->totals.rebuilds++;
        model_rebuild(&run->model, !wait->is_cut_short);
        sources_rebuild(&run->sources);
    }
    if (wait->ready[wait->capacity] != (plx_watcher *)wait)
        journal_fail("the wait wrote behind the end of the array");
    run->owes_rebuild &= wait->faults.queues == 0;
    if (run->owes_rebuild && !wait->is_cut_short)
        journal_fail("the wait before reported too few for no reason");
}

static void perform(struct run *run, struct wait *wait)
{
    struct intrusion intrusion = {.run = run, .wait = wait};
    faults_begin(&run->dice, RUN_FAULTY);
    choose_guest(&intrusion);
    journal_note("wait for %d of %d, %lld ns", wait->capacity, wait->certain,
                 (long long)wait->timeout);
    wait_begin(run, wait);
    wait->count = plx_context_wait(run->context, wait->ready, wait->capacity, wait->timeout);
    wait_end(run, wait);
    if (wait->faults.allocations > 0 && intrusion.guest != A_TASK)
        journal_fail("the wait allocated memory");
    for (int i = 0; i < wait->count; i++)
        wait->events[i] = plx_watcher_triggered(wait->ready[i]);
    wait->in_order = wait->count;
}

/* --- The reports --- */

static void check_report(struct run *run, struct wait *wait, plx_watcher *watcher, uint32_t events)
{
    struct registration *registration = model_find_watcher(&run->model, watcher);
    if (!registration && source_find(&run->sources, watcher))
        return;
    if (!registration)
        journal_fail("the wait reported a watcher that was removed");
    uint32_t *reported = &wait->reported[registration - run->model.registrations];
    if (*reported)
        journal_fail("the wait reported descriptor %d twice", registration->number);
    *reported = events;

    struct forecast forecast = model_forecast(&run->model, registration);
    journal_result(" %d:%#x", registration->number, events);
    if (forecast.certainty == SILENT)
        journal_fail("descriptor %d should be silent, and reported %#x", registration->number,
                     events);
    /* With room to spare, what is buffered and what the descriptor says come together. */
    bool is_sure = !wait->is_cut_short && !wait->is_haunted && !registration->is_lost;
    bool is_whole = is_sure && forecast.is_whole && wait->count < wait->capacity;
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
        if (wait->reported[i])
            model_report(&run->model, registration, wait->reported[i]);
        else if (wait->count < wait->capacity && !wait->is_cut_short)
            model_pass_over(&run->model, registration);
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
        bool is_exempt = registration->is_plain || registration->is_lost ||
                         !world_file(&run->world, registration->number);
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
    unsigned most = 16 + (unsigned)(run->model.count + run->sources.count);
    if (wait->count == 0 && wait->faults.waits > most)
        journal_fail("the wait spins: it asked the kernel %u times for nothing",
                     wait->faults.waits);
}

static void check_time(const struct run *run, const struct wait *wait)
{
    plx_duration elapsed = wait->span.end - wait->span.start;
    if (wait->count > 0 || wait->is_ended)
        return;
    if (wait->timeout == PLX_FOREVER)
        journal_fail("the wait ended for no reason");
    if (elapsed < wait->timeout)
        journal_fail("the wait ended after %lld ns of %lld", (long long)elapsed,
                     (long long)wait->timeout);
    if (!wait->is_cut_short)
        sources_check_sleep(run, wait->span.start + wait->timeout);
}

static void check_reports(struct run *run, struct wait *wait)
{
    for (int i = 0; i < wait->count; i++)
        check_report(run, wait, wait->ready[i], wait->events[i]);
    for (int i = 0; i < run->model.count; i++) {
        if (!wait->reported[i])
            check_missing(run, wait, i);
    }
    sources_check(run, wait, wait->count < wait->capacity && !wait->is_cut_short);
    check_count(run, wait);
    check_sleep(run, wait);
    check_time(run, wait);
    check_questions(run, wait);
    settle(run, wait);
    sources_settle(run, wait->span);
    /* What came too late, or had to stand back, may still turn out to be nothing. */
    if (wait->count < wait->capacity && !wait->is_cut_short)
        run->sources.is_stirred = wait->is_disturbed;
    /* A nested context rebuilds at the end of the wait: what was reported may come once more. */
    if (wait->faults.queues > 0) {
        model_rebuild(&run->model, !wait->is_cut_short);
        sources_rebuild(&run->sources);
    }
}

static bool is_due_soon(const struct run *run, int64_t moment)
{
    for (int i = 0; i < run->sources.count; i++) {
        const struct source *source = &run->sources.list[i];
        if (source->kind == PLX_HANDLE_TIMER && source->is_armed && !source->is_relative &&
            source->latest < moment + PLX_MS(4))
            return true;
    }
    return false;
}

void wait_forecast(struct run *run, struct wait *wait)
{
    struct model *model = &run->model;
    struct span span = {.start = now()};
    span.end = span.start;
    wait->certain = model_ready(model, CERTAIN) + sources_ready(&run->sources, CERTAIN, span);
    wait->is_haunted = model_is_haunted(model);
    wait->is_ended = model->is_woken || run->tasks.is_news || run->tasks.may_be_woken;
    bool is_bound_to_end =
        wait->certain > 0 || model->is_woken || run->tasks.is_news || is_due_soon(run, span.start);
    wait->timeout = choose_timeout(&run->dice, is_bound_to_end, wait->is_haunted);
}

void wait_check(struct run *run, struct wait *wait)
{
    struct model *model = &run->model;
    wait->possible =
        model_ready(model, POSSIBLE) + sources_ready(&run->sources, POSSIBLE, wait->span);
    check_retired(run);
    if (wait->count < 0) {
        if (!wait->faults.has_fired || wait->count != wait->faults.code)
            journal_fail("the wait failed: %s", plx_error_name(wait->count));
        if (wait->faults.cause != 0 && wait->cause != wait->faults.cause)
            journal_fail("the wait left errno at %d instead of %d", wait->cause,
                         wait->faults.cause);
        check_questions(run, wait);
        sources_age(&run->sources);
    } else {
        check_reports(run, wait);
        run->totals.reports += (unsigned long)wait->count;
    }
    note_refusal(run, wait);
    model->is_woken &= wait->count < 0; /* a wait that failed has not told of the wake */
    run->tasks.is_news &= wait->count != 0;
    run->tasks.may_be_woken &= wait->count < 0;
    run->is_unflushed = wait->faults.has_fired;
}

void wait_play(struct run *run)
{
    struct wait wait = {0};
    world_check_still(&run->world);
    run_compare_nested(run);
    wait.capacity = choose_capacity(&run->dice);
    wait_forecast(run, &wait);
    perform(run, &wait);
    run->totals.waits++;
    journal_result(" -> %d", wait.count);
    wait_check(run, &wait);
    run->is_quiet = wait.count == 0 && !wait.is_disturbed;
    run_compare_nested(run);
    run->is_quiet = false;
}
