/* SPDX-License-Identifier: MIT */
/*
 * test_backend.c: the numbered clauses of backends/backend.h, on each backend. The name of a test
 * starts with its clause. What else a queue does is in test_queue.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pollux.h>

#include "crowd.h"
#include "rig.h"
#include "situations.h"
#include "src/os/os.h"
#include "stage.h"
#include "suites.h"

static bool is_epoll(void)
{
    return rig_backend->id == PLX_BACKEND_EPOLL;
}

static bool is_event_ports(void)
{
    return rig_backend->id == PLX_BACKEND_EVENT_PORTS;
}

/* There is another call after a batch that was full, as all are in the hostile build. */
#define FULL (ROOM == 1)

/* --- B1: `was` is true, and `want` differs or an edge is to be armed again --- */

START_TEST(b1_what_the_kernel_holds_is_known)
{
    enum { STEPS = 4000 };
    struct random random = random_open();
    struct stage stage;
    stage_open(&stage);
    for (int i = 0; i < STEPS; i++)
        stage_step(&stage, &random);
    ck_assert_uint_gt(spy.changes, STEPS / 20);
    stage_close(&stage);
}
END_TEST

/* `there` and back again, `again`, before the kernel has heard of it. */
static void check_undone(uint32_t there, uint32_t again)
{
    struct ends ends = rig_pipe();
    plx_context *context = spy_context(rig_backend->id);
    plx_watcher *watcher, *ready[1];
    ck_assert_int_eq(plx_context_add(context, plx_fd(ends.read), again, NULL, &watcher), PLX_OK);
    ck_assert_int_eq(plx_watcher_modify(watcher, there), PLX_OK);
    ck_assert_int_eq(plx_watcher_modify(watcher, again), PLX_OK);
    ck_assert_int_eq(plx_context_wait(context, ready, 1, 0), 0);
    ck_assert_uint_eq(spy.changes, 0);
    plx_context_destroy(context);
    rig_close_ends(ends);
}

START_TEST(b1_a_change_that_was_undone_is_none)
{
    check_undone(PLX_READ | PLX_WRITE, PLX_READ);
    check_undone(PLX_READ, PLX_READ | PLX_ONESHOT);
    check_undone(PLX_ERROR, PLX_READ);
    if (rig_backend->supports & PLX_EDGE)
        check_undone(PLX_READ | PLX_EDGE, PLX_READ);
}
END_TEST

/* --- B2: after an error the kernel holds what it held --- */

START_TEST(b2_a_refused_modify_changes_nothing)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    calls.refuse = 1;
    calls.cause = ENOMEM;
    int code = rig.backend->modify(rig.queue, target, PLX_READ, PLX_PRI);
    if (code < 0) {
        ck_assert_int_eq(code, PLX_ERR_NOMEM);
        ck_assert_int_eq(errno, ENOMEM);
        ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
        rig_modify(&rig, target, PLX_READ, PLX_PRI);
    }
    calls.refuse = 0; /* it made no call that could be refused */
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

static void add_refused(struct rig *rig, int fd)
{
    struct plx__record records[ROOM];
    struct plx__target *target = rig_target(rig, fd);
    ck_assert_int_eq(rig->backend->add(rig->queue, target, PLX_READ), PLX_ERR_NOMEM);
    ck_assert_int_eq(rig_wait(rig, records, ROOM), 0);
    ck_assert_int_eq(rig->backend->add(rig->queue, target, PLX_READ), PLX_OK);
    ck_assert_uint_eq(rig_facts(rig, target), PLX_READ);
    ck_assert(rig->backend->remove(rig->queue, target));
}

START_TEST(b2_a_refused_add_leaves_nothing_behind)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 0);
    calls.refuse = 1;
    calls.cause = ENOMEM;
    add_refused(&rig, ends.read);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* Adds until the arrays have grown a few times, and refuses the memory for each in turn. */
