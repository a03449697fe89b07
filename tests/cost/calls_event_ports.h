/* SPDX-License-Identifier: MIT */
/* calls_event_ports.h: system calls of event ports, where they are played. */
#ifndef COST_CALLS_EVENT_PORTS_H
#define COST_CALLS_EVENT_PORTS_H

#include "desk.h"

extern const struct cost_group calls_event_ports_group;

/* From now on they count. */
void calls_event_ports_count(void);

#endif
