/* SPDX-License-Identifier: MIT */
/*
 * queues.c: which queues this process has, the lock around all of the shim, and what fork() and
 * close() do to a queue.
 */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct kqueue_traits kqueue_shim_freebsd = {
    .enable_looks = true,
    .keeps_receipt = true,
    .has_user = true,
    .has_dispatch = true,
    .skips_filter_zero = true,
    .has_duplex_pipes = true,
    .dead_pipe_error = EPIPE,
    .not_a_queue_error = EINVAL,
};

const struct kqueue_traits kqueue_shim_netbsd = {
    .returns_add = true,
    .has_user = true,
    .has_dispatch = true,
    .refuses_zero_timer = true,
    .has_duplex_pipes = true,
    .dead_pipe_error = EBADF,
    .not_a_queue_error = EBADF,
};

struct kqueue_traits shim_traits;
struct kqueue_counts shim_counts;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct queue *queues;
static sigset_t outside_of_fork;

void shim_lock(sigset_t *ret_outside)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, ret_outside);
    pthread_mutex_lock(&lock);
}

void shim_unlock(const sigset_t *outside)
{
    pthread_mutex_unlock(&lock);
    pthread_sigmask(SIG_SETMASK, outside, NULL);
}

void shim_lock_again(void)
{
    pthread_mutex_lock(&lock);
}

void shim_unlock_to_sleep(void)
{
    pthread_mutex_unlock(&lock);
}

/* Not by close(), which the linker replaces by one that takes the lock. */
int shim_close(int fd)
{
    return (int)syscall(SYS_close, fd);
}

/* What a kernel would not need a number for is not to take one that somebody counts on. */
int shim_stow(int fd)
{
    int far_off = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 1000);
    if (far_off < 0)
        return fd;
    shim_close(fd);
    return far_off;
}

struct queue *shim_find(int fd)
{
    for (struct queue *queue = queues; queue; queue = queue->next) {
        if (queue->fd == fd)
            return queue->owner == getpid() ? queue : NULL;
    }
    return NULL;
}

/* Why not? A child that was made behind the back of pthread_atfork() still has the number. */
int shim_cause_of_no_queue(int fd)
{
    for (const struct queue *queue = queues; queue; queue = queue->next) {
        if (queue->fd == fd)
            return EBADF;
    }
    return fcntl(fd, F_GETFD) < 0 ? EBADF : shim_traits.not_a_queue_error;
}

/* Everything but the descriptor itself, which the caller closes. */
static void destroy(struct queue *queue)
{
    struct queue **link = &queues;
    while (*link != queue)
        link = &(*link)->next;
    *link = queue->next;
    while (queue->others)
        shim_drop_note(queue->others);
    for (int fd = 0; fd < queue->place_room; fd++) {
        if (queue->places[fd])
            shim_drop_place(queue->places[fd]);
    }
    shim_close(queue->bell);
    free(queue->places);
    free(queue);
}

/* --- Fork: a queue is not inherited, its number is free in the child --- */

static void before_fork(void)
{
    sigset_t outside;
    shim_lock(&outside);
    outside_of_fork = outside;
}

static void after_fork_in_parent(void)
{
    sigset_t outside = outside_of_fork;
    shim_unlock(&outside);
}

static void after_fork_in_child(void)
{
    sigset_t outside = outside_of_fork;
    while (queues) {
        /* First of all: what is taken out of it later is not to be taken out of the parent's. */
        shim_close(queues->fd);
        if (queues->second >= 0)
            shim_close(queues->second);
        queues->fd = -1;
        destroy(queues);
    }
    shim_unlock(&outside);
}

/* Before main(), so that a program that counts or refuses such handlers does not meet this one. */
static void __attribute__((constructor)) start(void)
{
    const char *name = getenv("KQUEUE_SHIM");
    shim_traits = name && strcmp(name, "netbsd") == 0 ? kqueue_shim_netbsd : kqueue_shim_freebsd;
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* --- The calls --- */

static bool open_descriptors(struct queue *queue, int flags)
{
    struct epoll_event bell = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    queue->fd = epoll_create1(flags & O_CLOEXEC ? EPOLL_CLOEXEC : 0);
    queue->bell = queue->fd < 0 ? -1 : shim_stow(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (queue->bell >= 0 && epoll_ctl(queue->fd, EPOLL_CTL_ADD, queue->bell, &bell) == 0)
        return true;
    int cause = errno;
    if (queue->bell >= 0)
        shim_close(queue->bell);
    if (queue->fd >= 0)
        shim_close(queue->fd);
    errno = cause;
    return false;
}

static int open_queue(int flags)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue || !open_descriptors(queue, flags)) {
        free(queue);
        return -1;
    }
    struct queue *stale = shim_find(queue->fd); /* closed behind our back */
    if (stale)
        destroy(stale);
    queue->owner = getpid();
    queue->second = -1;
    queue->next = queues;
    queues = queue;
    return queue->fd;
}

int kqueue1(int flags)
{
    sigset_t outside;
    if (flags & ~(O_CLOEXEC | O_NONBLOCK)) {
        errno = EINVAL;
        return -1;
    }
    shim_lock(&outside);
    int fd = open_queue(flags);
    int cause = errno;
    shim_unlock(&outside);
    errno = cause;
    return fd;
}

int kqueue(void)
{
    return kqueue1(0);
}

/* The notes of a descriptor go with its number, whatever duplicates live. */
void kqueue_shim_closing(int fd)
{
    sigset_t outside;
    int cause = errno;
    shim_lock(&outside);
    struct queue *closed = shim_find(fd);
    if (closed && closed->second >= 0) {
        closed->fd = closed->second; /* the queue ends with its last number */
        closed->second = -1;
    } else if (closed) {
        destroy(closed);
    }
    for (struct queue *queue = queues; queue; queue = queue->next) {
        if (queue->second == fd)
            queue->second = -1;
        struct place *place = shim_place_of(queue, fd);
        if (place && place->kind != KIND_HELPER)
            shim_drop_place(place);
        shim_ring(queue);
    }
    shim_unlock(&outside);
    errno = cause;
}

void kqueue_shim_duplicated(int from, int to)
{
    sigset_t outside;
    int cause = errno;
    shim_lock(&outside);
    struct queue *queue = shim_find(from);
    if (queue)
        queue->second = to;
    shim_unlock(&outside);
    errno = cause;
}

void kqueue_shim_play(const struct kqueue_traits *traits)
{
    sigset_t outside;
    shim_lock(&outside);
    shim_traits = *traits;
    shim_unlock(&outside);
}

struct kqueue_counts kqueue_shim_counts(void)
{
    sigset_t outside;
    shim_lock(&outside);
    struct kqueue_counts counts = shim_counts;
    shim_unlock(&outside);
    return counts;
}

void kqueue_shim_reset_counts(void)
{
    sigset_t outside;
    shim_lock(&outside);
    shim_counts = (struct kqueue_counts){0};
    shim_unlock(&outside);
}

static int count_notes(const struct queue *queue)
{
    int count = 0;
    for (const struct note *note = queue->others; note; note = note->next)
        count++;
    for (int fd = 0; fd < queue->place_room; fd++) {
        const struct place *place = queue->places[fd];
        if (place && place->kind != KIND_HELPER)
            count += !!place->notes[0] + !!place->notes[1];
    }
    return count;
}

int kqueue_shim_notes(int kq)
{
    sigset_t outside;
    shim_lock(&outside);
    const struct queue *queue = shim_find(kq);
    int count = queue ? count_notes(queue) : -1;
    shim_unlock(&outside);
    return count;
}
