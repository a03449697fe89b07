/* SPDX-License-Identifier: MIT */
/*
 * context.c: a context from create to destroy, and across fork.
 */
#include "src/core/context.h"

#include <string.h>

bool plx__read_sized(void *copy, size_t known, const void *given, size_t given_size)
{
    const unsigned char *bytes = given;
    for (size_t i = known; i < given_size; i++) {
        if (bytes[i] != 0)
            return false; /* asks for something that this release does not know */
    }
    memcpy(copy, given, given_size < known ? given_size : known);
    return true;
}

static int read_options(const plx_context_options *options, plx_context_options *copy)
{
    *copy = (plx_context_options)PLX_CONTEXT_OPTIONS_INIT;
    if (options && !plx__read_sized(copy, sizeof *copy, options, options->size))
        return PLX_ERR_INVALID;
    if (!copy->allocator)
        copy->allocator = &plx__alloc_default;
    return copy->allocator->resize ? PLX_OK : PLX_ERR_INVALID;
}

/* Room for `count` watchers, and for descriptors of numbers that so many watchers tend to have. */
static int reserve(struct plx_context *context, size_t count)
{
    if (count >= PLX__SLOT_NONE)
        return PLX_ERR_NOMEM;
    int code = plx__slots_reserve(&context->slots, PLX__SLOT_THIN, (uint32_t)count);
    for (size_t fd = 0; code >= 0 && fd < 2 * count; fd += (size_t)1 << PLX__MAP_PAGE_BITS)
        code = plx__map_reserve(&context->map, (plx_socket)fd);
    return code;
}

static void free_memory(struct plx_context *context)
{
    plx_allocator allocator = context->allocator;
    plx__slots_close(&context->slots);
    plx__map_close(&context->map);
    plx__alloc_free(&allocator, context, sizeof *context);
}

static int open_context(struct plx_context *context, size_t capacity)
{
    context->touched = PLX__SLOT_NONE;
    plx__ring_open(&context->always);
    plx__ring_open(&context->buffered);
    plx__slots_open(&context->slots, &context->allocator, context, sizeof(struct plx_watcher),
                    sizeof(struct plx__wide));
    plx__map_open(&context->map, &context->allocator);
    context->guard = plx__os_guard(&context->stamp);
    if (!context->guard)
        return PLX_ERR_NOMEM;
    int code = reserve(context, capacity);
    if (code < 0)
        return code;
    return context->backend->open(&context->queue, &context->allocator, (uint32_t)capacity);
}

int plx_context_create(plx_context **ret_context, const plx_context_options *options)
{
    if (!ret_context)
        return PLX_ERR_INVALID;
    plx_context_options read;
    const struct plx__backend *backend;
    int code = read_options(options, &read);
    if (code < 0)
        return code;
    code = plx__backend_resolve(read.backend, &backend);
    if (code < 0)
        return code;

    struct plx_context *context = plx__alloc_zeroed(read.allocator, sizeof *context);
    if (!context)
        return PLX_ERR_NOMEM;
    context->backend = backend;
    context->allocator = *read.allocator;
    code = open_context(context,
                        read.capacity_hint > PLX__CAPACITY ? read.capacity_hint : PLX__CAPACITY);
    if (code < 0) {
        free_memory(context);
        return code;
    }
    *ret_context = context;
    return PLX_OK;
}

/* Runs the cleanup of every custom handle, in active watchers and in removed ones. */
static void clean_all(struct plx_context *context)
{
    plx_socket fd = PLX_BAD_SOCKET;
    uint32_t number;
    while ((number = plx__map_next(&context->map, &fd)) != PLX__MAP_NONE)
        plx__watcher_clean(plx__watcher_at(context, number));
    for (number = context->touched; number != PLX__SLOT_NONE;) {
        struct plx_watcher *watcher = plx__watcher_at(context, number);
        number = watcher->target.slot.next;
        if (!(watcher->flags & PLX__ACTIVE))
            plx__watcher_clean(watcher);
    }
}

void plx_context_destroy(plx_context *context)
{
    if (!context)
        return;
    clean_all(context);
    context->backend->close(context->queue);
    free_memory(context);
}

int plx_context_after_fork(plx_context *context)
{
    if (!context)
        return PLX_ERR_INVALID;
    if (!plx__is_forked(context))
        return atomic_load(&context->state) & PLX__BUSY ? PLX_ERR_BUSY : PLX_OK;
    int code = plx__requeue(context, true);
    if (code < 0)
        return code;
    /* Who was inside wait stayed in the parent, and so did the nested descriptor. */
    atomic_fetch_and(&context->state, PLX__WOKEN);
    context->is_raised = false;
    plx__os_guard(&context->stamp);
    return PLX_OK;
}

int plx_context_wake(plx_context *context)
{
    if (!context)
        return PLX_ERR_INVALID;
    if (plx__is_forked(context))
        return PLX_ERR_FORKED;
    uint32_t state = atomic_fetch_or(&context->state, PLX__WOKEN);
    if (!(state & PLX__WOKEN) && state & (PLX__SLEEPING | PLX__NESTED))
        context->backend->wake(context->queue);
    return PLX_OK;
}

plx_backend plx_context_backend(const plx_context *context)
{
    return context ? context->backend->id : PLX_BACKEND_NONE;
}

size_t plx_context_count(const plx_context *context)
{
    return context ? context->active_count : 0;
}

plx_watcher *plx_context_find(plx_context *context, plx_socket fd)
{
    if (!context)
        return NULL;
    uint32_t number = plx__map_get(&context->map, fd);
    return number == PLX__MAP_NONE ? NULL : plx__watcher_at(context, number);
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
