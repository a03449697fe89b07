/* SPDX-License-Identifier: MIT */
/*
 * test_kqueue.c: what kqueue.c does about the traps of its kernels that no clause of backend.h
 * names: refusals of single changes, numbers that became another file's, two filters that are one
 * watcher, and kernels without EVFILT_USER. Both personalities of the kqueue that is played.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pollux.h>

#include "backends/kqueue.h"
#include "kqueue_shim.h"
#include "rig.h"
#include "suites.h"

/* --- A kernel that is short of memory, or of descriptors --- */

/* No filter of any system: the change comes back, in its turn. */
#define REFUSED_FILTER (-77)

static struct plx__kqueue_calls real;

static struct {
    int fd; /* whose filters are refused */
    short filter;
    unsigned times;
    bool is_blind; /* poll(2) has no memory */
} short_of;

static bool is_refused(const struct kevent *change)
{
    if (short_of.times == 0 || !(change->flags & EV_ADD) || change->filter != short_of.filter ||
        (int)change->ident != short_of.fd)
        return false;
    short_of.times--;
    return true;
}

static int short_kevent(int queue, const struct kevent *changes, int change_count,
                        struct kevent *events, int room, const struct timespec *timeout)
{
    enum { MOST = 64 };
    struct kevent altered[MOST];
    short filter = short_of.filter;
    ck_assert_int_le(change_count, MOST);
    for (int i = 0; i < change_count; i++) {
        altered[i] = changes[i];
        if (is_refused(&changes[i]))
            altered[i].filter = REFUSED_FILTER;
    }
    int count = real.kevent(queue, altered, change_count, events, room, timeout);
    for (int i = 0; i < count; i++) {
        if (events[i].filter != REFUSED_FILTER)
            continue;
        events[i].filter = filter;
        events[i].data = ENOMEM;
    }
    return count;
}

static int short_look(struct pollfd *entries, nfds_t count, int milliseconds)
{
    if (!short_of.is_blind)
        return real.look(entries, count, milliseconds);
    errno = ENOMEM;
    return -1;
}

static int short_pipe(int ends[2])
{
    (void)ends;
    errno = EMFILE;
    return -1;
}

static void refuse(int fd, short filter, unsigned times)
{
    short_of.fd = fd;
    short_of.filter = filter;
    short_of.times = times;
}

static void rig_open_short(struct rig *rig)
{
    rig_open(rig, 8);
    memset(&short_of, 0, sizeof short_of);
    real = plx__kqueue_calls;
    plx__kqueue_calls.kevent = short_kevent;
    plx__kqueue_calls.look = short_look;
}

static bool shows(int queue)
{
    struct pollfd entry = {.fd = queue, .events = POLLIN};
    return poll(&entry, 1, 0) == 1;
}

/* With the wake taken back and the target silent there is nothing to show. */
static void check_calm(struct rig *rig, struct plx__target *target, int queue)
{
    rig_modify(rig, target, PLX_READ, PLX__SILENT);
    ck_assert_uint_eq(rig_facts(rig, target), 0);
    rig->backend->raise(rig->queue, false);
    ck_assert(!shows(queue));
}

/* --- Refusals --- */

/* READ for want of memory, WRITE because nobody reads: both have to be heard. */
START_TEST(every_refusal_of_a_descriptor_is_heard)
{
    struct ends ends = rig_pipe();
    struct rig rig;
    rig_open_short(&rig);
    close(ends.read);
    struct plx__target *target = rig_add(&rig, ends.write, PLX_RDHUP);
    ck_assert_int_ge(rig.backend->nest(rig.queue), 0);
    refuse(ends.write, EVFILT_READ, 1);
    ck_assert_int_eq(
        rig.backend->modify(rig.queue, target, PLX_RDHUP, PLX_READ | PLX_WRITE | PLX_EDGE),
        PLX_ERR_NOMEM);
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_uint_eq(rig_facts(&rig, target) & (PLX_ERROR | PLX__GONE), PLX_ERROR);
    rig_modify(&rig, target, PLX_RDHUP, PLX_READ | PLX_WRITE);
    ck_assert_uint_eq(rig_facts(&rig, target), rig_oracle(ends.write, PLX_READ | PLX_WRITE));
    rig_close(&rig);
    close(ends.write);
}
END_TEST

