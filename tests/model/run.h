/* SPDX-License-Identifier: MIT */
/*
 * run.h: one schedule on one backend: the context under test, its model and their world.
 */
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include <pollux.h>

#include "dice.h"
#include "faults.h"
#include "model.h"
#include "sources.h"
#include "world.h"

#define RUN_CAPACITY (MODEL_ROOM + SOURCE_ROOM + 1)

/* One call in so many meets a system that may refuse something. */
#define RUN_FAULTY 2

struct totals {
    unsigned long adds;
    unsigned long waits;
    unsigned long reports;
    unsigned long faults;
    unsigned long losses; /* descriptors closed under their watcher */
    unsigned long rebuilds;
    unsigned long contexts;
    unsigned long of_sources; /* reports */
    unsigned long callbacks;
    unsigned long tasks;
    unsigned long forks;
};

/* Tasks are numbered as they are posted. */
struct tasks {
    unsigned long posted;
    unsigned long done;
    unsigned long last; /* stops the run */
    bool is_news;       /* a task was posted, and no wait has returned nothing since */
    bool may_be_woken;  /* by a stop, which ends a wait that comes after it as well */
    bool is_stopped;    /* the next run returns at once */
};

struct run {
    uint64_t seed;
    struct dice dice;
    struct world world;
    struct model model;
    struct sources sources;
    struct child children[CHILD_ROOM];
    struct tasks tasks;
    struct totals totals;
    plx_backend backend;
    plx_context *context;
    int nested;        /* what plx_context_fd() gave, or -1 */
    bool is_quiet;     /* the last wait has reported nothing, and nothing has happened since */
    bool is_unflushed; /* a change was refused at the end of a wait: it may show until the next */
    bool owes_rebuild; /* the last wait was short, and only a rebuild excuses that */
    int strangers;     /* descriptors that are neither the world's nor the context's */
};

/* Plays that many operations. Returns only if everything was right. */
void run_schedule(struct run *run, plx_backend backend, uint64_t seed, uint64_t operations);

/* The next operation. In a forked child it leaves alone what the parent has as well. */
void operation_play(struct run *run, bool is_forked);

/* A wait, and everything there is to check about it. */
void wait_play(struct run *run);

/* Posts, turns and runs. */
void loop_play(struct run *run);

/* The schedule goes on in a forked child for a while, and here when that has ended. */
void fork_play(struct run *run);

/* Creates the context, or destroys it, with everything to check. */
void run_create(struct run *run);
void run_destroy(struct run *run);

/* Adds whatever it is, in a system that may refuse something. */
int run_call_add(struct run *run, plx_handle handle, uint32_t events, bool is_called, void *data,
                 plx_watcher **watcher);

/* A descriptor of the library's own has come to a number that was closed under its watcher, which
   had to give way. */
void run_forget_evicted(struct run *run);

/* Ends what may fail, and fails the test if the code is neither right nor that of the fault. */
void run_expect(struct run *run, const char *call, int got, int want);
struct faults run_end_faults(struct run *run);

/* Compares everything the library says about a registration with the model. */
void run_compare(struct run *run, const struct registration *registration);
void run_compare_removed(const struct registration *removed);
void run_compare_all(struct run *run);
void run_compare_count(struct run *run);

/* Compares the nested descriptor with what a wait would do. */
void run_compare_nested(struct run *run);

/* --- loop.c --- */

/* What watchers with a callback call, and what becomes of tasks when their context is destroyed. */
void loop_on_ready(plx_watcher *watcher, uint32_t triggered, void *data);
void loop_on_dropped(plx_task *task, void *data);
void loop_post(struct run *run);

#endif
