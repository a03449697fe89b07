/* SPDX-License-Identifier: MIT */
/*
 * kqueue_shim.h: a kqueue for tests on Linux, played over epoll, and the knobs of it.
 *
 * It is written after the manual pages and the kernels of FreeBSD and NetBSD and after nothing
 * else, so that what is tested with it meets the traps of those systems: a queue of its own order
 * that is looked at again when it is scanned, filters that are fixed when they are made, and all
 * that docs/kernels/kqueue.md lists.
 *
 * Filters: READ, WRITE, USER, TIMER, and PROC with NOTE_EXIT. Others are EINVAL.
 *
 * How it is played. The queue's descriptor is an epoll queue, so it can be nested. The notes of one
 * descriptor share one registration there, always edge-triggered: an edge is what a kernel's
 * activation of the note would be, and level, EV_CLEAR, EV_ONESHOT and EV_DISPATCH are kept by the
 * shim's own queue of active notes. While that queue has members an eventfd makes the descriptor
 * readable, as kq_count does.
 *
 * What is not exact:
 *  - An EV_CLEAR note may be activated by what concerns the other filter of its descriptor, since
 *    epoll does not say which it was. Never by nothing, and no activation is missed but these two:
 *  - shutdown(SHUT_WR) of a UNIX socket by its owner activates no EV_CLEAR note.
 *  - A regular file that grows is noticed by the next kevent(), and does not end a sleep.
 *  - A close is seen where close(), dup2() and dup3() are replaced by the linker, which the CMake
 *    target of the shim sees to. A close behind its back is noticed by the file's identity, which
 *    anonymous files, such as an eventfd, do not have.
 *  - An edge that leads to no report (of a disabled note) makes the descriptor readable until the
 *    next kevent(); a kernel would not.
 *  - A second number for the queue is no queue while the first is open; made with dup2() it is one
 *    afterwards.
 *  - The pending error of a TCP socket is guessed (ECONNREFUSED, ECONNRESET), because asking for it
 *    would take it away.
 */
#ifndef KQUEUE_SHIM_H
#define KQUEUE_SHIM_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where the systems differ. */
struct kqueue_traits {
    /* A change without EV_ADD looks again whether the note is active, and replaces udata. FreeBSD
       yes; NetBSD before 10 no, so that EV_ENABLE alone does not report what was reported. */
    bool enable_looks;
    /* EV_ADD alone enables a disabled note. The manuals say so; macOS does it, and neither kernel
       of the two personalities does. */
    bool add_enables;
    bool returns_add;        /* flags of events have EV_ADD and EV_ENABLE: NetBSD */
    bool keeps_receipt;      /* flags of events have EV_RECEIPT: FreeBSD */
    bool has_user;           /* EVFILT_USER exists: not before NetBSD 10 and OpenBSD 7.8 */
    bool has_dispatch;       /* else EV_DISPATCH is ignored, as on old OpenBSD and DragonFly */
    bool new_user_triggers;  /* NOTE_TRIGGER counts in the change that makes the note: macOS */
    bool skips_filter_zero;  /* a change with filter 0 is passed over, else EINVAL: FreeBSD */
    bool refuses_zero_timer; /* EINVAL, else it is 1: NetBSD */
    bool has_duplex_pipes; /* each end of pipe() can be written, in the eyes of the filters: all */
    int dead_pipe_error;   /* EVFILT_WRITE where the reader is gone: EPIPE, NetBSD EBADF */
    int not_a_queue_error; /* kevent() of another kind of descriptor: EINVAL, NetBSD EBADF */
};

extern const struct kqueue_traits kqueue_shim_freebsd;
extern const struct kqueue_traits kqueue_shim_netbsd;

/* Takes effect at once, for all queues. It starts as FreeBSD, or as NetBSD where the environment
   says KQUEUE_SHIM=netbsd. */
void kqueue_shim_play(const struct kqueue_traits *traits);

/* What was called since the last reset, in the whole process. */
struct kqueue_counts {
    unsigned long calls;   /* of kevent() */
    unsigned long changes; /* that it was given */
    unsigned long events;  /* that it gave, receipts included */
    unsigned long sleeps;  /* that were begun */
};

struct kqueue_counts kqueue_shim_counts(void);
void kqueue_shim_reset_counts(void);

/* How many notes of this queue a kernel would have. -1 if it is no queue. */
int kqueue_shim_notes(int kq);

/* The descriptor is about to be closed. For programs that replace close() themselves. */
void kqueue_shim_closing(int fd);

/* dup2() has made a second number for a descriptor. */
void kqueue_shim_duplicated(int from, int to);

#ifdef __cplusplus
}
#endif

#endif
