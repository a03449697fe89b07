/* SPDX-License-Identifier: MIT */
/*
 * memory.h: an allocator that counts, that fails when told to, and that checks what it is told:
 * blocks come back with the size they were given, and a block that is resized always moves.
 */
#ifndef UNIT_MEMORY_H
#define UNIT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include <pollux/context.h>

struct memory {
    plx_allocator allocator;
    size_t blocks;
    size_t bytes;
    uint32_t requests; /* for more memory, refused ones included */
    uint32_t refuse;   /* 1: the next request; 2: the one after it; 0: none */
};

/* Fills in a struct that has to stay where it is. */
void memory_open(struct memory *memory);

/* Everything was given back. */
void memory_close(const struct memory *memory);

#endif
