/* SPDX-License-Identifier: MIT */
/*
 * histogram.h: counts of durations in buckets that grow with the value.
 *
 * Values below 2048 are exact; above, a bucket is at most 1/1024 of its value wide, so three digits
 * are kept from a nanosecond to a minute. Recording is a shift and an increment.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_SUB_BITS 10
#define HISTOGRAM_MAX_BITS                                                                         \
    36 /* 2^36 ns is more than a minute; larger values count as the largest */
#define HISTOGRAM_BUCKETS ((HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t total;
    uint64_t counts[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *histogram);
void histogram_record(struct histogram *histogram, uint64_t value);

/*
 * The smallest recorded value that at least `share` (0..1) of the values do not exceed, rounded up
 * to the end of its bucket: never better than what was measured. 0 when nothing was recorded.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

/*
 * Prints it as JSON, a list of pairs [largest value, count] of the buckets that are not empty. The
 * values are rounded up to 1/128: enough for a picture, and a tenth of the text.
 */
void histogram_print(const struct histogram *histogram, FILE *file);

#endif
