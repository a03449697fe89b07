/* SPDX-License-Identifier: MIT */
/*
 * tags.h: one bit for an object, found by the object's address, and who owns it.
 *
 * Who asks an object waits until it has come from memory, and with a hundred thousand of them that
 * is what a call costs. What stands here of them stays in the cache: 8 bytes for a kilobyte
 * (docs/adr/0007). What a tag stands for, the object has to know as well: a tag only saves the
 * look.
 *
 *    63            42 41     32 31                 0
 *    +---------------+---------+--------------------+   the word of a page: which page that is of
 *    |  page's rest  |  owner  |  32 tags           |   all that could be here, whose, and a tag
 * for
 *    +---------------+---------+--------------------+   each 32 bytes
 *
 * Each page of memory has one place where its word can be, if that is free: pages that are
 * PLX__TAG_PAGES apart share one. An object whose page is not here has no tag, ever.
 *
 * Any thread may ask for an object of its own. What other threads change meanwhile are words of
 * other pages, or of a page in which it has a neighbour; and as everything is in one word, it never
 * takes the tag of one page for that of another. Only the owner changes a word that is not free.
 */
#ifndef POLLUX_BASE_TAGS_H
#define POLLUX_BASE_TAGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/tuning.h"

/* So many bytes apart are objects that have a tag, at least. */
#define PLX__TAG_SPACE UINT64_C(32)
#define PLX__TAG_PAGE  (32 * PLX__TAG_SPACE)

#define PLX__TAG_OWNER_BIT 32
#define PLX__TAG_REST_BIT  (PLX__TAG_OWNER_BIT + PLX__TAG_OWNER_BITS)
#define PLX__TAG_OWNERS    (1u << PLX__TAG_OWNER_BITS)

extern _Atomic(uint64_t) plx__tag_words[PLX__TAG_PAGES]; /* 0: free */
extern _Atomic(void *) plx__tag_owners[PLX__TAG_OWNERS]; /* 0 is nobody */

/* A number for who owns objects, or 0 if there are none left; then they have no tags. */
uint32_t plx__tags_enlist(void *owner);
void plx__tags_dismiss(uint32_t number);

/* Objects in this block can have tags from now on; and not any more. */
void plx__tags_open(uint32_t owner, const void *block, size_t size);
void plx__tags_close(uint32_t owner, const void *block, size_t size);

static inline _Atomic(uint64_t) *plx__tag_word(const void *object)
{
    return &plx__tag_words[(uintptr_t)object / PLX__TAG_PAGE % PLX__TAG_PAGES];
}

static inline uint64_t plx__tag_bit(const void *object)
{
    return UINT64_C(1) << (uintptr_t)object / PLX__TAG_SPACE % 32;
}

static inline uint64_t plx__tag_rest(const void *object)
{
    return (uintptr_t)object / PLX__TAG_PAGE / PLX__TAG_PAGES;
}

/* The owner of an object that has a tag, else NULL. The object is not looked at. */
static inline void *plx__tag_owner(const void *object)
{
    uint64_t word = atomic_load_explicit(plx__tag_word(object), memory_order_relaxed);
    if (word >> PLX__TAG_REST_BIT != plx__tag_rest(object) || !(word & plx__tag_bit(object)))
        return NULL;
    uint64_t number = word >> PLX__TAG_OWNER_BIT & (PLX__TAG_OWNERS - 1);
    return atomic_load_explicit(&plx__tag_owners[number], memory_order_relaxed);
}

/* Gives an object a tag, if it can have one, or takes it away. */
static inline void plx__tag_set(uint32_t owner, const void *object, bool is_set)
{
    _Atomic(uint64_t) *place = plx__tag_word(object);
    uint64_t word = atomic_load_explicit(place, memory_order_relaxed);
    uint64_t head = plx__tag_rest(object) * PLX__TAG_OWNERS + owner;
    if (owner == 0 || word >> PLX__TAG_OWNER_BIT != head)
        return;
    word &= ~plx__tag_bit(object);
    word |= is_set ? plx__tag_bit(object) : 0;
    atomic_store_explicit(place, word, memory_order_relaxed);
}

/* Takes away a tag that was found. */
static inline void plx__tag_clear(const void *object)
{
    _Atomic(uint64_t) *place = plx__tag_word(object);
    uint64_t word = atomic_load_explicit(place, memory_order_relaxed);
    atomic_store_explicit(place, word & ~plx__tag_bit(object), memory_order_relaxed);
}

#endif
