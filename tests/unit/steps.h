/* SPDX-License-Identifier: MIT */
/*
 * steps.h: somebody who comes in between two steps of the library.
 *
 * What threads and signal handlers share with the owner of a context is changed by atomic
 * operations alone, so that the moments between those are all there are. The files of the library
 * that have them are compiled a second time for these tests, after this header, which makes each
 * operation say that it is about to happen.
 */
#ifndef UNIT_STEPS_H
#define UNIT_STEPS_H

#include <stdatomic.h>
#include <stdint.h>

struct steps {
    void (*intrude)(void); /* what happens in between; its own steps do not count */
    uint32_t before;       /* 1: the next step; 2: the one after it; 0: never */
};

extern struct steps steps;

/* A step is about to be made. */
void steps_pass(void);

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_exchange
#undef atomic_fetch_or
#undef atomic_fetch_and
#undef atomic_compare_exchange_weak

#define atomic_load(object)                 (steps_pass(), *(object))
#define atomic_load_explicit(object, order) (steps_pass(), (void)(order), *(object))
#define atomic_store(object, value)                                                                \
    (steps_pass(), atomic_store_explicit(object, value, memory_order_seq_cst))
#define atomic_exchange(object, value)                                                             \
    (steps_pass(), atomic_exchange_explicit(object, value, memory_order_seq_cst))
#define atomic_fetch_or(object, value)                                                             \
    (steps_pass(), atomic_fetch_or_explicit(object, value, memory_order_seq_cst))
#define atomic_fetch_and(object, value)                                                            \
    (steps_pass(), atomic_fetch_and_explicit(object, value, memory_order_seq_cst))
#define atomic_compare_exchange_weak(object, expected, value)                                      \
    (steps_pass(), atomic_compare_exchange_weak_explicit(                                          \
                       object, expected, value, memory_order_seq_cst, memory_order_seq_cst))

#endif
