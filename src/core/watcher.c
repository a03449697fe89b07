/* SPDX-License-Identifier: MIT */
/*
 * watcher.c: a registration from add to removal, and what may be asked of it.
 *
 * The table in user space decides whether a descriptor is watched. The kernel is asked only to
 * confirm a hit, because it alone knows that a number was closed and has come back.
 */
#include "src/core/context.h"

#include <string.h>

#include "src/core/normalise.h"

plx_handle plx_fd(plx_socket fd)
{
    plx_handle handle = {.kind = PLX_HANDLE_FD, .as.fd = fd};
    return handle;
}

plx_handle plx_custom(const plx_handle_ops *ops, void *object)
{
    plx_handle handle = {.kind = PLX_HANDLE_CUSTOM, .as.custom = {ops, object}};
    return handle;
}

/* A copy of the caller's table in this release's size; false if it does not make sense. */
static bool read_ops(const plx_handle_ops *ops, plx_handle_ops *copy)
{
    if (!ops)
        return false;
    *copy = (plx_handle_ops){.size = sizeof *copy};
    return plx__read_sized(copy, sizeof *copy, ops, ops->size) && copy->get_fd;
}

/* The descriptor that a handle stands for, asked once. */
static int resolve(plx_handle handle, plx_handle_ops *ops, plx_socket *fd)
{
    if (handle.reserved != 0)
        return PLX_ERR_INVALID;
    if (handle.kind == PLX_HANDLE_FD) {
        *fd = handle.as.fd;
        return PLX_OK;
    }
    if (handle.kind != PLX_HANDLE_CUSTOM || !read_ops(handle.as.custom.ops, ops))
        return PLX_ERR_INVALID;
    void *object = handle.as.custom.object;
    if (ops->is_valid && !ops->is_valid(object))
        return PLX_ERR_BADHANDLE;
    *fd = ops->get_fd(object);
    return PLX_OK;
}

static enum plx__slot_class class_of(const struct plx_watcher *watcher)
{
    return watcher->flags & PLX__WIDE ? PLX__SLOT_WIDE : PLX__SLOT_THIN;
}

static struct plx_watcher *take(struct plx_context *context, bool is_wide, plx_socket fd,
                                uint32_t events)
{
    struct plx_watcher *watcher =
        plx__slots_take(&context->slots, is_wide ? PLX__SLOT_WIDE : PLX__SLOT_THIN);
    if (!watcher)
        return NULL;
    watcher->target.fd = fd;
    watcher->events = (uint16_t)events;
    watcher->flags = is_wide ? PLX__WIDE : 0;
    return watcher;
}

static void put_back(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__slots_put(&context->slots, class_of(watcher), &watcher->target.slot);
}

/*
 * The kernel cannot watch it because it is always ready: it becomes a wide watcher outside. Since
 * the kernel cannot tell either whether the number is another file's when it is added again, the
 * file's identity is kept, in the place that belongs to the kernel otherwise.
 */
static int take_outside(struct plx_context *context, struct plx_watcher **watcher)
{
    struct plx_watcher *inside = *watcher;
    if (!(inside->flags & PLX__WIDE)) {
        *watcher = take(context, true, inside->target.fd, inside->events);
        if (!*watcher) {
            *watcher = inside;
            return PLX_ERR_NOMEM;
        }
        put_back(context, inside);
    }
    (*watcher)->flags |= PLX__OUTSIDE;
    (*watcher)->target.place = plx__os_file_identity((*watcher)->target.fd);
    return PLX_OK;
}

static bool is_same_file(const struct plx_watcher *outside)
{
    return outside->target.place == plx__os_file_identity(outside->target.fd);
}

/*
 * Brings a new watcher to the kernel. `stale` is the active watcher of the same number, if there is
 * one: when the kernel takes the descriptor all the same, that one's file was closed.
 */
static int enter_kernel(struct plx_context *context, struct plx_watcher **watcher,
                        const struct plx_watcher *stale)
{
    const struct plx__backend *backend = context->backend;
    uint32_t wanted = plx__interest_wanted(*watcher);

    if (stale && !backend->is_remembered) { /* such a backend cannot tell one file from another */
        int held = backend->holds(context->queue, &(*watcher)->target);
        return held < 0 ? held : PLX_ERR_EXISTS;
    }
    int code = backend->add(context->queue, &(*watcher)->target, wanted);
    if (code == PLX_ERR_EXISTS && !stale) {
        /* A ghost of this very number, whose file has come back to it: it is taken over. */
        code = backend->modify(context->queue, &(*watcher)->target, PLX__SILENT, wanted);
    }
    if (code == PLX_OK) {
        plx__interest_note(*watcher, wanted);
    } else if (code == PLX_ERR_NOSUPPORT && !backend->is_level_on_file) {
        if (stale && stale->flags & PLX__OUTSIDE && is_same_file(stale))
            return PLX_ERR_EXISTS;
        return take_outside(context, watcher);
    }
    return code;
}

static void leave_kernel(struct plx_context *context, struct plx_watcher *watcher)
{
    if (!(watcher->flags & PLX__OUTSIDE) &&
        !context->backend->remove(context->queue, &watcher->target))
        context->has_ghosts = true;
}

static int register_watcher(struct plx_context *context, struct plx_watcher **watcher)
{
    plx_socket fd = (*watcher)->target.fd;
    struct plx_watcher *stale = plx_context_find(context, fd);

    int code = enter_kernel(context, watcher, stale);
    if (code < 0)
        return code;
    /* Only now is the number known to be a real one, and no reason for a table of its size. */
    code = plx__map_reserve(&context->map, fd);
    if (code < 0) {
        leave_kernel(context, *watcher);
        return code;
    }
    if (stale)
        plx__watcher_retire(context, stale, false);
    plx__map_set(&context->map, fd, plx__slot_number(&(*watcher)->target.slot));
    (*watcher)->flags |= PLX__ACTIVE;
    context->active_count++;
    return PLX_OK;
}

