/* SPDX-License-Identifier: MIT */
/*
 * test_queue.c: what the functions of a backend say, and renewal, nesting and turns, without the
 * core. The numbered clauses are in test_backend.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <pollux/error.h>

#include "random.h"
#include "require.h"
#include "rig.h"
#include "suites.h"

static bool is_epoll(void)
{
    return rig_backend->id == PLX_BACKEND_EPOLL;
}

static bool is_kqueue(void)
{
    return rig_backend->id == PLX_BACKEND_KQUEUE;
}

static bool is_event_ports(void)
{
    return rig_backend->id == PLX_BACKEND_EVENT_PORTS;
}

static bool is_readable(int fd)
{
    return rig_oracle(fd, PLX_READ) == PLX_READ;
}

/* Brings a target that was in the old queue into the fresh one, if this kind of queue forgets. */
static void add_again(struct rig *rig, struct plx__target *target, uint32_t want)
{
    if (rig->backend->is_remembered)
        ck_assert_int_eq(rig->backend->add(rig->queue, target, want), PLX_OK);
}

/* --- open, add, holds, remove --- */

START_TEST(an_open_that_is_refused_leaves_nothing_behind)
{
    int code = PLX_ERR_TOOBIG, before = rig_descriptors();
    struct memory memory;
    calls_open();
    for (uint32_t n = 1; code < 0; n++) {
        struct plx__queue *queue;
        memory_open(&memory);
        calls.refuse = n;
        calls.cause = EMFILE;
        code = rig_backend->open(&queue, &memory.allocator, 8);
        if (code >= 0)
            rig_backend->close(queue);
        else
            ck_assert_int_eq(code, PLX_ERR_TOOBIG);
        ck_assert_int_eq(rig_descriptors(), before);
        memory_close(&memory);
    }
    calls_close();
}
END_TEST

START_TEST(every_descriptor_is_close_on_exec)
{
    bool was_open[RIG_DESCRIPTORS];
    struct rig rig;
    for (int fd = 0; fd < RIG_DESCRIPTORS; fd++)
        was_open[fd] = fcntl(fd, F_GETFD) >= 0;
    rig_open(&rig, 8);
    if (rig.backend->nest)
        ck_assert_int_ge(rig.backend->nest(rig.queue), 0);
    for (int keep = 0; keep < 2; keep++) {
        ck_assert_int_eq(rig.backend->renew(rig.queue, keep), PLX_OK);
        for (int fd = 0; fd < RIG_DESCRIPTORS; fd++) {
            int flags = fcntl(fd, F_GETFD);
            ck_assert(was_open[fd] || flags < 0 || flags & FD_CLOEXEC);
        }
        rig.backend->settle(rig.queue, keep);
    }
    rig_close(&rig);
}
END_TEST

START_TEST(a_queue_does_not_watch_itself)
{
    bool was_open[RIG_DESCRIPTORS];
    struct rig rig;
    int own = 0;
    for (int fd = 0; fd < RIG_DESCRIPTORS; fd++)
        was_open[fd] = fcntl(fd, F_GETFD) >= 0;
    rig_open(&rig, 8);
    if (rig.backend->nest)
        ck_assert_int_ge(rig.backend->nest(rig.queue), 0);
    for (int fd = 0; fd < RIG_DESCRIPTORS; fd++) {
        if (was_open[fd] || fcntl(fd, F_GETFD) < 0)
            continue;
        if (is_kqueue() && fd != rig.backend->nest(rig.queue))
            continue; /* that of the player */
        struct plx__target *target = rig_target(&rig, fd);
        int code = rig.backend->add(rig.queue, target, PLX_READ);
        if (is_event_ports() && code == PLX_OK)
            continue; /* the same */
        ck_assert_int_eq(code, PLX_ERR_INVALID);
        own++;
    }
    int expected = is_epoll() ? 4 : is_event_ports() ? 2 : is_kqueue() ? 1 : POLL_WAKE_ENDS;
    ck_assert_int_eq(own, expected);
    rig_close(&rig);
}
END_TEST

