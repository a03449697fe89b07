/* SPDX-License-Identifier: MIT */
/*
 * crowd.c: see crowd.h.
 */
#include "crowd.h"

#include "require.h"

void crowd_open(struct crowd *crowd, struct rig *rig, uint32_t want)
{
    for (int i = 0; i < CROWD; i++) {
        crowd->ends[i] = rig_readable_pipe();
        crowd->targets[i] = rig_add(rig, crowd->ends[i].read, want);
        crowd->records[i] = 0;
    }
}

void crowd_close(struct crowd *crowd)
{
    for (int i = 0; i < CROWD; i++)
        rig_close_ends(crowd->ends[i]);
}

int crowd_wait(struct crowd *crowd, struct rig *rig, int capacity)
{
    struct plx__record records[ROOM];
    bool was_seen[CROWD] = {false};
    int count = rig_wait(rig, records, capacity);
    for (int i = 0; i < count; i++) {
        int who = 0;
        while (who < CROWD && !rig_is_of(&records[i], crowd->targets[who]))
            who++;
        REQUIRE(who < CROWD);
        REQUIRE(!was_seen[who]);
        was_seen[who] = true;
        crowd->records[who]++;
    }
    return count;
}
