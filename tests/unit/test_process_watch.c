/* SPDX-License-Identifier: MIT */
/*
 * test_process_watch.c: watchers of processes where the kernel has no descriptors for them, before
 * Linux 5.3 and under old seccomp filters. SIGCHLD tells of children then, and of nobody else. With
 * descriptors the cases are those of tests/conformance.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pollux.h>

#include "require.h"
#include "rig.h"
#include "src/os/process.h"
#include "suites.h"

enum { UNTOUCHED = -77 };

static const plx_duration patience = PLX_SECONDS(30), short_while = PLX_MS(10);

static int open_without_descriptors(int pid)
{
    (void)pid;
    errno = ENOSYS;
    return -1;
}

static int open_under_a_filter(int pid)
{
    (void)pid;
    errno = EPERM;
    return -1;
}

static plx_context *context_open(void)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    plx_context *context;
    options.backend = rig_backend->id;
    plx__process_calls.open = open_without_descriptors;
    REQUIRE(plx_context_create(&context, &options) == PLX_OK);
    return context;
}

/* --- Children: they live until there is a word for them --- */

struct child {
    pid_t pid;
    struct ends word;
};

static void live_until_told(int word, int status)
{
    struct pollfd entry = {.fd = word, .events = POLLIN};
    while (poll(&entry, 1, -1) < 0)
        continue;
    _exit(status);
}

/* Children with the same word end together. */
static struct child child_with(struct ends word, int status)
{
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0)
        live_until_told(word.read, status);
    return (struct child){pid, word};
}

static struct child child_start(int status)
{
    return child_with(rig_pipe(), status);
}

/* Sleeps until it has ended, and leaves it uncollected. */
static void until_ended(pid_t pid)
{
    siginfo_t info;
    int result;
    do
        result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    while (result < 0 && errno == EINTR);
    REQUIRE(result == 0);
}

static void child_end(struct child child)
{
    REQUIRE(write(child.word.write, "", 1) == 1);
    until_ended(child.pid);
}

static int collect(pid_t pid)
{
    int status;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    return status;
}

/* --- What a case says --- */

static plx_watcher *watch(plx_context *context, pid_t pid)
{
    plx_watcher *watcher = NULL;
    REQUIRE(plx_context_add(context, plx_process(pid), PLX_PROCESS, NULL, &watcher) == PLX_OK);
    return watcher;
}

static void is_refused(plx_context *context, int64_t pid, int code)
{
    plx_watcher *watcher = NULL;
    ck_assert_int_eq(plx_context_add(context, plx_process(pid), PLX_PROCESS, NULL, &watcher), code);
    ck_assert_ptr_null(watcher);
    ck_assert_uint_eq(plx_context_count(context), 0);
}

static void reports(plx_context *context, const plx_watcher *watcher)
{
    plx_watcher *ready[4];
    ck_assert_int_eq(plx_context_wait(context, ready, 4, patience), 1);
    ck_assert_ptr_eq(ready[0], watcher);
    ck_assert_uint_eq(plx_watcher_triggered(watcher), PLX_PROCESS);
}

static void is_quiet(plx_context *context)
{
    plx_watcher *ready[1];
    ck_assert_int_eq(plx_context_wait(context, ready, 1, short_while), 0);
}

static void has_exited(const plx_watcher *watcher, int expected)
{
    int status = UNTOUCHED;
    ck_assert_int_eq(plx_watcher_exit_status(watcher, &status), PLX_OK);
    ck_assert_int_eq(status, W_EXITCODE(expected, 0));
}

static void has_no_status(const plx_watcher *watcher, int code)
{
    int status = UNTOUCHED;
    ck_assert_int_eq(plx_watcher_exit_status(watcher, &status), code);
    ck_assert_int_eq(status, UNTOUCHED);
}

static void (*sigchld_handler(void))(int)
{
    struct sigaction present;
    REQUIRE(sigaction(SIGCHLD, NULL, &present) == 0);
    return present.sa_handler;
}

/* --- One child --- */

START_TEST(a_child_is_reported_once_it_has_ended)
{
    plx_context *context = context_open();
    int descriptors = rig_descriptors();
    if (_i)
        plx__process_calls.open = open_under_a_filter;
    struct child child = child_start(5);
    plx_watcher *watcher = watch(context, child.pid);
    is_quiet(context);
    has_no_status(watcher, PLX_ERR_AGAIN);
    ck_assert_int_eq(rig_descriptors(), descriptors + 2); /* the word alone */
    child_end(child);
    reports(context, watcher);
    has_exited(watcher, 5);
    is_quiet(context);
    ck_assert_int_eq(collect(child.pid), W_EXITCODE(5, 0));
    has_exited(watcher, 5);
    plx_context_destroy(context);
}
END_TEST

