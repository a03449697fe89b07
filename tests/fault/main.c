/* SPDX-License-Identifier: MIT */
/*
 * main.c: plays each scenario once undisturbed, then again and again, with the first allocation
 * failing, the second, and so on until none is left; and the same with each kernel call and each
 * errno that it can give. Every play is a process of its own, so that one that hangs or crashes is
 * one failure. TAP.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenarios.h"

/* Seconds for one play; generous, for Valgrind. */
#define TIME_LIMIT 30

struct options {
    bool is_list;
    const char *scenario;
    const char *backend;
};

struct totals {
    int tests;
    int failed;
    bool used[RULES_MAX];
};

/* What is played, and what it looked like undisturbed. */
struct program {
    const struct scenario *scenario;
    plx_backend backend;
    struct trial *trial;
    char expected[LOG_SIZE];
};

/* --- One play --- */

static void play(void *argument)
{
    const struct program *program = argument;
    struct stage stage = {.backend = program->backend, .trial = program->trial};
    int descriptors = stage_open_descriptors();
    injector_open(program->trial);
    program->scenario->play(&stage);
    stage_finish(&stage);
    CHECK_EQUAL(stage_open_descriptors(), descriptors);
}

static bool play_in_child(struct program *program)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(TIME_LIMIT);
        int outcome = check_run(play, program) == PASSED ? 0 : 1;
        fflush(stdout);
        _exit(outcome);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    if (WIFSIGNALED(status))
        printf("# ended by signal %d\n", WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* How much of the two logs is alike. */
static size_t common_size(const char *got, const char *want)
{
    size_t size = 0;
    while (got[size] && want[size] && (got[size] == want[size] || got[size] == LOG_ANY))
        size++;
    return size;
}

/* Prints the first line that differs. */
static bool is_as_expected(const char *got, const char *want)
{
    size_t size = common_size(got, want);
    if (got[size] == '\0' && want[size] == '\0')
        return true;
    while (size > 0 && got[size - 1] != '\n')
        size--;
    printf("# here [%.*s], undisturbed [%.*s]\n", (int)strcspn(got + size, "\n"), got + size,
           (int)strcspn(want + size, "\n"), want + size);
    return false;
}

static void print_fault(const struct trial *trial)
{
    const struct fault *fault = &trial->fault;
    printf("# with %s %d failing%s, way %d", fault->of_memory ? "allocation" : "kernel call",
           fault->number, fault->is_lasting ? " and all alike after it" : "", fault->variant + 1);
    if (trial->hit)
        printf(", last with errno %d (%s)", trial->hit->error, strerror(trial->hit->error));
    puts("");
}

static bool play_with(struct program *program, struct fault fault)
{
    struct trial *trial = program->trial;
    memset(trial, 0, sizeof *trial);
    trial->fault = fault;
    bool is_good = play_in_child(program);
    trial->log[trial->log_size] = '\0';
    if (is_good && fault.number > 0)
        is_good = is_as_expected(trial->log, program->expected);
    if (!is_good)
        print_fault(trial);
    return is_good;
}

/* --- All plays of a scenario --- */

struct tally {
    int plays;
    int bad;
};

/* Every way in which the Nth can fail. False if there is no Nth. */
static bool play_number(struct program *program, struct fault fault, struct tally *tally,
                        bool *used)
{
    struct trial *trial = program->trial;
    for (fault.variant = 0;; fault.variant++) {
        bool is_good = play_with(program, fault);
        for (size_t i = 0; i < RULES_MAX; i++)
            used[i] |= trial->is_used[i];
        tally->bad += !is_good;
        if (!trial->is_reached)
            return !is_good; /* who knows how far it would have come */
        if (!trial->is_variant)
            return true;
        if (trial->failures == 0)
            continue; /* a sleep that could not be interrupted */
        tally->plays++;
        fault.is_lasting = true;
        tally->bad += !play_with(program, fault);
        tally->plays++;
        fault.is_lasting = false;
    }
}

/* One bad play is as good as ten. */
#define ENOUGH 3

static void test(struct program *program, bool of_memory, struct totals *totals)
{
    struct fault fault = {.of_memory = of_memory};
    struct tally tally = {0, 0};
    tally.bad += !play_with(program, fault);
    memcpy(program->expected, program->trial->log, LOG_SIZE);
    do {
        fault.number++;
    } while (tally.bad < ENOUGH && play_number(program, fault, &tally, totals->used));

    totals->tests++;
    totals->failed += tally.bad > 0;
    printf("%sok %d - %s/%s: %d failures of %s\n", tally.bad ? "not " : "", totals->tests,
           plx_backend_name(program->backend), program->scenario->name, tally.plays,
           of_memory ? "memory" : "the kernel");
}

/* Were all rules needed? Only the whole run on all backends can tell. */
static void test_rules(struct totals *totals)
{
    int unused = rules_print_unused(totals->used);
    totals->tests++;
    totals->failed += unused > 0;
    printf("%sok %d - every way to fail was played\n", unused ? "not " : "", totals->tests);
}

/* --- The command line --- */

static int complain(const char *problem, const char *what)
{
    fprintf(stderr,
            "fault: %s%s\n"
            "usage: fault [--list] [--backend NAME] [--scenario NAME]\n",
            problem, what);
    return 2;
}

static bool parse(int count, char **arguments, struct options *options)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--list") == 0)
            options->is_list = true;
        else if (strcmp(arguments[i], "--backend") == 0 && i + 1 < count)
            options->backend = arguments[++i];
        else if (strcmp(arguments[i], "--scenario") == 0 && i + 1 < count)
            options->scenario = arguments[++i];
        else
            return complain("cannot make sense of ", arguments[i]) == 0;
    }
    return true;
}

static bool is_wanted(const char *wanted, const char *name)
{
    return !wanted || strcmp(wanted, name) == 0;
}

static void test_on(plx_backend backend, const struct options *options, struct trial *trial,
                    struct totals *totals)
{
    for (size_t i = 0; i < scenario_count; i++) {
        struct program program = {.scenario = &scenarios[i], .backend = backend, .trial = trial};
        if (!is_wanted(options->scenario, scenarios[i].name))
            continue;
        test(&program, true, totals);
        test(&program, false, totals);
    }
}

static int list(void)
{
    for (size_t i = 0; i < scenario_count; i++)
        puts(scenarios[i].name);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {false, NULL, NULL};
    struct totals totals = {.tests = 0};
    plx_backend backends[8];
    int count = plx_backend_list(backends, COUNT_OF(backends));

    if (!parse(argc, argv, &options))
        return 2;
    if (options.is_list)
        return list();
    struct trial *trial =
        mmap(NULL, sizeof *trial, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (trial == MAP_FAILED)
        return complain("no memory: ", strerror(errno));
    for (int i = 0; i < count; i++) {
        if (is_wanted(options.backend, plx_backend_name(backends[i])))
            test_on(backends[i], &options, trial, &totals);
    }
    if (totals.tests == 0)
        return complain("there is no such scenario or backend", "");
    if (!options.scenario && !options.backend)
        test_rules(&totals);
    printf("1..%d\n", totals.tests);
    return totals.failed > 0;
}
