/* SPDX-License-Identifier: MIT */
/* run.c: a schedule from beginning to end, and what is compared along the way. */
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "custom.h"
#include "journal.h"
#include "tolerance.h"

/* Everything is compared after so many operations; what an operation was about, after each. */
#define COMPARE_EVERY 16

/* A thousand operations take milliseconds, or seconds under a tool that watches each step. */
#define WATCH_EVERY   1000
#define WATCH_SECONDS 120

/* --- Codes and faults --- */

struct faults run_end_faults(struct run *run)
{
    int cause = errno;
    struct faults faults = faults_end();
    if (faults.has_fired) {
        run->totals.faults++;
        journal_result(" (refused: %s)", faults.cause ? strerror(faults.cause) : "memory");
    }
    errno = cause;
    return faults;
}

void run_expect(struct run *run, const char *call, int got, int want)
{
    int cause = errno;
    struct faults faults = run_end_faults(run);
    journal_result(" -> %s", plx_error_name(got));
    if (got == want)
        return;
    if (!faults.has_fired || got != faults.code)
        journal_fail("%s gave %s instead of %s", call, plx_error_name(got), plx_error_name(want));
    if (faults.cause != 0 && cause != faults.cause)
        journal_fail("%s left errno at %d instead of %d", call, cause, faults.cause);
}

int run_call_add(struct run *run, plx_handle handle, uint32_t events, bool is_called, void *data,
                 plx_watcher **watcher)
{
    faults_begin(&run->dice, RUN_FAULTY);
    int code = is_called
                   ? plx_context_on(run->context, handle, events, loop_on_ready, data, watcher)
                   : plx_context_add(run->context, handle, events, data, watcher);
    if (code < 0 && watcher && *watcher)
        journal_fail("add failed and wrote its result");
    return code;
}

void run_forget_evicted(struct run *run)
{
    for (int i = 0; i < run->model.count; i++) {
        struct registration *registration = &run->model.registrations[i];
        if (plx_watcher_is_active(registration->watcher) ||
            world_file(&run->world, registration->number))
            continue;
        model_remove(&run->model, registration);
        i--;
    }
}

/* --- The context from create to destroy --- */

static void check_descriptors(const struct run *run, int of_context)
{
    int expected = run->strangers + run->world.count + of_context;
    int open = world_open_descriptors();
    if (open != expected)
        journal_fail("there are %d open descriptors instead of %d", open, expected);
}

static int create(struct run *run)
{
    static const size_t hints[] = {0, 1, 17, 300};
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    options.backend = run->backend;
    options.allocator = &faults_allocator;
    options.task_dropped = loop_on_dropped;
    options.capacity_hint = hints[dice_roll(&run->dice, 4)];
    journal_note("create, hint %zu", options.capacity_hint);
    faults_begin(&run->dice, 2);
    int code = plx_context_create(&run->context, &options);
    run_expect(run, "create", code, PLX_OK);
    return code;
}

void run_create(struct run *run)
{
    while (create(run) < 0) {
        check_descriptors(run, 0);
        if (faults_bytes() > 0)
            journal_fail("a failed create left %zu bytes behind", faults_bytes());
    }
    model_open(&run->model, &run->world, run->backend);
    run->nested = -1;
    run->is_unflushed = run->owes_rebuild = false;
    run->sources = (struct sources){.alarm = NEVER};
    run->tasks = (struct tasks){0};
    processes_choose(run);
    run->totals.contexts++;
    if (plx_context_backend(run->context) != run->backend)
        journal_fail("the context has another backend");
}

/* What has no cleanup is given back by the caller, once its watcher is gone. */
static void release(struct object *object)
{
    if (object && !object_wants_cleanup(object))
        object->is_taken = false;
}

void run_destroy(struct run *run)
{
    journal_note("destroy");
    plx_context_destroy(run->context);
    run->context = NULL;
    if (run->tasks.done != run->tasks.posted)
        journal_fail("of %lu tasks %lu ran or were dropped", run->tasks.posted, run->tasks.done);
    for (int i = 0; i < run->sources.count; i++) {
        if (run->sources.list[i].kind == PLX_HANDLE_SIGNAL)
            signal_leave(run->sources.list[i].signo);
    }
    run->sources.count = 0;
    signals_check();
    for (int i = 0; i < run->model.count; i++)
        release(run->model.registrations[i].object);
    for (int i = 0; i < run->model.retired_count; i++)
        release(run->model.retired[i].object);
    if (objects_taken() > 0)
        journal_fail("destroy did not clean up %d objects", objects_taken());
    if (faults_bytes() > 0)
        journal_fail("destroy left %zu bytes behind", faults_bytes());
    check_descriptors(run, 0);
}

/* --- Comparing --- */

static void compare_handle(const struct registration *registration)
{
    plx_handle handle = plx_watcher_handle(registration->watcher);
    bool is_right =
        registration->object
            ? handle.kind == PLX_HANDLE_CUSTOM && handle.as.custom.object == registration->object
            : handle.kind == PLX_HANDLE_FD && handle.as.fd == registration->number;
    if (!is_right)
        journal_fail("the watcher of descriptor %d has another handle", registration->number);
}

