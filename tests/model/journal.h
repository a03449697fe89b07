/* SPDX-License-Identifier: MIT */
/*
 * journal.h: what was done, for the day it goes wrong, and the voice of the program.
 *
 * Everything is written unbuffered: what was done last stands there even if the next call crashes
 * or never returns.
 */
#ifndef MODEL_JOURNAL_H
#define MODEL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#define JOURNAL_PRINTF __attribute__((format(printf, 1, 2)))

/* Starts test number `test`, on a clean page. `option`: "--backend" or what else plays it, with
   that name, again. `is_echoed`: each operation is printed as it comes. */
void journal_begin(int test, const char *option, const char *name, uint64_t seed, bool is_echoed);

/* The next operation, and then, on the same line, how it went. */
void journal_note(const char *format, ...) JOURNAL_PRINTF;
void journal_result(const char *format, ...) JOURNAL_PRINTF;

void journal_print(const char *format, ...) JOURNAL_PRINTF;

/* The test has failed: says why, how to see it again, what came before, and ends the program. */
_Noreturn void journal_fail(const char *format, ...) JOURNAL_PRINTF;

/* Fails the test unless it is called again within that time. */
void journal_watch(unsigned seconds);

#endif
