/* SPDX-License-Identifier: MIT */
/*
 * process.h: what the core asks of process watchers.
 */
#ifndef POLLUX_SOURCES_PROCESS_H
#define POLLUX_SOURCES_PROCESS_H

#include "src/core/context.h"

/* The kernel says that its descriptor is readable: PLX_PROCESS, or 0 if that was for nothing. */
uint32_t plx__process_finish(struct plx_watcher *watcher);

#endif
