/* SPDX-License-Identifier: MIT */
/*
 * notify.c: a watcher that other threads and signal handlers raise.
 *
 * The kernel has one object for all of them, the wake of the context: raising one of ten thousand
 * costs what raising a single one costs, and raising it again before it was cleared costs nothing.
 */
#include "src/sources/sources.h"

plx_handle plx_notify(void)
{
    plx_handle handle = {.kind = PLX_HANDLE_NOTIFY};
    return handle;
}

static int start(struct plx_context *context, struct plx_watcher **watcher,
                 const plx_handle *handle)
{
    (void)handle;
    plx__raised_open(context, plx__raised(*watcher));
    return PLX_OK;
}

static int change(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__raised_arm(context, plx__raised(watcher));
    return PLX_OK;
}

static void stop(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__raised_close(context, plx__raised(watcher));
}

/* It stays ready until it is cleared. */
static uint32_t report(struct plx_context *context, struct plx_watcher *watcher)
{
    (void)context;
    (void)watcher;
    return PLX_NOTIFY;
}

static plx_handle handle_of(const struct plx_watcher *watcher)
{
    (void)watcher;
    return plx_notify();
}

const struct plx__kind_ops plx__kind_notify = {
    .size = sizeof(struct plx__raised),
    .natural = PLX_NOTIFY,
    .start = start,
    .change = change,
    .mute = plx__ready_leave,
    .stop = stop,
    .report = report,
    .handle = handle_of,
};

/*
 * Of the watcher itself only what never changes is read, and what is atomic: its owner may be busy
 * with it just now.
 */
int plx_watcher_notify(plx_watcher *watcher)
{
    if (!watcher || plx__watcher_kind(watcher) != PLX__KIND_NOTIFY)
        return PLX_ERR_INVALID;
    struct plx_context *context = plx__watcher_owner(watcher);
    if (plx__is_forked(context))
        return PLX_ERR_FORKED;
    return plx__raise(context, plx__raised(watcher));
}

int plx_watcher_clear(plx_watcher *watcher)
{
    struct plx_context *context;
    int code = plx__watcher_check(watcher, &context);
    if (code < 0)
        return code;
    if (plx__watcher_kind(watcher) != PLX__KIND_NOTIFY)
        return PLX_ERR_INVALID;
    plx__lower(context, plx__raised(watcher));
    plx__nest_update(context);
    return PLX_OK;
}
