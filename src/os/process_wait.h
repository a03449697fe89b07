/* SPDX-License-Identifier: MIT */
/*
 * process_wait.h: the end of a process, where the system calls back instead of giving a descriptor.
 */
#ifndef POLLUX_OS_PROCESS_WAIT_H
#define POLLUX_OS_PROCESS_WAIT_H

#include <stdint.h>

struct plx__process_wait {
    /* Called once when the process has finished, on any thread, before plx__process_wait_open()
       has returned even. It may do nothing in this header. */
    void (*finished)(struct plx__process_wait *);
    void *process;
    void *registration;
};

/*
 * Waits for a process; `finished` is set. It is there until its last handle is closed, finished or
 * not. PLX_ERR_INVALID (`pid` <= 0), PLX_ERR_NOTFOUND, PLX_ERR_PERMISSION, PLX_ERR_NOMEM,
 * PLX_ERR_SYSTEM; then there is nothing to close.
 */
int plx__process_wait_open(struct plx__process_wait *wait, int64_t pid);

/* From now on `finished` is not called, and on no thread it still runs. */
void plx__process_wait_close(struct plx__process_wait *wait);

/*
 * What the process gave to exit(). Only after `finished` was called: that of one which runs is
 * STILL_ACTIVE, a number like others.
 */
int plx__process_wait_status(const struct plx__process_wait *wait, int *ret_status);

#endif
