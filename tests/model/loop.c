/* SPDX-License-Identifier: MIT */
/* loop.c: callbacks and tasks: what a turn has to call, and when a run has to end. */
#include "wait.h"

#include <stdint.h>

#include "custom.h"
#include "faults.h"
#include "helper.h"
#include "journal.h"
#include "src/base/tuning.h"

enum manner {
    A_TURN,
    A_RUN_FOR_A_TASK, /* which stops it */
    A_RUN_UNTIL_STOP  /* which comes from outside, while it waits */
};

/* What a callback has done to its own watcher. */
struct deed {
    plx_watcher *watcher;
    struct span span;
    bool is_removal;
};

struct turn {
    struct wait wait;
    unsigned callbacks;
    unsigned long tasks; /* done before */
    struct deed deeds[RUN_CAPACITY];
    int deed_count;
    plx_watcher *mutes[RUN_CAPACITY]; /* ready, and without a callback */
    int mute_count;
    bool is_stopped;      /* from outside */
    bool is_stopped_late; /* by a task */
};

/* Whom callbacks and tasks belong to. */
static struct run *playing;
static struct turn *turning;

/* --- Tasks --- */

static void refuse_inside(struct run *run)
{
    plx_watcher *ready;
    if (plx_context_wait(run->context, &ready, 1, 0) != PLX_ERR_BUSY ||
        plx_context_turn(run->context, 0) != PLX_ERR_BUSY ||
        plx_context_run(run->context) != PLX_ERR_BUSY ||
        plx_context_after_fork(run->context) != PLX_ERR_BUSY)
        journal_fail("a wait inside a turn was not refused");
}

static void on_task(plx_context *context, void *data)
{
    struct run *run = playing;
    unsigned long number = (uintptr_t)data;
    if (!turning || context != run->context)
        journal_fail("a task ran outside a turn");
    if (number != ++run->tasks.done)
        journal_fail("task %lu ran in the place of %lu", number, run->tasks.done);
    if (number == run->tasks.last) {
        plx_context_stop(context);
        turning->is_stopped_late = true;
    }
    if (dice_one_in(&run->dice, 6))
        refuse_inside(run);
    if (dice_one_in(&run->dice, 6))
        loop_post(run);
}

void loop_on_dropped(plx_task *task, void *data)
{
    if (task != on_task || (uintptr_t)data != ++playing->tasks.done)
        journal_fail("task %lu was dropped in the place of %lu", (unsigned long)(uintptr_t)data,
                     playing->tasks.done);
}

static void post_one(void *argument)
{
    struct run *run = argument;
    int code = plx_context_post(run->context, on_task, (void *)(uintptr_t)(run->tasks.posted + 1));
    if (code < 0 && code != PLX_ERR_NOMEM)
        journal_fail("post gave %s", plx_error_name(code));
    if (code < 0)
        return;
    run->tasks.posted++;
    run->tasks.is_news = true;
}

void loop_post(struct run *run)
{
    playing = run;
    if (dice_one_in(&run->dice, 6))
        helper_do(post_one, run);
    else
        post_one(run);
}

static void post(struct run *run)
{
    unsigned long before = run->tasks.posted;
    journal_note("post");
    faults_begin(&run->dice, RUN_FAULTY);
    loop_post(run);
    run_expect(run, "post", run->tasks.posted > before ? PLX_OK : PLX_ERR_NOMEM, PLX_OK);
}

/* --- Callbacks --- */

static const void *data_of(struct run *run, const plx_watcher *watcher)
{
    const struct registration *registration = model_find_watcher(&run->model, watcher);
    const struct source *source = source_find(&run->sources, watcher);
    if (!(registration && registration->is_called) && !(source && source->is_called))
        journal_fail("a watcher was called back that has no callback");
    return registration ? registration->data : source->data;
}