START_TEST(a_child_that_had_ended_before_is_reported)
{
    plx_context *context = context_open();
    struct child child = child_start(6);
    child_end(child);
    plx_watcher *watcher = watch(context, child.pid);
    has_no_status(watcher, PLX_ERR_AGAIN);
    reports(context, watcher);
    has_exited(watcher, 6);
    plx_context_destroy(context);
    collect(child.pid);
}
END_TEST

START_TEST(an_end_during_the_sleep_is_reported)
{
    plx_context *context = context_open();
    for (int i = 0; i < 20; i++) {
        struct child child = child_start(i);
        plx_watcher *watcher = watch(context, child.pid);
        REQUIRE(write(child.word.write, "", 1) == 1);
        reports(context, watcher);
        has_exited(watcher, i);
        ck_assert_int_eq(plx_watcher_remove(watcher), PLX_OK);
        collect(child.pid);
        rig_close_ends(child.word);
    }
    plx_context_destroy(context);
}
END_TEST

START_TEST(a_child_that_somebody_has_collected_has_no_status)
{
    plx_context *context = context_open();
    struct child child = child_start(5);
    plx_watcher *watcher = watch(context, child.pid);
    child_end(child);
    collect(child.pid);
    reports(context, watcher);
    has_no_status(watcher, PLX_ERR_NOTFOUND);
    is_quiet(context);
    ck_assert_int_eq(plx_watcher_modify(watcher, PLX_PROCESS), PLX_OK);
    reports(context, watcher);
    has_no_status(watcher, PLX_ERR_NOTFOUND);
    plx_context_destroy(context);
}
END_TEST

START_TEST(modify_reports_again)
{
    plx_context *context = context_open();
    struct child child = child_start(5);
    plx_watcher *watcher = watch(context, child.pid);
    ck_assert_int_eq(plx_watcher_modify(watcher, PLX_PROCESS | PLX_ONESHOT), PLX_OK);
    is_quiet(context);
    child_end(child);
    reports(context, watcher);
    collect(child.pid);
    for (int i = 0; i < 3; i++) {
        is_quiet(context);
        ck_assert_int_eq(plx_watcher_modify(watcher, PLX_PROCESS), PLX_OK);
        reports(context, watcher);
        has_exited(watcher, 5);
    }
    plx_context_destroy(context);
}
END_TEST

/* SIGCHLD comes for these as well. */
START_TEST(a_child_that_stops_and_goes_on_has_not_ended)
{
    plx_context *context = context_open();
    struct child child = child_start(5);
    plx_watcher *watcher = watch(context, child.pid);
    int status;
    kill(child.pid, SIGSTOP);
    ck_assert_int_eq(waitpid(child.pid, &status, WUNTRACED), child.pid);
    is_quiet(context);
    kill(child.pid, SIGCONT);
    ck_assert_int_eq(waitpid(child.pid, &status, WCONTINUED), child.pid);
    is_quiet(context);
    has_no_status(watcher, PLX_ERR_AGAIN);
    child_end(child);
    reports(context, watcher);
    plx_context_destroy(context);
    collect(child.pid);
}
END_TEST

START_TEST(a_removed_watcher_is_silent)
{
    plx_context *context = context_open();
    struct child child = child_start(5);
    plx_watcher *running = watch(context, child.pid), *stays = watch(context, child.pid);
    ck_assert_int_eq(plx_watcher_remove(running), PLX_OK);
    is_quiet(context);
    plx_watcher *ended = watch(context, child.pid);
    child_end(child);
    ck_assert_int_eq(plx_watcher_remove(ended), PLX_OK);
    reports(context, stays);
    is_quiet(context);
    plx_context_destroy(context);
    collect(child.pid);
}
END_TEST

