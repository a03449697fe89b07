/* SPDX-License-Identifier: MIT */
/*
 * loop.h: callbacks and tasks, for those who would rather be called than ask.
 *
 * A turn is one wait, the callbacks of its batch, and the tasks that were posted by then. Both
 * styles may be mixed in one context: plx_context_wait() reports watchers with a callback like
 * others.
 *
 * In a callback or a task it is legal to add, modify and remove any watcher, the running one
 * included, to stop, post and wake, and to destroy any context. Destroying the own one takes effect
 * when the outermost turn or run returns, and no further callback of it runs. What would wait
 * (wait, turn, run) and plx_context_after_fork() are PLX_ERR_BUSY there.
 *
 * A child that is forked there comes out of the same turn, whose other callbacks and tasks are the
 * parent's: turn returns how many ran, run PLX_ERR_FORKED.
 */
#ifndef POLLUX_LOOP_H
#define POLLUX_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <pollux/context.h>
#include <pollux/handle.h>
#include <pollux/time.h>
#include <pollux/version.h>
#include <pollux/watcher.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `triggered` is plx_watcher_triggered() and never 0; `data` is plx_watcher_data(). */
typedef void plx_callback(plx_watcher *watcher, uint32_t triggered, void *data);

/*
 * plx_context_add() with a callback, which plx_context_turn() and plx_context_run() call when the
 * watcher is reported.
 *
 * Errors: as plx_context_add(); PLX_ERR_INVALID for a NULL callback.
 * Cost: as plx_context_add(), and 8 bytes. Thread: owner. In callbacks: yes.
 */
PLX_API int plx_context_on(plx_context *context, plx_handle handle, uint32_t events,
                           plx_callback *callback, void *data, plx_watcher **ret_watcher);

/*
 * Takes turns until plx_context_stop(), or until no armed watcher is left that is not in the
 * background, and no task. Not armed are fired one-shots, timers that fired and have no period,
 * stopped timers, reported processes, and everything else that is silent until modify.
 * PLX_OK then. That other threads mean to post does not keep it going: a loop that lives on posts
 * keeps a notify watcher, or takes turns itself.
 *
 * Errors: those of plx_context_wait(); PLX_ERR_BUSY in a callback or task of this context. Nothing
 * is lost: it may be called again.
 * Thread: owner. In callbacks: no (PLX_ERR_BUSY).
 */
PLX_API int plx_context_run(plx_context *context);

/*
 * One wait of at most `timeout` nanoseconds (0: a look; PLX_FOREVER: no limit), the callbacks of up
 * to 1 024 watchers, and the tasks that were posted by then, also by these callbacks. Returns how
 * many ran. It is bounded: what stays ready, and what tasks post, is for the next turn. With a task
 * queued it does not sleep. A ready watcher without a callback is muted until modify.
 *
 * Errors: those of plx_context_wait(). PLX_ERR_NOMEM also for want of 8 KiB in the first turn.
 * Cost: that of one wait; it allocates nothing but in the first turn.
 * Thread: owner. In callbacks: no (PLX_ERR_BUSY).
 */
PLX_API int plx_context_turn(plx_context *context, plx_duration timeout);

/*
 * Makes the run in progress return once its batch is done; without one, the next run returns at
 * once. Calls that come together count as one. A plx_context_wait() or plx_context_turn() returns
 * early once for it, unless a run was stopped by it before.
 *
 * Cost: as plx_context_wake(). Thread: any thread, as long as it does not overlap destroy. In
 * callbacks: yes.
 */
PLX_API void plx_context_stop(plx_context *context);

/*
 * Has `task` called on the thread of the loop, in a turn or run, exactly once; it sees what the
 * thread stored before. Tasks posted by one thread run in the order of the calls. A
 * plx_context_wait() returns early once for it and leaves it queued. What is queued when the
 * context is destroyed never runs: see plx_context_options.task_dropped. A forked child does not
 * get the tasks of its parent.
 *
 * Errors: PLX_ERR_INVALID (NULL context or task), PLX_ERR_NOMEM, PLX_ERR_FORKED. On error nothing
 * has changed.
 * Cost: one allocation. No system call while news are pending, or while no thread sleeps in a wait
 * and plx_context_fd() was never called; otherwise one. It takes no lock of its own.
 * Thread: any thread, not in signal handlers, as long as it does not overlap destroy. In callbacks:
 * yes.
 */
PLX_API int plx_context_post(plx_context *context, plx_task *task, void *data);

/*
 * A watcher in the background does not keep plx_context_run() going. Watchers start in the
 * foreground. NULL and removed watchers are left alone.
 *
 * Thread: owner. In callbacks: yes.
 */
PLX_API void plx_watcher_set_background(plx_watcher *watcher, bool is_background);

#ifdef __cplusplus
}
#endif

#endif