/* What it may do to its own watcher takes effect at once. In the model that comes later. */
static void change_own(struct run *run, plx_watcher *watcher)
{
    struct deed *deed = &turning->deeds[turning->deed_count];
    *deed = (struct deed){.watcher = watcher, .is_removal = dice_one_in(&run->dice, 2)};
    deed->span.start = now();
    int code = deed->is_removal ? plx_watcher_remove(watcher)
                                : plx_watcher_modify(watcher, plx_watcher_events(watcher));
    deed->span.end = now();
    journal_result(" (%s)", deed->is_removal ? "removes itself" : "modifies itself");
    if (code == PLX_OK)
        turning->deed_count++;
    else if (deed->is_removal || code != PLX_ERR_NOMEM)
        journal_fail("in a callback it gave %s", plx_error_name(code));
}

void loop_on_ready(plx_watcher *watcher, uint32_t triggered, void *data)
{
    struct run *run = playing;
    if (!turning)
        journal_fail("a callback ran outside a turn");
    struct wait *wait = &turning->wait;
    if (data != data_of(run, watcher) || data != plx_watcher_data(watcher))
        journal_fail("a callback got other data");
    if (triggered == 0 || triggered != plx_watcher_triggered(watcher))
        journal_fail("a callback got %#x instead of %#x", triggered,
                     plx_watcher_triggered(watcher));
    if (turning->callbacks == (unsigned)wait->capacity)
        journal_fail("there were too many callbacks");
    wait->ready[turning->callbacks] = watcher;
    wait->events[turning->callbacks++] = triggered;
    run->totals.callbacks++;
    if (dice_one_in(&run->dice, 8))
        refuse_inside(run);
    if (dice_one_in(&run->dice, 12))
        loop_post(run);
    if (dice_one_in(&run->dice, 8))
        change_own(run, watcher);
}

/* --- Before a turn --- */

/* Is the turn to mute it? False if that cannot be known. */
static bool note_mute(struct turn *turn, plx_watcher *watcher, enum certainty certainty)
{
    if (certainty == CERTAIN)
        turn->mutes[turn->mute_count++] = watcher;
    return certainty != POSSIBLE;
}

/* Those without a callback do not tell whether they were reported: that has to be known. A fresh
   queue may make them report once more. */
static bool can_be_known(struct run *run, struct turn *turn)
{
    int64_t moment = now();
    const struct span span = {moment, moment + PLX_SECONDS(100)};
    bool is_haunted = model_is_haunted(&run->model);
    bool is_known = true;
    for (int i = 0; i < run->model.count && is_known; i++) {
        const struct registration *registration = &run->model.registrations[i];
        if (registration->is_called)
            continue;
        enum certainty certainty = model_forecast(&run->model, registration).certainty;
        bool may_repeat = registration->events & PLX_EDGE && registration->is_armed;
        is_known = !(may_repeat && certainty != CERTAIN) &&
                   note_mute(turn, registration->watcher, certainty);
    }
    for (int i = 0; i < run->sources.count && is_known; i++) {
        const struct source *source = &run->sources.list[i];
        if (!source->is_called)
            is_known = note_mute(turn, source->watcher, source_forecast(source, span));
    }
    int possible =
        model_ready(&run->model, POSSIBLE) + sources_ready(&run->sources, POSSIBLE, span);
    bool is_roomy = !is_haunted && possible <= PLX__TURN;
    return is_known && (turn->mute_count == 0 || is_roomy);
}

/* --- After it --- */

static void add_mutes(struct turn *turn)
{
    struct wait *wait = &turn->wait;
    wait->in_order = wait->count;
    for (int i = 0; i < turn->mute_count; i++) {
        wait->ready[wait->count] = turn->mutes[i];
        wait->events[wait->count++] = plx_watcher_triggered(turn->mutes[i]);
    }
}

static void mute(struct run *run, const plx_watcher *watcher)
{
    struct registration *registration = model_find_watcher(&run->model, watcher);
    if (registration)
        model_mute(registration);
    else
        source_find(&run->sources, watcher)->is_armed = false;
}

