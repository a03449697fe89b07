/* SPDX-License-Identifier: MIT */
#include "src/base/slot_table.h"

#include <assert.h>

#include <pollux/error.h>

static_assert(sizeof(struct plx__slot) == 8, "a slot costs its object 8 bytes");
static_assert(sizeof(struct plx__slab) % PLX__SLOT_UNIT == 0, "slots start on a unit");
static_assert(sizeof(struct plx__token) == sizeof(uint64_t), "what a kernel carries");

/* What is fetched at a time, on all but a few processors. */
#define CACHE_LINE 64u

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
    for (unsigned kind = 0; kind < count; kind++)
        table->stride[kind] = to_units(sizes[kind]);
}

void plx__slots_close(struct plx__slot_table *table)
{
    for (uint32_t i = 0; i < table->slab_count; i++)
        plx__alloc_free(table->allocator, table->slabs[i], slab_size(table->slabs[i]->stride));
    plx__alloc_free(table->allocator, table->slabs, table->slab_capacity * sizeof *table->slabs);
}

/* Backwards, so that slots are handed out in the order of their addresses. */
static void put_all(struct plx__slot_table *table, struct plx__slab *slab)
{
    for (uint32_t i = slots_per_slab(slab->stride); i-- > 0;) {
        uint32_t offset = HEADER + i * slab->stride;
        struct plx__slot *slot = plx__slab_slot(slab, offset);
        slot->generation = 1;
        slot->offset = (uint8_t)offset;
        plx__slots_put(table, slot);
    }
}

struct plx__slab *plx__slots_add_slab(struct plx__slot_table *table, unsigned kind)
{
    if (table->slab_count == PLX__SLAB_MAX)
        return NULL;
    int code = plx__alloc_grow(table->allocator, &table->slabs, &table->slab_capacity,
                               table->slab_count + 1, PLX__GROWTH_STEP, sizeof *table->slabs);
    if (code < 0)
        return NULL;
    size_t size = slab_size(table->stride[kind]);
    struct plx__slab *slab = table->allocator->resize(table->allocator->state, NULL, 0, size);
    if (!slab)
        return NULL;
    *slab = (struct plx__slab){.mark = 1,
                               .number = (uint16_t)table->slab_count,
                               .stride = table->stride[kind],
                               .kind = (uint8_t)kind,
                               .owner = table->owner};
    table->slabs[table->slab_count++] = slab;
    put_all(table, slab);
    return slab;
}

/* The first slab of the list has no more free slots. The one after the next is fetched now; by the
   time when it is needed, all of it will be there. */
void plx__slots_next_slab(struct plx__slot_table *table, unsigned kind)
{
    uint32_t number = table->open[kind]->next;
    struct plx__slab *slab = number == PLX__SLAB_NONE ? NULL : table->slabs[number];
    table->open[kind] = slab;
    number = slab ? slab->next : PLX__SLAB_NONE;
    if (number == PLX__SLAB_NONE)
        return;
    size_t size = slab_size(table->stride[kind]);
    for (size_t line = 0; line < size; line += CACHE_LINE)
        PLX__PREFETCH((unsigned char *)table->slabs[number] + line);
}

int plx__slots_reserve(struct plx__slot_table *table, unsigned kind, uint32_t count)
{
    while (table->free_count[kind] < count) {
        if (!plx__slots_add_slab(table, kind))
            return PLX_ERR_NOMEM;
    }
    return PLX_OK;
}
