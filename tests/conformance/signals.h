/* SPDX-License-Identifier: MIT */
/* signals.h: what the cases about signals have in common. */
#ifndef CONFORMANCE_SIGNALS_H
#define CONFORMANCE_SIGNALS_H

#include "cases.h"

#if SUPPORT_HAS_SIGNALS

#include <signal.h>
#include <stdbool.h>

plx_watcher *watch_signal(plx_context *context, int signo, uint32_t modes);

void raise_often(int signo, int times);

/* The thread sanitizer delays signals from elsewhere, and all in a child that was forked amid
   threads, and keeps one of each. */
void skip_where_signals_are_merged(void);

/* The next wait reports this watcher alone, and so many deliveries. */
#define EXPECT_DELIVERIES(scene, watcher, times)                                                   \
    (EXPECT_REPORT(scene, watcher, PLX_SIGNAL), CHECK_EQUAL(plx_watcher_count(watcher), (times)))

/* In the calling thread. */
void block(int signo);
void unblock(int signo);
sigset_t thread_mask(void);
bool is_same_set(const sigset_t *a, const sigset_t *b);

/* Sets a plain handler, and `notes` to 0. */
void dispose(int signo, void (*handler)(int));

/* How often note(), or the handler of elaborate(), was called. */
extern volatile sig_atomic_t notes;
void note(int signo);

/* A disposition with everything to it. */
struct sigaction elaborate(void);

struct sigaction disposition(int signo);
bool is_same_action(const struct sigaction *a, const struct sigaction *b);

#endif
#endif
