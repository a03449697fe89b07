/* SPDX-License-Identifier: MIT */
/*
 * timer.c: the clock as a watcher. src/base/timer_queue.h knows who is next.
 *
 * plx_watcher_again() is made to be called for every message, so it reads no clock: the next wait,
 * which reads it anyway, counts from then. Until then nobody can see that the timer did not move.
 * A removed timer leaves the queue then, too.
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

static_assert(sizeof(struct timer) >= PLX__TAG_SPACE, "each has a tag of its own");

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

static void nothing_is_staged(struct plx_context *context)
{
    context->staged_end = context->shown_end = context->staged;
    context->has_unseen = false;
}

void plx__timers_begin(struct plx_context *context)
{
    const struct plx__timer_layout layout = {
        .deadline = offsetof(struct timer, deadline),
        .place = offsetof(struct timer, watcher.target.place),
    };
    plx__timers_open(&context->timers, &context->allocator, &context->slots, layout);
    nothing_is_staged(context);
}

static void halt(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__timers_remove(&context->timers, watcher);
}

/* At once. What was staged before may have been for this one, and would undo it. */
static void begin(struct plx_context *context, struct plx_watcher *watcher, plx_duration after)
{
    plx__timers_settle_now(context);
    if (after == PLX_FOREVER)
        plx__watcher_mute(context, watcher);
    else
        plx__timers_set(&context->timers, watcher, plx__deadline(plx__now(context), after));
}

/* There is room in the queue for every timer that exists, so that `again` cannot fail. Those that
   were removed leave theirs. */
PLX__RARE static int make_room(struct plx_context *context)
{
    plx__timers_settle_now(context);
    return plx__timers_reserve(&context->timers, context->timer_watchers + 1);
}

/*
 * Processors finish what was begun before they read the clock, so that nothing may be far away: the
 * caller's pointer is fetched as soon as it is known.
 *
 * The durations are not to be loaded together: the caller has just stored them with two stores, and
 * a load of what both have written waits until they have reached the cache.
 */
int plx__timer_add(struct plx_context *context, uint32_t events, void *data,
                   plx_watcher **ret_watcher, const plx_handle *handle, plx_callback *callback)
{
    PLX__PREFETCH(ret_watcher);
    plx_duration after = handle->as.timer.after;
    PLX__HIDE(handle);
    plx_duration every = handle->as.timer.every;
    if (handle->reserved != 0 || (events & ~PLX_ONESHOT) != PLX_TIMER || after < PLX_FOREVER ||
        every < PLX_FOREVER)
        return PLX_ERR_INVALID;
    if (context->timer_watchers >= context->timers.room) {
        int code = make_room(context);
        if (code < 0)
            return code;
    }
    const unsigned class = plx__kind_class(PLX__KIND_TIMER, callback != NULL);
    uint32_t number;
    struct timer *timer = plx__slots_take_numbered(&context->slots, class, &number);
    if (!timer)
        return PLX_ERR_NOMEM;

    if (ret_watcher)
        *ret_watcher = &timer->watcher;
    timer->watcher.target.fd = 0;
    timer->watcher.target.place = 0;
    timer->watcher.data = data;
    timer->watcher.events = (uint16_t)events;
    timer->watcher.triggered = 0;
    timer->watcher.kernel = 0;
    timer->watcher.flags = PLX__ACTIVE;
    timer->after = after;
    timer->every = every;
    if (callback)
        *plx__callback_place(&timer->watcher, sizeof *timer) = callback;
    context->timer_watchers++;
    context->active_count++;
    context->armed_count++;
    if (PLX__LIKELY(after != PLX_FOREVER)) {
        plx__tag_give(&context->slots.tagged, context->slots.tag_number, timer);
        plx__timers_add(&context->timers, timer, number, plx__deadline(plx__os_now(), after));
    } else {
        plx__watcher_mute(context, &timer->watcher);
    }
    plx__nest_update(context);
    return PLX_OK;
}

static int change(struct plx_context *context, struct plx_watcher *watcher)
{
    watcher->triggered = 0;
    begin(context, watcher, to_timer(watcher)->after);
    plx__timer_tag(context, watcher);
    return PLX_OK;
}

static void stop(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__timer_untag(context, watcher);
    context->timer_watchers--;
    halt(context, watcher);
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
    .natural = PLX_TIMER,
    .change = change,
    .mute = halt,
    .stop = stop,
    .handle = handle_of,
    .count = count_of,
};

