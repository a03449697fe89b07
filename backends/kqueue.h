/* SPDX-License-Identifier: MIT */
/*
 * kqueue.h: the seam of the backend kqueue for its tests. Every system call of kqueue.c goes
 * through this table, so that a test can count it, fail it, or play another kernel.
 */
#ifndef POLLUX_BACKENDS_KQUEUE_H
#define POLLUX_BACKENDS_KQUEUE_H

#include <sys/types.h> /* before sys/event.h on OpenBSD */

#include <poll.h>
#include <stddef.h>
#include <sys/event.h>
#include <sys/stat.h>
#include <time.h>

struct plx__kqueue_calls {
    int (*create)(void);
    /* Of the numbers of changes and events both fit an int; NetBSD before 11 has size_t here. */
    int (*kevent)(int queue, const struct kevent *changes, int change_count, struct kevent *events,
                  int room, const struct timespec *timeout);
    int (*look)(struct pollfd *entries, nfds_t count, int milliseconds);
    int (*identify)(int fd, struct stat *file);
    int (*control)(int fd, int command, ...); /* fcntl */
    int (*pipe)(int ends[2]);
    ssize_t (*read)(int fd, void *bytes, size_t size);
    ssize_t (*write)(int fd, const void *bytes, size_t size);
    int (*close)(int fd);
};

extern struct plx__kqueue_calls plx__kqueue_calls;

#endif
