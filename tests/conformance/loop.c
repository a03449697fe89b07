/* SPDX-License-Identifier: MIT */
/*
 * loop.c: callbacks: what they are told, what they may do, and when turn and run return. Tasks are
 * in posts.c.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"

#if SUPPORT_HAS_FORK
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

/* A watcher with a callback that counts, and then does what the case wants. */
struct actor {
    plx_context *context;
    plx_watcher *watcher;
    int calls;
    uint32_t triggered; /* as the last call was told */
    void (*act)(struct actor *self);
    struct actor *other;
    int code;
};

static const struct actor nobody;

static void play(plx_watcher *watcher, uint32_t triggered, void *data)
{
    struct actor *self = data;

    CHECK(watcher == self->watcher);
    CHECK_EVENTS(plx_watcher_triggered(watcher), triggered);
    self->calls++;
    self->triggered = triggered;
    if (self->act)
        self->act(self);
}

static void cast(struct actor *self, plx_context *context, plx_handle handle, uint32_t events,
                 void (*act)(struct actor *self))
{
    *self = (struct actor){.context = context, .act = act};
    CHECK_OK(plx_context_on(context, handle, events, play, self, &self->watcher));
}

static void cast_writer(struct actor *self, struct scene *scene, void (*act)(struct actor *self))
{
    cast(self, scene->context, plx_fd(stream_pair(scene).here), PLX_WRITE, act);
}

/* Several that are ready together; each knows the next one. */
static void cast_writers(struct actor *actors, int count, struct scene *scene,
                         void (*act)(struct actor *self))
{
    for (int i = 0; i < count; i++) {
        cast_writer(&actors[i], scene, act);
        actors[i].other = &actors[(i + 1) % count];
    }
}

static int total_calls(const struct actor *actors, int count)
{
    int calls = 0;

    for (int i = 0; i < count; i++)
        calls += actors[i].calls;
    return calls;
}

static void act_remove(struct actor *self)
{
    CHECK_OK(plx_watcher_remove(self->watcher));
}

static void act_stop(struct actor *self)
{
    plx_context_stop(self->context);
}

/* --- What a callback is told --- */

void loop_callback_is_told_what_happened(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    struct actor actor;

    cast(&actor, scene->context, plx_fd(ends.here), PLX_READ | PLX_WRITE, NULL);
    CHECK(plx_watcher_data(actor.watcher) == &actor);
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK_EVENTS(actor.triggered, PLX_WRITE);
    say(&ends);
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK_EVENTS(actor.triggered, PLX_READ | PLX_WRITE);
    CHECK_EQUAL(actor.calls, 2);
}

/* The watcher of the other one becomes the one's after it. */
static void act_hand_over(struct actor *self)
{
    plx_watcher_set_data(self->other->watcher, self->other->other);
    self->other->other->watcher = self->other->watcher;
}

/* Data that was set in a callback is what the rest of the batch gets. */
void loop_callback_gets_data_set_in_the_batch(struct scene *scene)
{
    struct actor first, second, third = nobody;

    cast(&first, scene->context, plx_notify(), PLX_NOTIFY | PLX_ONESHOT, act_hand_over);
    cast(&second, scene->context, plx_notify(), PLX_NOTIFY | PLX_ONESHOT, NULL);
    first.other = &second;
    second.other = &third;
    CHECK_OK(plx_watcher_notify(first.watcher));
    CHECK_OK(plx_watcher_notify(second.watcher));
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(first.calls, 1);
    CHECK_EQUAL(second.calls, 0);
    CHECK_EQUAL(third.calls, 1);
}

void loop_refuses_what_add_refuses(struct scene *scene)
{
    plx_handle writer = plx_fd(stream_pair(scene).here);
    plx_watcher *watcher = NULL;

    CHECK_CODE(plx_context_on(scene->context, writer, PLX_WRITE, NULL, NULL, &watcher),
               PLX_ERR_INVALID);
    CHECK_CODE(plx_context_on(NULL, writer, PLX_WRITE, play, NULL, &watcher), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_on(scene->context, writer, PLX_TIMER, play, NULL, &watcher),
               PLX_ERR_INVALID);
    CHECK_CODE(plx_context_on(scene->context, plx_fd(closed_number(scene)), PLX_READ, play, NULL,
                              &watcher),
               PLX_ERR_BADHANDLE);
    CHECK_OK(plx_context_on(scene->context, writer, PLX_READ, play, NULL, NULL));
    CHECK_CODE(plx_context_on(scene->context, writer, PLX_READ, play, NULL, &watcher),
               PLX_ERR_EXISTS);
    CHECK(watcher == NULL);
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    EXPECT_QUIET(scene);
}

void loop_plain_wait_does_not_call_back(struct scene *scene)
{
    struct actor actor;

    cast_writer(&actor, scene, NULL);
    EXPECT_REPORT(scene, actor.watcher, PLX_WRITE);
    CHECK_EQUAL(actor.calls, 0);
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 1);
    CHECK_EQUAL(actor.calls, 1);
}

