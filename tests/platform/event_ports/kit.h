/* SPDX-License-Identifier: MIT */
/*
 * kit.h: what the tests of the shim share. A fact is a function that returns true if it holds; its
 * comment names the source: a manual page or a function of illumos.
 */
#ifndef EVENT_PORTS_SHIM_KIT_H
#define EVENT_PORTS_SHIM_KIT_H

#include <poll.h>
#include <port.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "event_ports_shim.h"
#include "tests/platform/facts.h"

extern const struct fact facts_of_associations[];
extern const struct fact facts_of_getting[];
extern const struct fact facts_of_sending[];
extern const struct fact facts_of_ports[];
extern const struct fact facts_of_threads[];
extern const struct fact facts_of_knobs[];

/* Opens; the kit closes it after the fact. */
int new_port(void);

struct pair new_tcp_pair(void);
int new_file(void);
void reset(int fd); /* closes a TCP socket with RST */

/* The numbers of the descriptors that are opened next, to see that nothing was left open. */
struct numbers {
    int fds[8];
};

struct numbers next_numbers(void);
bool are_next(struct numbers numbers);

/* 0, or the cause. */
int associate(int port, int fd, int events);
int dissociate(int port, int fd);

/* What has fired: how many events there are. */
int ask(int port, port_event_t *ret_events, unsigned int max);

/* One event, waiting for it as long as the machine needs. */
bool await(int port, port_event_t *ret_event);

/* Is there one event now, of this descriptor, with these bits? */
bool is_told(int port, int fd, int events);

#endif
