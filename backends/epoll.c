/* SPDX-License-Identifier: MIT */
/*
 * epoll.c: Linux, since 2.6.9.
 *
 * What this kernel does that one has to know (docs/kernels/epoll.md has versions, sources and the
 * name of the test that shows each):
 *
 *   a. A registration belongs to the open file, not to the number. A descriptor that was closed
 *      while a duplicate lives is reported for ever and cannot be removed. See requeue.c.
 *   b. Regular files, directories and /dev/null are refused with EPERM. See take_outside() in
 *      descriptor.c.
 *   c. ERROR and HUP are reported whether asked for or not; only EPOLLONESHOT stops that.
 *   d. epoll_wait() has milliseconds. epoll_pwait2() has nanoseconds, since Linux 5.11; older
 *      kernels answer ENOSYS, and seccomp filters older than that EPERM.
 *   e. A forked child shares the queue: what it removes is gone for the parent.
 *   f. An outer queue watches the inner one as an open file. dup3() onto the inner one's number
 *      leaves the outer one blind, so what is handed out for nesting is a third queue around it.
 */
#include "backends/epoll.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <pollux/error.h>

#include "backends/backend.h"
#include "backends/poll_words.h"
#include "src/base/compiler.h"
#include "src/base/duration.h"
#include "src/os/os.h"

/*
 * By number: glibc has the function since 2.35 only and musl 1.2.3 not at all, while the kernel's
 * number is the same on nearly every architecture. Its time is 64 bits wide everywhere.
 */
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

static int call_pwait2(int queue, struct epoll_event *events, int capacity,
                       const struct timespec *timeout, const sigset_t *mask)
{
    const struct {
        int64_t seconds;
        int64_t nanoseconds;
    } kernel_timeout = {timeout->tv_sec, timeout->tv_nsec};
    return (int)syscall(SYS_epoll_pwait2, queue, events, capacity, &kernel_timeout, mask,
                        _NSIG / CHAR_BIT);
}

struct plx__epoll_calls plx__epoll_calls = {
    .create = epoll_create1,
    .control = epoll_ctl,
    .wait = epoll_wait,
    .wait_exactly = call_pwait2,
    .look = poll,
    .eventfd = eventfd,
    .timerfd = timerfd_create,
    .set_timer = timerfd_settime,
    .read = read,
    .write = write,
    .close = close,
};

#define CALLS plx__epoll_calls

/* That of the wake (clause B7), and for calls that need none. */
static const struct plx__token no_token = {0, 0};

/* On x86 what the kernel writes is packed, and so a record but for the words of its events: it is
   written there, and needs neither a copy nor memory of its own. */
#define WRITES_RECORDS                                                                             \
    (PLX__PACKED_EVENTS && sizeof(struct epoll_event) == sizeof(struct plx__record) &&             \
     offsetof(struct epoll_event, events) == offsetof(struct plx__record, events) &&               \
     offsetof(struct epoll_event, data) == offsetof(struct plx__record, token))

/*
 * Between renew and settle there are two of each, save that a queue renewed in its own process
 * keeps its `wake`: other threads use that number at any time.
 */
struct plx__queue {
    int epoll;
    int outer; /* a queue around `epoll`, `wake` and `timer`, for nesting; -1: none */
    int timer; /* the alarm, a timerfd in `outer` alone; -1: none */
    int wake;  /* an eventfd, edge-triggered in `epoll`: no need to read it there */
    int old_epoll;
    int old_outer;
    int old_timer;
    int old_wake;
    const plx_allocator *allocator;
    struct epoll_event events[WRITES_RECORDS ? 1 : PLX__BATCH];
};

/* The low five bits of both words, translated at once; RDHUP is shifted into its place. */
#define TRANSLATED (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP)
static_assert(TRANSLATED == 31, "the table has a row for each combination");
static_assert(EPOLLRDHUP >> 9 == PLX_RDHUP, "RDHUP is a shift away");

#define FACTS_1(e)                                                                                 \
    (((e)&EPOLLIN ? PLX_READ : 0) | ((e)&EPOLLPRI ? PLX_PRI : 0) |                                 \
     ((e)&EPOLLOUT ? PLX_WRITE : 0) | ((e)&EPOLLERR ? PLX_ERROR : 0) |                             \
     ((e)&EPOLLHUP ? PLX_HUP : 0))
#define FACTS_4(e)  FACTS_1(e), FACTS_1((e) + 1), FACTS_1((e) + 2), FACTS_1((e) + 3)
#define FACTS_16(e) FACTS_4(e), FACTS_4((e) + 4), FACTS_4((e) + 8), FACTS_4((e) + 12)

