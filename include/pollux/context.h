/* SPDX-License-Identifier: MIT */
/*
 * context.h: a set of watchers, and the wait.
 *
 * Threads. One thread at a time uses a context and its watchers ("owner" below); handing over is
 * the caller's synchronisation. Exceptions: any thread may call plx_context_wake(),
 * plx_context_stop(), plx_context_post() and plx_watcher_notify() while the context exists, and any
 * signal handler the first and the last of them. A second thread that enters plx_context_wait()
 * while the first is inside gets PLX_ERR_BUSY; any other overlap is undefined.
 *
 * Fork. In a forked child every function below that returns a code returns PLX_ERR_FORKED until
 * plx_context_after_fork() was called; plx_context_destroy() is always allowed. The check costs no
 * system call.
 *
 * Arguments. A NULL context or watcher is PLX_ERR_INVALID where a code is returned, and otherwise
 * an empty answer (0, NULL, false).
 */
#ifndef POLLUX_CONTEXT_H
#define POLLUX_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <pollux/backend.h>
#include <pollux/error.h>
#include <pollux/event.h>
#include <pollux/handle.h>
#include <pollux/time.h>
#include <pollux/version.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct plx_context plx_context;
typedef struct plx_watcher plx_watcher;

/* What plx_context_post() hands to the thread of a loop. */
typedef void plx_task(plx_context *context, void *data);

/*
 * Where a context gets its memory. `resize` is realloc with the old size: (NULL, 0, n) allocates,
 * (block, n, 0) frees and returns NULL, anything else resizes. It returns NULL when there is no
 * memory, and the block is then unchanged. Blocks are aligned for any object.
 * The struct is copied; `state` must live as long as the context.
 */
typedef struct plx_allocator {
    void *(*resize)(void *state, void *block, size_t old_size, size_t new_size);
    void *state;
} plx_allocator;

/*
 * Start from PLX_CONTEXT_OPTIONS_INIT. A zeroed struct with its size set asks for the backend poll,
 * whose number is 0, and is almost never what is meant. A size of 0 asks for nothing: all defaults.
 */
typedef struct plx_context_options {
    size_t size;          /* sizeof(plx_context_options) of the caller */
    plx_backend backend;  /* PLX_BACKEND_AUTO: the best one, or what POLLUX_BACKEND says */
    size_t capacity_hint; /* room for so many plain descriptors from the start */
    const plx_allocator *allocator; /* NULL: malloc; it must be thread-safe if post is used */

    /* Told of each task that was posted and never ran, in order, when the context is destroyed, so
       that what `data` points to can be freed. It calls no function of the context. NULL: nobody is
       told. */
    void (*task_dropped)(plx_task *task, void *data);
} plx_context_options;

/* clang-format off */
#ifdef __cplusplus
#define PLX_CONTEXT_OPTIONS_INIT \
    plx_context_options { sizeof(plx_context_options), PLX_BACKEND_AUTO, 0, nullptr, nullptr }
#else
#define PLX_CONTEXT_OPTIONS_INIT \
    { sizeof(plx_context_options), PLX_BACKEND_AUTO, 0, NULL, NULL }
#endif
/* clang-format on */

/*
 * Makes an empty context. NULL options are the defaults. With PLX_BACKEND_AUTO the environment
 * variable POLLUX_BACKEND, if it names a backend, decides; it is ignored in setuid programs, and
 * "" and "auto" count as unset. A `size` smaller than this release's leaves the missing fields at
 * their defaults; a larger one is accepted if the fields that this release does not know are zero.
 *
 * Ownership: the caller's, who calls plx_context_destroy(). It holds two descriptors on epoll, one
 * on poll and two sockets on WSAPoll, all close-on-exec. On Windows it calls WSAStartup(), and
 * WSACleanup() when it is destroyed.
 * Errors: PLX_ERR_INVALID (NULL ret_context, bad options, PLX_BACKEND_NONE), PLX_ERR_UNAVAILABLE
 * (a backend, or a name in POLLUX_BACKEND, that does not work here), PLX_ERR_NOMEM,
 * PLX_ERR_TOOBIG (out of descriptors), PLX_ERR_SYSTEM. On error nothing is left behind.
 * Thread: any thread. In callbacks: yes.
 */
