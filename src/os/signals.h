/* SPDX-License-Identifier: MIT */
/*
 * signals.h: signals belong to the process, and to nobody in it. Here is the one place that takes a
 * signal and passes it to whoever has asked.
 *
 * A signal's handler is ours while it has a subscription. With the last one the previous
 * disposition comes back, flags and mask included, unless somebody else has set theirs meanwhile.
 *
 * A forked child has the previous dispositions, and the subscriptions that it got by the fork are
 * dormant: they count again once the child subscribes them again. The parent never notices.
 */
#ifndef POLLUX_OS_SIGNALS_H
#define POLLUX_OS_SIGNALS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Zeroed, save for `signo` and `deliver`; these stay as they are, and the rest is the hub's. */
struct plx__subscription {
    int signo;

    /*
     * Called for each delivery, in the handler, on whatever thread the signal came to: it may do
     * what is async-signal-safe, and nothing in this header. No signal interrupts it, save those
     * of a crash, and it may change `errno`.
     */
    void (*deliver)(struct plx__subscription *);

    _Atomic(struct plx__subscription *) next;
    _Atomic(struct plx__subscription *) *link; /* what points here */
    uint32_t home;                             /* the stamp of the process it counts in; 0: none */
};

/* May this signal be watched? */
bool plx__signals_is_watchable(int signo);

/*
 * From now on `deliver` is called. One that counts already stays as it is; one that is dormant
 * wakes. A handler that somebody else has set for this signal, also since the first subscription,
 * gives way to ours and is the one to come back. Any thread, not in signal handlers. PLX_OK,
 * PLX_ERR_INVALID (not watchable), PLX_ERR_NOMEM, PLX_ERR_SYSTEM; then nothing has changed.
 */
int plx__signals_subscribe(struct plx__subscription *subscription);

/*
 * From now on `deliver` is not called, and on no thread it still runs. Of one that is dormant, or
 * was never subscribed, nothing is to be done. Any thread, not in signal handlers.
 */
void plx__signals_unsubscribe(struct plx__subscription *subscription);

#endif
