/* SPDX-License-Identifier: MIT */
/*
 * descriptor_map.h: descriptor -> slot number, for systems where descriptors are small integers.
 *
 * Two levels: a table of pages, and pages of a few descriptors each, made when the first of them
 * is set. 4 bytes for each descriptor where they are dense, and a lone high one costs a page.
 */
#ifndef POLLUX_BASE_DESCRIPTOR_MAP_H
#define POLLUX_BASE_DESCRIPTOR_MAP_H

#include <stdint.h>

#include <pollux/handle.h>

#include "src/base/alloc.h"
#include "src/base/tuning.h"

struct plx__descriptor_map {
    const plx_allocator *allocator;
    uint32_t **pages;
    uint32_t page_count; /* entries of `pages` in use, NULL ones included */
    uint32_t page_capacity;
};

#define PLX__MAP_NONE UINT32_MAX /* no slot for this descriptor */

void plx__map_open(struct plx__descriptor_map *map, const plx_allocator *allocator);
void plx__map_close(struct plx__descriptor_map *map);

/* Makes sure that plx__map_set() cannot fail for `fd`. */
int plx__map_reserve(struct plx__descriptor_map *map, plx_socket fd);

/* The slot number of a descriptor, or PLX__MAP_NONE. Any `fd` may be asked for. */
uint32_t plx__map_get(const struct plx__descriptor_map *map, plx_socket fd);

/* Sets or clears (PLX__MAP_NONE) a descriptor that was reserved. */
void plx__map_set(struct plx__descriptor_map *map, plx_socket fd, uint32_t number);

/*
 * The slot number of the next descriptor after `*fd` that has one, and that descriptor; start with
 * PLX_BAD_SOCKET. PLX__MAP_NONE at the end.
 */
uint32_t plx__map_next(const struct plx__descriptor_map *map, plx_socket *fd);

#endif
