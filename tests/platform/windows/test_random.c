/* SPDX-License-Identifier: MIT */
/*
 * test_random.c: a random schedule on connections, compared after every look with what WSAPoll says
 * of each socket alone and what the semantics make of it. POLLUX_SEED repeats one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"
#include "tests/model/dice.h"

#define PAIRS 8
#define STEPS 2000

#define ASKED_FOR (PLX_READ | PLX_WRITE | PLX_PRI | PLX_RDHUP)
#define UNASKED   (PLX_ERROR | PLX_HUP)

struct member {
    struct ends ends;
    plx_watcher *watcher; /* NULL: not in the context */
    uint32_t events;      /* asked for, modes included */
    bool is_armed;
    int passed_over; /* looks with others in its place */
};

struct party {
    struct rig *rig;
    struct member members[PAIRS];
    struct dice dice;
    unsigned compared;
};

/* --- Chance --- */

static struct dice open_dice(void)
{
    const char *given = getenv("POLLUX_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)now();

    printf("# POLLUX_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    return (struct dice){seed};
}

static uint32_t roll(struct party *party, uint32_t sides)
{
    return dice_roll(&party->dice, sides);
}

static uint32_t random_events(struct party *party)
{
    static const uint32_t bits[] = {PLX_READ,  PLX_WRITE, PLX_PRI,    PLX_RDHUP,
                                    PLX_ERROR, PLX_HUP,   PLX_ONESHOT};
    uint32_t events;

    do {
        events = 0;
        for (size_t i = 0; i < COUNT_OF(bits); i++)
            events |= roll(party, 3) == 0 ? bits[i] : 0;
    } while (!(events & (ASKED_FOR | UNASKED)));
    return events;
}

/* --- What must be reported --- */

static bool is_broken(plx_socket fd, short says)
{
    char byte;

    if (says & POLLERR)
        return true;
    return says & POLLHUP && recv(fd, &byte, 1, MSG_PEEK) < 0 &&
           WSAGetLastError() != WSAEWOULDBLOCK;
}

/* S1 to S4, from one call about one socket. */
static uint32_t expected(const struct member *member)
{
    WSAPOLLFD entry = {member->ends.here, KERNEL_ASKABLE, 0};
    uint32_t known = 0;

    if (!member->watcher || !member->is_armed)
        return 0;
    CHECK(WSAPoll(&entry, 1, 0) >= 0);
    known |= entry.revents & (POLLRDNORM | POLLHUP | POLLERR) ? PLX_READ : 0;
    known |= entry.revents & POLLWRNORM ? PLX_WRITE : 0;
    known |= entry.revents & POLLRDBAND ? PLX_PRI : 0;
    known |= entry.revents & POLLHUP ? PLX_RDHUP : 0;
    if (is_broken(entry.fd, entry.revents))
        known |= PLX_READ | PLX_WRITE | PLX_RDHUP | PLX_ERROR | PLX_HUP;
    return known & (member->events | UNASKED);
}

static struct member *member_of(struct party *party, const plx_watcher *watcher)
{
    for (int i = 0; i < PAIRS; i++) {
        if (party->members[i].watcher == watcher)
            return &party->members[i];
    }
    check_failed(__FILE__, __LINE__, "a watcher was reported that is none");
}

/* S7 and S10: what a report leaves behind. */
static void note_report(struct member *member)
{
    if (member->events & PLX_ONESHOT || !(member->events & ASKED_FOR))
        member->is_armed = false;
    member->passed_over = 0;
}

static int expect_all(struct party *party, uint32_t *ret_expected)
{
    int ready = 0;

    for (int i = 0; i < PAIRS; i++) {
        ret_expected[i] = expected(&party->members[i]);
        ready += ret_expected[i] != 0;
    }
    return ready;
}

/* S12: nobody who is ready is passed over for ever. */
static void expect_turns(struct party *party, const uint32_t *wanted)
{
    for (int i = 0; i < PAIRS; i++) {
        struct member *member = &party->members[i];

        if (wanted[i] && member->is_armed && !was_reported(party->rig->scene, member->watcher))
            member->passed_over++;
        else
            member->passed_over = 0;
        CHECK(member->passed_over <= 2 * PAIRS);
    }
}

/* What moves between two looks at the sockets is not compared. */
static void look_at_all(struct party *party)
{
    struct scene *scene = party->rig->scene;
    int capacity = 1 + (int)roll(party, PAIRS + 1);
    uint32_t before[PAIRS], after[PAIRS];
    bool stable = true;
    int ready = expect_all(party, before);

    scene->count = plx_context_wait(scene->context, scene->ready, capacity, 0);
    CHECK(scene->count >= 0);
    expect_all(party, after);
    for (int i = 0; i < PAIRS; i++)
        stable = stable && before[i] == after[i];
    if (stable)
        CHECK_EQUAL(scene->count, ready < capacity ? ready : capacity);
    for (int i = 0; i < scene->count; i++) {
        struct member *member = member_of(party, scene->ready[i]);
        size_t index = (size_t)(member - party->members);

        CHECK(member->is_armed);
        if (stable)
            CHECK_EVENTS(plx_watcher_triggered(member->watcher), before[index]);
        note_report(member);
    }
    if (stable)
        expect_turns(party, before);
    party->compared += stable && ready > 0;
}

/* --- What happens --- */

static void leave(struct member *member)
{
    if (member->watcher)
        CHECK_OK(plx_watcher_remove(member->watcher));
    member->watcher = NULL;
    member->is_armed = false;
}

static void ask_for(struct party *party, struct member *member)
{
    uint32_t events = random_events(party);

    if (member->watcher)
        CHECK_OK(plx_watcher_modify(member->watcher, events));
    else
        CHECK_OK(plx_context_add(party->rig->scene->context, plx_fd(member->ends.here), events,
                                 NULL, &member->watcher));
    member->events = events;
    member->is_armed = true;
    member->passed_over = 0;
}

static void be_replaced(struct party *party, struct member *member)
{
    leave(member);
    close_descriptor(party->rig->scene, member->ends.here);
    if (member->ends.there != PLX_BAD_SOCKET)
        close_descriptor(party->rig->scene, member->ends.there);
    member->ends = stream_pair(party->rig->scene);
}

/* S20 and T6: told once, as an error, and to nobody's harm. */
static void be_closed(struct party *party, struct member *member)
{
    struct scene *scene = party->rig->scene;
    bool was_armed = member->is_armed;

    if (!member->watcher)
        return;
    close_descriptor(scene, member->ends.here);
    scene->count = 0;
    for (int looks = 0; looks < 2 * PAIRS && !was_reported(scene, member->watcher); looks++) {
        CHECK(look(scene) >= 0);
        for (int i = 0; i < scene->count; i++)
            note_report(member_of(party, scene->ready[i]));
        if (!was_armed)
            CHECK(!was_reported(scene, member->watcher));
    }
    if (was_armed)
        CHECK(plx_watcher_triggered(member->watcher) & PLX_ERROR);
    leave(member);
    look(scene);
    be_replaced(party, member);
}

static void speak(struct member *member)
{
    if (member->ends.there != PLX_BAD_SOCKET)
        send(member->ends.there, "x", 1, 0);
}

static void end(struct party *party, struct member *member)
{
    if (member->ends.there == PLX_BAD_SOCKET)
        return;
    if (roll(party, 2))
        there_half_closes(&member->ends);
    else if (roll(party, 2))
        there_closes(party->rig->scene, &member->ends);
    else
        there_resets(party->rig->scene, &member->ends);
}

static void step(struct party *party)
{
    struct member *member = &party->members[roll(party, PAIRS)];

    switch (roll(party, 16)) {
    case 0:
        be_replaced(party, member);
        break;
    case 1:
        leave(member);
        break;
    case 2:
        end(party, member);
        break;
    case 3:
        drain(member->ends.here);
        break;
    case 4:
    case 5:
        speak(member);
        break;
    case 6:
        if (roll(party, 4) == 0)
            be_closed(party, member);
        break;
    case 7:
    case 8:
    case 9:
        ask_for(party, member);
        break;
    default:
        look_at_all(party);
    }
}

void random_schedule_agrees_with_the_system(struct rig *rig)
{
    struct party party = {.rig = rig, .dice = open_dice()};

    for (int i = 0; i < PAIRS; i++)
        party.members[i].ends = stream_pair(rig->scene);
    for (int i = 0; i < STEPS; i++)
        step(&party);
    CHECK(party.compared > STEPS / 10);
    CHECK(!kernel.was_strange);
}
