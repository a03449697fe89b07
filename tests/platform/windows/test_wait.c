/* SPDX-License-Identifier: MIT */
/* test_wait.c: what WSAPoll is told, and what becomes of its answers. */
#include <limits.h>

#include "rig.h"

#define CROWD      6
#define EVERYTHING (PLX_READ | PLX_WRITE | PLX_PRI | PLX_RDHUP)

static const uint32_t interests[] = {
    PLX_READ,
    PLX_WRITE,
    PLX_PRI,
    PLX_RDHUP,
    PLX_READ | PLX_WRITE,
    PLX_READ | PLX_RDHUP,
    PLX_WRITE | PLX_RDHUP,
    EVERYTHING,
    PLX_READ | PLX_ONESHOT,
    PLX_ONESHOT,
};

static void expect_asked(struct rig *rig, plx_socket fd, uint32_t want)
{
    struct plx__record records[ROOM];
    int asked;

    rig_wait(rig, records, ROOM, 0);
    asked = kernel_asked(fd);
    CHECK(asked >= 0 && !(asked & ~KERNEL_ASKABLE));
    CHECK_EQUAL(asked & POLLRDNORM, want & PLX_READ ? POLLRDNORM : 0);
    CHECK_EQUAL(asked & POLLWRNORM, want & PLX_WRITE ? POLLWRNORM : 0);
    CHECK_EQUAL(asked & POLLRDBAND, want & PLX_PRI ? POLLRDBAND : 0);
}

/* Wine takes POLLPRI and POLLHUP too, so that nothing but this test would notice. */
void mask_has_nothing_that_windows_refuses(struct rig *rig)
{
    plx_socket fd = stream_pair(rig->scene).here;

    rig_queue(rig, 8);
    for (size_t i = 0; i < COUNT_OF(interests); i++) {
        struct plx__target *target = rig_add(rig, fd, interests[i]);

        expect_asked(rig, fd, interests[i]);
        rig_modify(rig, target, interests[i], PLX__SILENT);
        for (size_t j = 0; j < COUNT_OF(interests); j++) {
            rig_modify(rig, target, PLX__SILENT, interests[j]);
            expect_asked(rig, fd, interests[j]);
            CHECK(!(rig->backend->look(rig->queue, target, interests[j]) & PLX__GONE));
            rig_modify(rig, target, interests[j], PLX__SILENT);
        }
        rig->backend->remove(rig->queue, target);
    }
    CHECK(!kernel.was_strange);
}

/* Windows fails a call without entries at once, and skips none for a negative number. */
void array_is_never_empty_and_has_no_silent_ones(struct rig *rig)
{
    struct plx__record records[ROOM];
    struct plx__target *targets[3];
    plx_duration started = now();

    rig_queue(rig, 8);
    CHECK_EQUAL(rig_wait(rig, records, ROOM, PLX_MS(20)), 0);
    CHECK(now() - started >= PLX_MS(20));
    CHECK_EQUAL(kernel.count, 1);
    for (int i = 0; i < 3; i++)
        targets[i] = rig_add(rig, stream_pair(rig->scene).here, PLX_READ);
    CHECK_EQUAL(rig_wait(rig, records, ROOM, 0), 0);
    CHECK_EQUAL(kernel.count, 4);
    for (int i = 0; i < 3; i++) {
        rig_modify(rig, targets[i], PLX_READ, PLX__SILENT);
        CHECK_EQUAL(rig_wait(rig, records, ROOM, 0), 0);
        CHECK_EQUAL(kernel.count, 3 - i);
        CHECK_EQUAL(kernel_asked(targets[i]->fd), -1);
    }
}

