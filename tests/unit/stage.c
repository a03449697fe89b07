/* SPDX-License-Identifier: MIT */
/*
 * stage.c: see stage.h.
 */
#include "stage.h"

#include <sys/socket.h>
#include <unistd.h>

#include "require.h"

void stage_open(struct stage *stage)
{
    stage->context = spy_context(rig_backend->id);
    for (int i = 0; i < STAGE_PAIRS; i++) {
        stage->pairs[i] = rig_sockets();
        stage->watchers[i] = NULL;
    }
}

void stage_close(struct stage *stage)
{
    plx_context_destroy(stage->context);
    for (int i = 0; i < STAGE_PAIRS; i++)
        rig_close_ends(stage->pairs[i]);
}

static uint32_t random_interest(struct random *random)
{
    static const uint32_t bits[] = {PLX_READ,  PLX_WRITE, PLX_RDHUP,   PLX_PRI,
                                    PLX_ERROR, PLX_HUP,   PLX_ONESHOT, PLX_EDGE};
    uint32_t events;
    do {
        uint32_t chosen = random_below(random, 256) & random_below(random, 256);
        events = 0;
        for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
            events |= chosen >> i & 1 ? bits[i] : 0;
        events &= rig_backend->supports | PLX_ERROR | PLX_HUP;
    } while (!(events & ~PLX__MODES));
    return events;
}

static void change_interest(struct stage *stage, struct random *random, uint32_t i)
{
    uint32_t events = random_interest(random);
    int code = stage->watchers[i] ? plx_watcher_modify(stage->watchers[i], events)
                                  : plx_context_add(stage->context, plx_fd(stage->pairs[i].read),
                                                    events, NULL, &stage->watchers[i]);
    REQUIRE(code == PLX_OK);
}

static void drop(struct stage *stage, uint32_t i)
{
    if (stage->watchers[i])
        REQUIRE(plx_watcher_remove(stage->watchers[i]) == PLX_OK);
    stage->watchers[i] = NULL;
}

static void hang_up(struct stage *stage, uint32_t i)
{
    drop(stage, i);
    rig_close_ends(stage->pairs[i]);
    stage->pairs[i] = rig_sockets();
}

static void speak(struct stage *stage, uint32_t i)
{
    char byte = 'x';
    if (send(stage->pairs[i].write, &byte, 1, MSG_NOSIGNAL) < 0 || i % 2)
        shutdown(stage->pairs[i].write, SHUT_WR);
}

static void hear(struct stage *stage, uint32_t i)
{
    char bytes[64];
    while (read(stage->pairs[i].read, bytes, sizeof bytes) > 0)
        continue;
}

static void look(struct stage *stage, uint32_t room)
{
    plx_watcher *ready[STAGE_PAIRS];
    REQUIRE(plx_context_wait(stage->context, ready, (int)room, 0) >= 0);
}

void stage_step(struct stage *stage, struct random *random)
{
    uint32_t i = random_below(random, STAGE_PAIRS);
    switch (random_below(random, 12)) {
    case 0:
        hang_up(stage, i);
        return;
    case 1:
        drop(stage, i);
        return;
    case 2:
        speak(stage, i);
        return;
    case 3:
        hear(stage, i);
        return;
    case 4:
    case 5:
    case 6:
        look(stage, i + 1);
        return;
    default:
        change_interest(stage, random, i);
    }
}
