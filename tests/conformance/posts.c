/* SPDX-License-Identifier: MIT */
/*
 * posts.c: tasks: handed over by any thread, run by the loop, in order and exactly once, or told of
 * as dropped.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"

#if SUPPORT_HAS_FORK
#include <unistd.h>
#endif

/* What ran, or was dropped, in order. */
#define LIST_ROOM 1024

static struct {
    void *data[LIST_ROOM];
    int count;
} ran, dropped;

static void forget_all(void)
{
    ran.count = dropped.count = 0;
}

static void task_note(plx_context *context, void *data)
{
    CHECK(context != NULL);
    CHECK(ran.count < LIST_ROOM);
    ran.data[ran.count++] = data;
}

static void note_dropped(plx_task *task, void *data)
{
    CHECK(task == task_note);
    CHECK(dropped.count < LIST_ROOM);
    dropped.data[dropped.count++] = data;
}

/* Tasks are told apart by where in here they point. */
static char names[LIST_ROOM];

static void post_some(plx_context *context, int first, int end)
{
    for (int i = first; i < end; i++)
        CHECK_OK(plx_context_post(context, task_note, &names[i]));
}

static void expect_names(void *const *data, int count, int first, int end)
{
    CHECK_EQUAL(count, end - first);
    for (int i = 0; i < count; i++)
        CHECK(data[i] == &names[first + i]);
}

#define EXPECT_RAN(first, end)     expect_names(ran.data, ran.count, (first), (end))
#define EXPECT_DROPPED(first, end) expect_names(dropped.data, dropped.count, (first), (end))

static plx_context *context_that_tells(const struct scene *scene)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    plx_context *context = NULL;

    options.backend = scene->backend;
    options.task_dropped = note_dropped;
    CHECK_OK(plx_context_create(&context, &options));
    return context;
}

/* --- In order, once, and when --- */

void loop_post_runs_in_order(struct scene *scene)
{
    forget_all();
    post_some(scene->context, 0, 1000);
    CHECK_EQUAL(ran.count, 0);
    CHECK_EQUAL(plx_context_turn(scene->context, PLX_FOREVER), 1000);
    EXPECT_RAN(0, 1000);
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 0);
}

void loop_post_refuses_nothing_to_run(struct scene *scene)
{
    CHECK_CODE(plx_context_post(scene->context, NULL, scene), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_post(NULL, task_note, scene), PLX_ERR_INVALID);
    EXPECT_QUIET(scene);
}

void loop_post_behind_what_was_queued(struct scene *scene)
{
    forget_all();
    post_some(scene->context, 0, 3);
    CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, PLX_FOREVER), 0);
    post_some(scene->context, 3, 6);
    CHECK_EQUAL(plx_context_turn(scene->context, PLX_FOREVER), 6);
    EXPECT_RAN(0, 6);
}

static void callback_posts(plx_watcher *watcher, uint32_t triggered, void *data)
{
    (void)triggered;
    CHECK_OK(plx_context_post(plx_watcher_context(watcher), task_note, data));
}

void loop_post_from_a_callback_runs_in_the_same_turn(struct scene *scene)
{
    forget_all();
    CHECK_OK(plx_context_on(scene->context, plx_timer(0, 0), PLX_TIMER, callback_posts, &names[0],
                            NULL));
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 2);
    EXPECT_RAN(0, 1);
    EXPECT_QUIET(scene); /* nothing of it is left to end a wait */
}

static void task_post_again(plx_context *context, void *data)
{
    ran.data[ran.count++] = data;
    CHECK_OK(plx_context_post(context, task_post_again, (char *)data + 1));
}

void loop_post_from_a_task_runs_in_the_next_turn(struct scene *scene)
{
    forget_all();
    CHECK_OK(plx_context_post(scene->context, task_post_again, &names[0]));
    for (int turns = 1; turns <= 100; turns++) {
        CHECK_EQUAL(plx_context_turn(scene->context, PLX_FOREVER), 1);
        EXPECT_RAN(0, turns);
    }
}

