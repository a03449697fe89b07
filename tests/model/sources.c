/* SPDX-License-Identifier: MIT */
/* sources.c: what all sources share. */
#include "sources.h"

#include <time.h>

#include "journal.h"
#include "run.h"
#include "wait.h"

int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return PLX_SECONDS(time.tv_sec) + PLX_NS(time.tv_nsec);
}

int64_t later(int64_t moment, plx_duration duration)
{
    return duration < 0 || duration > NEVER - moment ? NEVER : moment + duration;
}

const char *source_name(const struct source *source)
{
    switch (source->kind) {
    case PLX_HANDLE_TIMER:
        return "timer";
    case PLX_HANDLE_NOTIFY:
        return "notify";
    case PLX_HANDLE_SIGNAL:
        return "signal";
    default:
        return "process";
    }
}

uint32_t source_event(uint32_t kind)
{
    switch (kind) {
    case PLX_HANDLE_TIMER:
        return PLX_TIMER;
    case PLX_HANDLE_NOTIFY:
        return PLX_NOTIFY;
    case PLX_HANDLE_SIGNAL:
        return PLX_SIGNAL;
    default:
        return PLX_PROCESS;
    }
}

struct source *source_find(struct sources *sources, const plx_watcher *watcher)
{
    for (int i = 0; i < sources->count; i++) {
        if (sources->list[i].watcher == watcher)
            return &sources->list[i];
    }
    return NULL;
}

/* Of that kind; 0: of any. */
struct source *source_any(struct run *run, uint32_t kind)
{
    struct sources *sources = &run->sources;
    if (sources->count == 0)
        return NULL;
    int first = (int)dice_roll(&run->dice, (uint32_t)sources->count);
    for (int i = 0; i < sources->count; i++) {
        struct source *source = &sources->list[(first + i) % sources->count];
        if (kind == 0 || source->kind == kind)
            return source;
    }
    return NULL;
}

/* --- Forecasts --- */

static enum certainty of_timer(const struct source *timer, struct span span)
{
    if (timer->latest <= span.start || (timer->is_relative && timer->after == 0))
        return CERTAIN;
    return timer->earliest <= span.end ? POSSIBLE : SILENT;
}

enum certainty source_forecast(const struct source *source, struct span span)
{
    if (!source->is_armed)
        return SILENT;
    switch (source->kind) {
    case PLX_HANDLE_TIMER:
        return of_timer(source, span);
    case PLX_HANDLE_NOTIFY:
        if (source->is_up)
            return source->is_news ? POSSIBLE : CERTAIN;
        return SILENT;
    case PLX_HANDLE_SIGNAL:
        if (source->pending > source->fresh)
            return CERTAIN;
        return source->pending > 0 ? POSSIBLE : SILENT;
    default:
        if (source->is_doubtful)
            return POSSIBLE;
        return source->child->is_over ? CERTAIN : SILENT;
    }
}

int sources_ready(const struct sources *sources, enum certainty at_least, struct span span)
{
    int count = 0;
    for (int i = 0; i < sources->count; i++)
        count += source_forecast(&sources->list[i], span) >= at_least;
    return count;
}

/* The descriptor of a process hangs up when that is collected. */
void sources_rebuild(struct sources *sources)
{
    for (int i = 0; i < sources->count; i++) {
        struct source *source = &sources->list[i];
        source->is_muffled |= source->kind == PLX_HANDLE_PROCESS && !source->is_armed;
    }
}

bool sources_may_show_nothing(const struct sources *sources, int64_t moment)
{
    for (int i = 0; i < sources->count; i++) {
        if (sources->list[i].is_muffled)
            return true;
    }
    return sources->is_stirred || sources->alarm <= moment;
}

/* --- From add to removal --- */

struct source *source_add(struct run *run, plx_handle handle, const char *name, int want)
{
    struct sources *sources = &run->sources;
    if (sources->count == SOURCE_ROOM)
        return NULL;
    struct source *source = &sources->list[sources->count];
    *source = (struct source){
        .kind = handle.kind,
        .data = (void *)(uintptr_t)dice_next(&run->dice),
        .events = source_event(handle.kind),
        .is_armed = true,
        .is_called = !dice_one_in(&run->dice, 8),
    };
    if (dice_one_in(&run->dice, 4))
        source->events |= PLX_ONESHOT;
    journal_note("add %s%s%s", name, source->events & PLX_ONESHOT ? ", once" : "",
                 source->is_called ? "" : ", without a callback");
    int code = run_call_add(run, handle, source->events, source->is_called, source->data,
                            &source->watcher);
    run_expect(run, "add", code, want);
    if (code < 0) {
        run_compare_all(run); /* nothing has changed */
        return NULL;
    }
    sources->count++;
    run->totals.adds++;
    return source;
}

void source_rearm(struct source *source, struct span span)
{
    source->is_armed = true;
    source->is_muffled = false;
    if (source->kind == PLX_HANDLE_TIMER)
        timer_start(source, source->own, span);
}