static plx_socket ready_fd;

static plx_socket custom_fd(void *object)
{
    (void)object;
    return ready_fd;
}

void loop_every_kind_calls_back(struct scene *scene)
{
    static const plx_handle_ops ops = {.size = sizeof ops, .get_fd = custom_fd};
    struct actor actors[5];

    ready_fd = always_ready(scene);
    cast(&actors[0], scene->context, plx_fd(stream_pair(scene).here), PLX_WRITE, act_remove);
    cast(&actors[1], scene->context, plx_fd(always_ready(scene)), PLX_READ, act_remove);
    cast(&actors[2], scene->context, plx_timer(0, PLX_MS(1)), PLX_TIMER, act_remove);
    cast(&actors[3], scene->context, plx_notify(), PLX_NOTIFY, act_remove);
    cast(&actors[4], scene->context, plx_custom(&ops, NULL), PLX_READ, act_remove);
    CHECK_OK(plx_watcher_notify(actors[3].watcher));
    CHECK_OK(plx_context_run(scene->context));
    for (size_t i = 0; i < COUNT_OF(actors); i++)
        CHECK_EQUAL(actors[i].calls, 1);
    CHECK_EVENTS(actors[1].triggered, PLX_READ);
    CHECK_EVENTS(actors[2].triggered, PLX_TIMER);
    CHECK_EVENTS(actors[3].triggered, PLX_NOTIFY);
    CHECK_EVENTS(actors[4].triggered, PLX_READ);
    CHECK_EQUAL(plx_context_count(scene->context), 0);
}

/* --- One turn --- */

void loop_turn_lasts_as_long_as_told(struct scene *scene)
{
    plx_duration started = now();
    struct actor actor;

    cast(&actor, scene->context, plx_fd(stream_pair(scene).here), PLX_READ, NULL);
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 0);
    CHECK_EQUAL(plx_context_turn(scene->context, SHORT_WHILE), 0);
    CHECK(now() - started >= SHORT_WHILE);
    CHECK_CODE(plx_context_turn(scene->context, -2), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_turn(NULL, 0), PLX_ERR_INVALID);
    CHECK_OK(plx_context_wake(scene->context));
    CHECK_EQUAL(plx_context_turn(scene->context, PLX_FOREVER), 0);
    CHECK_EQUAL(actor.calls, 0);
}

void loop_turn_is_bounded(struct scene *scene)
{
    struct actor descriptor, file, timer;

    cast_writer(&descriptor, scene, NULL);
    cast(&file, scene->context, plx_fd(always_ready(scene)), PLX_READ, NULL);
    cast(&timer, scene->context, plx_timer(0, 1), PLX_TIMER, NULL);
    for (int turns = 0; turns < 200; turns++)
        CHECK(plx_context_turn(scene->context, 0) <= 3);
    CHECK(descriptor.calls >= 50 && descriptor.calls <= 200);
    CHECK(file.calls >= 50 && file.calls <= 200);
    CHECK(timer.calls >= 50 && timer.calls <= 200);
}

static void act_clear(struct actor *self)
{
    CHECK_OK(plx_watcher_clear(self->watcher));
}

void loop_turn_comes_to_everybody(struct scene *scene)
{
    enum { COUNT = 3000 };
    static struct actor actors[COUNT];
    int ran = 0;

    for (int i = 0; i < COUNT; i++) {
        cast(&actors[i], scene->context, plx_notify(), PLX_NOTIFY, act_clear);
        CHECK_OK(plx_watcher_notify(actors[i].watcher));
    }
    while (ran < COUNT) {
        int count = plx_context_turn(scene->context, 0);

        CHECK(count > 0 && count <= 1024);
        ran += count;
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_EQUAL(actors[i].calls, 1);
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 0);
}

/* --- Ready, and nobody listens --- */

/* A turn finds it ready, calls nobody, and leaves it silent until modify. */
static void expect_mute(struct scene *scene, plx_watcher *watcher, uint32_t events)
{
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 0);
    EXPECT_NO_SPIN(scene);
    CHECK(plx_watcher_is_active(watcher));
    CHECK_OK(plx_context_run(scene->context)); /* nothing is armed */
    CHECK_OK(plx_watcher_modify(watcher, events));
    EXPECT_REPORT(scene, watcher, events);
    CHECK_OK(plx_watcher_remove(watcher));
    CHECK_OK(plx_context_run(scene->context));
}

static void expect_mute_of(struct scene *scene, plx_handle handle, uint32_t events)
{
    plx_watcher *watcher;

    CHECK_OK(plx_context_add(scene->context, handle, events, NULL, &watcher));
    if (handle.kind == PLX_HANDLE_NOTIFY)
        CHECK_OK(plx_watcher_notify(watcher));
    expect_mute(scene, watcher, events);
}

