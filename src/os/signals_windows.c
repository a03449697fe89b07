/* SPDX-License-Identifier: MIT */
/*
 * signals_windows.c: what a console tells its programs, under the names that C has for it.
 *
 *   SIGINT    Ctrl-C
 *   SIGBREAK  Ctrl-Break
 *   SIGTERM   the window of the console is being closed, or the system is going down
 *
 * Windows calls the handler on a thread of its own, so that a lock will do. Not signal() of the C
 * library: it is told nothing of a window, and takes itself out before each call, so that a second
 * Ctrl-C ends the process. What raise() does stays within the C library and is not seen here.
 */
#include "src/os/signals.h"

#include <signal.h>
#include <stddef.h>
#include <windows.h>

#include <pollux/error.h>

#include "src/os/os.h"

static SRWLOCK lock = SRWLOCK_INIT;

static _Atomic(struct plx__subscription *) first; /* of all, whatever their signal */

bool plx__signals_is_watchable(int signo)
{
    return signo == SIGINT || signo == SIGBREAK || signo == SIGTERM;
}

/* CTRL_LOGOFF_EVENT is none of them: services hear it of every user, and go on. */
static int signal_of(DWORD event)
{
    switch (event) {
    case CTRL_C_EVENT:
        return SIGINT;
    case CTRL_BREAK_EVENT:
        return SIGBREAK;
    case CTRL_CLOSE_EVENT:
    case CTRL_SHUTDOWN_EVENT:
        return SIGTERM;
    default:
        return 0;
    }
}

static bool deliver_all(int signo)
{
    bool is_watched = false;
    AcquireSRWLockExclusive(&lock);
    for (struct plx__subscription *each = atomic_load(&first); each;
         each = atomic_load(&each->next)) {
        if (each->signo == signo) {
            each->deliver(each);
            is_watched = true;
        }
    }
    ReleaseSRWLockExclusive(&lock);
    return is_watched;
}

/*
 * Windows ends the process when the handler returns from a SIGTERM, whatever it returns. It waits
 * some seconds for that, and they belong to whoever was told.
 */
static BOOL WINAPI handle(DWORD event)
{
    int signo = signal_of(event);
    if (!deliver_all(signo))
        return FALSE; /* to whoever was there before us */
    if (signo == SIGTERM)
        Sleep(INFINITE);
    return TRUE;
}

static void link_in(struct plx__subscription *subscription)
{
    struct plx__subscription *next = atomic_load(&first);
    subscription->home = 1;
    subscription->link = &first;
    atomic_store(&subscription->next, next);
    if (next)
        next->link = &subscription->next;
    atomic_store(&first, subscription);
}

static void unlink_from(struct plx__subscription *subscription)
{
    struct plx__subscription *next = atomic_load(&subscription->next);
    if (next)
        next->link = subscription->link;
    atomic_store(subscription->link, next);
    subscription->home = 0;
}

/*
 * For good: without subscriptions it does nothing. Windows may hold a lock of its own while it
 * calls handlers, so that to take ours out could wait for a handler that waits for `lock`, and
 * after a SIGTERM for ever. The code must stay with it, also when the library is unloaded.
 */
static BOOL CALLBACK install(PINIT_ONCE once, PVOID parameter, PVOID *context)
{
    HMODULE self;
    (void)once;
    (void)parameter;
    (void)context;
    return GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                                  GET_MODULE_HANDLE_EX_FLAG_PIN,
                              (LPCWSTR)(void *)&lock, &self) &&
           SetConsoleCtrlHandler(handle, TRUE);
}

int plx__signals_subscribe(struct plx__subscription *subscription)
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    if (!plx__signals_is_watchable(subscription->signo))
        return PLX_ERR_INVALID;
    if (!InitOnceExecuteOnce(&once, install, NULL, NULL))
        return plx__os_error();
    AcquireSRWLockExclusive(&lock);
    if (subscription->home == 0)
        link_in(subscription);
    ReleaseSRWLockExclusive(&lock);
    return PLX_OK;
}

void plx__signals_unsubscribe(struct plx__subscription *subscription)
{
    AcquireSRWLockExclusive(&lock);
    if (subscription->home != 0)
        unlink_from(subscription);
    ReleaseSRWLockExclusive(&lock);
}
