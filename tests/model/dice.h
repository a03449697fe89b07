/* SPDX-License-Identifier: MIT */
/* dice.h: the only source of chance, so that a seed is all it takes to see a schedule again. */
#ifndef MODEL_DICE_H
#define MODEL_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

/* splitmix64: any seed will do, 0 included. */
static inline uint64_t dice_next(struct dice *dice)
{
    uint64_t bits = dice->state += UINT64_C(0x9E3779B97F4A7C15);
    bits = (bits ^ bits >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    bits = (bits ^ bits >> 27) * UINT64_C(0x94D049BB133111EB);
    return bits ^ bits >> 31;
}

/* 0 to sides - 1. */
static inline uint32_t dice_roll(struct dice *dice, uint32_t sides)
{
    return (uint32_t)((dice_next(dice) >> 32) * sides >> 32);
}

/* Dice for each operation: what depends on the clock in one leaves the others as they are. */
static inline struct dice dice_of(uint64_t seed, uint64_t number)
{
    struct dice dice = {seed};
    dice.state = dice_next(&dice) + number;
    dice.state = dice_next(&dice);
    return dice;
}

static inline bool dice_one_in(struct dice *dice, uint32_t sides)
{
    return dice_roll(dice, sides) == 0;
}

#endif
