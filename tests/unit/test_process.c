/* SPDX-License-Identifier: MIT */
/*
 * test_process.c: the end of a process shows, its status can be asked for, and it stays to be
 * collected. Older kernels are played at the table of calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pollux/error.h>

#include "src/os/process.h"
#include "suites.h"

enum { UNTOUCHED = -77 };

/* A child that lives until it is told to go, and then ends with a status. */
struct child {
    pid_t pid;
    int word;
};

static struct child child_start(int status)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        char byte;
        close(ends[1]);
        while (read(ends[0], &byte, 1) < 0)
            continue;
        _exit(status);
    }
    close(ends[0]);
    return (struct child){pid, ends[1]};
}

/* Sleeps until the child has finished, and leaves it uncollected. */
static void child_end(struct child child)
{
    siginfo_t info;
    ck_assert_int_eq(write(child.word, "", 1), 1); /* a sibling may have a copy: no use in close */
    close(child.word);
    ck_assert_int_eq(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
}

static int child_collect(struct child child)
{
    int status;
    ck_assert_int_eq(waitpid(child.pid, &status, 0), child.pid);
    return status;
}

/* A number that was a process and is none now. */
static pid_t former_process(void)
{
    struct child child = child_start(0);
    child_end(child);
    child_collect(child);
    return child.pid;
}

static bool is_readable(int descriptor)
{
    struct pollfd entry = {.fd = descriptor, .events = POLLIN};
    return poll(&entry, 1, 0) == 1 && entry.revents & POLLIN;
}

static int open_process(pid_t pid)
{
    int descriptor = plx__process_open(pid);
    ck_assert_int_ge(descriptor, 0);
    return descriptor;
}

static void is_refused(int64_t pid, int descriptor, int code)
{
    int status = UNTOUCHED;
    ck_assert_int_eq(plx__process_status(pid, descriptor, &status), code);
    ck_assert_int_eq(status, UNTOUCHED);
}

/* By descriptor and by number, more than once, and it is there to be collected all the same. */
static void ends_with(struct child child, int descriptor, int expected)
{
    for (int i = 0; i < 4; i++) {
        int status = UNTOUCHED;
        ck_assert_int_eq(plx__process_status(child.pid, i % 2 ? descriptor : -1, &status), PLX_OK);
        ck_assert_int_eq(status, expected);
    }
    ck_assert_int_eq(child_collect(child), expected);
}

START_TEST(a_running_child_has_no_status)
{
    struct child child = child_start(0);
    int descriptor = open_process(child.pid);
    ck_assert_int_eq(fcntl(descriptor, F_GETFD), FD_CLOEXEC);
    ck_assert(!is_readable(descriptor));
    ck_assert(plx__process_exists(child.pid));
    is_refused(child.pid, descriptor, PLX_ERR_AGAIN);
    is_refused(child.pid, -1, PLX_ERR_AGAIN);
    child_end(child);
    child_collect(child);
    close(descriptor);
}
END_TEST

START_TEST(a_child_that_exits_tells_its_code)
{
    const int codes[] = {0, 1, 127, 128, 255};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct child child = child_start(codes[i]);
        int descriptor = open_process(child.pid);
        child_end(child);
        ck_assert(is_readable(descriptor));
        ends_with(child, descriptor, W_EXITCODE(codes[i], 0));
        close(descriptor);
    }
}
END_TEST

