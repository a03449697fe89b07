/* SPDX-License-Identifier: MIT */
/*
 * rig.h: a backend on the bench: one queue, driven without the core, over a kernel and a memory
 * that count and refuse (calls.h, memory.h).
 */
#ifndef UNIT_RIG_H
#define UNIT_RIG_H

#include <stdbool.h>

#include "backends/backend.h"
#include "calls.h"
#include "memory.h"

/* How many records a wait may bring; one in the hostile build. */
#define ROOM (PLX__BATCH < 8 ? PLX__BATCH : 8)

struct rig {
    const struct plx__backend *backend;
    struct plx__queue *queue;
    struct memory memory;
    struct plx__slot_table slots;
};

/* Which backend the tests of a case are for; set by the fixtures below. */
extern const struct plx__backend *rig_backend;
void rig_use_epoll(void);
void rig_use_poll(void);
void rig_use_kqueue(void); /* where they are played */
void rig_use_event_ports(void);

/* epoll alone goes on reporting a number that was closed while a duplicate lives, so that a renewal
   in its own process makes an empty queue. */
bool rig_has_ghosts(void);

/* A queue with room for `capacity` targets. */
void rig_open(struct rig *rig, uint32_t capacity);

/* Closes the queue; nothing is left behind. */
void rig_close(struct rig *rig);

/* A target that is not in the queue yet. */
struct plx__target *rig_target(struct rig *rig, int fd);

/* A target that the queue took. */
struct plx__target *rig_add(struct rig *rig, int fd, uint32_t want);

/* The target changes from `was` to `want`. */
void rig_modify(struct rig *rig, struct plx__target *target, uint32_t was, uint32_t want);

/* One wait with timeout 0; records of wakes are left out. */
int rig_wait(struct rig *rig, struct plx__record *records, int capacity);

/* What one wait says of the only target that can be ready; 0 for nothing. */
uint32_t rig_facts(struct rig *rig, const struct plx__target *target);

bool rig_is_of(const struct plx__record *record, const struct plx__target *target);
bool rig_is_wake(const struct plx__record *record);

/* --- Descriptors --- */

struct ends {
    int read;
    int write;
};

struct ends rig_pipe(void);
struct ends rig_readable_pipe(void);
void rig_close_ends(struct ends ends);

/* Two stream sockets of the UNIX family, both directions. */
struct ends rig_sockets(void);

/* Writes until nothing fits any more. */
void rig_fill(int fd);

/* How many descriptors this process has open, all below RIG_DESCRIPTORS. */
enum { RIG_DESCRIPTORS = 256 };
int rig_descriptors(void);

/* Says how a poll(2) sees it, in the words of a backend. */
uint32_t rig_oracle(int fd, uint32_t want);

#endif