START_TEST(what_is_not_open_cannot_be_added)
{
    struct ends ends = rig_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    close(ends.read);
    struct plx__target *target = rig_target(&rig, ends.read);
    ck_assert_int_eq(rig.backend->add(rig.queue, target, PLX_READ), PLX_ERR_BADHANDLE);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(dup2(ends.write, ends.read), ends.read);
    ck_assert_int_eq(rig.backend->add(rig.queue, target, PLX_WRITE), PLX_OK);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_WRITE | PLX_ERROR); /* nobody reads it */
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(files_are_ready_or_refused_as_the_backend_says)
{
    static const char *const paths[] = {"/dev/null", "/", "/proc/self/exe"};
    struct rig rig;
    rig_open(&rig, 8);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
        struct plx__target *target = rig_target(&rig, fd);
        int code = rig.backend->add(rig.queue, target, PLX_READ | PLX_WRITE);
        if (rig.backend->is_level_on_file || (is_kqueue() && i == 0)) {
            ck_assert_int_eq(code, PLX_OK);
            ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ | PLX_WRITE);
            ck_assert(rig.backend->remove(rig.queue, target));
        } else {
            ck_assert_int_eq(code, PLX_ERR_NOSUPPORT);
        }
        close(fd);
    }
    rig_close(&rig);
}
END_TEST

START_TEST(a_queue_that_remembers_knows_whom_it_has)
{
    struct ends ends = rig_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *first = rig_add(&rig, ends.read, PLX_READ);
    struct plx__target *second = rig_target(&rig, ends.read);
    ck_assert_int_eq(rig.backend->holds(rig.queue, first), PLX_OK);
    if (rig.backend->is_remembered) {
        ck_assert_int_eq(rig.backend->add(rig.queue, second, PLX_WRITE), PLX_ERR_EXISTS);
        ck_assert_int_eq(write(ends.write, "x", 1), 1);
        ck_assert_uint_eq(rig_facts(&rig, first), PLX_READ);
    }
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* `other` takes the number of a watched pipe. */
static void come_back_as(int other)
{
    struct ends ends = rig_pipe();
    struct plx__record records[ROOM];
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    ck_assert_int_eq(dup2(other, ends.read), ends.read);
    bool is_known = rig.backend->is_remembered;
    ck_assert_int_eq(rig.backend->holds(rig.queue, target), is_known ? PLX_ERR_NOTFOUND : PLX_OK);
    if (is_known) { /* and asking has not brought the other file in */
        ck_assert_int_eq(rig_wait(&rig, records, ROOM), 0);
        /* A modify would have to be two calls to find it out on event ports. */
        if (rig.backend->modify(rig.queue, target, PLX_READ, PLX_RDHUP) >= 0)
            ck_assert_uint_eq(rig_facts(&rig, target), is_event_ports() ? 0 : PLX__GONE);
        ck_assert_int_eq(rig_wait(&rig, records, ROOM), 0);
    }
    ck_assert(rig.backend->remove(rig.queue, target) == !is_epoll());
    rig_close(&rig);
    rig_close_ends(ends);
    close(other);
}

START_TEST(a_number_that_came_back_as_another_file_is_noticed)
{
    struct ends ends = rig_readable_pipe();
    come_back_as(ends.read);
    close(ends.write);
    come_back_as(open("/dev/null", O_RDONLY | O_CLOEXEC)); /* which epoll does not watch */
}
END_TEST

START_TEST(a_number_that_is_closed_is_not_held)
{
    struct ends ends = rig_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    close(ends.read);
    ck_assert_int_eq(rig.backend->holds(rig.queue, target), PLX_ERR_BADHANDLE);
    rig_close(&rig);
    close(ends.write);
}
END_TEST

START_TEST(whether_it_is_held_may_be_impossible_to_tell)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    calls.refuse = 1;
    calls.cause = ENOMEM;
    ck_assert_int_eq(rig.backend->holds(rig.queue, target), PLX_ERR_NOMEM);
    ck_assert_int_eq(rig.backend->holds(rig.queue, target), PLX_OK);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(asking_whether_it_is_held_changes_nothing)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ | PLX_ONESHOT);
    ck_assert_int_eq(rig.backend->holds(rig.queue, target), PLX_OK);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    ck_assert_int_eq(rig.backend->holds(rig.queue, target), PLX_OK);
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* --- wake --- */

