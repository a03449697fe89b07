/* SPDX-License-Identifier: MIT */
/*
 * ports.c: which ports this process has, the lock around all of the shim, its knobs, and what
 * fork() and close() do to a port.
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

/* The limit is the default of process.max-port-events. */
const struct port_traits port_shim_illumos = {.has_rdhup = true, .limit = PORT_SHIM_POOL};
const struct port_traits port_shim_solaris = {.limit = PORT_SHIM_POOL};
const struct port_traits port_shim_hostile = {
    .has_rdhup = true,
    .one_bit = true,
    .order = PORT_SHUFFLED,
    .seed = 1,
    .limit = PORT_SHIM_POOL,
    .etime_every = 2,
    .eintr_every = 5,
    .early_every = 3,
};

struct port_traits ports_traits;
struct port_counts ports_counts;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct port *ports;
static sigset_t outside_of_fork;

void ports_lock(sigset_t *ret_outside)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, ret_outside);
    pthread_mutex_lock(&lock);
}

void ports_unlock(const sigset_t *outside)
{
    pthread_mutex_unlock(&lock);
    pthread_sigmask(SIG_SETMASK, outside, NULL);
}

void ports_lock_again(void)
{
    pthread_mutex_lock(&lock);
}

void ports_unlock_to_sleep(void)
{
    pthread_mutex_unlock(&lock);
}

bool ports_is_turn(unsigned int every, unsigned int *count)
{
    return every > 0 && ++*count % every == 0;
}

/* Not by close(), which the linker replaces by one that takes the lock. */
int ports_close(int fd)
{
    return (int)syscall(SYS_close, fd);
}

void ports_ring(int bell)
{
    const uint64_t one = 1;
    ssize_t unused = write(bell, &one, sizeof one);
    (void)unused;
}

void ports_silence(int bell)
{
    uint64_t rings;
    ssize_t unused = read(bell, &rings, sizeof rings);
    (void)unused;
}

int ports_find(int fd, struct port **ret_port)
{
    for (struct port *port = ports; port; port = port->next) {
        if (port->fd == fd) {
            *ret_port = port;
            return 0;
        }
    }
    return fcntl(fd, F_GETFD) < 0 ? EBADF : EBADFD;
}

struct port *ports_enter(int fd, sigset_t *ret_outside)
{
    struct port *port = NULL;
    ports_lock(ret_outside);
    int cause = ports_find(fd, &port);
    if (cause) {
        ports_unlock(ret_outside);
        errno = cause;
        return NULL;
    }
    port->threads++;
    return port;
}

static void take_out(const struct port *port)
{
    struct port **link = &ports;
    while (*link != port)
        link = &(*link)->next;
    *link = port->next;
}

static void discard_queue(struct port *port)
{
    while (port->first) {
        struct event *event = port->first;
        ports_dequeue(port, event);
        if (!event->object)
            ports_free_sent(event);
    }
}

static void destroy(struct port *port)
{
    discard_queue(port);
    ports_close(port->bell);
    ports_close(port->spare_call);
    free(port->objects);
    free(port);
}

void ports_leave(struct port *port, const sigset_t *outside)
{
    int cause = errno;
    port->threads--;
    if (!port->is_closed)
        ports_settle(port);
    else if (port->threads == 0)
        destroy(port);
    ports_unlock(outside);
    errno = cause;
}

/* Everything but the descriptor itself, which the caller closes. Whoever is in it leaves with
   EBADFD, and may do so when the number is somebody else's. */
static void close_port(struct port *port)
{
    take_out(port);
    port->is_closed = true;
    for (int fd = 0; fd < port->room; fd++) {
        if (port->objects[fd])
            ports_drop_object(port->objects[fd]);
    }
    for (const struct sleeper *sleeper = port->sleepers; sleeper; sleeper = sleeper->next)
        ports_ring(sleeper->call);
    if (port->threads == 0)
        destroy(port);
}

/* The associations of a descriptor go with its number, whatever duplicates live. */
void port_shim_closing(int fd)
{
    sigset_t outside;
    struct port *closed = NULL;
    int cause = errno;
    ports_lock(&outside);
    if (ports_find(fd, &closed) == 0)
        close_port(closed);
    for (struct port *port = ports; port; port = port->next) {
        struct object *object = ports_object_of(port, fd);
        if (object)
            ports_drop_object(object);
        ports_settle(port);
    }
    ports_unlock(&outside);
    errno = cause;
}

