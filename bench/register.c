/* SPDX-License-Identifier: MIT */
/*
 * register.c: what it costs to begin, change and end the watching of descriptors.
 *
 * After each phase comes a pass of the loop, which belongs to it: some libraries do there what
 * others do at once. The descriptors are timers of the kernel that nobody set: they are never
 * readable and never writable, so no phase pays for reports, and each is one descriptor.
 */
#include "driver.h"
#include "machine.h"
#include "statistics.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MOST_REPETITIONS 100
#define GENERATION       500

static long descriptors_wanted = 1000;
static long repetitions = 7;
static long churns = 100000;

static const struct option_number options[] = {
    {"--descriptors", &descriptors_wanted, 1, 1000000, NULL},
    {"--repetitions", &repetitions, 1, MOST_REPETITIONS, NULL},
    {"--churns", &churns, GENERATION, 100000000, NULL},
    {NULL, NULL, 0, 0, NULL},
};

static const char usage[] = "usage: bench_register --peer NAME [OPTION...]\n"
                            "       bench_register --list\n"
                            "  --descriptors N  how many there are (1000)\n"
                            "  --repetitions N  measured, after one that is not (7)\n"
                            "  --churns N       how often one is stopped and started, and closed\n"
                            "                   and opened, in each repetition; a multiple\n"
                            "                   of 500 (100000)\n"
                            "  --marks          show a tracer where operations begin and end\n";

static const struct bench_peer *peer;
static const struct bench_watchers *watchers;
static int *descriptors;
static size_t count;

static void add(void)
{
    for (size_t i = 0; i < count; i++)
        watchers->add(i, descriptors[i]);
    peer->turn();
}

static void modify_all(bool writing)
{
    for (size_t i = 0; i < count; i++)
        watchers->modify(i, writing);
    peer->turn();
}

static void widen(void)
{
    modify_all(true);
}

static void narrow(void)
{
    modify_all(false);
}

static void removal(void)
{
    for (size_t i = 0; i < count; i++)
        watchers->remove(i, descriptors[i]);
    peer->turn();
}

/* One watcher, with no pass of the loop in between. */
static void pause_and_go_on(void)
{
    for (long i = 0; i < churns; i++) {
        watchers->stop(0, descriptors[0]);
        watchers->start(0, descriptors[0]);
    }
    peer->turn();
}

/*
 * As connections do: opened, watched for a pass, closed, and the next ones get the same numbers.
 * There are objects for two generations, for a library that wants a pass to be done with one.
 */
static void close_and_open(void)
{
    int opened[GENERATION];
    for (long done = 0; done < churns; done += GENERATION) {
        size_t first = count + (size_t)(done / GENERATION % 2) * GENERATION;
        for (size_t i = 0; i < GENERATION; i++) {
            opened[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
            watchers->add(first + i, opened[i]);
        }
        peer->turn();
        for (size_t i = 0; i < GENERATION; i++)
            watchers->close(first + i, opened[i]);
    }
    peer->turn();
}

/* In the order in which they are done; what is added last is there for the next ones. */
enum { ADD, WIDEN, NARROW, SAME, PAUSE, REMOVE, REUSE, OPERATIONS };

static const struct operation {
    const char *name;
    void (*run)(void);
    bool churns;
} operations[OPERATIONS] = {
    [ADD] = {"add", add, false},
    [WIDEN] = {"widen", widen, false},
    [NARROW] = {"narrow", narrow, false},
    [SAME] = {"same", narrow, false},
    [PAUSE] = {"pause", pause_and_go_on, true},
    [REMOVE] = {"remove", removal, false},
    [REUSE] = {"reuse", close_and_open, true},
};

static double results[OPERATIONS][MOST_REPETITIONS];

static int open_all(void)
{
    for (size_t i = 0; i < count; i++) {
        descriptors[i] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (descriptors[i] < 0)
            return -1;
    }
    return 0;
}

static void close_all(void)
{
    for (size_t i = 0; i < count; i++)
        close(descriptors[i]);
}

/*
 * On new descriptors each time: a library that leaves a removed one in the kernel would find it
 * there when it adds the same one, which no program does.
 */
static int repeat_once(const struct driver *driver, double values[OPERATIONS])
{
    if (open_all() < 0)
        return -1;
    for (int i = 0; i < OPERATIONS; i++) {
        const struct operation *operation = &operations[i];
        driver_lap();
        driver_mark(driver, operation->name);
        operation->run();
        driver_mark(driver, NULL);
        values[i] = driver_lap() / (operation->churns ? (double)churns : (double)count);
    }
    close_all();
    return 0;
}

static bool takes_part(const struct bench_peer *one)
{
    return one->watchers;
}

int main(int argc, char *argv[])
{
    static uint64_t counter;
    double values[OPERATIONS] = {0};
    struct driver driver = driver_begin(argc, argv, usage, options, takes_part);
    peer = driver.peer;
    watchers = peer->watchers;
    count = (size_t)descriptors_wanted;
    churns = churns / GENERATION * GENERATION;
    descriptors = malloc(count * sizeof(*descriptors));
    bool good = descriptors && watchers->open(count + 2 * GENERATION, &counter) == 0;
    for (long i = -1; good && i < repetitions; i++) {
        good = repeat_once(&driver, values) == 0;
        for (int j = 0; i >= 0 && j < OPERATIONS; j++)
            results[j][i] = values[j];
    }
    if (!good) {
        fprintf(stderr, "%s: cannot watch %ld descriptors\n", peer->name, descriptors_wanted);
        return EXIT_FAILURE;
    }
    if (counter > 0) {
        fprintf(stderr, "%s: reported what never was ready\n", peer->name);
        return EXIT_FAILURE;
    }
    driver_begin_line(&driver, "register", "descriptors=%zu", count);
    for (int i = 0; i < OPERATIONS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%s_ns", operations[i].name);
        driver_metric(name, summarise(results[i], (size_t)repetitions).median);
    }
    driver_end_line(&driver);
    return EXIT_SUCCESS;
}
