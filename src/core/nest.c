/* SPDX-License-Identifier: MIT */
/*
 * nest.c: one descriptor that shows an outer loop when to call wait.
 *
 * The kernel's own queue shows what is ready in the kernel. Everything else (files, buffered
 * handles, refused descriptors, what was raised, tasks, wakes) is shown by raising a second
 * descriptor beneath the same number, which is lowered when nothing of the kind is left; and the
 * earliest timer by an alarm, which is set when that becomes earlier and when a wait ends.
 */
#include "src/core/context.h"

#include "src/base/duration.h"
#include "src/sources/timer.h"

static uint32_t state_of(const struct plx_context *context)
{
    return atomic_load_explicit(&context->state, memory_order_acquire);
}

/* Would a wait, or a turn, return at once for a reason that the kernel does not know? */
static bool is_ready(const struct plx_context *context)
{
    return plx__ready_has_own(context) || context->tasks || atomic_load(&context->posted);
}

static void set_alarm(struct plx_context *context, bool is_exact)
{
    int64_t earliest = plx__timers_earliest(&context->timers);
    if (is_exact ? earliest != context->alarm : earliest < context->alarm) {
        context->backend->alarm(context->queue, earliest);
        context->alarm = earliest;
    }
}

void plx__nest_show(struct plx_context *context)
{
    plx__take_arrivals(context); /* what was raised may have been cleared or removed since */
    set_alarm(context, false);
    if (state_of(context) & PLX__NEWS)
        return; /* news show by themselves, and the wait that takes them looks after the rest */
    bool wanted = is_ready(context);
    if (wanted == context->is_raised)
        return;
    context->backend->raise(context->queue, wanted);
    context->is_raised = wanted;
    /* Lowering may have swallowed news that came just now. */
    if (!wanted && state_of(context) & PLX__NEWS)
        context->backend->wake(context->queue);
}

void plx__nest_leave(struct plx_context *context)
{
    bool is_written = context->is_raised || context->saw_wake || state_of(context) & PLX__NEWS;
    bool wanted = is_ready(context);
    if (wanted != is_written)
        context->backend->raise(context->queue, wanted);
    context->is_raised = wanted;
    context->saw_wake = false;
    set_alarm(context, true);
}

/*
 * What came while the wait ended is for the next one. It may have been swallowed, or it met a wake
 * and so was not written, and that wake is forgotten now.
 */
void plx__nest_left(struct plx_context *context)
{
    if (!context->is_raised && state_of(context) & (PLX__ARRIVED | PLX__POSTED))
        context->backend->wake(context->queue);
}

int plx_context_fd(plx_context *context)
{
    if (!context)
        return PLX_ERR_INVALID;
    if (plx__is_forked(context))
        return PLX_ERR_FORKED;
    if (!context->backend->nest)
        return PLX_ERR_NOSUPPORT;

    /* What was staged until now would not show. */
    plx__timers_settle_now(context);
    int code = plx__interest_flush(context, false);
    if (code < 0)
        return code;
    int fd = context->backend->nest(context->queue);
    if (fd < 0)
        return fd;
    if (!(state_of(context) & PLX__NESTED)) {
        /* Earlier wakes were never read: there was no need. From now on they show. */
        context->backend->raise(context->queue, false);
        context->saw_wake = false;
        atomic_fetch_or(&context->state, PLX__NESTED);
        if (state_of(context) & PLX__NEWS)
            context->backend->wake(context->queue);
        plx__nest_update(context);
    }
    return fd;
}
