/* SPDX-License-Identifier: MIT */
/* injector_kqueue.h: between the injector and its parts for kernels that are played. */
#ifndef FAULT_INJECTOR_KQUEUE_H
#define FAULT_INJECTOR_KQUEUE_H

#include <poll.h>

#include "fault.h"

void injector_open_kqueue(void);

/* Has this one to fail? The rule, or NULL; and then -1 with its errno. */
const struct rule *injector_hit(enum point point);
int injector_fail(const struct rule *rule);

/* How many there were in this public call, failing or not. */
int injector_count(enum point point);

/* The nested descriptor shows until the next wait that somebody was refused. */
void injector_owe(void);

/* The same of poll(2) about one watcher alone. */
const struct rule *injector_hit_one(enum point point, struct pollfd entry);
int injector_fail_one(const struct rule *rule, struct pollfd entry);

/* Around what a played kernel calls itself. */
void injector_enter_shim(void);
void injector_leave_shim(void);

/* The queue is about to be slept in. */
void injector_before_sleep(int queue);

#endif
