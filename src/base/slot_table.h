/* SPDX-License-Identifier: MIT */
/*
 * slot_table.h: objects with a number, a stable address, and a token that goes stale.
 *
 * Kernels carry 64 bits of ours with every registration and may hand them back after the object is
 * gone. They are a slot's number and a generation, never a pointer: a late event finds a slot whose
 * generation has moved on, and one compare drops it.
 *
 *   slabs    [0]------> +--------+------+------+------+-   header: owner, number, class, and a
 *            [1]---+    | header | slot | slot | slot |         bit for each slot that is free
 *                  |    +--------+------+------+------+-
 *                  +--> ...            ^ offset, in units of 8 bytes from the slab's start
 *
 * A slot's number is that of its slab and its offset there, so that finding it is a shift and an
 * addition. Slabs hold objects of one class, and so of one size; all classes share one numbering.
 * Because a slot knows its offset, an object needs no pointer to its owner and no word for its
 * class: 8 bytes less for every watcher.
 * Slabs are freed with the table only, so that looking a stale token up is always safe.
 *
 * A slab weighs 1.5 KiB at first and 64 KiB when there are many. Whoever has an object needs the
 * header of its slab next: with a million objects these are a thousand headers, which stay in the
 * cache, and not thirty thousand, each as far away as the object was.
 *
 * What came back, in whatever order, goes out again slab after slab and in the order of addresses:
 * neighbours in time are neighbours in memory, and the next ones can be fetched before they are
 * needed.
 *
 * One thread uses a table. Only a slot's offset, and through it the slab's header, may be read by
 * others while the slot is in use: it is a memory location of its own and never changes.
 */
#ifndef POLLUX_BASE_SLOT_TABLE_H
#define POLLUX_BASE_SLOT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "src/base/alloc.h"
#include "src/base/compiler.h"
#include "src/base/tags.h"
#include "src/base/tuning.h"

/* The first member of every object in the table. */
struct plx__slot {
    uint16_t offset;   /* from the slab's start, in units of PLX__SLOT_UNIT */
    uint16_t next_low; /* with the following: 24 bits of the owner's while it is in use */
    uint32_t next_high : 8;
    uint32_t generation : 24; /* 1..PLX__GENERATION_MAX; moves on when the slot is retired */
};

/* What the kernel carries. As 64 bits it is copied as it stands in memory. */
struct plx__token {
    uint32_t number;
    uint32_t generation;
};

#define PLX__SLOT_UNIT      8u
#define PLX__SLOT_OFFSETS   (1u << PLX__OFFSET_BITS)
#define PLX__SLAB_MAX       ((1u << (24 - PLX__OFFSET_BITS)) - 1)
#define PLX__SLOT_NONE      0u        /* ends a list: there the header of the first slab is */
#define PLX__SLOT_LIMIT     0xFFFFFFu /* numbers are smaller */
#define PLX__GENERATION_MAX ((UINT32_C(1) << PLX__GENERATION_BITS) - 1)

struct plx__slab {
    uint16_t number;
    uint16_t next;  /* the number of the next open slab, or PLX__SLAB_NONE */
    uint8_t kind;   /* the class of its objects */
    uint8_t stride; /* from slot to slot, in units. Not 0, and where a slot has its generation: a
                       token of zeroes names the slab itself, and is stale there too */
    uint16_t first; /* offset of the first slot */
    union {
        void *owner;
        uint64_t width; /* so that slots start on a unit with pointers of any size */
    };
    uint16_t count;   /* of slots */
    uint16_t inverse; /* 65 536 over the stride: offsets become indices without dividing */
    uint32_t words;   /* bit i: free[i] is not 0, or is the word that slots are taken from */
    uint64_t free[];  /* a bit for each slot */
};

/* Slots this far on, in bytes, are fetched now: they will be taken next. */
#define PLX__SLOT_AHEAD 512u

#define PLX__SLAB_NONE PLX__SLAB_MAX /* ends the list of slabs */

#define PLX__SLOT_CLASSES 12u

struct plx__slot_pool {
    uint64_t *word;         /* the free slots that go out next: one of the words of `slab` */
    uintptr_t start;        /* where the slot of its bit 0 is */
    uint32_t number;        /* of that slot */
    uint32_t free_count;    /* of all slabs */
    struct plx__slab *slab; /* NULL before the first */
    struct plx__slab *open; /* another one with free slots, or NULL */
    uint16_t stride;        /* from slot to slot, in units */
    bool has_tags;          /* see plx__slots_tag() */
};

struct plx__slot_table {
    const plx_allocator *allocator;
    void *owner;
    struct plx__slab **slabs;
    uint32_t slab_count;
    uint32_t slab_capacity;
    uint32_t units;      /* of all slabs */
    uint32_t tag_number; /* of the owner, as soon as there are slabs with tags */
    struct plx__tag_cursor tagged;
    uint64_t no_word; /* 0: of a class without a slab */
    struct plx__slot_pool pools[PLX__SLOT_CLASSES];
};