START_TEST(b2_an_add_without_memory_leaves_nothing_behind)
{
    enum { COUNT = 200 };
    struct ends ends = rig_readable_pipe();
    struct plx__target *targets[COUNT];
    struct rig rig;
    uint32_t failures = 0;
    rig_open(&rig, 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        targets[i] = rig_target(&rig, dup(ends.read));
        rig.memory.refuse = 1 + i % 2;
        int code = rig.backend->add(rig.queue, targets[i], PLX_READ);
        rig.memory.refuse = 0;
        if (code < 0) {
            failures++;
            ck_assert_int_eq(code, PLX_ERR_NOMEM);
            ck_assert_int_eq(rig.backend->add(rig.queue, targets[i], PLX_READ), PLX_OK);
        }
        ck_assert_uint_eq(rig_facts(&rig, targets[i]), PLX_READ);
        rig_modify(&rig, targets[i], PLX_READ, PLX__SILENT);
    }
    if (is_epoll())
        ck_assert_uint_eq(failures, 0);
    else
        ck_assert_uint_ge(failures, 2);
    for (uint32_t i = 0; i < COUNT; i++)
        ck_assert(rig.backend->remove(rig.queue, targets[i]));
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* The queue is what it was: its target is reported, a wake gets through, and it can be renewed. */
static void check_old_queue(struct rig *rig, struct plx__target *target)
{
    struct plx__record records[ROOM];
    ck_assert_uint_eq(rig_facts(rig, target), PLX_READ);
    ck_assert_int_eq(rig->backend->renew(rig->queue, false), PLX_OK);
    rig->backend->settle(rig->queue, true);
    rig->backend->wake(rig->queue);
    if (!rig_has_ghosts())
        rig_modify(rig, target, PLX_READ, PLX__SILENT);
    ck_assert_int_le(rig->backend->wait(rig->queue, records, ROOM, PLX_FOREVER), 1);
    if (rig_has_ghosts())
        ck_assert_int_eq(rig->backend->add(rig->queue, target, PLX_READ), PLX_OK);
    else
        rig_modify(rig, target, PLX__SILENT, PLX_READ);
}

static void renew_refused(bool is_forked)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    if (rig.backend->nest)
        ck_assert_int_ge(rig.backend->nest(rig.queue), 0);
    int code = PLX_ERR_TOOBIG, before = rig_descriptors();
    for (uint32_t n = 1; code < 0; n++) {
        calls.refuse = n;
        calls.cause = EMFILE;
        code = rig.backend->renew(rig.queue, is_forked);
        if (code < 0) {
            ck_assert_int_eq(code, PLX_ERR_TOOBIG);
            ck_assert_int_eq(errno, EMFILE);
        } else {
            calls.refuse = 0;
            rig.backend->settle(rig.queue, false);
        }
        check_old_queue(&rig, target);
        ck_assert_int_eq(rig_descriptors(), before);
    }
    rig_close(&rig);
    rig_close_ends(ends);
}

START_TEST(b2_a_refused_renewal_keeps_the_old_queue)
{
    renew_refused(false);
    renew_refused(true);
}
END_TEST

/* --- B3: a backend never calls back --- */

/* A custom handle that does not want to be called by a backend. */
struct witness {
    int fd;
    uint32_t questions;
};

static void see(struct witness *witness)
{
    ck_assert(!spy.is_inside);
    witness->questions++;
}

static plx_socket witness_fd(void *object)
{
    struct witness *witness = object;
    see(witness);
    return witness->fd;
}

static bool witness_yes(void *object)
{
    see(object);
    return true;
}

static void witness_cleanup(void *object)
{
    see(object);
}

static const plx_handle_ops witness_ops = {
    .size = sizeof(plx_handle_ops),
    .get_fd = witness_fd,
    .is_valid = witness_yes,
    .has_buffered = witness_yes,
    .cleanup = witness_cleanup,
};

/* Closed while a duplicate lives, and only then removed: epoll's queue has to be renewed. */
static void leave_ghost(plx_context *context, int fd)
{
    plx_watcher *watcher;
    int ghost = dup(fd);
    ck_assert_int_eq(plx_context_add(context, plx_fd(ghost), PLX_READ, NULL, &watcher), PLX_OK);
    close(ghost);
    ck_assert_int_eq(plx_watcher_remove(watcher), PLX_OK);
}

/* A child takes the context over, and ends it. By then every function was called. */
static void live_as_child(plx_context *context)
{
    plx_watcher *ready[1];
    ck_assert_int_eq(plx_context_after_fork(context), PLX_OK);
    ck_assert_int_eq(plx_context_wait(context, ready, 1, 0), 1);
    plx_context_destroy(context);
    uint32_t all = rig_backend->nest ? SPIED_ALL : SPIED_ALL & ~SPIED_NESTING;
    if (rig_backend->is_remembered && !rig_has_ghosts())
        all &= ~(uint32_t)SPIED_HOLDS; /* which only a ghost makes the core ask */
    ck_assert_uint_eq(spy.entered, all);
}

static void check_child(plx_context *context)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        live_as_child(context);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(b3_a_backend_never_calls_back)
{
    struct ends ends = rig_readable_pipe();
    struct witness witness = {.fd = ends.read};
    plx_handle handle = plx_custom(&witness_ops, &witness);
    plx_context *context = spy_context(rig_backend->id);
    plx_watcher *watcher, *ready[4];
    ck_assert_int_eq(plx_context_add(context, handle, PLX_READ, NULL, &watcher), PLX_OK);
    ck_assert_int_eq(plx_context_add(context, handle, PLX_READ, NULL, NULL), PLX_ERR_EXISTS);
    if (rig_backend->nest)
        ck_assert_int_ge(plx_context_fd(context), 0);
    leave_ghost(context, ends.read);
    ck_assert_int_eq(plx_context_wait(context, ready, 4, 0), 1);
    ck_assert_int_eq(plx_watcher_modify(watcher, PLX_READ | PLX_RDHUP), PLX_OK);
    ck_assert_int_eq(plx_context_wait(context, ready, 1, 0), 1);
    ck_assert_int_eq(plx_context_wait(context, ready, 1, 0), 1);
    ck_assert_int_eq(plx_watcher_remove(watcher), PLX_OK);
    ck_assert_int_eq(plx_context_wait(context, ready, 4, 0), 0);
    ck_assert_uint_ge(witness.questions, 6); /* all four functions, has_buffered each time */
    ck_assert_int_eq(plx_context_add(context, handle, PLX_READ, NULL, &watcher), PLX_OK);
    check_child(context);
    plx_context_destroy(context);
    rig_close_ends(ends);
}
END_TEST

