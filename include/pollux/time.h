/* SPDX-License-Identifier: MIT */
/*
 * time.h: durations.
 *
 * A duration is a number of nanoseconds on a clock that only moves forward. PLX_FOREVER means no
 * limit; every other negative duration is PLX_ERR_INVALID. A wait is never cut short by rounding
 * and has no upper bound: durations round up to what the kernel can express, and long ones are
 * slept in pieces.
 */
#ifndef POLLUX_TIME_H
#define POLLUX_TIME_H

#include <stdint.h>

typedef int64_t plx_duration;

#define PLX_FOREVER ((plx_duration)-1)

#define PLX_NS(n)      ((plx_duration)(n))
#define PLX_US(n)      ((plx_duration)(n)*1000)
#define PLX_MS(n)      ((plx_duration)(n)*1000000)
#define PLX_SECONDS(n) ((plx_duration)(n)*1000000000)

#endif
