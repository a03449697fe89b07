/* SPDX-License-Identifier: MIT */
/*
 * rig.h: the backend on the bench: one queue, driven without the core, over a kernel (kernel.h) and
 * a memory that count and refuse.
 */
#ifndef WINDOWS_RIG_H
#define WINDOWS_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include <pollux.h>

#include "backends/backend.h"
#include "check.h"
#include "kernel.h"
#include "scene.h"
#include "socket.h"
#include "system.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* How many records a wait may bring; one in the hostile build. */
#define ROOM (PLX__BATCH < 8 ? PLX__BATCH : 8)

struct rig {
    struct scene *scene; /* for sockets */
    const struct plx__backend *backend;
    struct plx__queue *queue; /* NULL until rig_queue() */
    struct plx__slot_table slots;
    struct plx_allocator allocator;
    size_t allocated; /* bytes */
    uint32_t allocations;
    uint32_t refuse; /* 1: the next allocation; 2: the one after it; 0: none */
};

/* Everything but the queue. */
void rig_open(struct rig *rig, struct scene *scene);

/* The queue is closed as well; nothing is left of what it allocated, and it asked Windows for
   nothing that would be refused. */
void rig_close(struct rig *rig);

int rig_open_queue(struct rig *rig, uint32_t capacity);
void rig_queue(struct rig *rig, uint32_t capacity);

struct plx__target *rig_target(struct rig *rig, plx_socket fd);
struct plx__target *rig_add(struct rig *rig, plx_socket fd, uint32_t want);
void rig_modify(struct rig *rig, struct plx__target *target, uint32_t was, uint32_t want);

/* One wait; what it says of wakes is left out. */
int rig_wait(struct rig *rig, struct plx__record *records, int capacity, plx_duration timeout);

/* What a look says of the only target that can be ready; 0: nothing. */
uint32_t rig_facts(struct rig *rig, const struct plx__target *target);

bool rig_is_of(const struct plx__record *record, const struct plx__target *target);

/* The table of tests, in main.c and in the files that have them. */
#define TEST(name) void name(struct rig *rig);
#include "tests.def"
#undef TEST

#endif