/* --- B4: 0..capacity records; a signal handler and a wake end it with nothing --- */

START_TEST(b4_never_more_records_than_there_is_room)
{
    struct rig rig;
    struct crowd crowd;
    rig_open(&rig, CROWD);
    crowd_open(&crowd, &rig, PLX_READ);
    for (int capacity = 1; capacity <= ROOM; capacity++)
        ck_assert_int_eq(crowd_wait(&crowd, &rig, capacity), capacity);
    rig_close(&rig);
    crowd_close(&crowd);
}
END_TEST

START_TEST(b4_no_more_records_are_asked_for_than_a_batch)
{
    enum { MUCH = 2 * PLX__BATCH + 1 };
    static plx_watcher *ready[MUCH];
    struct ends ends = rig_readable_pipe();
    plx_context *context = spy_context(rig_backend->id);
    ck_assert_int_eq(plx_context_add(context, plx_fd(ends.read), PLX_READ, NULL, NULL), PLX_OK);
    for (int capacity = PLX__BATCH; capacity <= MUCH; capacity++)
        ck_assert_int_eq(plx_context_wait(context, ready, capacity, 0), 1);
    plx_context_destroy(context);
    rig_close_ends(ends);
}
END_TEST

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
    (void)number;
    alarms++;
}

static void ring(suseconds_t microseconds)
{
    struct itimerval often = {{0, microseconds}, {0, microseconds}};
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
}

/* The alarm rings again and again, so that one of them finds the sleep. */
START_TEST(b4_a_signal_handler_ends_the_sleep_with_nothing)
{
    struct plx__record records[ROOM];
    struct sigaction action = {.sa_handler = count_alarm}, before;
    struct rig rig;
    rig_open(&rig, 8);
    ck_assert_int_eq(sigaction(SIGALRM, &action, &before), 0);
    ring(2000);
    ck_assert_int_eq(rig.backend->wait(rig.queue, records, ROOM, PLX_FOREVER), 0);
    ck_assert_int_eq(rig.backend->wait(rig.queue, records, ROOM, PLX_SECONDS(50)), 0);
    ring(0);
    ck_assert_int_eq(sigaction(SIGALRM, &before, NULL), 0);
    ck_assert_int_ge(alarms, 2);
    rig_close(&rig);
}
END_TEST

START_TEST(b4_a_wake_ends_the_sleep_with_nothing)
{
    struct plx__record records[ROOM];
    struct rig rig;
    rig_open(&rig, 8);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i <= round; i++)
            rig.backend->wake(rig.queue); /* several count as one */
        int count = rig.backend->wait(rig.queue, records, ROOM, PLX_FOREVER);
        ck_assert_int_le(count, 1);
        for (int i = 0; i < count; i++)
            ck_assert(rig_is_wake(&records[i]));
        ck_assert_int_eq(rig.backend->wait(rig.queue, records, ROOM, 0), 0);
    }
    rig_close(&rig);
}
END_TEST

START_TEST(b4_an_interruption_is_no_error_and_all_else_is)
{
    static const struct {
        int cause;
        int result;
    } rows[] = {
        {EINTR, 0}, {ENOMEM, PLX_ERR_NOMEM}, {EBADF, PLX_ERR_BADHANDLE}, {EFAULT, PLX_ERR_SYSTEM}};
    struct plx__record records[ROOM];
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (plx_duration timeout = -1; timeout <= 1; timeout++) {
            calls.refuse = is_event_ports() ? 2 + FULL : 1; /* before that it is armed again */
            calls.cause = rows[i].cause;
            int result = rig.backend->wait(rig.queue, records, ROOM, timeout);
            ck_assert_int_eq(errno, rows[i].cause);
            if (is_event_ports() && rows[i].cause == EINTR)
                ck_assert_int_eq(result, 1); /* which looks once more */
            else
                ck_assert_int_eq(result, rows[i].result);
            ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ); /* nothing was lost */
        }
    }
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* --- B5: one record for each token and wait --- */

