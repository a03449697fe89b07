/* SPDX-License-Identifier: MIT */
/*
 * event_ports_shim.h: event ports for tests on Linux, played over epoll, and the knobs of it.
 *
 * They are written after the manual pages and the kernel and libc of illumos and after nothing
 * else, so that what is tested with them meets the traps of that system: a queue of events that
 * are snapshots of the moment they fired in, associations that end with their delivery, and all
 * that docs/kernels/event_ports.md lists.
 *
 * Sources: FD and USER, and the alert mode. PORT_SOURCE_FILE is ENOTSUP, which is what a file
 * system without it says; the sources with association calls of their own do not exist.
 *
 * How it is played. The port's descriptor is an epoll queue, so it can be polled and nested. It has
 * the armed descriptors, each registered for one report, and an eventfd that is readable while
 * events are queued.
 *
 * What is not exact:
 *  - A kernel queues an event in the moment its descriptor becomes ready, and gives it although it
 *    is over by then. The shim notices at the next call of the port: what came and went between two
 *    calls is not told. port_shim_notice() notices now. port_send() does not notice, so that what
 *    is sent may come before what was ready first.
 *  - Whether a descriptor is ready, and with which bits, is Linux's opinion.
 *  - A port is shared with the children of a process. Here a child has it as a descriptor only:
 *    it can be polled and closed, and port_dissociate() has its EACCES; the other calls would reach
 *    the parent's port, and are refused (ENOTSUP) and counted instead.
 *  - A second number for the port, made with dup(), is no port. (On illumos closing one of two
 *    numbers drops the associations of the process.)
 *  - A port is never ready for POLLOUT, and cannot be associated with itself.
 *  - Among sleepers the one who asks for fewest events is served first, as the manual says.
 *    illumos gets that wrong when the second one asks for more than the first.
 *  - The times are those of a monotonic clock; see early_every.
 *  - A close is seen where close(), dup2() and dup3() are replaced by the linker, which the CMake
 *    target of the shim sees to. A close behind its back is noticed by the file's identity, which
 *    anonymous files, such as an eventfd, do not have.
 *  - While a thread sleeps for more events than there are, the port is not readable. Ports are
 *    nested five deep at most, as epoll has it.
 *  - A port takes three descriptors, and one more for each further thread that sleeps in it.
 */
#ifndef EVENT_PORTS_SHIM_H
#define EVENT_PORTS_SHIM_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum port_order {
    PORT_IN_ORDER, /* as the events came: what a kernel does with one thread */
    PORT_REVERSED,
    PORT_SHUFFLED /* by the seed */
};

/* Where systems differ, and what happens there seldom enough that no test would meet it. `every`:
   0 is never, 1 is always, 2 is every second time. */
struct port_traits {
    bool has_rdhup; /* illumos. On Solaris 11.4 the bit of POLLRDHUP is never reported. */
    /* An event that fires after the association has one bit, by turns: a kernel tells what woke it,
       and what comes later, before the delivery, is not added. */
    bool one_bit;
    enum port_order order;
    unsigned int seed;
    /* process.max-port-events of the ports that are made from now on: events that were sent, and
       descriptors from their association up to port_dissociate() or close(), delivered or not. */
    unsigned int limit;
    /* A port_getn() that has a time and gives events says ETIME beside them: the time was over
       when they came. */
    unsigned int etime_every;
    /* A call that would be allowed to sleep says EINTR, though there are events, and leaves them
       in the queue, and *nget and the list alone: the signal was first. */
    unsigned int eintr_every;
    bool eintr_gives; /* EINTR comes with events. No known system does it. */
    /* A sleep with a time says ETIME at once: somebody has set the clock. */
    unsigned int early_every;
};

extern const struct port_traits port_shim_illumos;
extern const struct port_traits port_shim_solaris;
extern const struct port_traits port_shim_hostile; /* illumos on a bad day: all but eintr_gives */

/* Takes effect at once, for all ports. It starts as illumos, or as the environment says:
   EVENT_PORTS_SHIM=solaris or hostile. */
void port_shim_play(const struct port_traits *traits);

/* What was called since the last reset, in the whole process. */
struct port_counts {
    unsigned long associates;
    unsigned long dissociates;
    unsigned long gets;    /* port_get() and port_getn() */
    unsigned long sends;   /* events, which port_sendn() sends one by one */
    unsigned long others;  /* port_create(), port_alert() */
    unsigned long events;  /* that were given */
    unsigned long sleeps;  /* that were begun */
    unsigned long foreign; /* calls on the port of a parent, which were refused */
};

struct port_counts port_shim_counts(void);
void port_shim_reset_counts(void);

/* How many descriptors are associated (not yet delivered), and how many a kernel still keeps a
   structure for, which count towards the limit. -1 if it is no port. */
int port_shim_associated(int port);
int port_shim_kept(int port);

/* What is ready now has fired, in all ports, as it would have in a kernel by itself. */
void port_shim_notice(void);

/* The descriptor is about to be closed. For programs that replace close() themselves. */
void port_shim_closing(int fd);

#ifdef __cplusplus
}
#endif

#endif