void source_remove(struct run *run, struct source *source)
{
    struct source removed = *source;
    *source = run->sources.list[--run->sources.count];
    model_retire(&run->model, removed.watcher, removed.data);
    if (removed.kind == PLX_HANDLE_SIGNAL)
        signal_leave(removed.signo);
}

/* --- The reports --- */

static void check_report(const struct source *source, uint32_t events, struct span span)
{
    uint64_t count = plx_watcher_count(source->watcher);
    journal_result(" %s:%llu", source_name(source), (unsigned long long)count);
    if (source_forecast(source, span) == SILENT)
        journal_fail("a %s should be silent, and was reported", source_name(source));
    if (events != source_event(source->kind))
        journal_fail("a %s reported %#x", source_name(source), events);
    if (source->kind == PLX_HANDLE_TIMER)
        timer_check(source, span);
    if (source->kind == PLX_HANDLE_SIGNAL &&
        (count < source->pending - source->fresh || count > source->pending || count == 0))
        journal_fail("signal %d was delivered %u times, and reported as %llu", source->signo,
                     source->pending, (unsigned long long)count);
}

static void check_missing(struct source *source, struct span span, bool is_complete)
{
    if (source_forecast(source, span) != CERTAIN) {
        source->missed = 0;
        return;
    }
    if (is_complete)
        journal_fail("a %s is ready, there was room, and it was not reported", source_name(source));
    if (++source->missed > MODEL_PATIENCE)
        journal_fail("a %s starves: it was not reported in %u waits", source_name(source),
                     source->missed);
}

void sources_check(struct run *run, const struct wait *wait, bool is_complete)
{
    struct sources *sources = &run->sources;
    for (int i = 0; i < wait->count; i++) {
        struct source *source = source_find(sources, wait->ready[i]);
        if (!source)
            continue;
        if (source->is_reported)
            journal_fail("the wait reported a %s twice", source_name(source));
        source->is_reported = true;
        check_report(source, wait->events[i], wait->span);
        run->totals.of_sources++;
    }
    timers_check_order(sources, wait);
    timers_check_room(sources, wait);
    for (int i = 0; i < sources->count; i++) {
        if (!sources->list[i].is_reported)
            check_missing(&sources->list[i], wait->span, is_complete);
    }
}

/* What it reports once is over; what it counts begins anew. */
static void take_in(struct source *source, struct span span)
{
    source->triggered = source_event(source->kind);
    source->missed = 0;
    if (source->kind == PLX_HANDLE_TIMER) {
        timer_report(source, span);
    } else if (source->kind == PLX_HANDLE_SIGNAL) {
        source->count = plx_watcher_count(source->watcher);
        source->pending -= (unsigned)source->count;
    } else if (source->kind == PLX_HANDLE_PROCESS) {
        source->is_armed = false;
        if (source->code == PLX_ERR_AGAIN) {
            source->code =
                source->child->is_gone || source->child->is_parent ? PLX_ERR_NOTFOUND : PLX_OK;
            source->status = source->child->status;
        }
    }
    if (source->events & PLX_ONESHOT)
        source->is_armed = false;
}

void sources_age(struct sources *sources)
{
    for (int i = 0; i < sources->count; i++) {
        sources->list[i].is_news = false;
        sources->list[i].fresh = 0;
    }
}

void sources_settle(struct run *run, struct span span)
{
    struct sources *sources = &run->sources;
    for (int i = 0; i < sources->count; i++) {
        struct source *source = &sources->list[i];
        if (source->is_reported)
            take_in(source, span);
        source->is_reported = false;
    }
    sources_age(sources);
    timers_settle(sources, span.end);
    sources->alarm = NEVER;
    for (int i = 0; i < sources->count; i++)
        timer_note(sources, &sources->list[i]);
}

void sources_check_sleep(const struct run *run, int64_t end)
{
    const struct span span = {end, end};
    for (int i = 0; i < run->sources.count; i++) {
        const struct source *source = &run->sources.list[i];
        if (source->kind == PLX_HANDLE_TIMER && !source->is_relative &&
            source_forecast(source, span) == CERTAIN)
            journal_fail("a timer was due %lld ns before the end of a wait that reported nothing",
                         (long long)(end - source->latest));
    }
}

/* --- Comparing --- */

static bool is_same_handle(const struct source *source, plx_handle handle)
{
    if (handle.kind != source->kind)
        return false;
    switch (source->kind) {
    case PLX_HANDLE_TIMER:
        return handle.as.timer.after == source->own && handle.as.timer.every == source->every;
    case PLX_HANDLE_SIGNAL:
        return handle.as.signo == source->signo;
    case PLX_HANDLE_PROCESS:
        return handle.as.pid == source->child->pid;
    default:
        return true;
    }
}

