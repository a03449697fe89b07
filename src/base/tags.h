/* SPDX-License-Identifier: MIT */
/*
 * tags.h: one bit for an object, found by the object's address, and who owns it.
 *
 * A call that reads an object waits until it has come from memory, and with a hundred thousand
 * objects that is what the call costs. Their tags stay in the cache: 8 bytes for a kilobyte
 * (docs/adr/0007). They say nothing that the object does not know as well.
 *
 *     63                42 41     32 31                 0
 *    +--------------------+---------+--------------------+
 *    | the page's number  |  owner  |  32 tags           |    the word of a page, which is a
 *    | / PLX__TAG_PAGES   |         |                    |    kilobyte of memory
 *    +--------------------+---------+--------------------+
 *
 * Each page of memory has one place where its word can be, if that is free: one in PLX__TAG_PAGES
 * shares it. Which ones do is mixed, because the heaps of threads begin 64 MiB apart in glibc. The
 * objects in a page that is not here have no tags.
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

/* Where a word of 64 bits takes a lock, as on some processors of 32, nothing has a tag. */
#define PLX__HAS_TAGS (ATOMIC_LLONG_LOCK_FREE == 2)

/* Objects with tags begin at least so many bytes apart. */
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

/* Any odd number will do. */
#define PLX__TAG_MIX UINT32_C(0x9E3B)

static inline _Atomic(uint64_t) *plx__tag_place(uint64_t page)
{
    return &plx__tag_words[(page ^ page / PLX__TAG_PAGES * PLX__TAG_MIX) % PLX__TAG_PAGES];
}

static inline _Atomic(uint64_t) *plx__tag_word(const void *object)
{
    return plx__tag_place((uintptr_t)object / PLX__TAG_PAGE);
}

static inline uint64_t plx__tag_bit(const void *object)
{
    return UINT64_C(1) << (uintptr_t)object / PLX__TAG_SPACE % 32;
}

/* What the word's place does not say of the page's number. */
static inline uint64_t plx__tag_rest(const void *object)
{
    return (uintptr_t)object / PLX__TAG_PAGE / PLX__TAG_PAGES;
}

/* Has the object a tag, and whose is it? The object is not looked at. */
static inline bool plx__tag_find(const void *object, void **ret_owner)
{
    if (!PLX__HAS_TAGS)
        return false;
    uint64_t word = atomic_load_explicit(plx__tag_word(object), memory_order_relaxed);
    if (word >> PLX__TAG_REST_BIT != plx__tag_rest(object) || !(word & plx__tag_bit(object)))
        return false;
    uint64_t number = word >> PLX__TAG_OWNER_BIT & (PLX__TAG_OWNERS - 1);
    *ret_owner = atomic_load_explicit(&plx__tag_owners[number], memory_order_relaxed);
    return true;
}

/*
 * The page of the object that got a tag last. Objects are taken in the order of their addresses, so
 * that the next one is mostly there as well.
 */
struct plx__tag_cursor {
    uintptr_t page;
    _Atomic(uint64_t) *word; /* of the page; or `none`, if objects there can have no tag */
    _Atomic(uint64_t) none;
};

void plx__tag_cursor_move(struct plx__tag_cursor *cursor, uint32_t owner, const void *object);

/* Gives an object a tag, if it can have one. All that come here are of one owner. */
static inline void plx__tag_give(struct plx__tag_cursor *cursor, uint32_t owner, const void *object)
{
    if (!PLX__HAS_TAGS)
        return;
    if ((uintptr_t)object / PLX__TAG_PAGE != cursor->page)
        plx__tag_cursor_move(cursor, owner, object);
    uint64_t word = atomic_load_explicit(cursor->word, memory_order_relaxed);
    atomic_store_explicit(cursor->word, word | plx__tag_bit(object), memory_order_relaxed);
}

/* Gives an object a tag, if it can have one, or takes it away. */
static inline void plx__tag_set(uint32_t owner, const void *object, bool is_set)
{
    if (!PLX__HAS_TAGS || owner == 0)
        return;
    _Atomic(uint64_t) *place = plx__tag_word(object);
    uint64_t word = atomic_load_explicit(place, memory_order_relaxed);
    uint64_t head = plx__tag_rest(object) * PLX__TAG_OWNERS + owner;
    if (word >> PLX__TAG_OWNER_BIT != head)
        return;
    word &= ~plx__tag_bit(object);
    word |= is_set ? plx__tag_bit(object) : 0;
    atomic_store_explicit(place, word, memory_order_relaxed);
}

/* Takes away a tag that was found. */
static inline void plx__tag_clear(const void *object)
{
    if (!PLX__HAS_TAGS)
        return;
    _Atomic(uint64_t) *place = plx__tag_word(object);
    uint64_t word = atomic_load_explicit(place, memory_order_relaxed);
    atomic_store_explicit(place, word & ~plx__tag_bit(object), memory_order_relaxed);
}

#endif
