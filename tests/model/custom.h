/* SPDX-License-Identifier: MIT */
/*
 * custom.h: objects behind custom handles, which keep an eye on how the library treats them.
 */
#ifndef MODEL_CUSTOM_H
#define MODEL_CUSTOM_H

#include <stdbool.h>

#include <pollux.h>

#include "dice.h"

struct object {
    const plx_handle_ops *ops;
    int number;        /* the descriptor it claims to be */
    unsigned buffered; /* bytes it has read from there already */
    unsigned asked;    /* how often it was asked for them since that was set to 0 */
    unsigned cleaned;  /* how often it was cleaned up */
    bool is_valid;
    bool is_taken; /* a watcher has it, or had it and owes it a cleanup */
};

/* An object that nobody has, of any kind, or NULL. It becomes taken when add has succeeded. */
struct object *object_choose(struct dice *dice, int number);

bool object_has_buffer(const struct object *object);
bool object_wants_cleanup(const struct object *object);

/* The context whose wait is going on, or NULL: objects may only be asked for bytes in a wait. */
void objects_enter_wait(plx_context *context);

/* How many are taken. */
int objects_taken(void);

#endif
