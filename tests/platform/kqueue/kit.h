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
#include "tap.h"

struct fact {
    const char *name;
    bool (*holds)(void);
};

#define FACT(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
#define FACTS_END                                                                                  \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }

extern const struct fact facts_of_changes[];
extern const struct fact facts_of_modes[];
extern const struct fact facts_of_ends[];
extern const struct fact facts_of_files[];
extern const struct fact facts_of_sources[];
extern const struct fact facts_of_queues[];

/* Opens; the kit closes it after the fact. */
int new_queue(void);
int keep(int fd);
void drop(int fd); /* closes it now */

struct pair {
    int here;
    int there;
};

struct pair new_pipe(void); /* `here` reads */
struct pair new_unix_pair(void);
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

/* Is a descriptor readable in the eyes of poll(2)? */
bool shows(int fd);

void put(int fd, const char *text);
void empty(int fd); /* reads all there is */
void fill(int fd);  /* writes all that fits */

#endif
