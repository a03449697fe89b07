/* SPDX-License-Identifier: MIT */
/*
 * check.h: how a test case says what must hold.
 *
 * A check that fails prints where and why, and leaves the case at once. Checks belong to the
 * thread that runs the case: a helper thread only stores what it saw.
 */
#ifndef SUPPORT_CHECK_H
#define SUPPORT_CHECK_H

#include <stdint.h>

enum outcome { PASSED, FAILED, SKIPPED };

typedef void check_body(void *argument);

/* MinGW has two printf(): it takes the one of the C standard for programs in standard C. */
#if defined(__MINGW32__)
#define CHECK_PRINTF(text, rest) __attribute__((format(gnu_printf, text, rest)))
#elif defined(__GNUC__)
#define CHECK_PRINTF(text, rest) __attribute__((format(printf, text, rest)))
#else
#define CHECK_PRINTF(text, rest)
#endif

/* Runs a body until it returns, fails a check or skips. */
enum outcome check_run(check_body *body, void *argument);

/* Why the last body that was skipped was skipped. */
const char *check_skip_reason(void);

_Noreturn void check_failed(const char *file, int line, const char *format, ...) CHECK_PRINTF(3, 4);
_Noreturn void check_skip(const char *reason);

void check_equal(const char *file, int line, const char *what, long long got, long long want);
void check_code(const char *file, int line, const char *what, int got, int want);
void check_events(const char *file, int line, const char *what, uint32_t got, uint32_t want,
                  uint32_t optional);

#define CHECK(condition)                                                                           \
    ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, "%s", "not so: " #condition))
#define CHECK_EQUAL(got, want)                                                                     \
    check_equal(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
#define CHECK_CODE(got, want)   check_code(__FILE__, __LINE__, #got, (got), (want))
#define CHECK_OK(got)           check_code(__FILE__, __LINE__, #got, (got), 0)
#define CHECK_EVENTS(got, want) check_events(__FILE__, __LINE__, #got, (got), (want), 0)

#endif
