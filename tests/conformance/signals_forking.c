/* SPDX-License-Identifier: MIT */
/*
 * signals_forking.c: signals from one process to another, and what a child has of its parent's:
 * the dispositions and the mask of before, and no delivery (S17, S18).
 */
#include "signals.h"

#if SUPPORT_HAS_SIGNALS && SUPPORT_HAS_FORK

#include <errno.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- From another process --- */

/* Who calls a parent that has gone would call a stranger. */
struct caller {
    pid_t parent;
    plx_socket word; /* from the parent */
};

static struct caller caller_with(const struct ends *ends)
{
    struct caller caller = {getpid(), ends->here};

    return caller;
}

static void call(const struct caller *caller)
{
    CHECK(getppid() == caller->parent);
    CHECK(kill(caller->parent, SIGUSR1) == 0);
}

#define CALLS 2000

static void call_and_wait_for_an_answer(void *argument)
{
    const struct caller *caller = argument;
    char byte;

    for (int i = 0; i < CALLS; i++) {
        call(caller);
        until_readable(caller->word);
        take(caller->word, &byte, 1);
    }
}

/* A single lost one, and both wait for ever. */
void signal_from_another_process_is_never_lost(struct scene *scene)
{
    struct ends answer = pipe_pair(scene);
    struct caller caller = caller_with(&answer);
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);
    long child = child_start(call_and_wait_for_an_answer, &caller);

    for (int i = 0; i < CALLS; i++) {
        EXPECT_DELIVERIES(scene, watcher, 1);
        put(answer.there);
    }
    child_join(child);
    EXPECT_QUIET(scene);
}

static void storm_until_told(void *argument)
{
    const struct caller *caller = argument;

    while (!readable_now(caller->word))
        call(caller);
    call(caller);
}

/* With room for one, the storm and a ready descriptor take turns. */
void signal_storm_starves_nobody(struct scene *scene)
{
    struct ends end = pipe_pair(scene);
    struct caller caller = caller_with(&end);
    plx_watcher *reader = watch(scene, stream_pair(scene).here, PLX_WRITE), *ready[1];
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);
    long child = child_start(storm_until_told, &caller);
    bool was_signal = false;
    int signals = 0;

    while (signals < 50) {
        CHECK_EQUAL(plx_context_wait(scene->context, ready, 1, PATIENCE), 1);
        CHECK(ready[0] == reader || (ready[0] == watcher && !was_signal));
        was_signal = ready[0] == watcher;
        signals += was_signal;
    }
    put(end.there);
    child_join(child);
    CHECK_EQUAL(look(scene), 2); /* its last one, and the reader */
    CHECK_OK(plx_watcher_remove(reader));
    EXPECT_QUIET(scene);
}

/* Waits that sleep, look, and have room for all, in turn. */
void signal_storm_is_not_lost_as_a_whole(struct scene *scene)
{
    const plx_duration timeouts[] = {PLX_FOREVER, 0, PLX_US(50), PLX_SECONDS(1)};
    struct ends end = pipe_pair(scene);
    struct caller caller = caller_with(&end);
    plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);
    long child = child_start(storm_until_told, &caller);

    for (int i = 0; i < 2000; i++) {
        if (wait_for(scene, timeouts[i % 4]) == 0)
            continue;
        CHECK(scene->ready[0] == watcher);
        CHECK(plx_watcher_count(watcher) > 0);
    }
    put(end.there);
    child_join(child);
    CHECK_EQUAL(look(scene), 1);
    EXPECT_QUIET(scene);
}

#ifdef SIGRTMIN

#define QUEUED 20000

static void queue_many(void *argument)
{
    const union sigval nothing = {0};
    const struct caller *caller = argument;

    for (int i = 0; i < QUEUED; i++) {
        CHECK(getppid() == caller->parent);
        while (sigqueue(caller->parent, SIGRTMIN, nothing) < 0) {
            CHECK(errno == EAGAIN); /* too many are pending */
            sched_yield();
        }
    }
}

