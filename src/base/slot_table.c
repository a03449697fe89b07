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

/* As many slots as fit, or as few as the hostile build wants. */
static uint32_t slots_in(uint32_t units, uint32_t stride)
{
    uint32_t count = (units - HEADER) / stride;
    return count < PLX__SLOTS_PER_SLAB ? count : PLX__SLOTS_PER_SLAB;
}

static size_t slab_size(uint32_t stride)
{
    return (HEADER + (size_t)stride * slots_in(PLX__SLOT_OFFSETS, stride)) * PLX__SLOT_UNIT;
}

/* In front of the slabs that were carved out of it. */
struct plx__chunk {
    struct plx__chunk *previous;
    size_t size;
    uintptr_t next; /* where the next slab begins */
};

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
    for (uint32_t i = 0; i < table->slab_count && i < PLX__LONE_SLABS; i++)
        plx__alloc_free(table->allocator, table->slabs[i], slab_size(table->slabs[i]->stride));
    for (struct plx__chunk *chunk = table->chunk, *previous; chunk; chunk = previous) {
        previous = chunk->previous;
        plx__alloc_free(table->allocator, chunk, chunk->size);
    }
    plx__alloc_free(table->allocator, table->slabs, table->slab_capacity * sizeof *table->slabs);
}

/* An even number of slabs and the two words of glibc fill whole pages. */
static struct plx__chunk *add_chunk(struct plx__slot_table *table)
{
    size_t count = table->slab_count / PLX__CHUNK_SHARE / 2 * 2 + 2;
    size_t size = count * PLX__SLAB_ALIGN - 2 * sizeof(void *);
    struct plx__chunk *chunk = table->allocator->resize(table->allocator->state, NULL, 0, size);
    if (!chunk)
        return NULL;
    *chunk = (struct plx__chunk){table->chunk, size, (uintptr_t)(chunk + 1)};
    table->chunk = chunk;
    return chunk;
}

/* What the chunk has until the next boundary, in units; 0 if that is its end. */
static uint32_t room_in(const struct plx__chunk *chunk)
{
    uintptr_t boundary = (chunk->next | (PLX__SLAB_ALIGN - 1)) + 1;
    uintptr_t end = (uintptr_t)chunk + chunk->size;
    return (uint32_t)(((end < boundary ? end : boundary) - chunk->next) / PLX__SLOT_UNIT);
}

/* NULL when there is no memory. */
static struct plx__slab *carve(struct plx__slot_table *table, uint32_t stride, uint32_t *ret_units)
{
    struct plx__chunk *chunk = table->chunk;
    for (;;) {
        uint32_t units = chunk ? room_in(chunk) : 0;
        if (units == 0 && !(chunk = add_chunk(table)))
            return NULL;
        uintptr_t next = chunk->next;
        chunk->next += (uintptr_t)units * PLX__SLOT_UNIT;
        *ret_units = units;
        if (units >= HEADER + stride)
            return (struct plx__slab *)next;
    }
}

static struct plx__slab *make_slab(struct plx__slot_table *table, uint32_t stride,
                                   uint32_t *ret_units)
{
    if (table->slab_count >= PLX__LONE_SLABS)
        return carve(table, stride, ret_units);
    *ret_units = PLX__SLOT_OFFSETS;
    return table->allocator->resize(table->allocator->state, NULL, 0, slab_size(stride));
}

/* Backwards, so that slots are handed out in the order of their addresses. */
static void put_all(struct plx__slot_table *table, struct plx__slab *slab, uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
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
    uint32_t units;
    struct plx__slab *slab = code < 0 ? NULL : make_slab(table, table->stride[kind], &units);
    if (!slab)
        return NULL;
    *slab = (struct plx__slab){.open = PLX__SLAB_MARK,
                               .number = (uint16_t)table->slab_count,
                               .stride = table->stride[kind],
                               .kind = (uint8_t)kind,
                               .owner = table->owner};
    table->slabs[table->slab_count++] = slab;
    put_all(table, slab, slots_in(units, slab->stride));
    return slab;
}

/* The first slab of the list has no more free slots. The one after the next is fetched now; by the
   time when it is needed, all of it will be there. */
void plx__slots_next_slab(struct plx__slot_table *table, unsigned kind)
{
    uint32_t number = (uint16_t)table->open[kind]->open;
    struct plx__slab *slab = number == PLX__SLAB_NONE ? NULL : table->slabs[number];
    table->open[kind] = slab;
    number = slab ? (uint16_t)slab->open : PLX__SLAB_NONE;
    if (number == PLX__SLAB_NONE)
        return;
    for (size_t line = 0; line < PLX__SLAB_ALIGN; line += CACHE_LINE)
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

/* Generations start at 1, so that no token is 0: backends use that for what is not a watcher. */
bool plx__slot_retire(struct plx__slot *slot)
{
    bool is_last = slot->generation == PLX__GENERATION_MAX;
    slot->generation = is_last ? 1 : slot->generation + 1;
    return is_last;
}
