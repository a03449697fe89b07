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

extern const struct fact facts_of_associations[];
extern const struct fact facts_of_getting[];
extern const struct fact facts_of_sending[];
extern const struct fact facts_of_ports[];
extern const struct fact facts_of_threads[];
extern const struct fact facts_of_knobs[];

/* Opens; the kit closes it after the fact. */
int new_port(void);
int keep(int fd);
void drop(int fd); /* closes it now */

struct pair {
    int here;
    int there;
};

struct pair new_pipe(void); /* `here` reads */
struct pair new_unix_pair(void);
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

/* Is a descriptor readable in the eyes of poll(2)? */
bool shows(int fd);

void put(int fd, const char *text);
void empty(int fd); /* reads all there is */
void fill(int fd);  /* writes all that fits */

#endif
