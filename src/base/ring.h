/* SPDX-License-Identifier: MIT */
/*
 * ring.h: an intrusive doubly linked ring. The head is a node of its own; a node that is in no
 * ring has a NULL `next`. Leaving costs the same wherever the node stands.
 */
#ifndef POLLUX_BASE_RING_H
#define POLLUX_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>

struct plx__ring {
    struct plx__ring *next;
    struct plx__ring *previous;
};

static inline void plx__ring_open(struct plx__ring *head)
{
    head->next = head->previous = head;
}

static inline bool plx__ring_is_empty(const struct plx__ring *head)
{
    return head->next == head;
}

static inline bool plx__ring_is_member(const struct plx__ring *node)
{
    return node->next != NULL;
}

static inline void plx__ring_leave(struct plx__ring *node)
{
    if (!node->next)
        return;
    node->previous->next = node->next;
    node->next->previous = node->previous;
    node->next = node->previous = NULL;
}

/* Puts a node at the end, wherever it was before. */
static inline void plx__ring_append(struct plx__ring *head, struct plx__ring *node)
{
    plx__ring_leave(node);
    node->next = head;
    node->previous = head->previous;
    head->previous->next = node;
    head->previous = node;
}

#endif
