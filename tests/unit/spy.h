/* SPDX-License-Identifier: MIT */
/*
 * spy.h: a backend in front of a real one, which watches what the core asks of it and who is called
 * meanwhile.
 */
#ifndef UNIT_SPY_H
#define UNIT_SPY_H

#include <stdbool.h>
#include <stdint.h>

#include "src/core/context.h"

/* Descriptors below this can be watched. */
#define SPY_DESCRIPTORS 1024

struct spy {
    const struct plx__backend *real;
    struct plx__backend front;
    const struct plx_context *context;
    uint32_t held[SPY_DESCRIPTORS]; /* what the kernel holds for each descriptor */
    bool is_inside;                 /* a function of the backend is running */
    uint32_t changes;               /* calls of modify */
};

extern struct spy spy;

/* A new context with the spy between it and its backend. */
plx_context *spy_context(plx_backend backend);

#endif
