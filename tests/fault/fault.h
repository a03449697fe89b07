/* SPDX-License-Identifier: MIT */
/*
 * fault.h: what can fail, where, and what a trial is.
 *
 * A trial plays one scenario in which one allocation or one kernel call fails, and compares what
 * can be seen from outside with the same scenario undisturbed.
 */
#ifndef FAULT_FAULT_H
#define FAULT_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include <pollux.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* The public call that is in progress. */
enum call {
    CALL_NONE,
    CALL_CREATE,
    CALL_ADD,
    CALL_MODIFY,
    CALL_REMOVE,
    CALL_WAIT,
    CALL_WAKE,
    CALL_FD,
    CALL_AFTER_FORK,
    CALL_CLOSE,
    CALL_DESTROY,
    CALL_AGAIN,
    CALL_NOTIFY,
    CALL_CLEAR,
    CALL_POST,
    CALL_STOP,
    CALL_TURN, /* fails in every way in which a wait fails, and in its own */
    CALL_RUN   /* likewise */
};

/* Where the library leaves its own code, and may get a refusal. */
enum point {
    POINT_ALLOCATE,
    POINT_MMAP,
    POINT_MADVISE,
    POINT_ATFORK,
    POINT_EPOLL_CREATE,
    POINT_EVENTFD,
    POINT_CONTROL_ADD,
    POINT_CONTROL_OWN, /* add of what is no watcher */
    POINT_CONTROL_MOD,
    POINT_CONTROL_PROCESS, /* mod of a descriptor of a process, which nobody else closes */
    POINT_CONTROL_DEL,
    POINT_EPOLL_WAIT,
    POINT_EPOLL_PWAIT2,
    POINT_EPOLL_LOOK, /* epoll_wait() with no time */
    POINT_PPOLL,
    POINT_PPOLL_LOOK, /* ppoll() with no time */
    POINT_POLL_ONE,   /* of one watcher's descriptor, with no time */
    POINT_PPOLL_ONE,  /* likewise */
    POINT_READ,
    POINT_WRITE,
    POINT_CLOSE,
    POINT_TIMERFD,
    POINT_PIDFD,
    POINT_WAITID, /* by a descriptor */
    POINT_SIGACTION,
    POINT_KQUEUE,
    POINT_FILTER,     /* kevent() that adds a filter of a descriptor */
    POINT_FILTER_OWN, /* of what is no watcher */
    POINT_KEVENT_SLEEP,
    POINT_PORT,
    POINT_ASSOCIATE,
    POINT_ASSOCIATE_NESTING, /* of those who wait for it, when the port is nested */
    POINT_ASSOCIATE_OWN,     /* of what is no watcher */
    POINT_DISSOCIATE,
    POINT_SEND,
    POINT_PORT_SLEEP,
    POINT_PORT_GET,      /* port_getn() with no time */
    POINT_PORT_LOOK,     /* poll(2) about a batch */
    POINT_PORT_LOOK_ONE, /* about one watcher's descriptor */
    POINT_IDENTIFY,      /* fstat(2) */
    POINTS
};

/* Beside the codes of error.h: the call succeeds, and the watcher reports PLX_ERROR once. */
#define REPORTED 1

/* The call succeeds, and a report lacks what the kernel would have added. */
#define SHORTENED 2

/* One way to fail, and what the public call then has to return. */
struct rule {
    enum call call;
    enum point point;
    int ordinal; /* the how-manieth of that point in the public call; 0: any */
    int error;   /* the errno; 0 for allocations */
    int code;
};

/* The `variant`th rule that applies here, or NULL. */
const struct rule *rule_variant(enum call call, enum point point, int ordinal, int variant);

/* The rule for that errno, or NULL if the kernel never gives it here. */
const struct rule *rule_find(enum call call, enum point point, int ordinal, int error);

/* One line for each rule that no trial came to; returns how many. `used` goes by rule_number(). */
int rules_print_unused(const bool *used);
size_t rule_number(const struct rule *rule);
#define RULES_MAX 192

/* Which failure a trial is about. */
struct fault {
    bool of_memory;  /* counts allocations, else kernel calls */
    int number;      /* from 1; 0: none fails */
    int variant;     /* which of the rules that apply there */
    bool is_lasting; /* calls of the same kind go on failing until the public call is over */
};

#define LOG_SIZE    8192
#define LOG_ANY     '?' /* stands for any character of the undisturbed run */
#define REFUSED_MAX 16

/* A report from a buffer that the kernel could not be asked to complete. */
struct shortened {
    int fd;
    uint32_t missing;
};

/* Shared by the processes of a trial, since scenarios fork. */
struct trial {
    struct fault fault;

    enum call call;
    int seen;                 /* points of the fault's sort, in the whole trial */
    int ordinals[POINTS];     /* by point, in this public call */
    const struct rule *hit;   /* in this public call */
    int hit_count;            /* likewise */
    int refused[REFUSED_MAX]; /* descriptors that have to be reported with PLX_ERROR */
    int refused_count;
    struct shortened shortened[REFUSED_MAX]; /* in this public call */
    int shortened_count;

    bool is_reached; /* there was an Nth */
    bool is_variant; /* and so many ways for it to fail */
    int failures;
    bool is_owing; /* until the next wait the nested descriptor may show more than there is */
    bool is_used[RULES_MAX]; /* the rules that were used, in all trials */

    size_t log_size;
    char log[LOG_SIZE];
};

#endif
