/* SPDX-License-Identifier: MIT */
/*
 * compare.h: the same schedule on several backends at once, in one world: contexts that watch the
 * same descriptors have to report the same.
 */
#ifndef MODEL_COMPARE_H
#define MODEL_COMPARE_H

#include <stdint.h>

#include <pollux.h>

#define COMPARE_SIDES 5

/* Compares each with the first. Returns only if all was equal; then how many reports there were. */
unsigned long compare_play(const plx_backend *backends, int count, uint64_t seed,
                           uint64_t operations);

#endif
