/* SPDX-License-Identifier: MIT */
/* batch.c: what one wait delivers, and how the ready share it (S5, S11, S12). */
#include <stdlib.h>

#include "cases.h"

#define CROWD     1000 /* more than any batch */
#define BIG_CROWD 1500 /* more than one kernel call gives */
#define BIG_ARRAY 2000
#define SOME      10

/* A custom handle that always has bytes left in its own buffer. */
struct source {
    plx_socket fd;
};

static plx_socket source_fd(void *object)
{
    return ((struct source *)object)->fd;
}

static bool source_has_bytes(void *object)
{
    (void)object;
    return true;
}

static const plx_handle_ops never_empty = {sizeof(plx_handle_ops), source_fd, NULL,
                                           source_has_bytes, NULL};

/* Counts reports in the watchers' data; the caller gives each watcher a counter. */
static int wait_and_count(struct scene *scene, plx_watcher **ready, int capacity)
{
    int count = plx_context_wait(scene->context, ready, capacity, PATIENCE);

    CHECK(count >= 0 && count <= capacity);
    for (int i = 0; i < count; i++) {
        int *counter = plx_watcher_data(ready[i]);

        CHECK(plx_watcher_triggered(ready[i]) != 0);
        *counter += 1;
    }
    return count;
}

static void watch_counted(struct scene *scene, plx_socket fd, uint32_t events, int *counter)
{
    CHECK_OK(plx_context_add(scene->context, plx_fd(fd), events, counter, NULL));
}

static void watch_crowd(struct scene *scene, uint32_t events, int *counters, size_t count)
{
    plx_socket *fds = malloc(count * sizeof *fds);

    CHECK(fds != NULL);
    ready_descriptors(scene, fds, count);
    for (size_t i = 0; i < count; i++)
        watch_counted(scene, fds[i], events, &counters[i]);
    free(fds);
}

static void expect_each(const int *counters, size_t count, int want)
{
    for (size_t i = 0; i < count; i++)
        CHECK_EQUAL(counters[i], want);
}

void batch_all_ready_are_in_it(struct scene *scene)
{
    int counters[SOME] = {0};

    watch_crowd(scene, PLX_READ, counters, SOME);
    for (int round = 1; round <= 3; round++) {
        CHECK_EQUAL(wait_and_count(scene, scene->ready, SCENE_CAPACITY), SOME);
        expect_each(counters, SOME, round);
    }
}

void batch_is_as_large_as_ready_and_capacity_allow(struct scene *scene)
{
    int counters[SOME] = {0};

    watch_crowd(scene, PLX_READ, counters, SOME);
    for (int capacity = 1; capacity <= SOME + 2; capacity++)
        CHECK_EQUAL(wait_and_count(scene, scene->ready, capacity),
                    capacity < SOME ? capacity : SOME);
}

void batch_array_beyond_the_count_is_untouched(struct scene *scene)
{
    plx_watcher *mark = (plx_watcher *)(void *)scene;

    watch(scene, stream_pair(scene).here, PLX_WRITE);
    for (int i = 0; i < SCENE_CAPACITY; i++)
        scene->ready[i] = mark;
    CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, PATIENCE), 1);
    for (int i = 1; i < SCENE_CAPACITY; i++)
        CHECK(scene->ready[i] == mark);
}

static void expect_big_crowd_at_once(struct scene *scene, uint32_t events)
{
    static int counters[BIG_CROWD];
    static plx_watcher *ready[BIG_ARRAY];

    for (size_t i = 0; i < BIG_CROWD; i++)
        counters[i] = 0;
    watch_crowd(scene, events, counters, BIG_CROWD);
    CHECK_EQUAL(wait_and_count(scene, ready, BIG_ARRAY), BIG_CROWD);
    expect_each(counters, BIG_CROWD, 1);
}

void batch_larger_than_a_kernel_call(struct scene *scene)
{
    expect_big_crowd_at_once(scene, PLX_READ);
}

void batch_larger_than_a_kernel_call_oneshot(struct scene *scene)
{
    expect_big_crowd_at_once(scene, PLX_READ | PLX_ONESHOT);
    EXPECT_QUIET(scene);
}

void batch_huge_capacity(struct scene *scene)
{
    enum { LARGE = 1 << 20 };
    plx_watcher **ready = malloc(LARGE * sizeof *ready);
    int counters[SOME] = {0};

    CHECK(ready != NULL);
    watch_crowd(scene, PLX_READ, counters, SOME);
    CHECK_EQUAL(wait_and_count(scene, ready, LARGE), SOME);
    expect_each(counters, SOME, 1);
    free(ready);
}

