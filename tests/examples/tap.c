/* SPDX-License-Identifier: MIT */
/*
 * tap.c: see tap.h.
 */
#include "tap.h"

#include <stdarg.h>
#include <stdio.h>

static int results;
static int failures;

static void __attribute__((format(printf, 1, 0))) print_name(const char *format, va_list arguments)
{
    printf(" %d - ", results);
    vprintf(format, arguments);
}

void tap_result(bool passed, const char *format, ...)
{
    va_list arguments;

    results++;
    failures += !passed;
    fputs(passed ? "ok" : "not ok", stdout);
    va_start(arguments, format);
    print_name(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

void tap_skip(const char *reason, const char *format, ...)
{
    va_list arguments;

    results++;
    fputs("ok", stdout);
    va_start(arguments, format);
    print_name(format, arguments);
    va_end(arguments);
    printf(" # SKIP %s\n", reason);
    fflush(stdout);
}

void tap_note(const char *format, ...)
{
    va_list arguments;

    fputs("# ", stdout);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

int tap_end(void)
{
    printf("1..%d\n", results);
    return failures == 0 ? 0 : 1;
}