static const uint8_t facts_of[TRANSLATED + 1] = {FACTS_16(0), FACTS_16(16)};

static uint32_t to_facts(uint32_t events)
{
    return facts_of[events & TRANSLATED] | (events >> 9 & PLX_RDHUP);
}

static uint32_t from_interest(uint32_t interest)
{
    uint32_t events = 0;
    events |= interest & PLX_READ ? EPOLLIN : 0u;
    events |= interest & PLX_WRITE ? EPOLLOUT : 0u;
    events |= interest & PLX_PRI ? EPOLLPRI : 0u;
    events |= interest & PLX_RDHUP ? EPOLLRDHUP : 0u;
    events |= interest & PLX_EDGE ? EPOLLET : 0u;
    /* Quirk c: silent is armed once for nothing but ERROR and HUP, which the core then drops. */
    events |= interest & PLX_ONESHOT || interest == PLX__SILENT ? EPOLLONESHOT : 0u;
    return events;
}

static int control(int queue, int operation, int fd, uint32_t events, struct plx__token token)
{
    struct epoll_event event = {.events = events};
    memcpy(&event.data.u64, &token, sizeof token);
    return CALLS.control(queue, operation, fd, &event) == 0 ? PLX_OK : plx__os_error();
}

static void close_one(int fd)
{
    if (fd >= 0)
        CALLS.close(fd);
}

/* The cause of a failure outlives the cleaning up after it. */
static void close_all(int epoll, int wake, int outer, int timer)
{
    int cause = errno;
    close_one(outer);
    close_one(timer);
    close_one(epoll);
    close_one(wake);
    errno = cause;
}

static int open_epoll(struct plx__queue *queue)
{
    queue->epoll = CALLS.create(EPOLL_CLOEXEC);
    return queue->epoll < 0 ? plx__os_error() : PLX_OK;
}

static int open_wake(struct plx__queue *queue)
{
    queue->wake = CALLS.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return queue->wake < 0 ? plx__os_error() : PLX_OK;
}

static int watch_wake(struct plx__queue *queue)
{
    return control(queue->epoll, EPOLL_CTL_ADD, queue->wake, EPOLLIN | EPOLLET, no_token);
}

static bool ep_is_available(void)
{
    int probe = CALLS.create(EPOLL_CLOEXEC);
    if (probe < 0)
        return errno != ENOSYS && errno != EPERM;
    CALLS.close(probe);
    return true;
}

static int ep_open(struct plx__queue **ret_queue, const plx_allocator *allocator, uint32_t capacity)
{
    (void)capacity; /* the kernel makes its own room */
    struct plx__queue *queue = plx__alloc_zeroed(allocator, sizeof *queue);
    if (!queue)
        return PLX_ERR_NOMEM;
    queue->allocator = allocator;
    queue->outer = queue->timer = queue->wake = -1;
    queue->old_epoll = queue->old_outer = queue->old_timer = queue->old_wake = -1;

    int code = open_epoll(queue);
    if (code >= 0)
        code = open_wake(queue);
    if (code >= 0)
        code = watch_wake(queue);
    if (code < 0) {
        close_all(queue->epoll, queue->wake, -1, -1);
        plx__alloc_free(allocator, queue, sizeof *queue);
        return code;
    }
    *ret_queue = queue;
    return PLX_OK;
}

static void ep_close(struct plx__queue *queue)
{
    close_all(queue->epoll, queue->wake, queue->outer, queue->timer);
    plx__alloc_free(queue->allocator, queue, sizeof *queue);
}

/* One of our own. A watched number that was closed may be one of them now. */
static bool is_own(const struct plx__queue *queue, int fd)
{
    return fd == queue->epoll || fd == queue->outer || fd == queue->wake || fd == queue->timer ||
           fd == queue->old_epoll;
}

static int ep_add(struct plx__queue *queue, struct plx__target *target, uint32_t want)
{
    if (is_own(queue, target->fd))
        return PLX_ERR_INVALID; /* a context cannot watch itself */
    int code = control(queue->epoll, EPOLL_CTL_ADD, target->fd, from_interest(want),
                       plx__slot_token(&target->slot));
    return code == PLX_ERR_PERMISSION ? PLX_ERR_NOSUPPORT : code; /* quirk b */
}

static int ep_modify(struct plx__queue *queue, struct plx__target *target, uint32_t was,
                     uint32_t want)
{
    (void)was;
    return control(queue->epoll, EPOLL_CTL_MOD, target->fd, from_interest(want),
                   plx__slot_token(&target->slot));
}

