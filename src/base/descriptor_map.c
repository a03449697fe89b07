/* SPDX-License-Identifier: MIT */
#include "src/base/descriptor_map.h"

#include <string.h>

#include <pollux/error.h>

#define PAGE_ENTRIES (1u << PLX__MAP_PAGE_BITS)
#define PAGE_SIZE    (PAGE_ENTRIES * sizeof(uint32_t))

void plx__map_open(struct plx__descriptor_map *map, const plx_allocator *allocator)
{
    *map = (struct plx__descriptor_map){.allocator = allocator};
}

void plx__map_close(struct plx__descriptor_map *map)
{
    for (uint32_t i = 0; i < map->page_count; i++)
        plx__alloc_free(map->allocator, map->pages[i], PAGE_SIZE);
    plx__alloc_free(map->allocator, map->pages, map->page_capacity * sizeof *map->pages);
}

/* Half of the numbers tend to be others'. */
int plx__map_expect(struct plx__descriptor_map *map, uint32_t count)
{
    int code = PLX_OK;
    for (size_t fd = 0; code >= 0 && fd < 2 * (size_t)count; fd += PAGE_ENTRIES)
        code = plx__map_reserve(map, (plx_socket)fd);
    return code;
}

int plx__map_reserve(struct plx__descriptor_map *map, plx_socket fd)
{
    uint32_t page = (uint32_t)fd >> PLX__MAP_PAGE_BITS;
    int code = plx__alloc_grow(map->allocator, &map->pages, &map->page_capacity, page + 1,
                               PLX__GROWTH_STEP, sizeof *map->pages);
    if (code < 0)
        return code;
    while (map->page_count <= page)
        map->pages[map->page_count++] = NULL;
    if (map->pages[page])
        return PLX_OK;

    map->pages[page] = plx__alloc(map->allocator, PAGE_SIZE);
    if (!map->pages[page])
        return PLX_ERR_NOMEM;
    memset(map->pages[page], 0xFF, PAGE_SIZE); /* PLX__MAP_NONE everywhere */
    return PLX_OK;
}

uint32_t plx__map_get(const struct plx__descriptor_map *map, plx_socket fd)
{
    uint32_t page = (uint32_t)fd >> PLX__MAP_PAGE_BITS;
    if (page >= map->page_count || !map->pages[page])
        return PLX__MAP_NONE;
    return map->pages[page][(uint32_t)fd & (PAGE_ENTRIES - 1)];
}

void plx__map_set(struct plx__descriptor_map *map, plx_socket fd, uint32_t number)
{
    map->pages[(uint32_t)fd >> PLX__MAP_PAGE_BITS][(uint32_t)fd & (PAGE_ENTRIES - 1)] = number;
}

uint32_t plx__map_next(const struct plx__descriptor_map *map, plx_socket *fd)
{
    for (uint32_t next = (uint32_t)*fd + 1; next >> PLX__MAP_PAGE_BITS < map->page_count; next++) {
        uint32_t number = plx__map_get(map, (plx_socket)next);
        if (number != PLX__MAP_NONE) {
            *fd = (plx_socket)next;
            return number;
        }
    }
    return PLX__MAP_NONE;
}