static void take_in(struct run *run, const struct deed *deed)
{
    struct registration *registration = model_find_watcher(&run->model, deed->watcher);
    struct source *source = source_find(&run->sources, deed->watcher);
    if (registration && deed->is_removal) {
        model_remove(&run->model, registration);
    } else if (registration) {
        model_modify(registration, registration->events);
    } else if (deed->is_removal) {
        source_remove(run, source);
    } else {
        source_rearm(source, deed->span);
        timer_note(&run->sources, source);
    }
}

/* Those that were posted before the turn, and perhaps those of its callbacks. */
static void check_tasks(const struct run *run, const struct turn *turn, unsigned long posted)
{
    if (turn->wait.count >= 0 ? run->tasks.done < posted : run->tasks.done > turn->tasks)
        journal_fail("%lu tasks ran, of %lu that were posted", run->tasks.done - turn->tasks,
                     posted - turn->tasks);
}

static void check_turn(struct run *run, struct turn *turn)
{
    /* Without memory for the first turn there is no wait. */
    if (turn->wait.count < 0 && turn->wait.faults.has_fired && turn->wait.faults.cause == 0)
        return;
    wait_check(run, &turn->wait);
    if (turn->wait.count >= 0) {
        for (int i = 0; i < turn->mute_count; i++)
            mute(run, turn->mutes[i]);
        for (int i = 0; i < turn->deed_count; i++)
            take_in(run, &turn->deeds[i]);
        run->tasks.is_news = run->tasks.done < run->tasks.posted;
    }
    run->tasks.may_be_woken |= turn->is_stopped_late;
    run->totals.tasks += run->tasks.done - turn->tasks;
    signals_check();
    run_compare_count(run);
    run_compare_all(run);
}

/* --- Turns --- */

static void stop_from_outside(void *argument)
{
    struct turn *turn = argument;
    turn->is_stopped = turn->wait.is_ended = true;
    plx_context_stop(playing->context);
}

static int call(struct run *run, struct turn *turn, enum manner manner)
{
    if (manner == A_TURN)
        return plx_context_turn(run->context, turn->wait.timeout);
    int code = plx_context_run(run->context);
    if (code < 0)
        return code;
    if (manner == A_RUN_UNTIL_STOP && !turn->is_stopped)
        journal_fail("the run ended although something is armed");
    return (int)(turn->callbacks + run->tasks.done - turn->tasks);
}

static void perform(struct run *run, struct turn *turn, enum manner manner)
{
    struct wait *wait = &turn->wait;
    faults_begin(&run->dice, manner == A_TURN && turn->mute_count == 0 ? RUN_FAULTY : 0);
    if (manner == A_RUN_UNTIL_STOP)
        faults_intrude(stop_from_outside, turn);
    turning = turn;
    turn->tasks = run->tasks.done;
    wait_begin(run, wait);
    int ran = call(run, turn, manner);
    wait->count = ran < 0 ? ran : (int)turn->callbacks;
    wait_end(run, wait);
    turning = NULL;
    journal_result(" -> %d", ran);
    if (ran < 0 && (turn->callbacks > 0 || run->tasks.done > turn->tasks))
        journal_fail("a turn failed after something ran");
    if (ran >= 0 && (unsigned long)ran != turn->callbacks + run->tasks.done - turn->tasks)
        journal_fail("a turn claims that %d ran", ran);
}

static void turn_play(struct run *run, enum manner manner)
{
    static const char *const names[] = {"turn", "run for a task", "run until stop"};
    struct turn turn = {0};
    world_check_still(&run->world);
    run_compare_nested(run);
    if (!can_be_known(run, &turn))
        return;
    turn.wait.capacity = PLX__TURN < RUN_CAPACITY ? PLX__TURN : RUN_CAPACITY;
    wait_forecast(run, &turn.wait);
    unsigned long posted = run->tasks.posted;
    turn.wait.is_ended |= run->tasks.done < posted;
    if (manner != A_TURN)
        turn.wait.timeout = PLX_FOREVER;
    journal_note("%s with %d, %lld ns", names[manner], turn.wait.certain,
                 (long long)turn.wait.timeout);
    playing = run;
    perform(run, &turn, manner);
    check_tasks(run, &turn, posted);
    if (turn.wait.count >= 0)
        add_mutes(&turn);
    check_turn(run, &turn);
    run_compare_nested(run);
}