void run_compare(struct run *run, const struct registration *registration)
{
    const plx_watcher *watcher = registration->watcher;
    const uint32_t shown = registration->events | PLX_ERROR | PLX_HUP;
    int number = registration->number;

    if (!plx_watcher_is_active(watcher))
        journal_fail("the watcher of descriptor %d is not active", number);
    if (plx_context_find(run->context, number) != watcher)
        journal_fail("find does not find descriptor %d", number);
    if (plx_watcher_events(watcher) != registration->events)
        journal_fail("descriptor %d has events %#x, not %#x", number, plx_watcher_events(watcher),
                     registration->events);
    if (plx_watcher_triggered(watcher) != (registration->triggered & shown))
        journal_fail("descriptor %d says that it reported %#x, not %#x", number,
                     plx_watcher_triggered(watcher), registration->triggered & shown);
    if (plx_watcher_data(watcher) != registration->data)
        journal_fail("descriptor %d has other data", number);
    if (plx_watcher_context(watcher) != run->context)
        journal_fail("descriptor %d has another context", number);
    compare_handle(registration);
}

/* A removed watcher can be asked until the next wait. */
void run_compare_removed(const struct registration *removed)
{
    plx_watcher *watcher = removed->watcher;
    if (plx_watcher_is_active(watcher) || plx_watcher_triggered(watcher) != 0)
        journal_fail("a removed watcher is still there");
    if (plx_watcher_data(watcher) != removed->data)
        journal_fail("a removed watcher has other data");
    if (plx_watcher_modify(watcher, PLX_READ) != PLX_ERR_INACTIVE ||
        plx_watcher_remove(watcher) != PLX_ERR_INACTIVE)
        journal_fail("a removed watcher can be changed");
}

void run_compare_all(struct run *run)
{
    for (int i = 0; i < run->model.count; i++)
        run_compare(run, &run->model.registrations[i]);
    for (int i = 0; i < run->sources.count; i++)
        source_compare(run, &run->sources.list[i]);
    for (int i = 0; i < run->model.retired_count; i++)
        run_compare_removed(&run->model.retired[i]);
    for (int number = 0; number < 64; number++) {
        if (!model_find(&run->model, number) && plx_context_find(run->context, number))
            journal_fail("find finds descriptor %d, which is not watched", number);
    }
}

/* An alarm goes off a moment after its time. */
#define ALARM_MILLISECONDS 10000

void run_compare_nested(struct run *run)
{
    if (run->nested < 0)
        return;
    world_check_still(&run->world);
    struct pollfd entry = {.fd = run->nested, .events = POLLIN};
    struct span span = {.start = now()};
    span.end = span.start;
    bool is_certain = run->model.is_woken || run->tasks.is_news ||
                      model_ready(&run->model, CERTAIN) > 0 ||
                      sources_ready(&run->sources, CERTAIN, span) > 0;
    bool is_shown = poll(&entry, 1, is_certain ? ALARM_MILLISECONDS : 0) > 0;
    span.end = now();
    if (is_certain && !is_shown)
        journal_fail("a wait would return, and the nested descriptor does not show it");
    bool may_lag = tolerance_nested_lags(run->backend) && !run->is_quiet;
    if (is_shown && !is_certain && !may_lag && !run->is_unflushed &&
        model_ready(&run->model, POSSIBLE) == 0 &&
        sources_ready(&run->sources, POSSIBLE, span) == 0 && run->tasks.posted == run->tasks.done &&
        !run->tasks.may_be_woken && !model_may_show_nothing(&run->model) &&
        !sources_may_show_nothing(&run->sources, span.end))
        journal_fail("the nested descriptor shows something, and a wait would not return");
}

void run_compare_count(struct run *run)
{
    int count = run->model.count + run->sources.count;
    if (plx_context_count(run->context) != (size_t)count)
        journal_fail("the context counts %zu watchers, and there are %d",
                     plx_context_count(run->context), count);
}

/* --- The schedule --- */

static void play(struct run *run, uint64_t number)
{
    if (number % WATCH_EVERY == 0)
        journal_watch(WATCH_SECONDS);
    run->dice = dice_of(run->seed, number);
    operation_play(run, false);
    run_compare_count(run);
    if (number % COMPARE_EVERY == 0)
        run_compare_all(run);
    if (dice_one_in(&run->dice, 4))
        run_compare_nested(run);
}

void run_schedule(struct run *run, plx_backend backend, uint64_t seed, uint64_t operations)
{
    int before = world_open_descriptors();
    memset(run, 0, sizeof *run);
    run->seed = seed;
    run->dice = dice_of(seed, UINT64_MAX);
    run->backend = backend;
    signals_open();
    world_open(&run->world);
    run->strangers = before + 1; /* the world's listener */
    run_create(run);
    for (uint64_t i = 0; i < operations; i++)
        play(run, i);
    run_destroy(run);
    processes_close(run);
    world_close(&run->world);
    signals_close();
    journal_watch(0);
    if (world_open_descriptors() != before)
        journal_fail("the schedule left descriptors behind");
}
