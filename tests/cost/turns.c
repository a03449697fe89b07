/* SPDX-License-Identifier: MIT */
/*
 * turns.c: does one thing again and again, for the script `instructions` to count what that costs:
 * waits, or what subjects.c has. See print_usage().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "desk.h"
#include "subjects.h"

#define LARGEST 1024

/* The ready ones are spread evenly and stay ready. */
static void add_watchers(plx_context *context, int watchers, int ready)
{
    for (int i = 0; i < watchers; i++) {
        int is_ready = (long)i * ready / watchers != (long)(i + 1) * ready / watchers;
        int fd = eventfd((unsigned)is_ready, EFD_CLOEXEC | EFD_NONBLOCK);
        CHECK(fd >= 0);
        CHECK_OK(plx_context_add(context, plx_fd(fd), PLX_READ, NULL, NULL));
    }
}

struct run {
    plx_backend backend;
    int watchers;
    int ready;
    int turns;
};

static void turn(void *argument)
{
    const struct run *run = argument;
    plx_context *context;
    plx_watcher *ready[LARGEST];
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    options.backend = run->backend;
    desk_raise_limit(run->watchers + 64);
    CHECK_OK(plx_context_create(&context, &options));
    add_watchers(context, run->watchers, run->ready);
    for (int i = 0; i < run->turns; i++)
        CHECK_EQUAL(plx_context_wait(context, ready, LARGEST, 0), run->ready);
    plx_context_destroy(context);
}

/* Prints why this build's instructions are not those that are promised, or nothing. */
static int print_odd_build(void)
{
    const char *reason = desk_odd_build();
    if (!reason && strcmp(COST_BUILD_TYPE, "Release") != 0)
        reason = "only a Release build is promised a number of instructions";
    if (reason)
        puts(reason);
    return 0;
}

/* Prints which compiler the instructions are from. */
static int print_compiler(void)
{
#if defined(__clang__)
    printf("clang %d\n", __clang_major__);
#elif defined(__GNUC__)
    printf("gcc %d\n", __GNUC__);
#else
    puts("unknown 0");
#endif
    return 0;
}

struct steps {
    const struct subject *subject;
    int watchers;
    int turns;
};

static void step(void *argument)
{
    const struct steps *steps = argument;
    plx_context *context;
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    options.backend = PLX_BACKEND_EPOLL;
    CHECK_OK(plx_context_create(&context, &options));
    steps->subject->prepare(context, steps->watchers);
    for (int i = 0; i < steps->turns; i++)
        steps->subject->step(context);
    plx_context_destroy(context);
}

static int print_usage(void)
{
    fputs("usage: cost_turns BACKEND WATCHERS READY TURNS\n"
          "       cost_turns --do SUBJECT WATCHERS TURNS\n"
          "       cost_turns --odd-build | --compiler\n",
          stderr);
    return 2;
}

static int status_of(check_body *body, void *argument)
{
    return check_run(body, argument) == PASSED ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--odd-build") == 0)
        return print_odd_build();
    if (argc == 2 && strcmp(argv[1], "--compiler") == 0)
        return print_compiler();
    if (argc != 5)
        return print_usage();
    if (strcmp(argv[1], "--do") == 0) {
        struct steps steps = {subject_find(argv[2]), atoi(argv[3]), atoi(argv[4])};
        return steps.subject ? status_of(step, &steps) : print_usage();
    }
    struct run run = {plx_backend_from_name(argv[1]), atoi(argv[2]), atoi(argv[3]), atoi(argv[4])};
    return status_of(turn, &run);
}