void loop_mutes_what_nobody_listens_to(struct scene *scene)
{
    static const plx_handle_ops ops = {.size = sizeof ops, .get_fd = custom_fd};
    struct ends ends = stream_pair(scene);

    ready_fd = always_ready(scene);
    say(&ends);
    expect_mute_of(scene, plx_fd(stream_pair(scene).here), PLX_WRITE);
    expect_mute_of(scene, plx_fd(ends.here), PLX_READ);
    expect_mute_of(scene, plx_fd(always_ready(scene)), PLX_READ);
    expect_mute_of(scene, plx_custom(&ops, NULL), PLX_READ);
    expect_mute_of(scene, plx_timer(PLX_MS(1), PLX_MS(1)), PLX_TIMER);
    expect_mute_of(scene, plx_timer(PLX_MS(1), 0), PLX_TIMER);
    expect_mute_of(scene, plx_notify(), PLX_NOTIFY);
}

void loop_mutes_a_hangup(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    there_closes(scene, &ends);
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 0);
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_REPORT_WITH(scene, watcher, PLX_READ | PLX_HUP, tolerance_bits(T2, scene->backend));
}

void loop_muted_notify_stays_mute(struct scene *scene)
{
    plx_watcher *watcher;

    CHECK_OK(plx_context_add(scene->context, plx_notify(), PLX_NOTIFY, NULL, &watcher));
    CHECK_OK(plx_watcher_notify(watcher));
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 0);
    CHECK_OK(plx_watcher_clear(watcher));
    CHECK_OK(plx_watcher_notify(watcher));
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_clear(watcher));
    CHECK_OK(plx_watcher_modify(watcher, PLX_NOTIFY));
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_notify(watcher));
    EXPECT_REPORT(scene, watcher, PLX_NOTIFY);
}

/* --- What a callback may change --- */

void loop_removes_the_running_one(struct scene *scene)
{
    struct actor actor;

    cast_writer(&actor, scene, act_remove);
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK(!plx_watcher_is_active(actor.watcher));
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 0);
    CHECK_EQUAL(actor.calls, 1);
}

static void act_remove_other(struct actor *self)
{
    self->act = NULL;
    CHECK_OK(plx_watcher_remove(self->other->watcher));
}

void loop_removes_a_later_one(struct scene *scene)
{
    struct actor actors[2];

    cast_writers(actors, 2, scene, act_remove_other);
    for (int turns = 0; turns < 3; turns++)
        CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK(actors[0].calls == 3 || actors[1].calls == 3);
    CHECK_EQUAL(total_calls(actors, 2), 3);
}

static void act_silence_other(struct actor *self)
{
    CHECK_OK(plx_watcher_modify(self->other->watcher, PLX_READ));
}

void loop_modifies_a_later_one(struct scene *scene)
{
    struct actor actors[2];

    cast_writers(actors, 2, scene, act_silence_other);
    for (int turns = 0; turns < 3; turns++)
        CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK(actors[0].calls == 3 || actors[1].calls == 3);
}

/* Enough to make every table move. */
static struct actor newcomers[200];

static void act_add_many(struct actor *self)
{
    self->act = NULL;
    for (size_t i = 0; i < COUNT_OF(newcomers); i++)
        cast(&newcomers[i], self->context, plx_timer(0, 0), PLX_TIMER, NULL);
}

void loop_adds_in_a_callback(struct scene *scene)
{
    struct actor actor;

    cast(&actor, scene->context, plx_timer(0, 0), PLX_TIMER, act_add_many);
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK_EQUAL(total_calls(newcomers, COUNT_OF(newcomers)), 0);
    CHECK_OK(plx_context_run(scene->context));
    for (size_t i = 0; i < COUNT_OF(newcomers); i++)
        CHECK_EQUAL(newcomers[i].calls, 1);
    CHECK_EQUAL(actor.calls, 1);
}

static void act_replace_other(struct actor *self)
{
    plx_handle handle = plx_watcher_handle(self->other->watcher);

    self->act = NULL;
    CHECK_OK(plx_watcher_remove(self->other->watcher));
    cast(&newcomers[0], self->context, handle, PLX_WRITE, NULL);
}

/* The report that is in the batch is the old watcher's. */
void loop_replaces_a_later_one(struct scene *scene)
{
    struct actor actors[2];

    cast_writers(actors, 2, scene, act_replace_other);
    while (total_calls(actors, 2) == 0)
        CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK_EQUAL(newcomers[0].calls, 0);
    while (newcomers[0].calls == 0)
        CHECK(plx_context_turn(scene->context, PATIENCE) > 0);
    CHECK(actors[0].calls == 0 || actors[1].calls == 0);
}

static struct scene *stage;