START_TEST(a_wake_keeps_errno_whatever_happens)
{
    struct rig rig;
    rig_open(&rig, 8);
    for (uint32_t refuse = 0; refuse < 2; refuse++) {
        calls.refuse = refuse;
        calls.cause = EAGAIN; /* a counter that is full */
        errno = EXDEV;
        rig.backend->wake(rig.queue);
        ck_assert_int_eq(errno, EXDEV);
        if (rig.backend->raise) {
            rig.backend->raise(rig.queue, false);
            rig.backend->raise(rig.queue, false); /* nothing is left to read */
            ck_assert_int_eq(errno, EXDEV);
        }
    }
    rig_close(&rig);
}
END_TEST

START_TEST(a_wake_takes_nobodys_place)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    for (int round = 0; round < 10; round++) {
        rig.backend->wake(rig.queue);
        ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    }
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(a_kernel_that_will_not_wait_exactly_for_another_reason_is_asked_again)
{
    struct plx__record records[ROOM];
    struct rig rig;
    rig_open(&rig, 8);
    calls.is_hasty = true;
    calls.refuse = 1;
    calls.cause = ENOMEM;
    ck_assert_int_eq(rig.backend->wait(rig.queue, records, ROOM, 1), PLX_ERR_NOMEM);
    ck_assert_int_eq(rig.backend->wait(rig.queue, records, ROOM, 1), 0);
    ck_assert_int_eq(calls.slept, 1);
    rig_close(&rig);
}
END_TEST

/* --- Renewal --- */

START_TEST(a_renewed_queue_reports_what_was_added_again)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    int with_queue = rig_descriptors();
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    for (int round = 0; round < 4; round++) {
        ck_assert_int_eq(rig.backend->renew(rig.queue, round % 2), PLX_OK);
        if (round % 2 == 0 || rig_has_ghosts()) /* meaning the old one */
            ck_assert_int_eq(rig.backend->holds(rig.queue, target), PLX_OK);
        add_again(&rig, target, PLX_READ);
        rig.backend->settle(rig.queue, true);
        ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
        ck_assert_int_eq(rig.backend->holds(rig.queue, target), PLX_OK);
        ck_assert_int_eq(rig_descriptors(), with_queue);
    }
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(a_renewal_that_is_taken_back_has_changed_nothing)
{
    struct ends ends = rig_readable_pipe();
    int before = rig_descriptors();
    struct rig rig;
    rig_open(&rig, 8);
    int with_queue = rig_descriptors();
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    for (int round = 0; round < 4; round++) {
        ck_assert_int_eq(rig.backend->renew(rig.queue, round % 2), PLX_OK);
        rig.backend->settle(rig.queue, false);
        ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
        ck_assert_int_eq(rig_descriptors(), with_queue);
    }
    rig_close(&rig);
    ck_assert_int_eq(rig_descriptors(), before);
    rig_close_ends(ends);
}
END_TEST

START_TEST(a_renewal_ends_a_ghost)
{
    struct plx__record records[ROOM];
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    int duplicate = dup(ends.read);
    close(ends.read);
    rig.backend->remove(rig.queue, target);
    ck_assert_int_eq(rig.backend->renew(rig.queue, false), PLX_OK);
    rig.backend->settle(rig.queue, true);
    ck_assert_int_eq(rig_wait(&rig, records, ROOM), 0);
    rig_close(&rig);
    close(duplicate);
    close(ends.write);
}
END_TEST

