/* SPDX-License-Identifier: MIT */
/*
 * rules.c: which kernel call can fail in which public call, with which errno, and what the caller
 * has to be told. What is not in the table does not happen: a kernel says EPERM to an epoll_ctl()
 * of a file and to nothing else, and EINTR only where nothing is ready. timerfd_settime() has no
 * row: with a timer and a time that are as they should be it cannot fail.
 */
#include "fault.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#define NTH_RULE(nth, call, point, error, code)                                                    \
    {                                                                                              \
        CALL_##call, POINT_##point, nth, error, code                                               \
    }
#define RULE(call, point, error, code) NTH_RULE(0, call, point, error, code)

/* A fresh kernel queue: at create, in a wait that gets rid of a ghost, and after fork. */
#define FRESH_QUEUE(nth, call)                                                                     \
    NTH_RULE(nth, call, EPOLL_CREATE, EMFILE, PLX_ERR_TOOBIG),                                     \
        NTH_RULE(nth, call, EPOLL_CREATE, ENFILE, PLX_ERR_TOOBIG),                                 \
        NTH_RULE(nth, call, EPOLL_CREATE, ENOMEM, PLX_ERR_NOMEM),                                  \
        RULE(call, CONTROL_OWN, ENOMEM, PLX_ERR_NOMEM),                                            \
        RULE(call, CONTROL_OWN, ENOSPC, PLX_ERR_SYSTEM)

#define FRESH_WAKE(call)                                                                           \
    RULE(call, EVENTFD, EMFILE, PLX_ERR_TOOBIG), RULE(call, EVENTFD, ENFILE, PLX_ERR_TOOBIG),      \
        RULE(call, EVENTFD, ENOMEM, PLX_ERR_NOMEM), RULE(call, EVENTFD, ENODEV, PLX_ERR_SYSTEM)

/* The watchers of an old queue enter the fresh one. */
#define MOVED_WATCHERS(call)                                                                       \
    RULE(call, CONTROL_ADD, ENOMEM, PLX_ERR_NOMEM),                                                \
        RULE(call, CONTROL_ADD, ENOSPC, PLX_ERR_SYSTEM), RULE(call, CONTROL_ADD, EBADF, REPORTED)

#define CHANGED_WATCHER(call)                                                                      \
    RULE(call, CONTROL_MOD, ENOMEM, PLX_ERR_NOMEM), RULE(call, CONTROL_MOD, EBADF, REPORTED),      \
        RULE(call, CONTROL_MOD, ENOENT, REPORTED), RULE(call, CONTROL_MOD, EPERM, REPORTED)

/* The nested descriptor is raised already, or lowered already. */
#define RAISED(call)  RULE(call, WRITE, EAGAIN, PLX_OK)
#define LOWERED(call) RULE(call, READ, EAGAIN, PLX_OK)

/* What is closed is gone, whatever the kernel says, and nobody has to hear of it. */
#define CLOSED(call) RULE(call, CLOSE, EIO, PLX_OK), RULE(call, CLOSE, EINTR, PLX_OK)

/* The same of kqueue. */
#ifdef POLLUX_PLAYS_KQUEUE
#define FRESH_KQUEUE(nth, call)                                                                    \
    NTH_RULE(nth, call, KQUEUE, EMFILE, PLX_ERR_TOOBIG),                                           \
        NTH_RULE(nth, call, KQUEUE, ENFILE, PLX_ERR_TOOBIG),                                       \
        NTH_RULE(nth, call, KQUEUE, ENOMEM, PLX_ERR_NOMEM),                                        \
        RULE(call, FILTER_OWN, ENOMEM, PLX_ERR_NOMEM)
#endif

/* The same of event ports. */
#ifdef POLLUX_PLAYS_EVENT_PORTS
#define FRESH_PORT(nth, call)                                                                      \
    NTH_RULE(nth, call, PORT, EMFILE, PLX_ERR_TOOBIG),                                             \
        NTH_RULE(nth, call, PORT, EAGAIN, PLX_ERR_TOOBIG),                                         \
        NTH_RULE(nth, call, PORT, ENOMEM, PLX_ERR_NOMEM)