START_TEST(a_child_that_is_killed_tells_its_signal)
{
    struct child child = child_start(0);
    int descriptor = open_process(child.pid);
    siginfo_t info;
    ck_assert_int_eq(kill(child.pid, SIGKILL), 0);
    ck_assert_int_eq(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
    close(child.word);
    ck_assert(is_readable(descriptor));
    ends_with(child, descriptor, W_EXITCODE(0, SIGKILL));
    close(descriptor);
}
END_TEST

START_TEST(a_finished_child_is_found)
{
    struct child child = child_start(5);
    child_end(child);
    ck_assert(plx__process_exists(child.pid));
    int descriptor = open_process(child.pid);
    ck_assert(is_readable(descriptor));
    ends_with(child, descriptor, W_EXITCODE(5, 0));
    close(descriptor);
}
END_TEST

START_TEST(a_collected_child_is_not_found)
{
    struct child child = child_start(5);
    int descriptor = open_process(child.pid);
    child_end(child);
    child_collect(child);
    ck_assert(is_readable(descriptor));
    is_refused(child.pid, descriptor, PLX_ERR_NOTFOUND);
    is_refused(child.pid, -1, PLX_ERR_NOTFOUND);
    ck_assert(!plx__process_exists(child.pid));
    ck_assert_int_eq(plx__process_open(child.pid), PLX_ERR_NOTFOUND);
    close(descriptor);
}
END_TEST

START_TEST(the_kernel_collects_a_child_whose_end_is_ignored)
{
    ck_assert(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    struct child child = child_start(5);
    int descriptor = open_process(child.pid);
    close(child.word);
    struct pollfd end = {.fd = descriptor, .events = POLLIN};
    ck_assert_int_eq(poll(&end, 1, -1), 1);
    is_refused(child.pid, descriptor, PLX_ERR_NOTFOUND);
    close(descriptor);
}
END_TEST

/* The parent of this very test is such a process. */
START_TEST(somebody_elses_child_can_be_watched_but_not_asked)
{
    int descriptor = open_process(getppid());
    ck_assert(!is_readable(descriptor));
    ck_assert(plx__process_exists(getppid()));
    is_refused(getppid(), descriptor, PLX_ERR_NOTFOUND);
    is_refused(getppid(), -1, PLX_ERR_NOTFOUND);
    close(descriptor);
}
END_TEST

START_TEST(numbers_that_no_process_has_are_refused)
{
    const int64_t beyond[] = {(INT64_C(1) << 32) + getpid(), (int64_t)INT_MAX + 1, INT64_MAX};
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        ck_assert_int_eq(plx__process_open(beyond[i]), PLX_ERR_NOTFOUND);
        is_refused(beyond[i], -1, PLX_ERR_NOTFOUND);
        ck_assert(!plx__process_exists(beyond[i]));
    }
    const int64_t never[] = {0, -1, -getpid(), INT64_MIN, -(INT64_C(1) << 32) + getpid()};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        ck_assert_int_eq(plx__process_open(never[i]), PLX_ERR_INVALID);
        is_refused(never[i], -1, PLX_ERR_INVALID);
        ck_assert(!plx__process_exists(never[i]));
    }
}
END_TEST

static void *is_no_process(void *argument)
{
    int *code = argument;
    pid_t thread = (pid_t)syscall(SYS_gettid);
    *code = plx__process_exists(thread) ? PLX_OK : plx__process_open(thread);
    return NULL;
}

