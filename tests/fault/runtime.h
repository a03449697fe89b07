/* SPDX-License-Identifier: MIT */
/* runtime.h: the scenarios of what has no descriptor of the caller's, and of the loop. */
#ifndef FAULT_RUNTIME_H
#define FAULT_RUNTIME_H

#include "stage.h"

void scenario_timers(struct stage *stage);
void scenario_nested_timers(struct stage *stage);
void scenario_notify(struct stage *stage);
void scenario_loop(struct stage *stage);
void scenario_nested_loop(struct stage *stage);
void scenario_signals(struct stage *stage);
void scenario_processes(struct stage *stage);
void scenario_fork_runtime(struct stage *stage);

#endif
