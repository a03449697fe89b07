/* SPDX-License-Identifier: MIT */
/* stage.c: one public call at a time, with what held before and has to hold after a failure. */
#include "stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "src/base/tuning.h"
#include "system.h"
#include "tolerance.h"

/* --- The log --- */

void stage_note(struct stage *stage, const char *format, ...)
{
    struct trial *trial = stage->trial;
    va_list arguments;
    va_start(arguments, format);
    int size =
        vsnprintf(trial->log + trial->log_size, LOG_SIZE - trial->log_size, format, arguments);
    va_end(arguments);
    CHECK(size >= 0 && trial->log_size + (size_t)size + 1 < LOG_SIZE);
    trial->log_size += (size_t)size;
    trial->log[trial->log_size++] = '\n';
}

/* --- Descriptors --- */

int stage_keep(struct stage *stage, int fd)
{
    CHECK(fd >= 0);
    CHECK(stage->descriptor_count < DESCRIPTORS);
    stage->descriptors[stage->descriptor_count++] = fd;
    return fd;
}

int stage_event(struct stage *stage, bool is_ready)
{
    return stage_keep(stage, eventfd(is_ready, EFD_CLOEXEC | EFD_NONBLOCK));
}

void stage_set_ready(int fd, bool is_ready)
{
    eventfd_t count;
    if (is_ready)
        CHECK(eventfd_write(fd, 1) == 0);
    else
        CHECK(eventfd_read(fd, &count) == 0);
}

void stage_forget(struct stage *stage, int fd)
{
    for (int i = 0; i < stage->descriptor_count; i++) {
        if (stage->descriptors[i] == fd)
            stage->descriptors[i] = -1;
    }
}

