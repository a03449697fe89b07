/* SPDX-License-Identifier: MIT */
#include "src/base/slot_table.h"

#include <assert.h>

#include <pollux/error.h>

#include "src/base/tags.h"

static_assert(sizeof(struct plx__slot) == 8, "a slot costs its object 8 bytes");
static_assert(sizeof(struct plx__slab) % PLX__SLOT_UNIT == 0, "slots start on a unit");
static_assert(sizeof(struct plx__token) == sizeof(uint64_t), "what a kernel carries");
static_assert(PLX__SLOTS_PER_SLAB <= 32 * 64, "a bit for each 64 of them");
static_assert(PLX__GENERATION_BITS <= 24, "generations have 24 bits");

#define HEADER ((uint32_t)(sizeof(struct plx__slab) / PLX__SLOT_UNIT))

/* Blocks of exactly 64 KiB would put all headers into the same few sets of a cache. */
#define MOST_UNITS (PLX__SLOT_OFFSETS - 32u)

/* One object and the header have to fit into the smallest slab; and a stride of one unit would have
   no inverse. */
#define MOST_SIZE ((PLX__SLAB_UNITS - HEADER - 1) * PLX__SLOT_UNIT)

static uint8_t to_units(size_t size)
{
    return (uint8_t)((size + PLX__SLOT_UNIT - 1) / PLX__SLOT_UNIT);
}

/* Where the first slot is, behind the bits of all. */
static uint32_t first_of(uint32_t count)
{
    return HEADER + (count + 63) / 64;
}

static size_t slab_size(uint32_t stride, uint32_t count)
{
    return (first_of(count) + (size_t)stride * count) * PLX__SLOT_UNIT;
}

/* As many slots as fit into so many units, or as few as the hostile build wants. */
static uint32_t slots_in(uint32_t units, uint32_t stride)
{
    uint32_t count = (units - HEADER) * 64 / (stride * 64 + 1);
    while (count > 1 && first_of(count) + stride * count > units)
        count--;
    return count < PLX__SLOTS_PER_SLAB ? count : PLX__SLOTS_PER_SLAB;
}

/*
 * The table grows by a sixty-fourth, or by what is reserved: what a watcher weighs is a promise,
 * also just after growing. A share of the class instead of the table would waste less where there
 * are several, and use up the numbers of slabs on small ones.
 */
static uint32_t units_of_next(const struct plx__slot_table *table, unsigned kind, uint32_t wanted)
{
    uint64_t needed = first_of(wanted) + (uint64_t)wanted * table->pools[kind].stride;
    uint64_t units = needed > table->units / 64 ? needed : table->units / 64;
    if (units < PLX__SLAB_UNITS)
        return PLX__SLAB_UNITS;
    return units < MOST_UNITS ? (uint32_t)units : MOST_UNITS;
}

void plx__slots_open(struct plx__slot_table *table, const plx_allocator *allocator, void *owner,
                     const size_t *sizes, unsigned count)
{
    assert(count <= PLX__SLOT_CLASSES);
    *table = (struct plx__slot_table){.allocator = allocator, .owner = owner};
    for (unsigned kind = 0; kind < count; kind++) {
        assert(sizes[kind] > sizeof(struct plx__slot) && sizes[kind] <= MOST_SIZE);
        table->pools[kind].stride = to_units(sizes[kind]);
        table->pools[kind].word = &table->no_word;
    }
}

void plx__slots_tag(struct plx__slot_table *table, unsigned kind)
{
    table->pools[kind].has_tags = true;
}

static void open_tags(struct plx__slot_table *table, const struct plx__slab *slab, size_t size)
{
    if (!table->pools[slab->kind].has_tags)
        return;
    if (table->tag_number == 0)
        table->tag_number = plx__tags_enlist(table->owner);
    plx__tags_open(table->tag_number, slab, size);
}

