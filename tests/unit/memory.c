/* SPDX-License-Identifier: MIT */
/*
 * memory.c: see memory.h.
 */
#include "memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "require.h"

/* In front of each block; as large as the strictest alignment, which the block keeps. */
union header {
    size_t size;
    max_align_t alignment;
};

static bool is_refused(struct memory *memory)
{
    memory->requests++;
    return memory->refuse > 0 && --memory->refuse == 0;
}

static void release(struct memory *memory, void *block, size_t size)
{
    union header *header = (union header *)block - 1;
    REQUIRE(header->size == size);
    memory->blocks--;
    memory->bytes -= size;
    memset(block, 0xEE, size); /* who reads on will notice */
    free(header);
}

static void *resize(void *state, void *block, size_t old_size, size_t new_size)
{
    struct memory *memory = state;
    if (new_size == 0) {
        release(memory, block, old_size);
        return NULL;
    }
    if (is_refused(memory))
        return NULL;
    union header *header = malloc(sizeof *header + new_size);
    REQUIRE(header != NULL);
    header->size = new_size;
    memset(header + 1, 0xEE, new_size);
    memory->blocks++;
    memory->bytes += new_size;
    if (block) {
        memcpy(header + 1, block, old_size < new_size ? old_size : new_size);
        release(memory, block, old_size);
    } else {
        REQUIRE(old_size == 0);
    }
    return header + 1;
}

void memory_open(struct memory *memory)
{
    *memory = (struct memory){.allocator = {resize, memory}};
}

void memory_close(const struct memory *memory)
{
    REQUIRE(memory->blocks == 0);
    REQUIRE(memory->bytes == 0);
}
