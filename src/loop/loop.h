/* SPDX-License-Identifier: MIT */
/*
 * loop.h: callbacks and tasks on top of the wait.
 */
#ifndef POLLUX_LOOP_LOOP_H
#define POLLUX_LOOP_LOOP_H

#include "src/core/context.h"

/* Is a task queued, or was one posted? */
bool plx__has_tasks(const struct plx_context *context);

/*
 * Runs the tasks that were posted before this call, and not what these post in turn. Stops early
 * when one of them destroys the context or forks. Returns how many ran.
 */
int plx__run_tasks(struct plx_context *context);

/* Frees all tasks without running them, and tells `dropped` of each, which may be NULL. */
void plx__drop_tasks(struct plx_context *context, void (*dropped)(plx_task *task, void *data));

/* Is it no use to go on with the batch? The context was destroyed, or this is a forked child. */
bool plx__loop_is_over(const struct plx_context *context);

#endif
