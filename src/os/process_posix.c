/* SPDX-License-Identifier: MIT */
/*
 * process_posix.c: the calls of process.c on illumos and Solaris. There is nothing like a
 * descriptor of a process, so ends are noticed by SIGCHLD.
 */
#include <errno.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "src/os/process.h"

static int call_open(int pid)
{
    (void)pid;
    errno = ENOSYS;
    return -1;
}

static int call_look(int kind, int id, siginfo_t *ret_info)
{
    return waitid((idtype_t)kind, (id_t)id, ret_info, WEXITED | WNOHANG | WNOWAIT);
}

/* A thread has no number of its own here that could be taken for a process's. */
static int call_probe(int pid)
{
    return kill(pid, 0);
}

const bool plx__process_is_inherited = true; /* what is never there */

struct plx__process_calls plx__process_calls = {
    .open = call_open,
    .look = call_look,
    .probe = call_probe,
};
