/* SPDX-License-Identifier: MIT */
/* level.c: the plain watcher. It is reported as long as what it asked for holds (S1, S5, S9). */
#include "cases.h"

void level_repeats(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    EXPECT_QUIET(scene);
    say(&ends);
    for (int i = 0; i < 3; i++)
        EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_EQUAL(drain(ends.here), 1);
    EXPECT_QUIET(scene);
}

void level_reports_what_is_ready_at_add(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher;

    say(&ends);
    watcher = watch(scene, ends.here, PLX_READ);
    EXPECT_REPORT(scene, watcher, PLX_READ);
}

void level_partial_read_repeats(struct scene *scene)
{
    struct ends ends = pipe_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    fill(ends.there);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK(drain(ends.here) > 1);
    EXPECT_QUIET(scene);
}

void level_write_until_full(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_WRITE);

    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    fill(ends.here);
    EXPECT_QUIET(scene);
    drain(ends.there);
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
}

void level_one_report_for_both_directions(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ | PLX_WRITE);

    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_WRITE);
    fill(ends.here);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    drain(ends.here);
    EXPECT_QUIET(scene);
}

void level_reports_only_what_was_asked(struct scene *scene)
{
    struct ends readable = stream_pair(scene), writable = stream_pair(scene);
    plx_watcher *reader = watch(scene, readable.here, PLX_READ);

    say(&readable);
    say(&writable);
    EXPECT_REPORT(scene, reader, PLX_READ);
    drain(readable.here);
    EXPECT_REPORT(scene, watch(scene, writable.here, PLX_WRITE), PLX_WRITE);
}

void level_pipe_both_ends(struct scene *scene)
{
    struct ends ends = pipe_pair(scene);
    plx_watcher *writer = watch(scene, ends.there, PLX_WRITE);
    plx_watcher *reader;

    EXPECT_REPORT(scene, writer, PLX_WRITE);
    fill(ends.there);
    EXPECT_QUIET(scene);
    reader = watch(scene, ends.here, PLX_READ);
    EXPECT_REPORT(scene, reader, PLX_READ);
    drain(ends.here);
    EXPECT_REPORT(scene, writer, PLX_WRITE);
}

void level_tcp(struct scene *scene)
{
    struct ends ends = tcp_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ | PLX_WRITE | PLX_RDHUP);

    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_WRITE);
    drain(ends.here);
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
}

void level_udp(struct scene *scene)
{
    struct ends ends = udp_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    drain(ends.here);
    EXPECT_QUIET(scene);
}

void level_terminal(struct scene *scene)
{
    struct ends ends = terminal_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    drain(ends.here);
    EXPECT_QUIET(scene);
}

void level_listener_reads_when_a_connection_waits(struct scene *scene)
{
    plx_socket listener = listen_socket(scene);
    plx_watcher *watcher = watch(scene, listener, PLX_READ | PLX_WRITE);

    EXPECT_QUIET(scene);
    connect_to(scene, listener);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_REPORT(scene, watcher, PLX_READ);
}

void level_connected_socket_writes(struct scene *scene)
{
    plx_socket client = connect_to(scene, listen_socket(scene));

    EXPECT_REPORT(scene, watch(scene, client, PLX_READ | PLX_WRITE | PLX_RDHUP), PLX_WRITE);
}

void level_urgent_data(struct scene *scene)
{
    struct ends ends;
    plx_watcher *watcher;

    skip_without_pri(scene);
    ends = tcp_pair(scene);
    watcher = watch(scene, ends.here, PLX_READ | PLX_PRI);
    EXPECT_QUIET(scene);
    put_urgent(&ends);
    EXPECT_REPORT(scene, watcher, PLX_PRI);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_QUIET(scene);
}

void level_modify_replaces_the_set(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    say(&ends);
    CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE));
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_WRITE));
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_WRITE);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_EVENTS(plx_watcher_events(watcher), PLX_READ);
}

void level_modify_that_was_undone(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE));
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
}

void level_last_of_many_modifies_counts(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    for (int i = 0; i < 100; i++)
        CHECK_OK(plx_watcher_modify(watcher, i % 2 ? PLX_WRITE : PLX_READ));
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
}

void level_modify_to_the_same_set(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_QUIET(scene);
    say(&ends);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_REPORT(scene, watcher, PLX_READ);
}

void level_removed_is_silent(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_QUIET(scene);
    EXPECT_REPORT(scene, watch(scene, ends.here, PLX_READ), PLX_READ);
}

void level_removed_after_modify_is_silent(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_WRITE));
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_QUIET(scene);
}

void level_two_queues_in_a_process(struct scene *scene)
{
    plx_context *other = another_context(scene);
    plx_watcher *elsewhere, *ready[2];
    struct ends ends = stream_pair(scene);
    plx_watcher *here = watch(scene, ends.here, PLX_READ);

    CHECK_OK(plx_context_add(other, plx_fd(ends.here), PLX_READ | PLX_WRITE, NULL, &elsewhere));
    say(&ends);
    EXPECT_REPORT(scene, here, PLX_READ);
    CHECK_EQUAL(plx_context_wait(other, ready, 2, PATIENCE), 1);
    CHECK(ready[0] == elsewhere);
    CHECK_EVENTS(plx_watcher_triggered(elsewhere), PLX_READ | PLX_WRITE);
    CHECK_OK(plx_watcher_remove(here));
    CHECK_EQUAL(plx_context_wait(other, ready, 2, PATIENCE), 1);
    plx_context_destroy(other);
}
