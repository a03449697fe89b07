/* SPDX-License-Identifier: MIT */
/*
 * event.h: what can be asked for and what is reported, as bits of a uint32_t.
 *
 * Kernels describe the same situation in different words. pollux reports it in one:
 *
 *   - A watcher that asks for READ gets READ with every HUP, ERROR and RDHUP; one that asks for
 *     WRITE gets WRITE with every HUP and ERROR. `if (triggered & PLX_READ) read(...)` is enough.
 *   - HUP means that every direction the descriptor has is dead. When the peer closed only its
 *     writing half there is READ, and RDHUP where it was asked for, never HUP. On TCP a peer that
 *     closed altogether looks the same until you write to it; the portable end of file is a read
 *     that returns 0.
 *   - ERROR says "look": a read, a write or getsockopt(SO_ERROR) tells why. The library itself
 *     never asks for SO_ERROR, since that would clear it. A reset and a refused connect are ERROR
 *     and HUP.
 *
 * Portability: ERROR may or may not stand beside HUP on UNIX stream sockets and pseudo-terminals
 * whose peer closed with unread data, and HUP beside ERROR on a pipe whose reader went. Windows
 * does not see HUP after both sides closed in peace, and may see RDHUP only when what came before
 * it was read. Sockets that were never connected, a socket's own SHUT_RD and the death of a UNIX
 * datagram peer are unspecified.
 */
#ifndef POLLUX_EVENT_H
#define POLLUX_EVENT_H

#include <stdint.h>

/* Asked for and reported. */
#define PLX_READ  UINT32_C(0x001) /* a read will not block: data, end, connection or error */
#define PLX_WRITE UINT32_C(0x002) /* a write will not block */
#define PLX_PRI   UINT32_C(0x080) /* urgent data */
#define PLX_RDHUP UINT32_C(0x010) /* the peer shut down its writing half; only if asked for */

/* Reported whether asked for or not. */
#define PLX_ERROR UINT32_C(0x004) /* an error condition */
#define PLX_HUP   UINT32_C(0x008) /* every direction of the descriptor is dead */

/* Modes: asked for together with an event, never reported. Without one, level-triggered. */
#define PLX_ONESHOT UINT32_C(0x020) /* one report, then silent until plx_watcher_modify() */
#define PLX_EDGE    UINT32_C(0x040) /* report changes of state; drain to EAGAIN */

/* For handles of the matching kind only. Which of them a backend has: plx_backend_supports(). */
#define PLX_TIMER   UINT32_C(0x100)
#define PLX_NOTIFY  UINT32_C(0x200)
#define PLX_SIGNAL  UINT32_C(0x400)
#define PLX_PROCESS UINT32_C(0x800)

#endif
