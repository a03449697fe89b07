/* SPDX-License-Identifier: MIT */
/* timers.c: deadlines between two moments, periods and their counts. */
#include "sources.h"

#include <stdio.h>

#include "journal.h"
#include "run.h"
#include "wait.h"

void timer_start(struct source *timer, plx_duration after, struct span span)
{
    timer->after = after;
    timer->triggered = 0; /* a report that is in hand is taken back */
    timer->is_armed = after != PLX_FOREVER;
    timer->earliest = later(span.start, after);
    timer->latest = later(span.end, after);
    timer->is_relative = false;
}

void timer_note(struct sources *sources, const struct source *timer)
{
    if (timer->kind == PLX_HANDLE_TIMER && timer->is_armed && timer->earliest < sources->alarm)
        sources->alarm = timer->earliest;
}

void timers_settle(struct sources *sources, int64_t moment)
{
    for (int i = 0; i < sources->count; i++) {
        struct source *source = &sources->list[i];
        if (source->is_relative)
            source->latest = later(moment, source->after);
        source->is_relative = false;
    }
}

static int64_t latest_of(const struct source *timer, struct span span)
{
    return timer->is_relative ? later(span.end, timer->after) : timer->latest;
}

/* The periods that have passed at a moment, the one that ends with the deadline included. */
static uint64_t periods(const struct source *timer, int64_t deadline, int64_t moment)
{
    if (timer->every <= 0 || moment < deadline)
        return 1;
    return (uint64_t)(moment - deadline) / (uint64_t)timer->every + 1;
}

void timer_check(const struct source *timer, struct span span)
{
    uint64_t count = plx_watcher_count(timer->watcher);
    uint64_t least = periods(timer, latest_of(timer, span), span.start);
    uint64_t most = periods(timer, timer->earliest, span.end);
    if (count < least || count > most)
        journal_fail("a timer counts %llu periods, not %llu to %llu", (unsigned long long)count,
                     (unsigned long long)least, (unsigned long long)most);
}

/*
 * S14, and stricter: not even those that are close to one another may swap. None is overtaken by
 * one that is reported, and what is reported is in order.
 */
void timers_check_order(struct sources *sources, const struct wait *wait)
{
    const struct span span = wait->span;
    int64_t last = 0; /* nothing that is not reported yet may be due before that */
    for (int i = 0; i < wait->in_order; i++) {
        const struct source *timer = source_find(sources, wait->ready[i]);
        if (!timer || timer->kind != PLX_HANDLE_TIMER)
            continue;
        if (latest_of(timer, span) < last)
            journal_fail("a timer was reported %lld ns or more behind its place",
                         (long long)(last - latest_of(timer, span)));
        if (timer->earliest > last)
            last = timer->earliest;
    }
    for (int i = 0; i < sources->count; i++) {
        const struct source *timer = &sources->list[i];
        if (timer->kind == PLX_HANDLE_TIMER && timer->is_armed && !timer->is_reported &&
            latest_of(timer, span) < last)
            journal_fail("a timer was overtaken by one that is due %lld ns or more after it",
                         (long long)(last - latest_of(timer, span)));
    }
}

/* S14: timers take their places first. The others have one each, and what timers leave. */
#define OTHERS 4

void timers_check_room(struct sources *sources, const struct wait *wait)
{
    int others = wait->count;
    bool is_missing = false;
    for (int i = 0; i < sources->count; i++) {
        const struct source *timer = &sources->list[i];
        if (timer->kind != PLX_HANDLE_TIMER)
            continue;
        others -= timer->is_reported;
        is_missing |= !timer->is_reported && source_forecast(timer, wait->span) == CERTAIN;
    }
    if (is_missing && others > OTHERS)
        journal_fail("a timer is due, and %d others came before it", others);
}

/* Multiples of a period, without wrapping. */
static int64_t after_periods(int64_t moment, const struct source *timer, uint64_t count)
{
    if (count > (uint64_t)(NEVER - moment) / (uint64_t)timer->every)
        return NEVER;
    return moment + (int64_t)(count * (uint64_t)timer->every);
}

/* On to the next point of the grid, which is behind the report and less than a period away. */
void timer_report(struct source *timer, struct span span)
{
    timer->count = plx_watcher_count(timer->watcher);
    timer->latest = latest_of(timer, span);
    timer->is_relative = false;
    if (timer->every <= 0) {
        timer->is_armed = false;
        return;
    }
    timer->earliest = after_periods(timer->earliest, timer, timer->count);
    timer->latest = after_periods(timer->latest, timer, timer->count);
    if (timer->earliest <= span.start)
        timer->earliest = span.start + 1;
    if (timer->latest > later(span.end, timer->every))
        timer->latest = later(span.end, timer->every);
}

/* --- What can happen --- */

static plx_duration choose_duration(struct dice *dice)
{
    static const plx_duration few[] = {0, 1, PLX_MS(1000000), INT64_MAX, PLX_FOREVER};
    if (dice_one_in(dice, 4))
        return few[dice_roll(dice, sizeof few / sizeof few[0])];
    return (plx_duration)dice_roll(dice, dice_one_in(dice, 4) ? 3000000 : 200000);
}

static void add(struct run *run)
{
    plx_duration after = choose_duration(&run->dice);
    plx_duration every = dice_one_in(&run->dice, 2) ? choose_duration(&run->dice) : 0;
    int want = PLX_OK;
    char name[80];
    if (dice_one_in(&run->dice, 20)) {
        *(dice_one_in(&run->dice, 2) ? &after : &every) = -2;
        want = PLX_ERR_INVALID;
    }
    snprintf(name, sizeof name, "timer %lld every %lld", (long long)after, (long long)every);
    struct span span = {.start = now()};
    struct source *timer = source_add(run, plx_timer(after, every), name, want);
    span.end = now();
    if (!timer)
        return;
    timer->own = after;
    timer->every = every;
    timer_start(timer, after, span);
    timer_note(&run->sources, timer);
    source_compare(run, timer);
}

/* It counts from the next wait, unless an outer loop has to see it before. */
static void again(struct run *run)
{
    struct source *timer = source_any(run, PLX_HANDLE_TIMER);
    plx_duration after = choose_duration(&run->dice);
    if (!timer)
        return;
    journal_note("again %lld", (long long)after);
    faults_begin(&run->dice, 2);
    struct span span = {.start = now()};
    int code = plx_watcher_again(timer->watcher, after);
    span.end = now();
    run_expect(run, "again", code, PLX_OK);
    timer_start(timer, after, span);
    if (run->nested < 0 && timer->is_armed) {
        timer->is_relative = true;
        timer->latest = NEVER;
    }
    timer_note(&run->sources, timer);
    source_compare(run, timer);
}

void operate_timer(struct run *run)
{
    if (dice_one_in(&run->dice, 2))
        add(run);
    else
        again(run);
}
