/* SPDX-License-Identifier: MIT */
/*
 * stage.h: what scenarios are written in. Each function makes one public call, and if that is the
 * one that is made to fail:
 *
 *   - it returned what the rule says, with the cause in errno and `ret_` results untouched;
 *   - nothing has changed: watchers, their events and last reports, open descriptors;
 *   - the same call, repeated, does what it does in the undisturbed run.
 *
 * Everything that can be seen goes into the trial's log, which is then compared with that of the
 * undisturbed run.
 */
#ifndef FAULT_STAGE_H
#define FAULT_STAGE_H

#include <stdint.h>

#include "check.h"
#include "injector.h"

#define SEATS       24
#define DESCRIPTORS 160
#define CALLS_MAX   60

/* Longer than any report takes to arrive. */
#define PATIENCE PLX_SECONDS(10)

/* Scenarios call watchers by the number of their seat. */
struct seat {
    plx_watcher *watcher; /* active, or NULL */
    int fd;
    bool is_fired; /* a one-shot that has reported: it says nothing until modify */
};

struct stage {
    plx_backend backend;
    struct trial *trial;
    plx_context *context;
    bool is_nested;
    struct memory memory;
    struct seat seats[SEATS];
    int descriptors[DESCRIPTORS]; /* to be closed at the end */
    int descriptor_count;
    int calls;
    int custom_added;
    int custom_cleaned;
    uint32_t called[SEATS]; /* what the callbacks were told since the last note */
    int posted;             /* tasks */
    int ran;
    int dropped;
};

/* The end of a scenario: everything was given back. */
void stage_finish(struct stage *stage);

/* --- Descriptors --- */

int stage_keep(struct stage *stage, int fd);
int stage_event(struct stage *stage, bool is_ready);
void stage_set_ready(int fd, bool is_ready);
void stage_forget(struct stage *stage, int fd);
int stage_open_descriptors(void);

/* --- Public calls --- */

void stage_create(struct stage *stage, size_t capacity_hint);
void stage_add(struct stage *stage, int seat, plx_handle handle, uint32_t events, int want);
void stage_modify(struct stage *stage, int seat, uint32_t events, int want);
void stage_remove(struct stage *stage, int seat);
void stage_wait(struct stage *stage, int capacity, plx_duration timeout);
void stage_wake(struct stage *stage);
int stage_fd(struct stage *stage);
void stage_after_fork(struct stage *stage);
void stage_close(struct stage *stage, int fd, int want);
void stage_destroy(struct stage *stage);

void stage_again(struct stage *stage, int seat, plx_duration after);
void stage_notify(struct stage *stage, int seat);
void stage_clear(struct stage *stage, int seat);

/* As stage_add(), with a callback that notes what it is told. */
void stage_on(struct stage *stage, int seat, plx_handle handle, uint32_t events, int want);
void stage_post(struct stage *stage);
void stage_stop(struct stage *stage);
void stage_turn(struct stage *stage, plx_duration timeout);
void stage_run(struct stage *stage);

/* --- What needs no public call, or is beside the point --- */

/* A line in the log. */
void stage_note(struct stage *stage, const char *format, ...) CHECK_PRINTF(2, 3);

/* Adds without a seat, in calm: scenery. */
void stage_crowd(struct stage *stage, int count);

/* Runs the body in a forked child with a copy of the stage. */
void stage_in_child(struct stage *stage, void (*body)(struct stage *stage));

#endif