START_TEST(an_end_shows_outside)
{
    plx_context *context = context_open();
    int outer = plx_context_fd(context);
    ck_assert_int_ge(outer, 0);
    struct child child = child_start(5);
    plx_watcher *watcher = watch(context, child.pid);
    is_quiet(context);
    ck_assert_uint_eq(rig_oracle(outer, PLX_READ), 0);
    child_end(child);
    ck_assert_uint_eq(rig_oracle(outer, PLX_READ), PLX_READ);
    reports(context, watcher);
    ck_assert_uint_eq(rig_oracle(outer, PLX_READ), 0);
    ck_assert_int_eq(plx_watcher_modify(watcher, PLX_PROCESS), PLX_OK);
    ck_assert_uint_eq(rig_oracle(outer, PLX_READ), PLX_READ);
    plx_context_destroy(context);
    collect(child.pid);
}
END_TEST

/* --- Many --- */

START_TEST(children_are_told_apart)
{
    enum { CHILDREN = 12 };
    plx_context *context = context_open();
    struct child children[CHILDREN], stranger = child_start(99);
    plx_watcher *watchers[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = child_start(i);
        watchers[i] = watch(context, children[i].pid);
    }
    is_quiet(context);
    for (int i = 0; i < CHILDREN; i++) {
        int which = i * 5 % CHILDREN;
        child_end(children[which]);
        reports(context, watchers[which]);
        has_exited(watchers[which], which);
        is_quiet(context);
    }
    child_end(stranger); /* nobody watches it */
    is_quiet(context);
    plx_context_destroy(context);
    collect(stranger.pid);
    for (int i = 0; i < CHILDREN; i++)
        ck_assert_int_eq(collect(children[i].pid), W_EXITCODE(i, 0));
}
END_TEST

/* The kernel makes one SIGCHLD of many. */
START_TEST(children_that_end_together_are_all_reported)
{
    enum { CHILDREN = 200 };
    plx_context *context = context_open();
    struct ends word = rig_pipe();
    struct child children[CHILDREN];
    int counts[CHILDREN] = {0};
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = child_with(word, i);
        plx_watcher_set_data(watch(context, children[i].pid), &counts[i]);
    }
    REQUIRE(write(word.write, "", 1) == 1);
    for (int left = CHILDREN; left > 0;) {
        plx_watcher *ready[7];
        int count = plx_context_wait(context, ready, 7, patience);
        REQUIRE(count > 0);
        for (int i = 0; i < count; i++)
            ++*(int *)plx_watcher_data(ready[i]);
        left -= count;
    }
    is_quiet(context);
    for (int i = 0; i < CHILDREN; i++) {
        ck_assert_int_eq(counts[i], 1);
        ck_assert_int_eq(collect(children[i].pid), W_EXITCODE(i, 0));
    }
    plx_context_destroy(context);
}
END_TEST

START_TEST(every_watcher_of_a_child_is_told)
{
    plx_context *context = context_open(), *other = context_open();
    struct child child = child_start(5);
    plx_watcher *there = watch(other, child.pid), *ready[4];
    watch(context, child.pid);
    watch(context, child.pid);
    child_end(child);
    ck_assert_int_eq(plx_context_wait(context, ready, 4, patience), 2);
    plx_context_destroy(context);
    reports(other, there);
    has_exited(there, 5);
    plx_context_destroy(other);
    collect(child.pid);
}
END_TEST

/* --- Who cannot be watched --- */

START_TEST(only_children_can_be_watched)
{
    plx_context *context = context_open();
    struct child former = child_start(0);
    child_end(former);
    collect(former.pid);
    void (*before)(int) = sigchld_handler();
    is_refused(context, getppid(), PLX_ERR_NOSUPPORT);
    is_refused(context, getpid(), PLX_ERR_NOSUPPORT);
    is_refused(context, former.pid, PLX_ERR_NOTFOUND);
    is_refused(context, INT64_MAX, PLX_ERR_NOTFOUND);
    is_refused(context, 0, PLX_ERR_INVALID);
    is_refused(context, -1, PLX_ERR_INVALID);
    ck_assert(sigchld_handler() == before);
    is_quiet(context);
    plx_context_destroy(context);
}
END_TEST

/* --- SIGCHLD is also the user's --- */

static volatile sig_atomic_t notes;

static void note(int signo)
{
    (void)signo;
    notes++;
}