/* Tasks that keep coming starve nobody. */
void loop_post_leaves_time_to_watchers(struct scene *scene)
{
    plx_watcher *watcher;

    forget_all();
    CHECK_OK(plx_context_on(scene->context, plx_notify(), PLX_NOTIFY, callback_posts, &names[0],
                            &watcher));
    CHECK_OK(plx_watcher_notify(watcher));
    for (int turns = 1; turns <= 100; turns++) {
        CHECK_EQUAL(plx_context_turn(scene->context, 0), 2);
        CHECK_EQUAL(ran.count, turns);
    }
}

void loop_post_ends_one_plain_wait(struct scene *scene)
{
    forget_all();
    post_some(scene->context, 0, 2);
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 0);
    EXPECT_QUIET(scene);
    CHECK_EQUAL(ran.count, 0);
    CHECK_EQUAL(plx_context_turn(scene->context, PLX_FOREVER), 2); /* with a task it never sleeps */
    EXPECT_RAN(0, 2);
    CHECK_EQUAL(plx_context_turn(scene->context, SHORT_WHILE), 0);
}

void loop_post_does_not_hide_the_ready(struct scene *scene)
{
    plx_watcher *watcher = watch(scene, stream_pair(scene).here, PLX_WRITE | PLX_ONESHOT);

    forget_all();
    post_some(scene->context, 0, 1);
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 0); /* and it is still told of */
    EXPECT_QUIET(scene);
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 1);
}

static void task_add(plx_context *context, void *data)
{
    plx_watcher **watcher = data;

    CHECK_OK(
        plx_context_on(context, plx_timer(0, 0), PLX_TIMER, callback_posts, &names[0], watcher));
}

void loop_post_run_lasts_as_long_as_tasks_come(struct scene *scene)
{
    plx_watcher *watcher = NULL;

    forget_all();
    post_some(scene->context, 1, 3);
    CHECK_OK(plx_context_post(scene->context, task_add, &watcher));
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(ran.count, 3);
    CHECK(ran.data[2] == &names[0]);
    CHECK(plx_watcher_is_active(watcher));
}

static void task_stop(plx_context *context, void *data)
{
    task_note(context, data);
    plx_context_stop(context);
}

void loop_post_stop_in_a_task(struct scene *scene)
{
    forget_all();
    watch(scene, stream_pair(scene).here, PLX_READ);
    CHECK_OK(plx_context_post(scene->context, task_stop, &names[0]));
    post_some(scene->context, 1, 3);
    CHECK_OK(plx_context_run(scene->context));
    EXPECT_RAN(0, 3); /* what was posted by then */
}

static void task_wait(plx_context *context, void *data)
{
    plx_watcher *ready[1];

    task_note(context, data);
    CHECK_CODE(plx_context_wait(context, ready, 1, 0), PLX_ERR_BUSY);
    CHECK_CODE(plx_context_turn(context, 0), PLX_ERR_BUSY);
    CHECK_CODE(plx_context_run(context), PLX_ERR_BUSY);
    CHECK_CODE(plx_context_after_fork(context), PLX_ERR_BUSY);
}

void loop_post_waiting_in_a_task_is_busy(struct scene *scene)
{
    forget_all();
    CHECK_OK(plx_context_post(scene->context, task_wait, &names[0]));
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 1);
    EXPECT_QUIET(scene);
}

/* --- Dropped --- */

void loop_post_dropped_is_told_in_order(struct scene *scene)
{
    plx_context *context = context_that_tells(scene);

    forget_all();
    post_some(context, 0, 5);
    CHECK_EQUAL(plx_context_turn(context, 0), 5);
    post_some(context, 5, 50);
    CHECK_EQUAL(plx_context_wait(context, scene->ready, 1, PLX_FOREVER), 0);
    post_some(context, 50, 100);
    plx_context_destroy(context);
    EXPECT_RAN(0, 5);
    EXPECT_DROPPED(5, 100);
}

void loop_post_dropped_may_be_nobodys_business(struct scene *scene)
{
    plx_context *context = another_context(scene);

    forget_all();
    post_some(context, 0, 10);
    plx_context_destroy(context);
    CHECK_EQUAL(ran.count, 0);
}

