/* SPDX-License-Identifier: MIT */
/* get.c: port_get() and port_getn(), and the sleep in them. */
#include "shim.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

struct demand {
    port_event_t *list;
    unsigned int max;
    unsigned int wanted;
    const struct timespec *timeout;
    bool is_single; /* port_get(): never has an event and ETIME */
};

/* --- Time --- */

static bool is_zero(const struct timespec *time)
{
    return time->tv_sec == 0 && time->tv_nsec == 0;
}

static bool is_valid(const struct timespec *time)
{
    return time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < 1000000000;
}

/* Three years are for ever, and do not exceed a clock of 32 bits. */
#define FOR_EVER 100000000

static struct timespec moment_after(const struct timespec *timeout)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    moment.tv_sec += timeout->tv_sec < FOR_EVER ? timeout->tv_sec : FOR_EVER;
    moment.tv_nsec += timeout->tv_nsec;
    if (moment.tv_nsec >= 1000000000) {
        moment.tv_nsec -= 1000000000;
        moment.tv_sec++;
    }
    return moment;
}

/* What is left until a moment; false if nothing is. */
static bool left_until(const struct timespec *moment, struct timespec *ret_left)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    ret_left->tv_sec = moment->tv_sec - now.tv_sec;
    ret_left->tv_nsec = moment->tv_nsec - now.tv_nsec;
    if (ret_left->tv_nsec < 0) {
        ret_left->tv_nsec += 1000000000;
        ret_left->tv_sec--;
    }
    return ret_left->tv_sec >= 0 && !is_zero(ret_left);
}

/* --- The sleep --- */

static bool lie_down(struct port *port, struct sleeper *sleeper)
{
    sleeper->call = port->spare_call;
    if (sleeper->call < 0)
        sleeper->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sleeper->call < 0)
        return false;
    port->spare_call = -1;
    struct sleeper **link = &port->sleepers;
    while (*link && (*link)->wanted < sleeper->wanted)
        link = &(*link)->next;
    sleeper->next = *link;
    *link = sleeper;
    return true;
}

static void rise(struct port *port, const struct sleeper *sleeper)
{
    struct sleeper **link = &port->sleepers;
    while (*link != sleeper)
        link = &(*link)->next;
    *link = sleeper->next;
    ports_silence(sleeper->call);
    if (port->spare_call < 0)
        port->spare_call = sleeper->call;
    else
        ports_close(sleeper->call);
}

/*
 * Until a descriptor fires or somebody calls, without the lock. Signals are let in by the call that
 * sleeps, so that one that came since the port was entered ends the sleep, as it would in a kernel.
 */
static int sleep_once(struct port *port, const struct sleeper *sleeper, const struct timespec *left,
                      const sigset_t *outside)
{
    struct pollfd looks[] = {{.fd = port->fd, .events = POLLIN},
                             {.fd = sleeper->call, .events = POLLIN}};
    ports_counts.sleeps++;
    ports_settle(port);
    ports_unlock_to_sleep();
    int cause = ppoll(looks, 2, left, outside) < 0 ? errno : 0;
    ports_lock_again();
    ports_silence(sleeper->call);
    return cause;
}

static bool is_served(const struct port *port, const struct sleeper *sleeper)
{
    return sleeper->is_alerted || (port->sleepers == sleeper && port->queued >= sleeper->wanted);
}

/* 0: there is what was wanted, or an alert. `deadline` NULL: there is no end to it. */
static int sleep_until(struct port *port, const struct sleeper *sleeper,
                       const struct timespec *deadline, const sigset_t *outside)
{
    struct timespec left = {0, 0};
    static unsigned int sleeps;
    for (;;) {
        if (port->is_closed)
            return EBADFD;
        ports_notice(port);
        if (is_served(port, sleeper))
            return 0;
        if (deadline && !left_until(deadline, &left))
            return ETIME;
        if (deadline && ports_is_turn(ports_traits.early_every, &sleeps))
            return ETIME;
        int cause = sleep_once(port, sleeper, deadline ? &left : NULL, outside);
        if (cause)
            return cause;
    }
}

