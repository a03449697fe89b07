/* SPDX-License-Identifier: MIT */
/*
 * random.h: numbers that a failed test can be given again.
 */
#ifndef UNIT_RANDOM_H
#define UNIT_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

/* Starts from POLLUX_SEED, or from the clock, and prints which seed it was. */
struct random random_open(void);

/* A number from 0 to `end` - 1. */
uint32_t random_below(struct random *random, uint32_t end);

#endif
