/* SPDX-License-Identifier: MIT */
/* scenarios.h: every scenario by name. */
#ifndef FAULT_SCENARIOS_H
#define FAULT_SCENARIOS_H

#include "stage.h"

struct scenario {
    const char *name;
    void (*play)(struct stage *stage);
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

#endif