/* Other threads may be writing to the number they know: a wake before, between and after counts. */
START_TEST(a_wake_survives_a_renewal)
{
    struct plx__record records[ROOM];
    struct rig rig;
    rig_open(&rig, 8);
    for (int when = 0; when < 3; when++) {
        if (when == 0)
            rig.backend->wake(rig.queue);
        ck_assert_int_eq(rig.backend->renew(rig.queue, false), PLX_OK);
        if (when == 1)
            rig.backend->wake(rig.queue);
        rig.backend->settle(rig.queue, true);
        if (when == 2)
            rig.backend->wake(rig.queue);
        int count = rig.backend->wait(rig.queue, records, ROOM, PLX_FOREVER);
        ck_assert(count == 0 || (count == 1 && rig_is_wake(&records[0])));
    }
    rig_close(&rig);
}
END_TEST

START_TEST(a_forked_renewal_shares_no_wake)
{
    struct plx__record records[ROOM];
    struct rig rig;
    rig_open(&rig, 8);
    rig.backend->wake(rig.queue); /* that of the parent */
    ck_assert_int_eq(rig.backend->renew(rig.queue, true), PLX_OK);
    rig.backend->settle(rig.queue, true);
    ck_assert_int_eq(rig.backend->wait(rig.queue, records, ROOM, 0), 0);
    rig.backend->wake(rig.queue);
    ck_assert_int_le(rig.backend->wait(rig.queue, records, ROOM, PLX_FOREVER), 1);
    rig_close(&rig);
}
END_TEST

/* --- Nesting --- */

