/* SPDX-License-Identifier: MIT */
/*
 * tolerance.h: every difference that is allowed between backends, by name. Cases expect one thing
 * on all of them; what is not in this file must be equal.
 */
#ifndef SUPPORT_TOLERANCE_H
#define SUPPORT_TOLERANCE_H

#include <stdbool.h>
#include <stdint.h>

#include <pollux.h>

enum tolerance {
    EXACT,     /* no difference allowed */
    T1,        /* ERROR beside HUP: UNIX stream or pseudo-terminal, peer closed with unread data */
    T2,        /* HUP after a graceful double close, which Windows does not show */
    T2_HANGUP, /* ERROR beside HUP: what hangs up on Windows is a reset */
    T2_UNREAD, /* RDHUP while there is data, which hides the end of the stream on Windows */
    T7,        /* HUP beside ERROR on a pipe without reader */
    T7_UDP     /* ERROR of a refused datagram */
};

/* The bits that may be there or not. */
uint32_t tolerance_bits(enum tolerance tolerance, plx_backend backend);

/* T3: may the backend refuse EDGE, or PRI, with PLX_ERR_NOSUPPORT? */
bool tolerance_refuses_edge(plx_backend backend);
bool tolerance_refuses_pri(plx_backend backend);

/* T3: is it sockets alone that can be watched, and what else is open PLX_ERR_NOSUPPORT? */
bool tolerance_sockets_alone(plx_backend backend);

/* T6: does the backend see on add that a number was closed and came back with another file? */
bool tolerance_notices_reuse(plx_backend backend);

/* T6: may a descriptor that was closed under its watcher pass in silence? */
bool tolerance_silent_close(plx_backend backend);

/* T7: may a refused datagram pass in silence? */
bool tolerance_silent_datagrams(plx_backend backend);

/* T6: does closing end a watch even while a duplicate lives? epoll's goes on, as a ghost. */
bool tolerance_close_is_final(plx_backend backend);

/* T6: is a file that was reported, or is silent, told from another by what fstat(2) says alone? */
bool tolerance_goes_by_identity(plx_backend backend);

/* T4: may the descriptor to nest show until the next wait what the last one has told? */
bool tolerance_nested_lags(plx_backend backend);

/* T4: may each direction be told by itself under EDGE, and once more with the next wait? */
bool tolerance_splits_edges(plx_backend backend);

/* T4: is a socket whose own writing half is shut ready for writing although its buffer is full?
   The write fails at once; poll(2) says nothing until there is room. */
bool tolerance_shut_is_ready(plx_backend backend);

/* Is the kernel's queue one of the descriptors that a forked child inherits? */
bool tolerance_queue_is_inherited(plx_backend backend);

/* A kernel object to nest exists; elsewhere plx_context_fd() is PLX_ERR_NOSUPPORT. */
bool tolerance_refuses_nesting(plx_backend backend);

#endif