/* Its filter could not be made yet. That does not make it another file. */
START_TEST(what_memory_was_short_for_is_still_watched)
{
    struct plx__record records[ROOM];
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open_short(&rig);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    struct plx__target *second = rig_target(&rig, ends.read);
    rig_modify(&rig, target, PLX_READ, PLX_READ | PLX_EDGE);
    refuse(ends.read, EVFILT_READ, 2);
    ck_assert_int_eq(rig.backend->wait(rig.queue, records, ROOM, 0), PLX_ERR_NOMEM);
    ck_assert_int_eq(rig.backend->add(rig.queue, second, PLX_READ), PLX_ERR_NOMEM);
    ck_assert_int_eq(rig.backend->add(rig.queue, second, PLX_READ), PLX_ERR_EXISTS);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* An outer loop has to come, or nobody tries again; also when the wake is taken back. */
START_TEST(what_memory_was_short_for_shows_in_a_nested_queue)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open_short(&rig);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ | PLX_EDGE);
    int queue = rig.backend->nest(rig.queue);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    ck_assert(!shows(queue));
    refuse(ends.read, EVFILT_READ, 2); /* what is wanted, and what was */
    ck_assert_int_eq(rig.backend->modify(rig.queue, target, PLX_READ | PLX_EDGE, PLX_READ),
                     PLX_ERR_NOMEM);
    ck_assert(shows(queue));
    rig.backend->raise(rig.queue, true);
    rig.backend->raise(rig.queue, false);
    ck_assert(shows(queue));
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    check_calm(&rig, target, queue);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* A wait silences its oneshots itself. */
START_TEST(what_a_nested_wait_could_not_change_shows)
{
    struct plx__record record;
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open_short(&rig);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ | PLX_ONESHOT);
    int queue = rig.backend->nest(rig.queue);
    refuse(ends.read, EVFILT_READ, 1);
    ck_assert_int_eq(rig.backend->wait(rig.queue, &record, 1, 0), 1);
    ck_assert(rig_is_of(&record, target));
    ck_assert(shows(queue));
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    check_calm(&rig, target, queue);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* --- Numbers that became another file's --- */

/* Adding alone would watch whatever file has the number by now. */
START_TEST(a_filter_more_is_not_made_for_a_stranger)
{
    struct ends ends = rig_sockets(), others = rig_sockets();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    int queue = rig.backend->nest(rig.queue);
    int own = kqueue_shim_notes(queue) - 1;
    ck_assert_int_eq(dup2(others.read, ends.read), ends.read);
    int code = rig.backend->modify(rig.queue, target, PLX_READ, PLX_READ | PLX_WRITE);
    ck_assert_int_eq(code, PLX_ERR_NOTFOUND);
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    ck_assert_int_eq(kqueue_shim_notes(queue), own);
    rig_close(&rig);
    rig_close_ends(ends);
    rig_close_ends(others);
}
END_TEST

