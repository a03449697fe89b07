/* SPDX-License-Identifier: MIT */
/* objects.c: descriptors that are associated with a port, and when they fire. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

/* Told without being asked for. */
#define UNASKED (POLLERR | POLLHUP)

struct object *ports_object_of(struct port *port, int fd)
{
    return fd >= 0 && fd < port->room ? port->objects[fd] : NULL;
}

/* The key is the number and the file: a number that was closed behind our back is another one. */
bool ports_is_stale(const struct object *object)
{
    struct stat file;
    return fstat(object->fd, &file) < 0 || file.st_dev != object->device ||
           file.st_ino != object->inode;
}

static void forget(struct object *object)
{
    struct epoll_event unused = {0};
    if (object->is_watched)
        epoll_ctl(object->port->fd, EPOLL_CTL_DEL, object->fd, &unused);
    object->is_watched = false;
}

void ports_drop_object(struct object *object)
{
    struct port *port = object->port;
    forget(object);
    ports_dequeue(port, &object->event);
    port->objects[object->fd] = NULL;
    port->kept--;
    free(object);
}

static bool make_room(struct port *port, int fd)
{
    int room = port->room > 0 ? port->room : 64;
    if (fd < port->room)
        return true;
    while (room <= fd)
        room *= 2;
    struct object **objects = realloc(port->objects, (size_t)room * sizeof(struct object *));
    if (!objects)
        return false;
    memset(objects + port->room, 0, (size_t)(room - port->room) * sizeof(struct object *));
    port->objects = objects;
    port->room = room;
    return true;
}

static int new_object(struct port *port, int fd, struct object **ret_object)
{
    struct stat file;
    if (port->kept >= port->limit)
        return EAGAIN;
    struct object *object = calloc(1, sizeof *object);
    if (!object || !make_room(port, fd)) {
        free(object);
        return ENOMEM;
    }
    if (fstat(fd, &file) < 0) {
        free(object);
        return EBADFD;
    }
    object->port = port;
    object->fd = fd;
    object->generation = ++port->generations;
    object->device = file.st_dev;
    object->inode = file.st_ino;
    object->event.object = object;
    object->event.told.portev_source = PORT_SOURCE_FD;
    object->event.told.portev_object = (uintptr_t)fd;
    port->objects[fd] = object;
    port->kept++;
    *ret_object = object;
    return 0;
}

/* Queues a snapshot, to which nothing is added later. */
static void fire(struct object *object, int events)
{
    object->is_armed = false;
    object->event.told.portev_events = events;
    ports_enqueue(object->port, &object->event);
}

/* What epoll refuses is always ready (a regular file), so that it either has fired or never will.
 */
static int arm(struct object *object)
{
    uint64_t token = (uint64_t)object->generation << 32 | (uint32_t)object->fd;
    struct epoll_event look = {.events = EPOLLONESHOT | (uint32_t)object->asked, .data.u64 = token};
    int queue = object->port->fd;
    int usual = object->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int other = object->is_watched ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    object->is_armed = true;
    if (epoll_ctl(queue, usual, object->fd, &look) == 0) {
        object->is_watched = true;
        return 0;
    }
    if ((errno == EEXIST || errno == ENOENT) && epoll_ctl(queue, other, object->fd, &look) == 0) {
        object->is_watched = true;
        return 0;
    }
    return errno == EPERM ? 0 : errno;
}

static int what_is_ready(int fd, int asked)
{
    struct pollfd look = {.fd = fd, .events = (short)asked};
    return poll(&look, 1, 0) == 1 ? look.revents & (asked | UNASKED) : 0;
}

/*
 * Whatever was queued is taken back, and the descriptor is looked at anew: now, with all of its
 * bits, or else when it becomes ready.
 */
int ports_associate(struct port *port, int fd, int events, void *user)
{
    const int known = POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM |
                      POLLWRBAND | (ports_traits.has_rdhup ? POLLRDHUP : 0);
    struct object *object = ports_object_of(port, fd);
    if (fcntl(fd, F_GETFD) < 0)
        return EBADFD;
    if (object && ports_is_stale(object)) {
        ports_drop_object(object);
        object = NULL;
    }
    int cause = object ? 0 : new_object(port, fd, &object);
    if (cause)
        return cause;
    ports_dequeue(port, &object->event);
    object->asked = events & known;
    object->event.told.portev_user = user;
    int ready = what_is_ready(fd, object->asked);
    if (ready) {
        forget(object);
        fire(object, ready);
        return 0;
    }
    cause = arm(object);
    if (cause)
        ports_drop_object(object);
    return cause;
}

/* Before the first association of the port nobody looks at the number. */
int ports_dissociate(struct port *port, int fd)
{
    struct object *object = ports_object_of(port, fd);
    if (!port->objects)
        return ENOENT;
    if (fcntl(fd, F_GETFD) < 0)
        return EBADFD;
    if (object && ports_is_stale(object)) {
        ports_drop_object(object);
        return ENOENT;
    }
    if (!object)
        return ENOENT;
    if (port->is_inherited)
        return EACCES;
    bool was_associated = object->is_armed || object->event.is_queued;
    ports_drop_object(object);
    return was_associated ? 0 : ENOENT;
}

/* The nth of the bits that are set. */
static int one_bit_of(int events)
{
    static unsigned int turns;
    int count = __builtin_popcount((unsigned int)events);
    for (unsigned int skip = turns++ % (unsigned int)count; skip > 0; skip--)
        events &= events - 1;
    return events & -events;
}

/* A report of an object that is gone, or has been made anew, is passed over. */
static void fire_reported(struct port *port, const struct epoll_event *report)
{
    struct object *object = ports_object_of(port, (int)(uint32_t)report->data.u64);
    if (!object || object->generation != report->data.u64 >> 32 || !object->is_armed)
        return;
    if (ports_is_stale(object)) {
        ports_drop_object(object);
        return;
    }
    int ready = (int)report->events & (object->asked | UNASKED);
    if (ready)
        fire(object, ports_traits.one_bit ? one_bit_of(ready) : ready);
}

/* Ends, because each object is reported once for each time it was armed. */
void ports_notice(struct port *port)
{
    struct epoll_event reports[64];
    bool is_over;
    do {
        int count = epoll_wait(port->fd, reports, 64, 0);
        is_over = true;
        for (int i = 0; i < count; i++) {
            if (reports[i].data.u64 == SHIM_BELL)
                continue;
            fire_reported(port, &reports[i]);
            is_over = false;
        }
    } while (!is_over);
}