/* 1 000 ready, 64 a wait: 16 waits would do, and one more is granted for the turn of the list. */
void batch_nobody_starves_in_a_crowd(struct scene *scene)
{
    static int counters[CROWD];

    for (size_t i = 0; i < CROWD; i++)
        counters[i] = 0;
    watch_crowd(scene, PLX_READ, counters, CROWD);
    for (int i = 0; i < CROWD / SCENE_CAPACITY + 2; i++)
        CHECK_EQUAL(wait_and_count(scene, scene->ready, SCENE_CAPACITY), SCENE_CAPACITY);
    for (size_t i = 0; i < CROWD; i++)
        CHECK(counters[i] >= 1);
}

void batch_nobody_starves_with_capacity_one(struct scene *scene)
{
    int counters[SOME] = {0};

    watch_crowd(scene, PLX_READ, counters, SOME);
    for (int i = 0; i < SOME + 1; i++)
        CHECK_EQUAL(wait_and_count(scene, scene->ready, 1), 1);
    for (int i = 0; i < SOME; i++)
        CHECK(counters[i] >= 1);
}

static void watch_buffered(struct scene *scene, struct source *source, int *counter)
{
    CHECK_OK(
        plx_context_add(scene->context, plx_custom(&never_empty, source), PLX_READ, counter, NULL));
}

/* To some kernels a file is ready like a socket; the other kinds then have larger shares. */
void batch_kinds_take_turns_with_capacity_one(struct scene *scene)
{
    struct source source = {stream_pair(scene).here};
    int counters[3] = {0};

    watch_crowd(scene, PLX_READ, &counters[0], 1);
    watch_counted(scene, always_ready(scene), PLX_READ, &counters[1]);
    watch_buffered(scene, &source, &counters[2]);
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(wait_and_count(scene, scene->ready, 1), 1);
    expect_each(counters, 3, 1);
    for (int i = 3; i < 12; i++)
        CHECK_EQUAL(wait_and_count(scene, scene->ready, 1), 1);
    for (int i = 0; i < 3; i++)
        CHECK(counters[i] >= 3);
}

void batch_kinds_share_a_capacity_of_two(struct scene *scene)
{
    struct source source = {stream_pair(scene).here};
    int counters[3] = {0};

    watch_crowd(scene, PLX_READ, &counters[0], 1);
    watch_counted(scene, always_ready(scene), PLX_READ, &counters[1]);
    watch_buffered(scene, &source, &counters[2]);
    for (int i = 0; i < 6; i++)
        CHECK_EQUAL(wait_and_count(scene, scene->ready, 2), 2);
    for (int i = 0; i < 3; i++)
        CHECK(counters[i] >= 2);
}

/* A look does not ask for the time before it has to; it has to for the timer. */
void batch_timers_take_the_place_that_is_left(struct scene *scene)
{
    struct source source = {stream_pair(scene).here};
    int buffered = 0;

    watch_buffered(scene, &source, &buffered);
    CHECK_OK(plx_context_add(scene->context, plx_timer(0, 1), PLX_TIMER, NULL, NULL));
    for (int i = 0; i < 6; i++)
        CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 2, 0), 2);
}

void batch_files_leave_a_slot_to_the_kernel(struct scene *scene)
{
    int files[SOME] = {0}, socket = 0;

    for (int i = 0; i < SOME; i++)
        watch_counted(scene, always_ready(scene), PLX_READ, &files[i]);
    watch_crowd(scene, PLX_READ, &socket, 1);
    for (int round = 0; round < SOME; round++)
        CHECK_EQUAL(wait_and_count(scene, scene->ready, 3), 3);
    CHECK(socket >= 2);
    for (int i = 0; i < SOME; i++)
        CHECK(files[i] >= 1);
}

void batch_buffered_leave_a_slot_to_the_kernel(struct scene *scene)
{
    struct source sources[SOME];
    int buffered[SOME] = {0}, socket = 0;

    for (int i = 0; i < SOME; i++) {
        sources[i].fd = stream_pair(scene).here;
        watch_buffered(scene, &sources[i], &buffered[i]);
    }
    watch_crowd(scene, PLX_READ, &socket, 1);
    for (int round = 0; round < SOME; round++)
        CHECK_EQUAL(wait_and_count(scene, scene->ready, 3), 3);
    CHECK(socket >= 2);
    for (int i = 0; i < SOME; i++)
        CHECK(buffered[i] >= 1);
}