/* Of these the kernel keeps each. */
void signal_that_is_queued_is_counted_exactly(struct scene *scene)
{
    struct caller caller = {getpid(), PLX_BAD_SOCKET};
    plx_watcher *watcher = watch_signal(scene->context, SIGRTMIN, 0);
    uint64_t heard = 0;
    long child;

    skip_where_signals_are_merged();
    child = child_start(queue_many, &caller);
    while (heard < QUEUED) {
        EXPECT_REPORT(scene, watcher, PLX_SIGNAL);
        heard += plx_watcher_count(watcher);
    }
    CHECK_EQUAL(heard, QUEUED);
    child_join(child);
    EXPECT_QUIET(scene);
}

#else

void signal_that_is_queued_is_counted_exactly(struct scene *scene)
{
    (void)scene;
    check_skip("the system does not queue signals");
}

#endif

static void exit_at_once(void *argument)
{
    (void)argument;
}

void signal_of_a_child_that_ends(struct scene *scene)
{
    plx_watcher *watcher = watch_signal(scene->context, SIGCHLD, 0);

    for (int i = 0; i < 5; i++) {
        in_child(exit_at_once, NULL);
        EXPECT_DELIVERIES(scene, watcher, 1);
    }
}

/* --- What a child starts with --- */

static struct sigaction before_watching;
static sigset_t mask_before;

static void child_has_all_of_before(void *argument)
{
    struct sigaction present = disposition(SIGUSR1);
    sigset_t mask = thread_mask();

    (void)argument;
    CHECK(is_same_action(&present, &before_watching));
    CHECK(is_same_set(&mask, &mask_before));
}

void signal_child_has_dispositions_and_mask_of_before(struct scene *scene)
{
    before_watching = elaborate();
    CHECK(sigaction(SIGUSR1, &before_watching, NULL) == 0);
    block(SIGHUP);
    mask_before = thread_mask();
    watch_signal(scene->context, SIGUSR1, 0);
    in_child(child_has_all_of_before, NULL);
    raise_often(SIGUSR1, 1);
    in_child(child_has_all_of_before, NULL);
    CHECK_EQUAL(look(scene), 1);
    unblock(SIGHUP);
}

#ifdef __linux__

static char *const cat[] = {(char[]){"cat"}, (char[]){"/proc/self/status"}, NULL};

static pid_t fork_and_exec(plx_socket output)
{
    pid_t child = fork();

    if (child == 0) {
        dup2(output, STDOUT_FILENO);
        execv("/bin/cat", cat);
        _exit(127);
    }
    return child;
}

static pid_t spawn(plx_socket output)
{
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    pid_t child = -1;

    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) == 0);
    CHECK(posix_spawn(&child, "/bin/cat", &actions, NULL, cat, environment) == 0);
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

/* The sets SigBlk, SigIgn and SigCgt of a program that was started so. */
struct start {
    char lines[512];
};

static struct start start_of(struct scene *scene, pid_t (*bear)(plx_socket))
{
    struct ends output = pipe_pair(scene);
    struct start start = {""};
    char text[8192] = "";
    pid_t child = bear(output.there);
    ssize_t size;
    int status;

    CHECK(child > 0);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    size = read(output.here, text, sizeof text - 1);
    CHECK(size > 0);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "Sig", 3) == 0 && strchr("BIC", line[3]))
            strncat(start.lines, line, sizeof start.lines - strlen(start.lines) - 1);
    }
    CHECK(strstr(start.lines, "SigBlk") && strstr(start.lines, "SigCgt"));
    return start;
}

void signal_program_starts_as_if_nobody_watched(struct scene *scene)
{
    pid_t (*const births[])(plx_socket) = {fork_and_exec, spawn};

    block(SIGHUP);
    for (size_t i = 0; i < COUNT_OF(births); i++) {
        struct start before = start_of(scene, births[i]), after;
        plx_watcher *watcher = watch_signal(scene->context, SIGUSR1, 0);

        after = start_of(scene, births[i]);
        CHECK(strcmp(before.lines, after.lines) == 0);
        raise_often(SIGUSR1, 1);
        EXPECT_DELIVERIES(scene, watcher, 1);
        CHECK_OK(plx_watcher_remove(watcher));
        after = start_of(scene, births[i]);
        CHECK(strcmp(before.lines, after.lines) == 0);
    }
    unblock(SIGHUP);
}