void answers_become_facts(struct rig *rig)
{
    static const struct {
        int says;
        uint32_t facts;
    } rows[] = {
        {POLLRDNORM, PLX_READ},
        {POLLWRNORM, PLX_WRITE},
        {POLLRDBAND, PLX_PRI},
        {POLLRDNORM | POLLWRNORM, PLX_READ | PLX_WRITE},
        {POLLHUP, PLX_RDHUP},
        {POLLHUP | POLLWRNORM, PLX_RDHUP | PLX_WRITE},
        {POLLERR, PLX_ERROR | PLX_HUP | PLX_RDHUP},
        {POLLERR | POLLHUP, PLX_ERROR | PLX_HUP | PLX_RDHUP},
        {POLLNVAL, PLX__GONE},
    };
    static const int resets[] = {WSAECONNRESET, WSAECONNABORTED, WSAENETRESET, WSAETIMEDOUT};
    plx_socket fd = stream_pair(rig->scene).here;
    struct plx__target *target;

    rig_queue(rig, 8);
    target = rig_add(rig, fd, PLX__SILENT);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rig_modify(rig, target, PLX__SILENT, EVERYTHING);
        kernel_play(fd, (short)rows[i].says);
        CHECK_EVENTS(rig_facts(rig, target), rows[i].facts);
        rig_modify(rig, target, EVERYTHING, PLX__SILENT);
    }
    rig_modify(rig, target, PLX__SILENT, EVERYTHING);
    kernel_play(fd, POLLHUP);
    for (size_t i = 0; i < COUNT_OF(resets); i++) {
        kernel.cause = resets[i];
        kernel.refuse = 2; /* the look at the stream */
        CHECK_EVENTS(rig_facts(rig, target), PLX_RDHUP | PLX_ERROR | PLX_HUP);
    }
}

/* A bad socket among good ones: the call returns 0, and has set POLLNVAL all the same. */
void closed_socket_does_not_count_and_is_found(struct rig *rig)
{
    plx_socket good = stream_pair(rig->scene).here, bad = stream_pair(rig->scene).here;
    struct plx__record records[ROOM];
    struct plx__target *gone;

    rig_queue(rig, 8);
    rig_add(rig, good, PLX_READ);
    gone = rig_add(rig, bad, PLX_READ);
    kernel_play(bad, POLLNVAL);
    kernel.hides_its_count = true;
    CHECK_EQUAL(rig_wait(rig, records, ROOM, 0), 1);
    CHECK(rig_is_of(&records[0], gone));
    CHECK_EVENTS(records[0].events, PLX__GONE);
    CHECK_EQUAL(rig_wait(rig, records, ROOM, 0), 0);
    CHECK_EQUAL(kernel_asked(bad), -1);
}

void closed_socket_ends_no_sleep_but_is_told_by_the_next_wait(struct rig *rig)
{
    struct ends good = stream_pair(rig->scene), bad = stream_pair(rig->scene);
    struct plx__record records[ROOM];
    struct plx__target *gone, *other;

    rig_queue(rig, 8);
    gone = rig_add(rig, bad.here, PLX_READ);
    other = rig_add(rig, good.here, PLX_READ);
    close_descriptor(rig->scene, bad.here);
    CHECK_EQUAL(rig_wait(rig, records, 1, PLX_MS(5)), 1);
    CHECK(rig_is_of(&records[0], gone));
    CHECK_EVENTS(records[0].events, PLX__GONE);
    CHECK_EQUAL(rig_wait(rig, records, ROOM, 0), 0);
    say(&good);
    CHECK_EVENTS(rig_facts(rig, other), PLX_READ);
}

/* Windows does that to a call that has no good socket at all. */
void closed_socket_that_fails_the_call_is_found(struct rig *rig)
{
    struct ends good = stream_pair(rig->scene), bad = stream_pair(rig->scene);
    struct plx__record records[ROOM];
    struct plx__target *gone, *other;

    rig_queue(rig, 8);
    other = rig_add(rig, good.here, PLX_READ);
    gone = rig_add(rig, bad.here, PLX_READ);
    close_descriptor(rig->scene, bad.here);
    kernel.refuse = 1;
    kernel.cause = WSAENOTSOCK;
    CHECK_EQUAL(rig_wait(rig, records, ROOM, PLX_FOREVER), 1);
    CHECK(rig_is_of(&records[0], gone));
    CHECK_EVENTS(records[0].events, PLX__GONE);
    say(&good);
    CHECK_EVENTS(rig_facts(rig, other), PLX_READ);
}

