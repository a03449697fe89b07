/* SPDX-License-Identifier: MIT */
/*
 * stage.h: a context under the spy, and a few sockets that come and go as chance will have it.
 */
#ifndef UNIT_STAGE_H
#define UNIT_STAGE_H

#include "random.h"
#include "rig.h"
#include "spy.h"

enum { STAGE_PAIRS = 4 };

struct stage {
    plx_context *context;
    struct ends pairs[STAGE_PAIRS];
    plx_watcher *watchers[STAGE_PAIRS]; /* NULL: not in the context */
};

void stage_open(struct stage *stage);
void stage_close(struct stage *stage);

/* One thing that a program may do, valid but not always sensible. */
void stage_step(struct stage *stage, struct random *random);

#endif
