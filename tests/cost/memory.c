/* SPDX-License-Identifier: MIT */
/*
 * memory.c: how much a watched descriptor weighs, at every number of them, and what never
 * allocates.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "allocations.h"
#include "desk.h"

#define WATCHERS DESCRIPTORS

/* --- Bytes, as malloc sees them --- */

static size_t malloced(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Descriptors of which the next is `stride` further on; as many as there may be. */
static void open_descriptors(struct desk *desk, int stride)
{
    int limit = desk_raise_limit(stride * WATCHERS + 64);
    int number = desk_event(desk, false);
    while (desk->descriptor_count < WATCHERS && (number += stride) < limit) {
        int fd = eventfd(0, EFD_CLOEXEC);
        CHECK(fd >= 0);
        if (fd != number) {
            CHECK(dup3(fd, number, O_CLOEXEC) == number);
            close(fd);
        }
        desk_keep(desk, number);
    }
}

/* All watchers together, at the number where one of them weighs most. */
struct weight {
    size_t bytes;
    int at;
};

typedef plx_handle handle_of(int *descriptor);

static plx_handle plain(int *descriptor)
{
    return plx_fd(*descriptor);
}

static int get_fd(void *object)
{
    return *(int *)object;
}

static plx_handle custom(int *descriptor)
{
    static const plx_handle_ops ops = {.size = sizeof ops, .get_fd = get_fd};
    return plx_custom(&ops, descriptor);
}

/* What all may weigh together: `start` bytes, and so many more for each. */
struct bound {
    size_t start;
    size_t bytes;
};

static const struct bound plain_bound = {0, 64};

/* A custom handle, or a file that the kernel does not watch. The first takes a slab of its kind. */
static struct bound wide_bound(const struct desk *desk)
{
    return (struct bound){4096, IS_EPOLL(desk) ? 80 : 96};
}

static void check_weight(size_t used, size_t number, struct bound bound)
{
    if (used > bound.start + bound.bytes * number)
        check_failed(__FILE__, __LINE__, "%zu watchers weigh %zu bytes, %.1f each", number, used,
                     (double)used / (double)number);
}

static void do_nothing(plx_watcher *watcher, uint32_t triggered, void *data)
{
    (void)watcher, (void)triggered, (void)data;
}

static void add_one(struct desk *desk, plx_handle handle, uint32_t events, plx_callback *callback)
{
    if (callback)
        CHECK_OK(plx_context_on(desk->context, handle, events, callback, NULL, NULL));
    else
        CHECK_OK(plx_context_add(desk->context, handle, events, NULL, NULL));
}

static void weigh(struct desk *desk, handle_of *handle, plx_callback *callback, struct bound bound)
{
    struct weight weight = {0, 1};
    size_t base = malloced();
    for (int i = 0; i < desk->descriptor_count; i++) {
        add_one(desk, handle(&desk->descriptors[i]), PLX_READ, callback);
        size_t used = malloced() - base;
        size_t number = (size_t)i + 1;
        size_t counted = used > bound.start ? used - bound.start : 0;
        if (counted * (size_t)weight.at > weight.bytes * number)
            weight = (struct weight){counted, i + 1};
        check_weight(used, number, bound);
    }
    size_t all = malloced() - base;
    printf("# %d watchers weigh %.1f bytes each; at most %zu + %.1f each, at %d\n",
           desk->descriptor_count, (double)all / desk->descriptor_count, bound.start,
           (double)weight.bytes / weight.at, weight.at);
    if (desk->descriptor_count == WATCHERS)
        desk_figure("bytes", "each of 10000", "%.1f", (double)all / WATCHERS);
}

static void open_to_weigh(struct desk *desk)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    options.backend = desk->backend;
    if (desk_odd_build())
        check_skip(desk_odd_build());
    CHECK_OK(plx_context_create(&desk->context, &options));
}

static void prepare_to_weigh(struct desk *desk, int stride)
{
    desk_need_descriptors(WATCHERS + 64);
    open_descriptors(desk, stride);
    open_to_weigh(desk);
}

static void dense_numbers(struct desk *desk)
{
    prepare_to_weigh(desk, 1);
    weigh(desk, plain, NULL, plain_bound);
    desk_close(desk);
}

/* As a server has that opens a second descriptor, or a proxy. */
static void every_second_number(struct desk *desk)
{
    prepare_to_weigh(desk, 2);
    weigh(desk, plain, NULL, plain_bound);
    desk_close(desk);
}

