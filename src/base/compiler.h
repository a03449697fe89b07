/* SPDX-License-Identifier: MIT */
/*
 * compiler.h: what the compiler is told about paths and memory. The cost of one wait is a promise
 * counted in instructions (tests/cost), and rare paths that are inlined into it cost registers.
 */
#ifndef POLLUX_BASE_COMPILER_H
#define POLLUX_BASE_COMPILER_H

#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define PLX__LIKELY(condition) __builtin_expect(!!(condition), 1)
#define PLX__RARE              __attribute__((noinline, cold))
#define PLX__APART             __attribute__((noinline))
#define PLX__INLINE            inline __attribute__((always_inline))
#define PLX__PREFETCH(address) __builtin_prefetch((address), 1) /* it will be written */
#define PLX__HIDE(variable)    __asm__("" : "+r"(variable))     /* a pointer that may be any now */
#else
#define PLX__LIKELY(condition) (condition)
#define PLX__RARE
#define PLX__APART
#define PLX__INLINE            inline
#define PLX__PREFETCH(address) ((void)(address))
#define PLX__HIDE(variable)    ((void)(variable))
#endif

/* The number of the lowest bit that is set; one has to be. */
static inline unsigned plx__lowest_bit(uint64_t bits)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(bits);
#else
    unsigned number = 0;
    for (; !(bits & 1); bits >>= 1)
        number++;
    return number;
#endif
}

/*
 * Two words with one store, where the processor has one. Whoever copies a struct loads sixteen
 * bytes at a time; after two stores of eight such a load waits until both have reached the cache,
 * which costs as much as half of the rest of a call that is made by the million.
 */
static inline void plx__store_pair(void *to, int64_t first, int64_t second)
{
#if defined(__GNUC__)
    typedef int64_t pair __attribute__((vector_size(16)));
    const pair words = {first, second};
#else
    const int64_t words[] = {first, second};
#endif
    memcpy(to, &words, sizeof words);
}

#endif
