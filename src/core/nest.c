/* SPDX-License-Identifier: MIT */
/*
 * nest.c: one descriptor that shows an outer loop when to call wait.
 *
 * The kernel's own queue shows what is ready in the kernel. Everything else (files, buffered
 * handles, refused descriptors, wakes) is shown by raising a second descriptor beneath the same
 * number, which is lowered when nothing of the kind is left.
 */
#include "src/core/context.h"

static uint32_t state_of(const struct plx_context *context)
{
    return atomic_load_explicit(&context->state, memory_order_acquire);
}

void plx__nest_update(struct plx_context *context)
{
    uint32_t state = state_of(context);
    if (!(state & PLX__NESTED) || state & PLX__WOKEN)
        return; /* a pending wake shows by itself, and the wait that takes it looks after the rest
                 */
    bool wanted = plx__ready_has_own(context);
    if (wanted == context->is_raised)
        return;
    context->backend->raise(context->queue, wanted);
    context->is_raised = wanted;
    /* Lowering may have swallowed a wake that came just now. */
    if (!wanted && state_of(context) & PLX__WOKEN)
        context->backend->wake(context->queue);
}

void plx__nest_leave(struct plx_context *context)
{
    bool is_written = context->is_raised || context->saw_wake || state_of(context) & PLX__WOKEN;
    bool wanted = plx__ready_has_own(context);
    if (wanted != is_written)
        context->backend->raise(context->queue, wanted);
    context->is_raised = wanted;
    context->saw_wake = false;
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
        if (state_of(context) & PLX__WOKEN)
            context->backend->wake(context->queue);
        plx__nest_update(context);
    }
    return fd;
}
