/* SPDX-License-Identifier: MIT */
/*
 * hangup.c: the ends of connections (S1-S4). Each case arranges one and says what is known about
 * it; what a watcher then sees follows from what it asked for, by one rule, on every backend.
 */
#include "cases.h"

#define ASKABLE (PLX_READ | PLX_WRITE | PLX_RDHUP)
#define UNASKED (PLX_ERROR | PLX_HUP)

static void expect_asked(struct scene *scene, plx_socket fd, uint32_t asked, uint32_t known,
                         uint32_t optional)
{
    uint32_t want = known & (asked | UNASKED);
    plx_watcher *watcher = watch(scene, fd, asked);

    if (want & ~optional) {
        EXPECT_REPORT_WITH(scene, watcher, want, optional);
        EXPECT_REPORT_WITH(scene, watcher, want, optional);
    } else if (!want) {
        EXPECT_QUIET(scene);
    }
    CHECK_OK(plx_watcher_remove(watcher));
}

static void expect_once(struct scene *scene, plx_socket fd, uint32_t asked, uint32_t known,
                        uint32_t optional)
{
    uint32_t want = known & (asked | UNASKED);
    plx_watcher *watcher = watch(scene, fd, asked);

    if (want & ~optional)
        EXPECT_REPORT_WITH(scene, watcher, want, optional);
    if (want & ~optional || !want)
        EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_remove(watcher));
}

/*
 * `known` is the report of a watcher that asks for everything. Each subset must see its share,
 * level and one-shot; a watcher for ERROR alone sees it once.
 */
static void expect_known(struct scene *scene, plx_socket fd, uint32_t known,
                         enum tolerance tolerance)
{
    uint32_t optional = tolerance_bits(tolerance, scene->backend);

    for (uint32_t asked = 1; asked <= ASKABLE; asked++) {
        if (asked & ~ASKABLE)
            continue;
        expect_asked(scene, fd, asked, known, optional);
        expect_once(scene, fd, asked | PLX_ONESHOT, known, optional);
        if (!tolerance_refuses_edge(scene->backend))
            expect_once(scene, fd, asked | PLX_EDGE, known, optional);
    }
    expect_once(scene, fd, PLX_ERROR, known, optional);
    expect_once(scene, fd, PLX_HUP, known, optional);
}

void hangup_nothing_happened(struct scene *scene)
{
    expect_known(scene, stream_pair(scene).here, PLX_WRITE, EXACT);
}

static void expect_half_close(struct scene *scene, struct ends ends, bool with_data)
{
    if (with_data)
        say(&ends);
    there_half_closes(&ends);
    expect_known(scene, ends.here, PLX_READ | PLX_WRITE | PLX_RDHUP, with_data ? T2_UNREAD : EXACT);
}

void hangup_half_close_tcp(struct scene *scene)
{
    expect_half_close(scene, tcp_pair(scene), false);
    expect_half_close(scene, tcp_pair(scene), true);
}

void hangup_half_close_unix(struct scene *scene)
{
    expect_half_close(scene, unix_pair(scene), false);
    expect_half_close(scene, unix_pair(scene), true);
}

void hangup_half_close_seen_while_watching(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ | PLX_RDHUP);

    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    there_half_closes(&ends);
    EXPECT_REPORT_WITH(scene, watcher, PLX_READ | PLX_RDHUP,
                       tolerance_bits(T2_UNREAD, scene->backend));
    CHECK_EQUAL(drain(ends.here), 1);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_RDHUP);
}

void hangup_both_halves_closed_tcp(struct scene *scene)
{
    struct ends ends = tcp_pair(scene);

    half_close(ends.here);
    there_half_closes(&ends);
    expect_known(scene, ends.here, PLX_READ | PLX_WRITE | PLX_RDHUP | PLX_HUP, T2);
}

void hangup_both_halves_closed_unix(struct scene *scene)
{
    struct ends ends = unix_pair(scene);

    half_close(ends.here);
    there_half_closes(&ends);
    expect_known(scene, ends.here, PLX_READ | PLX_WRITE | PLX_RDHUP | PLX_HUP, T2);
}

/* Who shuts down his own writing half can still read, and a write would fail without blocking. */
static void expect_own_half_close(struct scene *scene, struct ends ends)
{
    half_close(ends.here);
    expect_known(scene, ends.here, PLX_WRITE, EXACT);
}

void hangup_own_half_close_tcp(struct scene *scene)
{
    expect_own_half_close(scene, tcp_pair(scene));
}

void hangup_own_half_close_unix(struct scene *scene)
{
    expect_own_half_close(scene, unix_pair(scene));
}

/* A TCP peer that closed looks like one that closed a half, until somebody writes to it. */
void hangup_peer_closed_tcp(struct scene *scene)
{
    struct ends ends = tcp_pair(scene);

    say(&ends);
    there_closes(scene, &ends);
    expect_known(scene, ends.here, PLX_READ | PLX_WRITE | PLX_RDHUP, T2_UNREAD);
    CHECK_EQUAL(drain(ends.here), 1);
    expect_known(scene, ends.here, PLX_READ | PLX_WRITE | PLX_RDHUP, EXACT);
}

void hangup_peer_closed_unix(struct scene *scene)
{
    struct ends ends = unix_pair(scene);

    there_closes(scene, &ends);
    expect_known(scene, ends.here, PLX_READ | PLX_WRITE | PLX_RDHUP | PLX_HUP, EXACT);
}