START_TEST(a_nested_queue_shows_what_a_wait_would_give)
{
    struct ends ends = rig_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    int outer = rig.backend->nest(rig.queue);
    ck_assert_int_ge(outer, 0);
    ck_assert(!is_readable(outer));
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    ck_assert(!is_readable(outer));
    ck_assert_int_eq(write(ends.write, "x", 1), 1);
    ck_assert(is_readable(outer));
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    ck_assert(is_readable(outer));
    rig_modify(&rig, target, PLX_READ, PLX__SILENT);
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    ck_assert(!is_readable(outer));
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(nesting_twice_gives_the_same_number_for_nothing)
{
    struct rig rig;
    rig_open(&rig, 8);
    int outer = rig.backend->nest(rig.queue);
    calls_taken();
    ck_assert_int_eq(rig.backend->nest(rig.queue), outer);
    ck_assert_uint_eq(calls_taken(), 0);
    rig_close(&rig);
}
END_TEST

START_TEST(a_nesting_that_is_refused_leaves_nothing_behind)
{
    struct rig rig;
    rig_open(&rig, 8);
    int outer = PLX_ERR_TOOBIG, before = rig_descriptors();
    for (uint32_t n = 1; outer < 0; n++) {
        calls.refuse = n;
        calls.cause = EMFILE;
        outer = rig.backend->nest(rig.queue);
        ck_assert(outer >= 0 || outer == PLX_ERR_TOOBIG);
        int more = is_epoll() ? 2 : is_event_ports() ? 1 : 0;
        ck_assert_int_eq(rig_descriptors(), before + (outer >= 0 ? more : 0));
    }
    calls.refuse = 0;
    rig.backend->raise(rig.queue, true);
    ck_assert(is_readable(outer));
    rig_close(&rig);
}
END_TEST

/* On event ports it is one more to take back that it rang, and one to take back a wake. */
START_TEST(raising_is_one_call_and_lowering_takes_all_of_it_back)
{
    struct plx__record records[ROOM];
    struct rig rig;
    uint32_t more = is_event_ports();
    rig_open(&rig, 8);
    int outer = rig.backend->nest(rig.queue);
    calls_taken();
    rig.backend->raise(rig.queue, true);
    ck_assert_uint_eq(calls_taken(), 1 + more);
    ck_assert(is_readable(outer));
    ck_assert_int_eq(rig_wait(&rig, records, ROOM), 0);
    ck_assert(is_readable(outer)); /* a wait does not lower it */
    rig.backend->wake(rig.queue);
    rig.backend->raise(rig.queue, true);
    calls_taken();
    rig.backend->raise(rig.queue, false);
    ck_assert_uint_eq(calls_taken(), 1 + more + more);
    if (!is_event_ports())
        rig_wait(&rig, records, ROOM);
    ck_assert(!is_readable(outer));
    rig_close(&rig);
}
END_TEST

/* An outer loop's registration of the number has to outlive any number of renewals. */
START_TEST(an_outer_loop_stays_right_through_renewals)
{
    struct ends ends = rig_pipe();
    struct epoll_event event = {.events = EPOLLIN};
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    int nested = rig.backend->nest(rig.queue), loop = epoll_create1(EPOLL_CLOEXEC);
    ck_assert_int_eq(epoll_ctl(loop, EPOLL_CTL_ADD, nested, &event), 0);
    for (int round = 0; round < 6; round++) {
        bool keep = round % 3 != 2;
        ck_assert_int_eq(rig.backend->renew(rig.queue, false), PLX_OK);
        add_again(&rig, target, PLX_READ);
        rig.backend->settle(rig.queue, keep);
        ck_assert_int_eq(rig.backend->nest(rig.queue), nested);
        ck_assert_int_eq(epoll_wait(loop, &event, 1, 0), 0);
        ck_assert_int_eq(write(ends.write, "x", 1), 1);
        ck_assert_int_eq(epoll_wait(loop, &event, 1, 0), 1);
        ck_assert_int_eq(read(ends.read, &(char){0}, 1), 1);
        ck_assert_int_eq(epoll_wait(loop, &event, 1, 0), 0);
        rig.backend->raise(rig.queue, true);
        ck_assert_int_eq(epoll_wait(loop, &event, 1, 0), 1);
        rig.backend->raise(rig.queue, false);
        rig_facts(&rig, target); /* what is left of the edge */
    }
    rig_close(&rig);
    close(loop);
    rig_close_ends(ends);
}
END_TEST

/* The old queue may live on, in a forked child that shares it: it is to leave the outer one. */
START_TEST(a_ghost_of_the_old_queue_does_not_show_outside)
{
    struct ends ends = rig_readable_pipe();
    struct plx__record records[ROOM];
    struct rig rig;
    rig_open(&rig, 8);
    int first = rig_descriptors();
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    int outer = rig.backend->nest(rig.queue);
    int child[RIG_DESCRIPTORS], held = 0; /* as a child would hold all of them */
    for (int fd = 0; fd < RIG_DESCRIPTORS; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 && fd > 2)
            child[held++] = fcntl(fd, F_DUPFD_CLOEXEC, RIG_DESCRIPTORS);
    }
    int duplicate = dup(ends.read);
    close(ends.read);
    rig.backend->remove(rig.queue, target);
    ck_assert(is_readable(outer) == rig_has_ghosts());
    ck_assert_int_eq(rig.backend->renew(rig.queue, false), PLX_OK);
    rig.backend->settle(rig.queue, true);
    ck_assert_int_eq(rig_wait(&rig, records, ROOM), 0);
    ck_assert(!is_readable(outer));
    rig_close(&rig);
    ck_assert_int_le(rig_descriptors(), first);
    while (held > 0)
        close(child[--held]);
    close(duplicate);
    close(ends.write);
}
END_TEST

START_TEST(a_forked_renewal_leaves_the_nesting_to_the_parent)
{
    struct rig rig;
    rig_open(&rig, 8);
    int nested = rig.backend->nest(rig.queue);
    ck_assert_int_eq(rig.backend->renew(rig.queue, true), PLX_OK);
    rig.backend->settle(rig.queue, false);
    ck_assert_int_eq(rig.backend->nest(rig.queue), nested);
    rig.backend->raise(rig.queue, true);
    ck_assert(is_readable(nested));
    ck_assert_int_eq(rig.backend->renew(rig.queue, true), PLX_OK);
    rig.backend->settle(rig.queue, true);
    ck_assert_int_lt(fcntl(nested, F_GETFD), 0);
    nested = rig.backend->nest(rig.queue);
    ck_assert_int_ge(nested, 0);
    ck_assert(!is_readable(nested));
    rig_close(&rig);
}
END_TEST

