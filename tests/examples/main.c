/* SPDX-License-Identifier: MIT */
/*
 * examples_test ECHO_SERVER WAIT: runs the two programs and tells what they do. Prints TAP.
 */
#include <signal.h>
#include <stdio.h>

#include "stories.h"
#include "tap.h"

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s ECHO_SERVER WAIT\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    tell_serving(argv[1]);
    tell_command_line(argv[1]);
    tell_wait(argv[2]);
    return tap_end();
}
