/* SPDX-License-Identifier: MIT */
/*
 * crowd.h: many targets in one queue, all of them ready.
 */
#ifndef UNIT_CROWD_H
#define UNIT_CROWD_H

#include "rig.h"

enum { CROWD = 20 };

struct crowd {
    struct ends ends[CROWD];
    struct plx__target *targets[CROWD];
    uint32_t records[CROWD]; /* how many each had */
};

void crowd_open(struct crowd *crowd, struct rig *rig, uint32_t want);
void crowd_close(struct crowd *crowd);

/* One wait. Each record is of one of the crowd, and of another one. Returns how many there were. */
int crowd_wait(struct crowd *crowd, struct rig *rig, int capacity);

#endif
