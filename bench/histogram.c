/* SPDX-License-Identifier: MIT */
/* histogram.c: see histogram.h. */
#include "histogram.h"

#include <math.h>
#include <string.h>

#define EXACT_BITS (HISTOGRAM_SUB_BITS + 1)
#define LARGEST    ((UINT64_C(1) << HISTOGRAM_MAX_BITS) - 1)

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
}

/* How many low bits a value loses so that EXACT_BITS bits are left. */
static unsigned bits_lost(uint64_t value)
{
    unsigned width = value ? 64U - (unsigned)__builtin_clzll(value) : 0;
    return width > EXACT_BITS ? width - EXACT_BITS : 0;
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    if (value > LARGEST)
        value = LARGEST;
    unsigned lost = bits_lost(value);
    histogram->counts[((uint64_t)lost << HISTOGRAM_SUB_BITS) + (value >> lost)]++;
    histogram->total++;
}

/* The largest value that falls into a bucket. */
static uint64_t bucket_end(uint64_t bucket)
{
    uint64_t lost = bucket >> HISTOGRAM_SUB_BITS;
    if (lost > 0)
        lost--; /* the first two rows of buckets are the exact ones */
    uint64_t kept = bucket - (lost << HISTOGRAM_SUB_BITS);
    return ((kept + 1) << lost) - 1;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    if (histogram->total == 0)
        return 0;
    uint64_t wanted = (uint64_t)ceil(share * (double)histogram->total);
    if (wanted == 0)
        wanted = 1;
    uint64_t seen = 0;
    for (uint64_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen >= wanted)
            return bucket_end(bucket);
    }
    return LARGEST;
}

/* The largest value that shares its first eight bits with this one. */
static uint64_t rounded_up(uint64_t value)
{
    uint64_t low = 0;
    while (value >> 8 > low)
        low = low << 1 | 1;
    return value | low;
}

void histogram_print(const struct histogram *histogram, FILE *file)
{
    uint64_t end = 0;
    uint64_t count = 0;
    const char *separator = "";
    fputc('[', file);
    for (uint64_t bucket = 0; bucket <= HISTOGRAM_BUCKETS; bucket++) {
        uint64_t next = bucket < HISTOGRAM_BUCKETS ? rounded_up(bucket_end(bucket)) : UINT64_MAX;
        if (next != end && count > 0) {
            fprintf(file, "%s[%llu,%llu]", separator, (unsigned long long)end,
                    (unsigned long long)count);
            separator = ",";
            count = 0;
        }
        end = next;
        count += bucket < HISTOGRAM_BUCKETS ? histogram->counts[bucket] : 0;
    }
    fputc(']', file);
}
