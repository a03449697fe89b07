/* SPDX-License-Identifier: MIT */
/*
 * sources.h: what can be watched without a descriptor of the caller's. They are watchers like
 * others; each kind is one file with a row for plx__kinds at its end.
 */
#ifndef POLLUX_SOURCES_SOURCES_H
#define POLLUX_SOURCES_SOURCES_H

#include "src/core/context.h"
#include "src/os/signals.h"

extern const struct plx__kind_ops plx__kind_timer;
extern const struct plx__kind_ops plx__kind_notify;
extern const struct plx__kind_ops plx__kind_signal;
extern const struct plx__kind_ops plx__kind_process;

/* A watcher that signals raise. */
struct plx__subscriber {
    struct plx__raised raised;
    struct plx__subscription subscription;
    _Atomic uint32_t arrived; /* deliveries that were not reported yet */
};

static inline struct plx__raised *plx__raised(struct plx_watcher *watcher)
{
    return (struct plx__raised *)watcher;
}

/* Lets deliveries of a signal raise the watcher, and ends that. On error nothing has changed. */
int plx__subscriber_open(struct plx_context *context, struct plx_watcher *watcher, int signo);
void plx__subscriber_close(struct plx_context *context, struct plx_watcher *watcher);

/* In a forked child: subscribes again, and forgets what was delivered to the parent. */
int plx__subscriber_resume(struct plx_context *context, struct plx_watcher *watcher);

/* The context is being destroyed: no more deliveries. */
void plx__subscriber_release(struct plx_watcher *watcher);

/* Lowers the watcher and returns how many deliveries came since the last time. */
uint32_t plx__subscriber_take(struct plx_context *context, struct plx_watcher *watcher);

#endif
