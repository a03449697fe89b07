/* SPDX-License-Identifier: MIT */
/*
 * descriptor.h: what kinds of watchers with a descriptor of the library's own behind them share
 * with those that have the caller's.
 */
#ifndef POLLUX_CORE_DESCRIPTOR_H
#define POLLUX_CORE_DESCRIPTOR_H

#include "src/core/context.h"

extern const struct plx__kind_ops plx__kind_fd;
extern const struct plx__kind_ops plx__kind_wide;

/*
 * Registers a watcher whose target.fd and events are set, in the kernel and in the map. It may put
 * a watcher of the wide kind in its place. `is_new`: the descriptor was made just now, so that
 * whoever is registered under its number has lost it, and is retired. On error nothing has changed.
 */
int plx__descriptor_enter(struct plx_context *context, struct plx_watcher **watcher, bool is_new);

/* Takes it out of the kernel and of the map. */
void plx__descriptor_leave(struct plx_context *context, struct plx_watcher *watcher);

/* Arms it again with the events that it has now. On error nothing has changed. */
int plx__descriptor_change(struct plx_context *context, struct plx_watcher *watcher);

/* It is PLX__MUTED now. */
void plx__descriptor_mute(struct plx_context *context, struct plx_watcher *watcher);

#endif
