/* SPDX-License-Identifier: MIT */
#include "model.h"

#include "journal.h"
#include "tolerance.h"

#define DATA_EVENTS (PLX_READ | PLX_WRITE | PLX_PRI | PLX_RDHUP)
#define MODES       (PLX_ONESHOT | PLX_EDGE)

/* In the place of facts: the number names nothing. */
#define CLOSED UINT32_C(0x8000)

void model_open(struct model *model, const struct world *world, plx_backend backend)
{
    *model = (struct model){
        .world = world,
        .backend = backend,
        .is_by_number = !tolerance_notices_reuse(backend),
        .is_split = tolerance_splits_edges(backend),
        .is_close_final = tolerance_close_is_final(backend),
    };
}

struct registration *model_find(struct model *model, int number)
{
    for (int i = 0; i < model->count; i++) {
        if (model->registrations[i].number == number)
            return &model->registrations[i];
    }
    return NULL;
}

struct registration *model_find_watcher(struct model *model, const plx_watcher *watcher)
{
    for (int i = 0; i < model->count; i++) {
        if (model->registrations[i].watcher == watcher)
            return &model->registrations[i];
    }
    return NULL;
}

/* --- What is ready --- */

static uint32_t facts_of(const struct model *model, const struct registration *registration)
{
    if (!model->is_by_number)
        return registration->file->facts;
    const struct file *file = world_file(model->world, registration->number);
    return file ? file->facts : CLOSED;
}

/* Clauses S1 to S4 and S20. */
static uint32_t normalise(uint32_t facts, uint32_t events)
{
    if (facts & CLOSED)
        return PLX_ERROR | (events & (PLX_READ | PLX_WRITE));
    uint32_t report = facts & (events | PLX_ERROR | PLX_HUP);
    if (facts & (PLX_ERROR | PLX_HUP))
        report |= events & (PLX_READ | PLX_WRITE);
    if (facts & PLX_RDHUP)
        report |= events & PLX_READ;
    return report;
}

/* Nothing but ERROR and HUP is reported once, like a one-shot. */
static bool is_once(uint32_t events)
{
    return events & PLX_ONESHOT || !(events & DATA_EVENTS);
}

static bool is_edge(uint32_t events)
{
    return events & PLX_EDGE && events & DATA_EVENTS;
}

bool model_is_to_be_asked(const struct registration *registration)
{
    return registration->object && object_has_buffer(registration->object) &&
           registration->is_due && registration->is_armed && registration->events & PLX_READ &&
           !(registration->events & PLX_EDGE);
}

static bool has_bytes(const struct registration *registration)
{
    return model_is_to_be_asked(registration) && registration->object->buffered > 0;
}

/*
 * T6: whatever its file says through another number, or the file that has its number now; or one
 * ERROR; or nothing.
 */
static struct forecast forecast_lost(const struct model *model,
                                     const struct registration *registration)
{
    bool is_audible = registration->is_plain || registration->may_tell ||
                      registration->is_obscure || has_bytes(registration) ||
                      world_is_alive(registration->file, registration->serial) ||
                      world_file(model->world, registration->number);
    return (struct forecast){
        .certainty = is_audible ? POSSIBLE : SILENT,
        .is_whole = true,
        .most = (registration->events & DATA_EVENTS) | PLX_ERROR | PLX_HUP,
    };
}

/* What became true since it was told. */
static uint32_t risen(const struct registration *registration)
{
    const struct file *file = registration->file;
    uint32_t facts = registration->events | PLX_ERROR | PLX_HUP;
    return registration->is_fresh ? file->facts : world_risen(file, facts, registration->told);
}

static bool is_moved(const struct registration *registration)
{
    const struct file *file = registration->file;
    return file->version != registration->told || file->is_restless;
}

/* S8: certain is what became ready; possible is whatever the kernel was made to look at. */
static enum certainty certainty_of_edge(const struct registration *registration)
{
    if (registration->is_fresh || risen(registration))
        return CERTAIN;
    return is_moved(registration) || registration->extra > 0 ? POSSIBLE : SILENT;
}

/* What the kernel may tell beside what poll(2) tells. */
static uint32_t optional_events(const struct model *model, const struct registration *registration)
{
    bool is_shut = registration->file->is_shut && tolerance_shut_is_ready(model->backend);
    return is_shut ? registration->events & PLX_WRITE : 0;
}

