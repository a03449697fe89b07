/* SPDX-License-Identifier: MIT */
/*
 * timers.c: what timers cost that nobody waits for in vain: started, moved, pushed back, stopped,
 * and expired.
 *
 * All but the last are done to timers whose time never comes here, in random order, as the timeouts
 * of connections are. A pass of the loop after each thousand operations is part of the cost: some
 * libraries do there what others do at once. Memory is touched for the first time by the start.
 *
 * How to read the numbers is measured beside them: a call that does nothing, in the same loop,
 * which is in every one of them; and a reading of the clock.
 */
#include "driver.h"
#include "machine.h"
#include "statistics.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST_REPETITIONS 100
#define MILLISECOND      UINT64_C(1000000)
#define SECOND           UINT64_C(1000000000)

enum operation { START, MOVE, AGAIN, STOP, EXPIRE, NOTHING, CLOCK, OPERATIONS };

static const char *const names[OPERATIONS] = {
    "start_ns", "move_ns", "again_ns", "stop_ns", "expire_ns", "nothing_ns", "clock_ns",
};

static long wanted = 100000;
static long moves = 300000;
static long repetitions = 7;

static const struct option_number options[] = {
    {"--timers", &wanted, 1, 10000000, NULL},
    {"--moves", &moves, 1, 100000000, NULL},
    {"--repetitions", &repetitions, 1, MOST_REPETITIONS, NULL},
    {NULL, NULL, 0, 0, NULL},
};

static const char usage[] = "usage: bench_timers --peer NAME [OPTION...]\n"
                            "       bench_timers --list\n"
                            "  --timers N       how many there are (100000)\n"
                            "  --moves N        how often one is moved (300000)\n"
                            "  --repetitions N  measured, after one that is not (7)\n";

/* CPU time of one operation in nanoseconds, one value for each repetition. */
static double results[OPERATIONS][MOST_REPETITIONS];

/* Between 1000 and 1060 seconds: later than the end of any trial. */
static uint64_t far_away(void)
{
    return 1000 * SECOND + driver_below(60 * SECOND);
}

/* --- Operations --- */

static const struct bench_peer *peer;
static const struct bench_timers *timers;
static size_t *order;
static uint32_t *drawn; /* for each move, who is moved */
static uint64_t fired;

/* Whose turn it is, drawn before anything is timed. */
static void draw(size_t count)
{
    for (long i = 0; i < moves; i++)
        drawn[i] = (uint32_t)driver_below(count);
}

static void turn_now_and_then(size_t done)
{
    if (done % 1000 == 999)
        peer->turn();
}

static void start_all(size_t count, uint64_t (*duration)(void))
{
    for (size_t i = 0; i < count; i++) {
        timers->start(order[i], duration());
        turn_now_and_then(i);
    }
}

static void move_some(void)
{
    for (long i = 0; i < moves; i++) {
        timers->move(drawn[i], far_away());
        turn_now_and_then((size_t)i);
    }
}

static void push_back_some(void)
{
    for (long i = 0; i < moves; i++) {
        timers->again(drawn[i]);
        turn_now_and_then((size_t)i);
    }
}

static void stop_all(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        timers->stop(order[i]);
        turn_now_and_then(i);
    }
    peer->turn();
}

static void expire_all(size_t count)
{
    while (fired < count)
        peer->turn();
}

static uint64_t soon(void)
{
    return MILLISECOND + driver_below(49 * MILLISECOND);
}

static void sleep_past_all(void)
{
    const struct timespec time = {.tv_nsec = (long)(60 * MILLISECOND)};
    nanosleep(&time, NULL);
}

/* Expired timers are restarted while the first of them run out: a late start fires as well. */
static double expire(size_t count)
{
    fired = 0;
    start_all(count, soon);
    sleep_past_all();
    uint64_t before = fired < count ? fired : count - 1;
    driver_lap();
    expire_all(count);
    double each = driver_lap() / (double)(count - before);
    stop_all(count);
    return each;
}

static void nothing(size_t index)
{
    (void)index;
}

static void do_nothing_some(void)
{
    void (*volatile operation)(size_t) = nothing;
    for (long i = 0; i < moves; i++)
        operation(drawn[i]);
}

static void read_clock_some(void)
{
    for (long i = 0; i < moves; i++)
        machine_clock(CLOCK_MONOTONIC);
}

static double time_start(size_t count)
{
    driver_shuffle(order, count);
    driver_lap();
    start_all(count, far_away);
    return driver_lap() / (double)count;
}

static double time_stop(size_t count)
{
    driver_shuffle(order, count);
    driver_lap();
    stop_all(count);
    return driver_lap() / (double)count;
}

static double time_some(void (*operations)(void), size_t count)
{
    draw(count);
    driver_lap();
    operations();
    return driver_lap() / (double)moves;
}

/* As often as it takes to start and stop as many as are moved: a thousand are over in no time, and
   the first of them pay for what was idle before. */
static void repeat_once(double values[OPERATIONS])
{
    size_t count = (size_t)wanted;
    long rounds = moves > wanted ? moves / wanted : 1;
    double started = 0, stopped = 0;
    for (long i = 1; i < rounds; i++) {
        started += time_start(count);
        stopped += time_stop(count);
    }
    values[START] = (started + time_start(count)) / (double)rounds;
    values[MOVE] = time_some(move_some, count);
    values[AGAIN] = time_some(push_back_some, count);
    values[STOP] = (stopped + time_stop(count)) / (double)rounds;
    values[EXPIRE] = expire(count);
    values[NOTHING] = time_some(do_nothing_some, count);
    values[CLOCK] = time_some(read_clock_some, count);
}

static bool takes_part(const struct bench_peer *one)
{
    return one->timers;
}

int main(int argc, char *argv[])
{
    double values[OPERATIONS];
    struct driver driver = driver_begin(argc, argv, usage, options, takes_part);
    peer = driver.peer;
    timers = peer->timers;
    order = malloc((size_t)wanted * sizeof(*order));
    drawn = malloc((size_t)moves * sizeof(*drawn));
    if (!order || !drawn || timers->open((size_t)wanted, &fired) < 0) {
        fprintf(stderr, "%s: cannot keep %ld timers\n", peer->name, wanted);
        return EXIT_FAILURE;
    }
    for (long i = -1; i < repetitions; i++) {
        repeat_once(values);
        for (int j = 0; i >= 0 && j < OPERATIONS; j++)
            results[j][i] = values[j];
    }
    driver_begin_line(&driver, "timers", "timers=%ld", wanted);
    for (int i = 0; i < OPERATIONS; i++)
        driver_metric(names[i], summarise(results[i], (size_t)repetitions).median);
    driver_end_line(&driver);
    return EXIT_SUCCESS;
}
