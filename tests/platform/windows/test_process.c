/* SPDX-License-Identifier: MIT */
/*
 * test_process.c: the ends of processes, which a thread of the system's tells of. What a watcher of
 * a process owes on every system is in tests/conformance/processes.c, which needs fork().
 */
#include "child.h"
#include "rig.h"

static plx_watcher *watch_child(struct rig *rig, const struct child *child)
{
    plx_watcher *watcher = NULL;

    CHECK_OK(
        plx_context_add(rig->scene->context, plx_process(child->pid), PLX_PROCESS, NULL, &watcher));
    return watcher;
}

static void expect_status(const plx_watcher *watcher, int want)
{
    int status = want + 1;

    CHECK_OK(plx_watcher_exit_status(watcher, &status));
    CHECK_EQUAL(status, want);
}

void process_exit_is_reported_once(struct rig *rig)
{
    struct child child = child_make(7);
    plx_watcher *watcher = watch_child(rig, &child);
    int status = 99;

    CHECK_CODE(plx_watcher_exit_status(watcher, &status), PLX_ERR_AGAIN);
    CHECK_EQUAL(status, 99);
    EXPECT_NO_SPIN(rig->scene);
    child_run(&child);
    EXPECT_REPORT(rig->scene, watcher, PLX_PROCESS);
    expect_status(watcher, 7);
    EXPECT_NO_SPIN(rig->scene);
    child_forget(&child);
    expect_status(watcher, 7);
    CHECK(plx_watcher_is_active(watcher));
    CHECK_EQUAL(plx_watcher_handle(watcher).as.pid, child.pid);
}

/* 259 is what Windows calls a process that has not ended. */
void process_exit_codes(struct rig *rig)
{
    static const int codes[] = {0, 1, 255, 259, 70000, -1};

    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct child child = child_make(codes[i]);
        plx_watcher *watcher = watch_child(rig, &child);

        child_run(&child);
        EXPECT_REPORT(rig->scene, watcher, PLX_PROCESS);
        expect_status(watcher, codes[i]);
        CHECK_OK(plx_watcher_remove(watcher));
        child_forget(&child);
    }
}

void process_that_has_ended_is_reported(struct rig *rig)
{
    struct child child = child_make(3);
    plx_watcher *watcher;

    child_run(&child);
    child_wait(&child);
    watcher = watch_child(rig, &child);
    EXPECT_REPORT(rig->scene, watcher, PLX_PROCESS);
    expect_status(watcher, 3);
    CHECK_OK(plx_watcher_modify(watcher, PLX_PROCESS));
    EXPECT_REPORT(rig->scene, watcher, PLX_PROCESS);
    EXPECT_QUIET(rig->scene);
    child_forget(&child);
}

static void run_when_asleep(void *argument)
{
    until_asleep(0);
    child_run(argument);
}

void process_exit_ends_a_sleep(struct rig *rig)
{
    struct child child = child_make(0);
    plx_watcher *watcher = watch_child(rig, &child);
    struct thread *thread = thread_start(run_when_asleep, &child);

    CHECK_EQUAL(wait_for(rig->scene, PLX_FOREVER), 1);
    CHECK(rig->scene->ready[0] == watcher);
    thread_join(thread);
    child_forget(&child);
}

/* The system may remember it for a moment. */
static void expect_forgotten(struct rig *rig, const struct child *child)
{
    plx_duration deadline = now() + PATIENCE;
    plx_watcher *watcher;
    int code;

    do {
        code = plx_context_add(rig->scene->context, plx_process(child->pid), PLX_PROCESS, NULL,
                               &watcher);
        if (code == PLX_OK)
            CHECK_OK(plx_watcher_remove(watcher));
    } while (code == PLX_OK && now() < deadline);
    CHECK_CODE(code, PLX_ERR_NOTFOUND);
}

void process_numbers_that_are_refused(struct rig *rig)
{
    plx_context *context = rig->scene->context;
    struct child child = child_make(0);

    CHECK_CODE(plx_context_add(context, plx_process(0), PLX_PROCESS, NULL, NULL), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_add(context, plx_process(-4), PLX_PROCESS, NULL, NULL), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_add(context, plx_process(INT64_C(1) << 40), PLX_PROCESS, NULL, NULL),
               PLX_ERR_NOTFOUND);
    child_forget(&child);
    expect_forgotten(rig, &child);
    CHECK_EQUAL(plx_context_count(context), 0);
    EXPECT_QUIET(rig->scene);
}

void process_has_a_report_for_each_watcher(struct rig *rig)
{
    struct child child = child_make(5);
    plx_watcher *watchers[3];

    for (size_t i = 0; i < COUNT_OF(watchers); i++)
        watchers[i] = watch_child(rig, &child);
    child_run(&child);
    child_wait(&child);
    for (size_t seen = 0; seen < COUNT_OF(watchers);) {
        CHECK(wait_for(rig->scene, PATIENCE) > 0);
        seen += (size_t)rig->scene->count;
    }
    EXPECT_QUIET(rig->scene);
    for (size_t i = 0; i < COUNT_OF(watchers); i++)
        expect_status(watchers[i], 5);
    child_forget(&child);
}

void process_that_was_removed_is_silent(struct rig *rig)
{
    struct child running = child_make(0), ended = child_make(0);
    plx_watcher *watcher = watch_child(rig, &running);

    child_run(&ended);
    CHECK_OK(plx_watcher_remove(watcher));
    watcher = watch_child(rig, &ended);
    child_wait(&ended);
    CHECK_OK(plx_watcher_remove(watcher));
    child_run(&running);
    child_wait(&running);
    EXPECT_QUIET(rig->scene);
    child_forget(&running);
    child_forget(&ended);
}

/* The first wait makes threads of the system's, which have handles of their own. */
void process_leaves_no_handle_behind(struct rig *rig)
{
    struct child child = child_make(0);
    size_t before;

    CHECK_OK(plx_watcher_remove(watch_child(rig, &child)));
    before = open_descriptors();
    for (int i = 0; i < 3; i++)
        CHECK_OK(plx_watcher_remove(watch_child(rig, &child)));
    CHECK_EQUAL(open_descriptors(), before);
    child_forget(&child);
}

/* It ends while its watcher, or the whole context, goes. Nothing can be seen but that nothing
 * breaks. */
void process_ends_while_nobody_is_left(struct rig *rig)
{
    for (int i = 0; i < 10; i++) {
        plx_context *context = another_context(rig->scene);
        struct child child = child_make(0);

        CHECK_OK(plx_context_add(context, plx_process(child.pid), PLX_PROCESS, NULL, NULL));
        child_run(&child);
        if (i % 2)
            child_wait(&child);
        plx_context_destroy(context);
        child_forget(&child);
    }
}
