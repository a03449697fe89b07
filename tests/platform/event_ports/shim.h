/* SPDX-License-Identifier: MIT */
/*
 * shim.h: what the files of the shim share.
 *
 *   ports.c     which ports there are; fork, close, the lock, the knobs
 *   objects.c   descriptors that are associated, and when they fire
 *   queue.c     events that have fired or were sent, and their order
 *   calls.c     the calls that change a port
 *   get.c       the calls that take events out of it, and the sleep
 *
 * Everything is under one lock. Nobody sleeps with it. Names begin with ports_, because the shim of
 * another system may be in the same program.
 */
#ifndef EVENT_PORTS_SHIM_INTERNAL_H
#define EVENT_PORTS_SHIM_INTERNAL_H

#include <port.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "event_ports_shim.h"

/* One event of the queue: of an object, or sent. */
struct event {
    port_event_t told;
    struct object *object; /* NULL: sent, and free again with the delivery */
    struct event *before;
    struct event *behind;
    bool is_queued;
};

/* A descriptor that was associated. It is kept after the delivery, as in a kernel. */
struct object {
    struct event event;
    struct port *port;
    int fd;
    uint32_t generation; /* tells epoll's late reports */
    dev_t device;
    ino_t inode;
    int asked;       /* the bits of poll(2) */
    bool is_armed;   /* may fire */
    bool is_watched; /* has a registration in epoll, armed or not */
};

/* A thread that sleeps in a port. */
struct sleeper {
    struct sleeper *next;
    unsigned int wanted;
    int call; /* an eventfd that ends the sleep */
    bool is_alerted;
    port_event_t alert;
};

struct port {
    struct port *next;
    int fd;   /* the epoll queue of the armed objects and of `bell` */
    int bell; /* an eventfd, which makes `fd` readable while events are queued */
    bool rings;
    bool is_inherited; /* from the parent process: see after_fork_in_child() */
    bool is_closed;
    int threads; /* in it: the last one frees a closed port */
    uint32_t generations;
    struct object **objects; /* by number */
    int room;
    struct event *first;
    struct event *last;
    unsigned int queued;
    unsigned int kept; /* objects and sent events */
    unsigned int limit;
    struct sleeper *sleepers; /* who wants least is first */
    int spare_call;           /* -1: somebody sleeps on it */
    bool is_alerted;
    port_event_t alert;
};

/* Sent events, in all ports together: as many as one port may have. */
#define PORT_SHIM_POOL 65536

/* What epoll says of the bell. */
#define SHIM_BELL UINT64_MAX

extern struct port_traits ports_traits;
extern struct port_counts ports_counts;

/* ports.c. Signals are blocked under the lock, since port_send() may be called in a handler. */
void ports_lock(sigset_t *ret_outside);
void ports_unlock(const sigset_t *outside);
void ports_lock_again(void); /* after a sleep, in which only the signals stayed blocked */
void ports_unlock_to_sleep(void);
bool ports_is_turn(unsigned int every, unsigned int *count);
int ports_close(int fd);   /* the real one, which takes no lock */
void ports_ring(int bell); /* an eventfd */
void ports_silence(int bell);

/* Finds a port for a call and locks; NULL: errno says why. `leave` unlocks and keeps errno. */
struct port *ports_enter(int fd, sigset_t *ret_outside);
void ports_leave(struct port *port, const sigset_t *outside);

/* The same inside the lock: a number of errno, 0 for none. */
int ports_find(int fd, struct port **ret_port);

/* objects.c. Causes are numbers of errno, 0 for none. */
int ports_associate(struct port *port, int fd, int events, void *user);
int ports_dissociate(struct port *port, int fd);
struct object *ports_object_of(struct port *port, int fd);
bool ports_is_stale(const struct object *object);
void ports_drop_object(struct object *object);
void ports_notice(struct port *port);

/* queue.c */
void ports_enqueue(struct port *port, struct event *event);
void ports_dequeue(struct port *port, struct event *event);
void ports_free_sent(struct event *event);
int ports_send(struct port *port, int events, void *user);
unsigned int ports_deliver(struct port *port, port_event_t *list, unsigned int max);
void ports_settle(struct port *port); /* who is to know of the queue knows */

#endif
