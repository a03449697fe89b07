/* SPDX-License-Identifier: MIT */
/*
 * dispatch.c: what a report costs when nothing is read.
 *
 * Many descriptors are watched, some are ready and stay so, and the loop passes over them without
 * sleeping until enough reports were counted. With one ready descriptor this is the cost of a turn.
 */
#include "machine.h"
#include "peers/peer.h"
#include "statistics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define MOST_REPETITIONS 100

struct options {
    const struct bench_peer *peer;
    int watchers;
    int active;
    uint64_t events;
    int repetitions;
    int cpu;
    const char *tag;
};

/* One value for each repetition. */
struct results {
    double cpu[MOST_REPETITIONS];
    double wall[MOST_REPETITIONS];
};

static const char usage_text[] = "usage: bench_dispatch --peer NAME [OPTION...]\n"
                                 "       bench_dispatch --list\n"
                                 "  --watchers N     descriptors that are watched (100)\n"
                                 "  --active N       how many of them are ready (100)\n"
                                 "  --events N       reports of one repetition (400000)\n"
                                 "  --repetitions N  measured, after one that is not (7)\n"
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
        if (bench_peers[i]->watch)
            printf("%s %s\n", bench_peers[i]->name, bench_peers[i]->version());
    return 0;
}

static void parse_one(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "--peer") == 0)
        options->peer = bench_peer_find(value);
    else if (strcmp(name, "--watchers") == 0)
        options->watchers = (int)machine_number(name, value, 1, 1000000);
    else if (strcmp(name, "--active") == 0)
        options->active = (int)machine_number(name, value, 1, 1000000);
    else if (strcmp(name, "--events") == 0)
        options->events = (uint64_t)machine_number(name, value, 1, 1000000000);
    else if (strcmp(name, "--repetitions") == 0)
        options->repetitions = (int)machine_number(name, value, 1, MOST_REPETITIONS);
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
    if (!options->peer || !options->peer->watch || options->active > options->watchers)
        usage();
}

/* The ready ones are spread evenly and never read, so a level-triggered loop sees them for ever. */
static int *open_descriptors(const struct options *options)
{
    int *descriptors = calloc((size_t)options->watchers, sizeof(*descriptors));
    for (int i = 0; descriptors && i < options->watchers; i++) {
        descriptors[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (descriptors[i] < 0)
            return NULL;
    }
    for (int i = 0; descriptors && i < options->active; i++) {
        int64_t place = (int64_t)i * options->watchers / options->active;
        if (eventfd_write(descriptors[place], 1) < 0)
            return NULL;
    }
    return descriptors;
}

/* Turns until `events` more reports were counted; returns how many there really were. */
static uint64_t turn_until(const struct bench_peer *peer, const uint64_t *counter, uint64_t events)
{
    uint64_t begin = *counter;
    while (*counter - begin < events)
        peer->turn();
    return *counter - begin;
}

static void repeat(const struct options *options, const uint64_t *counter, struct results *results)
{
    turn_until(options->peer, counter, options->events);
    for (int i = 0; i < options->repetitions; i++) {
        uint64_t wall = machine_clock(CLOCK_MONOTONIC);
        uint64_t cpu = machine_clock(CLOCK_THREAD_CPUTIME_ID);
        double events = (double)turn_until(options->peer, counter, options->events);
        results->cpu[i] = (double)(machine_clock(CLOCK_THREAD_CPUTIME_ID) - cpu) / events;
        results->wall[i] = (double)(machine_clock(CLOCK_MONOTONIC) - wall) / events;
    }
}

static void print(const struct options *options, struct results *results, bool pinned)
{
    size_t count = (size_t)options->repetitions;
    printf("{%s%s\"workload\":\"%s\",\"peer\":\"%s\",\"version\":\"%s\"", options->tag,
           *options->tag ? "," : "", options->active == 1 ? "turn" : "dispatch",
           options->peer->name, options->peer->version());
    printf(",\"watchers\":%d,\"active\":%d,\"events\":%llu,\"repetitions\":%d", options->watchers,
           options->active, (unsigned long long)options->events, options->repetitions);
    printf(",\"cpu_ns\":%.2f,\"wall_ns\":%.2f,\"pinned\":%s}\n",
           summarise(results->cpu, count).median, summarise(results->wall, count).median,
           pinned ? "true" : "false");
}

int main(int argc, char *argv[])
{
    static struct results results;
    struct options options = {
        .watchers = 100, .active = 100, .events = 400000, .repetitions = 7, .cpu = -1, .tag = ""};
    uint64_t counter = 0;
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list();
    parse(&options, argc, argv);
    machine_raise_descriptor_limit();
    bool pinned = options.cpu >= 0 && machine_pin(options.cpu);
    int *descriptors = open_descriptors(&options);
    if (!descriptors || options.peer->watch(descriptors, options.watchers, &counter) < 0) {
        fprintf(stderr, "%s: cannot watch %d descriptors\n", options.peer->name, options.watchers);
        return EXIT_FAILURE;
    }
    repeat(&options, &counter, &results);
    print(&options, &results, pinned);
    return EXIT_SUCCESS;
}