/* Two ends of a TCP connection, which know urgent data. */
static struct ends tcp_pair(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct ends ends = {.write = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(listener, (const struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(connect(ends.write, (const struct sockaddr *)&address, size), 0);
    ends.read = accept(listener, NULL, NULL);
    ck_assert_int_ge(ends.read, 0);
    close(listener);
    return ends;
}

START_TEST(b5_everything_about_a_target_is_one_record)
{
    const uint32_t all = PLX__DATA_EVENTS & rig_backend->supports;
    struct ends ends = tcp_pair();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, all);
    ck_assert_int_eq(send(ends.write, "x", 1, MSG_OOB), 1);
    ck_assert_int_eq(send(ends.write, "y", 1, 0), 1);
    ck_assert_int_eq(shutdown(ends.write, SHUT_WR), 0);
    while (rig_oracle(ends.read, all) != all)
        continue; /* loopback delivers soon, not at once */
    ck_assert_uint_eq(rig_facts(&rig, target), all);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(b5_nobody_comes_twice_in_a_wait)
{
    struct rig rig;
    struct crowd crowd;
    rig_open(&rig, CROWD);
    crowd_open(&crowd, &rig, PLX_READ | PLX_RDHUP | PLX_WRITE);
    for (int round = 0; round < 100; round++)
        crowd_wait(&crowd, &rig, 1 + round % ROOM);
    for (int i = 5; i < CROWD; i++)
        rig.backend->remove(rig.queue, crowd.targets[i]);
    for (int round = 0; round < 100; round++) /* now there may be more room than records */
        crowd_wait(&crowd, &rig, 1 + round % ROOM);
    rig_close(&rig);
    crowd_close(&crowd);
}
END_TEST

/* --- B6: raw facts, and at least one that somebody asked for --- */

enum { INTERESTS = 16 };

/* Every subset of what can be asked for. */
static uint32_t nth_interest(uint32_t n)
{
    static const uint32_t bits[] = {PLX_READ, PLX_WRITE, PLX_PRI, PLX_RDHUP};
    uint32_t interest = 0;
    for (size_t i = 0; i < 4; i++)
        interest |= n >> i & 1 ? bits[i] : 0;
    return interest;
}

static void check_raw(struct rig *rig, int fd, uint32_t want)
{
    struct plx__target *target = rig_add(rig, fd, want);
    uint32_t facts = rig_facts(rig, target);
    ck_assert_uint_eq(facts, rig_oracle(fd, want));
    if (facts)
        ck_assert_uint_ne(facts & (want | PLX_ERROR | PLX_HUP), 0);
    ck_assert(rig->backend->remove(rig->queue, target));
}

START_TEST(b6_facts_are_those_of_poll)
{
    struct rig rig;
    rig_open(&rig, 8);
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct ends ends = situations[i]();
        for (uint32_t n = 1; n < INTERESTS; n++) {
            check_raw(&rig, ends.read, nth_interest(n));
            check_raw(&rig, ends.read, nth_interest(n) | PLX_ONESHOT);
        }
        check_raw(&rig, ends.read, PLX_ONESHOT); /* nothing but ERROR and HUP */
        rig_close_ends(ends);
    }
    rig_close(&rig);
}
END_TEST

START_TEST(b6_a_modify_is_as_good_as_an_add)
{
    struct rig rig;
    rig_open(&rig, 8);
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct ends ends = situations[i]();
        struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
        uint32_t was = PLX_READ;
        for (uint32_t n = 1; n < INTERESTS; n++) {
            rig_modify(&rig, target, was, nth_interest(n));
            was = nth_interest(n);
            ck_assert_uint_eq(rig_facts(&rig, target), rig_oracle(ends.read, was));
        }
        ck_assert(rig.backend->remove(rig.queue, target));
        rig_close_ends(ends);
    }
    rig_close(&rig);
}
END_TEST

/* --- B7: records may be stale, and the token says so --- */

START_TEST(b7_a_record_carries_the_token_of_its_target)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    for (int life = 0; life < 6; life++) { /* in the hostile build the generation wraps */
        ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
        rig_modify(&rig, target, PLX_READ, PLX_READ | PLX_WRITE);
        ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
        ck_assert(rig.backend->remove(rig.queue, target));
        plx__slot_retire(&target->slot);
        ck_assert_int_eq(rig.backend->add(rig.queue, target, PLX_READ), PLX_OK);
    }
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(b7_a_removed_target_has_no_record)
{
    struct rig rig;
    struct crowd crowd;
    rig_open(&rig, CROWD);
    crowd_open(&crowd, &rig, PLX_READ);
    for (int i = 0; i < CROWD; i += 2)
        ck_assert(rig.backend->remove(rig.queue, crowd.targets[i]));
    for (int round = 0; round < 2 * CROWD; round++)
        crowd_wait(&crowd, &rig, ROOM);
    for (int i = 0; i < CROWD; i++)
        ck_assert((crowd.records[i] == 0) == (i % 2 == 0));
    rig_close(&rig);
    crowd_close(&crowd);
}
END_TEST

/* The duplicate trap: closed, removed, and reported all the same, where the kernel is like that. */
START_TEST(b7_a_ghost_comes_under_the_old_token)
{
    struct plx__record records[ROOM];
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    struct plx__token old = plx__slot_token(&target->slot);
    int duplicate = dup(ends.read);
    close(ends.read);
    ck_assert(rig.backend->remove(rig.queue, target) == !is_epoll());
    plx__slot_retire(&target->slot);
    int count = rig_wait(&rig, records, ROOM);
    ck_assert_int_eq(count, is_epoll() ? 1 : 0);
    if (count > 0) {
        ck_assert_mem_eq(&records[0].token, &old, sizeof old);
        ck_assert(!rig_is_of(&records[0], target));
    }
    rig_close(&rig);
    close(duplicate);
    close(ends.write);
}
END_TEST

START_TEST(b7_a_wake_has_a_token_of_zeroes_and_no_target_has)
{
    struct plx__record records[ROOM];
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    rig.backend->wake(rig.queue);
    for (int round = 0; round < 4; round++) {
        int count = rig.backend->wait(rig.queue, records, ROOM, 0);
        for (int i = 0; i < count; i++)
            ck_assert(rig_is_wake(&records[i]) || rig_is_of(&records[i], target));
    }
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* --- B8: late at most --- */

static const plx_duration durations[] = {
    1,
    999,
    PLX_US(1),
    PLX_MS(1) - 1,
    PLX_MS(1),
    PLX_MS(1) + 1,
    PLX_SECONDS(1) - 1,
    PLX_SECONDS(1) + 1,
    PLX_SECONDS(86400),
};

#define DURATIONS (sizeof durations / sizeof durations[0])

static plx_duration told_to_sleep(struct rig *rig, plx_duration timeout)
{
    struct plx__record records[ROOM];
    calls.is_hasty = true;
    ck_assert_int_eq(rig->backend->wait(rig->queue, records, ROOM, timeout), 0);
    calls.is_hasty = false;
    return calls.slept;
}

START_TEST(b8_the_kernel_is_told_the_time_exactly)
{
    struct rig rig;
    rig_open(&rig, 8);
    for (size_t i = 0; i < DURATIONS; i++)
        ck_assert_int_eq(told_to_sleep(&rig, durations[i]), durations[i]);
    ck_assert_int_eq(told_to_sleep(&rig, 0), 0);
    ck_assert_int_eq(told_to_sleep(&rig, PLX_FOREVER), PLX_FOREVER);
    rig_close(&rig);
}
END_TEST

static void check_rough(int cause)
{
    struct rig rig;
    rig_open(&rig, 8);
    calls.no_exact_wait = cause;
    for (size_t i = 0; i < DURATIONS; i++) {
        plx_duration slept = told_to_sleep(&rig, durations[i]);
        ck_assert_int_ge(slept, durations[i]);
        ck_assert_int_lt(slept, durations[i] + PLX_MS(1));
    }
    /* As long as an int of milliseconds can be: the core sleeps on. */
    if (is_epoll())
        ck_assert_int_eq(told_to_sleep(&rig, PLX_SECONDS(158913790)), PLX_MS(INT32_MAX));
    ck_assert_int_eq(told_to_sleep(&rig, 0), 0);
    ck_assert_int_eq(told_to_sleep(&rig, PLX_FOREVER), PLX_FOREVER);
    rig_close(&rig);
}

START_TEST(b8_an_older_kernel_is_told_the_time_rounded_up)
{
    check_rough(ENOSYS);
}
END_TEST

START_TEST(b8_a_filtered_kernel_is_told_the_time_rounded_up)
{
    check_rough(EPERM);
}
END_TEST

static void check_slept(struct rig *rig, plx_duration timeout)
{
    struct plx__record records[ROOM];
    int64_t before = plx__os_now();
    ck_assert_int_eq(rig->backend->wait(rig->queue, records, ROOM, timeout), 0);
    ck_assert_int_ge(plx__os_now() - before, timeout);
}

START_TEST(b8_a_real_sleep_is_never_short)
{
    static const plx_duration sleeps[] = {1, PLX_US(50), PLX_US(1500), PLX_MS(5) + 1};
    struct rig rig;
    rig_open(&rig, 8);
    for (size_t i = 0; i < sizeof sleeps / sizeof sleeps[0]; i++)
        check_slept(&rig, sleeps[i]);
    calls.no_exact_wait = ENOSYS;
    for (size_t i = 0; i < sizeof sleeps / sizeof sleeps[0]; i++)
        check_slept(&rig, sleeps[i]);
    rig_close(&rig);
}
END_TEST

/* --- B9: no allocation but in open and add, and there first --- */

START_TEST(b9_nothing_allocates_but_open_and_add)
{
    struct plx__record records[ROOM];
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    uint32_t requests = rig.memory.requests;
    rig_modify(&rig, target, PLX_READ, PLX_READ | PLX_ONESHOT);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    ck_assert_int_eq(rig.backend->holds(rig.queue, target), PLX_OK);
    rig.backend->wake(rig.queue);
    ck_assert_int_eq(rig_wait(&rig, records, ROOM), 0);
    if (rig.backend->nest) {
        ck_assert_int_ge(rig.backend->nest(rig.queue), 0);
        rig.backend->raise(rig.queue, true);
        rig.backend->raise(rig.queue, false);
    }
    for (int keep = 0; keep < 2; keep++) {
        ck_assert_int_eq(rig.backend->renew(rig.queue, keep), PLX_OK);
        rig.backend->settle(rig.queue, keep);
    }
    rig.backend->remove(rig.queue, target);
    ck_assert_uint_eq(rig.memory.requests, requests);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(b9_what_fits_needs_no_allocation)
{
    struct rig rig;
    struct crowd crowd;
    rig_open(&rig, CROWD);
    uint32_t requests = rig.memory.requests;
    crowd_open(&crowd, &rig, PLX_READ);
    ck_assert_uint_eq(rig.memory.requests, requests);
    rig_close(&rig);
    crowd_close(&crowd);
}
END_TEST

START_TEST(b9_an_open_without_memory_leaves_nothing_behind)
{
    int code = PLX_ERR_NOMEM;
    for (uint32_t n = 1; code < 0; n++) {
        struct memory memory;
        struct plx__queue *queue;
        memory_open(&memory);
        memory.refuse = n;
        code = rig_backend->open(&queue, &memory.allocator, 100);
        if (code >= 0)
            rig_backend->close(queue);
        else
            ck_assert_int_eq(code, PLX_ERR_NOMEM);
        memory_close(&memory);
    }
}
END_TEST

/* --- B10: a change is one system call at most --- */

/* What ARCHITECTURE.md promises. */
static void check_cost(uint32_t for_epoll, uint32_t for_poll, uint32_t for_kqueue,
                       uint32_t for_event_ports)
{
    uint32_t taken = calls_taken();
    if (is_epoll())
        ck_assert_uint_eq(taken, for_epoll);
    else if (is_event_ports())
        ck_assert_uint_eq(taken, for_event_ports);
    else
        ck_assert_uint_eq(taken, rig_backend->is_remembered ? for_kqueue : for_poll);
}

START_TEST(b10_what_each_change_costs)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    calls_taken();
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    check_cost(1, 1, 3, 2); /* what is it, which end of a pipe, and the change */
    rig_modify(&rig, target, PLX_READ, PLX_READ | PLX_RDHUP);
    check_cost(1, 0, 0, 1);
    rig_modify(&rig, target, PLX_READ | PLX_RDHUP, PLX__SILENT);
    check_cost(1, 0, 0, 1);
    rig_modify(&rig, target, PLX__SILENT, PLX_READ);
    check_cost(1, 0, 0, 0);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    check_cost(1, 1, 1, 2); /* and the association that was put off */
    ck_assert_int_eq(rig.backend->holds(rig.queue, target), PLX_OK);
    check_cost(1, 1, 1, 1);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    check_cost(1, 1, 1, 2 + FULL);
    rig.backend->wake(rig.queue);
    check_cost(1, 1, 1, 1);
    ck_assert(rig.backend->remove(rig.queue, target));
    check_cost(1, 0, 1, 1);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* The refusal is the answer of modify, or it comes as a record: one of both, and once. */
START_TEST(b10_a_refused_change_is_told_once)
{
    struct ends ends = rig_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    close(ends.read);
    int code = rig.backend->modify(rig.queue, target, PLX_READ, PLX_RDHUP);
    if (code < 0) {
        ck_assert_int_eq(code, PLX_ERR_BADHANDLE);
        ck_assert_int_eq(errno, EBADF);
    } else {
        ck_assert_uint_eq(rig_facts(&rig, target), PLX__GONE);
    }
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    ck_assert(rig.backend->remove(rig.queue, target) == !is_epoll());
    rig_close(&rig);
    close(ends.write);
}
END_TEST

/* --- B11: silence after the last record --- */

START_TEST(b11_a_oneshot_is_silent_after_its_record)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct ends ends = situations[i]();
        uint32_t want = PLX_READ | PLX_WRITE | PLX_ONESHOT;
        struct rig rig;
        rig_open(&rig, 8);
        struct plx__target *target = rig_add(&rig, ends.read, want);
        for (int life = 0; life < 3; life++) {
            uint32_t facts = rig_oracle(ends.read, want);
            ck_assert_uint_eq(rig_facts(&rig, target), facts);
            if (facts == 0)
                continue;
            ck_assert_uint_eq(rig_facts(&rig, target), 0);
            ck_assert_uint_eq(rig_facts(&rig, target), 0);
            rig_modify(&rig, target, PLX__SILENT, want);
        }
        rig_close(&rig);
        rig_close_ends(ends);
    }
}
END_TEST

START_TEST(b11_a_fired_oneshot_does_not_hear_a_hang_up)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ | PLX_ONESHOT);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    close(ends.write);
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    rig_modify(&rig, target, PLX__SILENT, PLX_ONESHOT);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_HUP);
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    rig_close(&rig);
    close(ends.read);
}
END_TEST