PLX_API int plx_context_create(plx_context **ret_context, const plx_context_options *options);

/*
 * Frees the context and every watcher in it, after the cleanup of custom handles was called.
 * NULL is fine. The watched descriptors stay open. In a forked child it frees memory and the
 * child's own descriptors only: the parent's context is untouched.
 *
 * Thread: owner, and nobody else may be inside any function of the context, wake included.
 * In callbacks: yes, and from one of this context it takes effect when the outermost turn or run
 * returns.
 */
PLX_API void plx_context_destroy(plx_context *context);

/*
 * Watches what the handle names until plx_watcher_remove(). From the next wait on the watcher is
 * reported whenever one of `events` holds; what is ready now is reported, also under PLX_EDGE.
 * `data` is the caller's and comes back from plx_watcher_data(). `ret_watcher` may be NULL.
 *
 * Events: at least one of READ, WRITE, PRI, RDHUP, ERROR, HUP, and any modes. With nothing but
 * ERROR and HUP the watcher is reported once and is then silent until modify. Handles that are no
 * descriptor take the one event of their kind, with or without PLX_ONESHOT.
 *
 * Ownership: the watcher is the context's, valid until the wait that follows its removal, or until
 * destroy. The descriptor is borrowed: remove the watcher before you close it. If the number was
 * closed under its watcher all the same and has come back with another file, epoll notices: the
 * stale watcher is removed and add succeeds. poll and WSAPoll cannot notice: PLX_ERR_EXISTS.
 * Errors: PLX_ERR_EXISTS (the descriptor has an active watcher here, also through another handle,
 * also a fired one-shot), PLX_ERR_BADHANDLE (no open descriptor, or the custom handle is not
 * valid), PLX_ERR_INVALID (no event, unknown bits, modes alone, events of another kind of handle,
 * a malformed handle), PLX_ERR_NOSUPPORT (the backend has no EDGE or PRI, or cannot watch such a
 * descriptor), PLX_ERR_NOMEM, PLX_ERR_SYSTEM (for example ENOSPC: fs.epoll.max_user_watches),
 * PLX_ERR_FORKED; for a process also PLX_ERR_NOTFOUND and PLX_ERR_TOOBIG. On error nothing has
 * changed.
 * Cost: one system call for a descriptor; one more if the number is in the table already, and for a
 * regular file on epoll. Two for a process, a few for a signal, none for a timer or a notify. It
 * allocates nothing while there is room: plain descriptors that were removed leave theirs.
 * Thread: owner. In callbacks: yes.
 * Portability: regular files, directories and /dev/null are always ready on every POSIX backend.
 * poll(2) says so itself; epoll_ctl(2) refuses them with EPERM, which the context makes up for.
 */
PLX_API int plx_context_add(plx_context *context, plx_handle handle, uint32_t events, void *data,
                            plx_watcher **ret_watcher);

/*
 * Waits until a watcher is ready, at most `timeout` nanoseconds (0: looks once; PLX_FOREVER: no
 * limit), and writes up to `capacity` triggered watchers to `ret_ready`, each at most once.
 * Returns how many; 0 when the time has passed or plx_context_wake() was called, which also
 * plx_context_post() and plx_context_stop() do. A signal handler that runs meanwhile does not end
 * the wait. An empty context sleeps. The wait is never shorter than the timeout, rounding included.
 *
 * With more ready than `capacity` nothing is lost: the rest comes with the next waits, and all get
 * their turn. What a watcher reported is asked with plx_watcher_triggered().
 *
 * Ownership: the array is the caller's. Watchers removed before this call are freed by it.
 * Errors: PLX_ERR_INVALID (NULL array, capacity < 1, a negative timeout other than PLX_FOREVER),
 * PLX_ERR_BUSY (another thread is inside wait, or a custom handle's function called it),
 * PLX_ERR_NOMEM or PLX_ERR_TOOBIG (the kernel had no room for a pending change or for a new queue:
 * nothing is lost, the next wait tries again), PLX_ERR_SYSTEM, PLX_ERR_FORKED.
 * Cost: one system call for up to 1 024 reports, one for each further 1 024, one for each modify
 * since the last wait that really changed something, one for each report of a process (how did it
 * end?), and on epoll one for each report of a regular file (is it still open?). It allocates
 * nothing.
 * Thread: owner. In callbacks: no (PLX_ERR_BUSY).
 */
