/* SPDX-License-Identifier: MIT */
/* operations.c: what can happen in a schedule, and how often. */
#include "run.h"

#include <fcntl.h>
#include <unistd.h>

#include "custom.h"
#include "faults.h"
#include "journal.h"
#include "tolerance.h"

/* --- Choosing --- */

static struct registration *any_registration(struct run *run)
{
    if (run->model.count == 0)
        return NULL;
    return &run->model.registrations[dice_roll(&run->dice, (uint32_t)run->model.count)];
}

static uint32_t choose_events(struct run *run)
{
    uint32_t events = 0;
    events |= dice_roll(&run->dice, 10) < 6 ? PLX_READ : 0;
    events |= dice_roll(&run->dice, 10) < 3 ? PLX_WRITE : 0;
    events |= dice_one_in(&run->dice, 4) ? PLX_RDHUP : 0;
    events |= dice_one_in(&run->dice, 8) ? PLX_PRI : 0;
    if (events == 0 || dice_one_in(&run->dice, 8))
        events |= PLX_ERROR | PLX_HUP;
    events |= dice_one_in(&run->dice, 4) ? PLX_ONESHOT : 0;
    /* Where it is always refused, once in a while is enough. */
    if (dice_one_in(&run->dice, tolerance_refuses_edge(run->backend) ? 40 : 3))
        events |= PLX_EDGE;
    return events;
}

/* An open number, and now and then one that should not be there; never one of the context's own. */
static int choose_number(struct run *run)
{
    int number = world_any(&run->world, &run->dice);
    if (dice_one_in(&run->dice, 20))
        number = run->world.last_closed;
    else if (dice_one_in(&run->dice, 50))
        number = 60 + (int)dice_roll(&run->dice, 5000);
    else if (dice_one_in(&run->dice, 50))
        number = -1;
    bool is_strange = !world_file(&run->world, number) && fcntl(number, F_GETFD) >= 0;
    return is_strange ? -1 : number;
}

/* --- The context --- */

static void wake(struct run *run)
{
    journal_note("wake");
    faults_begin(&run->dice, 0);
    run_expect(run, "wake", plx_context_wake(run->context), PLX_OK);
    run->model.is_woken = true;
}

static void nest(struct run *run)
{
    if (dice_one_in(&run->dice, 2))
        wake(run); /* a pending one has to show */
    journal_note("nest");
    faults_begin(&run->dice, 2);
    int fd = plx_context_fd(run->context);
    if (tolerance_refuses_nesting(run->backend)) {
        run_expect(run, "nest", fd, PLX_ERR_NOSUPPORT);
    } else if (fd < 0) {
        run_expect(run, "nest", fd, PLX_OK);
    } else {
        run_end_faults(run);
        journal_result(" -> %d", fd);
        if (run->nested >= 0 && fd != run->nested)
            journal_fail("the nested descriptor went from %d to %d", run->nested, fd);
        run->nested = fd;
        timers_settle(&run->sources, now());
        run_compare_nested(run);
    }
}

/* --- Watchers --- */

/* What add returned; or what it would have returned, had it been asked to. */
static plx_watcher *fetch_watcher(struct run *run, plx_watcher *watcher, int number)
{
    if (!watcher)
        watcher = plx_context_find(run->context, number);
    if (!watcher)
        journal_fail("descriptor %d was added and has no watcher", number);
    return watcher;
}

static void add(struct run *run)
{
    int number = choose_number(run);
    bool is_custom = dice_one_in(&run->dice, 4);
    struct object *object = is_custom ? object_choose(&run->dice, number) : NULL;
    uint32_t events = choose_events(run);
    void *data = (void *)(uintptr_t)dice_next(&run->dice);
    if (run->model.count == MODEL_ROOM)
        return;
    journal_note("add %d%s, %#x", number, object ? " custom" : "", events);
    if (object)
        object->is_taken = true; /* until it turns out that it was not */

    plx_watcher *watcher = NULL;
    bool is_asked_back = !dice_one_in(&run->dice, 8);
    plx_handle handle = object ? plx_custom(object->ops, object) : plx_fd(number);
    bool is_called = !dice_one_in(&run->dice, 3);
    int code = run_call_add(run, handle, events, is_called, data, is_asked_back ? &watcher : NULL);
    run_expect(run, "add", code, model_add_code(&run->model, number, object, events, code));
    if (code < 0) {
        if (object)
            object->is_taken = false;
        model_refuse(&run->model, model_find(&run->model, object ? object->number : number));
        run_compare_all(run); /* nothing has changed */
        return;
    }
    run->totals.adds++;
    struct registration *registration = model_add(&run->model, number, object, events, data);
    registration->is_called = is_called;
    registration->watcher = fetch_watcher(run, watcher, number);
    run_compare(run, registration);
}