static inline void end(struct plx_context *context, struct plx_watcher *watcher, bool is_in_wait)
{
    watcher->flags &= (uint16_t)~PLX__ACTIVE; /* see plx__timers_show() */
    context->timer_watchers--;
    halt(context, watcher);
    if (is_in_wait)
        plx__slots_put(&context->slots, &watcher->target.slot);
    else
        plx__touch(context, watcher);
}

static inline bool is_removal(uint64_t word)
{
    return word & PLX__STAGED_REMOVAL;
}

static inline struct plx_watcher *staged_watcher(uint64_t word)
{
    return (struct plx_watcher *)(uintptr_t)(word & ~(uint64_t)PLX__STAGED_REMOVAL);
}

/* One that was removed after it was moved stands there twice: it moves, and leaves. The clock is
   read when somebody needs it. */
void plx__timers_settle(struct plx_context *context, bool is_in_wait)
{
    const uint64_t *word = context->staged, *end_word = context->staged_end;
    int64_t now = 0;
    while (word != end_word) {
        struct plx_watcher *watcher = staged_watcher(*word);
        if (is_removal(*word)) {
            end(context, watcher, is_in_wait);
            word++;
            continue;
        }
        plx_duration after = (plx_duration)word[1];
        word += 2;
        if (after == PLX_FOREVER) {
            halt(context, watcher);
            continue;
        }
        now = now == 0 ? plx__now(context) : now;
        plx__timers_set_at(&context->timers, watcher, watcher->target.place,
                           &to_timer(watcher)->deadline, plx__deadline(now, after));
    }
    nothing_is_staged(context);
}

PLX__APART void plx__timers_show(struct plx_context *context)
{
    const uint64_t *word = context->shown_end;
    while (word != context->staged_end) {
        if (is_removal(*word))
            staged_watcher(*word)->flags &= (uint16_t)~PLX__ACTIVE;
        word += is_removal(*word) ? 1 : 2;
    }
    context->shown_end = context->staged_end;
    context->has_unseen = false;
}

PLX__APART void plx__timers_settle_now(struct plx_context *context)
{
    context->now = 0;
    plx__timers_settle(context, false);
}

/*
 * It does not run, is to run no longer, or an outer loop has to know of it now. A timer that is not
 * queued is, until its time is known, one that never comes: so the next wait has to look.
 */
PLX__APART static int again_unusually(struct plx_context *context, struct plx_watcher *watcher,
                                      plx_duration after)
{
    if (after < PLX_FOREVER)
        return PLX_ERR_INVALID;
    uint32_t muted = after == PLX_FOREVER ? PLX__MUTED : 0;
    watcher->triggered = 0;
    plx__watcher_mark(context, watcher, muted, PLX__MUTED & ~muted);
    plx__timer_tag(context, watcher);
    if (plx__is_nested(context)) {
        begin(context, watcher, after);
        plx__nest_update(context);
        return PLX_OK;
    }
    if (watcher->target.place == 0 && !muted)
        plx__timers_set(&context->timers, watcher, PLX__NEVER);
    if (watcher->target.place != 0)
        plx__timer_stage_move(context, watcher, after);
    return PLX_OK;
}

PLX__APART static int again(struct plx_watcher *watcher, plx_duration after)
{
    struct plx_context *context;
    int code = plx__watcher_check(watcher, &context);
    if (code < 0)
        return code;
    if (plx__watcher_kind(watcher) != PLX__KIND_TIMER)
        return PLX_ERR_INVALID;
    if (after < 0 || watcher->flags & PLX__MUTED || watcher->triggered || plx__is_nested(context))
        return again_unusually(context, watcher, after);
    plx__timer_stage_move(context, watcher, after);
    return PLX_OK;
}

/* Called for every message of a server. tests/cost counts the instructions. */
int plx_watcher_again(plx_watcher *watcher, plx_duration after)
{
    struct plx_context *context;
    if (!PLX__LIKELY(plx__timer_is_unseen(watcher, &context) && after >= 0))
        return again(watcher, after);
    PLX__PREFETCH(&watcher->target.place);
    PLX__PREFETCH(&to_timer(watcher)->deadline);
    plx__timer_stage_move(context, watcher, after);
    return PLX_OK;
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
    plx__timer_untag(context, watcher); /* the caller says what it triggered */
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
