/* SPDX-License-Identifier: MIT */
/*
 * timer.c: the clock as a watcher. src/base/timer_queue.h knows who is next.
 *
 * plx_watcher_again() is made to be called for every message, so it does not read the clock. It
 * counts from `base`, a time that has passed already, and the next wait, which reads the clock
 * anyway, moves the deadline on by what has passed since. Until then the deadline is too early, and
 * nobody sees it.
 */
#include "src/sources/timer.h"

#include "src/base/compiler.h"
#include "src/base/duration.h"
#include "src/sources/sources.h"

/* 56 bytes: with its entry in the queue a timer has to stay below 72. */
struct timer {
    struct plx_watcher watcher; /* target.place: of the queue; target.fd and kernel: the count */
    int64_t deadline;
    plx_duration after;
    plx_duration every;
};

static struct timer *to_timer(struct plx_watcher *watcher)
{
    return (struct timer *)watcher;
}

plx_handle plx_timer(plx_duration after, plx_duration every)
{
    plx_handle handle;
    const struct {
        uint32_t kind;
        uint32_t reserved;
    } head = {PLX_HANDLE_TIMER, 0};
    int64_t word;
    memcpy(&word, &head, sizeof word);
    plx__store_pair(&handle, word, after);
    handle.as.timer.every = every;
    return handle;
}

void plx__timers_begin(struct plx_context *context)
{
    const struct plx__timer_layout layout = {
        .deadline = offsetof(struct timer, deadline),
        .place = offsetof(struct timer, watcher.target.place),
    };
    plx__timers_open(&context->timers, &context->allocator, &context->slots, layout);
}

static void halt(struct plx_context *context, struct plx_watcher *watcher)
{
    watcher->flags &= (uint16_t)~PLX__RELATIVE;
    plx__timers_remove(&context->timers, watcher);
}

static inline int64_t deadline_from_now(struct plx_context *context, plx_duration after)
{
    int64_t now = plx__os_now();
    if (context->moved_count == 0)
        context->base = now;
    return plx__deadline(now, after);
}

static void begin(struct plx_context *context, struct plx_watcher *watcher, plx_duration after)
{
    watcher->flags &= (uint16_t)~PLX__RELATIVE;
    if (after == PLX_FOREVER)
        plx__watcher_mute(context, watcher);
    else
        plx__timers_set(&context->timers, watcher, deadline_from_now(context, after));
}

/*
 * There is room in the queue for every timer that exists, so that `again` cannot fail. The
 * durations are not to be loaded together: the caller has just stored them with two stores, and a
 * load of what both have written waits until they have reached the cache.
 */
static int start(struct plx_context *context, struct plx_watcher **watcher,
                 const plx_handle *handle)
{
    plx_duration after = handle->as.timer.after;
    PLX__HIDE(handle);
    plx_duration every = handle->as.timer.every;
    if (after < PLX_FOREVER || every < PLX_FOREVER)
        return PLX_ERR_INVALID;
    int code = plx__timers_reserve(&context->timers, context->timer_watchers + 1);
    if (code < 0)
        return code;
    context->timer_watchers++;
    struct timer *timer = to_timer(*watcher);
    timer->after = after;
    timer->every = every;
    if (after == PLX_FOREVER)
        plx__watcher_mute(context, &timer->watcher);
    else
        plx__timers_add(&context->timers, timer, deadline_from_now(context, after));
    return PLX_OK;
}

static int change(struct plx_context *context, struct plx_watcher *watcher)
{
    watcher->triggered = 0;
    begin(context, watcher, to_timer(watcher)->after);
    return PLX_OK;
}

/* Most are far, and take the short way. */
static void stop(struct plx_context *context, struct plx_watcher *watcher)
{
    uint32_t place = watcher->target.place;
    context->timer_watchers--;
    if (!(place & PLX__TIMER_FAR)) {
        halt(context, watcher);
        return;
    }
    watcher->flags &= (uint16_t)~PLX__RELATIVE;
    watcher->target.place = 0;
    plx__timer_leave_far(&context->timers, place & ~PLX__TIMER_FAR);
    context->timers.count--;
}

static plx_handle handle_of(const struct plx_watcher *watcher)
{
    const struct timer *timer = (const struct timer *)watcher;
    return plx_timer(timer->after, timer->every);
}

/* 48 bits, in two fields that a timer has no other use for. */
static void set_count(struct plx_watcher *watcher, uint64_t count)
{
    if (count >> 48)
        count = (UINT64_C(1) << 48) - 1;
    watcher->target.fd = (plx_socket)(uint32_t)count;
    watcher->kernel = (uint16_t)(count >> 32);
}

