/* SPDX-License-Identifier: MIT */
/*
 * words.c: see words.h.
 */
#include "words.h"

#include <stdio.h>
#include <string.h>

#include "tap.h"

void words_split(struct words *words, const char *line)
{
    char *position = NULL;
    int count = 0;

    memset(words, 0, sizeof(*words));
    snprintf(words->text, sizeof(words->text), "%s", line);
    for (char *word = strtok_r(words->text, " ", &position); word && count < ARGUMENTS - 1;
         word = strtok_r(NULL, " ", &position))
        words->list[count++] = word;
}

bool program_ends(const char *program, const char *options, int status, const char *reason)
{
    char line[1024];
    struct words words;
    struct child child;
    struct ending ending;

    snprintf(line, sizeof(line), "%s %s", program, options);
    words_split(&words, line);
    CHECK(child_start(&child, words.list, 0));
    ending = child_end(&child, 0);
    CHECK_SAY(ending.status == status, "status %d, \"%s\"", ending.status, ending.err);
    CHECK_SAY(strstr(ending.err, reason) != NULL, "it said \"%s\"", ending.err);
    CHECK_SAY(ending.out[0] == '\0', "it printed \"%s\"", ending.out);
    return true;
}
