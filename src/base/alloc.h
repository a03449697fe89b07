/* SPDX-License-Identifier: MIT */
/*
 * alloc.h: the one way to memory. Every block of a context goes through its allocator, with its
 * size, so that a test can count bytes and fail the Nth request.
 */
#ifndef POLLUX_BASE_ALLOC_H
#define POLLUX_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#include <pollux/context.h>

/* malloc behind the allocator interface: what a context without an allocator of its own uses. */
extern const plx_allocator plx__alloc_default;

/* `size` bytes, or NULL. */
void *plx__alloc(const plx_allocator *allocator, size_t size);

/* The same, zeroed. */
void *plx__alloc_zeroed(const plx_allocator *allocator, size_t size);

void plx__alloc_free(const plx_allocator *allocator, void *block, size_t size);

/*
 * Makes `*array`, of `*capacity` elements of `element` bytes, hold at least `needed`. It grows by
 * one eighth and no less than `step` elements: doubling would break the promise of 64 bytes for
 * each watched descriptor just after every growth. Large arrays grow by a thirty-second, for the
 * promise of 72 bytes for each timer; allocators move such blocks without copying. On failure
 * nothing has changed.
 */
int plx__alloc_grow(const plx_allocator *allocator, void *array, uint32_t *capacity,
                    uint32_t needed, uint32_t step, size_t element);

#endif