static void act_close_other_and_reuse(struct actor *self)
{
    plx_socket number = plx_watcher_handle(self->other->watcher).as.fd;
    struct ends fresh;

    self->act = NULL;
    CHECK_OK(plx_context_close(self->context, number));
    scene_forget(stage, number);
    fresh = stream_pair(stage);
    if (fresh.here != number)
        move_to(stage, fresh.here, number);
    cast(&newcomers[0], self->context, plx_fd(number), PLX_READ, NULL);
}

void loop_closes_a_later_one(struct scene *scene)
{
    struct actor actors[2];

    stage = scene;
    cast_writers(actors, 2, scene, act_close_other_and_reuse);
    for (int turns = 0; turns < 3; turns++)
        CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK(actors[0].calls == 3 || actors[1].calls == 3);
    CHECK_EQUAL(newcomers[0].calls, 0);
}

static void act_notify(struct actor *self)
{
    CHECK_OK(plx_watcher_notify(self->other->watcher));
}

void loop_notifies_in_a_callback(struct scene *scene)
{
    struct actor timer, notify;

    cast(&notify, scene->context, plx_notify(), PLX_NOTIFY, act_clear);
    cast(&timer, scene->context, plx_timer(0, 0), PLX_TIMER, act_notify);
    timer.other = &notify;
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK_EQUAL(plx_context_turn(scene->context, PLX_FOREVER), 1);
    CHECK_EQUAL(notify.calls, 1);
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 0);
}

static void act_clear_other(struct actor *self)
{
    CHECK_OK(plx_watcher_clear(self->other->watcher));
}

/* Clearing is about the next wait. What this one has reported is called back. */
void loop_clears_what_is_in_hand(struct scene *scene)
{
    struct actor first, second;

    cast(&first, scene->context, plx_notify(), PLX_NOTIFY, act_clear_other);
    cast(&second, scene->context, plx_notify(), PLX_NOTIFY, act_clear_other);
    first.other = &second;
    second.other = &first;
    CHECK_OK(plx_watcher_notify(first.watcher));
    CHECK_OK(plx_watcher_notify(second.watcher));
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 2);
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 0);
}

/* --- What would wait --- */

static void act_wait(struct actor *self)
{
    plx_watcher *ready[1];

    CHECK_CODE(plx_context_wait(self->context, ready, 1, 0), PLX_ERR_BUSY);
    CHECK_CODE(plx_context_turn(self->context, 0), PLX_ERR_BUSY);
    CHECK_CODE(plx_context_run(self->context), PLX_ERR_BUSY);
    CHECK_CODE(plx_context_after_fork(self->context), PLX_ERR_BUSY);
}

void loop_waiting_in_a_callback_is_busy(struct scene *scene)
{
    struct actor actor;

    cast_writer(&actor, scene, act_wait);
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK_OK(plx_context_after_fork(scene->context));
    EXPECT_REPORT(scene, actor.watcher, PLX_WRITE);
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK_EQUAL(actor.calls, 2);
}

static void wait_as_well(void *argument)
{
    struct actor *actor = argument;
    plx_watcher *ready[1];

    actor->code = plx_context_wait(actor->context, ready, 1, 0);
}

static void act_let_another_wait(struct actor *self)
{
    thread_join(thread_start(wait_as_well, self));
}

void loop_second_thread_is_busy(struct scene *scene)
{
    struct actor actor;

    cast_writer(&actor, scene, act_let_another_wait);
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK_CODE(actor.code, PLX_ERR_BUSY);
}

static void act_turn_other(struct actor *self)
{
    CHECK_EQUAL(plx_context_turn(self->other->context, 0), 1);
    CHECK_CODE(plx_context_turn(self->context, 0), PLX_ERR_BUSY);
}

void loop_of_another_context_in_a_callback(struct scene *scene)
{
    plx_context *other = another_context(scene);
    struct actor outer, inner;

    cast_writer(&outer, scene, act_turn_other);
    cast(&inner, other, plx_timer(0, 0), PLX_TIMER, act_wait);
    outer.other = &inner;
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK_EQUAL(inner.calls, 1);
    plx_context_destroy(other);
}

/* --- How long a run lasts --- */

void loop_run_with_nothing_to_do_returns(struct scene *scene)
{
    CHECK_OK(plx_context_run(scene->context));
    CHECK_CODE(plx_context_run(NULL), PLX_ERR_INVALID);
}

/* Each of these is armed at first, and is not when it has been told. */
void loop_run_ends_when_nothing_is_armed(struct scene *scene)
{
    struct actor actors[4];
    plx_watcher *unheard = watch(scene, stream_pair(scene).here, PLX_WRITE);

    cast_writer(&actors[0], scene, NULL);
    CHECK_OK(plx_watcher_modify(actors[0].watcher, PLX_WRITE | PLX_ONESHOT));
    cast_writer(&actors[1], scene, act_remove);
    cast(&actors[2], scene->context, plx_timer(PLX_MS(2), 0), PLX_TIMER, NULL);
    cast(&actors[3], scene->context, plx_notify(), PLX_NOTIFY | PLX_ONESHOT, NULL);
    CHECK_OK(plx_watcher_notify(actors[3].watcher));
    CHECK_OK(plx_context_add(scene->context, plx_timer(PLX_FOREVER, 1), PLX_TIMER, NULL, NULL));
    CHECK_OK(plx_context_run(scene->context));
    for (size_t i = 0; i < COUNT_OF(actors); i++)
        CHECK_EQUAL(actors[i].calls, 1);
    CHECK(plx_watcher_is_active(unheard));
    CHECK_EQUAL(plx_context_count(scene->context), 5);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(total_calls(actors, COUNT_OF(actors)), 4);
}

