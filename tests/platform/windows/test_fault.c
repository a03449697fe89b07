/* SPDX-License-Identifier: MIT */
/*
 * test_fault.c: each call to the system and each allocation fails once, in the short life of a
 * context. Only the function that was on the way may say so; asked again it succeeds, and in the
 * end everything was told.
 */
#include <stdlib.h>

#include "rig.h"

#define LAST 400 /* more than there are of either */

/* What a function may say of a failure. */
static bool is_excused(int code)
{
    return code == PLX_ERR_NOMEM || code == PLX_ERR_TOOBIG || code == PLX_ERR_SYSTEM;
}

/* Does it again after a failure, once. */
#define PERSIST(call)                                                                              \
    do {                                                                                           \
        int code_ = (call);                                                                        \
        if (code_ < 0) {                                                                           \
            CHECK(is_excused(code_));                                                              \
            CHECK((call) >= 0);                                                                    \
        }                                                                                          \
    } while (0)

static void create(struct rig *rig, plx_context **ret_context)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;

    options.backend = PLX_BACKEND_WSAPOLL;
    options.allocator = &rig->allocator;
    PERSIST(plx_context_create(ret_context, &options));
}

/* Waits until both have been told. */
static void expect_both(plx_context *context, plx_watcher *first, uint32_t first_events,
                        plx_watcher *second, uint32_t second_events)
{
    bool told_first = false, told_second = false;

    for (int waits = 0; waits < 4 && !(told_first && told_second); waits++) {
        plx_watcher *ready[4];
        int count = plx_context_wait(context, ready, 4, PATIENCE);

        CHECK(count > 0 || is_excused(count));
        for (int i = 0; i < count; i++) {
            CHECK_EVENTS(plx_watcher_triggered(ready[i]),
                         ready[i] == first ? first_events : second_events);
            told_first |= ready[i] == first;
            told_second |= ready[i] == second;
        }
    }
    CHECK(told_first && told_second);
}

/* A wake whose call fails is lost, as nobody can be told: each is given twice. */
static void expect_wake(plx_context *context)
{
    plx_watcher *ready[1];
    int code;

    CHECK_OK(plx_context_wake(context));
    CHECK_OK(plx_context_wake(context));
    do {
        code = plx_context_wait(context, ready, 1, SHORT_WHILE);
        CHECK(code == 0 || is_excused(code));
    } while (code != 0);
}

static void live(struct rig *rig, struct ends reader, struct ends writer)
{
    plx_watcher *read = NULL, *write = NULL, *timer = NULL, *notify = NULL;
    plx_context *context = NULL;

    create(rig, &context);
    PERSIST(plx_context_add(context, plx_fd(reader.here), PLX_READ, NULL, &read));
    PERSIST(plx_context_add(context, plx_fd(writer.here), PLX_WRITE | PLX_ONESHOT, NULL, &write));
    expect_both(context, read, PLX_READ, write, PLX_WRITE);
    PERSIST(plx_watcher_modify(write, PLX_READ | PLX_WRITE));
    PERSIST(plx_watcher_modify(read, PLX_READ | PLX_WRITE));
    expect_both(context, read, PLX_READ | PLX_WRITE, write, PLX_WRITE);
    CHECK_OK(plx_watcher_remove(read));
    CHECK_OK(plx_watcher_remove(write));
    expect_wake(context);
    PERSIST(plx_context_add(context, plx_timer(0, 0), PLX_TIMER, NULL, &timer));
    PERSIST(plx_context_add(context, plx_notify(), PLX_NOTIFY | PLX_ONESHOT, NULL, &notify));
    CHECK_OK(plx_watcher_notify(notify));
    expect_both(context, timer, PLX_TIMER, notify, PLX_NOTIFY);
    plx_context_destroy(context);
}

/* Lives until none of its calls is the one that is refused. */
static void refuse_each(struct rig *rig, uint32_t *refuse)
{
    struct ends reader = stream_pair(rig->scene), writer = stream_pair(rig->scene);
    size_t before = open_descriptors();
    uint32_t number = 0;

    say(&reader);
    do {
        *refuse = ++number;
        live(rig, reader, writer);
        CHECK(open_descriptors() <= before); /* the system may have closed some of its own */
        CHECK_EQUAL(rig->allocated, 0);
        CHECK(number < LAST);
    } while (*refuse == 0);
    CHECK(number > 10);
    *refuse = 0;
}

void fault_of_each_call(struct rig *rig)
{
    kernel.cause = WSAENOBUFS;
    refuse_each(rig, &kernel.refuse);
}

void fault_of_each_allocation(struct rig *rig)
{
    refuse_each(rig, &rig->refuse);
}
