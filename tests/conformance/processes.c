/* SPDX-License-Identifier: MIT */
/*
 * processes.c: the end of a process is reported once for each watcher, whoever its parent is and
 * whenever it came; and it stays to be collected (S19).
 *
 * The children here sleep until there is a word for them, or nobody left to say it, and then end as
 * they were told to. A case that goes on only once a child has ended waits for that with waitid(),
 * which leaves it uncollected.
 */
#include "cases.h"

#if SUPPORT_HAS_FORK

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    struct ends word;
    int code;
    long pid;
};

static void live_until_told(void *argument)
{
    const struct child *child = argument;
    struct pollfd word = {child->word.here, POLLIN, 0};

    close(child->word.there);
    while (poll(&word, 1, -1) < 0)
        continue;
    _exit(child->code);
}

static struct child child_that_exits(struct scene *scene, int code)
{
    struct child child = {pipe_pair(scene), code, 0};

    child.pid = child_start(live_until_told, &child);
    return child;
}

static void until_ended(long pid)
{
    siginfo_t info;
    int code;

    do {
        code = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    } while (code < 0 && errno == EINTR);
    CHECK(code == 0);
}

static void end(const struct child *child)
{
    put(child->word.there);
    until_ended(child->pid);
}

/* Returns the status. */
static int collect(long pid)
{
    int status = -1;

    CHECK(waitpid((pid_t)pid, &status, 0) == (pid_t)pid);
    return status;
}

static struct child ended_child(struct scene *scene, int code)
{
    struct child child = child_that_exits(scene, code);

    end(&child);
    return child;
}

/* The number of a process that is no more. */
static long former_process(struct scene *scene)
{
    struct child child = ended_child(scene, 0);

    collect(child.pid);
    return child.pid;
}

static plx_watcher *watch_process(plx_context *context, long pid, uint32_t modes)
{
    plx_watcher *watcher = NULL;

    CHECK_OK(plx_context_add(context, plx_process(pid), PLX_PROCESS | modes, NULL, &watcher));
    CHECK(watcher != NULL);
    return watcher;
}

#define UNTOUCHED (-77)

static void expect_exit(const plx_watcher *watcher, int code)
{
    int status = UNTOUCHED;

    CHECK_OK(plx_watcher_exit_status(watcher, &status));
    CHECK(WIFEXITED(status));
    CHECK_EQUAL(WEXITSTATUS(status), code);
}

static void expect_no_status(const plx_watcher *watcher, int code)
{
    int status = UNTOUCHED;

    CHECK_CODE(plx_watcher_exit_status(watcher, &status), code);
    CHECK_EQUAL(status, UNTOUCHED);
}

/* What older kernels, and Valgrind, cannot do. */
static void skip_without_descriptors(struct scene *scene)
{
    struct child child = child_that_exits(scene, 0);
    size_t before = open_descriptors();
    plx_watcher *watcher = watch_process(scene->context, child.pid, 0);
    bool has_descriptors = open_descriptors() > before;

    CHECK_OK(plx_watcher_remove(watcher));
    end(&child);
    collect(child.pid);
    if (!has_descriptors)
        check_skip("the kernel has no descriptors of processes");
}

/* --- One child --- */

void process_exit_is_reported(struct scene *scene)
{
    struct child child = child_that_exits(scene, 7);
    plx_watcher *watcher = watch_process(scene->context, child.pid, 0);

    EXPECT_NO_SPIN(scene);
    expect_no_status(watcher, PLX_ERR_AGAIN);
    put(child.word.there);
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    expect_exit(watcher, 7);
    EXPECT_NO_SPIN(scene);
    CHECK(plx_watcher_is_active(watcher));
    CHECK_EVENTS(plx_watcher_triggered(watcher), PLX_PROCESS);
    CHECK_EQUAL(plx_watcher_count(watcher), 0);
    collect(child.pid);
}

void process_exit_codes(struct scene *scene)
{
    const int codes[] = {0, 1, 127, 128, 255};

    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct child child = child_that_exits(scene, codes[i]);
        plx_watcher *watcher = watch_process(scene->context, child.pid, 0);

        put(child.word.there);
        EXPECT_REPORT(scene, watcher, PLX_PROCESS);
        expect_exit(watcher, codes[i]);
        CHECK_OK(plx_watcher_remove(watcher));
        CHECK_EQUAL(WEXITSTATUS(collect(child.pid)), codes[i]);
    }
}

