/* SPDX-License-Identifier: MIT */
/*
 * context.c: a context from create to destroy, and across fork.
 */
#include "src/core/context.h"

#include <string.h>

#include "src/base/duration.h"
#include "src/sources/timer.h"

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

static int reserve(struct plx_context *context, size_t count)
{
    if (count >= PLX__SLOT_LIMIT)
        return PLX_ERR_NOMEM;
    int code =
        plx__slots_reserve(&context->slots, plx__kind_class(PLX__KIND_FD, false), (uint32_t)count);
    return code < 0 ? code : plx__map_expect(&context->map, (uint32_t)count);
}

static void open_slots(struct plx_context *context)
{
    size_t sizes[PLX__KINDS * 2];
    for (unsigned i = 0; i < PLX__KINDS; i++) {
        enum plx__kind kind = (enum plx__kind)i;
        sizes[plx__kind_class(kind, false)] = plx__kinds[kind]->size;
        sizes[plx__kind_class(kind, true)] = plx__kinds[kind]->size + sizeof(plx_callback *);
    }
    plx__slots_open(&context->slots, &context->allocator, context, sizes, PLX__KINDS * 2);
    plx__slots_tag(&context->slots, plx__kind_class(PLX__KIND_TIMER, false));
    plx__slots_tag(&context->slots, plx__kind_class(PLX__KIND_TIMER, true));
}

static void free_memory(struct plx_context *context)
{
    plx_allocator allocator = context->allocator;
    plx__timers_close(&context->timers);
    plx__slots_close(&context->slots);
    plx__map_close(&context->map);
    plx__alloc_free(&allocator, context, sizeof *context);
}

static int open_context(struct plx_context *context, size_t capacity)
{
    context->touched = PLX__SLOT_NONE;
    plx__ring_open(&context->always);
    plx__ring_open(&context->buffered);
    plx__ring_open(&context->raised);
    plx__ring_open(&context->raisable);
    plx__timers_begin(context);
    context->alarm = PLX__NEVER;
    open_slots(context);
    plx__map_open(&context->map, &context->allocator);
    context->guard = plx__os_guard(&context->stamp);
    if (!context->guard)
        return plx__os_error();
    int code = reserve(context, capacity);
    if (code < 0)
        return code;
    return context->backend->open(&context->queue, &context->allocator, (uint32_t)capacity);
}

_Atomic(struct plx_context *) plx__latest_context;

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
    context->task_dropped = read.task_dropped;
    code = open_context(context,
                        read.capacity_hint > PLX__CAPACITY ? read.capacity_hint : PLX__CAPACITY);
    if (code < 0) {
        free_memory(context);
        return code;
    }
    atomic_store_explicit(&plx__latest_context, context, memory_order_relaxed);
    *ret_context = context;
    return PLX_OK;
}

static void let_go(struct plx_watcher *watcher)
{
    const struct plx__kind_ops *ops = plx__kinds[plx__watcher_kind(watcher)];
    if (watcher->flags & PLX__ACTIVE && ops->release)
        ops->release(watcher);
    if (ops->clean)
        ops->clean(watcher);
}

/* Lets go of what watchers hold beside memory: of active ones, and of removed ones. */
static void let_all_go(struct plx_context *context)
{
    plx_socket fd = PLX_BAD_SOCKET;
    uint32_t number;
    while (!plx__ring_is_empty(&context->raisable)) {
        struct plx__raised *raised = plx__raised_among(context->raisable.next);
        plx__ring_leave(&raised->among);
        let_go(&raised->ringed.watcher);
    }
    while ((number = plx__map_next(&context->map, &fd)) != PLX__MAP_NONE)
        let_go(plx__watcher_at(context, number));
    for (number = context->touched; number != PLX__SLOT_NONE;) {
        struct plx_watcher *watcher = plx__watcher_at(context, number);
        number = plx__slot_next(&watcher->target.slot);
        if (!(watcher->flags & PLX__ACTIVE))
            let_go(watcher);
    }
}

void plx_context_destroy(plx_context *context)
{
    if (!context)
        return;
    if (plx__loop_is_inside(context)) {
        plx__loop_doom(context);
        return;
    }
    plx__loop_close(context);
    let_all_go(context);
    context->backend->close(context->queue);
    struct plx_context *latest = context;
    atomic_compare_exchange_strong(&plx__latest_context, &latest, NULL);
    free_memory(context);
}

/* What belongs to the process, and not to its descriptors or memory, is not inherited. */
static int resume_all(struct plx_context *context)
{
    plx__raised_after_fork(context);
    struct plx__ring *node = context->raisable.next;
    int code = PLX_OK;
    for (; code >= 0 && node != &context->raisable; node = node->next) {
        struct plx_watcher *watcher = &plx__raised_among(node)->ringed.watcher;
        const struct plx__kind_ops *ops = plx__kinds[plx__watcher_kind(watcher)];
        if (ops->resume)
            code = ops->resume(context, watcher);
    }
    return code;
}

int plx_context_after_fork(plx_context *context)
{
    if (!context)
        return PLX_ERR_INVALID;
    if (!plx__is_forked(context))
        return atomic_load(&context->state) & PLX__BUSY ? PLX_ERR_BUSY : PLX_OK;
    if (plx__loop_is_inside(context))
        return PLX_ERR_BUSY;
    int code = plx__requeue(context, true);
    if (code < 0)
        return code;
    /* Who was inside wait stayed in the parent, and so did the nested descriptor and the tasks. */
    atomic_fetch_and(&context->state, PLX__WOKEN | PLX__ARRIVED | PLX__STOPPED | PLX__HALTED);
    plx__loop_after_fork(context);
    context->is_raised = false;
    context->alarm = PLX__NEVER;
    uint32_t parent = context->stamp;
    plx__os_guard(&context->stamp); /* from now on signals count here */
    code = resume_all(context);
    if (code < 0)
        context->stamp = parent;
    return code;
}

int plx_context_wake(plx_context *context)
{
    if (!context)
        return PLX_ERR_INVALID;
    if (plx__is_forked(context))
        return PLX_ERR_FORKED;
    plx__rouse(context, PLX__WOKEN);
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
