/* SPDX-License-Identifier: MIT */
/*
 * duration.h: arithmetic on nanoseconds that saturates instead of wrapping.
 */
#ifndef POLLUX_BASE_DURATION_H
#define POLLUX_BASE_DURATION_H

#include <stdint.h>

#include <pollux/time.h>

/* A point in time that never comes. */
#define PLX__NEVER INT64_MAX

/* `now` + `duration`; PLX__NEVER for PLX_FOREVER and for sums that do not fit. Both are >= 0. */
static inline int64_t plx__deadline(int64_t now, plx_duration duration)
{
    int64_t sum = (int64_t)((uint64_t)now + (uint64_t)duration);
    return (duration | sum) < 0 ? PLX__NEVER : sum;
}

/* What is left until `deadline`: PLX_FOREVER for PLX__NEVER, 0 once it has passed. */
static inline plx_duration plx__remaining(int64_t deadline, int64_t now)
{
    if (deadline == PLX__NEVER)
        return PLX_FOREVER;
    return deadline > now ? deadline - now : 0;
}

/* Whole units, rounded up: a sleep may be late, never early. */
static inline int64_t plx__round_up(plx_duration duration, int64_t unit)
{
    return duration / unit + (duration % unit > 0);
}

#endif
