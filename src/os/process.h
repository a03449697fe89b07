/* SPDX-License-Identifier: MIT */
/*
 * process.h: to notice that a process has finished, without collecting it: that stays the business
 * of its parent.
 */
#ifndef POLLUX_OS_PROCESS_H
#define POLLUX_OS_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A close-on-exec descriptor, readable from the moment the process has finished, collected or not.
 * Or PLX_ERR_INVALID (`pid` <= 0), PLX_ERR_NOTFOUND (no such process; a thread is none),
 * PLX_ERR_NOSUPPORT (there is such a process, but no such descriptors), PLX_ERR_TOOBIG,
 * PLX_ERR_NOMEM, PLX_ERR_SYSTEM.
 */
int plx__process_open(int64_t pid);

/*
 * How a child ended, as waitpid() tells it (WIFEXITED and its kin); it stays to be collected.
 * PLX_ERR_AGAIN: it has not. PLX_ERR_NOTFOUND: not our child, or collected already. `descriptor` is
 * from plx__process_open(), or -1: then it goes by number, which may belong to somebody else once
 * the process was collected.
 */
int plx__process_status(int64_t pid, int descriptor, int *ret_status);

/* Is there such a process? One that has finished is there until it is collected. */
bool plx__process_exists(int64_t pid);

/* Does what plx__process_open() gave outlive a fork? If not, its number is free in the child. */
extern const bool plx__process_is_inherited;

/*
 * In a forked child where it does not: opens it again, under its number, which has to be free. True
 * if that went well; it may be ready at once.
 */
bool plx__process_reopen(int64_t pid, int descriptor);

/* P_PIDFD of Linux, the way to look by descriptor: in glibc an enumerator, since 2.36 only, which
   no preprocessor can ask for. Elsewhere `look` answers EINVAL, as Linux 5.3 does. */
#define PLX__BY_DESCRIPTOR 3

/* The seam for tests, which count and fail these calls or play an older kernel with them. */
struct plx__process_calls {
    int (*open)(int pid);
    int (*reopen)(int pid, int descriptor); /* NULL where it is inherited */
    int (*look)(int kind, int id, siginfo_t *ret_info);
    int (*probe)(int pid);
};

extern struct plx__process_calls plx__process_calls;

#endif
