/* SPDX-License-Identifier: MIT */
/*
 * timers: the three uses of a timer. Reads lines and ends when none came for a second.
 *
 *     (echo one; sleep 0.7; echo two) | timers
 *
 *   once    fires 250 ms after the start, and then dawdles as no callback should
 *   tick    fires every 100 ms; what it missed meanwhile is one report, with a count
 *   quiet   an idle timeout: each line moves it, and when it fires at last the program ends
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pollux.h>

#define ONCE_AFTER PLX_MS(250)
#define TICK_EVERY PLX_MS(100)
#define QUIET_FOR  PLX_SECONDS(1)

_Noreturn static void fail(const char *subject, const char *reason)
{
    fprintf(stderr, "timers: %s: %s\n", subject, reason);
    exit(1);
}

/* What can fail for want of memory alone, or because a program is wrong. */
static void must(int code, const char *subject)
{
    if (code < 0)
        fail(subject, plx_error_text(code));
}

/* Fired, a timer without a period is silent until plx_watcher_again(). This one has done its work.
 */
static void on_once(plx_watcher *once, uint32_t triggered, void *data)
{
    const struct timespec nap = {.tv_nsec = 350000000};

    (void)triggered;
    (void)data;
    puts("once");
    nanosleep(&nap, NULL); /* to show what a callback that blocks does to the others */
    must(plx_watcher_remove(once), "once");
}

/* The grid stays that of the first deadline: however late one report is, the next is on time. */
static void on_tick(plx_watcher *tick, uint32_t triggered, void *data)
{
    uint64_t periods = plx_watcher_count(tick);

    (void)triggered;
    (void)data;
    if (periods == 1)
        puts("tick");
    else
        printf("tick, for %" PRIu64 " periods\n", periods);
}

static void on_quiet(plx_watcher *quiet, uint32_t triggered, void *data)
{
    (void)triggered;
    (void)data;
    puts("quiet");
    plx_context_stop(plx_watcher_context(quiet));
}

/*
 * Moving a deadline is the call that a server makes for every message: it costs some nanoseconds,
 * and the kernel does not hear of it.
 */
static void on_input(plx_watcher *input, uint32_t triggered, void *data)
{
    plx_watcher *quiet = data;
    char text[256];
    ssize_t size = read(STDIN_FILENO, text, sizeof(text));

    (void)triggered;
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return; /* somebody else was faster: it will be reported again */
    if (size < 0)
        fail("standard input", strerror(errno));
    if (size == 0) {
        puts("end of input");
        must(plx_watcher_remove(input), "standard input");
        return;
    }
    printf("heard %zd bytes\n", size);
    must(plx_watcher_again(quiet, QUIET_FOR), "quiet");
}

static void watch_all(plx_context *context)
{
    plx_watcher *quiet = NULL;

    must(plx_context_on(context, plx_timer(ONCE_AFTER, 0), PLX_TIMER, on_once, NULL, NULL), "once");
    must(plx_context_on(context, plx_timer(TICK_EVERY, TICK_EVERY), PLX_TIMER, on_tick, NULL, NULL),
         "tick");
    must(plx_context_on(context, plx_timer(QUIET_FOR, 0), PLX_TIMER, on_quiet, NULL, &quiet),
         "quiet");
    must(plx_context_on(context, plx_fd(STDIN_FILENO), PLX_READ, on_input, quiet, NULL),
         "standard input");
}

int main(int argc, char **argv)
{
    plx_context *context = NULL;

    if (argc > 1) {
        fprintf(stderr, "usage: %s <LINES\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line when it is true, also into a pipe */
    must(plx_context_create(&context, NULL), "context");
    watch_all(context);
    must(plx_context_run(context), "run");
    plx_context_destroy(context);
    return 0;
}
