/* SPDX-License-Identifier: MIT */
/* post_queue.c: see post_queue.h. */
#include "post_queue.h"

#include "echo.h"

#include <pthread.h>
#include <stdlib.h>

struct item {
    struct item *next;
    uint64_t *counter;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct item *first;
static struct item **last = &first;

void post_queue_put(uint64_t *counter)
{
    struct item *item = echo_allocate(sizeof(*item));
    *item = (struct item){.counter = counter};
    pthread_mutex_lock(&mutex);
    *last = item;
    last = &item->next;
    pthread_mutex_unlock(&mutex);
}

/* All at once, so that the lock is held for a moment only. */
static struct item *take_all(void)
{
    pthread_mutex_lock(&mutex);
    struct item *items = first;
    first = NULL;
    last = &first;
    pthread_mutex_unlock(&mutex);
    return items;
}

void post_queue_run(void)
{
    struct item *item = take_all();
    while (item) {
        struct item *next = item->next;
        (*item->counter)++;
        free(item);
        item = next;
    }
}
