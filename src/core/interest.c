/* SPDX-License-Identifier: MIT */
/*
 * interest.c: what the kernel holds of each watcher, and what it shall hold.
 *
 * Changes are staged: modify only touches the watcher, and the next wait makes one system call if
 * the mask then really differs. A server that turns WRITE on and off again within one batch pays
 * nothing. Removing a descriptor is never staged, because the caller may close it next and the
 * number may come back at once.
 */
#include "src/core/context.h"

#include <errno.h>

int plx__interest_check(const struct plx_context *context, uint32_t events)
{
    const uint32_t askable = PLX__DATA_EVENTS | PLX_ERROR | PLX_HUP;
    if ((events & ~(askable | PLX__MODES)) || !(events & askable))
        return PLX_ERR_INVALID;
    if (events & ~(context->backend->supports | PLX_ERROR | PLX_HUP))
        return PLX_ERR_NOSUPPORT;
    return PLX_OK;
}

uint32_t plx__interest_wanted(const struct plx_watcher *watcher)
{
    if (watcher->flags & PLX__MUTED)
        return PLX__SILENT;
    if (watcher->events & PLX_PROCESS)
        return PLX_READ | PLX_ONESHOT;
    /* Level-triggered, a hang-up that nobody asked for would be reported for ever: once is enough.
     */
    if (!(watcher->events & PLX__DATA_EVENTS))
        return PLX_ONESHOT;
    return watcher->events & (PLX__DATA_EVENTS | PLX__MODES);
}

void plx__interest_note(struct plx_watcher *watcher, uint32_t held)
{
    watcher->kernel = (uint16_t)held;
    watcher->flags &= (uint16_t) ~(PLX__REARM | PLX__ONCE | PLX__LOST);
    if (held & PLX_ONESHOT)
        watcher->flags |= PLX__ONCE;
}

void plx__interest_refuse(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__interest_note(watcher, PLX__SILENT);
    watcher->flags |= PLX__LOST;
    if (watcher->flags & PLX__WIDE)
        plx__ready_leave(context, watcher); /* the error is all that it has to report */
    if (watcher->flags & (PLX__MUTED | PLX__REFUSED))
        return; /* silent until modify, errors included; or due already */
    watcher->flags |= PLX__REFUSED;
    context->refused_count++;
    context->own_count++;
    plx__touch(context, watcher);
}

void plx__interest_forgive(struct plx_context *context, struct plx_watcher *watcher)
{
    if (!(watcher->flags & PLX__REFUSED))
        return;
    watcher->flags &= (uint16_t)~PLX__REFUSED;
    context->refused_count--;
    context->own_count--;
}

static bool is_settled(const struct plx_watcher *watcher, uint32_t wanted)
{
    return wanted == watcher->kernel && !(watcher->flags & PLX__REARM);
}

/*
 * Where ghosts may be about, the change may reach one: that of an earlier file, which has come back
 * to this number. The watcher's own file then goes on under the old token. With a token of its own
 * for each change that record is stale, instead of a second report of the same watcher; and a muted
 * watcher is not woken by it for ever. (tests/conformance: duplicate_trap_two_files_*)
 */
static int modify(struct plx_context *context, struct plx_watcher *watcher, uint32_t wanted)
{
    struct plx__slot *slot = &watcher->target.slot;
    uint32_t generation = slot->generation;
    if (context->has_ghosts && plx__slot_retire(slot))
        context->needs_requeue = true; /* generations start again: see plx__watcher_retire() */
    int code = context->backend->modify(context->queue, &watcher->target, watcher->kernel, wanted);
    if (code < 0)
        slot->generation = generation & PLX__GENERATION_MAX;
    return code;
}

/* PLX_ERR_NOMEM: nothing has changed. Any other refusal is final and the watcher's own report. */
static int apply(struct plx_context *context, struct plx_watcher *watcher)
{
    uint32_t wanted = plx__interest_wanted(watcher);
    if (is_settled(watcher, wanted))
        return PLX_OK;
    int cause = errno;
    int code = modify(context, watcher, wanted);
    if (code == PLX_ERR_NOMEM)
        return code;
    if (code < 0) {
        plx__interest_refuse(context, watcher);
        errno = cause; /* it may be that of another change, which was refused for want of memory */
    } else {
        plx__interest_note(watcher, wanted);
    }
    return PLX_OK;
}

int plx__interest_change(struct plx_context *context, struct plx_watcher *watcher)
{
    if (is_settled(watcher, plx__interest_wanted(watcher)))
        return PLX_OK;
    if (plx__is_nested(context))
        return apply(context, watcher);
    plx__touch(context, watcher);
    return PLX_OK;
}

/* What has to stay on the list of touched watchers puts itself on the new one. */
static int settle(struct plx_context *context, struct plx_watcher *watcher)
{
    if (!(watcher->flags & PLX__ACTIVE) || watcher->flags & PLX__REFUSED) {
        plx__touch(context, watcher);
    } else if (apply(context, watcher) < 0) {
        plx__touch(context, watcher);
        return PLX_ERR_NOMEM;
    }
    return PLX_OK;
}

int plx__interest_flush(struct plx_context *context, bool free_removed)
{
    int result = PLX_OK;
    uint32_t number = context->touched;
    context->touched = PLX__SLOT_NONE;
    while (number != PLX__SLOT_NONE) {
        struct plx_watcher *watcher = plx__watcher_at(context, number);
        number = plx__slot_next(&watcher->target.slot);
        if (free_removed && !(watcher->flags & PLX__ACTIVE)) {
            plx__watcher_free(context, watcher);
            continue;
        }
        watcher->flags &= (uint16_t)~PLX__TOUCHED;
        int code = settle(context, watcher);
        if (code < 0)
            result = code;
    }
    return result;
}
