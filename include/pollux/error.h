/* SPDX-License-Identifier: MIT */
/*
 * error.h: result codes, the same numbers on every system.
 *
 * A function that returns `int` returns >= 0 when it did what it promises (a count where a count
 * is meant) and one of the negative codes below when it did not. After a negative code nothing has
 * changed, save where a function says otherwise, and results named `ret_...` were not written.
 * Where the system refused, `errno` (WSAGetLastError() on Windows) still holds its reason.
 * The library never prints, aborts or exits.
 */
#ifndef POLLUX_ERROR_H
#define POLLUX_ERROR_H

#include <pollux/version.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PLX_OK              0
#define PLX_ERR_SYSTEM      (-1)  /* the system refused for a reason without a code of its own */
#define PLX_ERR_NOMEM       (-2)  /* out of memory */
#define PLX_ERR_INVALID     (-3)  /* an argument breaks the contract */
#define PLX_ERR_EXISTS      (-4)  /* the descriptor has an active watcher in this context */
#define PLX_ERR_NOTFOUND    (-5)  /* there is no such thing */
#define PLX_ERR_TIMEOUT     (-6)  /* reserved: no function returns it */
#define PLX_ERR_INTERRUPTED (-7)  /* reserved: no function returns it */
#define PLX_ERR_PERMISSION  (-8)  /* not permitted */
#define PLX_ERR_TOOBIG      (-9)  /* out of descriptors, for the process or the system */
#define PLX_ERR_AGAIN       (-10) /* not yet */
#define PLX_ERR_NOSUPPORT   (-11) /* this backend or system cannot do that */
#define PLX_ERR_INACTIVE    (-12) /* the watcher was removed */
#define PLX_ERR_BADHANDLE   (-13) /* there is no open descriptor behind the handle */
#define PLX_ERR_UNAVAILABLE (-14) /* the backend does not exist on this system */
#define PLX_ERR_BUSY        (-15) /* the context is in use elsewhere */
#define PLX_ERR_FORKED      (-16) /* the context belongs to the parent process */

/*
 * The name of a code, "PLX_ERR_EXISTS". Every value >= 0 is "PLX_OK"; an unknown one is
 * "PLX_ERR_UNKNOWN". Never NULL.
 *
 * Ownership: a constant string. Thread: any thread or signal handler. In callbacks: yes.
 */
PLX_API const char *plx_error_name(int code);

/*
 * What a code means, as a sentence in English. Never NULL.
 *
 * Ownership: a constant string. Thread: any thread or signal handler. In callbacks: yes.
 */
PLX_API const char *plx_error_text(int code);

#ifdef __cplusplus
}
#endif

#endif
