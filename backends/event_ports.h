/* SPDX-License-Identifier: MIT */
/*
 * event_ports.h: the seam of the backend event_ports for its tests. Every system call of
 * event_ports.c goes through this table, so that a test can count it, fail it, or play another
 * kernel.
 */
#ifndef POLLUX_BACKENDS_EVENT_PORTS_H
#define POLLUX_BACKENDS_EVENT_PORTS_H

#include <sys/types.h>

#include <poll.h>
#include <port.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

struct plx__event_ports_calls {
    int (*create)(void);
    int (*associate)(int port, int source, uintptr_t object, int events, void *user);
    int (*dissociate)(int port, int source, uintptr_t object);
    int (*send)(int port, int events, void *user);
    int (*alert)(int port, int flags, int events, void *user);
    int (*get)(int port, port_event_t *events, uint_t room, uint_t *count,
               struct timespec *timeout);
    /* The same, but not to wait: what comes is looked at anew. */
    int (*drain)(int port, port_event_t *events, uint_t room, uint_t *count,
                 struct timespec *timeout);
    int (*look)(struct pollfd *entries, nfds_t count, int milliseconds);
    int (*identify)(int fd, struct stat *file);
    int (*control)(int fd, int command, ...); /* fcntl */
    /* Missing on Solaris, where the queue cannot be nested. */
    int (*timerfd)(int clock, int flags);
    int (*set_timer)(int timer, int flags, const struct itimerspec *time, struct itimerspec *old);
    int (*close)(int fd);
};

extern struct plx__event_ports_calls plx__event_ports_calls;

#endif