static void modify(struct run *run)
{
    struct registration *registration = any_registration(run);
    if (!registration)
        return;
    uint32_t events = dice_one_in(&run->dice, 4) ? registration->events : choose_events(run);
    journal_note("modify %d, %#x", registration->number, events);
    faults_begin(&run->dice, RUN_FAULTY);
    int code = plx_watcher_modify(registration->watcher, events);
    run_expect(run, "modify", code, model_events_code(&run->model, events));
    if (code == PLX_OK)
        model_modify(registration, events);
    else
        model_refuse(&run->model, registration);
    run_compare(run, registration);
}

static void remove_one(struct run *run, struct registration *registration)
{
    journal_note("remove %d", registration->number);
    faults_begin(&run->dice, 0);
    int code = plx_watcher_remove(registration->watcher);
    run_expect(run, "remove", code, PLX_OK);
    model_remove(&run->model, registration);
    run_compare_removed(&run->model.retired[run->model.retired_count - 1]);
}

static void remove_watcher(struct run *run)
{
    struct registration *registration = any_registration(run);
    if (registration)
        remove_one(run, registration);
}

/* What is always ready hides what is not: a context with little in it has long quiet hours. */
static void remove_many(struct run *run)
{
    if (!dice_one_in(&run->dice, 2))
        return;
    while (run->model.count > 0)
        remove_one(run, &run->model.registrations[0]);
    if (dice_one_in(&run->dice, 2))
        notifies_clear(run);
    if (dice_one_in(&run->dice, 2))
        nest(run);
}

static void set_data(struct run *run)
{
    struct registration *registration = any_registration(run);
    if (!registration)
        return;
    journal_note("set data of %d", registration->number);
    registration->data = (void *)(uintptr_t)dice_next(&run->dice);
    plx_watcher_set_data(registration->watcher, registration->data);
}

/*
 * Bytes come into a buffer, or are taken out. They come at a time when the context has not yet
 * asked, or else with the modify that makes it ask.
 */
static void change_buffer(struct run *run)
{
    struct registration *registration = any_registration(run);
    if (!registration || !registration->object)
        return;
    bool is_filled = dice_one_in(&run->dice, 2);
    journal_note("%s the buffer of %d", is_filled ? "fill" : "empty", registration->number);
    if (is_filled && !registration->is_due) {
        if (plx_watcher_modify(registration->watcher, registration->events) != PLX_OK)
            return;
        model_modify(registration, registration->events);
    }
    registration->object->buffered = is_filled ? 1 + dice_roll(&run->dice, 100) : 0;
}

/* --- Calls that have to be refused --- */

static void refuse_add(struct run *run)
{
    static const uint32_t wrong[] = {
        0,          PLX_ONESHOT,         PLX_EDGE,  PLX_ONESHOT | PLX_EDGE, PLX_TIMER,
        PLX_SIGNAL, PLX_READ | 1u << 15, UINT32_MAX};
    int number = world_any(&run->world, &run->dice);
    plx_handle handle = plx_fd(number);
    uint32_t events = PLX_READ;
    switch (dice_roll(&run->dice, 3)) {
    case 0:
        handle.kind = 0;
        break;
    case 1:
        handle.reserved = 1;
        break;
    default:
        events = wrong[dice_roll(&run->dice, sizeof wrong / sizeof wrong[0])];
        break;
    }
    journal_note("add %d wrongly, kind %u, %#x", number, handle.kind, events);
    faults_begin(&run->dice, 0);
    int code = plx_context_add(run->context, handle, events, NULL, NULL);
    run_expect(run, "a wrong add", code, PLX_ERR_INVALID);
}

/* Open, but nothing that can be polled. */
static void refuse_path(struct run *run)
{
    int path = open("/", O_PATH | O_CLOEXEC);
    journal_note("add a path");
    faults_begin(&run->dice, 0);
    int code = plx_context_add(run->context, plx_fd(path), PLX_READ, NULL, NULL);
    close(path);
    run_expect(run, "add of a path", code, PLX_ERR_BADHANDLE);
}

static void refuse_wait(struct run *run)
{
    plx_watcher *ready[1];
    journal_note("wait wrongly");
    faults_begin(&run->dice, 0);
    run_expect(run, "no room", plx_context_wait(run->context, ready, 0, 0), PLX_ERR_INVALID);
    run_expect(run, "no array", plx_context_wait(run->context, NULL, 1, 0), PLX_ERR_INVALID);
    run_expect(run, "bad time", plx_context_wait(run->context, ready, 1, -2), PLX_ERR_INVALID);
}

static void refuse(struct run *run)
{
    switch (dice_roll(&run->dice, 3)) {
    case 0:
        refuse_path(run);
        break;
    case 1:
        refuse_wait(run);
        break;
    default:
        refuse_add(run);
        break;
    }
}

/* --- The context --- */

/* A context that was nested once stays so: not in every life. */
static void nest_rarely(struct run *run)
{
    if (dice_one_in(&run->dice, 10))
        nest(run);
}

static void renew_context(struct run *run)
{
    if (!dice_one_in(&run->dice, 10))
        return;
    run_destroy(run);
    run_create(run);
}

