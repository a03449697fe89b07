/* SPDX-License-Identifier: MIT */
/*
 * ready.c: who is reported, in which order, and how often, when there is a choice.
 *
 * Nearly every wait has the kernel as its only source and room for all of its records; wait.c
 * handles that by itself. When files or buffered handles are ready too, or the caller has room for
 * more than one batch, the room is shared out here, and nobody comes twice.
 */
#include "src/core/context.h"

#include "src/base/duration.h"
#include "src/core/normalise.h"
#include "src/sources/process.h"
#include "src/sources/timer.h"

/* What is being made: watchers in the caller's array. */
struct batch {
    struct plx_watcher **ready;
    int capacity;
    int count;
    uint16_t marks;  /* flags that a reported watcher gets while the batch is made */
    bool is_exposed; /* ghosts were known before, and the wait could not get rid of them */
};

#define MARKS ((uint16_t)(PLX__GIVEN | PLX__SEEN))

static void give(struct batch *batch, struct plx_watcher *watcher, uint32_t events)
{
    watcher->triggered = (uint16_t)events;
    batch->ready[batch->count++] = watcher;
}

void plx__ready_join(struct plx_context *context, struct plx__ring *home,
                     struct plx_watcher *watcher)
{
    struct plx__ring *ring = plx__watcher_ring(watcher);
    context->own_count += !plx__ring_is_member(ring);
    plx__ring_append(home, ring);
}

void plx__ready_leave(struct plx_context *context, struct plx_watcher *watcher)
{
    struct plx__ring *ring = plx__watcher_ring(watcher);
    context->own_count -= plx__ring_is_member(ring);
    plx__ring_leave(ring);
}

/* --- The kernel --- */

/* The kernel has let go of the watcher (clause B11): this was its last report until modify. */
static void take_last(struct plx_context *context, struct plx_watcher *watcher, uint32_t events)
{
    plx__interest_note(watcher, PLX__SILENT);
    if (events)
        plx__watcher_mark(context, watcher, PLX__MUTED, 0);
    else
        plx__touch(context, watcher); /* nothing to tell, so it is armed again in the next wait */
}

/* A member of the ring said yes when it was asked in this wait, or was reported in it already. */
static uint32_t buffered_events(const struct plx_watcher *watcher)
{
    if (!(watcher->flags & PLX__BUFFERS))
        return 0;
    const struct plx__ringed *ringed = (const struct plx__ringed *)watcher;
    return plx__ring_is_member(&ringed->ring) && !(watcher->flags & PLX__GIVEN) ? PLX_READ : 0;
}

/* What the facts mean to this watcher. */
static uint32_t events_of(struct plx_watcher *watcher, uint32_t facts)
{
    if (watcher->events & PLX_PROCESS && !(facts & PLX__GONE))
        return plx__process_finish(watcher);
    return plx__normalise(facts, watcher->events) | buffered_events(watcher);
}

/* A record of a watcher that was not removed. */
static void take_live(struct plx_context *context, struct batch *batch, struct plx_watcher *watcher,
                      uint32_t facts)
{
    if (watcher->flags & PLX__LOST) {
        context->needs_requeue = true; /* a duplicate of the descriptor that it lost */
        return;
    }
    uint32_t events = events_of(watcher, facts);
    if (watcher->flags & PLX__ONCE || facts & PLX__GONE)
        take_last(context, watcher, events);
    else if ((watcher->flags & (PLX__MUTED | PLX__GIVEN)) == PLX__MUTED)
        return; /* the kernel cannot be silent about hang-ups */

    if (watcher->flags & PLX__GIVEN)
        watcher->triggered |= (uint16_t)events;
    else if (events)
        give(batch, watcher, events);
    else
        return;
    watcher->flags |= batch->marks;
    if (watcher->flags & PLX__BUFFERS) {
        plx__ready_leave(context, watcher); /* if it stays it goes to the end of the line */
        plx__ready_arm(context, watcher);
    }
}

/* True if the record tells something that this wait did not know yet. */
static bool take(struct plx_context *context, struct batch *batch, const struct plx__record *record)
{
    struct plx_watcher *watcher = plx__watcher_at(context, record->token.number);
    if (watcher->target.slot.generation == record->token.generation) {
        bool is_news = !(watcher->flags & PLX__SEEN);
        take_live(context, batch, watcher, record->events);
        return is_news;
    }
    if (record->token.generation == 0)
        context->saw_wake = true;
    else
        context->needs_requeue = true; /* a ghost: its watcher was removed */
    return true;
}

int plx__ready_take(struct plx_context *context, struct plx_watcher **ret_ready,
                    const struct plx__record *record)
{
    struct batch batch = {.ready = ret_ready, .capacity = 1};
    take(context, &batch, record);
    return batch.count;
}

