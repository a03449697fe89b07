/* SPDX-License-Identifier: MIT */
/*
 * tap.h: what a test says, as lines of the Test Anything Protocol on standard output.
 */
#ifndef POLLUX_TESTS_TAP_H
#define POLLUX_TESTS_TAP_H

#include <stdbool.h>

/* One line each, flushed at once: a test that hangs shows where. */
void tap_result(bool passed, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tap_skip(const char *reason, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The plan, and the exit status of the program: 0 if nothing failed. */
int tap_end(void);

/* Inside a story, a function that returns bool: what does not hold is named and ends it. */
#define CHECK(condition) CHECK_SAY(condition, "%s", "it does not hold")

/* The same, with the numbers that explain it. */
#define CHECK_SAY(condition, ...)                                                                  \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            tap_note("%s:%d: %s", __FILE__, __LINE__, #condition);                                 \
            tap_note(__VA_ARGS__);                                                                 \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

#endif
