/* SPDX-License-Identifier: MIT */
/*
 * sys/event.h: what a program needs of the header of this name, with the layout and the numbers of
 * FreeBSD 14, for programs on Linux that are linked with the shim beside it. See kqueue_shim.h for
 * what the shim plays and what it cannot.
 */
#ifndef KQUEUE_SHIM_SYS_EVENT_H
#define KQUEUE_SHIM_SYS_EVENT_H

#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct timespec;

struct kevent {
    uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned int fflags;
    int64_t data;
    void *udata;
    uint64_t ext[4]; /* since FreeBSD 12 */
};

#define EV_SET(event, ident_, filter_, flags_, fflags_, data_, udata_)                             \
    (*(event) = (struct kevent){.ident = (uintptr_t)(ident_),                                      \
                                .filter = (short)(filter_),                                        \
                                .flags = (unsigned short)(flags_),                                 \
                                .fflags = (unsigned int)(fflags_),                                 \
                                .data = (int64_t)(data_),                                          \
                                .udata = (udata_)})

#define EVFILT_READ     (-1)
#define EVFILT_WRITE    (-2)
#define EVFILT_AIO      (-3)
#define EVFILT_VNODE    (-4)
#define EVFILT_PROC     (-5)
#define EVFILT_SIGNAL   (-6)
#define EVFILT_TIMER    (-7)
#define EVFILT_PROCDESC (-8)
#define EVFILT_FS       (-9)
#define EVFILT_LIO      (-10)
#define EVFILT_USER     (-11)
#define EVFILT_SENDFILE (-12)
#define EVFILT_EMPTY    (-13)

#define EV_ADD          0x0001
#define EV_DELETE       0x0002
#define EV_ENABLE       0x0004
#define EV_DISABLE      0x0008
#define EV_ONESHOT      0x0010
#define EV_CLEAR        0x0020
#define EV_RECEIPT      0x0040
#define EV_DISPATCH     0x0080
#define EV_FORCEONESHOT 0x0100
#define EV_SYSFLAGS     0xF000 /* the system's own: what the user sets of these is ignored */
#define EV_ERROR        0x4000
#define EV_EOF          0x8000

/* EVFILT_READ, EVFILT_WRITE */
#define NOTE_LOWAT     0x0001
#define NOTE_FILE_POLL 0x0002

/* EVFILT_USER */
#define NOTE_FFNOP      0x00000000U
#define NOTE_FFAND      0x40000000U
#define NOTE_FFOR       0x80000000U
#define NOTE_FFCOPY     0xc0000000U
#define NOTE_FFCTRLMASK 0xc0000000U
#define NOTE_FFLAGSMASK 0x00ffffffU
#define NOTE_TRIGGER    0x01000000U

/* EVFILT_PROC */
#define NOTE_EXIT      0x80000000U
#define NOTE_FORK      0x40000000U
#define NOTE_EXEC      0x20000000U
#define NOTE_PCTRLMASK 0xf0000000U
#define NOTE_PDATAMASK 0x000fffffU

/* EVFILT_TIMER; without a unit the data are milliseconds */
#define NOTE_SECONDS  0x00000001U
#define NOTE_MSECONDS 0x00000002U
#define NOTE_USECONDS 0x00000004U
#define NOTE_NSECONDS 0x00000008U
#define NOTE_ABSTIME  0x00000010U

int kqueue(void);
int kqueue1(int flags);
int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
           int event_room, const struct timespec *timeout);

#ifdef __cplusplus
}
#endif

#endif
