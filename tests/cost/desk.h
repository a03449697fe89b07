/* SPDX-License-Identifier: MIT */
/*
 * desk.h: a context whose kernel calls, clock reads and allocations are counted.
 *
 *     COSTS(&desk, CHECK_OK(plx_watcher_remove(watcher)), "del=1", "");
 *
 * runs the operation and compares what it cost with what it may cost, on epoll and on poll: names
 * and numbers in the order of count_names[]; "" is nothing at all. With COST_MARKS in the
 * environment each operation stands between two writes to a descriptor that does not exist, which
 * strace shows (strace_calls).
 */
#ifndef COST_DESK_H
#define COST_DESK_H

#include <pollux.h>

#include "check.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

struct memory {
    size_t bytes;
    size_t allocations; /* so many so far, growing blocks included */
};

#define DESCRIPTORS 10000

struct desk {
    plx_backend backend;
    plx_context *context;
    struct memory memory;
    int descriptors[DESCRIPTORS]; /* closed with the desk */
    int descriptor_count;
};

/* A case of a program, by name; those that are epoll's alone run nowhere else. */
struct cost_case {
    const char *name;
    void (*run)(struct desk *desk);
    bool is_epoll_only;
};

/* What one file has. The cases are for epoll and poll, which have a column each, or for one backend
   that is played. */
struct cost_group {
    const struct cost_case *cases;
    size_t count;
    plx_backend played; /* 0: none */
};

/* Runs all cases on all backends and prints TAP; returns the status of the process. */
int desk_run_cases(const struct cost_group *groups, size_t count);

/* NULL, or why this build is not the one that promises are made for. */
const char *desk_odd_build(void);

void desk_open(struct desk *desk, size_t capacity_hint);
/* Destroys the context, closes the descriptors, and checks that no memory is left. */
void desk_close(struct desk *desk);

/* Lets the process have so many descriptors, or as many as it may; returns how many. */
int desk_raise_limit(int wanted);

/* The same, or the case is skipped. */
void desk_need_descriptors(int count);

int desk_keep(struct desk *desk, int fd);
int desk_event(struct desk *desk, bool is_ready);
int desk_file(struct desk *desk);
plx_watcher *desk_watch(struct desk *desk, plx_handle handle, uint32_t events);
plx_watcher *desk_add(struct desk *desk, int fd, uint32_t events);
int desk_look(struct desk *desk);

/* Called once, inside the next operation that sleeps, just before it does. */
void desk_on_sleep(void (*handler)(void *), void *argument);

/* The clock stands still until the next sleep begins, so that no deadline comes before that. */
void desk_hold_clock(void);

/* For those who count the calls of a played kernel: what it calls itself does not count. */
enum counted {
    COUNT_CREATE,
    COUNT_KEVENT,
    COUNT_POLL,
    COUNT_SETTIME,
    COUNT_ASSOCIATE,
    COUNT_DISSOCIATE,
    COUNT_SEND,
    COUNT_GET
};
void desk_count(enum counted what);
void desk_before_sleep(void);
void desk_pause(void);
void desk_go_on(void);

/* With COST_FIGURES in the environment, prints what baseline_test compares: what something costs in
   the case that runs. */
void desk_figure(const char *kind, const char *what, const char *format, ...) CHECK_PRINTF(3, 4);

/* No marks for the rest of the case: what it does beside its operations is not for strace. */
void desk_stop_marking(void);

void costs_start(const char *operation);
void costs_stop(void);
void costs_check(const char *file, int line, const struct desk *desk, const char *operation,
                 const char *on_epoll, const char *on_poll);

#define COSTS_NAMED(desk, operation, name, on_epoll, on_poll)                                      \
    do {                                                                                           \
        costs_start(name);                                                                         \
        operation;                                                                                 \
        costs_stop();                                                                              \
        costs_check(__FILE__, __LINE__, desk, name, on_epoll, on_poll);                            \
    } while (0)

#define COSTS(desk, operation, on_epoll, on_poll)                                                  \
    COSTS_NAMED(desk, operation, #operation, on_epoll, on_poll)
#define COSTS_NOTHING(desk, operation) COSTS_NAMED(desk, operation, #operation, "", "")

/* One call that waits. */
#define COSTS_A_LOOK(desk, operation)                                                              \
    COSTS_NAMED(desk, operation, #operation, "epoll_wait=1", "ppoll=1")

#define ALLOCATES_NAMED(desk, number, operation, name)                                             \
    do {                                                                                           \
        size_t allocations_before = (desk)->memory.allocations;                                    \
        operation;                                                                                 \
        CHECK_EQUAL((desk)->memory.allocations - allocations_before, number);                      \
        desk_figure("allocations", name, "%d", (int)(number));                                     \
    } while (0)
#define ALLOCATES(desk, number, operation) ALLOCATES_NAMED(desk, number, operation, #operation)
#define ALLOCATES_NOTHING(desk, operation) ALLOCATES_NAMED(desk, 0, operation, #operation)

#define IS_EPOLL(desk) ((desk)->backend == PLX_BACKEND_EPOLL)

/* A loop that looks once finds this many at most. */
#define ROOM 4096

#endif
