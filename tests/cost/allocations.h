/* SPDX-License-Identifier: MIT */
/* allocations.h: cases about the memory of the runtime. Part of `memory`. */
#ifndef COST_ALLOCATIONS_H
#define COST_ALLOCATIONS_H

#include "desk.h"

extern const struct cost_case allocation_cases[];
extern const size_t allocation_case_count;

#endif
