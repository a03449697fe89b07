/* SPDX-License-Identifier: MIT */
#include "src/base/tags.h"

_Atomic(uint64_t) plx__tag_words[PLX__TAG_PAGES];
_Atomic(void *) plx__tag_owners[PLX__TAG_OWNERS];

uint32_t plx__tags_enlist(void *owner)
{
    for (uint32_t number = 1; number < PLX__TAG_OWNERS; number++) {
        void *nobody = NULL;
        if (atomic_load(&plx__tag_owners[number]) == NULL &&
            atomic_compare_exchange_strong(&plx__tag_owners[number], &nobody, owner))
            return number;
    }
    return 0;
}

void plx__tags_dismiss(uint32_t number)
{
    if (number != 0)
        atomic_store(&plx__tag_owners[number], NULL);
}

static uint64_t head_of(uint32_t owner, uintptr_t page)
{
    return (uint64_t)page / PLX__TAG_PAGES * PLX__TAG_OWNERS + owner;
}

/* A page whose number does not fit into a word has none. */
static void claim(_Atomic(uint64_t) *place, uint64_t head)
{
    uint64_t none = 0;
    if (PLX__HAS_TAGS && head >> (64 - PLX__TAG_OWNER_BIT) == 0)
        atomic_compare_exchange_strong(place, &none, head << PLX__TAG_OWNER_BIT);
}

static bool is_of(_Atomic(uint64_t) *place, uint64_t head)
{
    return atomic_load(place) >> PLX__TAG_OWNER_BIT == head;
}

static void release(_Atomic(uint64_t) *place, uint64_t head)
{
    if (PLX__HAS_TAGS && is_of(place, head))
        atomic_store(place, 0);
}

static void for_each_page(uint32_t owner, const void *block, size_t size,
                          void (*act)(_Atomic(uint64_t) *place, uint64_t head))
{
    uintptr_t last = ((uintptr_t)block + size - 1) / PLX__TAG_PAGE;
    for (uintptr_t page = (uintptr_t)block / PLX__TAG_PAGE; owner != 0 && page <= last; page++)
        act(plx__tag_place(page), head_of(owner, page));
}

void plx__tags_open(uint32_t owner, const void *block, size_t size)
{
    for_each_page(owner, block, size, claim);
}

void plx__tags_close(uint32_t owner, const void *block, size_t size)
{
    for_each_page(owner, block, size, release);
}

/* What is found stays right: only the owner gives a word back, when none of its objects is left. A
   page that becomes the owner's later is found when the cursor comes back. */
void plx__tag_cursor_move(struct plx__tag_cursor *cursor, uint32_t owner, const void *object)
{
    uintptr_t page = (uintptr_t)object / PLX__TAG_PAGE;
    _Atomic(uint64_t) *place = plx__tag_place(page);
    bool is_ours = owner != 0 && is_of(place, head_of(owner, page));
    cursor->page = page;
    cursor->word = is_ours ? place : &cursor->none;
}
