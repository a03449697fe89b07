/* SPDX-License-Identifier: MIT */
#include "src/base/slot_table.h"

#include <assert.h>
#include <string.h>

#include <pollux/error.h>

static_assert(sizeof(struct plx__slot) == 8, "a slot costs its object 8 bytes");
static_assert(sizeof(struct plx__slab) % PLX__SLOT_UNIT == 0, "slots start on a unit");
static_assert(sizeof(struct plx__token) == sizeof(uint64_t), "what a kernel carries");

#define HEADER ((uint32_t)(sizeof(struct plx__slab) / PLX__SLOT_UNIT))

static uint8_t to_units(size_t size)
{
    return (uint8_t)((size + PLX__SLOT_UNIT - 1) / PLX__SLOT_UNIT);
}

/* As many slots as fit below the largest offset, or as few as the hostile build wants. */
static uint32_t slots_per_slab(uint32_t stride)
{
    uint32_t count = (PLX__SLOT_OFFSETS - HEADER) / stride;
    return count < PLX__SLOTS_PER_SLAB ? count : PLX__SLOTS_PER_SLAB;
}

static size_t slab_size(uint32_t stride)
{
    return (HEADER + (size_t)stride * slots_per_slab(stride)) * PLX__SLOT_UNIT;
}

void plx__slots_open(struct plx__slot_table *table, const plx_allocator *allocator, void *owner,
                     const size_t *sizes, unsigned count)
{
    assert(count <= PLX__SLOT_CLASSES);
    *table = (struct plx__slot_table){.allocator = allocator, .owner = owner};
    for (unsigned kind = 0; kind < count; kind++) {
        table->stride[kind] = to_units(sizes[kind]);
        table->free_first[kind] = PLX__SLOT_NONE;
    }
}

void plx__slots_close(struct plx__slot_table *table)
{
    for (uint32_t i = 0; i < table->slab_count; i++)
        plx__alloc_free(table->allocator, table->slabs[i], slab_size(table->slabs[i]->stride));
    plx__alloc_free(table->allocator, table->slabs, table->slab_capacity * sizeof *table->slabs);
}

/* Backwards, so that the free list hands slots out in the order of their addresses. */
static void put_all(struct plx__slot_table *table, struct plx__slab *slab)
{
    for (uint32_t i = slots_per_slab(slab->stride); i-- > 0;) {
        uint32_t offset = HEADER + i * slab->stride;
        struct plx__slot *slot =
            (struct plx__slot *)((uintptr_t)slab + (uintptr_t)offset * PLX__SLOT_UNIT);
        slot->generation = 1;
        slot->offset = (uint8_t)offset;
        plx__slots_put(table, slot);
    }
}

static int add_slab(struct plx__slot_table *table, unsigned kind)
{
    if (table->slab_count == PLX__SLAB_MAX)
        return PLX_ERR_NOMEM;
    int code = plx__alloc_grow(table->allocator, &table->slabs, &table->slab_capacity,
                               table->slab_count + 1, PLX__GROWTH_STEP, sizeof *table->slabs);
    if (code < 0)
        return code;
    struct plx__slab *slab = plx__alloc_zeroed(table->allocator, slab_size(table->stride[kind]));
    if (!slab)
        return PLX_ERR_NOMEM;
    slab->sentinel = PLX__GENERATION_MAX;
    slab->number = (uint16_t)table->slab_count;
    slab->stride = table->stride[kind];
    slab->kind = (uint8_t)kind;
    slab->owner = table->owner;
    table->slabs[table->slab_count++] = slab;
    put_all(table, slab);
    return PLX_OK;
}

int plx__slots_reserve(struct plx__slot_table *table, unsigned kind, uint32_t count)
{
    while (table->free_count[kind] < count) {
        int code = add_slab(table, kind);
        if (code < 0)
            return code;
    }
    return PLX_OK;
}

void *plx__slots_take(struct plx__slot_table *table, unsigned kind)
{
    if (plx__slots_reserve(table, kind, 1) < 0)
        return NULL;
    struct plx__slot *slot = plx__slots_at(table->slabs, table->free_first[kind]);
    table->free_first[kind] = plx__slot_next(slot);
    table->free_count[kind]--;
    memset(slot + 1, 0, plx__slot_size(slot) - sizeof *slot);
    plx__slot_link(slot, PLX__SLOT_NONE);
    return slot;
}

/* Generations start at 1, so that no token is 0: backends use that for what is not a watcher. */
bool plx__slot_retire(struct plx__slot *slot)
{
    bool is_last = slot->generation == PLX__GENERATION_MAX;
    slot->generation = is_last ? 1 : slot->generation + 1;
    return is_last;
}

void plx__slots_put(struct plx__slot_table *table, struct plx__slot *slot)
{
    unsigned kind = plx__slot_class(slot);
#ifdef POLLUX_STRESS
    /* Who reads on will notice; but a notify that was removed has to look removed until its place
       is another's, and what says that it is alive is a lowest bit. */
    memset(slot + 1, 0xDA, plx__slot_size(slot) - sizeof *slot);
#endif
    plx__slot_link(slot, table->free_first[kind]);
    table->free_first[kind] = plx__slot_number(slot);
    table->free_count[kind]++;
}
