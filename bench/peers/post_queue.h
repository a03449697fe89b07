/* SPDX-License-Identifier: MIT */
/*
 * post_queue.h: the queue that users of a library without one put before its wake-up.
 *
 * A list under a mutex, as the manuals of libuv and libev tell their users to write. An item is
 * freed by the loop.
 */
#ifndef BENCH_POST_QUEUE_H
#define BENCH_POST_QUEUE_H

#include <stdint.h>

/* Any thread. The caller then wakes the loop. */
void post_queue_put(uint64_t *counter);

/* On the thread of the loop: adds one to the counter of each item, in their order. */
void post_queue_run(void);

#endif
