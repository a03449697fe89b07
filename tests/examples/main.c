/* SPDX-License-Identifier: MIT */
/*
 * examples_test FOLDER: runs the examples in that folder and tells what they do. Prints TAP.
 */
#include <signal.h>
#include <stdio.h>

#include "stories.h"
#include "tap.h"

static const struct {
    const char *name;
    void (*tell)(const char *program);
} examples[] = {
    {"wait", tell_wait},           {"timers", tell_timers},
    {"chat_server", tell_chat},    {"echo_server", tell_command_line},
    {"echo_server", tell_serving},
};

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        char program[512];

        snprintf(program, sizeof(program), "%s/%s", argv[1], examples[i].name);
        examples[i].tell(program);
    }
    return tap_end();
}
