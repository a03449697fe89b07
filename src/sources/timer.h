/* SPDX-License-Identifier: MIT */
/*
 * timer.h: what the core asks of timers.
 */
#ifndef POLLUX_SOURCES_TIMER_H
#define POLLUX_SOURCES_TIMER_H

#include "src/base/tags.h"
#include "src/core/context.h"

/* Makes a context ready for timers, without any memory yet. */
void plx__timers_begin(struct plx_context *context);

/*
 * plx__watcher_add() for timers, of a context that was looked at. They are started by the million,
 * so they have a way of their own, without what only other kinds need. What comes first is where
 * plx_context_add() has it.
 */
int plx__timer_add(struct plx_context *context, uint32_t events, void *data,
                   plx_watcher **ret_watcher, const plx_handle *handle, plx_callback *callback);

/* The next timer that is due, with its report made, or NULL. */
struct plx_watcher *plx__timer_take(struct plx_context *context);

/*
 * What is done to a queued timer between two waits is staged, if the context is not nested: the
 * calls that are made for every message, or for every connection, then read neither the clock nor
 * anything of the queue. With a hundred thousand timers each of these is far away, and what the
 * next call does would wait for it (docs/adr/0007).
 *
 * In the order of the calls, where a wait has its records, there stand
 *
 * - two words for one that was moved: its watcher, and how long after the next look at the clock it
 *   is due. PLX_FOREVER: it was stopped, is PLX__MUTED already, and still in the queue.
 * - one word for one that was removed: its watcher, plus 1. Nobody may have looked at it: then it
 *   is still PLX__ACTIVE, until plx__timers_show().
 */
#define PLX__STAGED_REMOVAL 1u

static inline bool plx__timers_are_staged(const struct plx_context *context)
{
    return context->staged_end != context->staged;
}

/* Does what was staged. What was removed is freed as well, but only in a wait. */
void plx__timers_settle(struct plx_context *context, bool is_in_wait);

/* The same between two waits. */
void plx__timers_settle_now(struct plx_context *context);

/* A custom handle's function, which may call nothing here, has removed a timer from inside a wait:
   that is to do no harm, where records are about to be written. */
static inline void plx__timers_settle_strays(struct plx_context *context)
{
    if (plx__timers_are_staged(context))
        plx__timers_settle(context, false);
}

/* There is always room for one change more. */
static inline void plx__timer_staged(struct plx_context *context, uint64_t *end)
{
    context->staged_end = end;
    if (end > &context->staged[PLX__STAGED - 2])
        plx__timers_settle_now(context);
}

static inline void plx__timer_stage_move(struct plx_context *context, struct plx_watcher *watcher,
                                         plx_duration after)
{
    uint64_t *word = context->staged_end;
    word[0] = (uintptr_t)watcher;
    word[1] = (uint64_t)after;
    plx__timer_staged(context, word + 2);
}

static inline void plx__timer_stage_removal(struct plx_context *context,
                                            struct plx_watcher *watcher)
{
    uint64_t *word = context->staged_end;
    word[0] = (uintptr_t)watcher | PLX__STAGED_REMOVAL;
    plx__timer_staged(context, word + 1);
}

/*
 * A timer is tagged only while there is nothing of it that a call would have to look at: it runs,
 * its flags are PLX__ACTIVE and no others, and nothing is triggered.
 */
static inline void plx__timer_tag(struct plx_context *context, const struct plx_watcher *watcher)
{
    plx__tag_set(context->slots.tag_number, watcher,
                 watcher->flags == PLX__ACTIVE && watcher->triggered == 0);
}

static inline void plx__timer_untag(struct plx_context *context, const struct plx_watcher *watcher)
{
    plx__tag_set(context->slots.tag_number, watcher, false);
}

/*
 * Need a timer not be looked at, and are its context's changes staged? The next wait looks at it:
 * by then it has come.
 */
static inline bool plx__timer_is_unseen(const struct plx_watcher *watcher,
                                        struct plx_context **ret_context)
{
    void *owner;
    if (!plx__tag_find(watcher, &owner))
        return false;
    assert(watcher->flags == PLX__ACTIVE && watcher->triggered == 0);
    *ret_context = plx__guess_owner(owner);
    return !plx__is_forked(*ret_context) && !plx__is_nested(*ret_context);
}

/* plx_watcher_remove() of such a timer. False: it is none. */
static inline bool plx__timer_remove_unseen(struct plx_watcher *watcher)
{
    struct plx_context *context;
    if (!plx__timer_is_unseen(watcher, &context))
        return false;
    PLX__PREFETCH(watcher);
    PLX__PREFETCH(&watcher->flags);
    plx__tag_clear(watcher);
    context->active_count--;
    context->armed_count--;
    context->has_unseen = true;
    plx__timer_stage_removal(context, watcher);
    return true;
}

#endif
