/* SPDX-License-Identifier: MIT */
/*
 * main.c: random schedules on each backend, compared with a reference model whose oracle is
 * poll(2). The same seed gives the same schedule; a failure prints it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compare.h"
#include "faults.h"
#include "journal.h"
#include "run.h"

enum status { STATUS_PASS = 0, STATUS_USAGE = 2 };

struct options {
    uint64_t operations;
    uint64_t seed;
    plx_backend backend; /* PLX_BACKEND_AUTO: each one */
    bool is_comparison;
    plx_backend compared[COMPARE_SIDES];
    int compared_count;
    bool is_traced;
};

static const char usage[] =
    "usage: model [--operations N] [--seed N] [--backend NAME | --compare NAMES] [--trace]\n"
    "  --operations N  the length of the schedule on each backend (100000)\n"
    "  --seed N        the schedule (another one each time)\n"
    "  --backend NAME  the backend (each that works here)\n"
    "  --compare NAMES the same schedule on several at once: all, or names with commas\n"
    "  --trace         print each operation\n";

static int complain(const char *problem, const char *what)
{
    fprintf(stderr, "model: %s%s\n%s", problem, what, usage);
    return STATUS_USAGE;
}

static int parse_number(const char *text, uint64_t *number)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end)
        return complain("not a number: ", text);
    *number = value;
    return STATUS_PASS;
}

static int parse_backend(const char *name, plx_backend *backend)
{
    *backend = plx_backend_from_name(name);
    return *backend < 0 ? complain("no such backend: ", name) : STATUS_PASS;
}

static int parse_names(const char *names, struct options *options)
{
    char text[100], *rest = text;
    options->is_comparison = true;
    if (strcmp(names, "all") == 0) {
        int count = plx_backend_list(options->compared, COMPARE_SIDES);
        options->compared_count = count < COMPARE_SIDES ? count : COMPARE_SIDES;
        return STATUS_PASS;
    }
    if ((size_t)snprintf(text, sizeof text, "%s", names) >= sizeof text)
        return complain("too many names: ", names);
    for (char *name; (name = strtok_r(rest, ",", &rest));) {
        plx_backend backend = plx_backend_from_name(name);
        if (backend < 0 || options->compared_count == COMPARE_SIDES)
            return complain("no such backend, or too many: ", name);
        options->compared[options->compared_count++] = backend;
    }
    return STATUS_PASS;
}

static int parse(int count, char **arguments, struct options *options)
{
    for (int i = 1; i < count; i++) {
        const char *name = arguments[i];
        int status = STATUS_PASS;
        if (strcmp(name, "--trace") == 0) {
            options->is_traced = true;
            continue;
        }
        if (i + 1 == count)
            return complain("unknown, or without a value: ", name);
        if (strcmp(name, "--operations") == 0)
            status = parse_number(arguments[++i], &options->operations);
        else if (strcmp(name, "--seed") == 0)
            status = parse_number(arguments[++i], &options->seed);
        else if (strcmp(name, "--backend") == 0)
            status = parse_backend(arguments[++i], &options->backend);
        else if (strcmp(name, "--compare") == 0)
            status = parse_names(arguments[++i], options);
        else
            return complain("unknown option ", name);
        if (status != STATUS_PASS)
            return status;
    }
    return STATUS_PASS;
}

static uint64_t seed_of_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec) % 1000000000;
}

static void test(int number, plx_backend backend, const struct options *options)
{
    static struct run run;
    const char *name = plx_backend_name(backend);
    if (!plx_backend_is_available(backend)) {
        journal_print("ok %d - %s # SKIP it does not work here\n", number, name);
        return;
    }
    journal_begin(number, "--backend", name, options->seed, options->is_traced);
    run_schedule(&run, backend, options->seed, options->operations);
    const struct totals *totals = &run.totals;
    journal_print("# %s: %lu adds, %lu waits, %lu reports, %lu faults, %lu closed under their "
                  "watcher, %lu rebuilt queues, %lu contexts\n",
                  name, totals->adds, totals->waits, totals->reports, totals->faults,
                  totals->losses, totals->rebuilds, totals->contexts);
    journal_print("# %s: %lu reports without a descriptor, %lu callbacks, %lu tasks, %lu forks\n",
                  name, totals->of_sources, totals->callbacks, totals->tasks, totals->forks);
    journal_print("ok %d - %s, seed %llu\n", number, name, (unsigned long long)options->seed);
}

/* All at once, and then a line for each pair: what is equal to the first is equal. */
static int compare(const struct options *options)
{
    char names[100];
    size_t size = 0;
    for (int i = 0; i < options->compared_count; i++) {
        const char *name = plx_backend_name(options->compared[i]);
        size += (size_t)snprintf(names + size, sizeof names - size, "%s%s", i > 0 ? "," : "", name);
        if (!plx_backend_is_available(options->compared[i]))
            return complain("it does not work here: ", name);
    }
    if (options->compared_count < 2)
        return complain("there is nothing to compare with: ", names);
    journal_begin(1, "--compare", names, options->seed, options->is_traced);
    unsigned long reports = compare_play(options->compared, options->compared_count, options->seed,
                                         options->operations);
    journal_print("# %s: %lu reports\n", names, reports);
    int tests = 0;
    for (int a = 0; a < options->compared_count; a++) {
        for (int b = a + 1; b < options->compared_count; b++)
            journal_print("ok %d - %s and %s report the same, seed %llu\n", ++tests,
                          plx_backend_name(options->compared[a]),
                          plx_backend_name(options->compared[b]),
                          (unsigned long long)options->seed);
    }
    journal_print("1..%d\n", tests);
    return STATUS_PASS;
}

int main(int argc, char **argv)
{
    struct options options = {
        .operations = 100000, .seed = seed_of_now(), .backend = PLX_BACKEND_AUTO};
    plx_backend backends[8];
    int count = plx_backend_list(backends, 8);

    if (parse(argc, argv, &options) != STATUS_PASS)
        return STATUS_USAGE;
    if (options.backend != PLX_BACKEND_AUTO) {
        backends[0] = options.backend;
        count = 1;
    }
    signal(SIGPIPE, SIG_IGN); /* pipes whose reader went are part of the schedule */
    if (options.is_comparison) {
        journal_print("# seed %llu, %llu operations\n", (unsigned long long)options.seed,
                      (unsigned long long)options.operations);
        return compare(&options);
    }
    faults_install();
    processes_install();
    notifies_install();
    journal_print("# seed %llu, %llu operations\n", (unsigned long long)options.seed,
                  (unsigned long long)options.operations);
    for (int i = 0; i < count; i++)
        test(i + 1, backends[i], &options);
    journal_print("1..%d\n", count);
    return STATUS_PASS;
}
