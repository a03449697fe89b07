/* SPDX-License-Identifier: MIT */
/*
 * signals.c: one handler for all, and a list of subscriptions for each number.
 *
 * Not signalfd(): it wants the signal blocked in every thread, threads that the library has never
 * heard of included, and children inherit that mask through exec. Not a pipe that the handler
 * writes to either: what to write is the subscriber's choice.
 *
 * The handler takes no lock. It walks the list while others change it, and whoever takes something
 * out waits until no handler is inside that may have seen it.
 */
#include "src/os/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include <pollux/error.h>

#include "src/os/os.h"

/*
 * What belongs to one signal number. Handlers inside are counted in two halves. Those who enter go
 * to the half that `phase` names, so that the other one runs dry even if signals never cease.
 */
struct place {
    _Atomic(struct plx__subscription *) first;
    _Atomic unsigned phase;
    _Atomic unsigned inside[2];
    struct sigaction previous; /* kept after the last subscription: see pass_on() */
};

static struct place places[NSIG];

/* Held by who changes a list or a disposition, with all signals blocked: a handler that forks would
   otherwise wait for it for ever, in the thread that has it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The process that all of the above is true of. */
static _Atomic uint32_t owner_stamp;
static _Atomic pid_t owner_pid;

/*
 * Is this a child that has not made the hub its own? The stamp tells a forked child, also where
 * both are number 1, each of its own container. The number tells one made by vfork(), which runs in
 * the very memory of its parent; there a system call is little beside the signal itself.
 */
static bool is_elsewhere(void)
{
    uint32_t stamp = 0;
    return !plx__os_guard(&stamp) || stamp != atomic_load(&owner_stamp) ||
           getpid() != atomic_load(&owner_pid);
}

/* --- Dispositions --- */

static void handle(int signo);

static bool is_ours(const struct sigaction *action)
{
    return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == handle;
}

/*
 * Our handler gives way to what was there before it. Somebody else's that has come since stays; so
 * does ours if they kept it to put it back later, and then pass_on() is the next to try.
 */
static bool restore(int signo)
{
    struct sigaction present;
    return sigaction(signo, NULL, &present) == 0 && is_ours(&present) &&
           sigaction(signo, &places[signo].previous, NULL) == 0;
}

/* A crash in a handler is to reach the user's own handler of crashes. */
static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};

/*
 * SA_RESTART: that a signal is watched should make no call fail in a thread that knows nothing of
 * it. SA_ONSTACK: some threads have a stack too small for handlers and another one for them. Not
 * SA_NOCLDSTOP: who watches SIGCHLD gets what a handler of their own would get.
 *
 * All other signals wait while the handler runs. A handler of the user's that interrupts it and
 * leaves with siglongjmp() would leave it counted as inside for ever.
 */
static int install(int signo)
{
    struct sigaction ours = {.sa_handler = handle, .sa_flags = SA_RESTART | SA_ONSTACK}, previous;
    sigfillset(&ours.sa_mask);
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++)
        sigdelset(&ours.sa_mask, crashes[i]);
    if (sigaction(signo, &ours, &previous) < 0)
        return plx__os_error();
    if (!is_ours(&previous))
        places[signo].previous = previous;
    return PLX_OK;
}

/*
 * Two signals the kernel gives to no handler, and four come from an instruction that has failed and
 * is tried again after the handler, for ever. Not so SIGABRT, SIGTRAP and SIGSYS, which one may
 * want to watch: a watchdog sends the first, and abort() ends the process whatever the handler
 * does. The numbers that the C library keeps for itself only it knows: its sigaction() refuses
 * them.
 */
bool plx__signals_is_watchable(int signo)
{
    struct sigaction present;
    switch (signo) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
        return false;
    default:
        return signo > 0 && signo < NSIG && sigaction(signo, NULL, &present) == 0;
    }
}

/* --- In the handler --- */

/*
 * The signal is not for us: this is a child, or nobody subscribes and somebody has put our handler
 * back after we had left. So it goes to whom it would have gone to, as soon as the handler has
 * returned and it is no longer blocked. kill() and not raise(), which in some C libraries asks
 * the thread's memory for its number, and after vfork() that is the parent's.
 *
 * If the handler in place is not ours, then either it has called us, and to raise again would never
 * end, or the last subscription has just gone, and the signal went with it.
 */
static void pass_on(int signo)
{
    if (restore(signo))
        kill(getpid(), signo);
}

/* write() and the like are where a cancelled thread ends: not here, or it is inside for ever. */
static void deliver_all(int signo)
{
    struct place *place = &places[signo];
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    _Atomic unsigned *inside = &place->inside[atomic_load(&place->phase)];
    atomic_fetch_add(inside, 1);
    struct plx__subscription *each = atomic_load(&place->first);
    if (!each)
        pass_on(signo);
    for (; each; each = atomic_load(&each->next))
        each->deliver(each);
    atomic_fetch_sub(inside, 1);
    pthread_setcancelstate(cancel, NULL);
}

