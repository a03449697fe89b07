/* SPDX-License-Identifier: MIT */
/* fallback.h: cases about kernels without epoll_pwait2(). Part of the program calls. */
#ifndef COST_FALLBACK_H
#define COST_FALLBACK_H

#include "desk.h"

void skip_without_exact_wait(const struct desk *desk);

void exact_wait_missing(struct desk *desk);
void exact_wait_filtered(struct desk *desk);
void exact_wait_interrupted(struct desk *desk);

#endif
