/* SPDX-License-Identifier: MIT */
/*
 * random.c: see random.h.
 */
#include "random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct random random_open(void)
{
    const char *given = getenv("POLLUX_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    if (given)
        seed = strtoull(given, NULL, 10);
    printf("# POLLUX_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    return (struct random){seed};
}

/* The generator splitmix64: any seed is a good one. */
uint32_t random_below(struct random *random, uint32_t end)
{
    uint64_t mixed = random->state += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((mixed ^ mixed >> 31) % end);
}