static void handle(int signo)
{
    int saved_errno = errno;
    if (is_elsewhere())
        pass_on(signo);
    else
        deliver_all(signo);
    errno = saved_errno;
}

/*
 * Returns once every handler that was inside has left. Both halves have to be seen empty: a handler
 * may have read `phase` long before it is counted. A nap and not sched_yield(), which under
 * SCHED_FIFO lets no thread of lower priority run, and that may be the one with the handler.
 */
static void wait_for_handlers(struct place *place)
{
    const struct timespec nap = {.tv_nsec = 1000};
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel); /* the lock is held */
    for (int half = 0; half < 2; half++) {
        unsigned left = atomic_fetch_xor(&place->phase, 1);
        while (atomic_load(&place->inside[left]) != 0)
            nanosleep(&nap, NULL);
    }
    pthread_setcancelstate(cancel, NULL);
}

/* --- One process, and its children --- */

/* Makes the hub this process's own. What a fork has copied is undone. */
static void adopt(void)
{
    for (int signo = 1; signo < NSIG; signo++) {
        struct place *place = &places[signo];
        if (atomic_load(&place->first))
            restore(signo);
        atomic_store(&place->first, NULL);
        atomic_store(&place->inside[0], 0); /* the handlers of threads that are not here */
        atomic_store(&place->inside[1], 0);
    }
    uint32_t stamp = 0;
    plx__os_guard(&stamp);
    atomic_store(&owner_pid, getpid());
    atomic_store(&owner_stamp, stamp);
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
    adopt();
    pthread_mutex_unlock(&lock);
}

/*
 * The guard first: where it has a handler of its own, that is to run before ours. A child of
 * _Fork() comes here without any of them, and adopts now what it has not adopted then.
 */
static int prepare(void)
{
    static bool has_handlers;
    uint32_t stamp;
    if (!plx__os_guard(&stamp))
        return PLX_ERR_NOMEM;
    if (!has_handlers) {
        int cause = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
        if (cause != 0) {
            errno = cause;
            return PLX_ERR_NOMEM;
        }
        has_handlers = true;
    }
    if (is_elsewhere())
        adopt();
    return PLX_OK;
}

static int enter(sigset_t *ret_mask)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, ret_mask);
    pthread_mutex_lock(&lock);
    return prepare();
}

static void leave(const sigset_t *mask)
{
    pthread_mutex_unlock(&lock);
    pthread_sigmask(SIG_SETMASK, mask, NULL);
}

/* --- Subscriptions --- */

static void link_in(struct plx__subscription *subscription)
{
    struct place *place = &places[subscription->signo];
    struct plx__subscription *next = atomic_load(&place->first);
    subscription->home = atomic_load(&owner_stamp);
    subscription->link = &place->first;
    atomic_store(&subscription->next, next);
    if (next)
        next->link = &subscription->next;
    atomic_store(&place->first, subscription);
}

/* Its own `next` stays, for a handler that is just there. */
static void unlink_from(struct plx__subscription *subscription)
{
    struct plx__subscription *next = atomic_load(&subscription->next);
    if (next)
        next->link = subscription->link;
    atomic_store(subscription->link, next);
    subscription->home = 0;
}

/*
 * In the list first, then the handler: it never finds an empty list that is not to be passed on.
 * Between the two, those who saw the list empty leave, or they would take away what is installed.
 */
static int subscribe(struct plx__subscription *subscription)
{
    struct place *place = &places[subscription->signo];
    link_in(subscription);
    wait_for_handlers(place);
    int result = install(subscription->signo);
    if (result != PLX_OK) {
        unlink_from(subscription);
        wait_for_handlers(place);
    }
    return result;
}

int plx__signals_subscribe(struct plx__subscription *subscription)
{
    if (!plx__signals_is_watchable(subscription->signo))
        return PLX_ERR_INVALID;
    sigset_t mask;
    int result = enter(&mask);
    if (result == PLX_OK && subscription->home != atomic_load(&owner_stamp))
        result = subscribe(subscription);
    leave(&mask);
    return result;
}

/* The other way round: the handler goes first. */
static void unsubscribe(struct plx__subscription *subscription)
{
    struct place *place = &places[subscription->signo];
    if (subscription->link == &place->first && !atomic_load(&subscription->next))
        restore(subscription->signo);
    unlink_from(subscription);
    wait_for_handlers(place);
}

void plx__signals_unsubscribe(struct plx__subscription *subscription)
{
    if (subscription->home == 0)
        return;
    sigset_t mask;
    if (enter(&mask) == PLX_OK && subscription->home == atomic_load(&owner_stamp))
        unsubscribe(subscription);
    leave(&mask);
}
