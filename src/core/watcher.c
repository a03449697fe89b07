/* SPDX-License-Identifier: MIT */
/*
 * watcher.c: a registration from add to removal, and what may be asked of it: what all kinds of
 * watchers share. What each does its own way stands in its row of plx__kinds.
 */
#include "src/core/context.h"

#include <string.h>

#include "src/base/compiler.h"
#include "src/core/normalise.h"
#include "src/sources/timer.h"

static const struct plx__kind_ops *ops_of(const struct plx_watcher *watcher)
{
    return plx__kinds[plx__watcher_kind(watcher)];
}

/* --- From add to removal --- */

/* What all watchers have is zeroed by a few stores, without a call of memset(). */
struct plx_watcher *plx__watcher_take(struct plx_context *context, enum plx__kind kind,
                                      bool has_callback)
{
    const size_t common = sizeof(struct plx_watcher), slot = sizeof(struct plx__slot);
    struct plx_watcher *watcher =
        plx__slots_take(&context->slots, plx__kind_class(kind, has_callback));
    if (!watcher)
        return NULL;
    memset((unsigned char *)watcher + slot, 0, common - slot);
    memset((unsigned char *)watcher + common, 0, plx__kinds[kind]->size - common);
    return watcher;
}

static plx_callback **callback_of(const struct plx_watcher *watcher)
{
    return plx__callback_place(watcher, ops_of(watcher)->size);
}

plx_callback *plx__watcher_callback(const struct plx_watcher *watcher)
{
    return plx__watcher_has_callback(watcher) ? *callback_of(watcher) : NULL;
}

/* The kind that a watcher of this handle starts as; PLX__KINDS if there is no such handle, and for
   timers, which plx__timer_add() adds. */
static enum plx__kind kind_of(const plx_handle *handle)
{
    static const uint8_t kinds[] = {
        [PLX_HANDLE_FD] = PLX__KIND_FD,         [PLX_HANDLE_CUSTOM] = PLX__KIND_WIDE,
        [PLX_HANDLE_NOTIFY] = PLX__KIND_NOTIFY, [PLX_HANDLE_SIGNAL] = PLX__KIND_SIGNAL,
        [PLX_HANDLE_TIMER] = PLX__KINDS,        [PLX_HANDLE_PROCESS] = PLX__KIND_PROCESS,
    };
    bool is_known = handle->kind >= PLX_HANDLE_FD && handle->kind < sizeof kinds;
    return is_known && handle->reserved == 0 ? (enum plx__kind)kinds[handle->kind] : PLX__KINDS;
}

static inline int check(const struct plx_context *context, const struct plx__kind_ops *ops,
                        uint32_t events)
{
    if (ops->natural == 0)
        return ops->check(context, events);
    return (events & ~PLX_ONESHOT) == ops->natural ? PLX_OK : PLX_ERR_INVALID;
}

PLX__APART static int add(struct plx_context *context, const plx_handle *handle, uint32_t events,
                          plx_callback *callback, void *data, plx_watcher **ret_watcher)
{
    enum plx__kind kind = kind_of(handle);
    if (kind == PLX__KINDS)
        return PLX_ERR_INVALID;
    const struct plx__kind_ops *ops = plx__kinds[kind];
    int code = check(context, ops, events);
    if (code < 0)
        return code;

    struct plx_watcher *watcher = plx__watcher_take(context, kind, callback != NULL);
    if (!watcher)
        return PLX_ERR_NOMEM;
    watcher->events = (uint16_t)events;
    code = ops->start(context, &watcher, handle);
    if (code < 0) {
        plx__slots_put(&context->slots, &watcher->target.slot);
        return code;
    }
    watcher->data = data;
    if (callback)
        *callback_of(watcher) = callback;
    watcher->flags |= PLX__ACTIVE;
    context->armed_count += plx__keeps_running(watcher->flags);
    context->active_count++;
    plx__nest_update(context);
    if (ret_watcher)
        *ret_watcher = watcher;
    return PLX_OK;
}

int plx__watcher_add(struct plx_context *context, const plx_handle *handle, uint32_t events,
                     plx_callback *callback, void *data, plx_watcher **ret_watcher)
{
    if (!context)
        return PLX_ERR_INVALID;
    if (plx__is_forked(context))
        return PLX_ERR_FORKED;
    if (handle->kind == PLX_HANDLE_TIMER)
        return plx__timer_add(context, events, data, ret_watcher, handle, callback);
    return add(context, handle, events, callback, data, ret_watcher);
}