/* `sizes` are those of the `count` classes that are used. */
void plx__slots_open(struct plx__slot_table *table, const plx_allocator *allocator, void *owner,
                     const size_t *sizes, unsigned count);

/* Objects of this class can have tags (src/base/tags.h); they are the table's owner's. */
void plx__slots_tag(struct plx__slot_table *table, unsigned kind);

void plx__slots_close(struct plx__slot_table *table);

/* Makes `count` slots of the class free; on failure fewer may be. */
int plx__slots_reserve(struct plx__slot_table *table, unsigned kind, uint32_t count);

/* The rare half of plx__slots_take(): finds the next word. False if there is no memory for it. */
bool plx__slots_next_word(struct plx__slot_table *table, unsigned kind);

static inline struct plx__slab *plx__slot_slab(const struct plx__slot *slot)
{
    return (struct plx__slab *)((uintptr_t)slot - slot->offset * PLX__SLOT_UNIT);
}

static inline unsigned plx__slot_class(const struct plx__slot *slot)
{
    return plx__slot_slab(slot)->kind;
}

static inline size_t plx__slot_size(const struct plx__slot *slot)
{
    return plx__slot_slab(slot)->stride * (size_t)PLX__SLOT_UNIT;
}

static inline uint32_t plx__slot_next(const struct plx__slot *slot)
{
    return (uint32_t)slot->next_high << 16 | slot->next_low;
}

static inline void plx__slot_link(struct plx__slot *slot, uint32_t next)
{
    slot->next_high = next >> 16 & 0xFF;
    slot->next_low = (uint16_t)next;
}

static inline uint32_t plx__slot_number(const struct plx__slot *slot)
{
    return (uint32_t)plx__slot_slab(slot)->number * PLX__SLOT_OFFSETS + slot->offset;
}

static inline struct plx__token plx__slot_token(const struct plx__slot *slot)
{
    struct plx__token token = {plx__slot_number(slot), slot->generation};
    return token;
}

/* The object of a number that plx__slot_number() gave. */
static inline void *plx__slots_at(struct plx__slab *const *slabs, uint32_t number)
{
    return (void *)((uintptr_t)slabs[number / PLX__SLOT_OFFSETS] +
                    (uintptr_t)(number % PLX__SLOT_OFFSETS) * PLX__SLOT_UNIT);
}

/*
 * Makes the tokens of a slot stale; its object may be read until the slot is put back. True if the
 * generations of this slot were used up and start again: at 1, so that no token is 0, which
 * backends use for what is not a watcher.
 */
static inline bool plx__slot_retire(struct plx__slot *slot)
{
    slot->generation = (slot->generation + 1) & PLX__GENERATION_MAX;
    if (PLX__LIKELY(slot->generation != 0))
        return false;
    slot->generation = 1;
    return true;
}

static inline struct plx__slot *plx__slab_slot(const struct plx__slab *slab, uint32_t offset)
{
    return (struct plx__slot *)((uintptr_t)slab + (uintptr_t)offset * PLX__SLOT_UNIT);
}

/* plx__slots_take() for who needs the slot's number as well. Here it is known, and later two loads
   away. */
static inline void *plx__slots_take_numbered(struct plx__slot_table *table, unsigned kind,
                                             uint32_t *ret_number)
{
    struct plx__slot_pool *pool = &table->pools[kind];
    if (*pool->word == 0 && !plx__slots_next_word(table, kind))
        return NULL;
    uint64_t bits = *pool->word;
    uint32_t units = plx__lowest_bit(bits) * pool->stride;
    uintptr_t address = pool->start + (uintptr_t)units * PLX__SLOT_UNIT;
    *pool->word = bits & (bits - 1);
    pool->free_count--;
    PLX__PREFETCH((void *)(address + PLX__SLOT_AHEAD));
    *ret_number = pool->number + units;
    return (void *)address;
}

/* An object of which only the slot is set, or NULL when there is no memory. */
static inline void *plx__slots_take(struct plx__slot_table *table, unsigned kind)
{
    uint32_t number;
    return plx__slots_take_numbered(table, kind, &number);
}

/* Puts back a retired slot, or one of whose token nobody has a copy. */
static inline void plx__slots_put(struct plx__slot_table *table, struct plx__slot *slot)
{
    struct plx__slab *slab = plx__slot_slab(slot);
    struct plx__slot_pool *pool = &table->pools[slab->kind];
#ifdef POLLUX_STRESS
    /* Who reads on will notice; but a notify that was removed has to look removed until its place
       is another's, and what says that it is alive is a lowest bit. */
    memset(slot + 1, 0xDA, plx__slot_size(slot) - sizeof *slot);
#endif
    unsigned index = (uint32_t)(slot->offset - slab->first) * slab->inverse >> 16;
    if (slab->words == 0) {
        slab->next = pool->open ? pool->open->number : PLX__SLAB_NONE;
        pool->open = slab;
    }
    slab->words |= UINT32_C(1) << index / 64;
    slab->free[index / 64] |= UINT64_C(1) << index % 64;
    pool->free_count++;
}

#endif
