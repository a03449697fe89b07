/* SPDX-License-Identifier: MIT */
/*
 * dispatch.c: what a report costs when nothing is read.
 *
 * Many descriptors are watched, some are ready and stay so, and the loop passes over them without
 * sleeping until enough reports were counted. With one ready descriptor this is the cost of a turn,
 * with none that of a turn in vain, which timers may make dearer that are not due.
 * With --once each report disarms its descriptor, and the handler arms it again.
 */
#include "driver.h"
#include "machine.h"
#include "statistics.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#define MOST_REPETITIONS 100

static long watched = 100;
static long active = 100;
static long timers = 0;
static long events = 400000;
static long repetitions = 7;
static long limit = 1000;
static long once = 0;

static const struct option_number options[] = {
    {"--watchers", &watched, 1, 1000000, NULL},
    {"--active", &active, 0, 1000000, NULL},
    {"--timers", &timers, 0, 1000000, NULL},
    {"--events", &events, 1, 1000000000, NULL},
    {"--repetitions", &repetitions, 1, MOST_REPETITIONS, NULL},
    {"--limit", &limit, 1, 1000000, NULL},
    {"--once", &once, 0, 1, NULL},
    {NULL, NULL, 0, 0, NULL},
};

static const char usage[] = "usage: bench_dispatch --peer NAME [OPTION...]\n"
                            "       bench_dispatch --list\n"
                            "  --watchers N     descriptors that are watched (100)\n"
                            "  --active N       how many of them are ready (100)\n"
                            "  --timers N       that run and are not due (0)\n"
                            "  --events N       reports of one repetition, or turns if none is "
                            "ready (400000)\n"
                            "  --repetitions N  measured, after one that is not (7)\n"
                            "  --limit MS       fewer reports where a repetition is longer (1000)\n"
                            "  --once 1         re-arm in the handler (0)\n"
                            "  --marks          show a tracer where the reports begin and end\n";

/* One value for each repetition. */
static double cpu_ns[MOST_REPETITIONS];
static double wall_ns[MOST_REPETITIONS];
static uint64_t counter;
static void (*turn)(void);

/* The ready ones are spread evenly and never read, so a level-triggered loop sees them for ever. */
static int *open_descriptors(void)
{
    int *descriptors = calloc((size_t)watched, sizeof(*descriptors));
    for (long i = 0; descriptors && i < watched; i++) {
        descriptors[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (descriptors[i] < 0)
            return NULL;
    }
    for (long i = 0; descriptors && i < active; i++) {
        long place = i * watched / active;
        if (eventfd_write(descriptors[place], 1) < 0)
            return NULL;
    }
    return descriptors;
}

/* Turns until `wanted` more reports were counted; returns how many there really were. */
static uint64_t turn_until(uint64_t wanted)
{
    uint64_t begin = counter;
    for (uint64_t i = 0; active == 0 && i < wanted; i++, counter++)
        turn();
    while (counter - begin < wanted)
        turn();
    return counter - begin;
}

/*
 * The warm-up also finds out how many reports fit into the limit: what is linear in the number of
 * watchers would otherwise take minutes. Where the limit is far away nothing changes.
 */
static uint64_t warm_up(void)
{
    uint64_t wanted = (uint64_t)events;
    uint64_t begin = machine_clock(CLOCK_MONOTONIC);
    uint64_t nanoseconds = (uint64_t)limit * 1000000;
    uint64_t first = turn_until(wanted / 100 + 1);
    uint64_t each = (machine_clock(CLOCK_MONOTONIC) - begin) / first + 1;
    if (wanted > nanoseconds / each)
        wanted = nanoseconds / each + 1;
    if (wanted > first)
        turn_until(wanted - first);
    return wanted;
}

static void repeat(const struct driver *driver)
{
    uint64_t wanted = warm_up();
    for (long i = 0; i < repetitions; i++) {
        uint64_t wall = machine_clock(CLOCK_MONOTONIC);
        driver_lap();
        driver_mark(driver, once ? "oneshot" : "report");
        double done = (double)turn_until(wanted);
        driver_mark(driver, NULL);
        cpu_ns[i] = driver_lap() / done;
        wall_ns[i] = (double)(machine_clock(CLOCK_MONOTONIC) - wall) / done;
    }
}

static bool takes_part(const struct bench_peer *peer)
{
    return peer->watch && peer->watch_once && (timers == 0 || peer->timers);
}

static const char *workload(void)
{
    return once ? "oneshot" : active <= 1 ? "turn" : "dispatch";
}

static int watch(const struct bench_peer *peer)
{
    int *descriptors = open_descriptors();
    turn = once && peer->turn_once ? peer->turn_once : peer->turn;
    if (!descriptors)
        return -1;
    return (once ? peer->watch_once : peer->watch)(descriptors, (int)watched, &counter);
}

/* They are not due before the end of any trial. */
static int start_timers(const struct bench_timers *peers)
{
    if (timers == 0)
        return 0;
    if (peers->open((size_t)timers, &counter) < 0)
        return -1;
    for (long i = 0; i < timers; i++)
        peers->start((size_t)i, (1000 + driver_below(60)) * UINT64_C(1000000000));
    return 0;
}

static void print_head(const struct driver *driver)
{
    if (timers > 0)
        driver_begin_line(driver, workload(), "watchers=%ld,active=%ld,timers=%ld", watched, active,
                          timers);
    else
        driver_begin_line(driver, workload(), "watchers=%ld,active=%ld", watched, active);
}

int main(int argc, char *argv[])
{
    struct driver driver = driver_begin(argc, argv, usage, options, takes_part);
    if (active > watched)
        active = watched;
    if (watch(driver.peer) < 0) {
        fprintf(stderr, "%s: cannot watch %ld descriptors\n", driver.peer->name, watched);
        return EXIT_FAILURE;
    }
    if (start_timers(driver.peer->timers) < 0) {
        fprintf(stderr, "%s: cannot start %ld timers\n", driver.peer->name, timers);
        return EXIT_FAILURE;
    }
    repeat(&driver);
    print_head(&driver);
    driver_metric("cpu_ns", summarise(cpu_ns, (size_t)repetitions).median);
    driver_metric("wall_ns", summarise(wall_ns, (size_t)repetitions).median);
    driver_end_line(&driver);
    return EXIT_SUCCESS;
}
