/* SPDX-License-Identifier: MIT */
/*
 * sources.h: the watchers without a descriptor of the caller's, in the words of the model: timers,
 * notifies, signals and processes.
 *
 * Of time the model knows bounds only. A timer was added between two looks at the clock, and so its
 * deadline lies between two moments: before the earlier one it must not be reported, and a wait
 * that starts after the later one has to report it.
 */
#ifndef MODEL_SOURCES_H
#define MODEL_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include <pollux.h>

#include "model.h"

#define SOURCE_ROOM 40
#define CHILD_ROOM  8

/* A moment that never comes. */
#define NEVER INT64_MAX

struct run;

/* One that this process, or the one it was forked from, has started. */
struct child {
    int64_t pid;    /* 0: there is none in this place */
    int command;    /* a number written there ends it */
    int status;     /* as waitpid() tells it, once it has finished */
    bool is_over;   /* it has finished */
    bool is_gone;   /* and was collected */
    bool is_parent; /* of somebody else: it never finishes here */
};

struct source {
    uint32_t kind; /* PLX_HANDLE_TIMER and so on */
    plx_watcher *watcher;
    void *data;
    uint32_t events;
    uint32_t triggered;
    uint64_t count;   /* what its last report stood for */
    unsigned missed;  /* waits that were too small for it since it became ready */
    bool is_armed;    /* not muted; of a timer: it runs */
    bool is_called;   /* it has a callback */
    bool is_reported; /* in the wait in hand */

    plx_duration own; /* what it was added with */
    plx_duration every;
    plx_duration after; /* what it was started with last */
    int64_t earliest;   /* the deadline is not before this */
    int64_t latest;     /* nor after that */
    bool is_relative;   /* it counts from the next wait at the latest: `latest` is not known yet */

    bool is_up;   /* a notify is raised */
    bool is_news; /* since the wait in hand has begun */

    int signo;
    unsigned pending; /* deliveries that were not reported */
    unsigned fresh;   /* those of them that came since the wait in hand has begun */

    struct child *child;
    int code; /* of plx_watcher_exit_status() */
    int status;
    bool is_muffled;  /* muted, but its kernel cannot be kept from a last word */
    bool is_doubtful; /* a sibling of this process, of which nobody may tell */
};

struct sources {
    struct source list[SOURCE_ROOM];
    int count;
    int64_t alarm;    /* no timer was to be reported earlier, since the last wait */
    bool is_stirred;  /* something was raised since the last wait, even if nobody is to hear */
    bool is_indirect; /* this kernel tells of processes by SIGCHLD only */
};

/* The two looks at the clock around a wait. */
struct span {
    int64_t start;
    int64_t end;
};

/* Nanoseconds of the clock of all durations, and sums that do not wrap. */
int64_t now(void);
int64_t later(int64_t moment, plx_duration duration);

const char *source_name(const struct source *source);
uint32_t source_event(uint32_t kind);

struct source *source_find(struct sources *sources, const plx_watcher *watcher);
struct source *source_any(struct run *run, uint32_t kind);

enum certainty source_forecast(const struct source *source, struct span span);
int sources_ready(const struct sources *sources, enum certainty at_least, struct span span);

/* There is a new kernel queue, or there may be. */
void sources_rebuild(struct sources *sources);

/* May the nested descriptor be readable for nothing at that moment? */
bool sources_may_show_nothing(const struct sources *sources, int64_t moment);

/* Adds a source; NULL if there is no room or add gave the right code, which is not PLX_OK. The rest
   of the new one is the caller's. `events` are right for that kind of handle. */
struct source *source_add(struct run *run, plx_handle handle, const char *name, int want);

/* It is armed again: modify, or its like. `span` is around the call. */
void source_rearm(struct source *source, struct span span);
void source_remove(struct run *run, struct source *source);

/* Checks the reports of a wait, and then takes them in. `is_complete`: there was room for more. */
struct wait;
void sources_check(struct run *run, const struct wait *wait, bool is_complete);
void sources_settle(struct run *run, struct span span);

/* What came during the wait is to be told by the next one at the latest. */
void sources_age(struct sources *sources);

/* Was something due before a wait that has slept until that moment? Then it fails the test. */
void sources_check_sleep(const struct run *run, int64_t end);

/* Compares everything the library says about a source with the model. */
void source_compare(struct run *run, const struct source *source);

/* --- What can happen --- */

void operate_source(struct run *run);
void operate_timer(struct run *run);
void operate_notify(struct run *run);
void operate_signal(struct run *run);
void operate_process(struct run *run);

/* --- timers.c --- */

/* Its deadline is that long after a moment in the span. */
void timer_start(struct source *timer, plx_duration after, struct span span);

/* The nested descriptor may show that it is due, even if it is moved or stopped by then. */
void timer_note(struct sources *sources, const struct source *timer);

/* Whatever counts from the next wait counts from a moment that was no later than this one. */
void timers_settle(struct sources *sources, int64_t moment);
void timer_check(const struct source *timer, struct span span);
void timers_check_order(struct sources *sources, const struct wait *wait);
void timers_check_room(struct sources *sources, const struct wait *wait);
void timer_report(struct source *timer, struct span span);

/* --- notifies.c --- */

/* Raises one, from a signal handler or another thread now and then. */
void notify_raise(struct run *run, struct source *notify, bool is_in_wait);
void notifies_install(void);
void notifies_clear(struct run *run);

/* --- signals.c --- */

/* Gives each a disposition of the test's, or takes it away. */
void signals_open(void);
void signals_close(void);

/* Deliveries to this process. */
void signal_raise(struct run *run, bool is_in_wait);

/* A watcher of that signal was added, or has gone. */
void signal_enter(int signo);
void signal_leave(int signo);
void signals_check(void);

/* What a forked child has of them, before and after plx_context_after_fork(). */
void signals_fork(void);
void signals_resume(struct run *run);

/* --- processes.c --- */

/* Chooses whether this kernel is to have descriptors of processes; it may refuse to make one. */
void processes_install(void);
void processes_choose(struct run *run);

/* Ends all children of this process, and collects them. */
void processes_close(struct run *run);

/* In a forked child: its siblings are not its to end. */
void processes_fork(struct run *run);

#endif
