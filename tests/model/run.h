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
#include "world.h"

#define RUN_CAPACITY 64

struct totals {
    unsigned long adds;
    unsigned long waits;
    unsigned long reports;
    unsigned long faults;
    unsigned long losses; /* descriptors closed under their watcher */
    unsigned long rebuilds;
    unsigned long contexts;
};

struct run {
    struct dice dice;
    struct world world;
    struct model model;
    struct totals totals;
    plx_backend backend;
    plx_context *context;
    int nested;        /* what plx_context_fd() gave, or -1 */
    bool is_unflushed; /* a change was refused at the end of a wait: it may show until the next */
    bool owes_rebuild; /* the last wait was short, and only a rebuild excuses that */
    int strangers;     /* descriptors that are neither the world's nor the context's */
};

/* Plays that many operations. Returns only if everything was right. */
void run_schedule(struct run *run, plx_backend backend, uint64_t seed, uint64_t operations);

/* The next operation. */
void operation_play(struct run *run);

/* A wait, and everything there is to check about it. */
void wait_play(struct run *run);

/* Creates the context, or destroys it, with everything to check. */
void run_create(struct run *run);
void run_destroy(struct run *run);

/* Ends what may fail, and fails the test if the code is neither right nor that of the fault. */
void run_expect(struct run *run, const char *call, int got, int want);
struct faults run_end_faults(struct run *run);

/* Compares everything the library says about a registration with the model. */
void run_compare(struct run *run, const struct registration *registration);
void run_compare_removed(const struct registration *removed);
void run_compare_all(struct run *run);

/* Compares the nested descriptor with what a wait would do. */
void run_compare_nested(struct run *run);

#endif
