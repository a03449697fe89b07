/* SPDX-License-Identifier: MIT */
/* timers.h: what the cases about timers share. */
#ifndef CONFORMANCE_TIMERS_H
#define CONFORMANCE_TIMERS_H

#include "cases.h"

/* Returns once that much time has gone by, without pollux and without sleeping. */
static inline void pass(plx_duration duration)
{
    plx_duration started = now();

    while (now() - started < duration) {
    }
}

static inline plx_watcher *start_timer(struct scene *scene, plx_duration after, plx_duration every)
{
    plx_watcher *timer = NULL;

    CHECK_OK(plx_context_add(scene->context, plx_timer(after, every), PLX_TIMER, NULL, &timer));
    CHECK(timer != NULL);
    return timer;
}

#endif