void process_killed_by_a_signal(struct scene *scene)
{
    const int signals[] = {SIGKILL, SIGTERM};

    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        struct child child = child_that_exits(scene, 0);
        plx_watcher *watcher = watch_process(scene->context, child.pid, 0);
        int status = UNTOUCHED;

        CHECK(kill((pid_t)child.pid, signals[i]) == 0);
        EXPECT_REPORT(scene, watcher, PLX_PROCESS);
        CHECK_OK(plx_watcher_exit_status(watcher, &status));
        CHECK(WIFSIGNALED(status));
        CHECK_EQUAL(WTERMSIG(status), signals[i]);
        CHECK_EQUAL(collect(child.pid), status);
    }
}

void process_stopped_has_not_ended(struct scene *scene)
{
    struct child child = child_that_exits(scene, 3);
    plx_watcher *watcher = watch_process(scene->context, child.pid, 0);
    int status;

    CHECK(kill((pid_t)child.pid, SIGSTOP) == 0);
    CHECK(waitpid((pid_t)child.pid, &status, WUNTRACED) == (pid_t)child.pid);
    EXPECT_QUIET(scene);
    CHECK(kill((pid_t)child.pid, SIGCONT) == 0);
    CHECK(waitpid((pid_t)child.pid, &status, WCONTINUED) == (pid_t)child.pid);
    EXPECT_QUIET(scene);
    expect_no_status(watcher, PLX_ERR_AGAIN);
    put(child.word.there);
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    expect_exit(watcher, 3);
    collect(child.pid);
}

void process_already_ended(struct scene *scene)
{
    struct child child = ended_child(scene, 5);
    plx_watcher *watcher = watch_process(scene->context, child.pid, 0);

    expect_no_status(watcher, PLX_ERR_AGAIN);
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    expect_exit(watcher, 5);
    EXPECT_NO_SPIN(scene);
    CHECK_EQUAL(WEXITSTATUS(collect(child.pid)), 5);
}

static void say_when_asleep(void *argument)
{
    const struct child *child = argument;

    until_asleep(child->code);
    put(child->word.there);
}

void process_exit_ends_a_sleep(struct scene *scene)
{
    struct child child = child_that_exits(scene, 9);
    struct child when_asleep = {child.word, (int)thread_self(), 0};
    plx_watcher *watcher = watch_process(scene->context, child.pid, 0);
    struct thread *thread = thread_start(say_when_asleep, &when_asleep);

    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
    CHECK(scene->ready[0] == watcher);
    expect_exit(watcher, 9);
    thread_join(thread);
    collect(child.pid);
}

void process_tells_what_it_watches(struct scene *scene)
{
    plx_watcher *watcher;
    plx_handle handle;

    skip_without_descriptors(scene);
    watcher = watch_process(scene->context, getpid(), PLX_ONESHOT);
    handle = plx_watcher_handle(watcher);
    CHECK_EQUAL(handle.kind, PLX_HANDLE_PROCESS);
    CHECK_EQUAL(handle.as.pid, getpid());
    CHECK_EVENTS(plx_watcher_events(watcher), PLX_PROCESS | PLX_ONESHOT);
    CHECK_EVENTS(plx_watcher_triggered(watcher), 0);
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    EXPECT_QUIET(scene); /* one may watch oneself, for what it is worth */
}

/* --- Refusals --- */

static void expect_refusal(struct scene *scene, plx_handle handle, uint32_t events, int code)
{
    size_t before = open_descriptors();
    plx_watcher *watcher = NULL;

    CHECK_CODE(plx_context_add(scene->context, handle, events, NULL, &watcher), code);
    CHECK(watcher == NULL);
    CHECK_EQUAL(plx_context_count(scene->context), 0);
    CHECK_EQUAL(open_descriptors(), before);
}

void process_numbers_that_are_refused(struct scene *scene)
{
    const int64_t never[] = {0, -1, -getpid(), INT64_MIN, -(INT64_C(1) << 32) + getpid()};
    const int64_t far_off[] = {INT32_MAX, (INT64_C(1) << 32) + getpid(), INT64_MAX};

    for (size_t i = 0; i < COUNT_OF(never); i++)
        expect_refusal(scene, plx_process(never[i]), PLX_PROCESS, PLX_ERR_INVALID);
    for (size_t i = 0; i < COUNT_OF(far_off); i++)
        expect_refusal(scene, plx_process(far_off[i]), PLX_PROCESS, PLX_ERR_NOTFOUND);
    expect_refusal(scene, plx_process(former_process(scene)), PLX_PROCESS, PLX_ERR_NOTFOUND);
}

