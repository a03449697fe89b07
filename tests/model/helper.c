/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include <pthread.h>

#include "journal.h"

struct order {
    void (*deed)(void *);
    void *object;
};

static void *work(void *argument)
{
    const struct order *order = argument;
    order->deed(order->object);
    return NULL;
}

void helper_do(void (*deed)(void *), void *object)
{
    struct order order = {deed, object};
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, &order) != 0)
        journal_fail("there is no thread for the test itself");
    pthread_join(thread, NULL);
}