START_TEST(the_handler_of_sigchld_comes_back)
{
    struct sigaction action = {.sa_handler = note};
    ck_assert_int_eq(sigaction(SIGCHLD, &action, NULL), 0);
    plx_context *context = context_open();
    struct child child = child_start(5), last = child_start(6);
    plx_watcher *watcher = watch(context, child.pid);
    ck_assert(sigchld_handler() != note);
    ck_assert_int_eq(plx_watcher_remove(watcher), PLX_OK);
    ck_assert(sigchld_handler() == note);
    watch(context, child.pid);
    child_end(child);
    collect(child.pid);
    ck_assert_int_eq(notes, 0);
    plx_context_destroy(context); /* with that end unreported */
    ck_assert(sigchld_handler() == note);
    child_end(last);
    collect(last.pid);
    ck_assert_int_eq(notes, 1);
}
END_TEST

START_TEST(sigchld_can_be_watched_beside)
{
    plx_context *context = context_open();
    struct child child = child_start(5);
    plx_watcher *watcher = watch(context, child.pid), *signals = NULL, *ready[4];
    ck_assert_int_eq(plx_context_add(context, plx_signal(SIGCHLD), PLX_SIGNAL, NULL, &signals),
                     PLX_OK);
    child_end(child);
    ck_assert_int_eq(plx_context_wait(context, ready, 4, patience), 2);
    ck_assert_uint_eq(plx_watcher_count(signals), 1);
    ck_assert_uint_eq(plx_watcher_count(watcher), 0);
    has_exited(watcher, 5);
    plx_context_destroy(context);
    collect(child.pid);
}
END_TEST

/* --- Fork --- */

/* Runs in a child, which tells by its status how it went. */
static bool forked_child_watches(plx_context *context, plx_watcher *sibling,
                                 struct child *of_parent)
{
    plx_watcher *ready[1];
    int status;
    if (plx_watcher_exit_status(sibling, &status) != PLX_ERR_FORKED ||
        plx_context_after_fork(context) != PLX_OK)
        return false;
    struct child own = child_start(8);
    plx_watcher *watcher = NULL;
    if (plx_context_add(context, plx_process(own.pid), PLX_PROCESS, NULL, &watcher) != PLX_OK)
        return false;
    REQUIRE(write(of_parent->word.write, "", 1) == 1); /* of its end nobody tells here */
    child_end(own);
    return plx_context_wait(context, ready, 1, patience) == 1 && ready[0] == watcher &&
           plx_context_wait(context, ready, 1, short_while) == 0 &&
           plx_watcher_exit_status(watcher, &status) == PLX_OK && WEXITSTATUS(status) == 8 &&
           plx_watcher_exit_status(sibling, &status) == PLX_ERR_AGAIN && collect(own.pid) != -1;
}

START_TEST(after_a_fork_each_has_its_own_children)
{
    plx_context *context = context_open();
    struct child child = child_start(5);
    plx_watcher *watcher = watch(context, child.pid);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(forked_child_watches(context, watcher, &child) ? 0 : 1);
    reports(context, watcher);
    has_exited(watcher, 5);
    ck_assert_int_eq(collect(pid), 0);
    is_quiet(context);
    plx_context_destroy(context);
    collect(child.pid);
}
END_TEST

static TCase *case_of(const char *name, SFun use)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, use, NULL);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_child_is_reported_once_it_has_ended, 0, 2);
    tcase_add_test(tests, a_child_that_had_ended_before_is_reported);
    tcase_add_test(tests, an_end_during_the_sleep_is_reported);
    tcase_add_test(tests, a_child_that_somebody_has_collected_has_no_status);
    tcase_add_test(tests, modify_reports_again);
    tcase_add_test(tests, a_child_that_stops_and_goes_on_has_not_ended);
    tcase_add_test(tests, a_removed_watcher_is_silent);
    tcase_add_test(tests, children_are_told_apart);
    tcase_add_test(tests, children_that_end_together_are_all_reported);
    tcase_add_test(tests, every_watcher_of_a_child_is_told);
    tcase_add_test(tests, only_children_can_be_watched);
    tcase_add_test(tests, the_handler_of_sigchld_comes_back);
    tcase_add_test(tests, sigchld_can_be_watched_beside);
    tcase_add_test(tests, after_a_fork_each_has_its_own_children);
    return tests;
}

Suite *process_watch_suite(void)
{
    Suite *suite = suite_create("process_watch");
    TCase *epoll = case_of("epoll", rig_use_epoll);
    tcase_add_test(epoll, an_end_shows_outside);
    suite_add_tcase(suite, epoll);
    suite_add_tcase(suite, case_of("poll", rig_use_poll));
    return suite;
}
