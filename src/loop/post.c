/* SPDX-License-Identifier: MIT */
/*
 * post.c: tasks that any thread hands to the thread of the loop.
 *
 * A stack, onto which any thread pushes with one compare-exchange, and which the loop takes as a
 * whole and turns round: no lock, no ABA problem, and the tasks of one thread stay in order.
 */
#include "src/loop/loop.h"

struct plx__task {
    struct plx__task *next;
    plx_task *run;
    void *data;
};

int plx_context_post(plx_context *context, plx_task *run, void *data)
{
    if (!context || !run)
        return PLX_ERR_INVALID;
    if (plx__is_forked(context))
        return PLX_ERR_FORKED;
    struct plx__task *task = plx__alloc(&context->allocator, sizeof *task);
    if (!task)
        return PLX_ERR_NOMEM;
    task->run = run;
    task->data = data;
    task->next = atomic_load_explicit(&context->posted, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&context->posted, &task->next, task))
        ;
    /* A look is enough, because the push has come before it: who clears the bit, and then looks
       for tasks, finds this one. All four are in the one order of what is seq_cst. */
    if (!(atomic_load(&context->state) & PLX__POSTED))
        plx__rouse(context, PLX__POSTED);
    return PLX_OK;
}

bool plx__has_tasks(const struct plx_context *context)
{
    return context->tasks || atomic_load(&context->posted);
}

/* Puts what was posted behind what is queued already. */
static void take_posted(struct plx_context *context)
{
    /* First the bit: what is pushed from now on sets it again. */
    plx__take_news(context, PLX__POSTED);
    struct plx__task *task = atomic_exchange(&context->posted, NULL);
    struct plx__task *in_order = NULL;
    while (task) {
        struct plx__task *next = task->next;
        task->next = in_order;
        in_order = task;
        task = next;
    }
    struct plx__task **end = &context->tasks;
    while (*end)
        end = &(*end)->next;
    *end = in_order;
}

static struct plx__task take_first(struct plx_context *context)
{
    struct plx__task *task = context->tasks;
    struct plx__task copy = *task;
    context->tasks = task->next;
    plx__alloc_free(&context->allocator, task, sizeof *task);
    return copy;
}

int plx__run_tasks(struct plx_context *context)
{
    int ran = 0;
    if (!plx__has_tasks(context))
        return 0; /* as in nearly every turn: a look costs less than an exchange */
    take_posted(context);
    while (context->tasks && !plx__loop_is_over(context)) {
        struct plx__task task = take_first(context);
        task.run(context, task.data);
        ran++;
    }
    return ran;
}

void plx__drop_tasks(struct plx_context *context, void (*dropped)(plx_task *task, void *data))
{
    take_posted(context);
    while (context->tasks) {
        struct plx__task task = take_first(context);
        if (dropped)
            dropped(task.run, task.data);
    }
}
