/* SPDX-License-Identifier: MIT */
/*
 * raw_eventfd.c: the limit of wake-ups: an eventfd for each object, and a flag that says whether
 * one is on its way, so that more of them cost no call.
 */
#include "echo.h"
#include "peer.h"
#include "post_queue.h"
#include "raw.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BATCH 1024

struct object {
    int fd;
    atomic_bool pending;
};

static int queue;
static struct epoll_event ready[BATCH];
static struct object *objects;
static struct object post;
static uint64_t *told;

static int eventfd_open(void)
{
    queue = epoll_create1(EPOLL_CLOEXEC);
    return queue < 0 ? -1 : 0;
}

static void eventfd_close(void)
{
    close(queue);
}

static int open_object(struct object *object)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = object};
    object->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    atomic_init(&object->pending, false);
    return epoll_ctl(queue, EPOLL_CTL_ADD, object->fd, &event);
}

static int wakers_open(size_t count, uint64_t *counter)
{
    told = counter;
    objects = malloc(count * sizeof(*objects));
    for (size_t i = 0; objects && i < count; i++)
        if (open_object(&objects[i]) < 0)
            return -1;
    return objects ? open_object(&post) : -1;
}

static void raise_object(struct object *object)
{
    if (!atomic_exchange(&object->pending, true))
        eventfd_write(object->fd, 1);
}

static void wakers_notify(size_t index)
{
    raise_object(&objects[index]);
}

static void wakers_post(uint64_t *counter)
{
    post_queue_put(counter);
    raise_object(&post);
}

/* The flag falls before the work is done: what comes later is told again. */
static void on_report(struct object *object)
{
    eventfd_t value;
    eventfd_read(object->fd, &value);
    atomic_exchange(&object->pending, false);
    if (object == &post)
        post_queue_run();
    else
        (*told)++;
}

static void pass(int timeout)
{
    int count = epoll_wait(queue, ready, BATCH, timeout);
    for (int i = 0; i < count; i++)
        on_report(ready[i].data.ptr);
}

static void wakers_turn(void)
{
    pass(0);
}

static void wakers_wait(void)
{
    pass(-1);
}

static const struct bench_wakers eventfd_wakers = {
    .open = wakers_open,
    .notify = wakers_notify,
    .turn = wakers_turn,
    .wait = wakers_wait,
    .post = wakers_post,
    .run = wakers_wait,
};

extern const struct bench_peer bench_peer_raw_eventfd;
const struct bench_peer bench_peer_raw_eventfd = {
    .name = "raw_eventfd",
    .version = raw_kernel_version,
    .open = eventfd_open,
    .close = eventfd_close,
    .wakers = &eventfd_wakers,
    .lacks = "it has wake-ups alone",
};
