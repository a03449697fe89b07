/* SPDX-License-Identifier: MIT */
/*
 * situations.h: the states that a pipe or a socket can be in.
 */
#ifndef UNIT_SITUATIONS_H
#define UNIT_SITUATIONS_H

#include "rig.h"

/* Makes it. The end to look at is `read`, whatever it is for; `write` may be -1. */
typedef struct ends situation(void);

enum { SITUATIONS = 13 };

extern situation *const situations[SITUATIONS];

#endif
