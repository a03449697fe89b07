/* SPDX-License-Identifier: MIT */
/*
 * timer.h: what the core asks of timers.
 */
#ifndef POLLUX_SOURCES_TIMER_H
#define POLLUX_SOURCES_TIMER_H

#include "src/core/context.h"

/* Makes a context ready for timers, without any memory yet. */
void plx__timers_begin(struct plx_context *context);

/* The next timer that is due, with its report made, or NULL. */
struct plx_watcher *plx__timer_take(struct plx_context *context);

/* What plx_watcher_again() has moved counts from `now` on. */
void plx__timers_settle(struct plx_context *context, int64_t now);

#endif