static bool ep_remove(struct plx__queue *queue, struct plx__target *target)
{
    return control(queue->epoll, EPOLL_CTL_DEL, target->fd, 0, no_token) == PLX_OK;
}

/*
 * Only adding tells one file from another without touching what is there: EEXIST says that it is
 * the same. A modify would arm an edge again.
 */
static int ep_holds(struct plx__queue *queue, struct plx__target *target)
{
    if (is_own(queue, target->fd))
        return PLX_ERR_NOTFOUND;
    int old = queue->old_epoll >= 0 ? queue->old_epoll : queue->epoll;
    int code = control(old, EPOLL_CTL_ADD, target->fd, EPOLLONESHOT, no_token);
    if (code == PLX_ERR_EXISTS)
        return PLX_OK;
    if (code == PLX_OK)
        control(old, EPOLL_CTL_DEL, target->fd, 0, no_token);
    return code == PLX_OK || code == PLX_ERR_PERMISSION ? PLX_ERR_NOTFOUND : code;
}

/* False once the kernel turned out not to have epoll_pwait2(): quirk d. */
static atomic_bool has_exact_wait = true;

static int wait_exactly(const struct plx__queue *queue, struct epoll_event *events, int capacity,
                        plx_duration timeout)
{
    struct timespec left = {.tv_sec = (time_t)(timeout / PLX_SECONDS(1)),
                            .tv_nsec = (long)(timeout % PLX_SECONDS(1))};
    return CALLS.wait_exactly(queue->epoll, events, capacity, &left, NULL);
}

static int wait_roughly(const struct plx__queue *queue, struct epoll_event *events, int capacity,
                        plx_duration timeout)
{
    int64_t milliseconds = timeout < 0 ? -1 : plx__round_up(timeout, PLX_MS(1));
    return CALLS.wait(queue->epoll, events, capacity,
                      milliseconds > INT_MAX ? INT_MAX : (int)milliseconds);
}

PLX__RARE static int sleep_for(const struct plx__queue *queue, struct epoll_event *events,
                               int capacity, plx_duration timeout)
{
    if (timeout > 0 && atomic_load_explicit(&has_exact_wait, memory_order_relaxed)) {
        int count = wait_exactly(queue, events, capacity, timeout);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        atomic_store_explicit(&has_exact_wait, false, memory_order_relaxed);
    }
    return wait_roughly(queue, events, capacity, timeout);
}

PLX__RARE static int wait_failed(void)
{
    return errno == EINTR ? 0 : plx__os_error();
}

static int ep_wait(struct plx__queue *queue, struct plx__record *records, int capacity,
                   plx_duration timeout)
{
    struct epoll_event *events = WRITES_RECORDS ? (void *)records : queue->events;
    int count = timeout == 0 ? CALLS.wait(queue->epoll, events, capacity, 0)
                             : sleep_for(queue, events, capacity, timeout);
    if (count < 0)
        return wait_failed();
    for (int i = 0; i < count; i++) {
        uint32_t told;
        memcpy(&told, &events[i].events, sizeof told);
        if (!WRITES_RECORDS)
            memcpy(&records[i].token, &events[i].data, sizeof records[i].token);
        records[i].events = to_facts(told);
    }
    return count;
}

/* Asking epoll itself would bring up others, and use up edges. The words of both are the same. */
static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLPRI == POLLPRI &&
                  EPOLLERR == POLLERR && EPOLLHUP == POLLHUP && EPOLLRDHUP == POLLRDHUP,
              "poll speaks of events as epoll does");

static uint32_t ep_look(struct plx__queue *queue, const struct plx__target *target, uint32_t want)
{
    (void)queue;
    uint32_t events = from_interest(want & PLX__DATA_EVENTS) & (TRANSLATED | EPOLLRDHUP);
    struct pollfd entry = {.fd = target->fd, .events = (short)events};
    int count = plx__poll_now(CALLS.look, &entry, 1);
    return count > 0 ? to_facts((uint32_t)(unsigned short)entry.revents) : 0;
}

/* EAGAIN means that the counter is full, and then it is readable as well. */
static void ep_wake(struct plx__queue *queue)
{
    static const uint64_t one = 1;
    int cause = errno;
    ssize_t size = CALLS.write(queue->wake, &one, sizeof one);
    (void)size;
    errno = cause;
}