void hangup_peer_closed_unix_with_data(struct scene *scene)
{
    struct ends ends = unix_pair(scene);

    say(&ends);
    there_closes(scene, &ends);
    expect_known(scene, ends.here, PLX_READ | PLX_WRITE | PLX_RDHUP | PLX_HUP, EXACT);
}

void hangup_peer_closed_unix_unread(struct scene *scene)
{
    struct ends ends = unix_pair(scene);

    put(ends.here);
    there_closes(scene, &ends);
    expect_known(scene, ends.here, PLX_READ | PLX_WRITE | PLX_RDHUP | PLX_HUP | PLX_ERROR, T1);
}

void hangup_reset(struct scene *scene)
{
    struct ends ends = tcp_pair(scene);

    there_resets(scene, &ends);
    expect_known(scene, ends.here, PLX_READ | PLX_WRITE | PLX_RDHUP | PLX_HUP | PLX_ERROR, EXACT);
}

void hangup_reset_by_unread_data(struct scene *scene)
{
    struct ends ends = tcp_pair(scene), mirror = {ends.there, ends.here};

    say(&mirror);
    there_closes(scene, &ends);
    expect_known(scene, ends.here, PLX_READ | PLX_WRITE | PLX_RDHUP | PLX_HUP | PLX_ERROR, EXACT);
}

void hangup_reset_seen_while_watching(struct scene *scene)
{
    struct ends ends = tcp_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    EXPECT_QUIET(scene);
    there_resets(scene, &ends);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_ERROR | PLX_HUP);
}

void hangup_connection_refused(struct scene *scene)
{
    expect_known(scene, refused_socket(scene),
                 PLX_READ | PLX_WRITE | PLX_RDHUP | PLX_HUP | PLX_ERROR, EXACT);
}

/* The reason of an error is the user's to collect: however often it was reported, it is there. */
void hangup_error_is_left_to_the_user(struct scene *scene)
{
    plx_socket fd = refused_socket(scene);
    plx_watcher *watcher = watch(scene, fd, PLX_READ);

    for (int i = 0; i < 3; i++)
        EXPECT_REPORT(scene, watcher, PLX_READ | PLX_ERROR | PLX_HUP);
    CHECK(pending_error(fd) != 0);
    EXPECT_REPORT_WITH(scene, watcher, PLX_READ | PLX_HUP,
                       tolerance_bits(T2_HANGUP, scene->backend));
}

void hangup_datagram_refused(struct scene *scene)
{
    struct ends ends = udp_pair(scene);
    plx_watcher *watcher;

    close_descriptor(scene, ends.there);
    put(ends.here);
    if (tolerance_silent_datagrams(scene->backend) && !readable_now(ends.here))
        check_skip("the system does not tell of a refused datagram");
    watcher = watch(scene, ends.here, PLX_READ);
    EXPECT_REPORT_WITH(scene, watcher, PLX_READ | PLX_ERROR,
                       tolerance_bits(T7_UDP, scene->backend));
}

void hangup_pipe_writer_gone(struct scene *scene)
{
    struct ends ends = pipe_pair(scene);
    plx_watcher *watcher;

    there_closes(scene, &ends);
    watcher = watch(scene, ends.here, PLX_READ);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_HUP);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_HUP);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_ONESHOT));
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_HUP);
    EXPECT_QUIET(scene);
}

void hangup_pipe_writer_gone_with_data(struct scene *scene)
{
    struct ends ends = pipe_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    there_closes(scene, &ends);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_HUP);
    CHECK_EQUAL(drain(ends.here), 1);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_HUP);
}

static void expect_reader_gone(struct scene *scene, bool full)
{
    struct ends ends = pipe_pair(scene);
    uint32_t optional = tolerance_bits(T7, scene->backend);
    plx_watcher *watcher;

    if (full)
        fill(ends.there);
    close_descriptor(scene, ends.here);
    watcher = watch(scene, ends.there, PLX_WRITE);
    EXPECT_REPORT_WITH(scene, watcher, PLX_WRITE | PLX_ERROR, optional);
    EXPECT_REPORT_WITH(scene, watcher, PLX_WRITE | PLX_ERROR, optional);
    CHECK_OK(plx_watcher_modify(watcher, PLX_ERROR));
    EXPECT_REPORT_WITH(scene, watcher, PLX_ERROR, optional);
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_remove(watcher));
}

void hangup_pipe_reader_gone(struct scene *scene)
{
    expect_reader_gone(scene, false);
}

void hangup_full_pipe_reader_gone(struct scene *scene)
{
    expect_reader_gone(scene, true);
}

void hangup_terminal_slave_closed(struct scene *scene)
{
    struct ends ends = terminal_pair(scene);
    plx_watcher *watcher;

    there_closes(scene, &ends);
    watcher = watch(scene, ends.here, PLX_READ | PLX_WRITE);
    EXPECT_REPORT_WITH(scene, watcher, PLX_READ | PLX_WRITE | PLX_HUP,
                       tolerance_bits(T1, scene->backend));
}

void hangup_terminal_master_closed(struct scene *scene)
{
    struct ends ends = terminal_pair(scene), mirror = {ends.there, ends.here};
    plx_watcher *watcher;

    there_closes(scene, &mirror);
    watcher = watch(scene, mirror.here, PLX_READ | PLX_WRITE);
    EXPECT_REPORT_WITH(scene, watcher, PLX_READ | PLX_WRITE | PLX_HUP,
                       tolerance_bits(T1, scene->backend));
}