/* So many calls in a row may bring nothing but wakes and ghosts. */
#define IDLE_CALLS 64

/* While there is nothing but a ghost, a fresh queue comes first: it would be met again and again.
 */
static bool wants_more(const struct plx_context *context, const struct batch *batch)
{
    if (batch->count == 0 && context->needs_requeue && !batch->is_exposed)
        return false;
    return batch->count < batch->capacity;
}

/*
 * Fills the batch from the kernel with as many calls as it takes. Backends report in turn (clause
 * B12): once a watcher comes round again, all that were ready have been reported.
 */
static int fill_from_kernel(struct plx_context *context, struct batch *batch, plx_duration timeout)
{
    bool is_more = true;
    for (int idle = 0; is_more && wants_more(context, batch) && idle < IDLE_CALLS; idle++) {
        int room = batch->capacity - batch->count;
        room = room < PLX__BATCH ? room : PLX__BATCH;
        int given = batch->count;
        int count = plx__kernel_wait(context, room, timeout);
        if (count < 0)
            return batch->count > 0 ? PLX_OK : count;
        is_more = count == room;
        for (int i = 0; i < count; i++)
            is_more = take(context, batch, &context->records[i]) && is_more;
        if (batch->count > given)
            idle = 0;
        timeout = 0;
    }
    return PLX_OK;
}

static void remove_marks(struct batch *batch)
{
    for (int i = 0; i < batch->count; i++)
        batch->ready[i]->flags &= (uint16_t)~MARKS;
}

/* --- Files and refused descriptors --- */

/* Reports up to `room` refused watchers, which are all on the list of touched ones. */
static void take_refused(struct plx_context *context, struct batch *batch, int room)
{
    uint32_t number = context->touched;
    context->touched = PLX__SLOT_NONE;
    while (number != PLX__SLOT_NONE) {
        struct plx_watcher *watcher = plx__watcher_at(context, number);
        number = plx__slot_next(&watcher->target.slot);
        watcher->flags &= (uint16_t)~PLX__TOUCHED;
        if (!(watcher->flags & PLX__REFUSED) || room-- <= 0) {
            plx__touch(context, watcher);
            continue;
        }
        plx__interest_forgive(context, watcher);
        plx__watcher_mark(context, watcher, PLX__MUTED | PLX__GIVEN, 0);
        give(batch, watcher, plx__normalise(PLX__GONE, watcher->events));
    }
}

/*
 * Reports a file. The kernel does not watch it and so cannot say that it was closed: it is asked
 * each time, with one call for each file reported, or a closed one would be ready for ever.
 */
static void give_file(struct plx_context *context, struct batch *batch, struct plx_watcher *watcher)
{
    bool is_open = plx__os_is_open(watcher->target.fd);
    uint32_t facts = is_open ? PLX_READ | PLX_WRITE : PLX__GONE;
    give(batch, watcher, plx__normalise(facts, watcher->events));
    watcher->flags |= PLX__GIVEN;
    if (!is_open || watcher->events & PLX_ONESHOT)
        plx__watcher_mark(context, watcher, PLX__MUTED, 0);
    if (!is_open || watcher->events & PLX__MODES)
        plx__ready_leave(context, watcher);
    else
        plx__ready_join(context, &context->always, watcher);
}

static void take_always(struct plx_context *context, struct batch *batch, int limit)
{
    if (context->refused_count > 0)
        take_refused(context, batch, limit - batch->count);
    while (batch->count < limit && !plx__ring_is_empty(&context->always)) {
        struct plx_watcher *watcher = plx__watcher_in_ring(context->always.next);
        if (watcher->flags & PLX__GIVEN)
            return; /* once round */
        give_file(context, batch, watcher);
    }
}

/* --- Buffered handles --- */

/* May the watcher have bytes above its descriptor? Edge-triggered ones are not asked. */
static bool is_to_be_asked(const struct plx_watcher *watcher)
{
    return (watcher->flags & (PLX__BUFFERS | PLX__MUTED | PLX__REFUSED)) == PLX__BUFFERS &&
           (watcher->events & (PLX_READ | PLX_EDGE)) == PLX_READ;
}

void plx__ready_arm(struct plx_context *context, struct plx_watcher *watcher)
{
    if (!(watcher->flags & PLX__WIDE))
        return;
    struct plx__ring *home = &context->buffered;
    bool is_member = is_to_be_asked(watcher);
    if (watcher->flags & PLX__OUTSIDE) {
        home = &context->always;
        is_member = !(watcher->flags & PLX__MUTED) && watcher->events & (PLX_READ | PLX_WRITE);
    }
    if (!is_member)
        plx__ready_leave(context, watcher);
    else if (!plx__ring_is_member(plx__watcher_ring(watcher)))
        plx__ready_join(context, home, watcher);
}