/* --- Runs --- */

/* A registration whose number was closed may be armed or not. */
static bool is_perhaps_armed(const struct registration *registration)
{
    return registration->is_armed || registration->is_lost;
}

/* All that may be armed, save for one that is. Returns whether there is one. */
static bool send_to_background(struct run *run, bool is_one_spared)
{
    bool is_spared = !is_one_spared;
    for (int i = 0; i < run->sources.count; i++) {
        const struct source *source = &run->sources.list[i];
        if (!source->is_armed)
            continue;
        if (is_spared)
            plx_watcher_set_background(source->watcher, true);
        is_spared = true;
    }
    for (int i = 0; i < run->model.count; i++) {
        const struct registration *registration = &run->model.registrations[i];
        if (!is_perhaps_armed(registration))
            continue;
        if (is_spared || registration->is_lost)
            plx_watcher_set_background(registration->watcher, true);
        else
            is_spared = true;
    }
    return is_spared;
}

static void bring_to_foreground(struct run *run)
{
    for (int i = 0; i < run->sources.count; i++)
        plx_watcher_set_background(run->sources.list[i].watcher, false);
    for (int i = 0; i < run->model.count; i++)
        plx_watcher_set_background(run->model.registrations[i].watcher, false);
}

/* It ends at once: it was stopped before, or there is nothing to run for. */
static void run_for_nothing(struct run *run)
{
    unsigned long done = run->tasks.done;
    journal_note("run for nothing");
    faults_begin(&run->dice, RUN_FAULTY);
    int code = plx_context_run(run->context);
    struct faults faults = faults_end();
    if (code != PLX_OK && (code != PLX_ERR_NOMEM || !faults.has_fired))
        journal_fail("run gave %s", plx_error_name(code));
    if (faults.waits > 0 || run->tasks.done != done)
        journal_fail("a run did something although it was to return at once");
    run->tasks.is_stopped &= code < 0;
}

static void run_until_stop(struct run *run)
{
    bool is_one_armed = send_to_background(run, true);
    if (is_one_armed)
        turn_play(run, A_RUN_UNTIL_STOP);
    bring_to_foreground(run);
}

static void run_for_a_task(struct run *run)
{
    struct turn probe = {0};
    if (!can_be_known(run, &probe))
        return;
    journal_note("post, to stop");
    playing = run;
    faults_begin(&run->dice, 0);
    post_one(run);
    faults_end();
    run->tasks.last = run->tasks.posted;
    turn_play(run, A_RUN_FOR_A_TASK);
}

static void run_play(struct run *run)
{
    bool has_tasks = run->tasks.done < run->tasks.posted;
    switch (run->tasks.is_stopped ? 0 : dice_roll(&run->dice, 3)) {
    case 0:
        if (has_tasks && !run->tasks.is_stopped)
            return;
        if (!run->tasks.is_stopped)
            send_to_background(run, false);
        run_for_nothing(run);
        bring_to_foreground(run);
        break;
    case 1:
        run_until_stop(run);
        break;
    default:
        run_for_a_task(run);
        break;
    }
}

static void stop(struct run *run)
{
    journal_note("stop");
    plx_context_stop(run->context);
    run->tasks.is_stopped = run->tasks.may_be_woken = true;
}

void loop_play(struct run *run)
{
    switch (dice_roll(&run->dice, 12)) {
    case 0:
        stop(run);
        break;
    case 1:
    case 2:
        run_play(run);
        break;
    case 3:
    case 4:
    case 5:
        post(run);
        break;
    default:
        turn_play(run, A_TURN);
        break;
    }
}
