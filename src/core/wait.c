/* SPDX-License-Identifier: MIT */
/*
 * wait.c: one wait.
 *
 *   enter -> free what was removed, bring the changes to the kernel -> look (one system call)
 *         -> nothing? sleep on until the deadline -> leave
 *
 * The deadline is kept here, on our own clock. A backend may come back early for a signal handler,
 * for a wake or because it cannot sleep that long; it is simply called again.
 */
#include "src/core/context.h"

#include <assert.h>
#include <errno.h>

#include "src/base/compiler.h"
#include "src/base/duration.h"
#include "src/sources/timer.h"

/*
 * The longest single sleep. Kernels differ in what they take (an int of milliseconds on old Linux,
 * one day on OpenBSD, INT32_MAX seconds on FreeBSD); all take a day.
 */
#define LONGEST_SLEEP PLX_SECONDS(86400)

/* One sleep, which a wake can end. */
PLX__RARE static int kernel_sleep(struct plx_context *context, int capacity, plx_duration timeout)
{
    /* From here on news are written to the kernel. What came before is seen now. */
    if (atomic_fetch_or(&context->state, PLX__SLEEPING) & PLX__NEWS)
        timeout = 0;
    if (timeout > LONGEST_SLEEP)
        timeout = LONGEST_SLEEP;
    int count = context->backend->wait(context->queue, context->records, capacity, timeout);
    atomic_fetch_and(&context->state, ~(uint32_t)PLX__SLEEPING);
    context->now = 0;
    return count;
}

static PLX__INLINE int kernel_look(struct plx_context *context, int capacity, plx_duration timeout)
{
    if (timeout == 0)
        return context->backend->wait(context->queue, context->records, capacity, 0);
    return kernel_sleep(context, capacity, timeout);
}

int plx__kernel_wait(struct plx_context *context, int capacity, plx_duration timeout)
{
    return kernel_look(context, capacity, timeout);
}

/* What does not take the short way through take_records(). */
#define UNUSUAL (PLX__ONCE | PLX__MUTED | PLX__BUFFERS | PLX__GIVEN | PLX__LOST)

/* What no rule of plx__normalise() applies to. */
#define PLAIN_FACTS (PLX_READ | PLX_WRITE | PLX_PRI)

/*
 * The short way is that of a live watcher in no special state, which has data or room and no more:
 * nothing needs normalising then. tests/cost counts its instructions. Returns how many were given.
 */
static PLX__INLINE int take_records(struct plx_context *context, struct plx_watcher **ret_ready,
                                    int count)
{
    struct plx_watcher **next = ret_ready;
    struct plx__slab *const *slabs = context->slots.slabs; /* nothing is added in a wait */
    const struct plx__record *end = context->records + count;
    for (const struct plx__record *record = context->records; record != end; record++) {
        struct plx_watcher *watcher = plx__slots_at(slabs, record->token.number);
        uint32_t facts = record->events;

        if (PLX__LIKELY(watcher->target.slot.generation == record->token.generation &&
                        !(watcher->flags & UNUSUAL) && !(facts & ~PLAIN_FACTS))) {
            watcher->triggered = (uint16_t)(facts & watcher->events);
            *next++ = watcher;
        } else {
            next += plx__ready_take(context, next, record);
        }
    }
    return (int)(next - ret_ready);
}

int64_t plx__now(struct plx_context *context)
{
    if (context->now == 0) {
        context->now = plx__os_now();
    }
    return context->now;
}

static uint32_t state_of(const struct plx_context *context)
{
    return atomic_load_explicit(&context->state, memory_order_acquire);
}

/*
 * The queue has to be made anew and cannot be, for want of a descriptor, say. What is ready is
 * still told; only sleeping is out of the question, because a ghost would end the sleep at once.
 */
PLX__RARE static int look_despite(struct plx_context *context, struct plx_watcher **ret_ready,
                                  int capacity, int code)
{
    int cause = errno;
    int count = plx__ready_collect_in_turn(context, ret_ready, capacity, 0);
    errno = cause;
    return count > 0 ? count : code;
}

