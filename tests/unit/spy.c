/* SPDX-License-Identifier: MIT */
/*
 * spy.c: see spy.h.
 */
#include "spy.h"

#include "require.h"

struct spy spy;

static uint32_t *held_of(const struct plx__target *target)
{
    REQUIRE(target->fd < SPY_DESCRIPTORS);
    return &spy.held[target->fd];
}

static void enter(enum spied function)
{
    REQUIRE(!spy.is_inside);
    spy.is_inside = true;
    spy.entered |= (uint32_t)function;
}

static void leave(void)
{
    spy.is_inside = false;
}

static int spy_add(struct plx__queue *queue, struct plx__target *target, uint32_t want)
{
    REQUIRE(!(want & ~(PLX__DATA_EVENTS | PLX__MODES)));
    enter(SPIED_ADD);
    int code = spy.real->add(queue, target, want);
    leave();
    if (code >= 0)
        *held_of(target) = want;
    return code;
}

/* Clause B1. The one reason to arm again what the kernel has already is an edge. */
static int spy_modify(struct plx__queue *queue, struct plx__target *target, uint32_t was,
                      uint32_t want)
{
    spy.changes++;
    REQUIRE(!(want & ~(PLX__DATA_EVENTS | PLX__MODES)));
    REQUIRE(was == *held_of(target));
    if (want == was && !(want & PLX_EDGE))
        ck_abort_msg("a change from %#x to %#x is none", (unsigned)was, (unsigned)want);
    enter(SPIED_MODIFY);
    int code = spy.real->modify(queue, target, was, want);
    leave();
    if (code >= 0)
        *held_of(target) = want;
    return code;
}

static bool spy_remove(struct plx__queue *queue, struct plx__target *target)
{
    enter(SPIED_REMOVE);
    bool is_known = spy.real->remove(queue, target);
    leave();
    return is_known;
}

static int spy_holds(struct plx__queue *queue, struct plx__target *target)
{
    enter(SPIED_HOLDS);
    int held = spy.real->holds(queue, target);
    leave();
    return held;
}

/* Clause B11: what the kernel holds after a record. */
static void note(const struct plx__record *record)
{
    const struct plx_watcher *watcher = plx__watcher_at(spy.context, record->token.number);
    if (watcher->target.slot.generation != record->token.generation)
        return; /* stale, or a wake */
    uint32_t *held = held_of(&watcher->target);
    if (*held & PLX_ONESHOT || record->events & PLX__GONE)
        *held = PLX__SILENT;
}

static int spy_wait(struct plx__queue *queue, struct plx__record *records, int capacity,
                    plx_duration timeout)
{
    REQUIRE(capacity >= 1 && capacity <= PLX__BATCH); /* clause B4 */
    enter(SPIED_WAIT);
    int count = spy.real->wait(queue, records, capacity, timeout);
    leave();
    for (int i = 0; i < count; i++)
        note(&records[i]);
    return count;
}

static uint32_t spy_look(struct plx__queue *queue, const struct plx__target *target, uint32_t want)
{
    enter(SPIED_LOOK);
    uint32_t facts = spy.real->look(queue, target, want);
    leave();
    return facts;
}

static int spy_renew(struct plx__queue *queue, bool is_forked)
{
    enter(SPIED_RENEW);
    int code = spy.real->renew(queue, is_forked);
    leave();
    return code;
}

static void spy_settle(struct plx__queue *queue, bool keep_fresh)
{
    enter(SPIED_SETTLE);
    spy.real->settle(queue, keep_fresh);
    leave();
}

static int spy_nest(struct plx__queue *queue)
{
    enter(SPIED_NEST);
    int fd = spy.real->nest(queue);
    leave();
    return fd;
}

static void spy_raise(struct plx__queue *queue, bool on)
{
    enter(SPIED_RAISE);
    spy.real->raise(queue, on);
    leave();
}

static void spy_close(struct plx__queue *queue)
{
    enter(SPIED_CLOSE);
    spy.real->close(queue);
    leave();
}

/* Puts the spy between a new context and its backend. */
static void spy_open(struct plx_context *context)
{
    spy = (struct spy){.real = context->backend, .front = *context->backend, .context = context};
    spy.front.add = spy_add;
    spy.front.modify = spy_modify;
    spy.front.remove = spy_remove;
    spy.front.holds = spy_holds;
    spy.front.wait = spy_wait;
    spy.front.look = spy_look;
    spy.front.renew = spy_renew;
    spy.front.settle = spy_settle;
    spy.front.nest = spy.real->nest ? spy_nest : NULL;
    spy.front.raise = spy.real->raise ? spy_raise : NULL;
    spy.front.close = spy_close;
    context->backend = &spy.front;
}

plx_context *spy_context(plx_backend backend)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    plx_context *context;
    options.backend = backend;
    REQUIRE(plx_context_create(&context, &options) == PLX_OK);
    spy_open(context);
    return context;
}
