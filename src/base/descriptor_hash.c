/* SPDX-License-Identifier: MIT */
/*
 * descriptor_hash.c: the map for systems where a descriptor may be any number.
 *
 * Open addressing: an entry stands at its home or behind it, with no gap in between. Removal closes
 * the gap that it leaves. Rejected: marks where something was removed, which fill the table until
 * it has to be made anew, and that would be an allocation in an add for which there was room.
 */
#include "src/base/descriptor_map.h"

#include <pollux/error.h>

/* With less, three quarters would leave no empty entry, and that is what ends a search. */
#define SMALLEST 4

/* The table is at most three quarters full: some two entries are looked at on average. */
static bool has_room(uint32_t capacity, uint32_t count)
{
    return count <= capacity - capacity / 4;
}

static uint32_t home_of(const struct plx__descriptor_map *map, plx_socket fd)
{
    /* Windows numbers by fours; the upper half of the product depends on every bit. */
    uint64_t mix = (uint64_t)fd * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(mix >> 32) & (map->capacity - 1);
}

static uint32_t next_place(const struct plx__descriptor_map *map, uint32_t place)
{
    return (place + 1) & (map->capacity - 1);
}

/* Where it stands, or the empty place where it would. */
static uint32_t place_of(const struct plx__descriptor_map *map, plx_socket fd)
{
    uint32_t place = home_of(map, fd);
    while (map->entries[place].number != PLX__MAP_NONE && map->entries[place].fd != fd)
        place = next_place(map, place);
    return place;
}

static bool is_empty(const struct plx__descriptor_map *map, uint32_t place)
{
    return map->entries[place].number == PLX__MAP_NONE;
}

void plx__map_open(struct plx__descriptor_map *map, const plx_allocator *allocator)
{
    *map = (struct plx__descriptor_map){.allocator = allocator};
}

void plx__map_close(struct plx__descriptor_map *map)
{
    plx__alloc_free(map->allocator, map->entries, map->capacity * sizeof *map->entries);
}

static void put(struct plx__descriptor_map *map, plx_socket fd, uint32_t number)
{
    map->entries[place_of(map, fd)] = (struct plx__map_entry){fd, number};
}

static int grow(struct plx__descriptor_map *map, uint32_t capacity)
{
    struct plx__descriptor_map larger = *map;
    larger.capacity = capacity;
    larger.entries = plx__alloc(map->allocator, capacity * sizeof *larger.entries);
    if (!larger.entries)
        return PLX_ERR_NOMEM;
    for (uint32_t i = 0; i < capacity; i++)
        larger.entries[i].number = PLX__MAP_NONE;
    for (uint32_t i = 0; i < map->capacity; i++) {
        if (!is_empty(map, i))
            put(&larger, map->entries[i].fd, map->entries[i].number);
    }
    plx__map_close(map);
    *map = larger;
    return PLX_OK;
}

int plx__map_expect(struct plx__descriptor_map *map, uint32_t count)
{
    uint32_t capacity = map->capacity ? map->capacity : SMALLEST;
    while (!has_room(capacity, count)) {
        if (capacity > UINT32_MAX / 2)
            return PLX_ERR_NOMEM;
        capacity *= 2;
    }
    return capacity > map->capacity ? grow(map, capacity) : PLX_OK;
}

int plx__map_reserve(struct plx__descriptor_map *map, plx_socket fd)
{
    return plx__map_get(map, fd) == PLX__MAP_NONE ? plx__map_expect(map, map->count + 1) : PLX_OK;
}

uint32_t plx__map_get(const struct plx__descriptor_map *map, plx_socket fd)
{
    return map->capacity ? map->entries[place_of(map, fd)].number : PLX__MAP_NONE;
}

/* Whoever stands behind the gap and may stand there, moves up, and so on to the end of the run. */
static void close_gap(struct plx__descriptor_map *map, uint32_t gap)
{
    uint32_t mask = map->capacity - 1;
    for (uint32_t place = next_place(map, gap); !is_empty(map, place);
         place = next_place(map, place)) {
        uint32_t from_home = (place - home_of(map, map->entries[place].fd)) & mask;
        if (from_home < ((place - gap) & mask))
            continue;
        map->entries[gap] = map->entries[place];
        gap = place;
    }
    map->entries[gap].number = PLX__MAP_NONE;
}

void plx__map_set(struct plx__descriptor_map *map, plx_socket fd, uint32_t number)
{
    uint32_t place = place_of(map, fd);
    bool was_there = !is_empty(map, place);
    if (number != PLX__MAP_NONE) {
        map->entries[place] = (struct plx__map_entry){fd, number};
        map->count += !was_there;
    } else if (was_there) {
        close_gap(map, place);
        map->count--;
    }
}

uint32_t plx__map_next(const struct plx__descriptor_map *map, plx_socket *fd)
{
    uint32_t place = 0;
    if (*fd != PLX_BAD_SOCKET)
        place = place_of(map, *fd) + 1;
    while (place < map->capacity && is_empty(map, place))
        place++;
    if (place >= map->capacity)
        return PLX__MAP_NONE;
    *fd = map->entries[place].fd;
    return map->entries[place].number;
}