#define ASSOCIATED(call, code)                                                                     \
    RULE(call, ASSOCIATE, ENOMEM, code), RULE(call, ASSOCIATE, EAGAIN, code)
#define RUNG(call) RULE(call, ASSOCIATE_OWN, ENOMEM, PLX_OK) /* a wake shows instead */
#endif

static const struct rule rules[] = {
#ifdef POLLUX_PLAYS_EVENT_PORTS
    NTH_RULE(1, CREATE, PORT, ENOSYS, PLX_ERR_UNAVAILABLE),
    NTH_RULE(1, CREATE, PORT, EPERM, PLX_ERR_UNAVAILABLE),
    NTH_RULE(1, CREATE, PORT, EAGAIN, PLX_OK),
    NTH_RULE(1, CREATE, PORT, EMFILE, PLX_OK),
    NTH_RULE(1, CREATE, PORT, ENOMEM, PLX_OK),
    FRESH_PORT(2, CREATE),
    ASSOCIATED(ADD, PLX_ERR_NOMEM),
    RULE(ADD, IDENTIFY, EIO, PLX_ERR_SYSTEM),
    RUNG(ADD),
    ASSOCIATED(MODIFY, PLX_ERR_NOMEM),
    RUNG(MODIFY),
    RULE(REMOVE, DISSOCIATE, ENOENT, PLX_OK),
    RUNG(REMOVE),
    ASSOCIATED(WAIT, PLX_ERR_NOMEM),
    RULE(WAIT, ASSOCIATE_NESTING, ENOMEM, PLX_OK),
    RUNG(WAIT),
    RULE(WAIT, SEND, EAGAIN, PLX_OK), /* an alert needs no place */
    RULE(WAIT, PORT_SLEEP, EINTR, PLX_OK),
    RULE(WAIT, PORT_LOOK, EINTR, PLX_OK),
    RULE(WAIT, PORT_LOOK, EAGAIN, PLX_OK),
    RULE(WAIT, PORT_LOOK_ONE, EINTR, PLX_OK),
    RULE(WAIT, PORT_LOOK_ONE, EAGAIN, SHORTENED),
    ASSOCIATED(FD, PLX_ERR_NOMEM),
    RULE(FD, ASSOCIATE_NESTING, ENOMEM, PLX_OK), /* the next wait tells */
    NTH_RULE(1, FD, ASSOCIATE_OWN, ENOMEM, PLX_ERR_NOMEM),
    NTH_RULE(2, FD, ASSOCIATE_OWN, ENOMEM, PLX_OK),
    FRESH_PORT(0, AFTER_FORK),
    ASSOCIATED(AFTER_FORK, PLX_ERR_NOMEM),
    RULE(CLOSE, DISSOCIATE, ENOENT, PLX_OK),
#endif
#ifdef POLLUX_PLAYS_KQUEUE
    NTH_RULE(1, CREATE, KQUEUE, ENOSYS, PLX_ERR_UNAVAILABLE),
    NTH_RULE(1, CREATE, KQUEUE, EPERM, PLX_ERR_UNAVAILABLE),
    NTH_RULE(1, CREATE, KQUEUE, EMFILE, PLX_OK),
    NTH_RULE(1, CREATE, KQUEUE, ENFILE, PLX_OK),
    NTH_RULE(1, CREATE, KQUEUE, ENOMEM, PLX_OK),
    FRESH_KQUEUE(2, CREATE),
    RULE(ADD, FILTER, ENOMEM, PLX_ERR_NOMEM),
    RULE(MODIFY, FILTER, ENOMEM, PLX_ERR_NOMEM), /* in a nested queue */
    RULE(WAIT, FILTER, ENOMEM, PLX_ERR_NOMEM),
    RULE(WAIT, KEVENT_SLEEP, EINTR, PLX_OK),
    RULE(FD, FILTER, ENOMEM, PLX_ERR_NOMEM),
    FRESH_KQUEUE(0, AFTER_FORK),
    RULE(AFTER_FORK, FILTER, ENOMEM, PLX_ERR_NOMEM),
#endif
    RULE(CREATE, ALLOCATE, 0, PLX_ERR_NOMEM),
    RULE(CREATE, MMAP, ENOMEM, PLX_ERR_NOMEM),
    RULE(CREATE, MADVISE, EINVAL, PLX_OK),
    RULE(CREATE, ATFORK, ENOMEM, PLX_ERR_NOMEM),
    /* The first epoll_create1() asks whether there is such a thing; who is out of descriptors has
       not answered that. */
    NTH_RULE(1, CREATE, EPOLL_CREATE, ENOSYS, PLX_ERR_UNAVAILABLE),
    NTH_RULE(1, CREATE, EPOLL_CREATE, EPERM, PLX_ERR_UNAVAILABLE),
    NTH_RULE(1, CREATE, EPOLL_CREATE, EMFILE, PLX_OK),
    NTH_RULE(1, CREATE, EPOLL_CREATE, ENFILE, PLX_OK),
    NTH_RULE(1, CREATE, EPOLL_CREATE, ENOMEM, PLX_OK),
    FRESH_QUEUE(2, CREATE),
    FRESH_WAKE(CREATE),
    CLOSED(CREATE),

    RULE(ADD, ALLOCATE, 0, PLX_ERR_NOMEM),
    RULE(ADD, CONTROL_ADD, ENOMEM, PLX_ERR_NOMEM),
    RULE(ADD, CONTROL_ADD, ENOSPC, PLX_ERR_SYSTEM),
    RULE(ADD, CONTROL_ADD, EBADF, PLX_ERR_BADHANDLE),
    RULE(ADD, CONTROL_MOD, ENOMEM, PLX_ERR_NOMEM), /* of a ghost that is taken over */
    RULE(ADD, PPOLL_ONE, ENOMEM, PLX_ERR_NOMEM),
    RULE(ADD, PPOLL_ONE, EINTR, PLX_OK),
    RULE(ADD, PIDFD, EMFILE, PLX_ERR_TOOBIG),
    RULE(ADD, PIDFD, ENFILE, PLX_ERR_TOOBIG),
    RULE(ADD, PIDFD, ENOMEM, PLX_ERR_NOMEM),
    RULE(ADD, PIDFD, ENODEV, PLX_ERR_SYSTEM),
    RULE(ADD, PIDFD, ESRCH, PLX_ERR_NOTFOUND),
    RULE(ADD, PIDFD, EINVAL, PLX_ERR_NOTFOUND), /* the number of a thread */
    RULE(ADD, PIDFD, ENOSYS, PLX_OK),           /* SIGCHLD does instead */
    RULE(ADD, PIDFD, EPERM, PLX_OK),
    RULE(ADD, ATFORK, ENOMEM, PLX_ERR_NOMEM), /* with the first signal of the process */
    NTH_RULE(1, ADD, SIGACTION, EINVAL, PLX_ERR_INVALID),
    NTH_RULE(2, ADD, SIGACTION, EINVAL, PLX_ERR_INVALID),
    RAISED(ADD),

    CHANGED_WATCHER(MODIFY),
    RAISED(MODIFY),
    LOWERED(MODIFY),

    RULE(REMOVE, CONTROL_DEL, EBADF, PLX_OK),
    RULE(REMOVE, CONTROL_DEL, ENOENT, PLX_OK),
    LOWERED(REMOVE),
    CLOSED(REMOVE), /* of a process */

    CHANGED_WATCHER(WAIT),
    RULE(WAIT, CONTROL_PROCESS, ENOMEM, PLX_ERR_NOMEM),
    FRESH_QUEUE(0, WAIT),
    MOVED_WATCHERS(WAIT),
    RULE(WAIT, CONTROL_DEL, ENOENT, PLX_OK),
    RULE(WAIT, EPOLL_WAIT, EINTR, PLX_OK),
    RULE(WAIT, EPOLL_PWAIT2, EINTR, PLX_OK),
    RULE(WAIT, EPOLL_PWAIT2, ENOSYS, PLX_OK),
    RULE(WAIT, EPOLL_PWAIT2, EPERM, PLX_OK),
    RULE(WAIT, PPOLL, EINTR, PLX_OK),
    RULE(WAIT, PPOLL, ENOMEM, PLX_ERR_NOMEM),
    RULE(WAIT, PPOLL_LOOK, ENOMEM, PLX_ERR_NOMEM),
    RULE(WAIT, POLL_ONE, ENOMEM, SHORTENED),
    RULE(WAIT, POLL_ONE, EINTR, PLX_OK),
    RULE(WAIT, PPOLL_ONE, ENOMEM, SHORTENED),
    RULE(WAIT, PPOLL_ONE, EINTR, PLX_OK),
    RULE(WAIT, WAITID, EINVAL, PLX_OK), /* Linux 5.3: it then goes by the number */
    RAISED(WAIT),
    LOWERED(WAIT),
    CLOSED(WAIT),

    RAISED(WAKE),

    FRESH_QUEUE(0, FD),
    RULE(FD, TIMERFD, EMFILE, PLX_ERR_TOOBIG),
    RULE(FD, TIMERFD, ENFILE, PLX_ERR_TOOBIG),
    RULE(FD, TIMERFD, ENOMEM, PLX_ERR_NOMEM),
    RULE(FD, TIMERFD, ENODEV, PLX_ERR_SYSTEM),
    CHANGED_WATCHER(FD),
    RAISED(FD),

    FRESH_QUEUE(0, AFTER_FORK),
    FRESH_WAKE(AFTER_FORK),
    MOVED_WATCHERS(AFTER_FORK),
    CLOSED(AFTER_FORK),
    RULE(AFTER_FORK, SIGACTION, EINVAL, PLX_ERR_INVALID),

    RULE(CLOSE, CONTROL_DEL, EBADF, PLX_OK),
    RULE(CLOSE, CONTROL_DEL, ENOENT, PLX_OK),
    RULE(CLOSE, CLOSE, EIO, PLX_ERR_SYSTEM),
    RULE(CLOSE, CLOSE, EINTR, PLX_OK),

    CLOSED(DESTROY),

    RAISED(NOTIFY),
    LOWERED(CLEAR),
    RULE(POST, ALLOCATE, 0, PLX_ERR_NOMEM),
    RAISED(POST),
    RAISED(STOP),
    RULE(TURN, ALLOCATE, 0, PLX_ERR_NOMEM), /* the first one */
    RULE(RUN, ALLOCATE, 0, PLX_ERR_NOMEM),
};

static_assert(COUNT_OF(rules) <= RULES_MAX, "a trial has a mark for each");

static bool applies(const struct rule *rule, enum call call, enum point point, int ordinal)
{
    bool is_wait = (call == CALL_TURN || call == CALL_RUN) && rule->call == CALL_WAIT;
    return (rule->call == call || is_wait) && rule->point == point &&
           (rule->ordinal == 0 || rule->ordinal == ordinal);
}

const struct rule *rule_variant(enum call call, enum point point, int ordinal, int variant)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (applies(&rules[i], call, point, ordinal) && variant-- == 0)
            return &rules[i];
    }
    return NULL;
}

const struct rule *rule_find(enum call call, enum point point, int ordinal, int error)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (applies(&rules[i], call, point, ordinal) && rules[i].error == error)
            return &rules[i];
    }
    return NULL;
}

size_t rule_number(const struct rule *rule)
{
    return (size_t)(rule - rules);
}

int rules_print_unused(const bool *used)
{
    int count = 0;
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (used[i])
            continue;
        printf("# never came to: call %d, point %d, errno %d\n", (int)rules[i].call,
               (int)rules[i].point, rules[i].error);
        count++;
    }
    return count;
}
