/* SPDX-License-Identifier: MIT */
/* injector_event_ports.h: the injector's part for event ports, where they are played. */
#ifndef FAULT_INJECTOR_EVENT_PORTS_H
#define FAULT_INJECTOR_EVENT_PORTS_H

void injector_open_event_ports(void);

#endif
