/* SPDX-License-Identifier: MIT */
/*
 * process.c: who is there, and how it ended. The calls are in process_linux.c, process_kqueue.c
 * and process_posix.c.
 *
 * What Linux does that one has to know (tests/unit/test_process.c shows each):
 *
 *   a. A descriptor of a process is there since Linux 5.3. Older kernels answer ENOSYS, and seccomp
 *      filters older than that EPERM, so neither says anything about the process.
 *   b. A thread's number is refused with EINVAL; newer kernels, 6.18 for one, answer ENOENT.
 *   c. waitid() takes such a descriptor since Linux 5.4: on 5.3 it answers EINVAL.
 *   d. kill() takes a thread's number for that of its process. tgkill() does not.
 */
#include "src/os/process.h"

#include <errno.h>
#include <limits.h>
#include <sys/wait.h>

#include <pollux/error.h>

#include "src/os/os.h"

#define CALLS plx__process_calls

bool plx__process_exists(int64_t pid)
{
    if (pid <= 0 || pid > INT_MAX)
        return false;
    return CALLS.probe((int)pid) == 0 || errno == EPERM;
}

int plx__process_open(int64_t pid)
{
    if (pid <= 0)
        return PLX_ERR_INVALID;
    if (pid > INT_MAX)
        return PLX_ERR_NOTFOUND;
    int descriptor = CALLS.open((int)pid);
    if (descriptor >= 0)
        return descriptor;
    switch (errno) {
    case ESRCH:
    case EINVAL:
    case ENOENT:
        return PLX_ERR_NOTFOUND;
    case ENOSYS:
    case EPERM:
        return plx__process_exists(pid) ? PLX_ERR_NOSUPPORT : PLX_ERR_NOTFOUND;
    default:
        return plx__os_error();
    }
}

bool plx__process_reopen(int64_t pid, int descriptor)
{
    return CALLS.reopen && CALLS.reopen((int)pid, descriptor) >= 0;
}

/*
 * waitid() tells in three words what waitpid() tells in one, laid out alike on every Unix. The
 * macros that put it together, W_EXITCODE and WCOREFLAG, are not in every C library.
 */
static int to_wait_status(const siginfo_t *info)
{
    switch (info->si_code) {
    case CLD_EXITED:
        return (info->si_status & 0xFF) << 8;
    case CLD_DUMPED:
        return info->si_status | 0x80;
    default:
        return info->si_status;
    }
}

int plx__process_status(int64_t pid, int descriptor, int *ret_status)
{
    if (pid <= 0)
        return PLX_ERR_INVALID;
    if (pid > INT_MAX)
        return PLX_ERR_NOTFOUND;
    siginfo_t info = {.si_pid = 0}; /* what stays 0 if nothing has ended */
    int result = descriptor < 0 ? -1 : CALLS.look(PLX__BY_DESCRIPTOR, descriptor, &info);
    if (descriptor < 0 || (result < 0 && errno == EINVAL))
        result = CALLS.look(P_PID, (int)pid, &info);
    if (result < 0)
        return errno == ECHILD ? PLX_ERR_NOTFOUND : plx__os_error();
    if (info.si_pid == 0)
        return PLX_ERR_AGAIN;
    *ret_status = to_wait_status(&info);
    return PLX_OK;
}
