/* SPDX-License-Identifier: MIT */
/* injector.c: failing calls, at the two tables, at the allocator and in the place of libc. */
#include "injector.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/epoll.h"
#include "backends/poll.h"
#include "check.h"
#include "injector_event_ports.h"
#include "injector_kqueue.h"
#include "src/os/process.h"
#include "tests/platform/closing.h"

static struct trial *trial;
static bool has_no_wipe;
static void (*sleep_handler)(void *);
static void *sleep_argument;

/* Something was ready before the call: it neither sleeps nor is interrupted then. */
static bool is_ready;

/* The descriptor of the poll backend that ends its sleep. */
static int wake = -1;
static struct plx__poll_calls poll_calls;

/* A signal handler that interrupts every sleep for ever would end no wait at all. */
#define LONGEST_ROW 3

static const struct rule *rule_at(enum point point, int ordinal)
{
    const struct fault *fault = &trial->fault;
    if (trial->seen == fault->number) {
        trial->is_reached = true;
        const struct rule *rule = rule_variant(trial->call, point, ordinal, fault->variant);
        trial->is_variant = rule != NULL;
        return rule && rule->error == EINTR && is_ready ? NULL : rule;
    }
    if (!fault->is_lasting || !trial->hit || trial->hit->point != point ||
        trial->hit_count == LONGEST_ROW)
        return NULL;
    return rule_find(trial->call, point, ordinal, trial->hit->error);
}

/* Has this one to fail? The rule, or NULL. */
static const struct rule *hit(enum point point)
{
    if (trial->call == CALL_NONE || (point == POINT_ALLOCATE) != trial->fault.of_memory)
        return NULL;
    trial->seen++;
    const struct rule *rule = rule_at(point, ++trial->ordinals[point]);
    if (!rule)
        return NULL;
    trial->hit = rule;
    trial->hit_count++;
    trial->failures++;
    trial->is_used[rule_number(rule)] = true;
    return rule;
}

static int fail(const struct rule *rule)
{
    errno = rule->error;
    return -1;
}

/* --- Memory --- */

static void *resize(void *state, void *block, size_t old_size, size_t new_size)
{
    struct memory *memory = state;
    if (new_size > old_size && hit(POINT_ALLOCATE))
        return NULL;
    void *moved = NULL;
    if (new_size > 0) {
        moved = malloc(new_size);
        if (!moved)
            abort();
        memset(moved, 0xA5, new_size);
        if (block)
            memcpy(moved, block, old_size < new_size ? old_size : new_size);
    }
    free(block);
    memory->bytes += new_size - old_size;
    memory->blocks += (size_t)(new_size > 0) - (size_t)(block != NULL);
    return moved;
}

plx_allocator injector_allocator(struct memory *memory)
{
    return (plx_allocator){resize, memory};
}

/* --- The fork guard, which has no table: the linker puts these in the place of libc's --- */

void *__real_mmap(void *address, size_t size, int access, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t size, int access, int flags, int fd, off_t offset);
int __real_madvise(void *address, size_t size, int advice);
int __wrap_madvise(void *address, size_t size, int advice);
int __real_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __real_close(int fd);
int __wrap_close(int fd);
int __real_sigaction(int signo, const struct sigaction *action, struct sigaction *old);
int __wrap_sigaction(int signo, const struct sigaction *action, struct sigaction *old);

/* A played kernel is at work, which calls the same functions. */
static bool is_in_shim;

static const struct rule *hit_if_trial(enum point point)
{
    return trial && !is_in_shim ? hit(point) : NULL;
}

void injector_enter_shim(void)
{
    is_in_shim = true;
}

void injector_leave_shim(void)
{
    is_in_shim = false;
}

void *__wrap_mmap(void *address, size_t size, int access, int flags, int fd, off_t offset)
{
    const struct rule *rule = hit_if_trial(POINT_MMAP);
    if (!rule)
        return __real_mmap(address, size, access, flags, fd, offset);
    errno = rule->error;
    return MAP_FAILED;
}

int __wrap_madvise(void *address, size_t size, int advice)
{
    const struct rule *rule = hit_if_trial(POINT_MADVISE);
    if (rule)
        return fail(rule);
    if (!has_no_wipe)
        return __real_madvise(address, size, advice);
    errno = EINVAL;
    return -1;
}

int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    const struct rule *rule = hit_if_trial(POINT_ATFORK);
    return rule ? rule->error : __real_pthread_atfork(prepare, parent, child);
}

void injector_forget_wipe(void)
{
    has_no_wipe = true;
}

/* Whatever close() answers, the descriptor is gone. */
int __wrap_close(int fd)
{
    const struct rule *rule = hit_if_trial(POINT_CLOSE);
    injector_enter_shim();
    shims_closing(fd);
    injector_leave_shim();
    int result = __real_close(fd);
    return rule ? fail(rule) : result;
}

int __wrap_sigaction(int signo, const struct sigaction *action, struct sigaction *old)
{
    const struct rule *rule = hit_if_trial(POINT_SIGACTION);
    return rule ? fail(rule) : __real_sigaction(signo, action, old);
}

