/* SPDX-License-Identifier: MIT */
/* driver.c: see driver.h. */
#include "driver.h"

#include "machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static _Noreturn void stop(const char *usage)
{
    fputs(usage, stderr);
    fputs("  --cpu N          bind to a processor\n"
          "  --seed N         of whatever is random (0)\n"
          "  --tag TEXT       JSON members to put in front of the line\n",
          stderr);
    exit(2);
}

static uint64_t dice = UINT64_C(0x9E3779B97F4A7C15);

static bool take_text(struct driver *driver, const char *name, const char *value)
{
    if (strcmp(name, "--peer") == 0)
        driver->peer = bench_peer_find(value);
    else if (strcmp(name, "--tag") == 0)
        driver->tag = value;
    else if (strcmp(name, "--seed") == 0)
        dice *= 2 * (uint64_t)machine_number(name, value, 0, 2147483647) + 1;
    else if (strcmp(name, "--cpu") == 0)
        driver->pinned = machine_pin((int)machine_number(name, value, 0, 1023));
    else
        return false;
    return true;
}

struct driver driver_begin(int argc, char *argv[], const char *usage,
                           const struct option_number *options,
                           bool (*takes_part)(const struct bench_peer *peer))
{
    struct driver driver = {.tag = ""};
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        exit(bench_peer_list(takes_part));
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--marks") == 0) {
            driver.marks = true;
            continue;
        }
        if (i + 1 == argc || (!take_text(&driver, argv[i], argv[i + 1]) &&
                              !options_take(options, argv[i], argv[i + 1])))
            stop(usage);
        i++;
    }
    if (!driver.peer || !takes_part(driver.peer))
        stop(usage);
    machine_raise_descriptor_limit();
    if (driver.peer->open() == 0)
        return driver;
    fprintf(stderr, "%s: cannot make a loop\n", driver.peer->name);
    exit(EXIT_FAILURE);
}

void driver_mark(const struct driver *driver, const char *operation)
{
    if (driver->marks)
        prctl(PR_SET_NAME, operation ? operation : "-");
}

double driver_lap(void)
{
    static uint64_t last;
    uint64_t now = machine_clock(CLOCK_THREAD_CPUTIME_ID);
    double passed = (double)(now - last);
    last = now;
    return passed;
}

void driver_begin_line(const struct driver *driver, const char *workload, const char *cell, ...)
{
    va_list values;
    printf("{%s%s\"workload\":\"%s\",\"cell\":\"", driver->tag, *driver->tag ? "," : "", workload);
    va_start(values, cell);
    vprintf(cell, values);
    va_end(values);
    printf("\",\"peer\":\"%s\",\"version\":\"%s\"", driver->peer->name, driver->peer->version());
}

void driver_metric(const char *name, double value)
{
    printf(",\"%s\":%.2f", name, value);
}

void driver_end_line(const struct driver *driver)
{
    printf(",\"pinned\":%s}\n", driver->pinned ? "true" : "false");
}

uint64_t driver_below(uint64_t limit)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (dice >> 40) * limit >> 24;
}

void driver_shuffle(size_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count; i-- > 1;) {
        size_t other = (size_t)driver_below(i + 1), index = order[i];
        order[i] = order[other];
        order[other] = index;
    }
}