static void task_destroy(plx_context *context, void *data)
{
    task_note(context, data);
    plx_context_destroy(context);
    plx_context_destroy(context);
    CHECK_EQUAL(dropped.count, 0); /* it takes effect when the turn returns */
    post_some(context, 4, 5);
}

void loop_post_destroy_in_a_task(struct scene *scene)
{
    for (int is_run = 0; is_run < 2; is_run++) {
        plx_context *context = context_that_tells(scene);

        forget_all();
        CHECK_OK(plx_context_post(context, task_destroy, &names[0]));
        post_some(context, 1, 4);
        CHECK_EQUAL(is_run ? plx_context_run(context) : plx_context_turn(context, 0), !is_run);
        EXPECT_RAN(0, 1);
        EXPECT_DROPPED(1, 5);
    }
}

static void callback_destroys(plx_watcher *watcher, uint32_t triggered, void *data)
{
    (void)triggered;
    (void)data;
    plx_context_destroy(plx_watcher_context(watcher));
}

void loop_post_destroy_in_a_callback(struct scene *scene)
{
    plx_context *context = context_that_tells(scene);

    forget_all();
    CHECK_OK(plx_context_on(context, plx_timer(0, 0), PLX_TIMER, callback_destroys, NULL, NULL));
    post_some(context, 0, 3);
    CHECK_OK(plx_context_run(context));
    CHECK_EQUAL(ran.count, 0);
    EXPECT_DROPPED(0, 3);
}

/* --- Other threads --- */

struct poster {
    plx_context *context;
    long main_thread;
    int code;
};

static void post_when_asleep(void *argument)
{
    struct poster *poster = argument;

    until_asleep(poster->main_thread);
    poster->code = plx_context_post(poster->context, task_note, &names[0]);
}

void loop_post_from_a_thread_ends_a_sleep(struct scene *scene)
{
    struct poster poster = {scene->context, thread_self(), PLX_ERR_SYSTEM};

    forget_all();
    watch(scene, stream_pair(scene).here, PLX_READ);
    for (int i = 0; i < 10; i++) {
        struct thread *thread = thread_start(post_when_asleep, &poster);

        CHECK_EQUAL(plx_context_turn(scene->context, PLX_FOREVER), 1);
        thread_join(thread);
        CHECK_OK(poster.code);
    }
    CHECK_EQUAL(ran.count, 10);
}

/* Two loops on two threads, and a ball. A lost post hangs the case. */
enum { HITS = 2000 };

struct court {
    plx_context *sides[2];
    int hits; /* whoever has the ball writes it */
};

static void task_hit(plx_context *context, void *data)
{
    struct court *court = data;
    plx_context *other = court->sides[context == court->sides[0]];

    if (++court->hits >= HITS)
        plx_context_stop(context);
    if (court->hits <= HITS)
        plx_context_post(other, task_hit, court);
}

static void run_the_other_side(void *argument)
{
    struct court *court = argument;

    plx_context_run(court->sides[1]);
}

void loop_post_between_two_loops(struct scene *scene)
{
    struct court court = {{scene->context, another_context(scene)}, 0};
    struct thread *thread;

    for (int side = 0; side < 2; side++) /* so that a run does not end before */
        CHECK_OK(plx_context_add(court.sides[side], plx_notify(), PLX_NOTIFY, NULL, NULL));
    CHECK_OK(plx_context_post(court.sides[0], task_hit, &court));
    thread = thread_start(run_the_other_side, &court);
    CHECK_OK(plx_context_run(scene->context));
    thread_join(thread);
    CHECK_EQUAL(court.hits, HITS + 1);
    plx_context_destroy(court.sides[1]);
}

/* --- The owner in the middle of a post --- */

/* The owner's thread passes while a post asks for memory, as if it were another one. */
static void *passing_resize(void *state, void *block, size_t old_size, size_t new_size)
{
    plx_context **passing = state;
    plx_context *context = *passing;
    plx_watcher *ready[1];

    (void)old_size;
    *passing = NULL;
    if (context)
        CHECK_EQUAL(plx_context_wait(context, ready, 1, 0), 0);
    if (new_size > 0)
        return realloc(block, new_size);
    free(block);
    return NULL;
}

