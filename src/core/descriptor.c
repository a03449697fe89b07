/* SPDX-License-Identifier: MIT */
/*
 * descriptor.c: the kinds of watchers with a descriptor of the caller's behind them: plain ones,
 * custom handles, and files that are always ready.
 *
 * The table in user space decides whether a descriptor is watched. The kernel is asked only to
 * confirm a hit, because it alone knows that a number was closed and has come back.
 */
#include "src/core/descriptor.h"

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
static int resolve(const plx_handle *handle, plx_handle_ops *ops, plx_socket *fd)
{
    *fd = handle->as.fd;
    if (handle->kind == PLX_HANDLE_CUSTOM) {
        void *object = handle->as.custom.object;
        if (!read_ops(handle->as.custom.ops, ops))
            return PLX_ERR_INVALID;
        if (ops->is_valid && !ops->is_valid(object))
            return PLX_ERR_BADHANDLE;
        *fd = ops->get_fd(object);
    }
    return plx__os_is_number(*fd) ? PLX_OK : PLX_ERR_BADHANDLE;
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
        bool has_callback = plx__watcher_has_callback(inside);
        struct plx_watcher *outside = plx__watcher_take(context, PLX__KIND_WIDE, has_callback);
        if (!outside)
            return PLX_ERR_NOMEM;
        outside->target.fd = inside->target.fd;
        outside->events = inside->events;
        plx__slots_put(&context->slots, &inside->target.slot);
        *watcher = outside;
    }
    (*watcher)->flags |= PLX__WIDE | PLX__OUTSIDE;
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
                        const struct plx_watcher *stale, bool is_new)
{
    const struct plx__backend *backend = context->backend;
    uint32_t wanted = plx__interest_wanted(*watcher);

    /* Such a backend cannot tell one file from another. */
    if (stale && !is_new && !backend->is_remembered) {
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

/* Ends what is in user space of the registration of a descriptor. */
static void forget(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__interest_forgive(context, watcher);
    if (watcher->flags & PLX__WIDE)
        plx__ready_leave(context, watcher);
    plx__map_set(&context->map, watcher->target.fd, PLX__MAP_NONE);
}

/*
 * Another file has come under the number of an active watcher, whose own was closed. A kernel that
 * remembers that one is not asked to forget it: by the number it would find the new one.
 */
static void retire_stale(struct plx_context *context, struct plx_watcher *stale)
{
    if (!context->backend->is_remembered)
        leave_kernel(context, stale);
    else if (!(stale->flags & PLX__OUTSIDE))
        context->has_ghosts = true;
    forget(context, stale);
    plx__watcher_retire(context, stale);
}

static struct plx_watcher *find(const struct plx_context *context, plx_socket fd)
{
    uint32_t number = plx__map_get(&context->map, fd);
    return number == PLX__MAP_NONE ? NULL : plx__watcher_at(context, number);
}

int plx__descriptor_enter(struct plx_context *context, struct plx_watcher **watcher, bool is_new)
{
    plx_socket fd = (*watcher)->target.fd;
    struct plx_watcher *stale = find(context, fd);

    int code = enter_kernel(context, watcher, stale, is_new);
    if (code < 0)
        return code;
    /* Only now is the number known to be a real one, and no reason for a table of its size. */
    code = plx__map_reserve(&context->map, fd);
    if (code < 0) {
        leave_kernel(context, *watcher);
        return code;
    }
    if (stale)
        retire_stale(context, stale);
    plx__map_set(&context->map, fd, plx__slot_number(&(*watcher)->target.slot));
    return PLX_OK;
}

void plx__descriptor_leave(struct plx_context *context, struct plx_watcher *watcher)
{
    leave_kernel(context, watcher);
    forget(context, watcher);
}

int plx__descriptor_change(struct plx_context *context, struct plx_watcher *watcher)
{
    bool was_refused = watcher->flags & PLX__REFUSED;
    uint16_t was_armed_again = watcher->flags & PLX__REARM;
    plx__interest_forgive(context, watcher);
    watcher->flags &= (uint16_t)~PLX__REARM;
    if (plx__interest_wanted(watcher) & PLX_EDGE) /* what is ready now is to be reported again */
        watcher->flags |= PLX__REARM;
    int code = PLX_OK;
    if (!(watcher->flags & PLX__OUTSIDE))
        code = plx__interest_change(context, watcher);
    if (code < 0) {
        watcher->flags = (uint16_t)((watcher->flags & ~PLX__REARM) | was_armed_again);
        if (was_refused)
            plx__interest_refuse(context, watcher);
        return code;
    }
    plx__ready_arm(context, watcher);
    return PLX_OK;
}

void plx__descriptor_mute(struct plx_context *context, struct plx_watcher *watcher)
{
    if (watcher->flags & PLX__WIDE)
        plx__ready_leave(context, watcher);
    if (!(watcher->flags & PLX__OUTSIDE) && plx__interest_change(context, watcher) < 0)
        plx__touch(context, watcher); /* the next wait tries again */
}

static int start(struct plx_context *context, struct plx_watcher **watcher,
                 const plx_handle *handle)
{
    plx_handle_ops ops = {0};
    int code = resolve(handle, &ops, &(*watcher)->target.fd);
    if (code < 0)
        return code;
    bool is_custom = handle->kind == PLX_HANDLE_CUSTOM;
    if (is_custom)
        (*watcher)->flags |= PLX__WIDE;
    code = plx__descriptor_enter(context, watcher, false);
    if (code < 0)
        return code;
    if (is_custom) {
        plx__wide(*watcher)->ops = handle->as.custom.ops;
        plx__wide(*watcher)->object = handle->as.custom.object;
        if (ops.has_buffered)
            (*watcher)->flags |= PLX__BUFFERS;
    }
    plx__ready_arm(context, *watcher);
    return PLX_OK;
}

static plx_handle fd_handle(const struct plx_watcher *watcher)
{
    return plx_fd(watcher->target.fd);
}

static plx_handle wide_handle(const struct plx_watcher *watcher)
{
    const struct plx__wide *wide = (const struct plx__wide *)watcher;
    return wide->ops ? plx_custom(wide->ops, wide->object) : fd_handle(watcher);
}

static void wide_clean(struct plx_watcher *watcher)
{
    plx_handle_ops ops;
    if (read_ops(plx__wide(watcher)->ops, &ops) && ops.cleanup)
        ops.cleanup(plx__wide(watcher)->object);
}

const struct plx__kind_ops plx__kind_fd = {
    .size = sizeof(struct plx_watcher),
    .check = plx__interest_check,
    .start = start,
    .change = plx__descriptor_change,
    .mute = plx__descriptor_mute,
    .stop = plx__descriptor_leave,
    .handle = fd_handle,
};

const struct plx__kind_ops plx__kind_wide = {
    .size = sizeof(struct plx__wide),
    .check = plx__interest_check,
    .start = start,
    .change = plx__descriptor_change,
    .mute = plx__descriptor_mute,
    .stop = plx__descriptor_leave,
    .handle = wide_handle,
    .clean = wide_clean,
};

plx_watcher *plx_context_find(plx_context *context, plx_socket fd)
{
    struct plx_watcher *watcher = context ? find(context, fd) : NULL;
    /* A number that is the library's own, of a process say, is nothing that the caller watches. */
    return watcher && plx__watcher_kind(watcher) <= PLX__KIND_WIDE ? watcher : NULL;
}

int plx_context_close(plx_context *context, plx_socket fd)
{
    int code = context ? PLX_OK : PLX_ERR_INVALID;
    if (context && plx__is_forked(context)) {
        code = PLX_ERR_FORKED;
    } else if (context) {
        plx_watcher *watcher = plx_context_find(context, fd);
        if (watcher)
            plx_watcher_remove(watcher);
    }
    int closed = plx__os_close(fd);
    return code < 0 ? code : closed;
}