/* --- Fork --- */

static void before_fork(void)
{
    sigset_t outside;
    ports_lock(&outside);
    outside_of_fork = outside;
}

static void after_fork_in_parent(void)
{
    sigset_t outside = outside_of_fork;
    ports_unlock(&outside);
}

/* The epoll queue and the bell are the parent's as well: nothing may be changed in them from here.
   They are closed with the port, as it is one descriptor there. */
static void inherit(struct port *port)
{
    for (int fd = 0; fd < port->room; fd++) {
        if (port->objects[fd])
            port->objects[fd]->is_watched = false;
    }
    port->is_inherited = true;
    port->sleepers = NULL; /* threads that are not here */
    port->threads = 0;
}

static void after_fork_in_child(void)
{
    sigset_t outside = outside_of_fork;
    for (struct port *port = ports; port; port = port->next) {
        if (!port->is_inherited)
            inherit(port);
    }
    ports_unlock(&outside);
}

/* Before main(), so that a program that counts or refuses such handlers does not meet this one. */
static void __attribute__((constructor)) start(void)
{
    const char *name = getenv("EVENT_PORTS_SHIM");
    ports_traits = port_shim_illumos;
    if (name && strcmp(name, "solaris") == 0)
        ports_traits = port_shim_solaris;
    if (name && strcmp(name, "hostile") == 0)
        ports_traits = port_shim_hostile;
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* --- port_create() --- */

/* The lowest number is the port's. It stays open over exec(), as it does there. */
static bool open_descriptors(struct port *port)
{
    struct epoll_event bell = {.events = EPOLLIN, .data.u64 = SHIM_BELL};
    port->fd = epoll_create1(0);
    port->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    port->spare_call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (port->spare_call >= 0 && epoll_ctl(port->fd, EPOLL_CTL_ADD, port->bell, &bell) == 0)
        return true;
    ports_close(port->fd);
    ports_close(port->bell);
    ports_close(port->spare_call);
    return false;
}

static int open_port(int *ret_fd)
{
    struct port *stale = NULL;
    struct port *port = calloc(1, sizeof *port);
    if (!port || !open_descriptors(port)) {
        free(port);
        return EMFILE;
    }
    if (ports_find(port->fd, &stale) == 0) /* closed behind our back */
        close_port(stale);
    port->limit = ports_traits.limit;
    port->next = ports;
    ports = port;
    *ret_fd = port->fd;
    return 0;
}

int port_create(void)
{
    sigset_t outside;
    int fd = -1;
    ports_lock(&outside);
    ports_counts.others++;
    int cause = open_port(&fd);
    ports_unlock(&outside);
    if (cause)
        errno = cause;
    return fd;
}

/* --- The knobs --- */

void port_shim_play(const struct port_traits *traits)
{
    sigset_t outside;
    ports_lock(&outside);
    ports_traits = *traits;
    ports_unlock(&outside);
}

struct port_counts port_shim_counts(void)
{
    sigset_t outside;
    ports_lock(&outside);
    struct port_counts counts = ports_counts;
    ports_unlock(&outside);
    return counts;
}

void port_shim_reset_counts(void)
{
    sigset_t outside;
    ports_lock(&outside);
    ports_counts = (struct port_counts){0};
    ports_unlock(&outside);
}

void port_shim_notice(void)
{
    sigset_t outside;
    int cause = errno;
    ports_lock(&outside);
    for (struct port *port = ports; port; port = port->next) {
        if (!port->is_inherited)
            ports_notice(port);
        ports_settle(port);
    }
    ports_unlock(&outside);
    errno = cause;
}

static int count_associated(const struct port *port)
{
    int count = 0;
    for (int fd = 0; fd < port->room; fd++) {
        const struct object *object = port->objects[fd];
        count += object && (object->is_armed || object->event.is_queued);
    }
    return count;
}

int port_shim_associated(int fd)
{
    sigset_t outside;
    struct port *port = NULL;
    ports_lock(&outside);
    int count = ports_find(fd, &port) == 0 ? count_associated(port) : -1;
    ports_unlock(&outside);
    return count;
}

int port_shim_kept(int fd)
{
    sigset_t outside;
    struct port *port = NULL;
    ports_lock(&outside);
    int count = ports_find(fd, &port) == 0 ? (int)port->kept : -1;
    ports_unlock(&outside);
    return count;
}
