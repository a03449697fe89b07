/* SPDX-License-Identifier: MIT */
#include "src/base/alloc.h"

#include <stdlib.h>
#include <string.h>

#include <pollux/error.h>

/* Elements: tens of kilobytes at least. */
#define LARGE 16384

static void *default_resize(void *state, void *block, size_t old_size, size_t new_size)
{
    (void)state;
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

const plx_allocator plx__alloc_default = {default_resize, NULL};

void *plx__alloc(const plx_allocator *allocator, size_t size)
{
    return allocator->resize(allocator->state, NULL, 0, size);
}

void *plx__alloc_zeroed(const plx_allocator *allocator, size_t size)
{
    void *block = plx__alloc(allocator, size);
    if (block)
        memset(block, 0, size);
    return block;
}

void plx__alloc_free(const plx_allocator *allocator, void *block, size_t size)
{
    if (block)
        allocator->resize(allocator->state, block, size, 0);
}

int plx__alloc_grow(const plx_allocator *allocator, void *array, uint32_t *capacity,
                    uint32_t needed, uint32_t step, size_t element)
{
    if (needed <= *capacity)
        return PLX_OK;
    uint64_t wanted = (uint64_t)*capacity + *capacity / (*capacity < LARGE ? 8 : 32) + step;
    if (wanted < needed)
        wanted = needed;
    if (wanted > UINT32_MAX || wanted > SIZE_MAX / element)
        return PLX_ERR_NOMEM;

    void *block;
    memcpy(&block, array, sizeof block); /* `array` is the address of a pointer of any type */
    block =
        allocator->resize(allocator->state, block, *capacity * element, (size_t)wanted * element);
    if (!block)
        return PLX_ERR_NOMEM;
    memcpy(array, &block, sizeof block);
    *capacity = (uint32_t)wanted;
    return PLX_OK;
}