static void act_end_after_three(struct actor *self)
{
    if (self->calls == 3)
        CHECK_OK(plx_watcher_again(self->watcher, PLX_FOREVER));
}

void loop_run_lasts_while_a_timer_runs(struct scene *scene)
{
    struct actor actor;

    cast(&actor, scene->context, plx_timer(PLX_MS(1), PLX_MS(1)), PLX_TIMER, act_end_after_three);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(actor.calls, 3);
    CHECK_OK(plx_context_run(scene->context)); /* it is stopped */
    CHECK_EQUAL(actor.calls, 3);
    CHECK_OK(plx_watcher_again(actor.watcher, 0)); /* it runs again */
    actor.calls = 0;
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(actor.calls, 3);
}

static void act_arm_other(struct actor *self)
{
    if (self->calls < 3)
        CHECK_OK(plx_watcher_modify(self->other->watcher, PLX_WRITE | PLX_ONESHOT));
}

void loop_run_lasts_while_callbacks_arm(struct scene *scene)
{
    struct actor actors[2];

    cast_writers(actors, 2, scene, act_arm_other);
    for (int i = 0; i < 2; i++)
        CHECK_OK(plx_watcher_modify(actors[i].watcher, PLX_WRITE | PLX_ONESHOT));
    CHECK_OK(plx_context_run(scene->context));
    CHECK(actors[0].calls >= 3 && actors[1].calls >= 3);
}

void loop_background_does_not_keep_a_run(struct scene *scene)
{
    struct actor background, foreground;

    cast_writer(&background, scene, NULL);
    plx_watcher_set_background(background.watcher, true);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(background.calls, 0);
    cast(&foreground, scene->context, plx_timer(PLX_MS(2), 0), PLX_TIMER, NULL);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(foreground.calls, 1);
    CHECK(background.calls >= 1); /* it is served like others */
    plx_watcher_set_background(background.watcher, false);
    background.act = act_remove;
    CHECK_OK(plx_context_run(scene->context));
    CHECK(!plx_watcher_is_active(background.watcher));
}

/* However often it is said, and of whatever: what keeps a run going is counted right. */
void loop_background_is_said_at_any_time(struct scene *scene)
{
    struct actor actor;
    plx_watcher *removed = watch(scene, stream_pair(scene).here, PLX_READ);

    cast_writer(&actor, scene, NULL);
    CHECK_OK(plx_watcher_modify(actor.watcher, PLX_WRITE | PLX_ONESHOT));
    for (int i = 0; i < 3; i++)
        plx_watcher_set_background(actor.watcher, true);
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    for (int i = 0; i < 3; i++)
        plx_watcher_set_background(actor.watcher, false); /* and it has fired */
    CHECK_OK(plx_watcher_remove(removed));
    for (int i = 0; i < 2; i++)
        plx_watcher_set_background(removed, i == 0);
    plx_watcher_set_background(NULL, true);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(actor.calls, 1);
    CHECK_OK(plx_watcher_modify(actor.watcher, PLX_WRITE | PLX_ONESHOT));
    plx_watcher_set_background(actor.watcher, true);
    CHECK_OK(plx_watcher_remove(actor.watcher));
    CHECK_OK(plx_context_run(scene->context));
    cast_writer(&actor, scene, act_remove);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(actor.calls, 1);
}

/* Also of a timer, whose end nobody looks at before the next wait. */
void loop_background_timer_goes(struct scene *scene)
{
    struct actor background, foreground;

    for (int i = 0; i < 2; i++) {
        cast(&background, scene->context, plx_timer(PLX_SECONDS(3600), 0), PLX_TIMER, NULL);
        cast(&foreground, scene->context, plx_timer(PLX_MS(1), 0), PLX_TIMER, act_remove);
        plx_watcher_set_background(background.watcher, true);
        if (i == 1)
            plx_watcher_set_background(background.watcher, false);
        CHECK_OK(plx_watcher_remove(background.watcher));
        CHECK_OK(plx_context_run(scene->context));
        CHECK_EQUAL(foreground.calls, 1);
    }
}

/* --- Stop --- */

void loop_stop_before_a_run_counts_once(struct scene *scene)
{
    struct actor actor;

    cast_writer(&actor, scene, act_stop);
    plx_context_stop(scene->context);
    plx_context_stop(scene->context);
    plx_context_stop(NULL);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(actor.calls, 0);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(actor.calls, 1);
}