#else

void signal_program_starts_as_if_nobody_watched(struct scene *scene)
{
    (void)scene;
    check_skip("the system does not show what a program starts with");
}

#endif

/* --- Who sees what --- */

struct family {
    struct scene *scene;
    plx_watcher *watcher;
};

static struct family family_of(struct scene *scene)
{
    struct family family = {scene, watch_signal(scene->context, SIGUSR1, 0)};

    return family;
}

static void child_raises_before_after_fork(void *argument)
{
    struct family *family = argument;
    plx_watcher *ready[1];

    notes = 0;
    raise_often(SIGUSR1, 3);
    CHECK_EQUAL(notes, 3); /* to whom it went before anybody watched */
    CHECK_CODE(plx_context_wait(family->scene->context, ready, 1, 0), PLX_ERR_FORKED);
    CHECK_CODE(plx_watcher_modify(family->watcher, PLX_SIGNAL), PLX_ERR_FORKED);
    CHECK_CODE(plx_watcher_remove(family->watcher), PLX_ERR_FORKED);
    raise_often(SIGUSR1, 1);
    CHECK_EQUAL(notes, 4);
}

void signal_in_a_child_never_shows_in_the_parent(struct scene *scene)
{
    struct family family;

    dispose(SIGUSR1, note);
    family = family_of(scene);
    in_child(child_raises_before_after_fork, &family);
    EXPECT_QUIET(scene);
    raise_often(SIGUSR1, 2);
    in_child(child_raises_before_after_fork, &family);
    EXPECT_DELIVERIES(scene, family.watcher, 2);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_remove(family.watcher));
    dispose(SIGUSR1, SIG_DFL);
}

static void child_hears_its_own(void *argument)
{
    struct family *family = argument;
    struct scene *scene = family->scene;
    plx_watcher *another;

    CHECK_OK(plx_context_after_fork(scene->context));
    CHECK_EQUAL(look(scene), 0); /* what was pending in the parent is the parent's */
    raise_often(SIGUSR1, 5);
    EXPECT_DELIVERIES(scene, family->watcher, 5);
    another = watch_signal(scene->context, SIGUSR1, 0);
    raise_often(SIGUSR1, 1);
    CHECK_EQUAL(look(scene), 2);
    CHECK_OK(plx_watcher_remove(family->watcher));
    CHECK_OK(plx_watcher_remove(another));
    notes = 0;
    raise_often(SIGUSR1, 1);
    CHECK_EQUAL(notes, 1);
    EXPECT_QUIET(scene);
}

void signal_after_fork_each_sees_its_own(struct scene *scene)
{
    struct family family;

    dispose(SIGUSR1, note);
    family = family_of(scene);
    for (int i = 1; i <= 3; i++) {
        raise_often(SIGUSR1, i);
        in_child(child_hears_its_own, &family);
        EXPECT_DELIVERIES(scene, family.watcher, i);
    }
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_remove(family.watcher));
    dispose(SIGUSR1, SIG_DFL);
}

static void child_destroys(void *argument)
{
    struct family *family = argument;

    plx_context_destroy(family->scene->context);
    notes = 0;
    raise_often(SIGUSR1, 1);
    CHECK_EQUAL(notes, 1);
}

static void child_takes_over_and_destroys(void *argument)
{
    struct family *family = argument;

    CHECK_OK(plx_context_after_fork(family->scene->context));
    raise_often(SIGUSR1, 1);
    child_destroys(family);
}