/* The modify comes before the kernel has heard that it fired. */
START_TEST(b11_what_has_fired_can_be_armed_at_once)
{
    struct ends ends = rig_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    close(ends.write);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_ONESHOT);
    for (int life = 0; life < 3; life++) {
        ck_assert_uint_eq(rig_facts(&rig, target), PLX_HUP);
        rig_modify(&rig, target, PLX__SILENT, PLX_ONESHOT);
    }
    rig_close(&rig);
    close(ends.read);
}
END_TEST

START_TEST(b11_silent_is_silent_but_for_one_hang_up)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct ends ends = situations[i]();
        struct rig rig;
        rig_open(&rig, 8);
        struct plx__target *target = rig_add(&rig, ends.read, PLX__SILENT);
        uint32_t facts = rig_facts(&rig, target);
        ck_assert_uint_eq(facts & ~(PLX_ERROR | PLX_HUP), 0);
        ck_assert_uint_eq(rig_facts(&rig, target), 0);
        rig_modify(&rig, target, PLX__SILENT, PLX_READ);
        ck_assert_uint_eq(rig_facts(&rig, target), rig_oracle(ends.read, PLX_READ));
        rig_close(&rig);
        rig_close_ends(ends);
    }
}
END_TEST

/* Where the kernel tells that a descriptor was closed, it tells it once, and nobody else suffers.
 */
