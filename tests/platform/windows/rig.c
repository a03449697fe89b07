/* SPDX-License-Identifier: MIT */
/* rig.c: see rig.h. */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

static void *resize(void *state, void *block, size_t old_size, size_t new_size)
{
    struct rig *rig = state;
    void *resized = NULL;

    if (new_size > 0) {
        rig->allocations++;
        if (rig->refuse > 0 && --rig->refuse == 0)
            return NULL;
        resized = realloc(block, new_size);
        CHECK(resized != NULL);
    } else {
        free(block);
    }
    rig->allocated = rig->allocated - old_size + new_size;
    return resized;
}

void rig_open(struct rig *rig, struct scene *scene)
{
    static const size_t size = sizeof(struct plx__target);

    memset(rig, 0, sizeof *rig);
    rig->scene = scene;
    rig->backend = &plx__backend_wsapoll;
    rig->allocator = (plx_allocator){resize, rig};
    plx__slots_open(&rig->slots, &plx__alloc_default, rig, &size, 1);
    kernel_open();
}

void rig_close(struct rig *rig)
{
    if (rig->queue)
        rig->backend->close(rig->queue);
    plx__slots_close(&rig->slots);
    kernel_close();
    CHECK_EQUAL(rig->allocated, 0);
    CHECK(!kernel.was_strange);
}

int rig_open_queue(struct rig *rig, uint32_t capacity)
{
    return rig->backend->open(&rig->queue, &rig->allocator, capacity);
}

void rig_queue(struct rig *rig, uint32_t capacity)
{
    CHECK_OK(rig_open_queue(rig, capacity));
}

struct plx__target *rig_target(struct rig *rig, plx_socket fd)
{
    struct plx__target *target = plx__slots_take(&rig->slots, 0);

    CHECK(target != NULL);
    target->fd = fd;
    target->place = 0;
    return target;
}

struct plx__target *rig_add(struct rig *rig, plx_socket fd, uint32_t want)
{
    struct plx__target *target = rig_target(rig, fd);

    CHECK_OK(rig->backend->add(rig->queue, target, want));
    return target;
}

void rig_modify(struct rig *rig, struct plx__target *target, uint32_t was, uint32_t want)
{
    CHECK_OK(rig->backend->modify(rig->queue, target, was, want));
}

bool rig_is_of(const struct plx__record *record, const struct plx__target *target)
{
    struct plx__token token = plx__slot_token(&target->slot);

    return record->token.number == token.number && record->token.generation == token.generation;
}

int rig_wait(struct rig *rig, struct plx__record *records, int capacity, plx_duration timeout)
{
    int count = rig->backend->wait(rig->queue, records, capacity, timeout), kept = 0;

    CHECK(count >= 0 && count <= capacity);
    for (int i = 0; i < count; i++) {
        if (records[i].token.number != 0 || records[i].token.generation != 0)
            records[kept++] = records[i];
    }
    return kept;
}

uint32_t rig_facts(struct rig *rig, const struct plx__target *target)
{
    struct plx__record records[ROOM];
    int count = rig_wait(rig, records, ROOM, 0);

    if (count == 0)
        return 0;
    CHECK_EQUAL(count, 1);
    CHECK(rig_is_of(&records[0], target));
    CHECK(records[0].events != 0);
    return records[0].events;
}
