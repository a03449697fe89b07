/* SPDX-License-Identifier: MIT */
/*
 * descriptor_map.h: descriptor -> slot number. The build chooses one of two.
 *
 * descriptor_map.c, where descriptors are small integers: a table of pages, and pages of a few
 * descriptors each, made when the first of them is set. 4 bytes for each descriptor where they are
 * dense, and a lone high one costs a page.
 *
 * descriptor_hash.c, where they are anything that fits a pointer, as on Windows
 * (POLLUX_SPARSE_DESCRIPTORS): a hash table, 21 to 43 bytes for each.
 */
#ifndef POLLUX_BASE_DESCRIPTOR_MAP_H
#define POLLUX_BASE_DESCRIPTOR_MAP_H

#include <stdint.h>

#include <pollux/handle.h>

#include "src/base/alloc.h"
#include "src/base/tuning.h"

#ifdef POLLUX_SPARSE_DESCRIPTORS

struct plx__map_entry {
    plx_socket fd;
    uint32_t number; /* PLX__MAP_NONE: nobody is here */
};

struct plx__descriptor_map {
    const plx_allocator *allocator;
    struct plx__map_entry *entries;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
};

#else

struct plx__descriptor_map {
    const plx_allocator *allocator;
    uint32_t **pages;
    uint32_t page_count; /* entries of `pages` in use, NULL ones included */
    uint32_t page_capacity;
};

#endif

#define PLX__MAP_NONE UINT32_MAX /* no slot for this descriptor */

void plx__map_open(struct plx__descriptor_map *map, const plx_allocator *allocator);
void plx__map_close(struct plx__descriptor_map *map);

/* Makes room for `count` descriptors of the numbers that so many tend to have. */
int plx__map_expect(struct plx__descriptor_map *map, uint32_t count);

/* Makes sure that plx__map_set() cannot fail for `fd`, if it is the next to be set. */
int plx__map_reserve(struct plx__descriptor_map *map, plx_socket fd);

/* The slot number of a descriptor, or PLX__MAP_NONE. Any `fd` may be asked for. */
uint32_t plx__map_get(const struct plx__descriptor_map *map, plx_socket fd);

/* Sets or clears (PLX__MAP_NONE) a descriptor that was reserved. */
void plx__map_set(struct plx__descriptor_map *map, plx_socket fd, uint32_t number);

/*
 * The slot number of the next descriptor after `*fd` that has one, and that descriptor; start with
 * PLX_BAD_SOCKET. PLX__MAP_NONE at the end. During such a walk nothing is set or cleared.
 */
uint32_t plx__map_next(const struct plx__descriptor_map *map, plx_socket *fd);

#endif
