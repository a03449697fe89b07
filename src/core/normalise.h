/* SPDX-License-Identifier: MIT */
/*
 * normalise.h: kernel facts -> the events of pollux. The one place for all backends (clauses S1-S4
 * of the semantics; tests/conformance/hangup.c plays each situation on each backend).
 */
#ifndef POLLUX_CORE_NORMALISE_H
#define POLLUX_CORE_NORMALISE_H

#include <stdint.h>

#include <pollux/event.h>

#include "backends/backend.h"

/* ERROR and HUP pass every mask. */
#define PLX__UNASKED (PLX_ERROR | PLX_HUP)

/*
 * Linux says HUP alone for a pipe whose writer went, and ERROR alone for a full pipe whose reader
 * went; other kernels differ. What ends a direction makes that direction ready, so that "if READ
 * then read" finds out everywhere.
 */
static inline uint32_t plx__normalise(uint32_t facts, uint32_t watched)
{
    if (facts & (PLX_ERROR | PLX_HUP | PLX_RDHUP | PLX__GONE)) {
        if (facts & PLX__GONE)
            facts |= PLX_ERROR;
        facts |= PLX_READ;
        if (facts & (PLX_ERROR | PLX_HUP))
            facts |= PLX_WRITE;
    }
    return facts & (watched | PLX__UNASKED) & (PLX__DATA_EVENTS | PLX__UNASKED);
}

#endif