void process_events_that_are_refused(struct scene *scene)
{
    const uint32_t wrong[] = {0,
                              PLX_READ,
                              PLX_HUP,
                              PLX_ONESHOT,
                              PLX_SIGNAL,
                              PLX_PROCESS | PLX_READ,
                              PLX_PROCESS | PLX_EDGE,
                              PLX_PROCESS | 0x10000};
    struct child child = ended_child(scene, 1);
    plx_watcher *watcher;
    int status;

    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        expect_refusal(scene, plx_process(child.pid), wrong[i], PLX_ERR_INVALID);
    expect_refusal(scene, plx_fd(stream_pair(scene).here), PLX_PROCESS, PLX_ERR_INVALID);
    watcher = watch_process(scene->context, child.pid, 0);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        CHECK_CODE(plx_watcher_modify(watcher, wrong[i]), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_again(watcher, 0), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_notify(watcher), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_exit_status(watcher, NULL), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_exit_status(NULL, &status), PLX_ERR_INVALID);
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    collect(child.pid);
}

void process_status_of_what_is_no_process(struct scene *scene)
{
    plx_watcher *reader = watch(scene, stream_pair(scene).here, PLX_READ), *timer = NULL;

    CHECK_OK(
        plx_context_add(scene->context, plx_timer(PLX_SECONDS(60), 0), PLX_TIMER, NULL, &timer));
    expect_no_status(reader, PLX_ERR_INVALID);
    expect_no_status(timer, PLX_ERR_INVALID);
}

void process_without_a_free_descriptor(struct scene *scene)
{
    struct child child = child_that_exits(scene, 0);
    plx_watcher *watcher = NULL;
    int code;

    use_up_descriptors(scene);
    code = plx_context_add(scene->context, plx_process(child.pid), PLX_PROCESS, NULL, &watcher);
    give_back_descriptors(scene);
    if (code == PLX_OK)
        check_skip("the system takes no descriptor to watch a process");
    CHECK_CODE(code, PLX_ERR_TOOBIG);
    CHECK_EQUAL(plx_context_count(scene->context), 0);
    watcher = watch_process(scene->context, child.pid, 0);
    put(child.word.there);
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    collect(child.pid);
}

/* --- Whose child, and who collects it --- */

struct branch {
    struct child child; /* is told to end by the test itself */
    struct ends name;   /* the number of the grandchild */
    struct ends collected;
    bool collects_at_once;
    long parent;
};

static void live_with_a_child(void *argument)
{
    struct branch *branch = argument;
    long pid = child_start(live_until_told, &branch->child);

    CHECK(write(branch->name.there, &pid, sizeof pid) == (ssize_t)sizeof pid);
    if (branch->collects_at_once) {
        collect(pid);
        put(branch->collected.there);
    }
    until_readable(branch->name.there); /* the word to end */
    if (!branch->collects_at_once)
        collect(pid);
}

/* A process in between, and its child. */
static struct branch branch_of(struct scene *scene, bool collects_at_once)
{
    struct branch branch = {
        {pipe_pair(scene), 4, 0}, unix_pair(scene), pipe_pair(scene), collects_at_once, 0};

    branch.parent = child_start(live_with_a_child, &branch);
    until_readable(branch.name.here);
    take(branch.name.here, &branch.child.pid, sizeof branch.child.pid);
    return branch;
}

static void expect_report_of_a_stranger(struct scene *scene, bool is_collected_first)
{
    struct branch branch = branch_of(scene, is_collected_first);
    plx_watcher *watcher = watch_process(scene->context, branch.child.pid, 0);

    EXPECT_QUIET(scene);
    expect_no_status(watcher, PLX_ERR_AGAIN);
    put(branch.child.word.there);
    if (is_collected_first)
        until_readable(branch.collected.here);
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    expect_no_status(watcher, PLX_ERR_NOTFOUND);
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_PROCESS));
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    expect_no_status(watcher, PLX_ERR_NOTFOUND);
    put(branch.name.here);
    child_join(branch.parent);
}

void process_of_another_parent(struct scene *scene)
{
    skip_without_descriptors(scene);
    expect_report_of_a_stranger(scene, false);
}

