/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backends/epoll.h"
#include "backends/poll.h"
#include "journal.h"
#include "victims.h"

/* No sane wait asks the kernel so often. */
#define MOST_WAITS 500

/* A context that is interrupted for ever waits for ever. */
#define MOST_INTERRUPTS 3

static struct {
    enum victim victim;
    int cause;
    unsigned skip; /* that many are let through first */
    unsigned left; /* then so many are refused */
    struct faults seen;
    size_t bytes;
    void (*intruder)(void *);
    void *intruders;
} state;

static struct plx__epoll_calls real_epoll;
static struct plx__poll_calls real_poll;

static int code_of(int cause)
{
    switch (cause) {
    case 0: /* the allocator's */
    case ENOMEM:
        return PLX_ERR_NOMEM;
    case EMFILE:
    case ENFILE:
        return PLX_ERR_TOOBIG;
    case ENOSPC:
        return PLX_ERR_SYSTEM;
    default:
        return PLX_OK; /* the library copes with it */
    }
}

bool victims_is_refused(enum victim victim)
{
    if (state.victim != victim || state.left == 0)
        return false;
    if (state.skip > 0) {
        state.skip--;
        return false;
    }
    return true;
}

int victims_refuse(void)
{
    state.left--;
    state.seen.has_fired = true;
    state.seen.cause = state.cause;
    state.seen.code = code_of(state.cause);
    errno = state.cause;
    return -1;
}

int victims_refuse_with(int cause)
{
    state.cause = cause;
    return victims_refuse();
}

void victims_count_queue(void)
{
    state.seen.queues++;
}

void victims_count_wait(void)
{
    void (*intruder)(void *) = state.intruder;
    state.intruder = NULL;
    if (intruder)
        intruder(state.intruders);
    if (++state.seen.waits > MOST_WAITS)
        journal_fail("one wait asked the kernel more than %d times", MOST_WAITS);
}

void faults_intrude(void (*deed)(void *), void *object)
{
    state.intruder = deed;
    state.intruders = object;
}

bool faults_refuse_descriptor(void)
{
    return victims_is_refused(VICTIM_PROCESS) && victims_refuse() < 0;
}

/* --- epoll --- */

static int create_queue(int flags)
{
    victims_count_queue();
    return victims_is_refused(VICTIM_QUEUE) ? victims_refuse() : real_epoll.create(flags);
}

/* An addition fails for want of room only if it would have succeeded with it. */
static int add_to_queue(int queue, int fd, struct epoll_event *event)
{
    int result = real_epoll.control(queue, EPOLL_CTL_ADD, fd, event);
    if (result < 0 || !victims_is_refused(VICTIM_ADDITION))
        return result;
    real_epoll.control(queue, EPOLL_CTL_DEL, fd, event);
    return victims_refuse();
}

static int control_queue(int queue, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD)
        return add_to_queue(queue, fd, event);
    if (operation == EPOLL_CTL_MOD && victims_is_refused(VICTIM_CHANGE))
        return victims_refuse();
    return real_epoll.control(queue, operation, fd, event);
}

/*
 * The one thing that goes wrong with a sleep is a signal. When something is ready it changes
 * nothing, since the kernel looks first.
 */
static int interrupt_sleep(int queue, struct epoll_event *events, int capacity)
{
    int count = real_epoll.wait(queue, events, capacity, 0);
    return count == 0 ? victims_refuse_with(EINTR) : count;
}

static int wait_on_queue(int queue, struct epoll_event *events, int capacity, int milliseconds)
{
    victims_count_wait();
    if (milliseconds == 0 || !victims_is_refused(VICTIM_WAITING))
        return real_epoll.wait(queue, events, capacity, milliseconds);
    return interrupt_sleep(queue, events, capacity);
}

static int wait_exactly(int queue, struct epoll_event *events, int capacity,
                        const struct timespec *timeout, const sigset_t *mask)
{
    victims_count_wait();
    if (victims_is_refused(VICTIM_EXACTNESS))
        return victims_refuse();
    if (!victims_is_refused(VICTIM_WAITING))
        return real_epoll.wait_exactly(queue, events, capacity, timeout, mask);
    return interrupt_sleep(queue, events, capacity);
}

static int make_counter_for_epoll(unsigned int value, int flags)
{
    return victims_is_refused(VICTIM_COUNTER) ? victims_refuse() : real_epoll.eventfd(value, flags);
}

/* --- poll --- */

static int wait_on_list(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
                        const sigset_t *mask)
{
    static const struct timespec none = {0, 0};
    victims_count_wait();
    if (!victims_is_refused(VICTIM_WAITING))
        return real_poll.wait(entries, count, timeout, mask);
    if (state.cause != EINTR)
        return victims_refuse();
    int ready = real_poll.wait(entries, count, &none, mask);
    return ready == 0 ? victims_refuse() : ready;
}