/* Once is enough to tell of a task. Until a wait returns nothing for it, it cuts each one short. */
static int end_empty(struct plx_context *context)
{
    plx__take_news(context, PLX__POSTED);
    return 0;
}

/*
 * Something came up during the sleep that the kernel does not know of: a timer is due, or somebody
 * has brought news. The kernel itself had nothing a moment ago. Then sleep on, until the deadline.
 */
PLX__RARE static int look_again(struct plx_context *context, struct plx_watcher **ret_ready,
                                int capacity, plx_duration timeout, int64_t deadline)
{
    plx_duration left = timeout;
    for (;;) {
        /* Nothing but ghosts: with a fresh queue it is worth a look, even if the time is up. */
        bool is_requeued = context->needs_requeue;
        if (is_requeued) {
            int code = plx__requeue(context, false);
            if (code < 0)
                return look_despite(context, ret_ready, capacity, code);
        }
        plx__take_arrivals(context);
        if (deadline != PLX__NEVER)
            left = plx__remaining(deadline, plx__now(context));
        int count = 0;
        if (!is_requeued) {
            count = plx__ready_collect_own(context, ret_ready, capacity);
            if (count == 0 && (left == 0 || state_of(context) & PLX__ENDINGS))
                return end_empty(context);
        }
        if (count == 0)
            count = plx__ready_collect_in_turn(context, ret_ready, capacity, left);
        if (count != 0)
            return count;
    }
}

/* The kernel is all there is, and there is room for one batch at most. 0: it had nothing to tell.
 */
static PLX__INLINE int take_from_kernel(struct plx_context *context, struct plx_watcher **ret_ready,
                                        int capacity, plx_duration timeout)
{
    int found = kernel_look(context, capacity, timeout);
    if (found < 0)
        return found;
    int given = take_records(context, ret_ready, found);
    if (PLX__LIKELY(given > 0 && (given == found || found < capacity)))
        return given;
    /* Something else than a report, a wake or a ghost, took a place in a full batch. */
    if (found == capacity)
        given = plx__ready_collect_rest(context, ret_ready, capacity, given);
    return given;
}

/* 0: there is nothing to do, or to tell, but what the kernel knows, timers aside. */
static inline uint32_t chores(const struct plx_context *context, uint32_t news)
{
    uint32_t state = atomic_load_explicit(&context->state, memory_order_relaxed);
    return context->touched | context->needs_requeue | context->own_count | (state & news);
}

/* With nothing else to do. A look in vain is over: loops that have other work look often. */
static PLX__INLINE int wait_plainly(struct plx_context *context, struct plx_watcher **ret_ready,
                                    int capacity, plx_duration timeout)
{
    int64_t deadline = timeout > 0 ? plx__deadline(plx__os_now(), timeout) : PLX__NEVER;
    int count = take_from_kernel(context, ret_ready, capacity, timeout);
    if (PLX__LIKELY(count != 0))
        return count;
    if (timeout == 0 && chores(context, PLX__NEWS) == 0)
        return 0;
    context->now = 0;
    return look_again(context, ret_ready, capacity, timeout, deadline);
}

/* Timers may be running, as they always are in a server with timeouts: that none is due is enough.
 */
static bool is_kernel_alone(struct plx_context *context, int capacity)
{
    if (plx__ready_has_own(context) || capacity > PLX__BATCH)
        return false;
    return context->timers.count == 0 ||
           !plx__timers_may_be_due(&context->timers, plx__now(context));
}

