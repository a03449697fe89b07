/* SPDX-License-Identifier: MIT */
/*
 * memory.c: what the watching of idle descriptors, and timers, take of memory.
 *
 * Everything is counted: the objects of the library, those that its users keep for it, tables that
 * have grown too large, and what malloc itself needs. The kernel's part is the same for all.
 */
#include "driver.h"
#include "machine.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static long descriptor_count = 0;
static long timer_count = 0;

static const struct option_number options[] = {
    {"--descriptors", &descriptor_count, 1, 1000000, NULL},
    {"--timers", &timer_count, 1, 100000000, NULL},
    {NULL, NULL, 0, 0, NULL},
};

static const char usage[] = "usage: bench_memory --peer NAME --descriptors N | --timers N\n"
                            "       bench_memory --list\n";

static uint64_t counter;

/* Of the heap, and of the kernel, where memory counts that was touched. */
struct sizes {
    double heap;
    double resident;
};

static struct sizes read_sizes(void)
{
    struct mallinfo2 info = mallinfo2();
    return (struct sizes){.heap = (double)info.uordblks + (double)info.hblkhd,
                          .resident = (double)machine_anonymous_kib((int)getpid()) * 1024};
}

/* The loop is made anew, so that what it takes for itself from the start is not left out. */
static struct sizes begin_with_loop(const struct bench_peer *peer)
{
    peer->close();
    struct sizes begin = read_sizes();
    if (peer->open() < 0)
        exit(EXIT_FAILURE);
    return begin;
}

static int *open_descriptors(void)
{
    int *descriptors = malloc((size_t)descriptor_count * sizeof(*descriptors));
    for (long i = 0; descriptors && i < descriptor_count; i++) {
        descriptors[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (descriptors[i] < 0)
            return NULL;
    }
    return descriptors;
}

static int measure_descriptors(const struct driver *driver)
{
    int *descriptors = open_descriptors();
    struct sizes begin = begin_with_loop(driver->peer);
    if (!descriptors || driver->peer->watch(descriptors, (int)descriptor_count, &counter) < 0)
        return -1;
    driver->peer->turn();
    struct sizes end = read_sizes();
    double count = (double)descriptor_count;
    driver_begin_line(driver, "memory", "kind=descriptor,count=%ld", descriptor_count);
    driver_metric("bytes", (end.heap - begin.heap) / count);
    driver_metric("resident_bytes", (end.resident - begin.resident) / count);
    driver_end_line(driver);
    return 0;
}

static int measure_timers(const struct driver *driver)
{
    const struct bench_timers *timers = driver->peer->timers;
    size_t count = (size_t)timer_count;
    struct sizes begin = begin_with_loop(driver->peer);
    if (timers->open(count, &counter) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        timers->start(i, UINT64_C(1000000000) * (1000 + driver_below(1000)));
    driver->peer->turn();
    struct sizes full = read_sizes();
    for (size_t i = 0; i < count; i++)
        timers->stop(i);
    driver->peer->turn();
    struct sizes empty = read_sizes();
    driver_begin_line(driver, "memory", "kind=timer,count=%ld", timer_count);
    driver_metric("bytes", (full.heap - begin.heap) / (double)count);
    driver_metric("resident_bytes", (full.resident - begin.resident) / (double)count);
    driver_metric("left_bytes", (empty.heap - begin.heap) / (double)count);
    driver_end_line(driver);
    return 0;
}

/* Which of the two is known only after the options were read. */
static bool takes_part(const struct bench_peer *peer)
{
    return peer->watch || peer->timers;
}

int main(int argc, char *argv[])
{
    struct driver driver = driver_begin(argc, argv, usage, options, takes_part);
    if ((descriptor_count > 0) == (timer_count > 0)) {
        fputs(usage, stderr);
        return 2;
    }
    int status = 0;
    if (descriptor_count && driver.peer->watch)
        status = measure_descriptors(&driver);
    else if (timer_count && driver.peer->timers)
        status = measure_timers(&driver);
    if (status < 0)
        fprintf(stderr, "%s: cannot keep so many\n", driver.peer->name);
    return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
