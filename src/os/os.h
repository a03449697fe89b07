/* SPDX-License-Identifier: MIT */
/*
 * os.h: the few things that systems do differently and that are not waiting.
 */
#ifndef POLLUX_OS_OS_H
#define POLLUX_OS_OS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pollux/handle.h>

/* Names the calling thread, never 0. In a forked child it has the name that it had before. */
uint64_t plx__os_thread(void);

/* The clock of all durations: nanoseconds since some moment, never backwards. */
int64_t plx__os_now(void);

/* What this system can watch without a backend's help: PLX_SIGNAL, PLX_PROCESS. */
extern const uint32_t plx__os_supports;

/* PLX_OK, or the PLX_ERR_ code for `errno` as it stands (on Windows for WSAGetLastError()), which
   is left alone. */
int plx__os_error(void);

/* Can this be the number of a descriptor at all? */
static inline bool plx__os_is_number(plx_socket fd)
{
    return (intptr_t)fd >= 0;
}

bool plx__os_is_open(plx_socket fd);

/* A number that tells one file from another, with rare mistakes; 0 if it is not open. */
uint32_t plx__os_file_identity(plx_socket fd);

/* Closes a descriptor. It is gone whatever is returned. */
int plx__os_close(plx_socket fd);

/* An environment variable; NULL also in programs that run with other rights than their caller's. */
const char *plx__os_environment(const char *name);

/*
 * The fork guard. A stamp names a process; a context keeps the stamp of the process that made it
 * and compares it with the one in the guard's page.
 *
 * The kernel hands that page to a forked child as zeroes (MADV_WIPEONFORK, Linux 4.14), so it is
 * right from the child's first instruction on. A pthread_atfork() handler alone, the fall-back,
 * runs after the child can take signals, and not at all in _Fork(): a handler that calls
 * plx_context_wake() just then would write to the parent's queue. getpid() is a system call.
 */
typedef _Atomic uint32_t plx__guard;

/* The page, or NULL with the cause in errno; sets the stamp of this process. Any thread. */
const plx__guard *plx__os_guard(uint32_t *ret_stamp);

static inline bool plx__os_is_forked(const plx__guard *guard, uint32_t stamp)
{
    return atomic_load_explicit(guard, memory_order_relaxed) != stamp;
}

#endif
