/* SPDX-License-Identifier: MIT */
/* statistics.c: see statistics.h. */
#include "statistics.h"

#include <stdlib.h>

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Linear between the two sorted values that stand around `share` of the way. */
static double quantile(const double *sorted, size_t count, double share)
{
    double place = share * (double)(count - 1);
    size_t below = (size_t)place;
    size_t above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (place - (double)below) * (sorted[above] - sorted[below]);
}

struct summary summarise(double *values, size_t count)
{
    struct summary summary = {.count = count};
    if (count == 0)
        return summary;
    qsort(values, count, sizeof(*values), by_value);
    summary.minimum = values[0];
    summary.lower_quartile = quantile(values, count, 0.25);
    summary.median = quantile(values, count, 0.5);
    summary.upper_quartile = quantile(values, count, 0.75);
    summary.maximum = values[count - 1];
    return summary;
}
