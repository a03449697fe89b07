/* SPDX-License-Identifier: MIT */
/*
 * calls.h: a kernel that counts, that refuses when told to, and that can be an older one. It stands
 * beneath the backends, in their tables of system calls.
 */
#ifndef UNIT_CALLS_H
#define UNIT_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include <pollux/time.h>

struct calls {
    uint32_t total;    /* refused ones included */
    uint32_t refuse;   /* 1: the next call; 2: the one after it; 0: none. Never a close */
    int cause;         /* errno of a refusal */
    int no_exact_wait; /* errno of every epoll_pwait2(), or 0 */

    /* Something happens just before or just after a call: 1 is the next one. Calls that it
       makes itself do not count here. */
    void (*intrude)(void);
    uint32_t intrude_before;
    uint32_t intrude_after;

    /* Waits sleep not at all, but end at once with nothing. */
    bool is_hasty;
    plx_duration slept; /* what the last wait was told, in nanoseconds; PLX_FOREVER without limit */
};

extern struct calls calls;

/* Puts it beneath the backends, and sets all counts to zero. */
void calls_open(void);

/* Gives the real kernel back. */
void calls_close(void);

/* The same for kqueue and event ports, where they are played: calls_kqueue.c, calls_event_ports.c.
   calls_open() and calls_close() do it. */
void calls_open_kqueue(void);
void calls_close_kqueue(void);
void calls_open_event_ports(void);
void calls_close_event_ports(void);

/* For what stands in a backend's table: is this call refused? And what it then returned. */
bool calls_is_refused(void);
int calls_returned(int result);

/* Calls since the last time. */
uint32_t calls_taken(void);

#endif
