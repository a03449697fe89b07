/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINES     30
#define LINE_SIZE 200

static struct {
    char lines[LINES][LINE_SIZE];
    uint64_t written;
    bool is_echoed;
    char title[LINE_SIZE];
    char verdict[LINE_SIZE];
} journal;

/* Only write(2) from here down to the alarm: a signal handler prints as well. */
static void emit(const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t size = write(STDOUT_FILENO, text, left);
        if (size <= 0)
            return; /* there is nobody to tell */
        text += size;
        left -= (size_t)size;
    }
}

static void emit_page(void)
{
    emit(journal.title);
    for (uint64_t i = journal.written < LINES ? 0 : journal.written - LINES; i < journal.written;
         i++) {
        emit("#   ");
        emit(journal.lines[i % LINES]);
        emit("\n");
    }
}

static void on_alarm(int signal)
{
    (void)signal;
    emit("\n# the last operation does not come to an end\n");
    emit_page();
    emit(journal.verdict);
    _exit(1);
}

void journal_begin(int test, const char *option, const char *name, uint64_t seed, bool is_echoed)
{
    journal.written = 0;
    journal.is_echoed = is_echoed;
    snprintf(journal.title, sizeof journal.title,
             "# to see it again: %s %s --seed %llu; the last operations:\n", option, name,
             (unsigned long long)seed);
    snprintf(journal.verdict, sizeof journal.verdict, "not ok %d - %s, seed %llu\n1..%d\n", test,
             name, (unsigned long long)seed, test);
    signal(SIGALRM, on_alarm);
}

void journal_note(const char *format, ...)
{
    char *line = journal.lines[journal.written % LINES];
    int size = snprintf(line, LINE_SIZE, "%llu ", (unsigned long long)journal.written);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + size, LINE_SIZE - (size_t)size, format, arguments);
    va_end(arguments);
    journal.written++;
    if (journal.is_echoed) {
        emit("\n# ");
        emit(line);
    }
}

void journal_result(const char *format, ...)
{
    char *line = journal.lines[(journal.written - 1) % LINES];
    size_t size = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + size, LINE_SIZE - size, format, arguments);
    va_end(arguments);
    if (journal.is_echoed)
        emit(line + size);
}

void journal_print(const char *format, ...)
{
    char text[2 * LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    emit(text);
}

void journal_fail(const char *format, ...)
{
    char reason[2 * LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    emit("\n# ");
    emit(reason);
    emit("\n");
    emit_page();
    emit(journal.verdict);
    exit(1);
}

void journal_watch(unsigned seconds)
{
    alarm(seconds);
}
