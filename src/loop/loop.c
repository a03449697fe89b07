/* SPDX-License-Identifier: MIT */
/*
 * loop.c: waits, and calls back.
 *
 *   turn   one wait -> the callbacks of its batch -> the tasks that were posted by then
 *   run    turns until it is stopped or nothing can happen any more
 *
 * The context stays PLX__BUSY from the wait to the end of the turn, so that a callback cannot begin
 * another one.
 */
#include "src/loop/loop.h"

struct plx__loop {
    uint64_t thread; /* whose callbacks are running; 0: nobody's */
    bool is_doomed;  /* to be destroyed when the outermost turn or run returns */
    struct plx_watcher *ready[PLX__TURN];
};

static struct plx__loop *loop_of(struct plx_context *context)
{
    if (!context->loop)
        context->loop = plx__alloc_zeroed(&context->allocator, sizeof *context->loop);
    return context->loop;
}

bool plx__loop_is_inside(const struct plx_context *context)
{
    return context->loop && context->loop->thread == plx__os_thread();
}

void plx__loop_doom(struct plx_context *context)
{
    context->loop->is_doomed = true;
}

bool plx__loop_is_over(const struct plx_context *context)
{
    return context->loop->is_doomed || plx__is_forked(context);
}

/* In a forked child the tasks are the parent's, who knows of them. */
void plx__loop_close(struct plx_context *context)
{
    plx__drop_tasks(context, plx__is_forked(context) ? NULL : context->task_dropped);
    if (context->loop)
        plx__alloc_free(&context->allocator, context->loop, sizeof *context->loop);
}

void plx__loop_after_fork(struct plx_context *context)
{
    plx__drop_tasks(context, NULL);
    if (context->loop)
        context->loop->thread = 0;
}

int plx_context_on(plx_context *context, plx_handle handle, uint32_t events, plx_callback *callback,
                   void *data, plx_watcher **ret_watcher)
{
    if (!callback)
        return PLX_ERR_INVALID;
    return plx__watcher_add(context, &handle, events, callback, data, ret_watcher);
}

/* Calls back for one batch. What nobody listens to would come again with every turn: it is muted.
 */
static int call_back(struct plx_context *context, int count)
{
    int ran = 0;
    for (int i = 0; i < count && !plx__loop_is_over(context); i++) {
        struct plx_watcher *watcher = context->loop->ready[i];
        uint32_t triggered = plx_watcher_triggered(watcher);
        plx_callback *callback = plx__watcher_callback(watcher);
        if (triggered && callback) {
            callback(watcher, triggered, watcher->data);
            ran++;
        } else if (triggered) {
            plx__watcher_mute(context, watcher);
        }
    }
    return ran;
}

/* Returns how many ran. The context still exists, even if it is doomed. */
static int turn(struct plx_context *context, plx_duration timeout)
{
    if (timeout != 0 && timeout >= PLX_FOREVER && plx__has_tasks(context))
        timeout = 0;
    struct plx__loop *loop = context->loop;
    int count = plx__wait_and_stay(context, loop->ready, PLX__TURN, timeout);
    if (count < 0)
        return count;
    loop->thread = plx__os_thread();
    int ran = call_back(context, count);
    ran += plx__run_tasks(context);
    loop->thread = 0;
    if (!plx__is_forked(context))
        plx__nest_update(context);
    atomic_fetch_and(&context->state, ~(uint32_t)PLX__BUSY);
    return ran;
}

/* Before anything that needs the loop: its memory, and whether it may run here. */
static int enter(struct plx_context *context)
{
    if (!context)
        return PLX_ERR_INVALID;
    if (plx__is_forked(context))
        return PLX_ERR_FORKED;
    if (plx__loop_is_inside(context) || atomic_load(&context->state) & PLX__BUSY)
        return PLX_ERR_BUSY;
    return loop_of(context) ? PLX_OK : PLX_ERR_NOMEM;
}

static int leave(struct plx_context *context, int result)
{
    if (context->loop->is_doomed)
        plx_context_destroy(context);
    return result;
}

int plx_context_turn(plx_context *context, plx_duration timeout)
{
    if (timeout < PLX_FOREVER)
        return PLX_ERR_INVALID;
    int code = enter(context);
    return code < 0 ? code : leave(context, turn(context, timeout));
}

/* Takes the stop that is asked for, if it is, and not a wake: that one is for the next wait. */
static bool is_stopped(struct plx_context *context)
{
    return plx__take_news(context, PLX__STOPPED | PLX__HALTED);
}

/* What a run returns. A child that was forked in its last callback comes out here as well. */
static int end_run(struct plx_context *context, int code)
{
    if (plx__is_forked(context))
        return PLX_ERR_FORKED;
    plx__nest_update(context); /* a stop that was taken is not to show */
    return code < 0 ? code : PLX_OK;
}

int plx_context_run(plx_context *context)
{
    int code = enter(context);
    if (code < 0)
        return code;
    while (code >= 0 && !context->loop->is_doomed && !is_stopped(context)) {
        if (context->armed_count == 0 && !plx__has_tasks(context))
            break;
        code = turn(context, context->armed_count > 0 ? PLX_FOREVER : 0);
    }
    return leave(context, end_run(context, code));
}

void plx_context_stop(plx_context *context)
{
    if (context && !plx__is_forked(context))
        plx__rouse(context, PLX__STOPPED | PLX__HALTED);
}