void b4_refusals_become_codes(struct rig *rig)
{
    static const struct {
        int cause;
        int result;
    } rows[] = {{WSAEINTR, 0},
                {WSAENOBUFS, PLX_ERR_NOMEM},
                {WSAENETDOWN, PLX_ERR_SYSTEM},
                {WSAEFAULT, PLX_ERR_SYSTEM}};
    struct ends ends = stream_pair(rig->scene);
    struct plx__record records[ROOM];
    struct plx__target *target;

    rig_queue(rig, 8);
    say(&ends);
    target = rig_add(rig, ends.here, PLX_READ);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (plx_duration timeout = -1; timeout <= 1; timeout++) {
            kernel.refuse = 1;
            kernel.cause = rows[i].cause;
            CHECK_CODE(rig->backend->wait(rig->queue, records, ROOM, timeout), rows[i].result);
            CHECK_EQUAL(WSAGetLastError(), rows[i].cause);
            CHECK_EVENTS(rig_facts(rig, target), PLX_READ); /* nothing was lost */
        }
    }
}

/* Some that are ready, and how often each was told. */
struct crowd {
    struct plx__target *targets[CROWD];
    int records[CROWD];
};

static void gather(struct crowd *crowd, struct rig *rig, uint32_t want)
{
    for (int i = 0; i < CROWD; i++) {
        struct ends ends = stream_pair(rig->scene);

        say(&ends);
        crowd->targets[i] = rig_add(rig, ends.here, want);
        crowd->records[i] = 0;
    }
}

/* No target twice (B5), and nobody who is not of the crowd. */
static int count_crowd(struct crowd *crowd, struct rig *rig, int capacity)
{
    struct plx__record records[ROOM];
    bool was_seen[CROWD] = {false};
    int count = rig_wait(rig, records, capacity, 0);

    for (int i = 0; i < count; i++) {
        int who = 0;

        while (who < CROWD && !rig_is_of(&records[i], crowd->targets[who]))
            who++;
        CHECK(who < CROWD && !was_seen[who]);
        was_seen[who] = true;
        crowd->records[who]++;
    }
    return count;
}

void b4_never_more_records_than_there_is_room(struct rig *rig)
{
    struct crowd crowd;

    rig_queue(rig, CROWD);
    gather(&crowd, rig, PLX_READ);
    for (int capacity = 1; capacity <= ROOM; capacity++)
        CHECK_EQUAL(count_crowd(&crowd, rig, capacity), capacity < CROWD ? capacity : CROWD);
}

void b5_everything_about_a_target_is_one_record(struct rig *rig)
{
    struct ends ends = stream_pair(rig->scene);
    struct plx__target *target;

    rig_queue(rig, 8);
    target = rig_add(rig, ends.here, EVERYTHING);
    say(&ends);
    CHECK_EVENTS(rig_facts(rig, target), PLX_READ | PLX_WRITE);
}

void b7_records_carry_the_token_of_their_target(struct rig *rig)
{
    struct ends ends = stream_pair(rig->scene);
    struct plx__target *target;

    rig_queue(rig, 8);
    say(&ends);
    target = rig_add(rig, ends.here, PLX_READ);
    CHECK_EVENTS(rig_facts(rig, target), PLX_READ);
    plx__slot_retire(&target->slot);
    rig_modify(rig, target, PLX_READ, PLX_READ | PLX_WRITE);
    CHECK_EVENTS(rig_facts(rig, target), PLX_READ | PLX_WRITE);
}

void b7_a_removed_target_has_no_record(struct rig *rig)
{
    struct crowd crowd;

    rig_queue(rig, CROWD);
    gather(&crowd, rig, PLX_READ);
    for (int left = CROWD; left > 0; left--) {
        struct plx__record records[1];

        CHECK_EQUAL(rig_wait(rig, records, 1, 0), 1);
        for (int i = 0; i < CROWD; i++) {
            if (rig_is_of(&records[0], crowd.targets[i]))
                CHECK(rig->backend->remove(rig->queue, crowd.targets[i]));
        }
        CHECK(kernel.count == (ULONG)left + 1);
    }
    CHECK_EQUAL(count_crowd(&crowd, rig, 1), 0);
}