int plx_context_add(plx_context *context, plx_handle handle, uint32_t events, void *data,
                    plx_watcher **ret_watcher)
{
    return plx__watcher_add(context, &handle, events, NULL, data, ret_watcher);
}

int plx_watcher_modify(plx_watcher *watcher, uint32_t events)
{
    struct plx_context *context;
    int code = plx__watcher_check(watcher, &context);
    if (code < 0)
        return code;
    code = check(context, ops_of(watcher), events);
    if (code < 0)
        return code;

    uint16_t old_events = watcher->events;
    uint32_t was_muted = watcher->flags & PLX__MUTED;
    watcher->events = (uint16_t)events;
    plx__watcher_mark(context, watcher, 0, PLX__MUTED);
    code = ops_of(watcher)->change(context, watcher);
    if (code < 0) {
        watcher->events = old_events;
        plx__watcher_mark(context, watcher, was_muted, 0);
        return code;
    }
    plx__nest_update(context);
    return PLX_OK;
}

void plx__watcher_mute(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__watcher_mark(context, watcher, PLX__MUTED, 0);
    ops_of(watcher)->mute(context, watcher);
}

static inline void deactivate(struct plx_context *context, struct plx_watcher *watcher)
{
    context->active_count--;
    context->armed_count -= plx__keeps_running(watcher->flags);
    watcher->flags &= (uint16_t)~PLX__ACTIVE;
}

void plx__watcher_retire(struct plx_context *context, struct plx_watcher *watcher)
{
    deactivate(context, watcher);
    /* Generations start again only after all were used. A ghost's old token would then look right,
       so that the ghosts have to go first. */
    if (plx__slot_retire(&watcher->target.slot) && context->has_ghosts)
        context->needs_requeue = true;
    plx__touch(context, watcher);
}

int plx_watcher_remove(plx_watcher *watcher)
{
    if (plx__timer_remove_unseen(watcher))
        return PLX_OK;
    struct plx_context *context;
    int code = plx__watcher_check(watcher, &context);
    if (code < 0)
        return code;
    if (plx__watcher_kind(watcher) == PLX__KIND_TIMER && watcher->target.place != 0 &&
        !plx__is_nested(context)) {
        deactivate(context, watcher); /* and no more: no kernel has a token of it */
        plx__timer_untag(context, watcher);
        plx__timer_stage_removal(context, watcher);
        return PLX_OK;
    }
    ops_of(watcher)->stop(context, watcher);
    plx__watcher_retire(context, watcher);
    plx__nest_update(context);
    return PLX_OK;
}

void plx_watcher_set_background(plx_watcher *watcher, bool is_background)
{
    if (!plx_watcher_is_active(watcher))
        return;
    struct plx_context *context = plx__watcher_owner(watcher);
    plx__watcher_mark(context, watcher, is_background ? PLX__BACKGROUND : 0,
                      is_background ? 0 : PLX__BACKGROUND);
    if (plx__watcher_kind(watcher) == PLX__KIND_TIMER)
        plx__timer_tag(context, watcher);
}

/* --- Questions --- */

bool plx_watcher_is_active(const plx_watcher *watcher)
{
    return watcher && plx__watcher_is_active(plx__watcher_owner(watcher), watcher);
}

uint32_t plx_watcher_events(const plx_watcher *watcher)
{
    return watcher ? watcher->events : 0;
}

uint32_t plx_watcher_triggered(const plx_watcher *watcher)
{
    if (!watcher || !(watcher->flags & PLX__ACTIVE)) /* of a timer that is gone nothing triggered */
        return 0;
    return watcher->triggered & (watcher->events | PLX__UNASKED);
}

void *plx_watcher_data(const plx_watcher *watcher)
{
    return watcher ? watcher->data : NULL;
}

void plx_watcher_set_data(plx_watcher *watcher, void *data)
{
    if (watcher)
        watcher->data = data;
}

plx_handle plx_watcher_handle(const plx_watcher *watcher)
{
    return watcher ? ops_of(watcher)->handle(watcher) : (plx_handle){0};
}

plx_context *plx_watcher_context(const plx_watcher *watcher)
{
    return watcher ? plx__watcher_owner(watcher) : NULL;
}

uint64_t plx_watcher_count(const plx_watcher *watcher)
{
    const struct plx__kind_ops *ops = watcher ? ops_of(watcher) : NULL;
    return ops && ops->count ? ops->count(watcher) : 0;
}