void process_of_another_parent_that_was_collected(struct scene *scene)
{
    skip_without_descriptors(scene);
    expect_report_of_a_stranger(scene, true);
}

void process_collected_before_the_report(struct scene *scene)
{
    struct child child = child_that_exits(scene, 6);
    plx_watcher *watcher = watch_process(scene->context, child.pid, 0);

    end(&child);
    collect(child.pid);
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    expect_no_status(watcher, PLX_ERR_NOTFOUND);
    EXPECT_NO_SPIN(scene);
}

/* Then the kernel collects it. */
void process_whose_end_is_ignored(struct scene *scene)
{
    struct child child;
    plx_watcher *watcher;

    skip_without_descriptors(scene);
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    child = child_that_exits(scene, 6);
    watcher = watch_process(scene->context, child.pid, 0);
    put(child.word.there);
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    expect_no_status(watcher, PLX_ERR_NOTFOUND);
    CHECK(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
}

void process_status_outlives_the_process(struct scene *scene)
{
    struct child child = child_that_exits(scene, 8);
    plx_watcher *watcher = watch_process(scene->context, child.pid, 0);

    put(child.word.there);
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    CHECK_EQUAL(WEXITSTATUS(collect(child.pid)), 8);
    expect_exit(watcher, 8);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_PROCESS));
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    expect_exit(watcher, 8);
    CHECK_OK(plx_watcher_remove(watcher));
    expect_exit(watcher, 8);
}

void process_is_never_collected(struct scene *scene)
{
    struct child children[3];
    plx_context *context = another_context(scene);

    for (int i = 0; i < 3; i++) {
        children[i] = child_that_exits(scene, i);
        watch_process(scene->context, children[i].pid, 0);
        watch_process(context, children[i].pid, 0);
        end(&children[i]);
    }
    CHECK_EQUAL(look(scene), 3);
    plx_context_destroy(context); /* with three exits that it has not reported */
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(WEXITSTATUS(collect(children[i].pid)), i);
}

/* A handler of SIGCHLD, or its absence, is the user's business. */
void process_leaves_sigchld_alone(struct scene *scene)
{
    struct child child = child_that_exits(scene, 2);
    struct sigaction before, during;
    plx_watcher *signals = NULL, *watcher;

    skip_without_descriptors(scene); /* it is all that there is then */
    CHECK(sigaction(SIGCHLD, NULL, &before) == 0);
    watcher = watch_process(scene->context, child.pid, 0);
    CHECK(sigaction(SIGCHLD, NULL, &during) == 0);
    CHECK(before.sa_handler == during.sa_handler);
    CHECK_OK(plx_context_add(scene->context, plx_signal(SIGCHLD), PLX_SIGNAL, NULL, &signals));
    end(&child);
    CHECK_EQUAL(look(scene), 2);
    CHECK(was_reported(scene, watcher) && was_reported(scene, signals));
    collect(child.pid);
}

/* --- Several watchers --- */

void process_two_watchers_in_a_context(struct scene *scene)
{
    struct child child = child_that_exits(scene, 2);
    plx_watcher *first = watch_process(scene->context, child.pid, 0);
    plx_watcher *second = watch_process(scene->context, child.pid, PLX_ONESHOT);

    CHECK_EQUAL(plx_context_count(scene->context), 2);
    EXPECT_QUIET(scene);
    end(&child);
    CHECK_EQUAL(look(scene), 2);
    CHECK(was_reported(scene, first) && was_reported(scene, second));
    expect_exit(first, 2);
    expect_exit(second, 2);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(second, PLX_PROCESS));
    EXPECT_REPORT(scene, second, PLX_PROCESS);
    collect(child.pid);
}

void process_two_contexts(struct scene *scene)
{
    struct child child = child_that_exits(scene, 2);
    plx_context *context = another_context(scene);
    plx_watcher *here = watch_process(scene->context, child.pid, 0);
    plx_watcher *there = watch_process(context, child.pid, 0), *ready[2];

    end(&child);
    EXPECT_REPORT(scene, here, PLX_PROCESS);
    CHECK_EQUAL(plx_context_wait(context, ready, 2, PATIENCE), 1);
    CHECK(ready[0] == there);
    expect_exit(there, 2);
    CHECK_EQUAL(plx_context_wait(context, ready, 2, 0), 0);
    EXPECT_QUIET(scene);
    plx_context_destroy(context);
    collect(child.pid);
}

