/* SPDX-License-Identifier: MIT */
/* selftest.c: the arithmetic of the benchmark against answers worked out by hand. */
#include "histogram.h"
#include "statistics.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tests;
static int failures;

static void check(bool good, const char *name)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++tests, name);
    failures += !good;
}

static bool near(double left, double right)
{
    return fabs(left - right) < 1e-9;
}

static void test_summary(void)
{
    double odd[] = {3, 1, 5, 2, 4};
    double even[] = {4, 1, 3, 2};
    double one[] = {7};
    struct summary five = summarise(odd, 5);
    check(near(five.median, 3) && near(five.minimum, 1) && near(five.maximum, 5),
          "the median of five values is the third");
    check(near(five.lower_quartile, 2) && near(five.upper_quartile, 4),
          "the quartiles of five values are the second and the fourth");
    struct summary four = summarise(even, 4);
    check(near(four.median, 2.5) && near(four.lower_quartile, 1.75) &&
              near(four.upper_quartile, 3.25),
          "an even number of values is interpolated");
    struct summary single = summarise(one, 1);
    check(near(single.minimum, 7) && near(single.median, 7) && near(single.upper_quartile, 7),
          "one value is all of its quartiles");
    check(summarise(NULL, 0).count == 0, "no value gives an empty summary");
}

static void test_small_values(void)
{
    static struct histogram histogram;
    histogram_clear(&histogram);
    check(histogram_quantile(&histogram, 0.5) == 0, "an empty histogram answers 0");
    for (uint64_t value = 1; value <= 1000; value++)
        histogram_record(&histogram, value);
    check(histogram_quantile(&histogram, 0.5) == 500, "the median of 1..1000 is 500");
    check(histogram_quantile(&histogram, 0.99) == 990, "99 of 100 values of 1..1000 are <= 990");
    check(histogram_quantile(&histogram, 1) == 1000, "the largest of 1..1000 is 1000");
    check(histogram_quantile(&histogram, 0) == 1, "the smallest of 1..1000 is 1");
}

/* Is a single value given back with an error of at most one in a thousand, and never too small? */
static bool keeps(uint64_t value)
{
    static struct histogram histogram;
    histogram_clear(&histogram);
    histogram_record(&histogram, value);
    uint64_t answer = histogram_quantile(&histogram, 0.5);
    return answer >= value && answer - value <= value / 1000;
}

static void test_large_values(void)
{
    bool good = true;
    uint64_t value = 1;
    for (; value < UINT64_C(60000000000); value += value / 7 + 1)
        good = good && keeps(value);
    for (value = 1024; value <= UINT64_C(1) << 35; value *= 2)
        good = good && keeps(value - 1) && keeps(value) && keeps(value + 1);
    check(good, "values up to a minute keep three digits and are never rounded down");
    static struct histogram histogram;
    histogram_clear(&histogram);
    histogram_record(&histogram, UINT64_MAX);
    check(histogram_quantile(&histogram, 1) == (UINT64_C(1) << HISTOGRAM_MAX_BITS) - 1,
          "a value beyond the range counts as the largest");
}

/* Fills a small buffer with what is printed, as a line of results would have it. */
static void print_to(char *text, size_t size, const struct histogram *histogram)
{
    FILE *file = fmemopen(text, size, "w");
    if (!file)
        return;
    histogram_print(histogram, file);
    fclose(file);
}

static void test_printing(void)
{
    static struct histogram histogram;
    char text[256] = "";
    histogram_clear(&histogram);
    print_to(text, sizeof(text), &histogram);
    check(strcmp(text, "[]") == 0, "an empty histogram is printed as an empty list");
    histogram_record(&histogram, 5);
    histogram_record(&histogram, 5);
    histogram_record(&histogram, 100000);
    histogram_record(&histogram, 100001);
    print_to(text, sizeof(text), &histogram);
    check(strcmp(text, "[[5,2],[100351,2]]") == 0,
          "values that a picture could not tell apart are printed as one bucket");
}

/* The end of a printed bucket is at most this much above what fell into it. */
static void test_printed_precision(void)
{
    bool good = true;
    for (uint64_t value = 1; value < UINT64_C(60000000000); value += value / 5 + 1) {
        static struct histogram histogram;
        char text[64] = "";
        unsigned long long end = 0;
        histogram_clear(&histogram);
        histogram_record(&histogram, value);
        print_to(text, sizeof(text), &histogram);
        good = good && sscanf(text, "[[%llu,1]]", &end) == 1 && end >= value &&
               end - value <= value / 128;
    }
    check(good, "a printed value is at most 1/128 too large and never too small");
}

int main(void)
{
    test_summary();
    test_small_values();
    test_large_values();
    test_printing();
    test_printed_precision();
    printf("1..%d\n", tests);
    return failures > 0;
}