/* --- Processes --- */

static struct plx__process_calls process_calls;

/* Of a scenario, and few: a number that was closed comes back to nothing that is modified. */
static int pidfds[16];
static int pidfd_count;

static bool is_pidfd(int fd)
{
    for (int i = 0; i < pidfd_count; i++) {
        if (pidfds[i] == fd)
            return true;
    }
    return false;
}

static int failing_pidfd(int pid)
{
    const struct rule *rule = hit(POINT_PIDFD);
    if (rule)
        return fail(rule);
    CHECK(pidfd_count < (int)COUNT_OF(pidfds));
    return pidfds[pidfd_count++] = process_calls.open(pid);
}

static int failing_waitid(int kind, int id, siginfo_t *ret_info)
{
    const struct rule *rule = kind == P_PID ? NULL : hit(POINT_WAITID);
    return rule ? fail(rule) : process_calls.look(kind, id, ret_info);
}

/* --- What both backends call --- */

void injector_on_sleep(void (*handler)(void *), void *argument)
{
    sleep_handler = handler;
    sleep_argument = argument;
}

/* A handler that makes something ready has interrupted the sleep all the same. */
static void before_sleep(struct pollfd *entries, nfds_t count)
{
    void (*handler)(void *) = sleep_handler;
    is_ready = poll(entries, count, 0) > 0;
    sleep_handler = NULL;
    if (handler)
        handler(sleep_argument);
}

static const struct rule *hit_sleep(enum point point)
{
    const struct rule *rule = hit(point);
    is_ready = false;
    return rule;
}

static int failing_eventfd(unsigned int value, int flags)
{
    const struct rule *rule = hit(POINT_EVENTFD);
    return rule ? fail(rule) : eventfd(value, flags);
}

static int failing_open_wake(int ret_ends[2])
{
    const struct rule *rule = hit(POINT_EVENTFD);
    int code = rule ? fail(rule) : poll_calls.open_wake(ret_ends);
    if (code == 0)
        wake = ret_ends[0];
    return code;
}

/* EAGAIN: somebody has emptied it. */
static ssize_t failing_read(int fd, void *bytes, size_t size)
{
    const struct rule *rule = hit(POINT_READ);
    ssize_t count = read(fd, bytes, size);
    return rule ? fail(rule) : count;
}

/* EAGAIN: it is full, and so readable. */
static ssize_t failing_write(int fd, const void *bytes, size_t size)
{
    const struct rule *rule = hit(POINT_WRITE);
    ssize_t count = write(fd, bytes, size);
    return rule ? fail(rule) : count;
}

/* poll(2) may be interrupted even if it is not to sleep, unless something is ready. */
static const struct rule *hit_one(enum point point, struct pollfd entry)
{
    is_ready = poll(&entry, 1, 0) > 0;
    return hit_sleep(point);
}

/* What the kernel would have said is noted: the report has to do without it. */
static int fail_one(const struct rule *rule, struct pollfd entry)
{
    if (rule->code == SHORTENED && poll(&entry, 1, 0) > 0) {
        CHECK(trial->shortened_count < REFUSED_MAX);
        CHECK((entry.revents & ~(POLLIN | POLLOUT)) == 0);
        struct shortened *shortened = &trial->shortened[trial->shortened_count++];
        shortened->fd = entry.fd;
        shortened->missing =
            (entry.revents & POLLIN ? PLX_READ : 0) | (entry.revents & POLLOUT ? PLX_WRITE : 0);
    }
    return fail(rule);
}

static int failing_poll_one(struct pollfd *entries, nfds_t count, int milliseconds)
{
    const struct rule *rule = hit_one(POINT_POLL_ONE, *entries);
    return rule ? fail_one(rule, *entries) : poll(entries, count, milliseconds);
}

static int failing_ppoll_one(struct pollfd *entry, const struct timespec *timeout)
{
    const struct rule *rule = hit_one(POINT_PPOLL_ONE, *entry);
    return rule ? fail_one(rule, *entry) : ppoll(entry, 1, timeout, NULL);
}

static int failing_ppoll(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
                         const sigset_t *mask)
{
    bool is_look = timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
    if (is_look && count == 1 && entries->fd != wake)
        return failing_ppoll_one(entries, timeout);
    if (!is_look)
        before_sleep(entries, count);
    const struct rule *rule = hit_sleep(is_look ? POINT_PPOLL_LOOK : POINT_PPOLL);
    return rule ? fail(rule) : ppoll(entries, count, timeout, mask);
}

/* --- epoll --- */

static int failing_create(int flags)
{
    const struct rule *rule = hit(POINT_EPOLL_CREATE);
    return rule ? fail(rule) : epoll_create1(flags);
}

/*
 * The kernel looks whether it has the descriptor before it looks for room, so only what would have
 * been added can be refused. A token of zeroes is no watcher's.
 */