/* Frees what was removed, brings the changes to the kernel, and asks whoever else has something. */
PLX__APART static int wait_fully(struct plx_context *context, struct plx_watcher **ret_ready,
                                 int capacity, plx_duration timeout)
{
    context->now = 0;
    if (plx__timers_are_staged(context)) /* before anything else is freed */
        plx__timers_settle(context, true);
    int code = PLX_OK;
    if (context->touched != PLX__SLOT_NONE) {
        code = plx__interest_flush(context, true);
        plx__timers_settle_strays(context);
    }
    if (code < 0)
        return code;
    plx__take_arrivals(context);
    if (context->needs_requeue && (code = plx__requeue(context, false)) < 0)
        return look_despite(context, ret_ready, capacity, code);
    int64_t deadline = timeout > 0 ? plx__deadline(plx__now(context), timeout) : PLX__NEVER;
    bool is_alone = is_kernel_alone(context, capacity);
    int count;
    if (is_alone) {
        plx_duration limit = timeout == 0 ? 0 : plx__ready_sleep_limit(context, timeout);
        count = take_from_kernel(context, ret_ready, capacity, limit);
    } else {
        count = plx__ready_collect_in_turn(context, ret_ready, capacity, timeout);
    }
    if (PLX__LIKELY(count != 0) || (timeout == 0 && is_alone && chores(context, PLX__NEWS) == 0))
        return count;
    return look_again(context, ret_ready, capacity, timeout, deadline);
}

static PLX__INLINE int wait_until(struct plx_context *context, struct plx_watcher **ret_ready,
                                  int capacity, plx_duration timeout)
{
    bool is_plain = (chores(context, PLX__ARRIVED) | context->timers.count) == 0;
    assert(!is_plain || !plx__timers_are_staged(context)); /* only what is queued is staged */
    if (PLX__LIKELY(is_plain) && capacity <= PLX__BATCH)
        return wait_plainly(context, ret_ready, capacity, timeout);
    return wait_fully(context, ret_ready, capacity, timeout);
}

/* What this wait has changed itself (a one-shot reported from a buffer) is not to show, nor is a
   ghost. What fails here is tried again by the next wait. */
PLX__RARE static void leave_nested(struct plx_context *context, bool has_failed)
{
    int cause = errno; /* the wait's own, if it has failed */
    plx__interest_flush(context, false);
    if (context->needs_requeue)
        plx__requeue(context, false);
    if (has_failed)
        plx__nest_update(context);
    else /* Before the wake is forgotten: one that comes in between counts for this wait. */
        plx__nest_leave(context);
    errno = cause;
}

/* What stays when a wait ends. A failed one has not told of a wake, which then ends the next. */
#define LASTING (PLX__NESTED | PLX__ARRIVED | PLX__POSTED | PLX__STOPPED)
#define UNTOLD  (PLX__WOKEN | PLX__HALTED)

static inline void leave(struct plx_context *context, int result, uint32_t keep)
{
    bool is_nested = atomic_load_explicit(&context->state, memory_order_relaxed) & PLX__NESTED;
    if (is_nested)
        leave_nested(context, result < 0);
    if (PLX__LIKELY(result >= 0))
        atomic_fetch_and(&context->state, LASTING | keep);
    else
        atomic_fetch_and(&context->state, LASTING | UNTOLD | keep);
    if (is_nested)
        plx__nest_left(context);
}

static inline int enter(struct plx_context *context, plx_duration timeout)
{
    if (!context || timeout < PLX_FOREVER)
        return PLX_ERR_INVALID;
    if (plx__is_forked(context))
        return PLX_ERR_FORKED;
    return atomic_fetch_or(&context->state, PLX__BUSY) & PLX__BUSY ? PLX_ERR_BUSY : PLX_OK;
}

int plx__wait_and_stay(struct plx_context *context, struct plx_watcher **ret_ready, int capacity,
                       plx_duration timeout)
{
    int code = enter(context, timeout);
    if (code < 0)
        return code;
    int result = wait_until(context, ret_ready, capacity, timeout);
    leave(context, result, result < 0 ? 0 : PLX__BUSY);
    return result;
}

int plx_context_wait(plx_context *context, plx_watcher **ret_ready, int capacity,
                     plx_duration timeout)
{
    if (!ret_ready || capacity < 1)
        return PLX_ERR_INVALID;
    int code = enter(context, timeout);
    if (PLX__LIKELY(code >= 0)) {
        code = wait_until(context, ret_ready, capacity, timeout);
        leave(context, code, 0);
    }
    return code;
}