void loop_stop_outlasts_turns_and_waits(struct scene *scene)
{
    struct actor actor;

    cast_writer(&actor, scene, NULL);
    plx_context_stop(scene->context);
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 1);
    CHECK_EQUAL(look(scene), 1);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(actor.calls, 1);
}

void loop_stop_finishes_the_batch(struct scene *scene)
{
    struct actor actors[3];

    cast_writers(actors, 3, scene, act_stop);
    /* The hostile build has batches of two. */
    for (int runs = 1; runs <= 3; runs++) {
        CHECK_OK(plx_context_run(scene->context));
        CHECK(total_calls(actors, 3) >= 2 * runs);
        CHECK(total_calls(actors, 3) <= 3 * runs);
    }
}

/* The run that was stopped has used the stop up: the wait after it sleeps, or an event ends it. */
void loop_stop_is_no_wake_for_the_next_wait(struct scene *scene)
{
    plx_watcher *reported[1];
    struct actor stopper;

    cast(&stopper, scene->context, plx_timer(0, 0), PLX_TIMER, act_stop);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(stopper.calls, 1);
    CHECK_OK(plx_watcher_again(stopper.watcher, PLX_MS(20)));
    CHECK_EQUAL(plx_context_wait(scene->context, reported, 1, PATIENCE), 1);
}

/* The wake is for who waits, and not for the run: a stop beside it does not use it up. */
void loop_stop_leaves_a_wake(struct scene *scene)
{
    plx_watcher *reported[1];
    struct actor timer;

    cast(&timer, scene->context, plx_timer(PLX_FOREVER, 0), PLX_TIMER, NULL);
    plx_context_stop(scene->context);
    CHECK_OK(plx_context_wake(scene->context));
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(plx_context_wait(scene->context, reported, 1, PLX_FOREVER), 0);
}

struct caller {
    plx_context *context;
    long main_thread;
};

static void stop_when_asleep(void *argument)
{
    struct caller *caller = argument;

    until_asleep(caller->main_thread);
    plx_context_stop(caller->context);
}

void loop_stop_from_a_thread_ends_a_run(struct scene *scene)
{
    struct caller caller = {scene->context, thread_self()};
    struct actor actor;

    cast(&actor, scene->context, plx_fd(stream_pair(scene).here), PLX_READ, NULL);
    for (int i = 0; i < 10; i++) {
        struct thread *thread = thread_start(stop_when_asleep, &caller);

        CHECK_OK(plx_context_run(scene->context));
        thread_join(thread);
    }
    CHECK_EQUAL(actor.calls, 0);
}

/* --- Destroy --- */

struct relic {
    plx_socket fd;
    int cleaned;
};

static plx_socket relic_fd(void *object)
{
    return ((struct relic *)object)->fd;
}

static void relic_cleanup(void *object)
{
    ((struct relic *)object)->cleaned++;
}

static const plx_handle_ops relic_ops = {
    .size = sizeof relic_ops, .get_fd = relic_fd, .cleanup = relic_cleanup};

static struct relic relic;

static void act_destroy(struct actor *self)
{
    plx_context_destroy(self->context);
    plx_context_destroy(self->context);
    CHECK_EQUAL(relic.cleaned, 0); /* everything is still there */
    CHECK(plx_watcher_is_active(self->watcher));
    CHECK(plx_watcher_context(self->watcher) == self->context);
    CHECK_EQUAL(plx_context_count(self->context), 4);
}

/* A context of its own, with three who are ready and destroy it, and a relic. */
static plx_context *doomed_context(struct scene *scene, struct actor *actors)
{
    plx_context *context = another_context(scene);

    for (int i = 0; i < 3; i++)
        cast(&actors[i], context, plx_fd(stream_pair(scene).here), PLX_WRITE, act_destroy);
    relic = (struct relic){stream_pair(scene).here, 0};
    CHECK_OK(plx_context_add(context, plx_custom(&relic_ops, &relic), PLX_READ, NULL, NULL));
    return context;
}

void loop_destroyed_in_a_turn(struct scene *scene)
{
    struct actor actors[3];
    plx_context *context = doomed_context(scene, actors);

    CHECK_EQUAL(plx_context_turn(context, PATIENCE), 1);
    CHECK_EQUAL(total_calls(actors, 3), 1);
    CHECK_EQUAL(relic.cleaned, 1);
}

void loop_destroyed_in_a_run(struct scene *scene)
{
    size_t before = open_descriptors();
    struct actor actors[3];
    plx_context *context = doomed_context(scene, actors);

    CHECK_OK(plx_context_run(context));
    CHECK_EQUAL(total_calls(actors, 3), 1);
    CHECK_EQUAL(relic.cleaned, 1);
    CHECK_EQUAL(open_descriptors(), before + 8);
}