START_TEST(a_thread_is_no_process)
{
    pthread_t thread;
    int code = UNTOUCHED;
    ck_assert_int_eq(pthread_create(&thread, NULL, is_no_process, &code), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(code, PLX_ERR_NOTFOUND);
}
END_TEST

/* --- Other kernels --- */

static int refusal;

static int refuse_to_open(int pid)
{
    (void)pid;
    errno = refusal;
    return -1;
}

static int refuse_to_probe(int pid)
{
    (void)pid;
    errno = refusal;
    return -1;
}

static const int without[] = {ENOSYS, EPERM};

START_TEST(a_kernel_without_descriptors_still_knows_who_is_there)
{
    refusal = without[_i];
    plx__process_calls.open = refuse_to_open;
    ck_assert_int_eq(plx__process_open(getpid()), PLX_ERR_NOSUPPORT);
    ck_assert_int_eq(plx__process_open(former_process()), PLX_ERR_NOTFOUND);
    struct child child = child_start(5);
    child_end(child);
    ck_assert_int_eq(plx__process_open(child.pid), PLX_ERR_NOSUPPORT);
    ends_with(child, -1, W_EXITCODE(5, 0));
}
END_TEST

static const struct {
    int error, code;
} refusals[] = {
    {ESRCH, PLX_ERR_NOTFOUND}, {EINVAL, PLX_ERR_NOTFOUND}, {ENOENT, PLX_ERR_NOTFOUND},
    {EMFILE, PLX_ERR_TOOBIG},  {ENFILE, PLX_ERR_TOOBIG},   {ENOMEM, PLX_ERR_NOMEM},
    {ENODEV, PLX_ERR_SYSTEM},
};

START_TEST(every_refusal_has_its_code)
{
    refusal = refusals[_i].error;
    plx__process_calls.open = refuse_to_open;
    ck_assert_int_eq(plx__process_open(getpid()), refusals[_i].code);
    ck_assert_int_eq(errno, refusal);
}
END_TEST

START_TEST(a_process_that_may_not_be_signalled_is_there)
{
    plx__process_calls.probe = refuse_to_probe;
    refusal = EPERM;
    ck_assert(plx__process_exists(former_process()));
    refusal = ESRCH;
    ck_assert(!plx__process_exists(getpid()));
}
END_TEST

static int (*real_look)(int kind, int id, siginfo_t *ret_info);

static int look_as_in_5_3(int kind, int id, siginfo_t *ret_info)
{
    if (kind == P_PID)
        return real_look(kind, id, ret_info);
    errno = EINVAL;
    return -1;
}

START_TEST(a_kernel_that_waits_for_no_descriptor_is_asked_by_number)
{
    real_look = plx__process_calls.look;
    plx__process_calls.look = look_as_in_5_3;
    struct child child = child_start(5);
    int descriptor = open_process(child.pid);
    is_refused(child.pid, descriptor, PLX_ERR_AGAIN);
    child_end(child);
    ends_with(child, descriptor, W_EXITCODE(5, 0));
    close(descriptor);
}
END_TEST

static bool is_asked_by_number;

static int look_by_descriptor(int kind, int id, siginfo_t *ret_info)
{
    is_asked_by_number |= kind == P_PID;
    return real_look(kind, id, ret_info);
}

/* The number may belong to another child by now; what the descriptor says is final. */
START_TEST(a_descriptor_is_asked_alone)
{
    real_look = plx__process_calls.look;
    plx__process_calls.look = look_by_descriptor;
    struct child gone = child_start(5), other = child_start(6);
    int descriptor = open_process(gone.pid);
    child_end(gone);
    child_end(other);
    child_collect(gone);
    is_refused(other.pid, descriptor, PLX_ERR_NOTFOUND);
    ck_assert(!is_asked_by_number);
    child_collect(other);
    close(descriptor);
}
END_TEST

static int look_at_a_core(int kind, int id, siginfo_t *ret_info)
{
    (void)kind;
    ret_info->si_pid = id;
    ret_info->si_code = CLD_DUMPED;
    ret_info->si_status = SIGSEGV;
    return 0;
}

/* Whether a real one leaves a core is the administrator's choice. */
START_TEST(a_core_is_told)
{
    int status = UNTOUCHED;
    plx__process_calls.look = look_at_a_core;
    ck_assert_int_eq(plx__process_status(getpid(), -1, &status), PLX_OK);
    ck_assert(WIFSIGNALED(status) && WCOREDUMP(status));
    ck_assert_int_eq(WTERMSIG(status), SIGSEGV);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *process_suite(void)
{
    Suite *suite = suite_create("process");
    TCase *tests = tcase_create("process");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_running_child_has_no_status);
    tcase_add_test(tests, a_child_that_exits_tells_its_code);
    tcase_add_test(tests, a_child_that_is_killed_tells_its_signal);
    tcase_add_test(tests, a_finished_child_is_found);
    tcase_add_test(tests, a_collected_child_is_not_found);
    tcase_add_test(tests, the_kernel_collects_a_child_whose_end_is_ignored);
    tcase_add_test(tests, somebody_elses_child_can_be_watched_but_not_asked);
    tcase_add_test(tests, numbers_that_no_process_has_are_refused);
    tcase_add_test(tests, a_thread_is_no_process);
    tcase_add_loop_test(tests, a_kernel_without_descriptors_still_knows_who_is_there, 0,
                        COUNT(without));
    tcase_add_loop_test(tests, every_refusal_has_its_code, 0, COUNT(refusals));
    tcase_add_test(tests, a_process_that_may_not_be_signalled_is_there);
    tcase_add_test(tests, a_kernel_that_waits_for_no_descriptor_is_asked_by_number);
    tcase_add_test(tests, a_descriptor_is_asked_alone);
    tcase_add_test(tests, a_core_is_told);
    suite_add_tcase(suite, tests);
    return suite;
}