void process_with_room_for_one_loses_none(struct scene *scene)
{
    struct child children[5];
    plx_watcher *watchers[5], *ready[1];
    int reports[5] = {0};

    for (int i = 0; i < 5; i++) {
        children[i] = child_that_exits(scene, i);
        watchers[i] = watch_process(scene->context, children[i].pid, 0);
        end(&children[i]);
    }
    for (int i = 0; i < 5; i++) {
        CHECK_EQUAL(plx_context_wait(scene->context, ready, 1, PATIENCE), 1);
        for (int j = 0; j < 5; j++)
            reports[j] += ready[0] == watchers[j];
    }
    EXPECT_QUIET(scene);
    for (int i = 0; i < 5; i++) {
        CHECK_EQUAL(reports[i], 1);
        expect_exit(watchers[i], i);
        collect(children[i].pid);
    }
}

#define CROWD 1000

/* One word is for all: nobody takes it. */
void process_thousand_children(struct scene *scene)
{
    static plx_watcher *watchers[CROWD];
    static long pids[CROWD];
    static int reports[CROWD];
    struct child child = {pipe_pair(scene), 0, 0};

    skip_without_descriptors(scene); /* one question for each child and each exit takes too long */
    memset(reports, 0, sizeof reports);
    for (int i = 0; i < CROWD; i++) {
        child.code = i % 251;
        pids[i] = child_start(live_until_told, &child);
        watchers[i] = watch_process(scene->context, pids[i], 0);
        plx_watcher_set_data(watchers[i], &reports[i]);
    }
    EXPECT_QUIET(scene);
    put(child.word.there);
    for (int left = CROWD; left > 0; left -= scene->count) {
        CHECK(wait_for(scene, PATIENCE) > 0);
        for (int i = 0; i < scene->count; i++)
            ++*(int *)plx_watcher_data(scene->ready[i]);
    }
    for (int i = 0; i < CROWD; i++) {
        CHECK_EQUAL(reports[i], 1);
        expect_exit(watchers[i], i % 251);
        CHECK_EQUAL(WEXITSTATUS(collect(pids[i])), i % 251);
    }
    EXPECT_QUIET(scene);
}

/* --- Once, until modify --- */

void process_modify_reports_again(struct scene *scene)
{
    const uint32_t modes[] = {0, PLX_ONESHOT, 0};
    struct child child = child_that_exits(scene, 1);
    plx_watcher *watcher = watch_process(scene->context, child.pid, PLX_ONESHOT);

    CHECK_OK(plx_watcher_modify(watcher, PLX_PROCESS));
    EXPECT_QUIET(scene);
    end(&child);
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        EXPECT_QUIET(scene);
        CHECK_OK(plx_watcher_modify(watcher, PLX_PROCESS | modes[i]));
        EXPECT_REPORT(scene, watcher, PLX_PROCESS);
        expect_exit(watcher, 1);
    }
    collect(child.pid);
}

static void count_call(plx_watcher *watcher, uint32_t triggered, void *data)
{
    CHECK_EVENTS(triggered, PLX_PROCESS);
    expect_exit(watcher, 1);
    ++*(int *)data;
}

/* What was reported is not armed, and so does not keep a loop going. */
void process_reported_is_not_armed(struct scene *scene)
{
    struct child child = child_that_exits(scene, 1);
    plx_watcher *watcher = NULL;
    int calls = 0;

    CHECK_OK(plx_context_on(scene->context, plx_process(child.pid), PLX_PROCESS, count_call, &calls,
                            &watcher));
    put(child.word.there);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(calls, 1);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(calls, 1);
    CHECK_OK(plx_watcher_modify(watcher, PLX_PROCESS));
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(calls, 2);
    collect(child.pid);
}

/* --- Removal, and the library's own descriptors --- */

void process_removed_while_it_runs(struct scene *scene)
{
    struct child child = child_that_exits(scene, 1);
    plx_watcher *watcher = watch_process(scene->context, child.pid, 0);

    CHECK_OK(plx_watcher_remove(watcher));
    CHECK_CODE(plx_watcher_remove(watcher), PLX_ERR_INACTIVE);
    CHECK_CODE(plx_watcher_modify(watcher, PLX_PROCESS), PLX_ERR_INACTIVE);
    expect_no_status(watcher, PLX_ERR_AGAIN);
    end(&child);
    EXPECT_NO_SPIN(scene);
    collect(child.pid);
}

