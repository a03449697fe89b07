/* SPDX-License-Identifier: MIT */
/*
 * handle.h: what to watch.
 *
 * A handle is a small value, passed and copied freely. It owns nothing unless its ops say so.
 */
#ifndef POLLUX_HANDLE_H
#define POLLUX_HANDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pollux/time.h>
#include <pollux/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A descriptor: `int`, and on Windows what winsock2.h calls SOCKET. */
#ifdef _WIN32
typedef uintptr_t plx_socket;
#else
typedef int plx_socket;
#endif
#define PLX_BAD_SOCKET ((plx_socket)-1)

/*
 * How a custom handle is asked for what it is. The table must outlive every watcher made with it;
 * the object must live until `cleanup` was called, or until the watcher is gone if there is none.
 * No function of the table may call a function of the context that called it.
 */
typedef struct plx_handle_ops {
    /* sizeof(plx_handle_ops) of the caller: the functions beyond it count as NULL. */
    size_t size;

    /*
     * The descriptor behind the object, PLX_BAD_SOCKET if there is none. Asked once, in add.
     * Needed.
     */
    plx_socket (*get_fd)(void *object);

    /* Can the object be watched now? Asked once, in add. NULL: yes. */
    bool (*is_valid)(void *object);

    /*
     * Does the object hold bytes that it has read from the descriptor already (as TLS does)?
     * Asked before a wait of level-triggered READ watchers that were added, modified or reported
     * since the wait before; who fills the buffer at another time calls plx_watcher_modify().
     * A yes is reported as READ at once, merged with what the descriptor gives (which costs one
     * system call for each such report that the kernel had no room to add to). NULL: never.
     */
    bool (*has_buffered)(void *object);

    /*
     * Called once for every add that succeeded, after its watcher is gone: in the wait that
     * follows the removal, or in destroy, on the thread that made that call. NULL: nothing to do.
     */
    void (*cleanup)(void *object);
} plx_handle_ops;

/*
 * The layout is fixed for good and has room for every kind of API to come. Use the constructors;
 * `kind` is one of the constants below and `reserved` is 0.
 */
typedef struct plx_handle {
    uint32_t kind;
    uint32_t reserved;
    union {
        plx_socket fd;
        struct {
            plx_duration after;
            plx_duration every;
        } timer;
        int signo;
        int64_t pid;
        struct {
            const plx_handle_ops *ops;
            void *object;
        } custom;
    } as;
} plx_handle;

#define PLX_HANDLE_FD      UINT32_C(1)
#define PLX_HANDLE_CUSTOM  UINT32_C(2)
#define PLX_HANDLE_TIMER   UINT32_C(3)
#define PLX_HANDLE_SIGNAL  UINT32_C(4)
#define PLX_HANDLE_PROCESS UINT32_C(5)
#define PLX_HANDLE_NOTIFY  UINT32_C(6)

/*
 * Watch a descriptor: sockets, pipes, terminals, and whatever else the system lets one poll.
 * Any of PLX_READ, PLX_WRITE, PLX_PRI, PLX_RDHUP may be asked for. Nothing is checked here;
 * plx_context_add() does it.
 *
 * Ownership: the descriptor stays the caller's, who removes the watcher before closing it
 * (plx_context_close() does both).
 * Portability: on POSIX regular files and directories are always ready; Windows takes sockets only
 * and says PLX_ERR_NOSUPPORT to every other handle.
 * Thread: any thread or signal handler. In callbacks: yes.
 */
PLX_API plx_handle plx_fd(plx_socket fd);

/*
 * Watch anything with a descriptor behind it. The handle remembers the two pointers; nothing is
 * called before plx_context_add().
 *
 * Ownership: see plx_handle_ops. If add fails, the object stays the caller's and `cleanup` is not
 * called.
 * Thread: any thread or signal handler. In callbacks: yes.
 */
PLX_API plx_handle plx_custom(const plx_handle_ops *ops, void *object);

/*
 * Watch the clock: PLX_TIMER is reported once `after` nanoseconds have passed since add, never
 * early, and then every `every` nanoseconds; 0 is once. PLX_FOREVER for `after` adds a timer that
 * is stopped until plx_watcher_again(); for `every` it is the same as 0.
 *
 * A periodic timer keeps the grid of its first deadline, however late its reports are; periods that
 * passed meanwhile are one report, and plx_watcher_count() says how many they were. Sums that do
 * not fit into an int64_t never come. add refuses any other negative duration: PLX_ERR_INVALID.
 *
 * No kernel object stands behind a timer, and starting, moving, stopping and expiry make no system
 * call (after plx_context_fd() some do). Any number may be added.
 * Thread: any thread or signal handler. In callbacks: yes.
 */
PLX_API plx_handle plx_timer(plx_duration after, plx_duration every);

/*
 * Watch a signal: PLX_SIGNAL is reported after deliveries to this process, and plx_watcher_count()
 * says how many the handler saw. (The kernel itself makes one of several that are pending at once,
 * real-time signals excepted.) Every watcher of a signal, in whatever context and thread, sees each
 * delivery.
 *
 * While a signal has a watcher the library has its disposition; with the last one the previous
 * disposition comes back, unless another was set meanwhile. No thread's signal mask is touched: the
 * signal must not be blocked in all of them. A forked child has the previous dispositions until
 * plx_context_after_fork(); exec and posix_spawn give up handlers anyway. Interrupted system calls
 * are restarted (SA_RESTART).
 *
 * add says PLX_ERR_INVALID for numbers out of range and for signals that cannot be caught or make
 * no sense as an event: KILL, STOP, SEGV, BUS, FPE, ILL and their like.
 * Portability: POSIX. On Windows it is what the console tells, whatever raise() does: SIGINT is
 * Ctrl-C, SIGBREAK is Ctrl-Break, and SIGTERM is that its window closes or the system goes down,
 * which leaves the process some seconds; any other number is PLX_ERR_INVALID. Thread: any thread or
 * signal handler. In callbacks: yes.
 */
PLX_API plx_handle plx_signal(int signo);

/*
 * Watch a process: PLX_PROCESS is reported once when it has finished, also if it finished before,
 * as long as it was not collected. The library never collects it: waitpid() stays the caller's. See
 * plx_watcher_exit_status().
 *
 * add says PLX_ERR_INVALID for `pid` <= 0 and PLX_ERR_NOTFOUND if there is no such process. Each
 * watcher holds one descriptor (pidfd_open(2), Linux 5.3; a kqueue(2) of its own on the BSDs and
 * macOS): PLX_ERR_TOOBIG. On older Linux, illumos and Solaris SIGCHLD tells of children: the
 * disposition of that signal is then the library's, each of its deliveries costs one call for each
 * watched child, and for a process that is not a child add says PLX_ERR_NOSUPPORT.
 * Portability: POSIX. On Windows any process can be watched that may be opened, else add says
 * PLX_ERR_PERMISSION; one that has finished is there until its last handle is closed. Thread: any
 * thread or signal handler. In callbacks: yes.
 */
PLX_API plx_handle plx_process(int64_t pid);

/*
 * Watch for plx_watcher_notify(): PLX_NOTIFY is reported from then on in every wait, until
 * plx_watcher_clear(). The context has one kernel object for all of them.
 *
 * Portability: everywhere. Thread: any thread or signal handler. In callbacks: yes.
 */
PLX_API plx_handle plx_notify(void);

#ifdef __cplusplus
}
#endif

#endif
