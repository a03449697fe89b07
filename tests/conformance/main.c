/* SPDX-License-Identifier: MIT */
/*
 * main.c: the conformance program. It runs one case or all, on one backend or on all of this
 * machine, in one process and without help from any test library, so that it runs wherever the
 * library does. The script `run` gives each case a process of its own.
 */
#include <stdio.h>
#include <string.h>

#include "cases.h"

enum status { STATUS_PASS = 0, STATUS_FAIL = 1, STATUS_USAGE = 2, STATUS_SKIP = 77 };

struct test_case {
    const char *name;
    const char *flags;
    void (*run)(struct scene *scene); /* NULL: the system lacks what the flags name */
};

/* What a case needs is not there to be compiled on a system that has it not. */
#if SUPPORT_HAS_FORK && SUPPORT_HAS_SIGNALS
#define WHERE_POSSIBLE(name) name
#else
#define WHERE_POSSIBLE(name) NULL
#endif

static const struct test_case cases[] = {
#define CASE(name)               {#name, "", name},
#define FLAGGED_CASE(name, flag) {#name, " " flag, WHERE_POSSIBLE(name)},
#include "cases.def"
#undef CASE
#undef FLAGGED_CASE
};

struct options {
    bool list;
    bool list_backends;
    const char *backend;
    const char *only;
};

struct performance {
    const struct test_case *test;
    plx_backend backend;
};

struct totals {
    int run;
    int failed;
    int skipped;
};

/* What a failed case had open stays open, and within reach of a leak checker: a thread of it may
   still be using it. */
static struct scene scene;

static void perform(void *argument)
{
    const struct performance *performance = argument;

    if (!performance->test->run)
        check_skip("the system lacks what the case is about: fork() or POSIX signals");
    scene_open(&scene, performance->backend);
    performance->test->run(&scene);
}

static enum outcome run_one(const struct test_case *test, plx_backend backend)
{
    struct performance performance = {test, backend};
    enum outcome outcome = check_run(perform, &performance);

    if (outcome != FAILED)
        scene_close(&scene);
    return outcome;
}

static void run_and_tell(const struct test_case *test, plx_backend backend, struct totals *totals)
{
    enum outcome outcome = run_one(test, backend);

    totals->run++;
    totals->failed += outcome == FAILED;
    totals->skipped += outcome == SKIPPED;
    printf("%sok %d - %s/%s", outcome == FAILED ? "not " : "", totals->run,
           plx_backend_name(backend), test->name);
    if (outcome == SKIPPED)
        printf(" # SKIP %s", check_skip_reason());
    putchar('\n');
    fflush(stdout);
}

static enum status run_all(const plx_backend *backends, int count)
{
    struct totals totals = {0, 0, 0};

    for (int i = 0; i < count; i++) {
        for (size_t j = 0; j < COUNT_OF(cases); j++)
            run_and_tell(&cases[j], backends[i], &totals);
    }
    printf("1..%d\n", totals.run);
    printf("# %d passed, %d failed, %d skipped\n", totals.run - totals.failed - totals.skipped,
           totals.failed, totals.skipped);
    return totals.failed ? STATUS_FAIL : STATUS_PASS;
}

static enum status run_case(const struct test_case *test, const plx_backend *backends, int count)
{
    enum status status = STATUS_SKIP;

    for (int i = 0; i < count; i++) {
        switch (run_one(test, backends[i])) {
        case PASSED:
            status = status == STATUS_FAIL ? STATUS_FAIL : STATUS_PASS;
            break;
        case FAILED:
            status = STATUS_FAIL;
            break;
        case SKIPPED:
            printf("skip: %s\n", check_skip_reason());
            break;
        }
    }
    return status;
}

static void list_cases(void)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        printf("%s%s\n", cases[i].name, cases[i].flags);
}

static void list_backends(const plx_backend *backends, int count)
{
    for (int i = 0; i < count; i++)
        printf("%s\n", plx_backend_name(backends[i]));
}

static const struct test_case *find_case(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    }
    return NULL;
}

static enum status complain(const char *problem, const char *what)
{
    fprintf(stderr,
            "conformance: %s%s\n"
            "usage: conformance [--list] [--backends] [--backend NAME] [--case NAME]\n",
            problem, what);
    return STATUS_USAGE;
}

static enum status parse(int count, char **arguments, struct options *ret)
{
    for (int i = 1; i < count; i++) {
        const char **value = NULL;

        if (strcmp(arguments[i], "--list") == 0)
            ret->list = true;
        else if (strcmp(arguments[i], "--backends") == 0)
            ret->list_backends = true;
        else if (strcmp(arguments[i], "--backend") == 0)
            value = &ret->backend;
        else if (strcmp(arguments[i], "--case") == 0)
            value = &ret->only;
        else
            return complain("unknown option ", arguments[i]);
        if (value && i + 1 == count)
            return complain("a name is missing after ", arguments[i]);
        if (value)
            *value = arguments[++i];
    }
    return STATUS_PASS;
}

static enum status perform_on(const plx_backend *backends, int count, const char *only)
{
    const struct test_case *test = only ? find_case(only) : NULL;

    if (only && !test)
        return complain("no such case: ", only);
    return only ? run_case(test, backends, count) : run_all(backends, count);
}

int main(int argc, char **argv)
{
    struct options options = {false, false, NULL, NULL};
    plx_backend backends[8];
    int count;

    system_prepare();
    count = plx_backend_list(backends, (int)COUNT_OF(backends));
    if (parse(argc, argv, &options) != STATUS_PASS)
        return STATUS_USAGE;
    if (options.list) {
        list_cases();
        return STATUS_PASS;
    }
    if (options.list_backends) {
        list_backends(backends, count);
        return STATUS_PASS;
    }
    if (!options.backend)
        return (int)perform_on(backends, count, options.only);
    backends[0] = plx_backend_from_name(options.backend);
    if (backends[0] < 0)
        return (int)complain("no such backend: ", options.backend);
    if (!plx_backend_is_available(backends[0])) {
        printf("skip: the backend %s does not work here\n", options.backend);
        return STATUS_SKIP;
    }
    return (int)perform_on(backends, 1, options.only);
}