void plx__slots_close(struct plx__slot_table *table)
{
    for (uint32_t i = 0; i < table->slab_count; i++) {
        struct plx__slab *slab = table->slabs[i];
        size_t size = slab_size(slab->stride, slab->count);
        plx__tags_close(table->tag_number, slab, size);
        plx__alloc_free(table->allocator, slab, size);
    }
    plx__tags_dismiss(table->tag_number);
    plx__alloc_free(table->allocator, table->slabs, table->slab_capacity * sizeof *table->slabs);
}

static void put_all(struct plx__slot_table *table, struct plx__slab *slab)
{
    memset(slab->free, 0, (slab->first - HEADER) * sizeof slab->free[0]);
    for (uint32_t i = 0; i < slab->count; i++) {
        uint32_t offset = slab->first + i * slab->stride;
        struct plx__slot *slot = plx__slab_slot(slab, offset);
        *slot = (struct plx__slot){.offset = (uint16_t)offset, .generation = 1};
        plx__slots_put(table, slot);
    }
}

/* A slab for `wanted` slots, or for as many as it can have. */
static struct plx__slab *add_slab(struct plx__slot_table *table, unsigned kind, uint32_t wanted)
{
    if (table->slab_count == PLX__SLAB_MAX)
        return NULL;
    int code = plx__alloc_grow(table->allocator, &table->slabs, &table->slab_capacity,
                               table->slab_count + 1, PLX__GROWTH_STEP, sizeof *table->slabs);
    if (code < 0)
        return NULL;
    uint32_t stride = table->pools[kind].stride;
    uint32_t count = slots_in(units_of_next(table, kind, wanted), stride);
    size_t size = slab_size(stride, count);
    struct plx__slab *slab = plx__alloc(table->allocator, size);
    if (!slab)
        return NULL;
    *slab = (struct plx__slab){.number = (uint16_t)table->slab_count,
                               .kind = (uint8_t)kind,
                               .stride = (uint8_t)stride,
                               .first = (uint16_t)first_of(count),
                               .owner = table->owner,
                               .count = (uint16_t)count,
                               .inverse = (uint16_t)(65535 / stride + 1)};
    table->slabs[table->slab_count++] = slab;
    table->units += (uint32_t)(size / PLX__SLOT_UNIT);
    put_all(table, slab);
    open_tags(table, slab, size);
    return slab;
}

/* The class goes on with another slab, which is open no longer. */
static bool change_slab(struct plx__slot_table *table, unsigned kind)
{
    struct plx__slot_pool *pool = &table->pools[kind];
    if (!pool->open && !add_slab(table, kind, 1))
        return false;
    if (pool->slab)
        pool->slab->words = 0;
    pool->slab = pool->open;
    pool->open = pool->slab->next == PLX__SLAB_NONE ? NULL : table->slabs[pool->slab->next];
    return true;
}

bool plx__slots_next_word(struct plx__slot_table *table, unsigned kind)
{
    struct plx__slot_pool *pool = &table->pools[kind];
    uint32_t used = pool->slab ? UINT32_C(1) << (pool->word - pool->slab->free) : 0;
    if (pool->slab && pool->slab->words != used)
        pool->slab->words &= ~used;
    else if (!change_slab(table, kind))
        return false;
    struct plx__slab *slab = pool->slab;
    unsigned index = plx__lowest_bit(slab->words);
    pool->word = &slab->free[index];
    struct plx__slot *first = plx__slab_slot(slab, slab->first + index * 64 * pool->stride);
    pool->start = (uintptr_t)first;
    pool->number = plx__slot_number(first);
    return true;
}

int plx__slots_reserve(struct plx__slot_table *table, unsigned kind, uint32_t count)
{
    while (table->pools[kind].free_count < count) {
        if (!add_slab(table, kind, count - table->pools[kind].free_count))
            return PLX_ERR_NOMEM;
    }
    return PLX_OK;
}
