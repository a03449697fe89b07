/* SPDX-License-Identifier: MIT */
/*
 * examples_test FOLDER [EXAMPLE]: runs the examples in that folder, or one of them, and tells what
 * they do. Prints TAP.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "stories.h"
#include "tap.h"

static const struct {
    const char *name;
    void (*tell)(const char *program);
} examples[] = {
    {"wait", tell_wait},
    {"timers", tell_timers},
    {"chat_server", tell_chat},
    {"echo_threads", tell_threads},
    {"echo_server", tell_command_line},
    {"echo_server", tell_serving},
};

/* `only`: the name of one example, NULL for all. Returns how many there were to tell of. */
static int tell(const char *folder, const char *only)
{
    int told = 0;

    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        char program[512];

        if (only != NULL && strcmp(only, examples[i].name) != 0)
            continue;
        snprintf(program, sizeof(program), "%s/%s", folder, examples[i].name);
        examples[i].tell(program);
        told++;
    }
    return told;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2 || argc > 3 || tell(argv[1], argv[2]) == 0) {
        fprintf(stderr, "usage: %s FOLDER [EXAMPLE]\n", argv[0]);
        return 2;
    }
    return tap_end();
}