void loop_post_tells_who_has_passed_meanwhile(struct scene *scene)
{
    plx_context *passing = NULL;
    plx_allocator allocator = {passing_resize, &passing};
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    plx_context *context;

    forget_all();
    options.backend = scene->backend;
    options.allocator = &allocator;
    CHECK_OK(plx_context_create(&context, &options));
    post_some(context, 0, 1);
    passing = context; /* its wait is told of the first task, */
    post_some(context, 1, 2);
    CHECK(passing == NULL);
    CHECK_EQUAL(plx_context_wait(context, scene->ready, 1, PLX_FOREVER), 0); /* this of the other */
    CHECK_EQUAL(plx_context_turn(context, PLX_FOREVER), 2);
    EXPECT_RAN(0, 2);
    plx_context_destroy(context);
}

/* --- No memory --- */

static int allowed; /* requests for memory that are granted */

static void *thrifty_resize(void *state, void *block, size_t old_size, size_t new_size)
{
    (void)state;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    if (new_size > old_size && allowed-- <= 0)
        return NULL;
    return realloc(block, new_size);
}

void loop_post_without_memory(struct scene *scene)
{
    static const plx_allocator allocator = {thrifty_resize, NULL};
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    plx_watcher *watcher = NULL;
    plx_context *context;

    forget_all();
    allowed = 1000;
    options.backend = scene->backend;
    options.allocator = &allocator;
    CHECK_OK(plx_context_create(&context, &options));
    allowed = 0;
    CHECK_CODE(plx_context_post(context, task_note, NULL), PLX_ERR_NOMEM);
    CHECK_CODE(plx_context_turn(context, 0), PLX_ERR_NOMEM);
    CHECK_CODE(plx_context_run(context), PLX_ERR_NOMEM);
    CHECK_CODE(plx_context_on(context, plx_notify(), PLX_NOTIFY, callback_posts, NULL, &watcher),
               PLX_ERR_NOMEM);
    CHECK_CODE(plx_context_add(context, plx_notify(), PLX_NOTIFY, NULL, &watcher), PLX_ERR_NOMEM);
    CHECK(watcher == NULL);
    CHECK_EQUAL(plx_context_count(context), 0);
    CHECK_EQUAL(plx_context_wait(context, scene->ready, 1, SHORT_WHILE), 0);
    allowed = 1000;
    post_some(context, 0, 1);
    CHECK_OK(plx_context_on(context, plx_notify(), PLX_NOTIFY, callback_posts, NULL, &watcher));
    CHECK_EQUAL(plx_context_turn(context, PLX_FOREVER), 1);
    allowed = 0; /* from now on a turn needs none */
    CHECK_OK(plx_watcher_notify(watcher));
    CHECK_OK(plx_watcher_remove(watcher));
    CHECK_EQUAL(plx_context_turn(context, 0), 0);
    plx_context_destroy(context);
}

/* --- An outer loop --- */

void loop_post_shows_outside(struct scene *scene)
{
    plx_socket fd;

    skip_without_nesting(scene);
    forget_all();
    fd = nested(scene);
    for (int round = 0; round < 3; round++) {
        CHECK(!readable_now(fd));
        post_some(scene->context, 0, 2);
        CHECK(readable_now(fd));
        CHECK_EQUAL(plx_context_turn(scene->context, 0), 2);
        CHECK(!readable_now(fd));
        post_some(scene->context, 0, 1);
        CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, 0), 0);
        CHECK(readable_now(fd)); /* a turn has something to do */
        CHECK_EQUAL(plx_context_turn(scene->context, 0), 1);
        CHECK(!readable_now(fd));
    }
}

void loop_post_before_nesting_shows_outside(struct scene *scene)
{
    plx_socket fd;

    skip_without_nesting(scene);
    forget_all();
    post_some(scene->context, 0, 1);
    fd = nested(scene);
    CHECK(readable_now(fd));
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 1);
    CHECK(!readable_now(fd));
}

