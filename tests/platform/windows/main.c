/* SPDX-License-Identifier: MIT */
/* main.c: the tests of what is on Windows alone, one after another in one process, in TAP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "rig.h"

static const struct {
    const char *name;
    void (*run)(struct rig *rig);
} tests[] = {
#define TEST(name) {#name, name},
#include "tests.def"
#undef TEST
};

static struct rig rig;
static struct scene scene;

static void perform(void *argument)
{
    const size_t *number = argument;

    scene_open(&scene, PLX_BACKEND_WSAPOLL);
    rig_open(&rig, &scene);
    tests[*number].run(&rig);
    rig_close(&rig);
    scene_close(&scene);
}

/* What a failed test had open stays open; the real calls come back all the same. */
static bool passes(size_t test, int number)
{
    enum outcome outcome = check_run(perform, &test);

    if (outcome != PASSED)
        kernel_close();
    printf("%sok %d - %s", outcome == FAILED ? "not " : "", number, tests[test].name);
    if (outcome == SKIPPED)
        printf(" # SKIP %s", check_skip_reason());
    putchar('\n');
    fflush(stdout);
    return outcome != FAILED;
}

/* windows_test [NAME]: all tests, or one. With --exit NUMBER it is a child of one. */
int main(int argc, char **argv)
{
    int failed = 0, run = 0;

    if (argc == 3 && strcmp(argv[1], CHILD_OPTION) == 0)
        return atoi(argv[2]);
    system_prepare();
    for (size_t i = 0; i < COUNT_OF(tests); i++) {
        if (argc < 2 || strcmp(argv[1], tests[i].name) == 0) {
            run++;
            failed += !passes(i, run);
        }
    }
    printf("1..%d\n", run);
    return failed > 0 || run == 0;
}
