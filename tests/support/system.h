/* SPDX-License-Identifier: MIT */
/*
 * system.h: what the cases need from the system besides descriptors: clocks, threads, signals,
 * the environment, child processes.
 */
#ifndef SUPPORT_SYSTEM_H
#define SUPPORT_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>

#include <pollux.h>

#include "check.h"

#ifdef _WIN32
#define SUPPORT_HAS_FORK    0
#define SUPPORT_HAS_SIGNALS 0
#define SUPPORT_MANY        200 /* how often a race is tried: under Wine it takes milliseconds */
#else
#define SUPPORT_HAS_FORK    1
#define SUPPORT_HAS_SIGNALS 1
#define SUPPORT_MANY        1000
#endif

/* The first thing that a program does: its output is lines as everywhere, and sockets can be made.
 */
void system_prepare(void);

/* Monotonic time, and the processor time of the calling thread. */
plx_duration now(void);
plx_duration processor_time(void);

/* How often the calling thread has given up the processor to wait for something. On a system that
   does not say, a number that grows with every call. */
long times_slept(void);

/* A thread that is not joined because its case failed is left behind on purpose. */
struct thread;
struct thread *thread_start(void (*body)(void *), void *argument);
void thread_join(struct thread *thread);

/* Names the calling thread for until_asleep(). */
long thread_self(void);

/*
 * Returns when that thread sleeps in the kernel, where the system can tell, and soon otherwise. It
 * makes the interesting interleaving likely; no result may depend on it.
 */
void until_asleep(long thread);

/* NULL unsets. */
void environment_set(const char *name, const char *value);

#if SUPPORT_HAS_SIGNALS
/* Runs the handler for SIGALRM after that time, and then again and again if `every` is not 0. */
void alarm_start(plx_duration after, plx_duration every, void (*handler)(int), bool restart);

/* SIGALRM alone. Linux starts the next round when the signal is taken: none may be ignored. */
void alarm_send(plx_duration after, plx_duration every);
void alarm_stop(void);
#endif

#if SUPPORT_HAS_FORK
/* Runs the body in a forked child, where checks work too, and fails if one of them did. */
void in_child(check_body *body, void *argument);

/* The same in two halves, for a parent that does something meanwhile. */
long child_start(check_body *body, void *argument);
void child_join(long child);
#endif

#endif
