/* SPDX-License-Identifier: MIT */
/*
 * process_kqueue.c: the calls of process.c on macOS and the BSDs. No descriptor of a process can be
 * opened by its number there; but a queue with nothing in it but the end of one process is readable
 * once that has come, which is all that is wanted of one. Nobody takes the event out, so that it
 * stays readable, and any backend can watch it.
 *
 *   a. EVFILT_PROC finds no process that has finished but was not collected on macOS: ESRCH. Nor
 *      one of somebody else's, where those are hidden.
 *   b. A queue does not outlive a fork: in a child its number is free, or somebody's.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/event.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/os/process.h"

/* Readable soon, for good: what has finished needs nobody to tell. Timers are on every system. */
static int ring(int queue)
{
    struct kevent change;
    EV_SET(&change, 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, 1, 0);
    return kevent(queue, &change, 1, NULL, 0, NULL);
}

static int attach(int queue, int pid)
{
    struct kevent change;
    EV_SET(&change, (uintptr_t)pid, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, 0);
    if (kevent(queue, &change, 1, NULL, 0, NULL) == 0)
        return 0;
    if (errno != ESRCH)
        return -1;
    if (kill(pid, 0) == 0)
        return ring(queue); /* quirk a */
    errno = errno == EPERM ? EPERM : ESRCH;
    return -1;
}

static int close_failed(int queue)
{
    int cause = errno;
    close(queue);
    errno = cause;
    return -1;
}

static int open_queue(int pid, bool rings_if_gone)
{
    int queue = kqueue();
    if (queue < 0)
        return -1;
    if (fcntl(queue, F_SETFD, FD_CLOEXEC) < 0)
        return close_failed(queue);
    int status = attach(queue, pid);
    if (status < 0 && errno == ESRCH && rings_if_gone)
        status = ring(queue);
    return status < 0 ? close_failed(queue) : queue;
}

static int call_open(int pid)
{
    return open_queue(pid, false);
}

/* Whoever was collected meanwhile has finished. */
static int call_reopen(int pid, int descriptor)
{
    int queue = open_queue(pid, true);
    if (queue < 0 || queue == descriptor)
        return queue;
    int status = dup2(queue, descriptor);
    if (status >= 0)
        status = fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    int cause = errno;
    close(queue);
    errno = cause;
    return status;
}

/* That number is a session in some of these systems, and no descriptor in any. */
static int call_look(int kind, int id, siginfo_t *ret_info)
{
    if (kind == PLX__BY_DESCRIPTOR) {
        errno = EINVAL;
        return -1;
    }
    return waitid((idtype_t)kind, (id_t)id, ret_info, WEXITED | WNOHANG | WNOWAIT);
}

/* A thread has no number of its own here that could be taken for a process's. */
static int call_probe(int pid)
{
    return kill(pid, 0);
}

const bool plx__process_is_inherited = false;

struct plx__process_calls plx__process_calls = {
    .open = call_open,
    .reopen = call_reopen,
    .look = call_look,
    .probe = call_probe,
};