PLX_API int plx_context_wait(plx_context *context, plx_watcher **ret_ready, int capacity,
                             plx_duration timeout);

/*
 * Ends the current wait, or the next one if none is going on; it then returns what is ready, or 0.
 * Calls that come together count as one. What the thread stored before is seen after that wait.
 * errno is preserved.
 *
 * Errors: PLX_ERR_INVALID, PLX_ERR_FORKED.
 * Cost: no system call while a wake is pending, or while no thread sleeps in wait and
 * plx_context_fd() was never called; otherwise one.
 * Thread: any thread or signal handler, as long as it does not overlap destroy.
 */
PLX_API int plx_context_wake(plx_context *context);

/*
 * The backend in use, never AUTO; PLX_BACKEND_NONE for NULL.
 * Thread: any thread. In callbacks: yes.
 */
PLX_API plx_backend plx_context_backend(const plx_context *context);

/*
 * How many active watchers there are, fired one-shots included.
 * Thread: owner. In callbacks: yes.
 */
PLX_API size_t plx_context_count(const plx_context *context);

/*
 * A descriptor for another loop to watch: readable, level-triggered, whenever a wait or a turn of
 * this context would return at once, for whatever reason. Do nothing with it but poll it. After an
 * event call plx_context_wait() with timeout 0, or plx_context_turn(); who posts tasks has to call
 * the latter, because it shows ready until they have run.
 *
 * It may show ready once for nothing: after a custom handle with has_buffered was reported, because
 * only the next wait can ask; at the time of a timer that was stopped, removed or put off since the
 * last wait; when a signal or a notify comes to a watcher that is muted; and with kqueue after any
 * report, until the next wait. What an add or a modify makes ready while another thread is inside
 * plx_context_wake() may show only when that call has come to its write.
 *
 * The number, and an outer loop's registration of it, stay good until destroy or after_fork. From
 * the first call on changes go to the kernel at once, wakes may cost two system calls, and a timer
 * one when it becomes the earliest or a wait ends.
 *
 * Ownership: the context's; do not close it.
 * Errors: PLX_ERR_NOSUPPORT (poll, WSAPoll: there is no kernel object), PLX_ERR_TOOBIG,
 * PLX_ERR_NOMEM, PLX_ERR_SYSTEM, PLX_ERR_INVALID, PLX_ERR_FORKED. On error nothing has changed.
 * Thread: owner. In callbacks: yes.
 */
PLX_API int plx_context_fd(plx_context *context);

/*
 * Gives a forked child a kernel queue of its own with the same watchers. The parent's context does
 * not notice. What plx_context_fd() returned before is closed in the child. A watcher whose
 * descriptor is no longer open reports ERROR once. In the process that made the context it does
 * nothing and succeeds.
 *
 * Errors: PLX_ERR_NOMEM, PLX_ERR_TOOBIG, PLX_ERR_SYSTEM, PLX_ERR_INVALID; the context is then
 * still the parent's, and the call may be repeated. PLX_ERR_BUSY inside a wait.
 * Thread: the thread that is left after fork. In callbacks: no.
 */
PLX_API int plx_context_after_fork(plx_context *context);

/*
 * The active watcher of that descriptor in this context, or NULL.
 * Thread: owner. In callbacks: yes.
 */
PLX_API plx_watcher *plx_context_find(plx_context *context, plx_socket fd);

/*
 * Removes the watcher of that descriptor, if it has one here, and then closes the descriptor: the
 * safe order in one call. The descriptor is gone whatever is returned. Watchers of it in other
 * contexts stay, and must have been removed before.
 *
 * Errors: PLX_ERR_BADHANDLE (it was not open), PLX_ERR_SYSTEM (close failed, for example EIO; the
 * descriptor is gone all the same), PLX_ERR_INVALID, PLX_ERR_FORKED (closed in this process, but
 * the context still has the watcher).
 * Thread: owner. In callbacks: yes.
 */
PLX_API int plx_context_close(plx_context *context, plx_socket fd);

#ifdef __cplusplus
}
#endif

#endif
