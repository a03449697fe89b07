/* SPDX-License-Identifier: MIT */
/*
 * lateness.h: how late the timer of a server was, in memory that it shares with the client.
 *
 * The server notes, the client reads when the load is over. There is no lock: what is read is a
 * count that was true a moment ago.
 */
#ifndef BENCH_LATENESS_H
#define BENCH_LATENESS_H

#include "histogram.h"

#include <stdint.h>

struct lateness {
    struct histogram late;
    uint64_t early; /* fired before their time; counted above as not late at all */
};

#endif