START_TEST(b11_gone_is_told_once)
{
    struct ends closed = rig_pipe(), open = rig_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *gone = rig_add(&rig, closed.read, PLX_READ);
    struct plx__target *other = rig_add(&rig, open.read, PLX_READ);
    close(closed.read);
    ck_assert_uint_eq(rig_facts(&rig, gone), rig_backend->is_remembered ? 0 : PLX__GONE);
    ck_assert_uint_eq(rig_facts(&rig, gone), 0);
    ck_assert_int_eq(write(open.write, "x", 1), 1);
    ck_assert_uint_eq(rig_facts(&rig, other), PLX_READ);
    rig_close(&rig);
    close(closed.write);
    rig_close_ends(open);
}
END_TEST

START_TEST(b11_each_of_many_oneshots_has_one_record)
{
    struct rig rig;
    struct crowd crowd;
    rig_open(&rig, CROWD);
    crowd_open(&crowd, &rig, PLX_READ);
    for (int i = 0; i < CROWD; i += 3)
        rig_modify(&rig, crowd.targets[i], PLX_READ, PLX_READ | PLX_ONESHOT);
    for (int round = 0; round < 3 * CROWD; round++)
        crowd_wait(&crowd, &rig, 1 + round % ROOM);
    for (int i = 0; i < CROWD; i++)
        ck_assert(i % 3 == 0 ? crowd.records[i] == 1 : crowd.records[i] > 1);
    rig_close(&rig);
    crowd_close(&crowd);
}
END_TEST

