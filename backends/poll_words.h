/* SPDX-License-Identifier: MIT */
/*
 * poll_words.h: the words of poll(2), for the backends that ask it: poll.c about everything, others
 * about what their own mechanism leaves open.
 */
#ifndef POLLUX_BACKENDS_POLL_WORDS_H
#define POLLUX_BACKENDS_POLL_WORDS_H

#include <errno.h>
#include <poll.h>
#include <stdint.h>

#include "backends/backend.h"

/* Linux, FreeBSD 14 and illumos have it; elsewhere poll(2) does not tell of the end of a
   connection's reading half alone. */
#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

static inline short plx__poll_asks(uint32_t interest)
{
    int events = 0;
    events |= interest & PLX_READ ? POLLIN : 0;
    events |= interest & PLX_WRITE ? POLLOUT : 0;
    events |= interest & PLX_PRI ? POLLPRI : 0;
    events |= interest & PLX_RDHUP ? POLLRDHUP : 0;
    return (short)events;
}

/* All but POLLNVAL, which only some want to know of. */
static inline uint32_t plx__poll_facts(int events)
{
    uint32_t facts = 0;
    facts |= events & POLLIN ? PLX_READ : 0;
    facts |= events & POLLOUT ? PLX_WRITE : 0;
    facts |= events & POLLPRI ? PLX_PRI : 0;
    facts |= events & POLLRDHUP ? PLX_RDHUP : 0;
    facts |= events & POLLERR ? PLX_ERROR : 0;
    facts |= events & POLLHUP ? PLX_HUP : 0;
    return facts;
}

/* A signal may end a call that would not have slept. Linux says so only where nothing is ready, but
   POSIX promises no such thing, and a one-shot would never be told the rest. */
static inline int plx__poll_now(int (*look)(struct pollfd *entries, nfds_t count, int milliseconds),
                                struct pollfd *entries, nfds_t count)
{
    int found;
    do {
        found = look(entries, count, 0);
    } while (found < 0 && errno == EINTR);
    return found;
}

#endif