static void custom_handles(struct desk *desk)
{
    prepare_to_weigh(desk, 2);
    weigh(desk, custom, NULL, wide_bound(desk));
    desk_close(desk);
}

/* Plain ones on poll, which watches files as it does the rest. */
static void regular_files(struct desk *desk)
{
    prepare_to_weigh(desk, 2);
    int file = memfd_create("file", MFD_CLOEXEC);
    for (int i = 0; i < desk->descriptor_count; i++)
        CHECK(dup3(file, desk->descriptors[i], O_CLOEXEC) == desk->descriptors[i]);
    close(file);
    weigh(desk, plain, NULL, IS_EPOLL(desk) ? wide_bound(desk) : plain_bound);
    desk_close(desk);
}

/*
 * The first one with a callback takes a slab of its kind, and what was made ready for descriptors
 * without one stays unused.
 */
static const struct bound callback_bound = {4096, 64};

static void with_callbacks(struct desk *desk)
{
    prepare_to_weigh(desk, 1);
    weigh(desk, plain, do_nothing, callback_bound);
    desk_close(desk);
}

/* The one place where more than 64 bytes go to a descriptor: 8 of them are the callback. */
static void every_second_with_callback(struct desk *desk)
{
    static const struct bound on_poll = {4096, 68};
    prepare_to_weigh(desk, 2);
    weigh(desk, plain, do_nothing, IS_EPOLL(desk) ? callback_bound : on_poll);
    desk_close(desk);
}

#define FEW_TIMERS  100000
#define MANY_TIMERS 1000000

/*
 * The first slab and the first tables weigh more than the few timers in them, realloc() leaves
 * small blocks behind, and beyond a thousand there is a second table while the first keeps its
 * size. With a hundred thousand nothing of that is left to excuse.
 */
static void weigh_timers(struct desk *desk, size_t each, plx_callback *callback)
{
    const struct bound small = {20480, each}, large = {0, each};
    double heaviest = 0;
    size_t base = malloced();
    for (size_t number = 1; number <= MANY_TIMERS; number++) {
        add_one(desk, plx_timer(PLX_SECONDS(1000) + (plx_duration)number, 0), PLX_TIMER, callback);
        size_t used = malloced() - base;
        check_weight(used, number, number < FEW_TIMERS ? small : large);
        if (number == 1 || number == 10 || number == 100 || number == 1000 || number == 10000)
            printf("# %zu timers weigh %zu bytes, %.1f each\n", number, used,
                   (double)used / (double)number);
        if (number >= FEW_TIMERS && (double)used / (double)number > heaviest)
            heaviest = (double)used / (double)number;
    }
    printf("# %d to %d timers weigh at most %.1f bytes each\n", FEW_TIMERS, MANY_TIMERS, heaviest);
    desk_figure("bytes", "each of 100000 to 1000000", "%.1f", heaviest);
}

static void timers(struct desk *desk)
{
    open_to_weigh(desk);
    weigh_timers(desk, 72, NULL);
    desk_close(desk);
}

static void timers_with_callbacks(struct desk *desk)
{
    open_to_weigh(desk);
    weigh_timers(desk, 80, do_nothing);
    desk_close(desk);
}

/* --- Allocations, as the context's allocator sees them --- */

#define MANY 1500

static plx_watcher *watchers[MANY];

static void open_many(struct desk *desk, bool are_ready)
{
    desk_need_descriptors(MANY + 64);
    for (int i = 0; i < MANY; i++)
        desk_event(desk, are_ready);
}

static void add_all(struct desk *desk, uint32_t events)
{
    for (int i = 0; i < MANY; i++)
        watchers[i] = desk_add(desk, desk->descriptors[i], events);
}

static void modify_all(uint32_t events)
{
    for (int i = 0; i < MANY; i++)
        CHECK_OK(plx_watcher_modify(watchers[i], events));
}

static void remove_all(void)
{
    for (int i = 0; i < MANY; i++)
        CHECK_OK(plx_watcher_remove(watchers[i]));
}

static void wait_modify_remove(struct desk *desk)
{
    desk_open(desk, 0);
    open_many(desk, true);
    add_all(desk, PLX_READ);
    ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), MANY));
    ALLOCATES_NOTHING(desk, modify_all(PLX_READ | PLX_WRITE | PLX_ONESHOT));
    ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), MANY));
    ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 0));
    ALLOCATES_NOTHING(desk, modify_all(PLX_ERROR));
    ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 0));
    ALLOCATES_NOTHING(desk, CHECK_OK(plx_context_wake(desk->context)));
    ALLOCATES_NOTHING(desk, remove_all());
    ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 0));
    desk_close(desk);
}