static void act_destroy_other(struct actor *self)
{
    plx_context_destroy(self->other->context);
    CHECK_EQUAL(relic.cleaned, 1); /* at once */
    self->act = NULL;
}

void loop_destroys_another_context(struct scene *scene)
{
    struct actor actors[3], destroyer;

    doomed_context(scene, actors);
    cast_writer(&destroyer, scene, act_destroy_other);
    destroyer.other = &actors[0];
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
    CHECK_EQUAL(total_calls(actors, 3), 0);
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 1);
}

static void act_turn_inner(struct actor *self)
{
    CHECK_EQUAL(plx_context_turn(self->other->context, 0), 1);
    CHECK(plx_watcher_is_active(self->watcher));
    CHECK_EQUAL(relic.cleaned, 0);
}

static void act_destroy_outer(struct actor *self)
{
    plx_context_destroy(self->other->context);
    CHECK_EQUAL(relic.cleaned, 0); /* its callback is on the stack */
}

void loop_destroyed_from_an_inner_loop(struct scene *scene)
{
    struct actor actors[3], inner;
    plx_context *context = doomed_context(scene, actors);

    for (int i = 0; i < 3; i++) {
        actors[i].act = act_turn_inner;
        actors[i].other = &inner;
    }
    cast_writer(&inner, scene, act_destroy_outer);
    inner.other = &actors[0];
    CHECK_EQUAL(plx_context_turn(context, PATIENCE), 1);
    CHECK_EQUAL(total_calls(actors, 3), 1);
    CHECK_EQUAL(relic.cleaned, 1);
}

/* --- An outer loop --- */

void loop_muted_does_not_show_outside(struct scene *scene)
{
    plx_socket fd;

    fd = nested(scene);
    watch(scene, stream_pair(scene).here, PLX_WRITE);
    watch(scene, always_ready(scene), PLX_READ);
    for (int turns = 0; turns < 4; turns++)
        CHECK_EQUAL(plx_context_turn(scene->context, 0), 0);
    CHECK(!readable_now(fd));
    EXPECT_QUIET(scene);
}

void loop_stop_that_was_taken_does_not_show_outside(struct scene *scene)
{
    struct actor actor;
    plx_socket fd;

    fd = nested(scene);
    cast(&actor, scene->context, plx_timer(0, 0), PLX_TIMER, act_stop);
    CHECK_OK(plx_context_run(scene->context));
    CHECK(!readable_now(fd));
    plx_context_stop(scene->context);
    CHECK(readable_now(fd));
    CHECK_OK(plx_context_run(scene->context));
    CHECK(!readable_now(fd));
}

void loop_callback_changes_show_outside(struct scene *scene)
{
    struct actor notify, timer;
    plx_socket fd;

    fd = nested(scene);
    cast(&notify, scene->context, plx_notify(), PLX_NOTIFY, act_clear);
    cast(&timer, scene->context, plx_timer(0, 0), PLX_TIMER, act_notify);
    timer.other = &notify;
    until_readable(fd);
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 1);
    CHECK(readable_now(fd));
    CHECK_EQUAL(plx_context_turn(scene->context, 0), 1);
    CHECK(!readable_now(fd));
}

/* --- Signals and child processes --- */

#if SUPPORT_HAS_SIGNALS

void loop_signal_calls_back(struct scene *scene)
{
    struct actor actor;

    cast(&actor, scene->context, plx_signal(SIGUSR1), PLX_SIGNAL, act_remove);
    CHECK_EQUAL(raise(SIGUSR1), 0);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EVENTS(actor.triggered, PLX_SIGNAL);
    CHECK_EQUAL(actor.calls, 1);
}

void loop_mutes_a_signal(struct scene *scene)
{
    plx_watcher *watcher;

    CHECK_OK(plx_context_add(scene->context, plx_signal(SIGUSR1), PLX_SIGNAL, NULL, &watcher));
    CHECK_EQUAL(raise(SIGUSR1), 0);
    CHECK_EQUAL(plx_context_turn(scene->context, PATIENCE), 0);
    CHECK_EQUAL(raise(SIGUSR1), 0);
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_SIGNAL));
    EXPECT_REPORT(scene, watcher, PLX_SIGNAL);
    EXPECT_QUIET(scene);
}

#endif

#if SUPPORT_HAS_FORK

static void end_at_once(void *argument)
{
    (void)argument;
}

void loop_run_ends_with_the_process(struct scene *scene)
{
    struct actor actor;
    long child = child_start(end_at_once, NULL);

    cast(&actor, scene->context, plx_process(child), PLX_PROCESS, NULL);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EVENTS(actor.triggered, PLX_PROCESS);
    CHECK_EQUAL(actor.calls, 1);
    child_join(child);
    CHECK_OK(plx_context_run(scene->context));
    CHECK_EQUAL(actor.calls, 1);
}

