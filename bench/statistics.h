/* SPDX-License-Identifier: MIT */
/* statistics.h: what a few repeated measurements say. */
#ifndef BENCH_STATISTICS_H
#define BENCH_STATISTICS_H

#include <stddef.h>

struct summary {
    size_t count;
    double minimum;
    double lower_quartile;
    double median;
    double upper_quartile;
    double maximum;
};

/* Sorts the values. Quartiles interpolate between neighbours. Nothing in: all zero. */
struct summary summarise(double *values, size_t count);

#endif