static int failing_control_add(int queue, int fd, struct epoll_event *event)
{
    if (epoll_ctl(queue, EPOLL_CTL_ADD, fd, event) < 0)
        return -1;
    const struct rule *rule = hit(event->data.u64 == 0 ? POINT_CONTROL_OWN : POINT_CONTROL_ADD);
    if (!rule)
        return 0;
    epoll_ctl(queue, EPOLL_CTL_DEL, fd, event);
    if (rule->code == REPORTED)
        trial->refused[trial->refused_count++] = fd;
    return fail(rule);
}

/* All but a want of memory says that the kernel does not have it. */
static int failing_control_mod(int queue, int fd, struct epoll_event *event)
{
    const struct rule *rule = hit(is_pidfd(fd) ? POINT_CONTROL_PROCESS : POINT_CONTROL_MOD);
    if (!rule)
        return epoll_ctl(queue, EPOLL_CTL_MOD, fd, event);
    if (rule->code == REPORTED) {
        epoll_ctl(queue, EPOLL_CTL_DEL, fd, event);
        trial->refused[trial->refused_count++] = fd;
    }
    return fail(rule);
}

static int failing_control_del(int queue, int fd, struct epoll_event *event)
{
    const struct rule *rule = hit(POINT_CONTROL_DEL);
    int result = epoll_ctl(queue, EPOLL_CTL_DEL, fd, event);
    return rule ? fail(rule) : result;
}

static int failing_control(int queue, int operation, int fd, struct epoll_event *event)
{
    CHECK(trial->refused_count < REFUSED_MAX);
    switch (operation) {
    case EPOLL_CTL_ADD:
        return failing_control_add(queue, fd, event);
    case EPOLL_CTL_MOD:
        return failing_control_mod(queue, fd, event);
    default:
        return failing_control_del(queue, fd, event);
    }
}

static void before_queue_sleep(int queue)
{
    struct pollfd entry = {.fd = queue, .events = POLLIN};
    before_sleep(&entry, 1);
}

void injector_before_sleep(int queue)
{
    before_queue_sleep(queue);
}

const struct rule *injector_hit(enum point point)
{
    bool is_sleep = point == POINT_KEVENT_SLEEP || point == POINT_PORT_SLEEP;
    return is_sleep ? hit_sleep(point) : hit(point);
}

int injector_fail(const struct rule *rule)
{
    return fail(rule);
}

int injector_count(enum point point)
{
    return trial->ordinals[point];
}

void injector_owe(void)
{
    trial->is_owing = true;
}

const struct rule *injector_hit_one(enum point point, struct pollfd entry)
{
    return hit_one(point, entry);
}

int injector_fail_one(const struct rule *rule, struct pollfd entry)
{
    return fail_one(rule, entry);
}

static int failing_wait(int queue, struct epoll_event *events, int capacity, int milliseconds)
{
    if (milliseconds != 0)
        before_queue_sleep(queue);
    const struct rule *rule = hit_sleep(milliseconds == 0 ? POINT_EPOLL_LOOK : POINT_EPOLL_WAIT);
    return rule ? fail(rule) : epoll_wait(queue, events, capacity, milliseconds);
}

/* The backend's own: libc may have none. */
static int (*wait_exactly)(int queue, struct epoll_event *events, int capacity,
                           const struct timespec *timeout, const sigset_t *mask);

static int failing_wait_exactly(int queue, struct epoll_event *events, int capacity,
                                const struct timespec *timeout, const sigset_t *mask)
{
    before_queue_sleep(queue);
    const struct rule *rule = hit_sleep(POINT_EPOLL_PWAIT2);
    return rule ? fail(rule) : wait_exactly(queue, events, capacity, timeout, mask);
}

static int failing_timerfd(int clock, int flags)
{
    const struct rule *rule = hit(POINT_TIMERFD);
    return rule ? fail(rule) : timerfd_create(clock, flags);
}

void injector_open(struct trial *opened)
{
    trial = opened;
#ifdef POLLUX_PLAYS_KQUEUE
    injector_open_kqueue();
#endif
#ifdef POLLUX_PLAYS_EVENT_PORTS
    injector_open_event_ports();
#endif
    process_calls = plx__process_calls;
    plx__process_calls.open = failing_pidfd;
    plx__process_calls.look = failing_waitid;
    wait_exactly = plx__epoll_calls.wait_exactly;
    poll_calls = plx__poll_calls;
    plx__epoll_calls = (struct plx__epoll_calls){
        .create = failing_create,
        .control = failing_control,
        .wait = failing_wait,
        .wait_exactly = failing_wait_exactly,
        .look = failing_poll_one,
        .eventfd = failing_eventfd,
        .timerfd = failing_timerfd,
        .set_timer = timerfd_settime,
        .read = failing_read,
        .write = failing_write,
        .close = close,
    };
    plx__poll_calls = (struct plx__poll_calls){
        .wait = failing_ppoll,
        .open_wake = failing_open_wake,
        .read = failing_read,
        .write = failing_write,
        .close = close,
    };
}
