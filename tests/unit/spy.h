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

/* The functions of a queue but for wake, which other threads call at any time. */
enum spied {
    SPIED_CLOSE = 1 << 0,
    SPIED_ADD = 1 << 1,
    SPIED_MODIFY = 1 << 2,
    SPIED_REMOVE = 1 << 3,
    SPIED_HOLDS = 1 << 4,
    SPIED_WAIT = 1 << 5,
    SPIED_LOOK = 1 << 6,
    SPIED_RENEW = 1 << 7,
    SPIED_SETTLE = 1 << 8,
    SPIED_NEST = 1 << 9,
    SPIED_RAISE = 1 << 10,
    SPIED_END = 1 << 11
};
#define SPIED_ALL     ((uint32_t)SPIED_END - 1)
#define SPIED_NESTING ((uint32_t)(SPIED_NEST | SPIED_RAISE)) /* not every backend has them */

struct spy {
    const struct plx__backend *real;
    struct plx__backend front;
    const struct plx_context *context;
    uint32_t held[SPY_DESCRIPTORS]; /* what the kernel holds for each descriptor */
    bool is_inside;                 /* a function of the backend is running */
    uint32_t entered;               /* those that ran, as enum spied */
    uint32_t changes;               /* calls of modify */
};

extern struct spy spy;

/* A new context with the spy between it and its backend. */
plx_context *spy_context(plx_backend backend);

#endif