struct forecast model_forecast(const struct model *model, const struct registration *registration)
{
    if (registration->is_lost)
        return forecast_lost(model, registration);
    if (!registration->is_armed)
        return (struct forecast){.certainty = SILENT};

    uint32_t report = normalise(facts_of(model, registration), registration->events);
    struct forecast forecast = {CERTAIN, report, report, true};
    if (has_bytes(registration)) {
        forecast.least = PLX_READ;
        forecast.most |= PLX_READ;
    } else if (report == 0) {
        forecast.certainty = SILENT;
    } else if (is_edge(registration->events)) {
        forecast.certainty = certainty_of_edge(registration);
        if (model->is_split) {
            forecast.least = normalise(risen(registration), registration->events);
            forecast.is_whole = false;
        }
    }
    uint32_t optional = optional_events(model, registration) & ~forecast.most;
    if (optional) {
        forecast.most |= optional;
        forecast.is_whole = false;
        if (forecast.certainty == SILENT)
            forecast.certainty = POSSIBLE;
    }
    return forecast;
}

int model_ready(const struct model *model, enum certainty at_least)
{
    int count = 0;
    for (int i = 0; i < model->count; i++)
        count += model_forecast(model, &model->registrations[i]).certainty >= at_least;
    return count;
}

static bool is_alive(const struct ghost *ghost)
{
    return world_is_alive(ghost->file, ghost->serial);
}

bool model_is_haunted(const struct model *model)
{
    if (model->is_close_final)
        return false;
    for (int i = 0; i < model->count; i++) {
        const struct registration *registration = &model->registrations[i];
        if (registration->is_lost && world_is_alive(registration->file, registration->serial))
            return true;
    }
    for (int i = 0; i < model->ghost_count; i++) {
        if (is_alive(&model->ghosts[i]))
            return true;
    }
    return false;
}

bool model_may_show_nothing(const struct model *model)
{
    for (int i = 0; i < model->count; i++) {
        const struct registration *registration = &model->registrations[i];
        /* Only the next wait can ask whether there is anything. */
        if (registration->is_lost || model_is_to_be_asked(registration) ||
            (registration->is_muffled && facts_of(model, registration) & (PLX_ERROR | PLX_HUP)))
            return true;
    }
    return model_is_haunted(model);
}

/* --- The right codes --- */

int model_events_code(const struct model *model, uint32_t events)
{
    const uint32_t askable = DATA_EVENTS | PLX_ERROR | PLX_HUP;
    if (events & ~(askable | MODES) || !(events & askable))
        return PLX_ERR_INVALID;
    if (!plx_backend_supports(model->backend, events))
        return PLX_ERR_NOSUPPORT;
    return PLX_OK;
}

static bool is_haunted(const struct model *model, int number, const struct file *file)
{
    for (int i = 0; i < model->ghost_count; i++) {
        const struct ghost *ghost = &model->ghosts[i];
        if (ghost->number == number && ghost->file == file && is_alive(ghost))
            return true;
    }
    return false;
}

/* The descriptor has an active watcher. Has the number come back with another file? */
static int code_of_second(const struct model *model, const struct registration *first,
                          const struct file *file, int got)
{
    if (!first->is_lost)
        return PLX_ERR_EXISTS;
    if (file->serial == first->serial || first->is_obscure ||
        is_haunted(model, first->number, file))
        return got == PLX_OK ? PLX_OK : PLX_ERR_EXISTS; /* who can tell? */
    /* Plain files are told apart by what fstat() says, which may be the same for two. */
    if (first->is_plain && file->kind == FILE_PLAIN)
        return got == PLX_OK ? PLX_OK : PLX_ERR_EXISTS;
    /* So are all files where the kernel forgets, and counters have no identity of their own. */
    if (first->is_counter && file->kind == FILE_COUNTER &&
        tolerance_goes_by_identity(model->backend))
        return got == PLX_OK ? PLX_OK : PLX_ERR_EXISTS;
    return PLX_OK;
}

int model_add_code(struct model *model, int number, const struct object *object, uint32_t events,
                   int got)
{
    int code = model_events_code(model, events);
    if (code < 0)
        return code;
    if (object) {
        if (object->ops->is_valid && !object->is_valid)
            return PLX_ERR_BADHANDLE;
        number = object->number;
    }
    const struct file *file = world_file(model->world, number);
    if (!file)
        return PLX_ERR_BADHANDLE;
    const struct registration *first = model_find(model, number);
    return first ? code_of_second(model, first, file, got) : PLX_OK;
}