/* --- Descriptors --- */

static void open_file(struct run *run)
{
    journal_note("open");
    if (world_open_file(&run->world, &run->dice)) {
        const struct descriptor *last = &run->world.numbers[run->world.count - 1];
        journal_result(" %s %d", world_name(last->file), last->number);
    }
}

/* Rather a watched one: it is what makes trouble later. */
static void duplicate(struct run *run)
{
    struct registration *registration = any_registration(run);
    int number = world_any(&run->world, &run->dice);
    if (registration && dice_one_in(&run->dice, 2))
        number = registration->number;
    journal_note("duplicate %d", number);
    journal_result(" to %d", world_duplicate(&run->world, &run->dice, number));
}

/* The file of a ghost comes back to its number, whoever has had that meanwhile. */
static void bring_back(struct run *run)
{
    struct model *model = &run->model;
    if (model->ghost_count == 0)
        return;
    const struct ghost *ghost = &model->ghosts[dice_roll(&run->dice, (uint32_t)model->ghost_count)];
    if (!world_is_alive(ghost->file, ghost->serial) || world_file(&run->world, ghost->number))
        return;
    int number = world_number(&run->world, ghost->file);
    journal_note("duplicate %d, a ghost,", number);
    journal_result(" to %d", world_duplicate_to(&run->world, number, ghost->number));
}

static void close_in_context(struct run *run, int number)
{
    bool is_open = world_file(&run->world, number);
    struct registration *registration = model_find(&run->model, number);
    journal_note("close %d in the context", number);
    if (is_open)
        world_before_close(&run->world, number);
    faults_begin(&run->dice, 0);
    int code = plx_context_close(run->context, number);
    run_expect(run, "close", code, is_open ? PLX_OK : PLX_ERR_BADHANDLE);
    if (is_open)
        world_after_close(&run->world, number);
    if (registration)
        model_remove(&run->model, registration);
}

/* As one must not do it. */
static void close_below(struct run *run, int number)
{
    if (!world_file(&run->world, number))
        return;
    journal_note("close %d%s", number, model_find(&run->model, number) ? " under its watcher" : "");
    run->totals.losses += model_find(&run->model, number) != NULL;
    model_lose(&run->model, number);
    world_before_close(&run->world, number);
    close(number);
    world_after_close(&run->world, number);
}

static void close_number(struct run *run)
{
    int number = choose_number(run);
    if (number < 0)
        return;
    bool is_watched = model_find(&run->model, number) != NULL;
    if (dice_one_in(&run->dice, is_watched ? 4 : 2))
        close_below(run, number);
    else
        close_in_context(run, number);
}

/* --- What comes and goes --- */

static void happen(struct run *run)
{
    static const char *const names[] = {"write to",     "read from", "drain",
                                        "write to",     "fill",      "shut down",
                                        "be abrupt to", "urge",      "take what is urgent from"};
    static const uint8_t odds[] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6, 7, 7, 8};
    uint8_t choice = odds[dice_roll(&run->dice, sizeof odds)];
    int number = world_any(&run->world, &run->dice);
    if (number < 0)
        return;
    journal_note("%s %d", names[choice], number);
    switch (choice) {
    case 1:
        world_read(&run->world, &run->dice, number);
        break;
    case 2:
        world_drain(&run->world, number);
        break;
    case 4:
        world_fill(&run->world, number);
        break;
    case 5:
        world_shut_down(&run->world, number);
        break;
    case 6:
        world_make_abrupt(&run->world, number);
        break;
    case 7:
        world_send_urgent(&run->world, number);
        break;
    case 8:
        world_take_urgent(&run->world, number);
        break;
    default:
        world_write(&run->world, &run->dice, number);
        break;
    }
}

/* --- The mixture --- */

static const struct {
    unsigned odds;
    void (*play)(struct run *run);
    bool is_shared; /* it concerns files that a forked child shares with its parent */
} operations[] = {
    {24, wait_play, false},     {22, happen, true},         {12, add, false},
    {10, modify, false},        {5, remove_watcher, false}, {8, open_file, true},
    {3, duplicate, true},       {6, close_number, true},    {3, change_buffer, false},
    {2, wake, false},           {2, set_data, false},       {2, refuse, false},
    {1, nest_rarely, false},    {1, renew_context, false},  {2, bring_back, true},
    {1, remove_many, false},    {5, operate_source, false}, {6, operate_timer, false},
    {6, operate_notify, false}, {5, operate_signal, false}, {4, operate_process, false},
    {8, loop_play, false},      {1, fork_play, true},
};

void operation_play(struct run *run, bool is_forked)
{
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        sum += operations[i].odds;
    unsigned choice = dice_roll(&run->dice, sum);
    size_t i = 0;
    while (choice >= operations[i].odds)
        choice -= operations[i++].odds;
    if (!is_forked || !operations[i].is_shared)
        operations[i].play(run);
}
