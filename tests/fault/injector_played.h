/* SPDX-License-Identifier: MIT */
/* injector_played.h: between the injector and its parts for kernels that are played. */
#ifndef FAULT_INJECTOR_PLAYED_H
#define FAULT_INJECTOR_PLAYED_H

#include "fault.h"

void injector_open_kqueue(void);
void injector_open_event_ports(void);

/* Has this one to fail? The rule, or NULL; and then -1 with its errno. */
const struct rule *injector_hit(enum point point);
int injector_fail(const struct rule *rule);

/* Around what a played kernel calls itself. */
void injector_enter_shim(void);
void injector_leave_shim(void);

/* The queue is about to be slept in. */
void injector_before_sleep(int queue);

#endif
