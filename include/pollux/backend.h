/* SPDX-License-Identifier: MIT */
/*
 * backend.h: the kernel mechanisms, and what each can do.
 *
 * Every backend shows the same behaviour; what one cannot do it refuses with PLX_ERR_NOSUPPORT.
 */
#ifndef POLLUX_BACKEND_H
#define POLLUX_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <pollux/version.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum plx_backend {
    PLX_BACKEND_NONE = -2, /* no backend has that name */
    PLX_BACKEND_AUTO = -1, /* the best one that works here, or what POLLUX_BACKEND names */
    PLX_BACKEND_POLL = 0,
    PLX_BACKEND_EPOLL = 1,
    PLX_BACKEND_KQUEUE = 2,
    PLX_BACKEND_EVENT_PORTS = 3,
    PLX_BACKEND_WSAPOLL = 4 /* Windows 10 version 2004 and later */
} plx_backend;

/*
 * Lists the backends that work here and now, best first, and returns how many there are. At most
 * `capacity` of them are written to `ret_list`, which may be NULL when `capacity` is 0.
 * A backend is probed by opening and closing its kernel object; running out of descriptors does
 * not make one unavailable.
 *
 * Errors: PLX_ERR_INVALID (capacity < 0, or NULL with a capacity).
 * Thread: any thread. In callbacks: yes.
 */
PLX_API int plx_backend_list(plx_backend *ret_list, int capacity);

/*
 * Does this backend work here and now? AUTO always does; NONE and unknown values never.
 *
 * Thread: any thread. In callbacks: yes.
 */
PLX_API bool plx_backend_is_available(plx_backend backend);

/*
 * May all of these events and modes be asked for? AUTO answers for the backend it stands for, an
 * unavailable backend supports nothing, unknown bits are never supported, and 0 always is on an
 * available one.
 *
 * Portability: EDGE on epoll and kqueue; PRI on epoll, poll, event ports and WSAPoll; RDHUP
 * everywhere. TIMER, NOTIFY, SIGNAL and PROCESS everywhere; on Windows there are three signals, see
 * plx_signal().
 * Thread: any thread. In callbacks: yes.
 */
PLX_API bool plx_backend_supports(plx_backend backend, uint32_t events);

/*
 * "auto", "poll", "epoll", "kqueue", "event_ports", "wsapoll"; "none" for every other value.
 *
 * Ownership: a constant string. Thread: any thread or signal handler. In callbacks: yes.
 */
PLX_API const char *plx_backend_name(plx_backend backend);

/*
 * The backend of that name, whether or not it works here; PLX_BACKEND_NONE for NULL and for a
 * name that is none of the six. Names are in lower case.
 *
 * Thread: any thread or signal handler. In callbacks: yes.
 */
PLX_API plx_backend plx_backend_from_name(const char *name);

#ifdef __cplusplus
}
#endif

#endif
