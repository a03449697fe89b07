/* SPDX-License-Identifier: MIT */
/*
 * injector.h: the allocator and the kernel that fail when a trial wants it.
 *
 * Only what happens inside a public call counts: `trial->call` says so. A failing call leaves the
 * kernel in the state that its answer tells of.
 */
#ifndef FAULT_INJECTOR_H
#define FAULT_INJECTOR_H

#include "fault.h"

/* What the allocator has given out in this process. */
struct memory {
    size_t bytes;
    size_t blocks;
};

/* Puts the failing kernel beneath both backends. `trial` stays until the process ends. */
void injector_open(struct trial *trial);

/* An allocator that counts, fails, and moves a block whenever it is resized. */
plx_allocator injector_allocator(struct memory *memory);

/* Called once, just before the next sleep in the kernel: where a signal handler might run. */
void injector_on_sleep(void (*handler)(void *), void *argument);

/* A kernel without MADV_WIPEONFORK. */
void injector_forget_wipe(void);

#endif