/* --- B12: everybody has a turn before anybody comes again --- */

/* Nobody is ahead of anybody by more than one record. */
static void check_even(const struct crowd *crowd, int first, int step)
{
    uint32_t least = crowd->records[first], most = least;
    for (int i = first; i < CROWD; i += step) {
        least = crowd->records[i] < least ? crowd->records[i] : least;
        most = crowd->records[i] > most ? crowd->records[i] : most;
    }
    ck_assert_uint_le(most - least, 1);
}

START_TEST(b12_with_little_room_everybody_gets_a_turn)
{
    struct rig rig;
    struct crowd crowd;
    rig_open(&rig, CROWD);
    for (int capacity = 1; capacity <= ROOM; capacity++) {
        crowd_open(&crowd, &rig, PLX_READ);
        for (int round = 0; round * capacity < 3 * CROWD; round++) {
            ck_assert_int_eq(crowd_wait(&crowd, &rig, capacity), capacity);
            check_even(&crowd, 0, 1);
        }
        for (int i = 0; i < CROWD; i++)
            rig.backend->remove(rig.queue, crowd.targets[i]);
        crowd_close(&crowd);
    }
    rig_close(&rig);
}
END_TEST

/* Oneshots fall silent on the way round, which is not to cost anybody else a turn. */
START_TEST(b12_who_falls_silent_disturbs_no_order)
{
    struct rig rig;
    struct crowd crowd;
    rig_open(&rig, CROWD);
    crowd_open(&crowd, &rig, PLX_READ);
    for (int i = 0; i < CROWD; i += 2)
        rig_modify(&rig, crowd.targets[i], PLX_READ, PLX_READ | PLX_ONESHOT);
    for (int records = 0; records < CROWD;) {
        records += crowd_wait(&crowd, &rig, ROOM < 3 ? ROOM : 3);
        if (records <= CROWD)
            check_even(&crowd, 0, 1);
    }
    for (int round = 0; round < 3 * CROWD; round++) {
        crowd_wait(&crowd, &rig, ROOM < 3 ? ROOM : 3);
        check_even(&crowd, 1, 2);
    }
    rig_close(&rig);
    crowd_close(&crowd);
}
END_TEST

