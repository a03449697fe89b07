/* SPDX-License-Identifier: MIT */
/*
 * poll_posix.c: what poll.c calls where there is only what POSIX has: poll(2), in milliseconds, and
 * a pipe. macOS has no ppoll(2), and no pipe2(2).
 *
 * POLLUX_PLAIN_POLL chooses it on Linux as well, so that it is tested.
 */
#include "backends/poll.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

/* Rounded up, and cut to what fits: the core looks at the clock. */
static int milliseconds(const struct timespec *timeout)
{
    const time_t most = INT_MAX / 1000 - 1;
    if (!timeout)
        return -1;
    if (timeout->tv_sec > most)
        return (int)most * 1000;
    return (int)timeout->tv_sec * 1000 + (int)((timeout->tv_nsec + 999999) / 1000000);
}

static int wait(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask)
{
    (void)mask; /* always NULL */
    return poll(entries, count, milliseconds(timeout));
}

static int prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -1;
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int open_wake(int ret_ends[2])
{
    if (pipe(ret_ends) < 0)
        return -1;
    if (prepare(ret_ends[0]) == 0 && prepare(ret_ends[1]) == 0)
        return 0;
    int cause = errno;
    close(ret_ends[0]);
    close(ret_ends[1]);
    errno = cause;
    return -1;
}

struct plx__poll_calls plx__poll_calls = {
    .wait = wait,
    .open_wake = open_wake,
    .read = read,
    .write = write,
    .close = close,
};
