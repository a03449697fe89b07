/* SPDX-License-Identifier: MIT */
/*
 * epoll.h: the seam of the backend epoll for its tests. Every system call of epoll.c goes through
 * this table, so that a test can count it, fail it, or play an older kernel.
 */
#ifndef POLLUX_BACKENDS_EPOLL_H
#define POLLUX_BACKENDS_EPOLL_H

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <time.h>

struct plx__epoll_calls {
    int (*create)(int flags);
    int (*control)(int queue, int operation, int fd, struct epoll_event *event);
    int (*wait)(int queue, struct epoll_event *events, int capacity, int milliseconds);
    int (*wait_exactly)(int queue, struct epoll_event *events, int capacity,
                        const struct timespec *timeout, const sigset_t *mask);
    int (*look)(struct pollfd *entries, nfds_t count, int milliseconds);
    int (*eventfd)(unsigned int value, int flags);
    int (*timerfd)(int clock, int flags);
    int (*set_timer)(int timer, int flags, const struct itimerspec *time, struct itimerspec *old);
    ssize_t (*read)(int fd, void *bytes, size_t size);
    ssize_t (*write)(int fd, const void *bytes, size_t size);
    int (*close)(int fd);
};

extern struct plx__epoll_calls plx__epoll_calls;

#endif
