/* SPDX-License-Identifier: MIT */
#include "custom.h"

#include <stddef.h>

#include "journal.h"

#define OBJECTS 96

static struct object objects[OBJECTS];
static plx_context *waiting;

static plx_socket get_number(void *object)
{
    return ((struct object *)object)->number;
}

static bool is_valid(void *object)
{
    return ((struct object *)object)->is_valid;
}

/* Now and then it does what it must not do, and has to be refused. */
static bool has_bytes(void *argument)
{
    struct object *object = argument;
    plx_watcher *ready;
    if (!object->is_taken)
        journal_fail("an object was asked for bytes after its cleanup");
    if (!waiting)
        journal_fail("an object was asked for bytes outside a wait");
    if (object->asked++ == 0 && plx_context_wait(waiting, &ready, 1, 0) != PLX_ERR_BUSY)
        journal_fail("a wait inside a wait was not refused");
    return object->buffered > 0;
}

static void clean_up(void *argument)
{
    struct object *object = argument;
    if (!object->is_taken || object->cleaned > 0)
        journal_fail("an object was cleaned up twice");
    object->cleaned++;
    object->is_taken = false;
}

/* With everything; without a buffer; and as a caller of an older release had it. */
static const plx_handle_ops kinds[] = {
    {sizeof(plx_handle_ops), get_number, is_valid, has_bytes, clean_up},
    {sizeof(plx_handle_ops), get_number, is_valid, NULL, clean_up},
    {offsetof(plx_handle_ops, cleanup), get_number, NULL, has_bytes, NULL},
};

#define KINDS (sizeof kinds / sizeof kinds[0])

struct object *object_choose(struct dice *dice, int number)
{
    for (int i = 0; i < OBJECTS; i++) {
        if (objects[i].is_taken)
            continue;
        objects[i] = (struct object){
            .ops = &kinds[dice_roll(dice, KINDS)],
            .number = dice_one_in(dice, 50) ? PLX_BAD_SOCKET : number,
            .is_valid = !dice_one_in(dice, 50),
        };
        if (dice_one_in(dice, 3))
            objects[i].buffered = 1 + dice_roll(dice, 100);
        return &objects[i];
    }
    return NULL;
}

bool object_has_buffer(const struct object *object)
{
    return object->ops->has_buffered != NULL;
}

bool object_wants_cleanup(const struct object *object)
{
    return object->ops->size > offsetof(plx_handle_ops, cleanup);
}

void objects_enter_wait(plx_context *context)
{
    waiting = context;
}

int objects_taken(void)
{
    int count = 0;
    for (int i = 0; i < OBJECTS; i++)
        count += objects[i].is_taken;
    return count;
}