/* Closing is not enough to leave an outer queue: a forked child may hold the same one open. */
static void leave_outer(struct plx__queue *queue, int epoll)
{
    int cause = errno;
    if (queue->outer >= 0 && epoll >= 0)
        control(queue->outer, EPOLL_CTL_DEL, epoll, 0, no_token);
    errno = cause;
}

static void ep_settle(struct plx__queue *queue, bool keep_fresh)
{
    bool is_forked = queue->old_wake >= 0;
    if (keep_fresh) {
        leave_outer(queue, queue->old_epoll);
        close_all(queue->old_epoll, queue->old_wake, queue->old_outer, queue->old_timer);
    } else {
        leave_outer(queue, queue->epoll);
        close_all(queue->epoll, is_forked ? queue->wake : -1, -1, -1);
        queue->epoll = queue->old_epoll;
        if (is_forked) {
            queue->wake = queue->old_wake;
            queue->outer = queue->old_outer;
            queue->timer = queue->old_timer;
        }
    }
    queue->old_epoll = queue->old_outer = queue->old_timer = queue->old_wake = -1;
}

static int open_fresh(struct plx__queue *queue, bool is_forked)
{
    int code = open_epoll(queue);
    if (code >= 0 && is_forked)
        code = open_wake(queue);
    if (code >= 0)
        code = watch_wake(queue);
    if (code >= 0 && queue->outer >= 0)
        code = control(queue->outer, EPOLL_CTL_ADD, queue->epoll, EPOLLIN, no_token);
    return code;
}

static int ep_renew(struct plx__queue *queue, bool is_forked)
{
    queue->old_epoll = queue->epoll;
    queue->epoll = -1;
    if (is_forked) { /* the parent's numbers, its nesting included, are left behind */
        queue->old_wake = queue->wake;
        queue->old_outer = queue->outer;
        queue->old_timer = queue->timer;
        queue->wake = queue->outer = queue->timer = -1;
    }
    int code = open_fresh(queue, is_forked);
    if (code < 0)
        ep_settle(queue, false);
    return code;
}

static int open_outer(struct plx__queue *queue, int outer, int timer)
{
    if (outer < 0 || timer < 0)
        return plx__os_error();
    int code = control(outer, EPOLL_CTL_ADD, queue->epoll, EPOLLIN, no_token);
    if (code >= 0)
        code = control(outer, EPOLL_CTL_ADD, queue->wake, EPOLLIN, no_token);
    if (code >= 0)
        code = control(outer, EPOLL_CTL_ADD, timer, EPOLLIN, no_token);
    return code;
}

static int ep_nest(struct plx__queue *queue)
{
    if (queue->outer >= 0)
        return queue->outer;
    int outer = CALLS.create(EPOLL_CLOEXEC);
    int timer = outer < 0 ? -1 : CALLS.timerfd(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int code = open_outer(queue, outer, timer);
    if (code < 0) {
        close_all(-1, -1, outer, timer);
        return code;
    }
    queue->timer = timer;
    return queue->outer = outer;
}

/* Setting it also takes back that it has gone off. A zero would disarm it: 1 ns is long past. */
static void ep_alarm(struct plx__queue *queue, int64_t deadline)
{
    struct itimerspec time = {0};
    if (deadline != PLX__NEVER) {
        int64_t moment = deadline > 0 ? deadline : 1;
        time.it_value.tv_sec = (time_t)(moment / PLX_SECONDS(1));
        time.it_value.tv_nsec = (long)(moment % PLX_SECONDS(1));
    }
    CALLS.set_timer(queue->timer, TFD_TIMER_ABSTIME, &time, NULL);
}

static void ep_raise(struct plx__queue *queue, bool on)
{
    if (on) {
        ep_wake(queue);
        return;
    }
    uint64_t counter;
    int cause = errno;
    ssize_t size = CALLS.read(queue->wake, &counter, sizeof counter);
    (void)size;
    errno = cause;
}

const struct plx__backend plx__backend_epoll = {
    .id = PLX_BACKEND_EPOLL,
    .name = "epoll",
    .supports = PLX__DATA_EVENTS | PLX__MODES,
    .is_level_on_file = false,
    .is_remembered = true,
    .is_available = ep_is_available,
    .open = ep_open,
    .close = ep_close,
    .add = ep_add,
    .modify = ep_modify,
    .remove = ep_remove,
    .holds = ep_holds,
    .wait = ep_wait,
    .look = ep_look,
    .wake = ep_wake,
    .renew = ep_renew,
    .settle = ep_settle,
    .nest = ep_nest,
    .raise = ep_raise,
    .alarm = ep_alarm,
};
