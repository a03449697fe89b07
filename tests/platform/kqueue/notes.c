/* SPDX-License-Identifier: MIT */
/*
 * notes.c: the notes of a queue and of its descriptors, who of them is active, and how epoll's
 * edges become activations.
 */
#include "shim.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 64

/* --- The queue of active notes --- */

void shim_enqueue(struct note *note)
{
    struct queue *queue = note->queue;
    note->is_queued = true;
    note->before = queue->last;
    note->behind = NULL;
    *(queue->last ? &queue->last->behind : &queue->first) = note;
    queue->last = note;
    queue->queued++;
}

void shim_dequeue(struct note *note)
{
    struct queue *queue = note->queue;
    note->is_queued = false;
    *(note->before ? &note->before->behind : &queue->first) = note->behind;
    *(note->behind ? &note->behind->before : &queue->last) = note->before;
    queue->queued--;
}

void shim_activate(struct note *note)
{
    note->is_active = true;
    if (!note->is_disabled && !note->is_queued)
        shim_enqueue(note);
}

/* A kernel's queue is readable while notes are queued, also if they would be found inactive. */
void shim_ring(struct queue *queue)
{
    eventfd_t count;
    bool should = queue->queued > 0;
    if (queue->rings == should)
        return;
    queue->rings = should;
    if (should)
        eventfd_write(queue->bell, 1);
    else
        eventfd_read(queue->bell, &count);
}

/* --- Descriptors --- */

struct place *shim_place_of(struct queue *queue, int fd)
{
    return fd >= 0 && fd < queue->place_room ? queue->places[fd] : NULL;
}

static bool make_room(struct queue *queue, int fd)
{
    if (fd < queue->place_room)
        return true;
    int room = fd < 32 ? 64 : 2 * fd;
    struct place **places = realloc(queue->places, (size_t)room * sizeof *places);
    if (!places)
        return false;
    for (int i = queue->place_room; i < room; i++)
        places[i] = NULL;
    queue->places = places;
    queue->place_room = room;
    return true;
}

static enum kind kind_of(int fd, const struct stat *file)
{
    if (shim_find(fd))
        return KIND_QUEUE;
    switch (file->st_mode & S_IFMT) {
    case S_IFSOCK:
        return KIND_SOCKET;
    case S_IFIFO:
        return KIND_PIPE;
    case S_IFREG:
        return KIND_FILE;
    case S_IFBLK:
        return KIND_ALWAYS;
    case S_IFDIR:
        return KIND_DIRECTORY;
    default:
        return KIND_OTHER;
    }
}

static struct place *new_place(struct queue *queue, int fd, const struct stat *file)
{
    struct place *place = make_room(queue, fd) ? calloc(1, sizeof *place) : NULL;
    if (!place)
        return NULL;
    place->queue = queue;
    place->fd = fd;
    place->generation = ++queue->generations;
    place->kind = kind_of(fd, file);
    place->device = file->st_dev;
    place->inode = file->st_ino;
    queue->places[fd] = place;
    queue->files += place->kind == KIND_FILE;
    return place;
}

/* Is it another file than the one that the notes are of? */
bool shim_is_stale(const struct place *place)
{
    struct stat file;
    return fstat(place->fd, &file) < 0 || file.st_dev != place->device ||
           file.st_ino != place->inode;
}

/* The place of a number that a change names; made if there is none, so that a caller who leaves it
   without a note drops it. */
int shim_open_place(struct queue *queue, uintptr_t ident, struct place **ret_place)
{
    struct stat file;
    int fd = ident > INT_MAX ? -1 : (int)ident;
    struct place *place = shim_place_of(queue, fd);
    if (place && place->kind != KIND_HELPER && shim_is_stale(place)) {
        shim_drop_place(place);
        place = NULL;
    }
    if ((place && place->kind == KIND_HELPER) || fstat(fd, &file) < 0)
        return EBADF;
    if (fd == queue->fd)
        return EINVAL;
    *ret_place = place ? place : new_place(queue, fd, &file);
    return *ret_place ? 0 : ENOMEM;
}

void shim_drop_place(struct place *place)
{
    struct queue *queue = place->queue;
    for (int i = 0; i < 2; i++) {
        if (place->notes[i] && place->notes[i]->is_queued)
            shim_dequeue(place->notes[i]);
        free(place->notes[i]);
    }
    if (place->mask)
        epoll_ctl(queue->fd, EPOLL_CTL_DEL, place->fd, NULL);
    queue->places[place->fd] = NULL;
    queue->files -= place->kind == KIND_FILE;
    free(place);
}

/* --- What epoll watches --- */

static uint32_t mask_of(const struct place *place)
{
    uint32_t mask = 0;
    if (place->notes[0])
        mask |= EPOLLIN | EPOLLRDHUP;
    if (place->notes[1])
        mask |= EPOLLOUT;
    return mask ? mask | EPOLLET : 0;
}

static bool is_watchable(const struct place *place)
{
    return place->kind != KIND_FILE && place->kind != KIND_ALWAYS;
}

static int control(struct place *place, uint32_t mask)
{
    struct epoll_event event = {
        .events = mask, .data.u64 = (uint64_t)place->generation << 32 | (uint32_t)place->fd};
    int operation = !mask ? EPOLL_CTL_DEL : place->mask ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int fd = place->queue->fd;
    if (epoll_ctl(fd, operation, place->fd, &event) == 0)
        return 0;
    /* Closed and opened again without our knowledge; an anonymous file does not tell. */
    if (errno == ENOENT && mask && epoll_ctl(fd, EPOLL_CTL_ADD, place->fd, &event) == 0)
        return 0;
    if (errno == EEXIST && epoll_ctl(fd, EPOLL_CTL_MOD, place->fd, &event) == 0)
        return 0;
    return mask ? errno : 0;
}