void batch_crowd_does_not_starve_files_and_buffered(struct scene *scene)
{
    struct source source = {stream_pair(scene).here};
    static int crowd[100];
    int file = 0, buffered = 0;

    for (size_t i = 0; i < COUNT_OF(crowd); i++)
        crowd[i] = 0;
    watch_crowd(scene, PLX_READ, crowd, COUNT_OF(crowd));
    watch_counted(scene, always_ready(scene), PLX_READ, &file);
    watch_buffered(scene, &source, &buffered);
    for (int round = 0; round < 40; round++)
        CHECK_EQUAL(wait_and_count(scene, scene->ready, 8), 8);
    CHECK(file >= 2);
    CHECK(buffered >= 2);
    for (size_t i = 0; i < COUNT_OF(crowd); i++)
        CHECK(crowd[i] >= 1);
}

/* Two that are ready; returns the one whose report comes second. */
static plx_watcher *later_of_two(struct scene *scene, uint32_t events, struct ends pairs[2])
{
    for (int i = 0; i < 2; i++) {
        pairs[i] = stream_pair(scene);
        say(&pairs[i]);
        watch(scene, pairs[i].here, events);
    }
    CHECK_EQUAL(wait_for(scene, PATIENCE), 2);
    CHECK(scene->ready[0] != scene->ready[1]);
    return scene->ready[1];
}

void batch_remove_takes_a_report_back(struct scene *scene)
{
    struct ends pairs[2];
    plx_watcher *later = later_of_two(scene, PLX_READ, pairs);

    CHECK_EVENTS(plx_watcher_triggered(later), PLX_READ);
    CHECK_OK(plx_watcher_remove(later));
    CHECK(!plx_watcher_is_active(later));
    CHECK_EVENTS(plx_watcher_triggered(later), 0);
    CHECK_EVENTS(plx_watcher_triggered(scene->ready[0]), PLX_READ);
    EXPECT_REPORT(scene, scene->ready[0], PLX_READ);
}

void batch_modify_masks_a_report(struct scene *scene)
{
    struct ends pairs[2];
    plx_watcher *later = later_of_two(scene, PLX_READ | PLX_WRITE, pairs);

    CHECK_EVENTS(plx_watcher_triggered(later), PLX_READ | PLX_WRITE);
    CHECK_OK(plx_watcher_modify(later, PLX_WRITE));
    CHECK_EVENTS(plx_watcher_triggered(later), PLX_WRITE);
    CHECK_OK(plx_watcher_modify(later, PLX_RDHUP));
    CHECK_EVENTS(plx_watcher_triggered(later), 0);
}

void batch_modify_lets_hup_pass(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ | PLX_WRITE);

    there_hangs_up(scene, &ends);
    EXPECT_HANGUP(scene, watcher, PLX_READ | PLX_WRITE);
    CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE));
    check_events(__FILE__, __LINE__, "what is left", plx_watcher_triggered(watcher),
                 PLX_WRITE | PLX_HUP, tolerance_bits(T2_HANGUP, scene->backend));
}

void batch_close_and_reuse_of_a_number(struct scene *scene)
{
    struct ends pairs[2], fresh = stream_pair(scene);
    plx_watcher *later = later_of_two(scene, PLX_READ, pairs), *young;
    plx_socket number = plx_watcher_handle(later).as.fd;

    CHECK_OK(plx_context_close(scene->context, number));
    move_to(scene, fresh.here, number);
    young = watch(scene, number, PLX_READ);
    CHECK(young != later);
    CHECK_EVENTS(plx_watcher_triggered(later), 0);
    CHECK_EVENTS(plx_watcher_triggered(young), 0);
    EXPECT_REPORT(scene, scene->ready[0], PLX_READ);
    EXPECT_REPORT(scene, scene->ready[0], PLX_READ);
}

void batch_last_report_stays_until_the_next(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    CHECK_EVENTS(plx_watcher_triggered(watcher), 0);
    say(&ends);
    CHECK_EVENTS(plx_watcher_triggered(watcher), 0);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    drain(ends.here);
    EXPECT_QUIET(scene);
    CHECK_EVENTS(plx_watcher_triggered(watcher), PLX_READ);
}
