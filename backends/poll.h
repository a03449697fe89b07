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

    /* Two ends, which may be one and the same: what is written to the second one makes the first
       readable. Both non-blocking and close-on-exec. -1: see errno. */
    int (*open_wake)(int ret_ends[2]);
    ssize_t (*read)(int fd, void *bytes, size_t size);
    ssize_t (*write)(int fd, const void *bytes, size_t size);
    int (*close)(int fd);
};

/* In poll_linux.c, or elsewhere poll_posix.c. */
extern struct plx__poll_calls plx__poll_calls;

#endif