/* --- What happened --- */

struct registration *model_add(struct model *model, int number, struct object *object,
                               uint32_t events, void *data)
{
    struct registration *stale = model_find(model, number);
    if (stale)
        model_remove(model, stale);
    struct file *file = world_file(model->world, number);
    struct registration *registration = &model->registrations[model->count++];
    *registration = (struct registration){
        .data = data,
        .object = object,
        .number = number,
        .file = file,
        .serial = file->serial,
        .is_plain = file->kind == FILE_PLAIN,
        .is_counter = file->kind == FILE_COUNTER,
    };
    model_modify(registration, events);
    registration->may_tell = false;
    return registration;
}

void model_modify(struct registration *registration, uint32_t events)
{
    registration->events = events;
    registration->is_armed = true;
    registration->is_muffled = false;
    registration->is_fresh = true;
    registration->is_due = true;
    registration->may_tell = true;
    registration->is_obscure |= registration->is_lost;
}

static void leave_ghost(struct model *model, const struct registration *registration)
{
    struct ghost ghost = {registration->number, registration->file, registration->serial};
    if (!is_alive(&ghost))
        return;
    for (int i = 0; i < model->ghost_count; i++) {
        if (!is_alive(&model->ghosts[i]))
            model->ghosts[i--] = model->ghosts[--model->ghost_count];
    }
    if (model->ghost_count < MODEL_ROOM)
        model->ghosts[model->ghost_count++] = ghost;
}

static void retire(struct model *model, struct registration removed)
{
    if (model->retired_count == MODEL_RETIRED)
        journal_fail("the model has no room for another removed watcher");
    model->retired[model->retired_count++] = removed;
}

void model_retire(struct model *model, plx_watcher *watcher, void *data)
{
    retire(model, (struct registration){.watcher = watcher, .data = data});
}

void model_mute(struct registration *registration)
{
    registration->is_armed = false;
    registration->is_muffled = true; /* until the kernel has heard of it */
}

void model_remove(struct model *model, struct registration *registration)
{
    if (registration->is_lost)
        leave_ghost(model, registration);
    retire(model, *registration);
    *registration = model->registrations[--model->count];
}

void model_refuse(const struct model *model, struct registration *registration)
{
    if (registration && model->is_split)
        registration->extra = 2;
}

void model_lose(struct model *model, int number)
{
    struct registration *registration = model_find(model, number);
    if (!registration || model->is_by_number)
        return;
    registration->is_lost = true;
    /* A change of the backend's own may be on its way, and be refused. */
    registration->may_tell |= model->is_close_final;
}

/* What was added again to the new queue may be reported again. */
void model_rebuild(struct model *model, bool is_done)
{
    for (int i = 0; i < model->count; i++) {
        struct registration *registration = &model->registrations[i];
        registration->extra = model->is_split ? 2 : 1;
        registration->may_tell = true;
        registration->is_muffled |= !registration->is_armed;
        registration->is_obscure |= registration->is_lost;
    }
    if (is_done)
        model->ghost_count = 0;
}

void model_pass_over(const struct model *model, struct registration *registration)
{
    registration->told = registration->file->version;
    registration->is_fresh = false;
    if (!model->is_split)
        registration->extra = 0;
}

void model_report(const struct model *model, struct registration *registration, uint32_t events)
{
    /* S20. What came from a buffer alone does not tell that the number is closed. */
    bool is_closed =
        model->is_by_number && events & PLX_ERROR && facts_of(model, registration) & CLOSED;
    bool has_buffer = registration->object && object_has_buffer(registration->object);

    /* One direction has been told, or both, and the event of the other is still on its way. */
    int extra = 0;
    if (model->is_split && is_edge(registration->events))
        extra = registration->is_fresh || is_moved(registration) ? 1 : registration->extra - 1;

    registration->triggered = events;
    registration->missed = 0;
    registration->is_due = true;
    model_pass_over(model, registration);
    registration->extra = extra;
    if (is_once(registration->events) || is_closed)
        registration->is_armed = false;
    /* A one-shot from a buffer is still armed in the kernel, which has to be told. */
    registration->is_muffled = has_buffer && registration->events & PLX_ONESHOT;
    registration->may_tell = registration->is_muffled;
}