void process_removed_with_an_exit_pending(struct scene *scene)
{
    struct child child = child_that_exits(scene, 1);
    plx_watcher *goes = watch_process(scene->context, child.pid, 0);
    plx_watcher *stays = watch_process(scene->context, child.pid, 0);

    end(&child);
    CHECK_OK(plx_watcher_remove(goes));
    EXPECT_REPORT(scene, stays, PLX_PROCESS);
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    collect(child.pid);
}

void process_removed_from_the_batch(struct scene *scene)
{
    struct child child = ended_child(scene, 1);

    watch_process(scene->context, child.pid, 0);
    watch_process(scene->context, child.pid, 0);
    CHECK_EQUAL(look(scene), 2);
    CHECK_OK(plx_watcher_remove(scene->ready[1]));
    CHECK_EVENTS(plx_watcher_triggered(scene->ready[1]), 0);
    CHECK_EVENTS(plx_watcher_triggered(scene->ready[0]), PLX_PROCESS);
    collect(child.pid);
}

/* A kernel that is played has more of them. */
void process_leaves_no_descriptor_behind(struct scene *scene)
{
    struct child child = child_that_exits(scene, 1);
    plx_context *context = another_context(scene);
    size_t empty = open_descriptors(), inherited = inherited_descriptors();
    plx_watcher *watchers[4];

    for (int i = 0; i < 4; i++)
        watchers[i] = watch_process(context, child.pid, 0);
    CHECK_EQUAL(inherited_descriptors(), inherited);
    CHECK_OK(plx_watcher_remove(watchers[0]));
    CHECK_OK(plx_watcher_remove(watchers[2]));
    end(&child);
    CHECK_EQUAL(plx_context_wait(context, watchers, 4, 0), 2);
    CHECK_OK(plx_watcher_remove(watchers[0]));
    CHECK(open_descriptors() <= empty + PROCESS_DESCRIPTORS);
    plx_context_destroy(context);
    context = another_context(scene);
    CHECK_EQUAL(open_descriptors(), empty);
    plx_context_destroy(context);
    collect(child.pid);
}

void process_find_knows_none_of_its_own(struct scene *scene)
{
    struct child child = child_that_exits(scene, 1);
    plx_watcher *watcher = watch_process(scene->context, child.pid, 0);
    plx_watcher *reader = watch(scene, child.word.here, PLX_READ);

    for (plx_socket fd = 0; fd < 1024; fd++)
        CHECK(plx_context_find(scene->context, fd) == (fd == child.word.here ? reader : NULL));
    CHECK(plx_watcher_is_active(watcher));
    end(&child);
    CHECK_EQUAL(look(scene), 2);
    collect(child.pid);
}

/* A descriptor of the user's comes under the number that the removed watcher had. */
void process_number_of_a_removed_one_is_the_users(struct scene *scene)
{
    struct child child = child_that_exits(scene, 1);
    plx_watcher *goes = watch_process(scene->context, child.pid, 0), *reader;
    struct ends ends;

    CHECK_OK(plx_watcher_remove(goes));
    ends = stream_pair(scene);
    reader = watch(scene, ends.here, PLX_READ);
    CHECK(plx_context_find(scene->context, ends.here) == reader);
    end(&child);
    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_REPORT(scene, reader, PLX_READ);
    collect(child.pid);
}

/*
 * The user closed a watched descriptor and told nobody, and its number is now the library's. The
 * old watcher is retired; whatever comes under the number later is another story.
 */
static void expect_takeover(struct scene *scene, bool has_duplicate)
{
    struct child child = child_that_exits(scene, 1);
    struct ends ends = stream_pair(scene);
    plx_watcher *stale = watch(scene, ends.here, PLX_READ), *watcher, *reader;
    plx_socket number = ends.here;

    skip_without_descriptors(scene);
    if (has_duplicate)
        duplicate_far_off(scene, ends.here);
    close_descriptor(scene, ends.here);
    watcher = watch_process(scene->context, child.pid, 0);
    CHECK(is_open(number)); /* the lowest that was free, on every system with such descriptors */
    CHECK(!plx_watcher_is_active(stale));
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    if (has_duplicate)
        put(ends.there);
    EXPECT_NO_SPIN(scene);
    end(&child);
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    expect_exit(watcher, 1);
    CHECK_OK(plx_watcher_remove(watcher));
    CHECK(!is_open(number));
    ends = stream_pair(scene);
    CHECK(ends.here == number || ends.there == number);
    reader = watch(scene, number, PLX_WRITE);
    EXPECT_REPORT(scene, reader, PLX_WRITE);
    collect(child.pid);
}

