/* SPDX-License-Identifier: MIT */
/*
 * requeue.c: a fresh kernel queue with the same watchers.
 *
 * Two situations need one. A forked child, which shares its parent's queue. And epoll's duplicate
 * trap: its registrations belong to the open file, not to the descriptor, so a descriptor that was
 * closed while a duplicate lives goes on being reported, and nothing can remove it any more, since
 * EPOLL_CTL_DEL wants the number that is gone. Only closing the whole queue does.
 * (tests/conformance: duplicate_*, fork_*)
 */
#include "src/core/context.h"

/* Can the watcher not be taken over for a reason that is its descriptor's own? */
static bool is_own_fault(int code)
{
    return code == PLX_ERR_NOTFOUND || code == PLX_ERR_BADHANDLE || code == PLX_ERR_NOSUPPORT ||
           code == PLX_ERR_EXISTS;
}

/* One ERROR report, unless it was made already. */
static void lose(struct plx_context *context, struct plx_watcher *watcher)
{
    if (!(watcher->flags & PLX__LOST))
        plx__interest_refuse(context, watcher);
}

static int add_again(struct plx_context *context, struct plx_watcher *watcher, bool is_forked)
{
    const struct plx__backend *backend = context->backend;

    if (watcher->flags & PLX__OUTSIDE)
        return PLX_OK;
    /* Its number may be another file's by now, which nobody asked to watch. In a child this cannot
       be found out without touching the parent's queue. */
    int held = is_forked && watcher->flags & PLX__LOST ? PLX_ERR_NOTFOUND : PLX_OK;
    if (!is_forked)
        held = backend->holds(context->queue, &watcher->target);
    if (held >= 0)
        held = backend->add(context->queue, &watcher->target, watcher->kernel);
    if (held >= 0)
        watcher->flags &= (uint16_t)~PLX__LOST;
    else if (is_own_fault(held))
        lose(context, watcher);
    else
        return held;
    return PLX_OK;
}

static int add_all_again(struct plx_context *context, bool is_forked)
{
    plx_socket fd = PLX_BAD_SOCKET;
    uint32_t number;
    while ((number = plx__map_next(&context->map, &fd)) != PLX__MAP_NONE) {
        int code = add_again(context, plx__watcher_at(context, number), is_forked);
        if (code < 0)
            return code;
    }
    return PLX_OK;
}

static bool reopen(struct plx_watcher *watcher)
{
    const struct plx__kind_ops *ops = plx__kinds[plx__watcher_kind(watcher)];
    return ops->reopen && ops->reopen(watcher);
}

/*
 * A child may have closed watched descriptors already. That is found out before the fresh queue is
 * opened, which could get just such a number.
 */
static void refuse_lost(struct plx_context *context)
{
    plx_socket fd = PLX_BAD_SOCKET;
    uint32_t number;
    while ((number = plx__map_next(&context->map, &fd)) != PLX__MAP_NONE) {
        struct plx_watcher *watcher = plx__watcher_at(context, number);
        if (watcher->flags & (PLX__OUTSIDE | PLX__LOST) || plx__os_is_open(fd) || reopen(watcher))
            continue;
        if (!context->backend->is_remembered && watcher->kernel != PLX__SILENT)
            context->backend->modify(context->queue, &watcher->target, watcher->kernel,
                                     PLX__SILENT);
        plx__interest_refuse(context, watcher);
    }
}

int plx__requeue(struct plx_context *context, bool is_forked)
{
    const struct plx__backend *backend = context->backend;

    if (is_forked)
        refuse_lost(context);
    int code = backend->renew(context->queue, is_forked);
    if (code < 0)
        return code;
    if (backend->is_remembered)
        code = add_all_again(context, is_forked);
    backend->settle(context->queue, code >= 0);
    if (code >= 0) {
        context->has_ghosts = false;
        context->needs_requeue = false;
    }
    return code;
}