/*
 * Brings epoll up to date with the notes of a place.
 *
 * epoll_ctl() makes an edge of its own where a kernel would look at the changed note alone, so that
 * a sibling with EV_CLEAR would be told twice. Edges from before are therefore taken first, those
 * of this place dropped afterwards, and a sibling is activated if its facts changed meanwhile.
 */
int shim_watch(struct place *place)
{
    struct queue *queue = place->queue;
    uint32_t mask = mask_of(place);
    struct kevent seen[2] = {{0}, {0}};
    if (!is_watchable(place) || mask == place->mask)
        return 0;
    shim_drain(queue);
    for (int i = 0; i < 2; i++) {
        if (place->notes[i] && shim_look(place->notes[i]))
            seen[i] = place->notes[i]->event;
    }
    int cause = control(place, mask);
    if (cause == EPERM) {
        place->kind = KIND_ALWAYS;
        return 0;
    }
    if (cause)
        return cause;
    place->mask = mask;
    queue->fresh = place;
    shim_drain(queue);
    queue->fresh = NULL;
    for (int i = 0; i < 2; i++) {
        struct note *note = place->notes[i];
        if (note && shim_look(note) &&
            (seen[i].data != note->event.data || seen[i].flags != note->event.flags))
            shim_activate(note);
    }
    return 0;
}

/* The kernel woke somebody at this place: all its notes that hold are active. A stale place is left
   to the scan, since who drains may be working with it. */
static void take_edge(struct place *place)
{
    if (place->kind != KIND_HELPER && shim_is_stale(place))
        return;
    for (int i = 0; i < 2; i++) {
        if (place->notes[i] && shim_look(place->notes[i]))
            shim_activate(place->notes[i]);
    }
}

/* Takes what epoll has to say. A report of an earlier generation is of a file that was closed while
   a duplicate lives: edges end, so that nothing has to be done about it. */
void shim_drain(struct queue *queue)
{
    struct epoll_event events[BATCH];
    int count;
    do {
        count = epoll_wait(queue->fd, events, BATCH, 0);
        for (int i = 0; i < count; i++) {
            uint64_t token = events[i].data.u64;
            struct place *place = shim_place_of(queue, (int)(uint32_t)token);
            if (place && place->generation == token >> 32 && place != queue->fresh)
                take_edge(place);
        }
    } while (count == BATCH);
}

/* Files make no edges. A kernel activates their notes when they are written to. */
void shim_look_at_files(struct queue *queue)
{
    for (int fd = 0; queue->files > 0 && fd < queue->place_room; fd++) {
        struct place *place = queue->places[fd];
        struct note *note = place && place->kind == KIND_FILE ? place->notes[0] : NULL;
        int64_t size = note ? note->seen_size : 0;
        if (note && shim_look(note) && note->seen_size != size)
            shim_activate(note);
    }
}

/* --- Notes --- */

static int filter_index(short filter)
{
    return filter == EVFILT_WRITE;
}

/* A note that is not watched yet, in its place or among the others. */
struct note *shim_new_note(struct queue *queue, const struct kevent *change)
{
    unsigned int ignored = EV_DELETE | EV_DISABLE | EV_FORCEONESHOT;
    struct note *note = calloc(1, sizeof *note);
    if (!note)
        return NULL;
    if (!shim_traits.returns_add)
        ignored |= EV_ADD | EV_ENABLE;
    if (!shim_traits.keeps_receipt)
        ignored |= EV_RECEIPT;
    if (!shim_traits.has_dispatch)
        ignored |= EV_DISPATCH;
    note->event = *change;
    note->event.flags = (unsigned short)(change->flags & ~ignored);
    note->event.fflags = 0;
    note->event.data = 0;
    note->fflags = change->fflags;
    note->data = change->data;
    note->is_disabled = change->flags & EV_DISABLE;
    note->queue = queue;
    note->seen_size = -1;
    if (shim_is_source(change->filter)) {
        note->next = queue->others;
        queue->others = note;
    } else {
        note->place = queue->places[change->ident];
        note->place->notes[filter_index(change->filter)] = note;
    }
    return note;
}

/* Watches a descriptor of the shim's own for a note, which owns it from now on, also on failure. */
int shim_add_helper(struct note *note, int fd)
{
    struct stat file = {.st_mode = 0};
    if (fd < 0)
        return errno;
    struct place *place = new_place(note->queue, fd, &file);
    if (!place) {
        shim_close(fd);
        return ENOMEM;
    }
    place->kind = KIND_HELPER;
    place->notes[0] = note;
    note->place = place;
    place->mask = EPOLLIN | EPOLLET;
    struct epoll_event event = {.events = place->mask,
                                .data.u64 = (uint64_t)place->generation << 32 | (uint32_t)fd};
    return epoll_ctl(note->queue->fd, EPOLL_CTL_ADD, fd, &event) < 0 ? errno : 0;
}

static void drop_source(struct note *note)
{
    struct place *place = note->place;
    struct note **link = &note->queue->others;
    while (*link != note)
        link = &(*link)->next;
    *link = note->next;
    if (place) {
        int fd = place->fd;
        place->notes[0] = NULL;
        shim_drop_place(place);
        shim_close(fd);
    }
}

void shim_drop_note(struct note *note)
{
    struct place *place = note->place;
    if (note->is_queued)
        shim_dequeue(note);
    if (shim_is_source(note->event.filter)) {
        drop_source(note);
    } else {
        place->notes[filter_index(note->event.filter)] = NULL;
        if (place->notes[0] || place->notes[1])
            shim_watch(place);
        else
            shim_drop_place(place);
    }
    free(note);
}
