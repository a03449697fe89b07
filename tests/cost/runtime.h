/* SPDX-License-Identifier: MIT */
/* runtime.h: cases about timers, notify, signals, processes and the loop. Part of `calls`. */
#ifndef COST_RUNTIME_H
#define COST_RUNTIME_H

#include "desk.h"

extern const struct cost_case runtime_cases[];
extern const size_t runtime_case_count;

#endif