static void add_after_remove(struct desk *desk)
{
    desk_open(desk, 0);
    open_many(desk, true);
    add_all(desk, PLX_READ);
    remove_all();
    CHECK_EQUAL(desk_look(desk), 0);
    for (int i = 0; i < 3; i++) {
        ALLOCATES_NOTHING(desk, add_all(desk, PLX_READ));
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), MANY));
        ALLOCATES_NOTHING(desk, remove_all());
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 0));
    }
    desk_close(desk);
}

static void add_within_hint(struct desk *desk)
{
    open_many(desk, true);
    desk_open(desk, MANY);
    ALLOCATES_NOTHING(desk, add_all(desk, PLX_READ));
    ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), MANY));
    desk_close(desk);
}

static void refuse_add(struct desk *desk, int fd)
{
    CHECK_CODE(plx_context_add(desk->context, plx_fd(fd), PLX_READ, NULL, NULL), PLX_ERR_EXISTS);
}

/* What an add took before it was refused is given back, and does for the next one. */
static void refused_adds(struct desk *desk)
{
    desk_open(desk, 0);
    int fds[] = {desk_event(desk, true), desk_file(desk)};
    for (int i = 0; i < 2; i++) {
        desk_add(desk, fds[i], PLX_READ);
        refuse_add(desk, fds[i]);
    }
    for (int i = 0; i < MANY; i++)
        ALLOCATES_NOTHING(desk, refuse_add(desk, fds[i % 2]));
    desk_close(desk);
}

/* The kernel queue is made anew because it goes on reporting a descriptor that is closed. */
static void ghost(struct desk *desk)
{
    desk_open(desk, 0);
    int fd = dup(desk_event(desk, true));
    plx_watcher *watcher = desk_add(desk, fd, PLX_READ);
    desk_add(desk, desk_event(desk, true), PLX_READ);
    close(fd);
    CHECK_OK(plx_watcher_remove(watcher));
    for (int i = 0; i < 3; i++)
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 1));
    desk_close(desk);
}

static bool has_buffered(void *object)
{
    (void)object;
    return true;
}

static void add_unusual(struct desk *desk)
{
    static const plx_handle_ops ops = {
        .size = sizeof ops, .get_fd = get_fd, .has_buffered = has_buffered};
    plx_context *context = desk->context;
    watchers[0] = desk_add(desk, desk->descriptors[0], PLX_READ);
    CHECK_OK(plx_context_add(context, plx_custom(&ops, &desk->descriptors[1]), PLX_READ, NULL,
                             &watchers[1]));
}

/* Watchers of the larger kind: a file, and a custom handle with a buffer. */
static void unusual_handles(struct desk *desk)
{
    desk_open(desk, 0);
    desk_file(desk);
    desk_event(desk, false);
    add_unusual(desk);
    for (int i = 0; i < 3; i++) {
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 2));
        ALLOCATES_NOTHING(desk, CHECK_OK(plx_watcher_remove(watchers[0])));
        ALLOCATES_NOTHING(desk, CHECK_OK(plx_watcher_remove(watchers[1])));
        ALLOCATES_NOTHING(desk, CHECK_EQUAL(desk_look(desk), 0));
        ALLOCATES_NOTHING(desk, add_unusual(desk));
    }
    desk_close(desk);
}

static const struct cost_case cases[] = {
    {"dense_numbers", dense_numbers, false},
    {"every_second_number", every_second_number, false},
    {"custom_handles", custom_handles, false},
    {"regular_files", regular_files, false},
    {"with_callbacks", with_callbacks, false},
    {"every_second_with_callback", every_second_with_callback, false},
    {"timers", timers, false},
    {"timers_with_callbacks", timers_with_callbacks, false},
    {"wait_modify_remove", wait_modify_remove, false},
    {"add_after_remove", add_after_remove, false},
    {"add_within_hint", add_within_hint, false},
    {"refused_adds", refused_adds, false},
    {"ghost", ghost, true},
    {"unusual_handles", unusual_handles, false},
};

int main(void)
{
    const struct cost_group groups[] = {
        {cases, COUNT_OF(cases), 0},
        {allocation_cases, allocation_case_count, 0},
    };
    return desk_run_cases(groups, COUNT_OF(groups));
}
