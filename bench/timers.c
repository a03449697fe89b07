/* SPDX-License-Identifier: MIT */
/*
 * timers.c: what timers cost that nobody waits for in vain: started, moved, pushed back, stopped,
 * and expired.
 *
 * All but the last are done to timers whose time never comes here, in random order, as the timeouts
 * of connections are. A pass of the loop after each thousand operations is part of the cost: some
 * libraries do there what others do at once. Memory is touched for the first time by the start.
 */
#include "machine.h"
#include "peers/peer.h"
#include "statistics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_REPETITIONS 100
#define MILLISECOND      UINT64_C(1000000)
#define SECOND           UINT64_C(1000000000)

enum operation { START, MOVE, AGAIN, STOP, EXPIRE, OPERATIONS };

static const char *const names[OPERATIONS] = {"start", "move", "again", "stop", "expire"};

struct options {
    const struct bench_peer *peer;
    size_t timers;
    size_t moves;
    int repetitions;
    int cpu;
    uint64_t seed;
    const char *tag;
};

/* CPU time of one operation in nanoseconds, one value for each repetition. */
static double results[OPERATIONS][MOST_REPETITIONS];

static const char usage_text[] = "usage: bench_timers --peer NAME [OPTION...]\n"
                                 "       bench_timers --list\n"
                                 "  --timers N       how many there are (100000)\n"
                                 "  --moves N        how often one is moved (300000)\n"
                                 "  --repetitions N  measured, after one that is not (7)\n"
                                 "  --seed N         of the random order (1)\n"
                                 "  --cpu N          bind to a processor\n"
                                 "  --tag TEXT       JSON members to put in front of the line\n";

static void usage(void)
{
    fputs(usage_text, stderr);
    exit(2);
}

static int list(void)
{
    for (size_t i = 0; bench_peers[i]; i++)
        if (bench_peers[i]->timers)
            printf("%s %s\n", bench_peers[i]->name, bench_peers[i]->version());
    return 0;
}

static void parse_one(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "--peer") == 0)
        options->peer = bench_peer_find(value);
    else if (strcmp(name, "--timers") == 0)
        options->timers = (size_t)machine_number(name, value, 1, 1000000);
    else if (strcmp(name, "--moves") == 0)
        options->moves = (size_t)machine_number(name, value, 1, 100000000);
    else if (strcmp(name, "--repetitions") == 0)
        options->repetitions = (int)machine_number(name, value, 1, MOST_REPETITIONS);
    else if (strcmp(name, "--seed") == 0)
        options->seed = (uint64_t)machine_number(name, value, 1, 1000000000);
    else if (strcmp(name, "--cpu") == 0)
        options->cpu = (int)machine_number(name, value, 0, 1023);
    else if (strcmp(name, "--tag") == 0)
        options->tag = value;
    else
        usage();
}

static void parse(struct options *options, int argc, char *argv[])
{
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 >= argc)
            usage();
        parse_one(options, argv[i], argv[i + 1]);
    }
    if (!options->peer || !options->peer->timers)
        usage();
}

/* --- Dice --- */

static uint64_t state;

/* Limits up to 2^40. Without a division, which would cost more than some operations here. */
static uint64_t below(uint64_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 40) * limit >> 24;
}

/* Between 1000 and 1060 seconds: later than the end of any trial. */
static uint64_t far_away(void)
{
    return 1000 * SECOND + below(60 * SECOND);
}

/* Whose turn it is, drawn before anything is timed. */
static void draw(uint32_t *drawn, size_t moves, size_t count)
{
    for (size_t i = 0; i < moves; i++)
        drawn[i] = (uint32_t)below(count);
}

static void shuffle(size_t *order, size_t count)
{
    for (size_t i = count; i-- > 1;) {
        size_t other = (size_t)below(i + 1), index = order[i];
        order[i] = order[other];
        order[other] = index;
    }
}

/* --- Operations --- */

static const struct bench_timers *timers;
static size_t *order;
static uint32_t *drawn; /* for each move, who is moved */
static uint64_t fired;

