/* SPDX-License-Identifier: MIT */
/*
 * kit.h: what the tests of the shim share. A fact is a function that returns true if it holds; its
 * comment names the source.
 */
#ifndef KQUEUE_SHIM_KIT_H
#define KQUEUE_SHIM_KIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/event.h>

#include "kqueue_shim.h"
#include "tests/platform/facts.h"

extern const struct fact facts_of_changes[];
extern const struct fact facts_of_modes[];
extern const struct fact facts_of_ends[];
extern const struct fact facts_of_files[];
extern const struct fact facts_of_sources[];
extern const struct fact facts_of_queues[];

/* Opens; the kit closes it after the fact. */
int new_queue(void);

struct pair new_tcp_pair(void);
int new_listener(void);
int new_client(int listener); /* non-blocking, connected or about to be */

/* One change without an event list: 0, or the cause. */
int change(int kq, intptr_t ident, int filter, unsigned int flags);
int change_with(int kq, intptr_t ident, int filter, unsigned int flags, unsigned int fflags,
                intptr_t data, void *udata);

/* What is active now: how many events there are. */
int ask(int kq, struct kevent *ret_events, int room);

/* The same, waiting for the first one for as long as the machine needs. */
int await(int kq, struct kevent *ret_events, int room);

#endif
