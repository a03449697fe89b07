/* SPDX-License-Identifier: MIT */
/*
 * subjects.c: one step each of what the runtime does most often. The script `instructions` chooses
 * which public functions of a step it counts.
 */
#include "subjects.h"

#include <string.h>
#include <sys/eventfd.h>

#include "desk.h"

#define WATCHERS_MAX 10000
#define LARGEST      1024

/* Long enough for Valgrind: none of them comes. */
#define IDLE PLX_SECONDS(3600)

static plx_watcher *all[WATCHERS_MAX];
static int all_count;
static plx_watcher *ready[LARGEST];

static plx_watcher *add(plx_context *context, plx_handle handle, uint32_t events)
{
    plx_watcher *watcher;
    CHECK_OK(plx_context_add(context, handle, events, NULL, &watcher));
    return watcher;
}

static void add_all(plx_context *context, plx_handle handle, uint32_t events, int count)
{
    CHECK(count > 0 && count <= WATCHERS_MAX);
    for (all_count = 0; all_count < count; all_count++)
        all[all_count] = add(context, handle, events);
}

static void wait_for(plx_context *context, int count)
{
    CHECK_EQUAL(plx_context_wait(context, ready, LARGEST, 0), count);
}

/* An idle timeout of many, of which each is pushed back in turn. */
static void prepare_idle(plx_context *context, int watchers)
{
    add_all(context, plx_timer(IDLE, 0), PLX_TIMER, watchers);
    wait_for(context, 0);
}

static void push_back(plx_context *context)
{
    static int next;
    (void)context;
    CHECK_OK(plx_watcher_again(all[next], IDLE));
    next = (next + 1) % all_count;
}

/* The same with a wait between any two of one timer, as a server has it. */
static void push_all_back(plx_context *context)
{
    for (int i = 0; i < all_count; i++)
        CHECK_OK(plx_watcher_again(all[i], IDLE));
    wait_for(context, 0);
}

static plx_watcher *due;

static void prepare_expiry(plx_context *context, int watchers)
{
    prepare_idle(context, watchers);
    due = add(context, plx_timer(0, 0), PLX_TIMER);
    wait_for(context, 1);
}

static void expire(plx_context *context)
{
    CHECK_OK(plx_watcher_modify(due, PLX_TIMER));
    wait_for(context, 1);
}

/* A descriptor is ready, as in a plain wait, and timers are running. */
static void prepare_guarded(plx_context *context, int watchers)
{
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(fd >= 0);
    prepare_idle(context, watchers);
    add(context, plx_fd(fd), PLX_READ);
}

static void wait_guarded(plx_context *context)
{
    wait_for(context, 1);
}

/* Nothing is ready. */
static void prepare_quiet(plx_context *context, int watchers)
{
    for (int i = 0; i < watchers; i++) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        CHECK(fd >= 0);
        add(context, plx_fd(fd), PLX_READ);
    }
}

static void wait_in_vain(plx_context *context)
{
    wait_for(context, 0);
}

static void prepare_notify(plx_context *context, int watchers)
{
    add_all(context, plx_notify(), PLX_NOTIFY, watchers);
    wait_for(context, 0);
}

static void notify(plx_context *context)
{
    CHECK_OK(plx_watcher_notify(all[all_count / 2]));
    wait_for(context, 1);
    CHECK_OK(plx_watcher_clear(all[all_count / 2]));
}

static void notify_pending(plx_context *context)
{
    (void)context;
    CHECK_OK(plx_watcher_notify(all[0]));
}

static void do_nothing(plx_watcher *watcher, uint32_t triggered, void *data)
{
    (void)watcher, (void)triggered, (void)data;
}

/* One of so many descriptors is ready, and has a callback as all have. */
static void prepare_turn(plx_context *context, int watchers)
{
    desk_raise_limit(watchers + 64);
    for (int i = 0; i < watchers; i++) {
        int fd = eventfd(i == watchers / 2, EFD_CLOEXEC | EFD_NONBLOCK);
        CHECK(fd >= 0);
        CHECK_OK(plx_context_on(context, plx_fd(fd), PLX_READ, do_nothing, NULL, NULL));
    }
}

static void turn(plx_context *context)
{
    CHECK_EQUAL(plx_context_turn(context, 0), 1);
}

static void ignore(plx_context *context, void *data)
{
    (void)context, (void)data;
}

static void prepare_nothing(plx_context *context, int watchers)
{
    (void)watchers;
    CHECK_EQUAL(plx_context_turn(context, 0), 0);
}

static void post(plx_context *context)
{
    CHECK_OK(plx_context_post(context, ignore, NULL));
    CHECK_EQUAL(plx_context_turn(context, 0), 1);
}

static const struct subject subjects[] = {
    {"again", prepare_idle, push_back},
    {"idle", prepare_idle, push_all_back},
    {"guarded", prepare_guarded, wait_guarded},
    {"quiet", prepare_quiet, wait_in_vain},
    {"asleep", prepare_idle, wait_in_vain},
    {"expiry", prepare_expiry, expire},
    {"notify", prepare_notify, notify},
    {"pending", prepare_notify, notify_pending},
    {"turn", prepare_turn, turn},
    {"post", prepare_nothing, post},
};

const struct subject *subject_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        if (strcmp(subjects[i].name, name) == 0)
            return &subjects[i];
    }
    return NULL;
}