void loop_post_within_a_turn_shows_outside(struct scene *scene)
{
    plx_socket fd;

    skip_without_nesting(scene);
    forget_all();
    fd = nested(scene);
    CHECK_OK(plx_context_on(scene->context, plx_timer(0, 0), PLX_TIMER, callback_posts, &names[0],
                            NULL));
    until_readable(fd);
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 2);
    CHECK(!readable_now(fd)); /* it ran */
    CHECK_OK(plx_context_post(scene->context, task_post_again, &names[0]));
    for (int turns = 0; turns < 5; turns++) {
        CHECK_EQUAL(plx_context_turn(scene->context, 0), 1);
        CHECK(readable_now(fd)); /* the next one waits */
    }
}

/* --- Child processes --- */

#if SUPPORT_HAS_FORK

static void child_has_no_tasks(void *argument)
{
    plx_context *context = argument;

    CHECK_CODE(plx_context_post(context, task_note, NULL), PLX_ERR_FORKED);
    CHECK_OK(plx_context_after_fork(context));
    CHECK_EQUAL(plx_context_turn(context, 0), 0);
    CHECK_OK(plx_context_run(context));
    CHECK_EQUAL(ran.count, 0);
    post_some(context, 7, 9);
    CHECK_EQUAL(plx_context_turn(context, PLX_FOREVER), 2);
    EXPECT_RAN(7, 9);
    plx_context_destroy(context);
    CHECK_EQUAL(dropped.count, 0);
}

void loop_post_of_the_parent_does_not_run_in_a_child(struct scene *scene)
{
    plx_context *context = context_that_tells(scene);

    forget_all();
    post_some(context, 0, 2);
    CHECK_EQUAL(plx_context_wait(context, scene->ready, 1, PLX_FOREVER), 0);
    post_some(context, 2, 4);
    in_child(child_has_no_tasks, context);
    CHECK_EQUAL(plx_context_turn(context, PLX_FOREVER), 4);
    EXPECT_RAN(0, 4);
    plx_context_destroy(context);
}

static void child_destroys(void *argument)
{
    plx_context_destroy(argument);
    CHECK_EQUAL(dropped.count, 0);
    CHECK_EQUAL(ran.count, 0);
}

void loop_post_dropped_is_not_told_in_a_child(struct scene *scene)
{
    plx_context *context = context_that_tells(scene);

    forget_all();
    post_some(context, 0, 3);
    in_child(child_destroys, context);
    plx_context_destroy(context);
    EXPECT_DROPPED(0, 3);
}

static long forked;

static void task_fork(plx_context *context, void *data)
{
    task_note(context, data);
    forked = fork();
    CHECK(forked >= 0);
}

static void child_after_the_task(void *argument)
{
    EXPECT_RAN(0, 1);
    ran.count = 0;
    child_destroys(argument);
}

static void child_after_the_task_in_a_run(void *argument)
{
    EXPECT_RAN(0, 1);
    ran.count = 0;
    child_has_no_tasks(argument);
}

static void leave_as_child(check_body *body, plx_context *context)
{
    if (forked == 0)
        _exit(check_run(body, context) == PASSED ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* The tasks behind the one that forks are the parent's alone. */
void loop_post_fork_in_a_task(struct scene *scene)
{
    plx_context *context = context_that_tells(scene);
    int count;

    forget_all();
    CHECK_OK(plx_context_post(context, task_fork, &names[0]));
    post_some(context, 1, 4);
    count = plx_context_turn(context, 0);
    leave_as_child(child_after_the_task, context);
    child_join(forked);
    CHECK_EQUAL(count, 4);
    EXPECT_RAN(0, 4);
    forget_all();
    CHECK_OK(plx_context_post(context, task_fork, &names[0]));
    post_some(context, 1, 4);
    count = plx_context_run(context);
    leave_as_child(child_after_the_task_in_a_run, context);
    child_join(forked);
    CHECK_OK(count);
    EXPECT_RAN(0, 4);
    plx_context_destroy(context);
}

#endif