static void crowd_open_sockets(struct crowd *crowd, struct rig *rig, uint32_t want)
{
    for (int i = 0; i < CROWD; i++) {
        crowd->ends[i] = rig_sockets();
        ck_assert_int_eq(write(crowd->ends[i].write, "x", 1), 1);
        crowd->targets[i] = rig_add(rig, crowd->ends[i].read, want);
        crowd->records[i] = 0;
    }
}

/* Where reading and writing are two events, they are not to be two turns. */
START_TEST(b12_both_directions_are_one_turn)
{
    struct rig rig;
    struct crowd crowd;
    rig_open(&rig, CROWD);
    for (int capacity = 1; capacity <= ROOM; capacity++) {
        crowd_open_sockets(&crowd, &rig, PLX_READ | PLX_WRITE);
        for (int round = 0; round * capacity < 3 * CROWD; round++) {
            ck_assert_int_eq(crowd_wait(&crowd, &rig, capacity), capacity);
            check_even(&crowd, 0, 1);
        }
        for (int i = 0; i < CROWD; i++)
            rig.backend->remove(rig.queue, crowd.targets[i]);
        crowd_close(&crowd);
    }
    rig_close(&rig);
}
END_TEST

static TCase *clauses(const char *name, SFun use)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, use, NULL);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, b1_what_the_kernel_holds_is_known);
    tcase_add_test(tests, b1_a_change_that_was_undone_is_none);
    tcase_add_test(tests, b2_a_refused_modify_changes_nothing);
    tcase_add_test(tests, b2_a_refused_add_leaves_nothing_behind);
    tcase_add_test(tests, b2_an_add_without_memory_leaves_nothing_behind);
    tcase_add_test(tests, b2_a_refused_renewal_keeps_the_old_queue);
    tcase_add_test(tests, b3_a_backend_never_calls_back);
    tcase_add_test(tests, b4_never_more_records_than_there_is_room);
    tcase_add_test(tests, b4_no_more_records_are_asked_for_than_a_batch);
    tcase_add_test(tests, b4_a_signal_handler_ends_the_sleep_with_nothing);
    tcase_add_test(tests, b4_a_wake_ends_the_sleep_with_nothing);
    tcase_add_test(tests, b4_an_interruption_is_no_error_and_all_else_is);
    tcase_add_test(tests, b5_everything_about_a_target_is_one_record);
    tcase_add_test(tests, b5_nobody_comes_twice_in_a_wait);
    tcase_add_test(tests, b6_facts_are_those_of_poll);
    tcase_add_test(tests, b6_a_modify_is_as_good_as_an_add);
    tcase_add_test(tests, b7_a_record_carries_the_token_of_its_target);
    tcase_add_test(tests, b7_a_removed_target_has_no_record);
    tcase_add_test(tests, b7_a_ghost_comes_under_the_old_token);
    tcase_add_test(tests, b7_a_wake_has_a_token_of_zeroes_and_no_target_has);
    tcase_add_test(tests, b8_the_kernel_is_told_the_time_exactly);
    tcase_add_test(tests, b8_an_older_kernel_is_told_the_time_rounded_up);
    tcase_add_test(tests, b8_a_filtered_kernel_is_told_the_time_rounded_up);
    tcase_add_test(tests, b8_a_real_sleep_is_never_short);
    tcase_add_test(tests, b9_nothing_allocates_but_open_and_add);
    tcase_add_test(tests, b9_what_fits_needs_no_allocation);
    tcase_add_test(tests, b9_an_open_without_memory_leaves_nothing_behind);
    tcase_add_test(tests, b10_what_each_change_costs);
    tcase_add_test(tests, b10_a_refused_change_is_told_once);
    tcase_add_test(tests, b11_a_oneshot_is_silent_after_its_record);
    tcase_add_test(tests, b11_a_fired_oneshot_does_not_hear_a_hang_up);
    tcase_add_test(tests, b11_what_has_fired_can_be_armed_at_once);
    tcase_add_test(tests, b11_silent_is_silent_but_for_one_hang_up);
    tcase_add_test(tests, b11_gone_is_told_once);
    tcase_add_test(tests, b11_each_of_many_oneshots_has_one_record);
    tcase_add_test(tests, b12_with_little_room_everybody_gets_a_turn);
    tcase_add_test(tests, b12_who_falls_silent_disturbs_no_order);
    tcase_add_test(tests, b12_both_directions_are_one_turn);
    return tests;
}

Suite *backend_suite(void)
{
    Suite *suite = suite_create("backend");
    suite_add_tcase(suite, clauses("epoll", rig_use_epoll));
    suite_add_tcase(suite, clauses("poll", rig_use_poll));
#ifdef POLLUX_PLAYS_KQUEUE
    suite_add_tcase(suite, clauses("kqueue", rig_use_kqueue));
#endif
#ifdef POLLUX_PLAYS_EVENT_PORTS
    suite_add_tcase(suite, clauses("event_ports", rig_use_event_ports));
#endif
    return suite;
}