void b8_time_is_told_rounded_up(struct rig *rig)
{
    static const struct {
        plx_duration timeout;
        int told;
    } rows[] = {
        {0, 0},
        {1, 1},
        {PLX_US(1), 1},
        {PLX_NS(999999), 1},
        {PLX_MS(1), 1},
        {PLX_NS(1000001), 2},
        {PLX_US(1500), 2},
        {PLX_SECONDS(1), 1000},
        {PLX_MS(INT64_C(2147483646)) + 1, INT_MAX},
        {PLX_MS(INT64_C(2147483648)), INT_MAX},
        {PLX_SECONDS(INT64_C(4294967296)), INT_MAX},
        {INT64_MAX - 1, INT_MAX},
        {INT64_MAX, INT_MAX},
        {PLX_FOREVER, -1},
    };
    struct plx__record records[ROOM];

    rig_queue(rig, 8);
    kernel.is_hasty = true;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK_EQUAL(rig_wait(rig, records, ROOM, rows[i].timeout), 0);
        CHECK_EQUAL(kernel.slept, rows[i].told);
    }
}

/* One wait may be a tick too short there, which the core makes up for; here it must not be. */
void b8_a_real_sleep_is_never_short(struct rig *rig)
{
    static const plx_duration timeouts[] = {PLX_NS(1), PLX_US(700), PLX_MS(1), PLX_US(2500),
                                            PLX_MS(20)};
    plx_watcher *ready[1];

    for (size_t i = 0; i < COUNT_OF(timeouts); i++) {
        plx_duration started = now();

        CHECK_EQUAL(plx_context_wait(rig->scene->context, ready, 1, timeouts[i]), 0);
        CHECK(now() - started >= timeouts[i]);
    }
}

void b12_with_little_room_everybody_gets_a_turn(struct rig *rig)
{
    for (int capacity = 1; capacity <= ROOM && capacity < CROWD; capacity++) {
        struct crowd crowd;
        int rounds = 5 * CROWD;

        rig_queue(rig, CROWD);
        gather(&crowd, rig, PLX_READ);
        for (int i = 0; i < rounds; i++)
            CHECK_EQUAL(count_crowd(&crowd, rig, capacity), capacity);
        for (int i = 0; i < CROWD; i++) {
            CHECK(crowd.records[i] >= 5 * capacity - 1);
            CHECK(crowd.records[i] <= 5 * capacity + 1);
            rig->backend->remove(rig->queue, crowd.targets[i]);
        }
        rig->backend->close(rig->queue);
        rig->queue = NULL;
    }
}

/* One-shots among them that are armed again at once must not push in. */
void b12_who_falls_silent_disturbs_no_order(struct rig *rig)
{
    struct crowd crowd;
    int before[CROWD] = {0};

    rig_queue(rig, CROWD);
    gather(&crowd, rig, PLX_READ);
    for (int i = 0; i < CROWD; i += 2)
        rig_modify(rig, crowd.targets[i], PLX_READ, PLX_READ | PLX_ONESHOT);
    for (int wait = 0; wait < 10 * CROWD; wait++) {
        CHECK_EQUAL(count_crowd(&crowd, rig, 1), 1);
        for (int i = 0; i < CROWD; i++) {
            if (crowd.records[i] > before[i] && i % 2 == 0)
                rig_modify(rig, crowd.targets[i], PLX__SILENT, PLX_READ | PLX_ONESHOT);
            before[i] = crowd.records[i];
            for (int j = 0; j < i; j++)
                CHECK(crowd.records[i] - crowd.records[j] <= 1 &&
                      crowd.records[j] - crowd.records[i] <= 1);
        }
    }
}

