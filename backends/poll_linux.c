/* SPDX-License-Identifier: MIT */
/*
 * poll_linux.c: what poll.c calls on Linux: ppoll(2), which sleeps for nanoseconds, and an eventfd.
 */
#include "backends/poll.h"

#include <sys/eventfd.h>
#include <unistd.h>

static int open_wake(int ret_ends[2])
{
    ret_ends[0] = ret_ends[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return ret_ends[0] < 0 ? -1 : 0;
}

struct plx__poll_calls plx__poll_calls = {
    .wait = ppoll,
    .open_wake = open_wake,
    .read = read,
    .write = write,
    .close = close,
};
