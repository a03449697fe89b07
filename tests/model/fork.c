/* SPDX-License-Identifier: MIT */
/* fork.c: a forked child, in which everything goes on, and its parent, who never notices. */
#include "run.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults.h"
#include "journal.h"
#include "tolerance.h"

/* The life of a child, in operations. */
#define LIFETIME 60

#define WATCH_SECONDS 120

/* Until the context is the child's own it does nothing. */
static void check_forked(struct run *run)
{
    plx_watcher *ready;
    if (plx_context_wait(run->context, &ready, 1, 0) != PLX_ERR_FORKED ||
        plx_context_turn(run->context, 0) != PLX_ERR_FORKED ||
        plx_context_run(run->context) != PLX_ERR_FORKED ||
        plx_context_wake(run->context) != PLX_ERR_FORKED ||
        plx_context_fd(run->context) != PLX_ERR_FORKED ||
        plx_context_add(run->context, plx_notify(), PLX_NOTIFY, NULL, NULL) != PLX_ERR_FORKED)
        journal_fail("a context works in a forked child");
    for (int i = 0; i < run->sources.count; i++) {
        plx_watcher *watcher = run->sources.list[i].watcher;
        if (plx_watcher_modify(watcher, PLX_TIMER) != PLX_ERR_FORKED ||
            plx_watcher_remove(watcher) != PLX_ERR_FORKED)
            journal_fail("a watcher works in a forked child");
    }
    signals_check();
}

/* Tasks and deliveries are the parent's, and so is the nested descriptor. */
static void forget(struct run *run)
{
    run->tasks.done = run->tasks.posted;
    run->tasks.is_news = false;
    run->nested = -1;
    run->sources.is_stirred = true;
    signals_fork();
    processes_fork(run);
}

static int adopt(struct run *run)
{
    journal_note("after fork");
    faults_begin(&run->dice, RUN_FAULTY);
    int code = plx_context_after_fork(run->context);
    run_expect(run, "after fork", code, PLX_OK);
    return code;
}

/* The fresh queue may have got a number that was closed under its watcher. poll cannot tell (T6).
 */
static void lose_numbers(struct run *run)
{
    for (int i = 0; i < run->model.count; i++) {
        struct registration *registration = &run->model.registrations[i];
        bool is_reused = !world_file(&run->world, registration->number) &&
                         fcntl(registration->number, F_GETFD) >= 0;
        if (is_reused)
            registration->is_lost = registration->is_obscure = true;
    }
}

static void live(struct run *run)
{
    journal_watch(WATCH_SECONDS);
    forget(run);
    check_forked(run);
    if (!dice_one_in(&run->dice, 4)) {
        while (adopt(run) < 0)
            continue;
        model_rebuild(&run->model, true);
        sources_rebuild(&run->sources);
        lose_numbers(run);
        signals_resume(run);
        signals_check();
        run_compare_all(run);
        for (int i = 0; i < LIFETIME; i++) {
            operation_play(run, true);
            run_compare_count(run);
        }
        run_compare_all(run);
    }
    run_destroy(run);
    processes_close(run);
}

void fork_play(struct run *run)
{
    int status = 0;
    if (!dice_one_in(&run->dice, 4))
        return;
    journal_note("fork");
    run->totals.forks++;
    int open = world_open_descriptors();
    pid_t pid = fork();
    if (pid == 0) {
        /* A tool that watches the program has its own, which it need not pass on. */
        if (tolerance_queue_is_inherited(run->backend))
            run->strangers += world_open_descriptors() - open;
        live(run);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        journal_fail("there is no child for the test itself");
    if (status != 0)
        journal_fail("what comes above has happened in a forked child: status %#x", status);
    run->sources.is_stirred |= run->sources.is_indirect;
}
