/* SPDX-License-Identifier: MIT */
/* check.c: leaving a case, and telling why in the words of the API. */
#include "check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <pollux.h>

static jmp_buf leave_case;
static const char *skip_reason = "";

enum outcome check_run(check_body *body, void *argument)
{
    switch (setjmp(leave_case)) {
    case 0:
        body(argument);
        return PASSED;
    case 1:
        return FAILED;
    default:
        return SKIPPED;
    }
}

const char *check_skip_reason(void)
{
    return skip_reason;
}

_Noreturn void check_failed(const char *file, int line, const char *format, ...)
{
    const char *slash = strrchr(file, '/');
    va_list arguments;

    printf("# %s:%d: ", slash ? slash + 1 : file, line);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
    longjmp(leave_case, 1);
}

_Noreturn void check_skip(const char *reason)
{
    skip_reason = reason;
    longjmp(leave_case, 2);
}

void check_equal(const char *file, int line, const char *what, long long got, long long want)
{
    if (got != want)
        check_failed(file, line, "%s is %lld, not %lld", what, got, want);
}

void check_code(const char *file, int line, const char *what, int got, int want)
{
    if (got != want)
        check_failed(file, line, "%s gives %d %s, not %d %s", what, got, plx_error_name(got), want,
                     plx_error_name(want));
}

static const char *event_names(uint32_t events, char *text, size_t size)
{
    static const char *const names[] = {"READ", "WRITE", "ERROR", "HUP",    "RDHUP",  "ONESHOT",
                                        "EDGE", "PRI",   "TIMER", "NOTIFY", "SIGNAL", "PROCESS"};
    size_t used = (size_t)snprintf(text, size, "0x%x", (unsigned)events);

    for (unsigned bit = 0; bit < sizeof names / sizeof names[0]; bit++) {
        if (events & (UINT32_C(1) << bit))
            used += (size_t)snprintf(text + used, size - used, " %s", names[bit]);
    }
    return text;
}

void check_events(const char *file, int line, const char *what, uint32_t got, uint32_t want,
                  uint32_t optional)
{
    char got_text[128], want_text[128], optional_text[128];

    if ((got & ~optional) == (want & ~optional))
        return;
    check_failed(file, line, "%s is [%s], not [%s] (optional: [%s])", what,
                 event_names(got, got_text, sizeof got_text),
                 event_names(want, want_text, sizeof want_text),
                 event_names(optional, optional_text, sizeof optional_text));
}
