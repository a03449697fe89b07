/* SPDX-License-Identifier: MIT */
/* wait.h: one wait, by itself or in a turn. */
#ifndef MODEL_WAIT_H
#define MODEL_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "run.h"

struct wait {
    plx_watcher *ready[RUN_CAPACITY + 1];
    uint32_t events[RUN_CAPACITY]; /* what each of them reported */
    int capacity;
    plx_duration timeout;
    int certain;  /* how many had to be reported before it was known how many fit */
    int possible; /* how many could be */
    int count;
    int in_order; /* so many of them stand as they were reported */
    int cause;    /* errno, if it failed */
    struct span span;
    struct faults faults;
    bool is_haunted;
    bool is_disturbed; /* something came from outside while it went on */
    bool is_ended;     /* something else than a report may end it before its time */
    bool is_cut_short; /* something is missing for a good reason, and comes with the next wait */
    uint32_t reported[MODEL_ROOM]; /* events by place in the model; 0: it was not reported */
};

/* What is to be expected, before it begins: all of the struct up to the count. */
void wait_forecast(struct run *run, struct wait *wait);

/* Around the call. Faults have begun before, and are ended here. */
void wait_begin(struct run *run, struct wait *wait);
void wait_end(struct run *run, struct wait *wait);

/* Everything there is to check about it afterwards. */
void wait_check(struct run *run, struct wait *wait);

#endif