START_TEST(there_is_no_kernel_object_to_nest)
{
    ck_assert(!rig_backend->nest);
    ck_assert(!rig_backend->raise);
}
END_TEST

/* --- Facts of the table --- */

START_TEST(running_out_of_descriptors_does_not_make_it_unavailable)
{
    calls_open();
    ck_assert(rig_backend->is_available());
    calls.refuse = 1;
    calls.cause = EMFILE;
    ck_assert(rig_backend->is_available());
    calls.refuse = 1;
    calls.cause = ENOSYS;
    ck_assert(rig_backend->is_available() == !rig_backend->is_remembered);
    calls_close();
}
END_TEST

START_TEST(a_backend_is_what_it_says)
{
    ck_assert_str_eq(rig_backend->name, plx_backend_name(rig_backend->id));
    ck_assert_int_eq(plx_backend_from_name(rig_backend->name), rig_backend->id);
    uint32_t events = is_kqueue() ? PLX__DATA_EVENTS & ~PLX_PRI : PLX__DATA_EVENTS;
    uint32_t modes = is_epoll() || is_kqueue() ? PLX__MODES : PLX_ONESHOT;
    ck_assert_uint_eq(rig_backend->supports, events | modes);
}
END_TEST

/* --- A random schedule, with poll(2) as oracle --- */

enum { PLAYERS = 12, STEPS = 3000 };

struct player {
    struct ends ends;
    struct plx__target *target; /* NULL: not in the queue */
    uint32_t held;
    uint32_t seen;
};

static void play_step(struct rig *rig, struct random *random, struct player *player)
{
    static const uint32_t interests[] = {PLX__SILENT, PLX_READ, PLX_WRITE, PLX_READ | PLX_WRITE,
                                         PLX_READ | PLX_ONESHOT};
    uint32_t want = interests[random_below(random, 5)];
    char byte = 'x';
    switch (random_below(random, 5)) {
    case 0:
        if (write(player->ends.write, &byte, 1) < 0)
            REQUIRE(errno == EAGAIN);
        return;
    case 1:
        while (read(player->ends.read, &byte, 1) > 0)
            continue;
        return;
    case 2:
        if (player->target)
            REQUIRE(rig->backend->remove(rig->queue, player->target));
        player->target = NULL;
        return;
    default:
        if (!player->target)
            player->target = rig_add(rig, player->ends.read, want);
        else if (want != player->held)
            rig_modify(rig, player->target, player->held, want);
        player->held = want;
    }
}

static struct player *player_of(struct player *players, const struct plx__record *record)
{
    for (int i = 0; i < PLAYERS; i++) {
        if (players[i].target && rig_is_of(record, players[i].target))
            return &players[i];
    }
    ck_abort_msg("a record of nobody");
    return NULL;
}

/* Every player that poll(2) sees ready is seen within as many waits as it takes to pass them all,
   with the same facts; nobody else is. */
static void compare(struct rig *rig, struct player *players, int room)
{
    uint32_t expected[PLAYERS];
    for (int i = 0; i < PLAYERS; i++) {
        bool is_armed = players[i].target && players[i].held != PLX__SILENT;
        expected[i] = is_armed ? rig_oracle(players[i].ends.read, players[i].held) : 0;
        players[i].seen = 0;
    }
    for (int round = 0; round < 2 * PLAYERS; round++) {
        struct plx__record records[ROOM];
        int count = rig_wait(rig, records, room);
        for (int i = 0; i < count; i++) {
            struct player *player = player_of(players, &records[i]);
            REQUIRE(player->held != PLX__SILENT);
            player->seen = records[i].events;
            if (player->held & PLX_ONESHOT)
                player->held = PLX__SILENT;
        }
    }
    for (int i = 0; i < PLAYERS; i++)
        REQUIRE(players[i].seen == expected[i]);
}

