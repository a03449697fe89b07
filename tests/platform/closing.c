/* SPDX-License-Identifier: MIT */
/*
 * closing.c: close(), dup2() and dup3(), by which a number stops to name what it named. The linker
 * puts these in their place (--wrap), and every shim that is in the program hears of it: one file
 * for all of them, since a program can have one __wrap_close() only.
 *
 * They are weak, so that a program may replace close() itself and tell the shims.
 */
#include <errno.h>
#include <fcntl.h>

#include "closing.h"

int __real_close(int fd);
int __real_dup2(int from, int to);
int __real_dup3(int from, int to, int flags);
int __wrap_close(int fd) __attribute__((weak));
int __wrap_dup2(int from, int to) __attribute__((weak));
int __wrap_dup3(int from, int to, int flags) __attribute__((weak));

int __wrap_close(int fd)
{
    shims_closing(fd);
    return __real_close(fd);
}

/* What fails, and what is the same already, closes nothing. */
static void before_dup(int from, int to)
{
    int cause = errno;
    if (from != to && fcntl(from, F_GETFD) >= 0)
        shims_closing(to);
    errno = cause;
}

static int after_dup(int from, int result)
{
    if (result >= 0 && result != from && kqueue_shim_duplicated)
        kqueue_shim_duplicated(from, result);
    return result;
}

int __wrap_dup2(int from, int to)
{
    before_dup(from, to);
    return after_dup(from, __real_dup2(from, to));
}

int __wrap_dup3(int from, int to, int flags)
{
    before_dup(from, to);
    return after_dup(from, __real_dup3(from, to, flags));
}