int plx_context_add(plx_context *context, plx_handle handle, uint32_t events, void *data,
                    plx_watcher **ret_watcher)
{
    if (!context)
        return PLX_ERR_INVALID;
    if (plx__is_forked(context))
        return PLX_ERR_FORKED;
    int code = plx__interest_check(context, events);
    if (code < 0)
        return code;
    plx_handle_ops ops = {0};
    plx_socket fd = PLX_BAD_SOCKET;
    code = resolve(handle, &ops, &fd);
    if (code < 0)
        return code;
    if (!plx__os_is_number(fd))
        return PLX_ERR_BADHANDLE;

    bool is_custom = handle.kind == PLX_HANDLE_CUSTOM;
    struct plx_watcher *watcher = take(context, is_custom, fd, events);
    if (!watcher)
        return PLX_ERR_NOMEM;
    code = register_watcher(context, &watcher);
    if (code < 0) {
        put_back(context, watcher);
        return code;
    }
    watcher->data = data;
    if (is_custom) {
        plx__wide(watcher)->ops = handle.as.custom.ops;
        plx__wide(watcher)->object = handle.as.custom.object;
        if (ops.has_buffered)
            watcher->flags |= PLX__BUFFERS;
    }
    plx__ready_arm(context, watcher);
    plx__nest_update(context);
    if (ret_watcher)
        *ret_watcher = watcher;
    return PLX_OK;
}

/* PLX_OK, or why a watcher cannot be changed. */
static int check_active(const struct plx_watcher *watcher)
{
    if (!watcher)
        return PLX_ERR_INVALID;
    if (plx__is_forked(plx__watcher_owner(watcher)))
        return PLX_ERR_FORKED;
    return watcher->flags & PLX__ACTIVE ? PLX_OK : PLX_ERR_INACTIVE;
}

int plx_watcher_modify(plx_watcher *watcher, uint32_t events)
{
    int code = check_active(watcher);
    if (code < 0)
        return code;
    struct plx_context *context = plx__watcher_owner(watcher);
    code = plx__interest_check(context, events);
    if (code < 0)
        return code;

    bool was_refused = watcher->flags & PLX__REFUSED;
    plx__interest_forgive(context, watcher);
    uint16_t old_events = watcher->events;
    uint16_t old_flags = watcher->flags;
    watcher->events = (uint16_t)events;
    watcher->flags &= (uint16_t) ~(PLX__MUTED | PLX__REARM);
    if (plx__interest_wanted(watcher) & PLX_EDGE) /* what is ready now is to be reported again */
        watcher->flags |= PLX__REARM;
    if (!(watcher->flags & PLX__OUTSIDE))
        code = plx__interest_change(context, watcher);
    if (code < 0) {
        watcher->events = old_events;
        watcher->flags = old_flags;
        if (was_refused)
            plx__interest_refuse(context, watcher);
        return code;
    }
    plx__ready_arm(context, watcher);
    plx__nest_update(context);
    return PLX_OK;
}

void plx__watcher_retire(struct plx_context *context, struct plx_watcher *watcher, bool is_known)
{
    if (is_known)
        leave_kernel(context, watcher);
    else if (!(watcher->flags & PLX__OUTSIDE))
        context->has_ghosts = true;
    plx__interest_forgive(context, watcher);
    if (watcher->flags & PLX__WIDE)
        plx__ready_leave(context, watcher);
    plx__map_set(&context->map, watcher->target.fd, PLX__MAP_NONE);
    context->active_count--;
    watcher->flags &= (uint16_t)~PLX__ACTIVE;
    /* Generations start again only after all were used. A ghost's old token would then look right,
       so that the ghosts have to go first. */
    if (plx__slot_retire(&watcher->target.slot) && context->has_ghosts)
        context->needs_requeue = true;
    plx__touch(context, watcher);
}

int plx_watcher_remove(plx_watcher *watcher)
{
    int code = check_active(watcher);
    if (code < 0)
        return code;
    struct plx_context *context = plx__watcher_owner(watcher);
    plx__watcher_retire(context, watcher, true);
    plx__nest_update(context);
    return PLX_OK;
}

void plx__watcher_clean(struct plx_watcher *watcher)
{
    plx_handle_ops ops;
    if (watcher->flags & PLX__WIDE && read_ops(plx__wide(watcher)->ops, &ops) && ops.cleanup)
        ops.cleanup(plx__wide(watcher)->object);
}

void plx__watcher_free(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__watcher_clean(watcher);
    put_back(context, watcher);
}

bool plx_watcher_is_active(const plx_watcher *watcher)
{
    return watcher && watcher->flags & PLX__ACTIVE;
}

uint32_t plx_watcher_events(const plx_watcher *watcher)
{
    return watcher ? watcher->events : 0;
}

uint32_t plx_watcher_triggered(const plx_watcher *watcher)
{
    if (!watcher || !(watcher->flags & PLX__ACTIVE))
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
    if (!watcher)
        return (plx_handle){0};
    if (watcher->flags & PLX__WIDE) {
        const struct plx__wide *wide = (const struct plx__wide *)watcher;
        if (wide->ops)
            return plx_custom(wide->ops, wide->object);
    }
    return plx_fd(watcher->target.fd);
}

plx_context *plx_watcher_context(const plx_watcher *watcher)
{
    return watcher ? plx__watcher_owner(watcher) : NULL;
}
