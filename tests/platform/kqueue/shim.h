/* SPDX-License-Identifier: MIT */
/*
 * shim.h: what the files of the shim share.
 *
 *   kevent.c    the calls: changes, the scan, the sleep
 *   queues.c    which queues there are; fork, close, the lock
 *   notes.c     the notes of a queue, who is active, what epoll watches for them
 *   look.c      is a descriptor ready, and what does a kernel say of it
 *   sources.c   USER, TIMER and PROC
 *
 * Everything is under one lock. Nobody sleeps with it.
 */
#ifndef KQUEUE_SHIM_INTERNAL_H
#define KQUEUE_SHIM_INTERNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/event.h>
#include <sys/types.h>

#include "kqueue_shim.h"

struct queue;

/* What a descriptor is, as far as its filters differ. */
enum kind {
    KIND_OTHER,
    KIND_SOCKET,
    KIND_PIPE,
    KIND_FILE,      /* regular: looked at by its size */
    KIND_ALWAYS,    /* devices that epoll refuses, because they are always ready */
    KIND_DIRECTORY, /* which a kernel refuses */
    KIND_QUEUE,
    KIND_HELPER /* a timerfd or pidfd of the shim's own */
};

/* A descriptor with its notes. Found by number; the generation tells epoll's late reports. */
struct place {
    struct queue *queue;
    int fd;
    uint32_t generation;
    uint32_t mask; /* what epoll watches; 0: no registration */
    enum kind kind;
    dev_t device;
    ino_t inode;
    struct note *notes[2]; /* READ, WRITE; a helper has its note in the first */
};

struct note {
    struct kevent event; /* as it is reported */
    unsigned int fflags; /* as they were asked for */
    int64_t data;        /* the same */
    struct queue *queue;
    struct place *place; /* of the descriptor or of the helper; NULL for USER */
    struct note *next;   /* of those without a descriptor */
    struct note *before; /* in the queue of active notes */
    struct note *behind;
    bool is_active;
    bool is_queued;
    bool is_disabled;
    bool is_triggered; /* USER */
    int64_t seen_size; /* of a regular file, when it was last looked at */
};

struct queue {
    struct queue *next;
    int fd;     /* the epoll queue */
    int second; /* another number for it, by dup2(); -1: none */
    pid_t owner;
    int bell; /* an eventfd, which makes `fd` readable while notes are queued */
    bool rings;
    uint32_t generations;
    struct place **places; /* by number */
    int place_room;
    struct place *fresh; /* its edges are what epoll_ctl() made: see notes.c */
    struct note *others; /* without a descriptor of the user's */
    struct note *first;  /* active notes, in the order of their reports */
    struct note *last;
    int queued;
    int files; /* places that have to be looked at, for want of edges */
};

extern struct kqueue_traits shim_traits;
extern struct kqueue_counts shim_counts;

/* queues.c. Signals are blocked under the lock: on a BSD kevent() may be called in a handler. */
void shim_lock(sigset_t *ret_outside);
void shim_unlock(const sigset_t *outside);
void shim_lock_again(void); /* after a sleep, in which only the signals stayed blocked */
void shim_unlock_to_sleep(void);
struct queue *shim_find(int fd);
int shim_cause_of_no_queue(int fd);
int shim_close(int fd); /* the real one, which takes no lock */
int shim_stow(int fd);

/* notes.c. Causes are returned as numbers of errno, 0 for none. */
int shim_open_place(struct queue *queue, uintptr_t ident, struct place **ret_place);
struct place *shim_place_of(struct queue *queue, int fd);
void shim_drop_place(struct place *place);
bool shim_is_stale(const struct place *place);
struct note *shim_new_note(struct queue *queue, const struct kevent *change);
int shim_watch(struct place *place);
int shim_add_helper(struct note *note, int fd);
void shim_drop_note(struct note *note);
void shim_activate(struct note *note);
void shim_enqueue(struct note *note);
void shim_dequeue(struct note *note);
void shim_drain(struct queue *queue);
void shim_ring(struct queue *queue);
void shim_look_at_files(struct queue *queue);

/* look.c, sources.c. Is the note active? Also brings the event up to date. */
bool shim_look(struct note *note);
int shim_may_attach(const struct place *place, short filter);
bool shim_is_source(short filter);
int shim_attach_source(struct note *note);
int shim_touch_source(struct note *note, const struct kevent *change);
bool shim_look_at_source(struct note *note);
void shim_report_source(struct note *note, struct kevent *ret_event);

#endif