static uint64_t count_of(const struct plx_watcher *watcher)
{
    return (uint64_t)watcher->kernel << 32 | (uint32_t)watcher->target.fd;
}

const struct plx__kind_ops plx__kind_timer = {
    .size = sizeof(struct timer),
    .sets_rest = true,
    .natural = PLX_TIMER,
    .start = start,
    .change = change,
    .mute = halt,
    .stop = stop,
    .handle = handle_of,
    .count = count_of,
};

PLX__APART static int settle_now(struct plx_context *context)
{
    plx__timers_settle(context, plx__os_now());
    return PLX_OK;
}

/* Whether it is marked already is as good as random for the processor: so there is no branch. */
static inline int mark_relative(struct plx_context *context, struct plx_watcher *watcher)
{
    uint32_t count = context->moved_count;
    context->moved[count] = watcher;
    count += !(watcher->flags & PLX__RELATIVE);
    watcher->flags |= PLX__RELATIVE;
    context->moved_count = count;
    return count == PLX__MOVED ? settle_now(context) : PLX_OK;
}

/* It does not run, is to run no longer, comes forward in the heap, or an outer loop has to know of
   it now. */
PLX__APART static int again_unusually(struct plx_context *context, struct plx_watcher *watcher,
                                      plx_duration after)
{
    if (after < PLX_FOREVER)
        return PLX_ERR_INVALID;
    watcher->triggered = 0;
    if (watcher->flags & PLX__MUTED)
        plx__watcher_mark(context, watcher, 0, PLX__MUTED);
    if (after == PLX_FOREVER || plx__is_nested(context)) {
        begin(context, watcher, after);
        plx__nest_update(context);
        return PLX_OK;
    }
    plx__timers_set(&context->timers, watcher, plx__deadline(context->base, after));
    return mark_relative(context, watcher);
}

/* Called for every message of a server: for a timer that runs and is pushed back nothing is called
   from here. tests/cost counts the instructions. */
int plx_watcher_again(plx_watcher *watcher, plx_duration after)
{
    struct plx_context *context;
    int code = plx__watcher_check(watcher, &context);
    if (code < 0)
        return code;
    if (plx__watcher_kind(watcher) != PLX__KIND_TIMER)
        return PLX_ERR_INVALID;
    struct timer *timer = to_timer(watcher);
    if (after < 0 || plx__is_nested(context))
        return again_unusually(context, watcher, after);
    uint32_t place = watcher->target.place; /* 0: it does not run */
    int64_t deadline = plx__deadline(context->base, after);
    if (place & PLX__TIMER_FAR && deadline >= context->timers.floor)
        plx__timer_set_far(&context->timers, place, &timer->deadline, deadline);
    else if (place != 0 && deadline >= timer->deadline)
        timer->deadline = deadline;
    else
        return again_unusually(context, watcher, after);
    watcher->triggered = 0; /* it may be further on in the batch in hand, and is not due any more */
    return mark_relative(context, watcher);
}

/* One that was modified, stopped or removed meanwhile is no longer marked; its slot is not another
   watcher's before the next wait has been here. */
void plx__timers_settle(struct plx_context *context, int64_t now)
{
    plx_duration passed = now - context->base;
    for (uint32_t i = 0; i < context->moved_count; i++) {
        struct timer *timer = to_timer(context->moved[i]);
        if (!(timer->watcher.flags & PLX__RELATIVE))
            continue;
        timer->watcher.flags &= (uint16_t)~PLX__RELATIVE;
        timer->deadline = plx__deadline(timer->deadline, passed); /* later: no more is needed */
    }
    context->moved_count = 0;
    context->base = now;
}

/* Puts a periodic timer on the next point of its grid, and counts those that have passed. */
static void go_on(struct plx_context *context, struct timer *timer)
{
    uint64_t late = (uint64_t)plx__now(context) - (uint64_t)timer->deadline;
    uint64_t every = (uint64_t)timer->every;
    set_count(&timer->watcher, late / every + 1);
    int64_t next = plx__deadline(plx__now(context), (plx_duration)(every - late % every));
    plx__timers_set(&context->timers, &timer->watcher, next);
}

struct plx_watcher *plx__timer_take(struct plx_context *context)
{
    struct plx_watcher *watcher = plx__timers_take(&context->timers, plx__now(context));
    if (!watcher)
        return NULL;
    set_count(watcher, 1);
    if (to_timer(watcher)->every <= 0) {
        plx__watcher_mark(context, watcher, PLX__MUTED, 0); /* it is in no queue any more */
        return watcher;
    }
    go_on(context, to_timer(watcher));
    if (watcher->events & PLX_ONESHOT)
        plx__watcher_mute(context, watcher);
    return watcher;
}