static void child_is_refused_loops(void *argument)
{
    struct actor *actor = argument;

    CHECK_CODE(plx_context_run(actor->context), PLX_ERR_FORKED);
    CHECK_CODE(plx_context_turn(actor->context, 0), PLX_ERR_FORKED);
    CHECK_CODE(plx_context_on(actor->context, plx_notify(), PLX_NOTIFY, play, NULL, NULL),
               PLX_ERR_FORKED);
    plx_context_stop(actor->context);
    CHECK_OK(plx_context_after_fork(actor->context));
    CHECK_OK(plx_context_run(actor->context)); /* a stop from before would end it at once */
    CHECK_EQUAL(actor->calls, 1);
}

void loop_in_a_child(struct scene *scene)
{
    struct actor actor;

    cast_writer(&actor, scene, act_stop);
    in_child(child_is_refused_loops, &actor);
    CHECK_OK(plx_context_run(scene->context)); /* the child's stop is not ours */
    CHECK_EQUAL(actor.calls, 1);
}

/* The process that is made in a callback comes out of the same turn. */
static long forked = -1;

static void act_fork(struct actor *self)
{
    if (forked >= 0)
        return;
    forked = fork();
    CHECK(forked >= 0);
    if (forked > 0)
        return;
    self->code = plx_context_after_fork(self->context);
}

/* In the child: the rest of the batch is the parent's. */
static void child_after_a_turn(void *argument)
{
    struct actor *actors = argument;
    plx_context *context = actors[0].context;

    CHECK_EQUAL(total_calls(actors, 3), 1);
    for (int i = 0; i < 3; i++)
        CHECK_CODE(actors[i].code, actors[i].calls ? PLX_ERR_BUSY : PLX_OK);
    CHECK_CODE(plx_context_turn(context, 0), PLX_ERR_FORKED);
    CHECK_OK(plx_context_after_fork(context));
    while (total_calls(actors, 3) < 4)
        CHECK(plx_context_turn(context, PATIENCE) > 0);
}

static void leave_as_child(struct actor *actors, int result, int want)
{
    enum outcome outcome = result == want ? check_run(child_after_a_turn, actors) : FAILED;

    fflush(stdout);
    _exit(outcome == PASSED ? EXIT_SUCCESS : EXIT_FAILURE);
}

void loop_forks_in_a_turn(struct scene *scene)
{
    struct actor actors[3];
    int ran;

    forked = -1;
    cast_writers(actors, 3, scene, act_fork);
    ran = plx_context_turn(scene->context, PATIENCE);
    if (forked == 0)
        leave_as_child(actors, ran, 1);
    child_join(forked);
    while (total_calls(actors, 3) < 3)
        CHECK(plx_context_turn(scene->context, PATIENCE) > 0);
    for (int i = 0; i < 3; i++)
        CHECK(actors[i].calls >= 1);
}

static void act_fork_and_stop(struct actor *self)
{
    act_fork(self);
    plx_context_stop(self->context);
}

void loop_forks_in_a_run(struct scene *scene)
{
    struct actor actors[3];
    int code;

    forked = -1;
    cast_writers(actors, 3, scene, act_fork_and_stop);
    code = plx_context_run(scene->context);
    if (forked == 0)
        leave_as_child(actors, code, PLX_ERR_FORKED);
    child_join(forked);
    CHECK_OK(code);
    CHECK(total_calls(actors, 3) >= 2);
}

/* Nothing is left to wait for; still the run was not the child's. */
void loop_forks_in_the_last_callback_of_a_run(struct scene *scene)
{
    struct actor actor;
    int code;

    forked = -1;
    cast(&actor, scene->context, plx_timer(0, 0), PLX_TIMER, act_fork);
    code = plx_context_run(scene->context);
    if (forked == 0)
        _exit(code == PLX_ERR_FORKED ? EXIT_SUCCESS : EXIT_FAILURE);
    child_join(forked);
    CHECK_OK(code);
}

static void act_fork_and_destroy(struct actor *self)
{
    act_fork(self);
    if (forked == 0)
        plx_context_destroy(self->context);
}

static void child_after_destroy(void *argument)
{
    CHECK_EQUAL(total_calls(argument, 3), 1);
    CHECK_EQUAL(relic.cleaned, 1);
}

void loop_forks_and_destroys_in_the_child(struct scene *scene)
{
    struct actor actors[3];
    plx_context *context = doomed_context(scene, actors);

    forked = -1;
    for (int i = 0; i < 3; i++)
        actors[i].act = act_fork_and_destroy;
    plx_context_turn(context, PATIENCE);
    if (forked == 0)
        _exit(check_run(child_after_destroy, actors) == PASSED ? EXIT_SUCCESS : EXIT_FAILURE);
    child_join(forked);
    CHECK_EQUAL(relic.cleaned, 0);
    CHECK(plx_context_turn(context, PATIENCE) > 0);
    plx_context_destroy(context);
}

#endif
