/* SPDX-License-Identifier: MIT */
/* process_linux.c: the calls of process.c on Linux, which has descriptors of processes. */
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/os/process.h"

/* By number: glibc has pidfd_open() since 2.36 only. The number is the same nearly everywhere. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static int call_open(int pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int call_look(int kind, int id, siginfo_t *ret_info)
{
    return waitid((idtype_t)kind, (id_t)id, ret_info, WEXITED | WNOHANG | WNOWAIT);
}

static int call_probe(int pid)
{
    return (int)syscall(SYS_tgkill, pid, pid, 0);
}

const bool plx__process_is_inherited = true;

struct plx__process_calls plx__process_calls = {
    .open = call_open,
    .look = call_look,
    .probe = call_probe,
};
