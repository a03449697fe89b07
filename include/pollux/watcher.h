/* SPDX-License-Identifier: MIT */
/*
 * watcher.h: one registration.
 *
 * A watcher is made by plx_context_add() or plx_context_on() and owned by its context. It is valid
 * until the wait that follows its removal (turn and run contain waits), or until destroy: an entry
 * of the batch in hand that was removed meanwhile can still be asked. Every function here, save
 * plx_watcher_notify(), belongs to the thread that owns the context, and all may be called in
 * callbacks. They behave the same on every backend. NULL is PLX_ERR_INVALID where a code is
 * returned and otherwise an empty answer.
 */
#ifndef POLLUX_WATCHER_H
#define POLLUX_WATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include <pollux/context.h>
#include <pollux/error.h>
#include <pollux/event.h>
#include <pollux/handle.h>
#include <pollux/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Replaces the whole set of events, modes included. It re-arms: after a fired one-shot, after
 * mute and under PLX_EDGE, what is ready now is reported again. The rules for `events` are those
 * of plx_context_add().
 *
 * The kernel hears of it in the next wait, and not at all if the change was undone by then. If it
 * then refuses because the descriptor was closed, the watcher reports PLX_ERROR once and is silent
 * until the next modify.
 *
 * Errors: PLX_ERR_INACTIVE, PLX_ERR_INVALID, PLX_ERR_NOSUPPORT (no EDGE or no PRI on this
 * backend), PLX_ERR_NOMEM (only after plx_context_fd(), when changes go to the kernel at once),
 * PLX_ERR_FORKED. On error nothing has changed.
 * Cost: no system call for the same level-triggered set while armed; otherwise at most one, however
 * many modifies come before the wait.
 */
PLX_API int plx_watcher_modify(plx_watcher *watcher, uint32_t events);

/*
 * Ends the registration. From now on the watcher is never reported, not even from the batch in
 * hand, and the descriptor may be closed and added again. It succeeds also if the descriptor was
 * closed before.
 *
 * Ownership: the watcher may be asked until the next wait; what `data` points to is no longer used.
 * The cleanup of a custom handle runs in that wait.
 * Errors: PLX_ERR_INACTIVE (it was removed before), PLX_ERR_FORKED, PLX_ERR_INVALID.
 * Cost: at most one system call; two for a process, a few for a signal.
 */
PLX_API int plx_watcher_remove(plx_watcher *watcher);

/* True until removed. A fired one-shot is active. */
PLX_API bool plx_watcher_is_active(const plx_watcher *watcher);

/* What it watches, modes included, as last given to add or modify. */
PLX_API uint32_t plx_watcher_events(const plx_watcher *watcher);

/*
 * What its last report said, masked with what it watches now (ERROR and HUP always pass): 0 before
 * the first report and once removed. Waits that do not report the watcher leave it as it is.
 */
PLX_API uint32_t plx_watcher_triggered(const plx_watcher *watcher);

/* The caller's pointer. Setting it costs no system call. Both work on a removed watcher too. */
PLX_API void *plx_watcher_data(const plx_watcher *watcher);
PLX_API void plx_watcher_set_data(plx_watcher *watcher, void *data);

/* The handle it was made with. For NULL a handle of kind 0, which add refuses. */
PLX_API plx_handle plx_watcher_handle(const plx_watcher *watcher);

/* The context it belongs to. */
PLX_API plx_context *plx_watcher_context(const plx_watcher *watcher);

/*
 * Moves the deadline of a timer to `after` nanoseconds from now, running or not: made to be called
 * for every message of a connection with an idle timeout. It never fires before `after` has passed
 * since this call, and counts from the next wait, which reads the clock anyway. PLX_FOREVER stops
 * the timer. A periodic one goes on from the new deadline; one that was muted, as a fired
 * PLX_ONESHOT is, is armed again. A report of it in the batch in hand is taken back, also by
 * plx_watcher_modify(): plx_watcher_triggered() is then 0.
 *
 * Errors: PLX_ERR_INACTIVE, PLX_ERR_INVALID (no timer; another negative duration),
 * PLX_ERR_FORKED. On error nothing has changed.
 * Cost: no system call; after plx_context_fd() one if this is the earliest deadline now.
 */
PLX_API int plx_watcher_again(plx_watcher *watcher, plx_duration after);

/*
 * What the last report stands for: periods of a timer, deliveries of a signal. 0 before the first
 * report and for other kinds. A timer without a period counts 1. Counts of a timer end at 2^48 - 1.
 */
PLX_API uint64_t plx_watcher_count(const plx_watcher *watcher);

/*
 * How a watched process ended: a status for WIFEXITED() and its kin, on Windows what it gave to
 * exit(); found out when PLX_PROCESS was reported, and kept also after the process was collected.
 *
 * Errors: PLX_ERR_AGAIN (not reported yet), PLX_ERR_NOTFOUND (not our child, or it was collected
 * before the report), PLX_ERR_INVALID (no process, NULL), PLX_ERR_FORKED.
 */
PLX_API int plx_watcher_exit_status(const plx_watcher *watcher, int *ret_status);

/*
 * Raises a notify watcher: its context reports it in every wait until plx_watcher_clear(). Raising
 * it again meanwhile changes nothing. What the thread stored before, whatever the memory order, is
 * seen by the owner after the report or after the clear that follows the call: a notify that
 * crosses a clear is never lost. errno is preserved.
 *
 * Errors: PLX_ERR_INACTIVE (it was removed, and its memory is not another watcher's yet: using it
 * any later is undefined), PLX_ERR_INVALID (no notify), PLX_ERR_FORKED.
 * Cost: no system call if it is raised already, or if news of any kind are pending, or while no
 * thread sleeps in a wait and plx_context_fd() was never called; otherwise one. It takes no lock.
 * Thread: any thread or signal handler, as long as it does not overlap the removal of the watcher
 * or the destruction of the context.
 */
PLX_API int plx_watcher_notify(plx_watcher *watcher);

/*
 * Ends what plx_watcher_notify() began. A call that comes after it raises the watcher again, so
 * clear first, and then look at what was brought. A report that is in the batch in hand stays
 * there.
 *
 * Errors: PLX_ERR_INACTIVE, PLX_ERR_INVALID (no notify), PLX_ERR_FORKED.
 * Cost: no system call; after plx_context_fd() at most one.
 */
PLX_API int plx_watcher_clear(plx_watcher *watcher);

#ifdef __cplusplus
}
#endif

#endif
