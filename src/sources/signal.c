/* SPDX-License-Identifier: MIT */
/*
 * signal.c: signals as watchers.
 *
 * The handler counts the delivery in each watcher of that signal and raises it. Rejected: a pipe
 * that carries the number, as others have it, since it overflows, costs calls for each delivery,
 * and in a forked child writes to the parent; signalfd(), since the signal has to be blocked for
 * it, which children inherit.
 */
#include "src/sources/sources.h"

struct signal {
    struct plx__subscriber subscriber;
    uint64_t count; /* deliveries in the last report */
};

static struct plx__subscriber *to_subscriber(struct plx_watcher *watcher)
{
    return (struct plx__subscriber *)watcher;
}

/* In a signal handler, on any thread. */
static void deliver(struct plx__subscription *subscription)
{
    struct plx__subscriber *subscriber =
        (struct plx__subscriber *)((uintptr_t)subscription -
                                   offsetof(struct plx__subscriber, subscription));
    struct plx_context *context = plx__watcher_owner(&subscriber->raised.ringed.watcher);
    if (plx__is_forked(context))
        return;
    atomic_fetch_add(&subscriber->arrived, 1);
    plx__raise(context, &subscriber->raised);
}

int plx__subscriber_open(struct plx_context *context, struct plx_watcher *watcher, int signo)
{
    struct plx__subscriber *subscriber = to_subscriber(watcher);
    subscriber->subscription.signo = signo;
    subscriber->subscription.deliver = deliver;
    plx__raised_open(context, &subscriber->raised);
    int code = plx__signals_subscribe(&subscriber->subscription);
    if (code < 0)
        plx__raised_close(context, &subscriber->raised);
    return code;
}

void plx__subscriber_close(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__subscriber_release(watcher);
    plx__raised_close(context, plx__raised(watcher));
}

void plx__subscriber_release(struct plx_watcher *watcher)
{
    plx__signals_unsubscribe(&to_subscriber(watcher)->subscription);
}

int plx__subscriber_resume(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__subscriber_take(context, watcher);
    return plx__signals_subscribe(&to_subscriber(watcher)->subscription);
}

/* In this order: a delivery in between raises the watcher again, and at worst for nothing. */
uint32_t plx__subscriber_take(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__lower(context, plx__raised(watcher));
    return atomic_exchange(&to_subscriber(watcher)->arrived, 0);
}

plx_handle plx_signal(int signo)
{
    plx_handle handle = {.kind = PLX_HANDLE_SIGNAL, .as.signo = signo};
    return handle;
}

static int start(struct plx_context *context, struct plx_watcher **watcher,
                 const plx_handle *handle)
{
    return plx__subscriber_open(context, *watcher, handle->as.signo);
}

static int change(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__raised_arm(context, plx__raised(watcher));
    return PLX_OK;
}

static uint32_t report(struct plx_context *context, struct plx_watcher *watcher)
{
    uint32_t count = plx__subscriber_take(context, watcher);
    if (count == 0)
        return 0;
    ((struct signal *)watcher)->count = count;
    return PLX_SIGNAL;
}

static plx_handle handle_of(const struct plx_watcher *watcher)
{
    return plx_signal(((const struct plx__subscriber *)watcher)->subscription.signo);
}

static uint64_t count_of(const struct plx_watcher *watcher)
{
    return ((const struct signal *)watcher)->count;
}

const struct plx__kind_ops plx__kind_signal = {
    .size = sizeof(struct signal),
    .natural = PLX_SIGNAL,
    .start = start,
    .change = change,
    .mute = plx__ready_leave,
    .stop = plx__subscriber_close,
    .report = report,
    .handle = handle_of,
    .count = count_of,
    .resume = plx__subscriber_resume,
    .release = plx__subscriber_release,
};
