/* SPDX-License-Identifier: MIT */
/*
 * timers_example.c: the example of timers fires once, counts what it missed, and ends when nothing
 * was said for a second.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "stories.h"
#include "tap.h"
#include "words.h"

enum { OFTEN = 12, LINE_SIZE = 2 }; /* how often we speak, and how much */

/* What the program printed. */
struct seen {
    int once;
    int ticks;
    long most_periods; /* in one report */
    long heard;        /* bytes */
    bool is_over;      /* it has said so itself */
};

static int64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void note(struct seen *seen, const char *line)
{
    const char *digits = strpbrk(line, "0123456789");
    long number = digits == NULL ? 1 : strtol(digits, NULL, 10);

    if (strncmp(line, "tick", 4) == 0) {
        seen->ticks++;
        if (number > seen->most_periods)
            seen->most_periods = number;
    }
    if (strncmp(line, "heard", 5) == 0)
        seen->heard += number;
    seen->once += strcmp(line, "once") == 0;
    seen->is_over = strcmp(line, "quiet") == 0;
}

static bool start(struct child *child, const char *timers, int *mouth)
{
    char program[512];
    char *arguments[] = {program, NULL};
    int ends[2];
    bool started;

    snprintf(program, sizeof(program), "%s", timers);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    started = child_start_fed(child, arguments, ends[0]);
    close(ends[0]);
    *mouth = ends[1];
    return started;
}

static bool counts_what_it_missed(const char *timers)
{
    struct child child;
    struct seen seen = {0};
    char line[128];
    int mouth;

    CHECK(start(&child, timers, &mouth));
    close(mouth);
    while (!seen.is_over) {
        CHECK(child_read_line(&child, line, sizeof(line)));
        note(&seen, line);
    }
    CHECK(child_end(&child, 0).status == 0);
    CHECK_SAY(seen.once == 1, "%d times", seen.once);
    CHECK_SAY(seen.ticks >= 1, "%d ticks", seen.ticks);
    CHECK_SAY(seen.most_periods >= 3, "%ld periods", seen.most_periods);
    return true;
}

/* Says something after each tick, until it was said so often. Who is gone already hears nothing. */
static bool talk(struct child *child, int mouth, struct seen *seen, int64_t said_at[OFTEN])
{
    char line[128];
    int said = 0;

    while (!seen->is_over) {
        int ticks = seen->ticks;

        CHECK(child_read_line(child, line, sizeof(line)));
        note(seen, line);
        if (seen->ticks > ticks && said < OFTEN) {
            said_at[said] = now_ns();
            said += write(mouth, ".\n", LINE_SIZE) == LINE_SIZE;
        }
    }
    return true;
}

/*
 * It may be slow, but never early. Said with the ticks, the lines reach so far into the second that
 * a deadline which does not move comes too early for the last of them.
 */
static bool each_line_moves_the_end(const char *timers)
{
    struct child child;
    struct seen seen = {0};
    int64_t said_at[OFTEN];
    int64_t silent;
    int mouth;

    CHECK(start(&child, timers, &mouth));
    CHECK(talk(&child, mouth, &seen, said_at));
    CHECK(seen.heard >= LINE_SIZE && seen.heard <= OFTEN * LINE_SIZE);
    silent = now_ns() - said_at[seen.heard / LINE_SIZE - 1];
    CHECK(child_end(&child, 0).status == 0);
    close(mouth);
    CHECK_SAY(silent >= 1000000000, "silent for %lld ns only", (long long)silent);
    return true;
}

void tell_timers(const char *timers)
{
    tap_result(counts_what_it_missed(timers), "timers/counts_what_it_missed");
    tap_result(each_line_moves_the_end(timers), "timers/each_line_moves_the_end");
    tap_result(program_ends(timers, "nonsense", 2, "usage: "), "timers/wants_no_arguments");
}
