/* SPDX-License-Identifier: MIT */
/* test_wake.c: the pair of connected sockets that ends a sleep. */
#include <stdatomic.h>

#include "rig.h"

void b4_a_wake_ends_the_sleep_with_nothing(struct rig *rig)
{
    struct plx__record records[ROOM];

    rig_queue(rig, 8);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i <= round; i++)
            rig->backend->wake(rig->queue); /* several count as one */
        CHECK_EQUAL(rig_wait(rig, records, ROOM, PLX_FOREVER), 0);
        CHECK_EQUAL(rig_wait(rig, records, ROOM, 0), 0);
    }
}

void b7_a_wake_is_told_at_most_as_a_token_of_zeroes(struct rig *rig)
{
    struct ends ends = stream_pair(rig->scene);
    struct plx__target *target;

    rig_queue(rig, 8);
    say(&ends);
    target = rig_add(rig, ends.here, PLX_READ);
    for (int i = 0; i < 5; i++) {
        rig->backend->wake(rig->queue);
        CHECK_EVENTS(rig_facts(rig, target), PLX_READ); /* and it is the only one */
    }
}

/* With nothing to tell, a wait sleeps: on average, as it may be a tick too short. */
static void expect_asleep(struct rig *rig)
{
    struct plx__record records[ROOM];
    plx_duration started = now();

    for (int i = 0; i < 4; i++)
        CHECK_EQUAL(rig_wait(rig, records, ROOM, PLX_MS(40)), 0);
    CHECK(now() - started >= PLX_MS(80));
}

void wake_is_soon_spent(struct rig *rig)
{
    struct plx__record records[ROOM];

    rig_queue(rig, 8);
    for (int i = 0; i < 200; i++)
        rig->backend->wake(rig->queue);
    for (int waits = 0; waits < 50; waits++)
        CHECK_EQUAL(rig_wait(rig, records, ROOM, 0), 0);
    expect_asleep(rig);
}

/* Nobody waits, and the connection is full. If it blocked it would fail in the end. */
void wake_never_blocks(struct rig *rig)
{
    struct plx__record records[ROOM];
    DWORD limit = 2000;

    rig_queue(rig, 8);
    rig->backend->wake(rig->queue);
    CHECK(setsockopt(kernel.sender, SOL_SOCKET, SO_SNDTIMEO, (const char *)&limit, sizeof limit) ==
          0);
    fill(kernel.sender);
    for (int i = 0; i < 100; i++)
        rig->backend->wake(rig->queue);
    CHECK_EQUAL(rig_wait(rig, records, ROOM, PLX_FOREVER), 0);
}

void wake_preserves_the_last_error(struct rig *rig)
{
    rig_queue(rig, 8);
    WSASetLastError(WSAEHOSTDOWN);
    rig->backend->wake(rig->queue);
    CHECK_EQUAL(WSAGetLastError(), WSAEHOSTDOWN);
    kernel.refuse = 1;
    kernel.cause = WSAEWOULDBLOCK;
    rig->backend->wake(rig->queue);
    CHECK_EQUAL(WSAGetLastError(), WSAEHOSTDOWN);
}

/* The sleeper counts the rounds, and a thread wakes it in each. */
struct waker {
    struct rig *rig;
    atomic_int round;
};

#define ROUNDS 500

static void wake_in_each_round(void *argument)
{
    struct waker *waker = argument;

    for (int round = 1; round <= ROUNDS; round++) {
        while (atomic_load(&waker->round) < round)
            continue;
        waker->rig->backend->wake(waker->rig->queue);
    }
}

void wake_from_threads_ends_every_sleep(struct rig *rig)
{
    struct waker waker = {rig, 0};
    struct plx__record records[ROOM];
    struct thread *thread;

    rig_queue(rig, 8);
    thread = thread_start(wake_in_each_round, &waker);
    for (int round = 1; round <= ROUNDS; round++) {
        atomic_store(&waker.round, round);
        CHECK_EQUAL(rig_wait(rig, records, ROOM, PLX_FOREVER), 0);
    }
    thread_join(thread);
}

/* --- Who is first in the line of the listener --- */

#define STRANGERS 3

static SOCKET strangers[STRANGERS];

static void strangers_come_first(const struct sockaddr *address, int size)
{
    DWORD limit = 2000;

    for (int i = 0; i < STRANGERS; i++) {
        strangers[i] = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(strangers[i], SOL_SOCKET, SO_RCVTIMEO, (const char *)&limit, sizeof limit);
        if (connect(strangers[i], address, size) == 0)
            send(strangers[i], "!!!!!!!!!!!!!!!!", 16, 0);
    }
}

/* Any program may connect to a port of this machine. It must not have a say in our sleep. */
void wake_is_not_for_strangers(struct rig *rig)
{
    struct plx__record records[ROOM];
    char byte;
    int heard;

    kernel.intrude = strangers_come_first;
    rig_queue(rig, 8);
    for (int i = 0; i < STRANGERS; i++) {
        heard = recv(strangers[i], &byte, 1, 0);
        CHECK(heard == 0 || WSAGetLastError() == WSAECONNRESET); /* shown the door */
        closesocket(strangers[i]);
    }
    CHECK_EQUAL(rig_wait(rig, records, ROOM, 0), 0);
    CHECK_EQUAL(kernel.count, 1);
    rig->backend->wake(rig->queue);
    CHECK_EQUAL(rig_wait(rig, records, ROOM, PLX_FOREVER), 0);
}

void wake_sockets_are_not_inherited(struct rig *rig)
{
    size_t open = open_descriptors(), inherited = inherited_descriptors();

    rig_queue(rig, 8);
    CHECK_EQUAL(open_descriptors(), open + 2);
    CHECK_EQUAL(inherited_descriptors(), inherited);
}

/* A context that watched its own wake would wake itself. */
void wake_is_no_target(struct rig *rig)
{
    int refused = 0;

    rig_queue(rig, 8);
    for (plx_socket fd = 4; fd < 4096; fd += 4) {
        struct plx__target *target = rig_target(rig, fd);
        int code = rig->backend->add(rig->queue, target, PLX_READ);

        refused += code == PLX_ERR_INVALID;
        if (code >= 0)
            rig->backend->remove(rig->queue, target);
    }
    CHECK_EQUAL(refused, 2);
}