int stage_open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    int count = -1; /* the folder's own */
    for (struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

/* --- Before and after a public call --- */

struct picture {
    size_t count;
    int descriptors;
    struct {
        bool is_active;
        bool is_found;
        uint32_t events;
        uint32_t triggered;
        void *data;
    } seats[SEATS];
};

static struct picture before;

static void take_picture(struct stage *stage, struct picture *picture)
{
    memset(picture, 0, sizeof *picture);
    picture->count = plx_context_count(stage->context);
    picture->descriptors = stage_open_descriptors();
    for (int i = 0; i < SEATS; i++) {
        const struct seat *seat = &stage->seats[i];
        if (!seat->watcher)
            continue;
        picture->seats[i].is_active = plx_watcher_is_active(seat->watcher);
        picture->seats[i].is_found = plx_context_find(stage->context, seat->fd) == seat->watcher;
        picture->seats[i].events = plx_watcher_events(seat->watcher);
        picture->seats[i].triggered = plx_watcher_triggered(seat->watcher);
        picture->seats[i].data = plx_watcher_data(seat->watcher);
    }
}

static void begin(struct stage *stage, enum call call)
{
    struct trial *trial = stage->trial;
    stage->calls++;
    take_picture(stage, &before);
    trial->hit = NULL;
    trial->hit_count = 0;
    memset(trial->ordinals, 0, sizeof trial->ordinals);
    trial->is_owing &= call != CALL_WAIT && call != CALL_TURN && call != CALL_RUN;
    errno = 0;
    trial->call = call;
}

/*
 * The call returned. True if it failed as the rule says and left everything as it was: then it is
 * to be made again. `is_untouched`: it wrote to none of its results.
 */
static bool has_failed(struct stage *stage, int code, bool is_untouched)
{
    int cause = errno;
    const struct rule *rule = stage->trial->hit;
    bool is_child = stage->trial->call == CALL_AFTER_FORK;
    stage->trial->call = CALL_NONE;
    if (!rule || rule->code >= 0)
        return false;

    struct picture after;
    CHECK_CODE(code, rule->code);
    if (rule->error != 0)
        CHECK_EQUAL(cause, rule->error);
    CHECK(is_untouched);
    take_picture(stage, &after);
    /* The child had no queue. It may have one by now, which the next try replaces. */
    if (is_child && !tolerance_queue_is_inherited(stage->backend))
        after.descriptors = before.descriptors;
    CHECK_EQUAL(after.count, before.count);
    CHECK_EQUAL(after.descriptors, before.descriptors);
    CHECK(memcmp(&after, &before, sizeof after) == 0);
    return true;
}

/* As in has_failed(), but the call was refused for a reason that is older than the failure. */
static bool is_refused_anyway(struct stage *stage, int code, int want)
{
    if (want == PLX_OK || code != want)
        return false;
    stage->trial->call = CALL_NONE;
    return true;
}

/* --- Public calls --- */

static void note_dropped(plx_task *task, void *data)
{
    (void)task;
    ((struct stage *)data)->dropped++;
}

void stage_create(struct stage *stage, size_t capacity_hint)
{
    plx_allocator allocator = injector_allocator(&stage->memory);
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    options.backend = stage->backend;
    options.capacity_hint = capacity_hint;
    options.allocator = &allocator;
    options.task_dropped = note_dropped;
    int code;
    do {
        begin(stage, CALL_CREATE);
        code = plx_context_create(&stage->context, &options);
    } while (has_failed(stage, code, stage->context == NULL));
    CHECK_OK(code);
    stage_note(stage, "create");
}

/* In a callback: whose stage it is, and in which seat. */
static struct stage *called_stage;

static void note_called(plx_watcher *watcher, uint32_t triggered, void *data)
{
    int seat = (int)((struct seat *)data - called_stage->seats);
    CHECK(called_stage->seats[seat].watcher == watcher);
    called_stage->called[seat] |= triggered;
}

static int add_to_seat(struct stage *stage, int seat, plx_handle handle, uint32_t events,
                       plx_callback *callback, plx_watcher **watcher)
{
    struct seat *data = &stage->seats[seat];
    if (callback)
        return plx_context_on(stage->context, handle, events, callback, data, watcher);
    return plx_context_add(stage->context, handle, events, data, watcher);
}

/* The descriptor of the caller's behind a handle, or -1. */
static int descriptor_of(const plx_handle *handle)
{
    if (handle->kind == PLX_HANDLE_CUSTOM)
        return handle->as.custom.ops->get_fd(handle->as.custom.object);
    return handle->kind == PLX_HANDLE_FD ? handle->as.fd : -1;
}

static void add_again_if_failed(struct stage *stage, int seat, plx_handle handle, uint32_t events,
                                plx_callback *callback, int want)
{
    static char untouched;
    plx_watcher *watcher;
    int code;
    do {
        watcher = (plx_watcher *)(void *)&untouched;
        begin(stage, CALL_ADD);
        code = add_to_seat(stage, seat, handle, events, callback, &watcher);
    } while (!is_refused_anyway(stage, code, want) &&
             has_failed(stage, code, (void *)watcher == &untouched));
    CHECK_CODE(code, want);
    if (code < 0) {
        CHECK((void *)watcher == &untouched);
        return;
    }
    plx_handle kept = plx_watcher_handle(watcher);
    stage->custom_added += kept.kind == PLX_HANDLE_CUSTOM;
    stage->seats[seat].watcher = watcher;
    stage->seats[seat].is_fired = false;
    stage->seats[seat].fd = descriptor_of(&kept);
}

void stage_add(struct stage *stage, int seat, plx_handle handle, uint32_t events, int want)
{
    add_again_if_failed(stage, seat, handle, events, NULL, want);
    stage_note(stage, "add %d: %s, count %zu", seat, plx_error_name(want),
               plx_context_count(stage->context));
}

void stage_on(struct stage *stage, int seat, plx_handle handle, uint32_t events, int want)
{
    add_again_if_failed(stage, seat, handle, events, note_called, want);
    stage_note(stage, "on %d: %s, count %zu", seat, plx_error_name(want),
               plx_context_count(stage->context));
}

void stage_modify(struct stage *stage, int seat, uint32_t events, int want)
{
    int code;
    do {
        begin(stage, CALL_MODIFY);
        code = plx_watcher_modify(stage->seats[seat].watcher, events);
    } while (has_failed(stage, code, true));
    CHECK_CODE(code, want);
    if (code == PLX_OK)
        stage->seats[seat].is_fired = false;
    stage_note(stage, "modify %d: %s", seat, plx_error_name(want));
}

static void remove_seated(struct stage *stage, int seat)
{
    struct seat *removed = &stage->seats[seat];
    CHECK_OK(plx_watcher_remove(removed->watcher));
    CHECK(!plx_watcher_is_active(removed->watcher));
    CHECK(plx_watcher_triggered(removed->watcher) == 0);
    CHECK(plx_context_find(stage->context, removed->fd) != removed->watcher);
    removed->watcher = NULL;
}

void stage_remove(struct stage *stage, int seat)
{
    begin(stage, CALL_REMOVE);
    remove_seated(stage, seat);
    has_failed(stage, PLX_OK, true);
    stage_note(stage, "remove %d: count %zu", seat, plx_context_count(stage->context));
}

void stage_wake(struct stage *stage)
{
    begin(stage, CALL_WAKE);
    CHECK_OK(plx_context_wake(stage->context));
    CHECK_EQUAL(errno, 0);
    has_failed(stage, PLX_OK, true);
    stage_note(stage, "wake");
}

int stage_fd(struct stage *stage)
{
    int fd;
    do {
        begin(stage, CALL_FD);
        fd = plx_context_fd(stage->context);
    } while (has_failed(stage, fd, true));
    stage->is_nested = fd >= 0;
    stage_note(stage, "fd: %s", plx_error_name(fd));
    return fd;
}

void stage_after_fork(struct stage *stage)
{
    int code;
    do {
        begin(stage, CALL_AFTER_FORK);
        code = plx_context_after_fork(stage->context);
        if (code < 0)
            CHECK_CODE(plx_context_wake(stage->context), PLX_ERR_FORKED);
    } while (has_failed(stage, code, true));
    CHECK_OK(code);
    stage_note(stage, "after_fork: count %zu", plx_context_count(stage->context));
}

/* The one call that is done even if it fails. */
void stage_close(struct stage *stage, int fd, int want)
{
    begin(stage, CALL_CLOSE);
    int code = plx_context_close(stage->context, fd);
    const struct rule *rule = stage->trial->hit;
    stage->trial->call = CALL_NONE;
    CHECK_CODE(code, rule ? rule->code : want);
    for (int i = 0; i < SEATS; i++) {
        if (stage->seats[i].watcher && stage->seats[i].fd == fd)
            stage->seats[i].watcher = NULL;
    }
    stage_forget(stage, fd);
    CHECK(plx_context_find(stage->context, fd) == NULL);
    CHECK(fcntl(fd, F_GETFD) < 0);
    stage_note(stage, "close: count %zu", plx_context_count(stage->context));
}

void stage_destroy(struct stage *stage)
{
    begin(stage, CALL_DESTROY);
    plx_context_destroy(stage->context);
    stage->context = NULL;
    memset(stage->seats, 0, sizeof stage->seats);
    stage->is_nested = false;
    has_failed(stage, PLX_OK, true);
    CHECK_EQUAL(stage->memory.bytes, 0);
    CHECK_EQUAL(stage->memory.blocks, 0);
    CHECK_EQUAL(stage->custom_cleaned, stage->custom_added);
    CHECK_EQUAL(stage->ran + stage->dropped, stage->posted);
    stage_note(stage, "destroy");
}

void stage_again(struct stage *stage, int seat, plx_duration after)
{
    begin(stage, CALL_AGAIN);
    CHECK_OK(plx_watcher_again(stage->seats[seat].watcher, after));
    has_failed(stage, PLX_OK, true);
    stage_note(stage, "again %d", seat);
}

void stage_notify(struct stage *stage, int seat)
{
    begin(stage, CALL_NOTIFY);
    CHECK_OK(plx_watcher_notify(stage->seats[seat].watcher));
    CHECK_EQUAL(errno, 0);
    has_failed(stage, PLX_OK, true);
    stage_note(stage, "notify %d", seat);
}

void stage_clear(struct stage *stage, int seat)
{
    begin(stage, CALL_CLEAR);
    CHECK_OK(plx_watcher_clear(stage->seats[seat].watcher));
    has_failed(stage, PLX_OK, true);
    stage_note(stage, "clear %d", seat);
}

/* --- The wait, and what it reports --- */

/* By seat; 0: not reported. */
typedef uint32_t reports[SEATS];

static int seat_of(const struct stage *stage, const plx_watcher *watcher)
{
    for (int i = 0; i < SEATS; i++) {
        if (stage->seats[i].watcher == watcher)
            return i;
    }
    check_failed(__FILE__, __LINE__, "a watcher is reported that has no seat");
}

static void collect(struct stage *stage, plx_watcher *const *ready, int count, reports into)
{
    memset(into, 0, sizeof(reports));
    for (int i = 0; i < count; i++) {
        int seat = seat_of(stage, ready[i]);
        CHECK(into[seat] == 0); /* once in a wait */
        into[seat] = plx_watcher_triggered(ready[i]);
        CHECK(into[seat] != 0);
    }
}

static void look(struct stage *stage, reports into)
{
    plx_watcher *ready[SEATS];
    int count = plx_context_wait(stage->context, ready, SEATS, 0);
    CHECK(count >= 0);
    collect(stage, ready, count, into);
}

static void check_refusal(struct stage *stage, int seat, uint32_t report)
{
    uint32_t events = plx_watcher_events(stage->seats[seat].watcher);
    CHECK_EVENTS(report, PLX_ERROR | (events & (PLX_READ | PLX_WRITE)));
}

/*
 * A watcher whose descriptor the kernel turned out not to know: one PLX_ERROR, then silence, then
 * the same after a modify, since the kernel still does not know it. Added anew it goes on as if
 * nothing had been. `into` gets what it says then in the place of the refusal.
 */
static void settle_refusal(struct stage *stage, int seat, reports into)
{
    reports again;
    struct seat *refused = &stage->seats[seat];
    if (stage->is_nested && !(into[seat] & PLX_ERROR)) { /* refused when the wait was over */
        look(stage, again);
        into[seat] = again[seat];
    }
    check_refusal(stage, seat, into[seat]);
    look(stage, again);
    CHECK_EVENTS(again[seat], 0);

    plx_handle handle = plx_watcher_handle(refused->watcher);
    uint32_t events = plx_watcher_events(refused->watcher);
    CHECK_OK(plx_watcher_modify(refused->watcher, events));
    look(stage, again);
    check_refusal(stage, seat, again[seat]);

    remove_seated(stage, seat);
    CHECK_OK(plx_context_add(stage->context, handle, events, refused, &refused->watcher));
    stage->custom_added += handle.kind == PLX_HANDLE_CUSTOM;
    look(stage, again);
    into[seat] = again[seat];
}

/* The seat of an active watcher, or -1. */
static int seat_of_descriptor(const struct stage *stage, int fd)
{
    for (int i = 0; i < SEATS; i++) {
        if (stage->seats[i].watcher && stage->seats[i].fd == fd)
            return i;
    }
    return -1;
}

/* A one-shot that had fired before is silent about this as well, until it is armed again. */
static void settle_refusals(struct stage *stage, reports into)
{
    struct trial *trial = stage->trial;
    int kept = 0;
    for (int i = 0; i < trial->refused_count; i++) {
        int seat = seat_of_descriptor(stage, trial->refused[i]);
        if (seat >= 0 && stage->seats[seat].is_fired)
            trial->refused[kept++] = trial->refused[i];
        else if (seat >= 0)
            settle_refusal(stage, seat, into);
    }
    trial->refused_count = kept;
}

/* A report from a buffer is that and no more. `into` gets what the kernel would have added. */
static void settle_shortened(struct stage *stage, reports into)
{
    struct trial *trial = stage->trial;
    for (int i = 0; i < trial->shortened_count; i++) {
        const struct shortened *shortened = &trial->shortened[i];
        int seat = seat_of_descriptor(stage, shortened->fd);
        CHECK(seat >= 0);
        CHECK_EVENTS(into[seat], PLX_READ);
        into[seat] |= shortened->missing;
    }
    trial->shortened_count = 0;
}

static void note_fired(struct stage *stage, const reports into)
{
    for (int i = 0; i < SEATS; i++) {
        if (into[i] != 0 && plx_watcher_events(stage->seats[i].watcher) & PLX_ONESHOT)
            stage->seats[i].is_fired = true;
    }
}

static void note_reports(struct stage *stage, const reports into)
{
    char text[SEATS * 12];
    size_t size = 0;
    text[0] = '\0';
    for (int i = 0; i < SEATS; i++) {
        if (into[i] != 0)
            size +=
                (size_t)snprintf(text + size, sizeof text - size, " %d=%03x", i, (unsigned)into[i]);
    }
    stage_note(stage, "wait:%s", text);
}

/*
 * A staged change that is refused for want of memory ends the wait. After any other failure there
 * may be reports in the place of the code, and what they left out comes with the next wait.
 */
static bool is_put_off(const struct stage *stage, int count)
{
    const struct rule *rule = stage->trial->hit;
    bool is_change =
        rule && (rule->point == POINT_CONTROL_MOD || rule->point == POINT_CONTROL_PROCESS);
    return rule && rule->code < 0 && !is_change && count > 0;
}

static void collect_rest(struct stage *stage, reports into)
{
    bool is_more = true;
    while (is_more) {
        reports rest;
        look(stage, rest);
        is_more = false;
        for (int i = 0; i < SEATS; i++) {
            is_more |= (rest[i] & ~into[i]) != 0;
            into[i] |= rest[i];
        }
    }
}

/* Where an alert ends the sleep it is all that comes. */
static bool is_alerted(const struct stage *stage)
{
    return stage->trial->hit && stage->trial->hit->point == POINT_SEND;
}

/* Who could not be asked about is told as it was when it fired. What lasts is right the next time.
 */
static void settle_doubts(struct stage *stage, reports into)
{
    const struct rule *rule = stage->trial->hit;
    reports again;
    if (!rule || rule->point != POINT_PORT_LOOK || rule->error == EINTR)
        return;
    look(stage, again);
    for (int i = 0; i < SEATS; i++) {
        const struct seat *seat = &stage->seats[i];
        if (seat->watcher && seat->fd >= 0 && !(plx_watcher_events(seat->watcher) & PLX_ONESHOT))
            into[i] = again[i];
    }
}

/* In the hostile build a ghost in a batch of one ends the wait. */
#define IS_WAIT_SHORT (PLX__BATCH < SEATS)

void stage_wait(struct stage *stage, int capacity, plx_duration timeout)
{
    plx_watcher *ready[SEATS] = {NULL};
    reports into;
    int count;
    do {
        begin(stage, CALL_WAIT);
        count = plx_context_wait(stage->context, ready, capacity, timeout);
        stage->trial->call = CALL_NONE;
    } while (!is_put_off(stage, count) && has_failed(stage, count, ready[0] == NULL));
    CHECK(count >= 0);

    collect(stage, ready, count, into);
    settle_shortened(stage, into);
    settle_doubts(stage, into);
    if (IS_WAIT_SHORT || is_put_off(stage, count) || is_alerted(stage))
        collect_rest(stage, into);
    settle_refusals(stage, into);
    note_fired(stage, into);
    note_reports(stage, into);
}

/* --- The loop --- */

static void count_task(plx_context *context, void *data)
{
    struct stage *stage = data;
    CHECK(context == stage->context);
    stage->ran++;
}

void stage_post(struct stage *stage)
{
    int code;
    do {
        begin(stage, CALL_POST);
        code = plx_context_post(stage->context, count_task, stage);
    } while (has_failed(stage, code, true));
    CHECK_OK(code);
    stage->posted++;
    stage_note(stage, "post");
}

void stage_stop(struct stage *stage)
{
    begin(stage, CALL_STOP);
    plx_context_stop(stage->context);
    has_failed(stage, PLX_OK, true);
    stage_note(stage, "stop");
}

static void note_calls(struct stage *stage, const char *what)
{
    stage_note(stage, "%s: %d of %d tasks", what, stage->ran, stage->posted);
    note_reports(stage, stage->called);
    memset(stage->called, 0, sizeof stage->called);
}

/* In the hostile build a turn takes a few only. */
void stage_turn(struct stage *stage, plx_duration timeout)
{
    int code;
    called_stage = stage;
    do {
        begin(stage, CALL_TURN);
        code = plx_context_turn(stage->context, timeout);
        stage->trial->call = CALL_NONE;
    } while (!is_put_off(stage, code) && has_failed(stage, code, true));
    CHECK(code >= 0);
    for (int i = 0; i < SEATS && (PLX__TURN < SEATS || is_put_off(stage, code)); i++)
        CHECK(plx_context_turn(stage->context, 0) >= 0);
    CHECK_EQUAL(stage->ran, stage->posted);
    note_calls(stage, "turn");
}

/* A run that fails has taken some of its turns, and goes on when it is called again. */
void stage_run(struct stage *stage)
{
    const struct rule *rule;
    int code;
    called_stage = stage;
    do {
        begin(stage, CALL_RUN);
        code = plx_context_run(stage->context);
        stage->trial->call = CALL_NONE;
        rule = stage->trial->hit;
    } while (rule && rule->code < 0 && code == rule->code);
    CHECK_OK(code);
    note_calls(stage, "run");
}

/* --- The rest --- */

void stage_crowd(struct stage *stage, int count)
{
    for (int i = 0; i < count; i++) {
        int fd = stage_event(stage, false);
        CHECK_OK(plx_context_add(stage->context, plx_fd(fd), PLX_READ, NULL, NULL));
    }
}

/* Short, so that every failure can be played. A disturbed run repeats calls. */
static void check_length(const struct stage *stage)
{
    CHECK(stage->calls <= CALLS_MAX || stage->trial->failures > 0);
}

struct child {
    struct stage *stage;
    void (*body)(struct stage *stage);
};

static void play_child(void *argument)
{
    struct child *child = argument;
    child->body(child->stage);
    check_length(child->stage);
}

void stage_in_child(struct stage *stage, void (*body)(struct stage *stage))
{
    struct child child = {stage, body};
    in_child(play_child, &child);
}

void stage_finish(struct stage *stage)
{
    CHECK(stage->context == NULL);
    check_length(stage);
    for (int i = 0; i < stage->descriptor_count; i++) {
        if (stage->descriptors[i] >= 0)
            CHECK(close(stage->descriptors[i]) == 0);
    }
}