static int open_folder(void)
{
    return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void check_taken_over(int (*open_stranger)(void))
{
    struct rig rig;
    rig_open(&rig, 8);
    struct ends ends = rig_pipe();
    struct plx__target *target = rig_add(&rig, ends.write, PLX_WRITE);
    close(ends.write); /* the lowest free number now */
    ck_assert_int_eq(open_stranger(), ends.write);
    ck_assert_int_eq(rig.backend->renew(rig.queue, true), PLX_OK);
    int code = rig.backend->add(rig.queue, target, PLX_WRITE);
    ck_assert(code == PLX_ERR_NOTFOUND || code == PLX_ERR_NOSUPPORT);
    rig.backend->settle(rig.queue, true);
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    rig_close(&rig);
    rig_close_ends(ends);
}

/* What cannot be watched at all is no reason for a child to live without its context. */
START_TEST(a_child_is_not_stopped_by_a_stranger)
{
    check_taken_over(open_folder);
    check_taken_over(kqueue);
}
END_TEST

/* The queue is not inherited, and its number may be another file's in the child. */
START_TEST(a_child_does_not_close_the_number_of_its_parents_queue)
{
    int status;
    struct ends ends = rig_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    int queue = rig.backend->nest(rig.queue);
    pid_t child = fork();
    if (child == 0) {
        bool is_taken = dup2(ends.read, queue) == queue;
        rig.backend->close(rig.queue);
        _exit(is_taken && fcntl(queue, F_GETFD) >= 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* --- Two filters, one watcher --- */

/* In the hostile build a batch has no room for two. */
static bool is_roomy(int capacity)
{
    return capacity <= PLX__BATCH;
}

/* Three sockets that are ready both ways; each is to come once in three records. */
static void check_turns(uint32_t want, bool is_over)
{
    enum { COUNT = 3 };
    struct ends ends[COUNT];
    struct plx__target *targets[COUNT];
    struct plx__record record;
    struct rig rig;
    rig_open(&rig, COUNT);
    for (int i = 0; i < COUNT; i++) {
        ends[i] = rig_sockets();
        ck_assert_int_eq(write(ends[i].write, "x", 1), 1);
        targets[i] = rig_add(&rig, ends[i].read, want);
        if (is_over)
            close(ends[i].write);
    }
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(rig_wait(&rig, &record, 1), 1);
        ck_assert(rig_is_of(&record, targets[i]));
        ck_assert_uint_eq(record.events, rig_oracle(ends[i].read, want));
    }
    rig_close(&rig);
    for (int i = 0; i < COUNT; i++)
        rig_close_ends(ends[i]);
}

START_TEST(both_directions_are_one_turn)
{
    check_turns(PLX_READ | PLX_WRITE | PLX_EDGE, false);
    check_turns(PLX_READ | PLX_WRITE | PLX_EDGE, true);
    check_turns(PLX_READ | PLX_WRITE, true);
    check_turns(PLX_RDHUP | PLX_WRITE, true);
}
END_TEST

/* An edge that had to stand back is not lost: it comes when nobody else is left. */
START_TEST(who_stood_back_is_told_if_there_is_room)
{
    struct ends ends = rig_sockets(), others = rig_readable_pipe();
    struct plx__record records[2];
    struct rig rig;
    if (!is_roomy(2))
        return;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ | PLX_WRITE | PLX_EDGE);
    ck_assert_int_eq(write(ends.write, "x", 1), 1);
    ck_assert_int_eq(rig_wait(&rig, records, 1), 1);
    ck_assert_uint_eq(records[0].events, PLX_READ | PLX_WRITE);
    struct plx__target *other = rig_add(&rig, others.read, PLX_READ);
    ck_assert_int_eq(rig_wait(&rig, records, 2), 2);
    ck_assert(rig_is_of(&records[0], other));
    ck_assert(rig_is_of(&records[1], target));
    rig_close(&rig);
    rig_close_ends(ends);
    rig_close_ends(others);
}
END_TEST

/*
 * A full batch, of which one record turns out to tell nothing: then the kernel is asked once more.
 * What it adds to a record of the first round is masked as that was (clause B6).
 */
START_TEST(what_comes_late_is_masked_as_well)
{
    struct ends silent = rig_pipe(), ends = rig_sockets();
    struct plx__record records[2];
    struct rig rig;
    if (!is_roomy(2))
        return;
    rig_open_short(&rig);
    close(silent.write);
    rig_add(&rig, silent.read, PLX_WRITE);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_WRITE | PLX_RDHUP);
    ck_assert_int_eq(shutdown(ends.write, SHUT_WR), 0);
    short_of.is_blind = true;
    ck_assert_int_eq(rig_wait(&rig, records, 2), 1);
    ck_assert(rig_is_of(&records[0], target));
    ck_assert_uint_eq(records[0].events, PLX_WRITE | PLX_RDHUP);
    rig_close(&rig);
    close(silent.read);
    rig_close_ends(ends);
}
END_TEST

/* --- Kernels without EVFILT_USER --- */

static void play_without_user(struct rig *rig)
{
    static struct kqueue_traits old;
    old = kqueue_shim_netbsd;
    old.has_user = false;
    kqueue_shim_play(&old);
    rig_open(rig, 8);
}

static void check_wake(struct rig *rig)
{
    struct plx__record record;
    ck_assert_int_eq(rig->backend->wait(rig->queue, &record, 1, PLX_FOREVER), 1);
    ck_assert(rig_is_wake(&record));
    ck_assert_int_eq(rig->backend->wait(rig->queue, &record, 1, 0), 0);
}

START_TEST(without_user_events_a_pipe_wakes)
{
    enum { MORE_THAN_A_PIPE_HOLDS = 100000 };
    struct rig rig;
    play_without_user(&rig);
    rig.backend->wake(rig.queue);
    check_wake(&rig);
    for (int i = 0; i < MORE_THAN_A_PIPE_HOLDS; i++)
        rig.backend->wake(rig.queue);
    check_wake(&rig);
    rig.backend->wake(rig.queue);
    check_wake(&rig);
    ck_assert_int_eq(rig.backend->nest(rig.queue), PLX_ERR_NOSUPPORT);
    ck_assert_int_eq(rig.backend->renew(rig.queue, true), PLX_OK);
    rig.backend->settle(rig.queue, true);
    rig.backend->wake(rig.queue);
    check_wake(&rig);
    rig_close(&rig);
}
END_TEST

/* Neither end is to be inherited by what the process executes, and neither is to block. */
START_TEST(without_user_events_the_pipe_is_the_queues_own)
{
    struct rig rig;
    int before = rig_descriptors(), ends = 0;
    play_without_user(&rig);
    for (int fd = 0; fd < RIG_DESCRIPTORS; fd++) {
        if (fcntl(fd, F_GETFD) != FD_CLOEXEC || !(fcntl(fd, F_GETFL) & O_NONBLOCK))
            continue;
        struct plx__target *target = rig_target(&rig, fd);
        ends += rig.backend->add(rig.queue, target, PLX_READ) == PLX_ERR_INVALID;
    }
    ck_assert_int_eq(ends, 2);
    rig_close(&rig);
    ck_assert_int_eq(rig_descriptors(), before);
}
END_TEST

START_TEST(without_user_events_and_a_pipe_there_is_no_queue)
{
    struct rig rig;
    struct plx__queue *queue = NULL;
    play_without_user(&rig);
    int before = rig_descriptors();
    plx__kqueue_calls.pipe = short_pipe;
    ck_assert_int_eq(rig.backend->open(&queue, &rig.memory.allocator, 8), PLX_ERR_TOOBIG);
    ck_assert_int_eq(errno, EMFILE);
    ck_assert(queue == NULL);
    ck_assert_int_eq(rig_descriptors(), before);
    rig_close(&rig);
}
END_TEST

/* --- Both personalities --- */

static void play_freebsd(void)
{
    rig_use_kqueue();
    kqueue_shim_play(&kqueue_shim_freebsd);
}

static void play_netbsd(void)
{
    rig_use_kqueue();
    kqueue_shim_play(&kqueue_shim_netbsd);
}

static TCase *case_of(const char *name, SFun play)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, play, NULL);
    tcase_add_test(tests, every_refusal_of_a_descriptor_is_heard);
    tcase_add_test(tests, what_memory_was_short_for_is_still_watched);
    tcase_add_test(tests, what_memory_was_short_for_shows_in_a_nested_queue);
    tcase_add_test(tests, what_a_nested_wait_could_not_change_shows);
    tcase_add_test(tests, a_filter_more_is_not_made_for_a_stranger);
    tcase_add_test(tests, a_child_is_not_stopped_by_a_stranger);
    tcase_add_test(tests, a_child_does_not_close_the_number_of_its_parents_queue);
    tcase_add_test(tests, both_directions_are_one_turn);
    tcase_add_test(tests, who_stood_back_is_told_if_there_is_room);
    tcase_add_test(tests, what_comes_late_is_masked_as_well);
    tcase_add_test(tests, without_user_events_a_pipe_wakes);
    tcase_add_test(tests, without_user_events_the_pipe_is_the_queues_own);
    tcase_add_test(tests, without_user_events_and_a_pipe_there_is_no_queue);
    return tests;
}

Suite *kqueue_suite(void)
{
    Suite *suite = suite_create("kqueue");
    suite_add_tcase(suite, case_of("freebsd", play_freebsd));
    suite_add_tcase(suite, case_of("netbsd", play_netbsd));
    return suite;
}
