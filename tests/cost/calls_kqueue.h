/* SPDX-License-Identifier: MIT */
/* calls_kqueue.h: system calls of kqueue, where that is played. */
#ifndef COST_CALLS_KQUEUE_H
#define COST_CALLS_KQUEUE_H

#include "desk.h"

extern const struct cost_group calls_kqueue_group;

/* From now on they count. */
void calls_kqueue_count(void);

#endif
