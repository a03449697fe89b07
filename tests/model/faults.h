/* SPDX-License-Identifier: MIT */
/*
 * faults.h: the system below the library, which sometimes says no.
 *
 * It stands between the library and its system calls and memory. A fault is one that the real call
 * can give in that very situation: a full queue is not claimed of a descriptor that is in it, and a
 * signal only interrupts a wait that has nothing to tell.
 */
#ifndef MODEL_FAULTS_H
#define MODEL_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

#include <pollux.h>

#include "dice.h"

/* What happened below the library between begin and end. */
struct faults {
    bool has_fired;
    int cause; /* the errno of what was refused; 0 for memory */
    int code;  /* what the library has to make of it; PLX_OK: nothing at all */
    unsigned waits;
    unsigned queues;      /* kernel queues that were made */
    unsigned allocations; /* blocks that were asked for, or made larger */
};

/* Puts itself below the library, once and for all. */
void faults_install(void);

/* Chooses what is to fail until the end, if anything: one time in `one_in`, never if that is 0. */
void faults_begin(struct dice *dice, unsigned one_in);
struct faults faults_end(void);

/* Is the descriptor of a process to be refused? Then errno says why. */
bool faults_refuse_descriptor(void);

/* Somebody does something just before the kernel is asked for the next time, until the end. */
void faults_intrude(void (*deed)(void *), void *object);

/* The memory of contexts, and how much of it is in use. */
extern const plx_allocator faults_allocator;
size_t faults_bytes(void);

#endif