static void turn_now_and_then(size_t done)
{
    if (done % 1000 == 999)
        timers->turn();
}

static void start_all(size_t count, uint64_t (*duration)(void))
{
    for (size_t i = 0; i < count; i++) {
        timers->start(order[i], duration());
        turn_now_and_then(i);
    }
}

static void move_some(size_t moves)
{
    for (size_t i = 0; i < moves; i++) {
        timers->move(drawn[i], far_away());
        turn_now_and_then(i);
    }
}

static void push_back_some(size_t moves)
{
    for (size_t i = 0; i < moves; i++) {
        timers->again(drawn[i]);
        turn_now_and_then(i);
    }
}

static void stop_all(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        timers->stop(order[i]);
        turn_now_and_then(i);
    }
    timers->turn();
}

static void expire_all(size_t count)
{
    while (fired < count)
        timers->turn();
}

static uint64_t soon(void)
{
    return MILLISECOND + below(49 * MILLISECOND);
}

static void sleep_past_all(void)
{
    const struct timespec time = {.tv_nsec = (long)(60 * MILLISECOND)};
    nanosleep(&time, NULL);
}

/* The time since the last call, for each of so many operations. */
static double lap(size_t operations)
{
    static uint64_t last;
    uint64_t now = machine_clock(CLOCK_THREAD_CPUTIME_ID);
    double each = (double)(now - last) / (double)operations;
    last = now;
    return each;
}

/* Expired timers are restarted while the first of them run out: a late start fires as well. */
static void repeat_once(const struct options *options, double values[OPERATIONS])
{
    size_t count = options->timers;
    shuffle(order, count);
    lap(1);
    start_all(count, far_away);
    values[START] = lap(count);
    draw(drawn, options->moves, count);
    lap(1);
    move_some(options->moves);
    values[MOVE] = lap(options->moves);
    draw(drawn, options->moves, count);
    lap(1);
    push_back_some(options->moves);
    values[AGAIN] = lap(options->moves);
    shuffle(order, count);
    lap(1);
    stop_all(count);
    values[STOP] = lap(count);
    fired = 0;
    start_all(count, soon);
    sleep_past_all();
    uint64_t before = fired < count ? fired : count - 1;
    lap(1);
    expire_all(count);
    values[EXPIRE] = lap(count - before);
    stop_all(count);
}

static void print(const struct options *options, bool pinned)
{
    printf("{%s%s\"workload\":\"timers\",\"peer\":\"%s\",\"version\":\"%s\"", options->tag,
           *options->tag ? "," : "", options->peer->name, options->peer->version());
    printf(",\"timers\":%zu,\"moves\":%zu,\"repetitions\":%d", options->timers, options->moves,
           options->repetitions);
    for (int i = 0; i < OPERATIONS; i++)
        printf(",\"%s_ns\":%.2f", names[i],
               summarise(results[i], (size_t)options->repetitions).median);
    printf(",\"pinned\":%s}\n", pinned ? "true" : "false");
}

int main(int argc, char *argv[])
{
    struct options options = {
        .timers = 100000, .moves = 300000, .repetitions = 7, .cpu = -1, .seed = 1, .tag = ""};
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list();
    parse(&options, argc, argv);
    bool pinned = options.cpu >= 0 && machine_pin(options.cpu);
    timers = options.peer->timers;
    state = options.seed * UINT64_C(0x9E3779B97F4A7C15);
    order = malloc(options.timers * sizeof(*order));
    drawn = malloc(options.moves * sizeof(*drawn));
    if (!order || !drawn || timers->open(options.timers, &fired) < 0) {
        fprintf(stderr, "%s: cannot keep %zu timers\n", options.peer->name, options.timers);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < options.timers; i++)
        order[i] = i;
    for (int i = -1; i < options.repetitions; i++) {
        double values[OPERATIONS];
        repeat_once(&options, values);
        for (int j = 0; i >= 0 && j < OPERATIONS; j++)
            results[j][i] = values[j];
    }
    print(&options, pinned);
    return EXIT_SUCCESS;
}
