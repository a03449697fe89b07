/* SPDX-License-Identifier: MIT */
/*
 * poll.h: the seam of the backend poll for its tests, as epoll.h is for epoll.
 */
#ifndef POLLUX_BACKENDS_POLL_H
#define POLLUX_BACKENDS_POLL_H

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

struct plx__poll_calls {
    int (*wait)(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask);
    int (*eventfd)(unsigned int value, int flags);
    ssize_t (*read)(int fd, void *bytes, size_t size);
    ssize_t (*write)(int fd, const void *bytes, size_t size);
    int (*close)(int fd);
};

extern struct plx__poll_calls plx__poll_calls;

#endif
