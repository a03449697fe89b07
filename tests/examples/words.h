/* SPDX-License-Identifier: MIT */
/*
 * words.h: command lines as one line of words: short, and easy to read in a report.
 */
#ifndef POLLUX_TESTS_WORDS_H
#define POLLUX_TESTS_WORDS_H

#include <stdbool.h>

#include "child.h"

struct words {
    char text[1024];
    char *list[ARGUMENTS];
};

void words_split(struct words *words, const char *line);

/* It ends by itself with that status, says why in one place, and nothing on standard output. */
bool program_ends(const char *program, const char *options, int status, const char *reason);

#endif
