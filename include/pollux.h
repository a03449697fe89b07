/* SPDX-License-Identifier: MIT */
/*
 * pollux: one interface to what the kernel can wait for.
 *
 * A Handle says what to watch, events say when, a Watcher is one registration, a Context waits.
 *
 *     plx_context *context;
 *     plx_watcher *ready[64];
 *
 *     plx_context_create(&context, NULL);
 *     plx_context_add(context, plx_fd(fd), PLX_READ, my_server, NULL);
 *     for (;;) {
 *         int count = plx_context_wait(context, ready, 64, PLX_FOREVER);
 *         for (int i = 0; i < count; i++) {
 *             uint32_t events = plx_watcher_triggered(ready[i]);   // 0: removed meanwhile
 *             if (events)
 *                 serve(plx_watcher_data(ready[i]), events);
 *         }
 *     }
 */
#ifndef POLLUX_H
#define POLLUX_H

#include <pollux/backend.h>
#include <pollux/context.h>
#include <pollux/error.h>
#include <pollux/event.h>
#include <pollux/handle.h>
#include <pollux/loop.h>
#include <pollux/time.h>
#include <pollux/version.h>
#include <pollux/watcher.h>

#endif