static int make_counter_for_poll(int ret_ends[2])
{
    return victims_is_refused(VICTIM_COUNTER) ? victims_refuse() : real_poll.open_wake(ret_ends);
}

void faults_install(void)
{
    real_epoll = plx__epoll_calls;
    plx__epoll_calls.create = create_queue;
    plx__epoll_calls.control = control_queue;
    plx__epoll_calls.wait = wait_on_queue;
    plx__epoll_calls.wait_exactly = wait_exactly;
    plx__epoll_calls.eventfd = make_counter_for_epoll;

    real_poll = plx__poll_calls;
    plx__poll_calls.wait = wait_on_list;
    plx__poll_calls.open_wake = make_counter_for_poll;

#ifdef POLLUX_PLAYS_KQUEUE
    faults_install_kqueue();
#endif
#ifdef POLLUX_PLAYS_EVENT_PORTS
    faults_install_event_ports();
#endif
}

/* --- Memory --- */

/* Stands before each block: the library says how large a block was, and is checked. */
struct header {
    _Alignas(max_align_t) size_t size;
};

static void *take(size_t size)
{
    struct header *header = malloc(sizeof *header + size);
    if (!header)
        journal_fail("there is no memory for the test itself");
    header->size = size;
    state.bytes += size;
    memset(header + 1, 0xA5, size); /* who relies on zeroes will notice */
    return header + 1;
}

static void give_back(void *block)
{
    struct header *header = (struct header *)block - 1;
    state.bytes -= header->size;
    free(header);
}

/* Blocks always move, so that nobody keeps an old address and gets away with it. */
static void *resize(void *unused, void *block, size_t old_size, size_t new_size)
{
    (void)unused;
    if (block && ((struct header *)block - 1)->size != old_size)
        journal_fail("a block of %zu bytes is called one of %zu",
                     ((struct header *)block - 1)->size, old_size);
    void *moved = NULL;
    if (new_size > old_size) {
        state.seen.allocations++;
        if (victims_is_refused(VICTIM_MEMORY)) {
            victims_refuse();
            return NULL;
        }
    }
    if (new_size > 0)
        moved = take(new_size);
    if (moved && block)
        memcpy(moved, block, old_size < new_size ? old_size : new_size);
    if (block)
        give_back(block);
    return moved;
}

const plx_allocator faults_allocator = {resize, NULL};

size_t faults_bytes(void)
{
    return state.bytes;
}

/* --- Chance --- */

static int choose_cause(struct dice *dice, enum victim victim)
{
    static const int of_making[] = {EMFILE, ENFILE, ENOMEM};
    switch (victim) {
    case VICTIM_QUEUE:
    case VICTIM_COUNTER:
    case VICTIM_PROCESS:
        return of_making[dice_roll(dice, 3)];
    case VICTIM_ADDITION:
        return dice_one_in(dice, 2) ? ENOMEM : ENOSPC;
    case VICTIM_CHANGE:
        return ENOMEM;
    case VICTIM_WAITING:
        return dice_one_in(dice, 2) ? ENOMEM : EINTR;
    case VICTIM_EXACTNESS:
        return dice_one_in(dice, 2) ? ENOSYS : EPERM;
    case VICTIM_NOTHING:
    case VICTIM_MEMORY:
        break;
    }
    return 0;
}

/* Once it was refused, the library never tries epoll_pwait2() again: leave it alone for long. */
static enum victim choose_victim(struct dice *dice)
{
    static const enum victim usual[] = {VICTIM_MEMORY,  VICTIM_QUEUE,    VICTIM_COUNTER,
                                        VICTIM_PROCESS, VICTIM_ADDITION, VICTIM_CHANGE,
                                        VICTIM_WAITING};
    if (dice_one_in(dice, 200))
        return VICTIM_EXACTNESS;
    return usual[dice_roll(dice, sizeof usual / sizeof usual[0])];
}

void faults_begin(struct dice *dice, unsigned one_in)
{
    memset(&state.seen, 0, sizeof state.seen);
    state.victim = VICTIM_NOTHING;
    if (one_in == 0 || !dice_one_in(dice, one_in))
        return;
    state.victim = choose_victim(dice);
    state.cause = choose_cause(dice, state.victim);
    state.skip = dice_one_in(dice, 2) ? 0 : dice_roll(dice, 4);
    state.left = 1 + dice_roll(dice, MOST_INTERRUPTS);
}

struct faults faults_end(void)
{
    state.victim = VICTIM_NOTHING;
    state.intruder = NULL;
    return state.seen;
}