/* Keeps in the ring those that have something. The others come back when they are reported. */
static void ask_buffered(struct plx_context *context)
{
    struct plx__ring *node = context->buffered.next;
    while (node != &context->buffered) {
        struct plx__wide *wide = plx__wide(plx__watcher_in_ring(node));
        node = node->next;
        if (!wide->ops->has_buffered(wide->object))
            plx__ready_leave(context, &wide->ringed.watcher);
    }
}

static void take_buffered(struct plx_context *context, struct batch *batch, int limit)
{
    while (batch->count < limit && !plx__ring_is_empty(&context->buffered)) {
        struct plx_watcher *watcher = plx__watcher_in_ring(context->buffered.next);
        if (watcher->flags & PLX__GIVEN)
            return; /* once round */
        give(batch, watcher, PLX_READ);
        watcher->flags |= PLX__GIVEN;
        if (watcher->events & PLX_ONESHOT) {
            /* The kernel is still armed. It may add to this report, and is silenced before the
               next one. */
            plx__watcher_mark(context, watcher, PLX__MUTED, 0);
            plx__ready_leave(context, watcher);
            plx__touch(context, watcher);
        } else {
            plx__ready_join(context, &context->buffered, watcher);
        }
    }
}

/*
 * When the room is used up, the kernel may not have come to the watchers that were reported from
 * their buffers. What it would say belongs into the same report: it is asked for each of them.
 */
static void complete_buffered(struct plx_context *context, struct batch *batch)
{
    for (int i = 0; i < batch->count; i++) {
        struct plx_watcher *watcher = batch->ready[i];
        if ((watcher->flags & (PLX__BUFFERS | PLX__SEEN)) != PLX__BUFFERS)
            continue;
        uint32_t facts = context->backend->look(context->queue, &watcher->target, watcher->events);
        watcher->triggered |= (uint16_t)plx__normalise(facts & ~PLX__GONE, watcher->events);
    }
}

/* --- Timers and what was raised --- */

static void take_timers(struct plx_context *context, struct batch *batch, int limit)
{
    struct plx_watcher *watcher;
    while (batch->count < limit && context->timers.count > 0 &&
           (watcher = plx__timer_take(context)) != NULL)
        give(batch, watcher, PLX_TIMER);
}

static void take_raised(struct plx_context *context, struct batch *batch, int limit)
{
    while (batch->count < limit && !plx__ring_is_empty(&context->raised)) {
        struct plx_watcher *watcher = plx__watcher_in_ring(context->raised.next);
        if (watcher->flags & PLX__GIVEN)
            return; /* once round */
        uint32_t events = plx__kinds[plx__watcher_kind(watcher)]->report(context, watcher);
        if (events == 0)
            continue; /* it took itself out */
        give(batch, watcher, events);
        watcher->flags |= PLX__GIVEN;
        if (watcher->events & PLX_ONESHOT || events & PLX_PROCESS) {
            plx__watcher_mark(context, watcher, PLX__MUTED, 0);
            plx__ready_leave(context, watcher);
        } else if (plx__ring_is_member(plx__watcher_ring(watcher))) {
            plx__ready_join(context, &context->raised, watcher); /* at the end of the line */
        }
    }
}

/* --- Taking turns --- */

static int take_from(struct plx_context *context, enum plx__source source, struct batch *batch,
                     int limit, plx_duration timeout)
{
    switch (source) {
    case PLX__SOURCE_TIMERS:
        take_timers(context, batch, limit);
        return PLX_OK;
    case PLX__SOURCE_RAISED:
        take_raised(context, batch, limit);
        return PLX_OK;
    case PLX__SOURCE_ALWAYS:
        take_always(context, batch, limit);
        return PLX_OK;
    case PLX__SOURCE_BUFFERED:
        take_buffered(context, batch, limit);
        return PLX_OK;
    case PLX__SOURCE_KERNEL:
    case PLX__SOURCES:
        break;
    }
    return fill_from_kernel(context, batch, timeout);
}

static enum plx__source next_source(enum plx__source source)
{
    return (enum plx__source)((source + 1) % PLX__SOURCES);
}

/* Room for one: the sources alternate, and one that has nothing passes its turn on. */
static int collect_one(struct plx_context *context, struct batch *batch, plx_duration timeout)
{
    int code = PLX_OK;
    for (int i = 0; i < PLX__SOURCES && batch->count == 0 && code >= 0; i++) {
        code = take_from(context, context->turn, batch, 1, timeout);
        context->turn = next_source(context->turn);
    }
    return code;
}

