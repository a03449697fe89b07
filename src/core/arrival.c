/* SPDX-License-Identifier: MIT */
/*
 * arrival.c: what other threads and signal handlers bring in.
 *
 * Everything here but plx__take_arrivals() and its neighbours may run at any time, on any thread,
 * in the middle of anything else: there is no lock and no allocation, and one compare-exchange
 * decides each question.
 *
 *   raise    UP is set; who sets LINKED as well pushes the watcher onto the arrivals and rouses
 *   take     the owner takes the whole stack, clears LINKED, and puts those that are UP into a ring
 *   lower    UP is cleared; a watcher that is LINKED stays so, until the owner comes by
 *
 * A push never meets the ABA problem, because nobody takes less than the whole stack.
 */
#include "src/core/context.h"

/*
 * Whoever adds the first of the news writes to the kernel, if somebody sleeps there or an outer
 * loop is to see it. The others need not: a thread that goes to sleep looks at the news after it
 * has said so, and does not sleep.
 */
void plx__rouse(struct plx_context *context, uint32_t news)
{
    uint32_t state = atomic_fetch_or(&context->state, news);
    if (!(state & PLX__NEWS) && state & (PLX__SLEEPING | PLX__NESTED))
        context->backend->wake(context->queue);
}

/* Who brought them has written to the nested descriptor, or is about to: it is looked after when
   that is updated next. */
bool plx__take_news(struct plx_context *context, uint32_t news)
{
    if (!(atomic_load_explicit(&context->state, memory_order_relaxed) & news))
        return false;
    if (atomic_fetch_and(&context->state, ~news) & PLX__NESTED)
        context->is_raised = true;
    return true;
}

static void push(struct plx_context *context, struct plx__raised *raised)
{
    struct plx__raised *first = atomic_load_explicit(&context->arrivals, memory_order_relaxed);
    do {
        raised->next = first;
    } while (!atomic_compare_exchange_weak(&context->arrivals, &first, raised));
}

/*
 * One that is up is written as well. A look at it would be cheaper, and could be done before what
 * the caller stored for the owner has reached memory (x86 allows it, as others do): the owner
 * clears in between, finds nothing new, and is not told again. Of two writes to one place the later
 * sees what went before the other (test: threads, "no notify that crosses a clear is lost").
 */
int plx__raise(struct plx_context *context, struct plx__raised *raised)
{
    uint32_t state = atomic_load_explicit(&raised->state, memory_order_relaxed);
    uint32_t raise;
    do {
        if (!(state & PLX__ALIVE))
            return PLX_ERR_INACTIVE;
        raise = state & PLX__UP ? 0 : PLX__UP | PLX__LINKED;
    } while (!atomic_compare_exchange_weak(&raised->state, &state, state | raise));
    if (!(state & (PLX__UP | PLX__LINKED))) {
        push(context, raised);
        plx__rouse(context, PLX__ARRIVED);
    }
    return PLX_OK; /* else it is pending, or about to be by somebody else's hand */
}

void plx__lower(struct plx_context *context, struct plx__raised *raised)
{
    atomic_fetch_and(&raised->state, ~(uint32_t)PLX__UP);
    plx__ready_leave(context, &raised->ringed.watcher);
}

void plx__raised_arm(struct plx_context *context, struct plx__raised *raised)
{
    struct plx_watcher *watcher = &raised->ringed.watcher;
    uint32_t state = atomic_load(&raised->state);
    if (watcher->flags & PLX__MUTED || state != (PLX__ALIVE | PLX__UP))
        plx__ready_leave(context, watcher);
    else if (!plx__ring_is_member(&raised->ringed.ring))
        plx__ready_join(context, &context->raised, watcher);
}

/* The latest arrival is the first of the stack: turned round, they come in order. */
static struct plx__raised *in_order(struct plx__raised *first)
{
    struct plx__raised *turned = NULL;
    while (first) {
        struct plx__raised *next = first->next;
        first->next = turned;
        turned = first;
        first = next;
    }
    return turned;
}

void plx__take_arrivals(struct plx_context *context)
{
    /* First the bit: what is pushed from now on sets it again. */
    if (!plx__take_news(context, PLX__ARRIVED))
        return;
    struct plx__raised *raised = in_order(atomic_exchange(&context->arrivals, NULL));
    while (raised) {
        struct plx__raised *next = raised->next; /* no longer ours once LINKED is gone */
        atomic_fetch_and(&raised->state, ~(uint32_t)PLX__LINKED);
        plx__raised_arm(context, raised);
        raised = next;
    }
}

void plx__raised_open(struct plx_context *context, struct plx__raised *raised)
{
    plx__ring_append(&context->raisable, &raised->among);
    atomic_store(&raised->state, PLX__ALIVE);
}

void plx__raised_close(struct plx_context *context, struct plx__raised *raised)
{
    uint32_t state = atomic_fetch_and(&raised->state, PLX__LINKED);
    plx__ring_leave(&raised->among);
    plx__ready_leave(context, &raised->ringed.watcher);
    if (state & PLX__LINKED)
        plx__take_arrivals(context); /* its memory is given back soon */
}

void plx__raised_after_fork(struct plx_context *context)
{
    atomic_fetch_or(&context->state, PLX__ARRIVED);
    plx__take_arrivals(context);
    struct plx__ring *node = context->raisable.next;
    for (; node != &context->raisable; node = node->next) {
        struct plx__raised *raised = plx__raised_among(node);
        /* Still linked: the thread that was about to push it stayed in the parent. */
        atomic_fetch_and(&raised->state, ~(uint32_t)PLX__LINKED);
        plx__raised_arm(context, raised);
    }
}