void signal_destroyed_in_the_child_lives_in_the_parent(struct scene *scene)
{
    struct family family;

    dispose(SIGUSR1, note);
    family = family_of(scene);
    in_child(child_destroys, &family);
    in_child(child_takes_over_and_destroys, &family);
    raise_often(SIGUSR1, 1);
    EXPECT_DELIVERIES(scene, family.watcher, 1);
    CHECK_OK(plx_watcher_remove(family.watcher));
    dispose(SIGUSR1, SIG_DFL);
}

static void grandchild(void *argument)
{
    struct family *family = argument;

    CHECK_OK(plx_context_after_fork(family->scene->context));
    raise_often(SIGUSR1, 1);
    in_child(child_hears_its_own, family);
    EXPECT_DELIVERIES(family->scene, family->watcher, 1);
}

void signal_in_a_grandchild(struct scene *scene)
{
    struct family family;

    dispose(SIGUSR1, note);
    family = family_of(scene);
    in_child(grandchild, &family);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_remove(family.watcher));
    dispose(SIGUSR1, SIG_DFL);
}

static void child_rearms(void *argument)
{
    struct family *family = argument;
    struct scene *scene = family->scene;

    CHECK_OK(plx_context_after_fork(scene->context));
    raise_often(SIGUSR1, 2);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(family->watcher, PLX_SIGNAL));
    EXPECT_DELIVERIES(scene, family->watcher, 2);
}

void signal_muted_at_the_fork_stays_muted(struct scene *scene)
{
    struct family family = {scene, watch_signal(scene->context, SIGUSR1, PLX_ONESHOT)};

    raise_often(SIGUSR1, 1);
    EXPECT_DELIVERIES(scene, family.watcher, 1);
    raise_often(SIGUSR1, 1);
    in_child(child_rearms, &family);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(family.watcher, PLX_SIGNAL));
    EXPECT_DELIVERIES(scene, family.watcher, 1);
}

static void child_shows_outside(void *argument)
{
    struct family *family = argument;
    struct scene *scene = family->scene;
    int fd;

    CHECK_OK(plx_context_after_fork(scene->context));
    fd = plx_context_fd(scene->context);
    CHECK(fd >= 0);
    CHECK(!readable_now(fd));
    raise_often(SIGUSR1, 1);
    CHECK(readable_now(fd));
    EXPECT_DELIVERIES(scene, family->watcher, 1);
    CHECK(!readable_now(fd));
}

void signal_shows_outside_in_its_own_process(struct scene *scene)
{
    struct family family;
    int fd;

    skip_without_nesting(scene);
    family = family_of(scene);
    fd = plx_context_fd(scene->context);
    CHECK(fd >= 0);
    in_child(child_shows_outside, &family);
    CHECK(!readable_now(fd));
    raise_often(SIGUSR1, 1);
    in_child(child_shows_outside, &family);
    CHECK(readable_now(fd));
    EXPECT_DELIVERIES(scene, family.watcher, 1);
}

/* --- Fork amid signals --- */

struct noise {
    atomic_bool is_over;
    uint64_t raised;
};

static void make_noise(void *argument)
{
    struct noise *noise = argument;

    while (!atomic_load(&noise->is_over))
        noise->raised += raise(SIGUSR1) == 0;
}

/* The thread that raises is not in the child. */
void signal_fork_amid_deliveries(struct scene *scene)
{
    struct noise noise = {false, 0};
    struct family family;
    struct thread *thread;
    uint64_t heard = 0;

    skip_where_signals_are_merged();
    dispose(SIGUSR1, note);
    family = family_of(scene);
    thread = thread_start(make_noise, &noise);
    for (int i = 0; i < 40; i++) {
        in_child(child_hears_its_own, &family);
        heard += look(scene) == 1 ? plx_watcher_count(family.watcher) : 0;
    }
    atomic_store(&noise.is_over, true);
    thread_join(thread);
    heard += look(scene) == 1 ? plx_watcher_count(family.watcher) : 0;
    CHECK_EQUAL(heard, noise.raised);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_remove(family.watcher));
    dispose(SIGUSR1, SIG_DFL);
}

#endif