/* --- POLLHUP, which comes unasked and stays --- */

/*
 * Watches for room to write, on a socket that is full and whose peer has finished sending. Played:
 * Wine says that there is room as soon as the peer has finished.
 */
static struct plx__target *add_full_writer(struct rig *rig)
{
    plx_socket fd = stream_pair(rig->scene).here;

    kernel_play(fd, POLLHUP);
    return rig_add(rig, fd, PLX_WRITE);
}

/* The call returns at once with what is nothing to a writer. Calls are counted, and not time. */
void writer_does_not_spin_on_the_end_of_its_peer(struct rig *rig)
{
    plx_duration started = now(), lasted;
    struct plx__record records[ROOM];

    rig_queue(rig, 8);
    add_full_writer(rig);
    kernel.calls = 0;
    do {
        CHECK_EQUAL(rig_wait(rig, records, ROOM, PLX_MS(40)), 0);
        lasted = now() - started;
    } while (lasted < PLX_MS(200));
    CHECK(kernel.calls <= 4 * (uint32_t)(lasted / PLX_MS(10)));
}

void writer_with_a_finished_peer_hears_of_room(struct rig *rig)
{
    struct plx__target *target;

    rig_queue(rig, 8);
    target = add_full_writer(rig);
    for (int i = 0; i < 3; i++) {
        CHECK_EVENTS(rig_facts(rig, target), 0);
        kernel_play(target->fd, POLLHUP | POLLWRNORM);
        for (int again = 0; again < 2; again++)
            CHECK_EVENTS(rig_facts(rig, target), PLX_WRITE | PLX_RDHUP);
        kernel_play(target->fd, POLLHUP);
    }
    CHECK_EVENTS(rig_facts(rig, target), 0);
    kernel_play(target->fd, POLLHUP | POLLERR);
    CHECK(rig_facts(rig, target) & PLX_ERROR);
}

void writer_with_a_finished_peer_does_not_hide_others(struct rig *rig)
{
    struct plx__target *lame[3], *other;
    struct ends ends = stream_pair(rig->scene);
    struct plx__record records[ROOM];

    rig_queue(rig, 8);
    for (int i = 0; i < 3; i++)
        lame[i] = add_full_writer(rig);
    other = rig_add(rig, ends.here, PLX_READ);
    for (int i = 0; i < 3; i++) {
        CHECK_EVENTS(rig_facts(rig, other), 0);
        say(&ends);
        CHECK_EQUAL(rig_wait(rig, records, 1, PLX_FOREVER), 1);
        CHECK(rig_is_of(&records[0], other));
        drain(ends.here);
        CHECK(rig->backend->remove(rig->queue, lame[i]));
    }
    CHECK_EVENTS(rig_facts(rig, other), 0);
    CHECK_EQUAL(kernel.count, 2);
}

void writer_with_a_finished_peer_can_read_again(struct rig *rig)
{
    struct plx__target *target;

    rig_queue(rig, 8);
    target = add_full_writer(rig);
    for (int i = 0; i < 3; i++) {
        CHECK_EVENTS(rig_facts(rig, target), 0);
        rig_modify(rig, target, PLX_WRITE, PLX_READ);
        CHECK_EVENTS(rig_facts(rig, target), PLX_RDHUP);
        rig_modify(rig, target, PLX_READ, PLX_WRITE);
    }
    CHECK_EVENTS(rig_facts(rig, target), 0);
    rig_modify(rig, target, PLX_WRITE, PLX__SILENT);
    CHECK_EVENTS(rig_facts(rig, target), 0);
    CHECK_EQUAL(kernel.count, 1);
}

void writer_with_a_finished_peer_is_woken(struct rig *rig)
{
    struct plx__record records[ROOM];

    rig_queue(rig, 8);
    add_full_writer(rig);
    for (int i = 0; i < 5; i++) {
        rig->backend->wake(rig->queue);
        CHECK_EQUAL(rig_wait(rig, records, ROOM, PLX_FOREVER), 0);
    }
}