/*
 * Serves the sources outside the kernel in turn, each up to `share` more and all up to `limit`; not
 * the one that has been `served`. Returns the first that had something, or PLX__SOURCES.
 */
static enum plx__source collect_own(struct plx_context *context, struct batch *batch, int share,
                                    int limit, enum plx__source served)
{
    enum plx__source source = context->turn;
    enum plx__source first = PLX__SOURCES;
    for (int i = 0; i < PLX__SOURCES; i++, source = next_source(source)) {
        int count = batch->count;
        int end = limit - count < share ? limit : count + share;
        if (source != PLX__SOURCE_KERNEL && source != served)
            take_from(context, source, batch, end, 0);
        if (batch->count > count && first == PLX__SOURCES)
            first = source;
    }
    return first;
}

/* How many sources other than timers and the kernel may have something. */
static int count_others(const struct plx_context *context)
{
    return !plx__ring_is_empty(&context->raised) + !plx__ring_is_empty(&context->buffered) +
           (!plx__ring_is_empty(&context->always) || context->refused_count > 0);
}

/*
 * Timers first, save for a place for each of the others. Then a share of the room for each source
 * outside the kernel, but one place is always the kernel's; then the kernel; then what is left to
 * whoever has more. Where there is not even a place for each, they take turns, timers like others.
 */
static int collect_many(struct plx_context *context, struct batch *batch, plx_duration timeout)
{
    int limit = batch->capacity - 1;
    int others = count_others(context);
    enum plx__source served = limit > others ? PLX__SOURCE_TIMERS : PLX__SOURCE_KERNEL;
    take_timers(context, batch, limit - others);
    if (others > 0) {
        int share = (batch->capacity - batch->count) / (PLX__SOURCES - 1);
        enum plx__source first = collect_own(context, batch, share > 0 ? share : 1, limit, served);
        if (first != PLX__SOURCES) /* the kernel has had its place in any case */
            context->turn = first + 1 < PLX__SOURCES ? first + 1 : PLX__SOURCE_KERNEL + 1;
    }
    int code = fill_from_kernel(context, batch, timeout);
    /* Timers that came due in a sleep are the first of the next wait: not worth another look at the
       clock in this one. Without a sleep they may not even have been looked at yet. */
    if (code >= 0 && timeout == 0)
        take_timers(context, batch, batch->capacity);
    if (code >= 0 && others > 0)
        collect_own(context, batch, batch->capacity, batch->capacity, PLX__SOURCE_TIMERS);
    return code;
}

/* So many timers that were put off are looked at before a sleep, to find the one that is next. */
#define PUT_OFF 16

plx_duration plx__ready_sleep_limit(struct plx_context *context, plx_duration timeout)
{
    if (timeout == 0 || plx__ready_has_own(context))
        return 0;
    if (context->timers.count == 0)
        return timeout;
    int64_t next = plx__timers_no_earlier(&context->timers, PUT_OFF);
    plx_duration left = plx__remaining(next, plx__now(context));
    return timeout < 0 || (left >= 0 && left < timeout) ? left : timeout;
}

int plx__ready_collect_in_turn(struct plx_context *context, struct plx_watcher **ret_ready,
                               int capacity, plx_duration timeout)
{
    struct batch batch = {ret_ready, capacity, 0, MARKS, context->needs_requeue};
    if (!plx__ring_is_empty(&context->buffered)) {
        ask_buffered(context);
        plx__timers_settle_strays(context);
    }
    timeout = plx__ready_sleep_limit(context, timeout);
    int code = capacity == 1 ? collect_one(context, &batch, timeout)
                             : collect_many(context, &batch, timeout);
    if (batch.count == capacity)
        complete_buffered(context, &batch);
    remove_marks(&batch);
    /* An error with reports in hand would lose them; it will come again if it is there to stay. */
    return batch.count > 0 ? batch.count : code;
}

int plx__ready_collect_own(struct plx_context *context, struct plx_watcher **ret_ready,
                           int capacity)
{
    struct batch batch = {ret_ready, capacity, 0, MARKS, false};
    bool has_others = capacity > 1 && !plx__ring_is_empty(&context->raised);
    take_timers(context, &batch, capacity - has_others);
    take_raised(context, &batch, capacity);
    remove_marks(&batch);
    return batch.count;
}

int plx__ready_collect_rest(struct plx_context *context, struct plx_watcher **ret_ready,
                            int capacity, int count)
{
    struct batch batch = {ret_ready, capacity, count, MARKS, false};
    for (int i = 0; i < count; i++)
        ret_ready[i]->flags |= MARKS;
    fill_from_kernel(context, &batch, 0);
    remove_marks(&batch);
    return batch.count;
}