static int wait_for(struct port *port, const struct demand *demand, struct sleeper *sleeper,
                    const sigset_t *outside)
{
    struct timespec deadline = {0, 0};
    sleeper->wanted = demand->wanted;
    if (demand->timeout) {
        if (is_zero(demand->timeout))
            return 0;
        if (!is_valid(demand->timeout))
            return EINVAL;
        deadline = moment_after(demand->timeout);
    }
    if (!lie_down(port, sleeper))
        return EMFILE;
    int cause = sleep_until(port, sleeper, demand->timeout ? &deadline : NULL, outside);
    rise(port, sleeper);
    return cause;
}

/* --- The calls --- */

/* May it sleep? Only then can a kernel be interrupted, or find that the time is over. */
static bool may_sleep(const struct demand *demand)
{
    return !demand->timeout || (!is_zero(demand->timeout) && is_valid(demand->timeout));
}

static int interrupt(struct port *port, const struct demand *demand, unsigned int *ret_count)
{
    if (ports_traits.eintr_gives)
        *ret_count = ports_deliver(port, demand->list, demand->max);
    return EINTR;
}

static int collect(struct port *port, const struct demand *demand, unsigned int *ret_count,
                   const sigset_t *outside)
{
    static unsigned int interruptible, timed;
    struct sleeper self = {.call = -1};
    int cause = 0;
    if (may_sleep(demand) && ports_is_turn(ports_traits.eintr_every, &interruptible))
        return interrupt(port, demand, ret_count);
    if (port->queued < demand->wanted)
        cause = wait_for(port, demand, &self, outside);
    if (self.is_alerted) {
        demand->list[0] = self.alert;
        *ret_count = 1;
        return 0;
    }
    if (cause && cause != ETIME)
        return cause;
    *ret_count = ports_deliver(port, demand->list, demand->max);
    if (demand->timeout && may_sleep(demand) && !demand->is_single && *ret_count > 0 &&
        ports_is_turn(ports_traits.etime_every, &timed))
        cause = ETIME;
    return cause;
}

static int get(struct port *port, const struct demand *demand, unsigned int *ret_count,
               const sigset_t *outside)
{
    if (port->is_inherited) {
        ports_counts.foreign++;
        return ENOTSUP;
    }
    if (demand->wanted > demand->max && demand->max > 0)
        return EINVAL;
    ports_notice(port);
    if (demand->max == 0) {
        *ret_count = port->queued;
        return 0;
    }
    if (!demand->list)
        return EFAULT;
    if (demand->wanted == 0)
        return 0;
    if (port->is_alerted) {
        demand->list[0] = port->alert;
        *ret_count = 1;
        return 0;
    }
    int cause = collect(port, demand, ret_count, outside);
    ports_counts.events += *ret_count;
    return cause;
}

static int enter_and_get(int fd, const struct demand *demand, unsigned int *ret_count)
{
    sigset_t outside;
    *ret_count = 0;
    struct port *port = ports_enter(fd, &outside);
    if (!port)
        return errno;
    ports_counts.gets++;
    int cause = get(port, demand, ret_count, &outside);
    ports_leave(port, &outside);
    return cause;
}

int port_get(int fd, port_event_t *event, struct timespec *timeout)
{
    const struct demand demand = {
        .list = event, .max = 1, .wanted = 1, .timeout = timeout, .is_single = true};
    unsigned int count;
    int cause = enter_and_get(fd, &demand, &count);
    if (cause == 0)
        return 0;
    errno = cause;
    return -1;
}

/* *nget is left alone by all errors but ETIME. */
int port_getn(int fd, port_event_t list[], uint_t max, uint_t *nget, struct timespec *timeout)
{
    unsigned int count;
    if (!nget) {
        errno = EINVAL;
        return -1;
    }
    const struct demand demand = {.list = list, .max = max, .wanted = *nget, .timeout = timeout};
    int cause = enter_and_get(fd, &demand, &count);
    if (cause == 0 || cause == ETIME || (cause == EINTR && ports_traits.eintr_gives))
        *nget = count;
    if (cause == 0)
        return 0;
    errno = cause;
    return -1;
}