START_TEST(a_random_schedule_agrees_with_poll)
{
    struct random random = random_open();
    struct player players[PLAYERS] = {{.held = PLX__SILENT}};
    struct rig rig;
    rig_open(&rig, 0);
    for (int i = 0; i < PLAYERS; i++)
        players[i].ends = rig_sockets();
    for (int step = 0; step < STEPS; step++) {
        play_step(&rig, &random, &players[random_below(&random, PLAYERS)]);
        if (random_below(&random, 4) == 0)
            compare(&rig, players, 1 + (int)random_below(&random, (uint32_t)ROOM));
    }
    for (int i = 0; i < PLAYERS; i++)
        rig_close_ends(players[i].ends);
    rig_close(&rig);
}
END_TEST

static TCase *case_of(const char *name, SFun use)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, use, NULL);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, an_open_that_is_refused_leaves_nothing_behind);
    tcase_add_test(tests, every_descriptor_is_close_on_exec);
    tcase_add_test(tests, a_queue_does_not_watch_itself);
    tcase_add_test(tests, what_is_not_open_cannot_be_added);
    tcase_add_test(tests, files_are_ready_or_refused_as_the_backend_says);
    tcase_add_test(tests, a_queue_that_remembers_knows_whom_it_has);
    tcase_add_test(tests, a_number_that_came_back_as_another_file_is_noticed);
    tcase_add_test(tests, a_number_that_is_closed_is_not_held);
    tcase_add_test(tests, whether_it_is_held_may_be_impossible_to_tell);
    tcase_add_test(tests, asking_whether_it_is_held_changes_nothing);
    tcase_add_test(tests, a_wake_keeps_errno_whatever_happens);
    tcase_add_test(tests, a_wake_takes_nobodys_place);
    tcase_add_test(tests, a_kernel_that_will_not_wait_exactly_for_another_reason_is_asked_again);
    tcase_add_test(tests, a_renewed_queue_reports_what_was_added_again);
    tcase_add_test(tests, a_renewal_that_is_taken_back_has_changed_nothing);
    tcase_add_test(tests, a_renewal_ends_a_ghost);
    tcase_add_test(tests, a_wake_survives_a_renewal);
    tcase_add_test(tests, a_forked_renewal_shares_no_wake);
    tcase_add_test(tests, running_out_of_descriptors_does_not_make_it_unavailable);
    tcase_add_test(tests, a_backend_is_what_it_says);
    tcase_add_test(tests, a_random_schedule_agrees_with_poll);
    return tests;
}

static void add_nesting(TCase *tests)
{
    tcase_add_test(tests, a_nested_queue_shows_what_a_wait_would_give);
    tcase_add_test(tests, nesting_twice_gives_the_same_number_for_nothing);
    tcase_add_test(tests, a_nesting_that_is_refused_leaves_nothing_behind);
    tcase_add_test(tests, raising_is_one_call_and_lowering_takes_all_of_it_back);
    tcase_add_test(tests, an_outer_loop_stays_right_through_renewals);
    tcase_add_test(tests, a_ghost_of_the_old_queue_does_not_show_outside);
    tcase_add_test(tests, a_forked_renewal_leaves_the_nesting_to_the_parent);
}

Suite *queue_suite(void)
{
    Suite *suite = suite_create("queue");
    TCase *epoll = case_of("epoll", rig_use_epoll), *poll = case_of("poll", rig_use_poll);
    add_nesting(epoll);
    tcase_add_test(poll, there_is_no_kernel_object_to_nest);
    suite_add_tcase(suite, epoll);
    suite_add_tcase(suite, poll);
#ifdef POLLUX_PLAYS_KQUEUE
    TCase *kqueue = case_of("kqueue", rig_use_kqueue);
    add_nesting(kqueue);
    suite_add_tcase(suite, kqueue);
#endif
#ifdef POLLUX_PLAYS_EVENT_PORTS
    TCase *event_ports = case_of("event_ports", rig_use_event_ports);
    add_nesting(event_ports);
    suite_add_tcase(suite, event_ports);
#endif
    return suite;
}
