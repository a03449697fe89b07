/* SPDX-License-Identifier: MIT */
/*
 * child.h: a process for tests: this program once more, told to end with a number and nothing
 * else. It is made asleep, and runs when it is told to.
 */
#ifndef WINDOWS_CHILD_H
#define WINDOWS_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include <winsock2.h>

/* What this program is told to be one; then comes the number. */
#define CHILD_OPTION "--exit"

struct child {
    HANDLE process;
    HANDLE thread;
    int64_t pid;
};

struct child child_make(int status);
void child_run(const struct child *child);

/* Returns when it has ended. */
void child_wait(const struct child *child);

/* Ends it if need be; then nobody knows its number any more. */
void child_forget(const struct child *child);

#endif