void process_takes_the_number_of_a_closed_one(struct scene *scene)
{
    expect_takeover(scene, false);
}

void process_takes_the_number_of_a_ghost(struct scene *scene)
{
    expect_takeover(scene, true);
}

void process_shows_outside(struct scene *scene)
{
    struct child child;
    plx_watcher *watcher;
    int fd;

    skip_without_nesting(scene);
    skip_without_descriptors(scene);
    child = child_that_exits(scene, 1);
    fd = plx_context_fd(scene->context);
    CHECK(fd >= 0);
    watcher = watch_process(scene->context, child.pid, 0);
    CHECK(!readable_now(fd));
    put(child.word.there);
    until_readable(fd);
    EXPECT_REPORT(scene, watcher, PLX_PROCESS);
    CHECK(!readable_now(fd));
    CHECK_OK(plx_watcher_modify(watcher, PLX_PROCESS));
    CHECK(readable_now(fd));
    CHECK_OK(plx_watcher_remove(watcher));
    CHECK(!readable_now(fd));
    collect(child.pid);
}

/* --- Fork --- */

struct siblings {
    struct scene *scene;
    struct child child;
    plx_watcher *watcher;
};

static void sibling_watches_on(void *argument)
{
    struct siblings *siblings = argument;
    struct scene *scene = siblings->scene;

    expect_no_status(siblings->watcher, PLX_ERR_FORKED);
    CHECK_OK(plx_context_after_fork(scene->context));
    EXPECT_QUIET(scene);
    expect_no_status(siblings->watcher, PLX_ERR_AGAIN);
    put(siblings->child.word.there);
    EXPECT_REPORT(scene, siblings->watcher, PLX_PROCESS);
    expect_no_status(siblings->watcher, PLX_ERR_NOTFOUND); /* not our child */
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_remove(siblings->watcher));
}

void process_watched_on_after_fork(struct scene *scene)
{
    struct siblings siblings = {.scene = scene};

    skip_without_descriptors(scene);
    siblings.child = child_that_exits(scene, 4);
    siblings.watcher = watch_process(scene->context, siblings.child.pid, 0);
    in_child(sibling_watches_on, &siblings);
    EXPECT_REPORT(scene, siblings.watcher, PLX_PROCESS);
    expect_exit(siblings.watcher, 4);
    EXPECT_QUIET(scene);
    collect(siblings.child.pid);
}

static void sibling_ends_what_it_got(void *argument)
{
    struct siblings *siblings = argument;

    plx_context_destroy(siblings->scene->context);
}

void process_destroyed_in_a_child_lives_in_the_parent(struct scene *scene)
{
    struct siblings siblings = {scene, child_that_exits(scene, 4), NULL};

    siblings.watcher = watch_process(scene->context, siblings.child.pid, 0);
    in_child(sibling_ends_what_it_got, &siblings);
    EXPECT_QUIET(scene);
    end(&siblings.child);
    EXPECT_REPORT(scene, siblings.watcher, PLX_PROCESS);
    collect(siblings.child.pid);
}

/* Reported before the fork: it stays so, and says so again only if asked. */
static void sibling_knows_the_status(void *argument)
{
    struct siblings *siblings = argument;
    struct scene *scene = siblings->scene;

    CHECK_OK(plx_context_after_fork(scene->context));
    EXPECT_QUIET(scene);
    expect_exit(siblings->watcher, 4);
    CHECK_OK(plx_watcher_modify(siblings->watcher, PLX_PROCESS));
    EXPECT_REPORT(scene, siblings->watcher, PLX_PROCESS);
    expect_exit(siblings->watcher, 4);
}

void process_reported_before_a_fork(struct scene *scene)
{
    struct siblings siblings = {scene, ended_child(scene, 4), NULL};

    siblings.watcher = watch_process(scene->context, siblings.child.pid, 0);
    EXPECT_REPORT(scene, siblings.watcher, PLX_PROCESS);
    in_child(sibling_knows_the_status, &siblings);
    EXPECT_QUIET(scene);
    collect(siblings.child.pid);
}

#endif