/* Its status, or that it has none. */
static void compare_status(const struct source *source)
{
    int status = -1;
    int want = source->kind == PLX_HANDLE_PROCESS ? source->code : PLX_ERR_INVALID;
    int code = plx_watcher_exit_status(source->watcher, &status);
    if (code != want)
        journal_fail("the status of a %s gave %s instead of %s", source_name(source),
                     plx_error_name(code), plx_error_name(want));
    if (status != (code == PLX_OK ? source->status : -1))
        journal_fail("a process has the status %#x, not %#x", status, source->status);
}

void source_compare(struct run *run, const struct source *source)
{
    const plx_watcher *watcher = source->watcher;
    const char *name = source_name(source);
    if (!plx_watcher_is_active(watcher))
        journal_fail("the watcher of a %s is not active", name);
    if (plx_watcher_events(watcher) != source->events)
        journal_fail("a %s has events %#x, not %#x", name, plx_watcher_events(watcher),
                     source->events);
    if (plx_watcher_triggered(watcher) != source->triggered)
        journal_fail("a %s says that it reported %#x, not %#x", name,
                     plx_watcher_triggered(watcher), source->triggered);
    if (plx_watcher_count(watcher) != source->count)
        journal_fail("a %s counts %llu, not %llu", name,
                     (unsigned long long)plx_watcher_count(watcher),
                     (unsigned long long)source->count);
    if (plx_watcher_data(watcher) != source->data)
        journal_fail("a %s has other data", name);
    if (plx_watcher_context(watcher) != run->context)
        journal_fail("a %s has another context", name);
    if (!is_same_handle(source, plx_watcher_handle(watcher)))
        journal_fail("the watcher of a %s has another handle", name);
    compare_status(source);
}

/* --- What can happen to any --- */

static uint32_t choose_events(struct run *run, const struct source *source)
{
    const uint32_t event = source_event(source->kind);
    const uint32_t wrong[] = {0,
                              PLX_ONESHOT,
                              event | PLX_EDGE,
                              event | PLX_READ,
                              PLX_READ,
                              source->kind == PLX_HANDLE_TIMER ? PLX_SIGNAL : PLX_TIMER};
    if (dice_one_in(&run->dice, 8))
        return wrong[dice_roll(&run->dice, sizeof wrong / sizeof wrong[0])];
    return dice_one_in(&run->dice, 3) ? event | PLX_ONESHOT : event;
}

static void modify(struct run *run, struct source *source)
{
    uint32_t events = choose_events(run, source);
    uint32_t event = source_event(source->kind);
    bool is_right = (events & ~PLX_ONESHOT) == event;
    journal_note("modify a %s, %#x", source_name(source), events);
    faults_begin(&run->dice, 2);
    struct span span = {.start = now()};
    int code = plx_watcher_modify(source->watcher, events);
    span.end = now();
    run_expect(run, "modify", code, is_right ? PLX_OK : PLX_ERR_INVALID);
    if (code < 0)
        return;
    source->events = events;
    source_rearm(source, span);
    timer_note(&run->sources, source);
}

static void refuse(const struct source *source)
{
    plx_watcher *watcher = source->watcher;
    journal_note("ask the wrong thing of a %s", source_name(source));
    bool is_notify = source->kind == PLX_HANDLE_NOTIFY;
    bool is_timer = source->kind == PLX_HANDLE_TIMER;
    if ((!is_notify && (plx_watcher_notify(watcher) != PLX_ERR_INVALID ||
                        plx_watcher_clear(watcher) != PLX_ERR_INVALID)) ||
        plx_watcher_again(watcher, is_timer ? -2 : 0) != PLX_ERR_INVALID)
        journal_fail("a %s did what it cannot do", source_name(source));
}

static void remove_source(struct run *run, struct source *source)
{
    plx_watcher *watcher = source->watcher;
    journal_note("remove a %s", source_name(source));
    bool is_notify = source->kind == PLX_HANDLE_NOTIFY;
    faults_begin(&run->dice, 0);
    run_expect(run, "remove", plx_watcher_remove(watcher), PLX_OK);
    source_remove(run, source);
    run_compare_removed(&run->model.retired[run->model.retired_count - 1]);
    int want = is_notify ? PLX_ERR_INACTIVE : PLX_ERR_INVALID;
    if (plx_watcher_notify(watcher) != want || plx_watcher_clear(watcher) != PLX_ERR_INACTIVE ||
        plx_watcher_again(watcher, 0) != PLX_ERR_INACTIVE)
        journal_fail("a removed watcher can be raised or moved");
}

void operate_source(struct run *run)
{
    struct source *source = source_any(run, 0);
    if (!source)
        return;
    switch (dice_roll(&run->dice, 8)) {
    case 0:
    case 1:
        remove_source(run, source);
        signals_check();
        return;
    case 2:
        refuse(source);
        break;
    case 3:
        source->data = (void *)(uintptr_t)dice_next(&run->dice);
        plx_watcher_set_data(source->watcher, source->data);
        break;
    default:
        modify(run, source);
        break;
    }
    source_compare(run, source);
}
