/* SPDX-License-Identifier: MIT */
/*
 * tuning.h: the sizes. A build with POLLUX_STRESS makes each as small as it can be, so that tables
 * move, generations wrap and batches split in every test instead of once a year.
 */
#ifndef POLLUX_BASE_TUNING_H
#define POLLUX_BASE_TUNING_H

#ifdef POLLUX_STRESS

#define PLX__OFFSET_BITS     8
#define PLX__SLAB_UNITS      256
#define PLX__SLOTS_PER_SLAB  1
#define PLX__GENERATION_BITS 2
#define PLX__TAG_PAGES       256
#define PLX__TAG_OWNER_BITS  2
#define PLX__MAP_PAGE_BITS   1
#define PLX__GROWTH_STEP     2
#define PLX__BATCH           1
#define PLX__TURN            2
#define PLX__STAGED          3
#define PLX__TIMER_NEAR      8
#define PLX__TIMER_IN_ORDER  16
#define PLX__TIMER_SHARE     64
#define PLX__TIMER_SAMPLES   4
#define PLX__CAPACITY        1 /* a token of zeroes names the first slab: there has to be one */
#define PLX__PACKED_EVENTS   0 /* what epoll writes is copied, as on processors other than x86 */

#else

/* A slab weighs 64 KiB at most, which leaves 11 of 24 bits for its number: there may be three and a
   half million objects of 32 bytes. The first ones weigh one and a half. */
#define PLX__OFFSET_BITS     13
#define PLX__SLAB_UNITS      192
#define PLX__SLOTS_PER_SLAB  2048

/* A slot has to be reused sixteen million times before a stale token looks right. */
#define PLX__GENERATION_BITS 24

/* Pages of a kilobyte that can have tags at a time: those of a million timers, if they lie
   together. It is half a megabyte, of which the system provides what is used. And the bits of the
   number of a context that has some. Together they leave room for addresses of 48 bits. */
#define PLX__TAG_PAGES       65536
#define PLX__TAG_OWNER_BITS  10

/* 64 descriptors a page of the map: a lone high descriptor costs 256 bytes, not a whole table. */
#define PLX__MAP_PAGE_BITS   6

#define PLX__GROWTH_STEP    16

/* Records that one kernel call may bring. The first 1 024 are to come with one call, and only with
   room for one more does it show that they are all. */
#define PLX__BATCH          1025

/* Callbacks of one turn: what one kernel call brings, and room for one more is not needed. */
#define PLX__TURN           1024

/* Words for timers that were moved (two each) or removed (one) since the last wait: as many as fit
   into the memory of PLX__BATCH records. With more, the wait's work is done before it. */
#define PLX__STAGED         1537

/* Watchers that fit into a context from the start. Below that, the tables of a growing context
   would be small blocks, which glibc keeps after realloc and counts as used. */
#define PLX__CAPACITY       128

/* Until there are more timers than that there is a heap and no more. */
#define PLX__TIMER_NEAR     64

/* The next timers, which are in order: this many, or this share of all if that is more; and a heap
   for a quarter as many. */
#define PLX__TIMER_IN_ORDER 256
#define PLX__TIMER_SHARE    16

/* epoll writes records where its events are packed as they are. */
#define PLX__PACKED_EVENTS  1

/* How many far timers are looked at, at most, before a floor is chosen. */
#define PLX__TIMER_SAMPLES  128

#endif

#endif
