/* SPDX-License-Identifier: MIT */
/*
 * timers_many.c: timers beside each other and beside everything else: order, and who gets the slots
 * of a wait (S12, S14). What a deadline is, is known here from two readings of the clock, one
 * before and one after the call that set it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../model/dice.h"
#include "timers.h"

#define HOUR PLX_SECONDS(3600)
#define SWAP PLX_MS(1) /* deadlines less than this apart may swap */

static plx_duration sum(plx_duration a, plx_duration b)
{
    return b > INT64_MAX - a ? INT64_MAX : a + b;
}

/* --- The order of deadlines --- */

/* A timer that has to come between two moments. Its watcher's data points here. */
struct appointment {
    plx_watcher *timer;
    plx_duration low;
    plx_duration high;
    int reports;
};

static void make_appointment(struct scene *scene, struct appointment *appointment,
                             plx_duration after)
{
    appointment->low = sum(now(), after);
    appointment->timer = start_timer(scene, after, 0);
    appointment->high = sum(now(), after);
    appointment->reports = 0;
    plx_watcher_set_data(appointment->timer, appointment);
}

/* One wait whose reports are neither early nor out of order. `latest` is for the next call. */
static int keep_appointments(struct scene *scene, int capacity, plx_duration *latest)
{
    int count = plx_context_wait(scene->context, scene->ready, capacity, PATIENCE);

    CHECK(count >= 1 && count <= capacity);
    for (int i = 0; i < count; i++) {
        struct appointment *kept = plx_watcher_data(scene->ready[i]);

        CHECK_EVENTS(plx_watcher_triggered(scene->ready[i]), PLX_TIMER);
        CHECK(now() >= kept->low);
        CHECK(*latest - kept->high < SWAP);
        if (kept->low > *latest)
            *latest = kept->low;
        kept->reports++;
    }
    return count;
}

/* All are due long before the first wait, added in an order of their own. */
static void expect_order(struct scene *scene, int capacity)
{
    enum { COUNT = 31 };
    struct appointment appointments[COUNT];
    plx_duration latest = 0;

    for (int i = 0; i < COUNT; i++)
        make_appointment(scene, &appointments[i], SWAP * (i * 7 % COUNT));
    pass(SWAP * COUNT);
    for (int left = COUNT; left > 0;)
        left -= keep_appointments(scene, capacity, &latest);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQUAL(appointments[i].reports, 1);
        CHECK_OK(plx_watcher_remove(appointments[i].timer));
    }
    EXPECT_QUIET(scene);
}

void timers_come_in_order(struct scene *scene)
{
    expect_order(scene, SCENE_CAPACITY);
    expect_order(scene, 5);
    expect_order(scene, 2);
    expect_order(scene, 1);
}

void timers_that_were_moved_come_in_order(struct scene *scene)
{
    enum { COUNT = 20 };
    plx_watcher *timers[COUNT];
    int next = COUNT;

    for (int i = 0; i < COUNT; i++)
        timers[i] = start_timer(scene, i % 2 ? HOUR : 0, 0);
    CHECK_EQUAL(look(scene), COUNT / 2);
    for (int i = 0; i < COUNT; i++)
        CHECK_OK(plx_watcher_again(timers[i], SWAP * 2 * (COUNT - i)));
    while (next > 0) {
        look(scene); /* the first sets the deadlines; each may bring some */
        for (int i = 0; i < scene->count; i++)
            CHECK(scene->ready[i] == timers[--next]);
    }
    EXPECT_QUIET(scene);
}

void timers_of_equal_deadlines_all_come(struct scene *scene)
{
    enum { COUNT = SCENE_CAPACITY + 10 };
    plx_watcher *timers[COUNT];
    static int marks[COUNT];

    for (int i = 0; i < COUNT; i++) {
        timers[i] = start_timer(scene, PLX_FOREVER, 0);
        CHECK_OK(plx_watcher_again(timers[i], 0)); /* they count from the same wait */
        plx_watcher_set_data(timers[i], &marks[i]);
        marks[i] = 0;
    }
    for (int left = COUNT; left > 0; left -= scene->count) {
        CHECK_EQUAL(look(scene), left < SCENE_CAPACITY ? left : SCENE_CAPACITY);
        for (int i = 0; i < scene->count; i++)
            ++*(int *)plx_watcher_data(scene->ready[i]);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_EQUAL(marks[i], 1);
    EXPECT_QUIET(scene);
}

static struct dice open_dice(void)
{
    const char *given = getenv("POLLUX_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)now();

    printf("# POLLUX_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    return (struct dice){seed};
}

void timers_by_the_ten_thousand(struct scene *scene)
{
    enum { COUNT = 10000 };
    static struct appointment appointments[COUNT];
    struct dice dice = open_dice();
    plx_duration latest = 0;

    for (int i = 0; i < COUNT; i++)
        make_appointment(scene, &appointments[i], dice_roll(&dice, (uint32_t)PLX_MS(50)));
    CHECK_EQUAL(plx_context_count(scene->context), COUNT);
    for (int left = COUNT; left > 0;)
        left -= keep_appointments(scene, SCENE_CAPACITY, &latest);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQUAL(appointments[i].reports, 1);
    EXPECT_QUIET(scene);
}

/* With each batch some of the due ones go, unreported, and new ones come that are due as well. */
/*
 * Thousands are put off, removed and started between two waits, so that a removal comes before and
 * after that of its neighbours, and of one that was just put off. Only those that stay are told.
 */
void timers_stay_when_others_go(struct scene *scene)
{
    enum { COUNT = 4000, STAY = 8 };
    static plx_watcher *timers[COUNT];

    for (int i = 0; i < COUNT; i++)
        timers[i] = start_timer(scene, PLX_MS(5), 0);
    for (int i = 0; i < COUNT; i++) {
        if (i % 3 == 0)
            CHECK_OK(plx_watcher_again(timers[i], PLX_MS(7)));
        if (i % STAY == 0)
            continue;
        CHECK_OK(plx_watcher_remove(timers[i]));
        start_timer(scene, HOUR, 0);
    }
    CHECK_EQUAL(plx_context_count(scene->context), COUNT);
    for (int left = COUNT / STAY; left > 0;) {
        int count = plx_context_wait(scene->context, scene->ready, SCENE_CAPACITY, PATIENCE);
        CHECK(count > 0);
        for (int i = 0; i < count; i++)
            CHECK_EVENTS(plx_watcher_triggered(scene->ready[i]), PLX_TIMER);
        left -= count;
    }
    pass(PLX_MS(10));
    EXPECT_QUIET(scene);
}

void timers_come_and_go_while_due(struct scene *scene)
{
    enum { COUNT = 400, FIRST = 100 };
    static struct appointment all[COUNT];
    struct dice dice = open_dice();
    plx_duration latest = 0;
    int made = 0, left = FIRST;

    while (made < FIRST)
        make_appointment(scene, &all[made++], 0);
    while (left > 0) {
        left -= keep_appointments(scene, 5, &latest);
        for (int i = 0; i < 3; i++) {
            struct appointment *victim = &all[dice_roll(&dice, (uint32_t)made)];

            if (victim->reports > 0)
                continue;
            CHECK_OK(plx_watcher_remove(victim->timer));
            victim->reports = 1; /* so that a report, if there were one, is the second */
            left--;
        }
        for (int i = 0; i < 4 && made < COUNT; i++, left++)
            make_appointment(scene, &all[made++], 0);
    }
    CHECK_EQUAL(made, COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQUAL(all[i].reports, 1);
    EXPECT_QUIET(scene);
}

/* --- Slots, shared with everything else that is ready --- */

#define EACH 3

enum kind { TIMER, SOCKET, FILE_ALWAYS, BELL, BUFFERED, KINDS };

struct member {
    enum kind kind;
    plx_socket fd;
    int reports;
};

struct company {
    struct scene *scene;
    struct member members[KINDS][EACH];
};

static plx_socket member_fd(void *object)
{
    return ((struct member *)object)->fd;
}

static bool member_has_bytes(void *object)
{
    (void)object;
    return true;
}

static const plx_handle_ops never_empty = {sizeof(plx_handle_ops), member_fd, NULL,
                                           member_has_bytes, NULL};

/* One that is ready whenever it is asked: a timer of 1 ns among them. */
static void join_company(struct scene *scene, struct member *member, enum kind kind)
{
    plx_handle handle = plx_timer(0, 1);
    uint32_t events = PLX_TIMER;
    plx_watcher *watcher;
    struct ends ends;

    if (kind == BELL) {
        handle = plx_notify();
        events = PLX_NOTIFY;
    } else if (kind != TIMER) {
        ends = stream_pair(scene);
        member->fd = kind == FILE_ALWAYS ? always_ready(scene) : ends.here;
        handle = kind == BUFFERED ? plx_custom(&never_empty, member) : plx_fd(member->fd);
        events = PLX_READ;
        if (kind == SOCKET)
            say(&ends);
    }
    member->kind = kind;
    member->reports = 0;
    CHECK_OK(plx_context_add(scene->context, handle, events, member, &watcher));
    if (kind == BELL)
        CHECK_OK(plx_watcher_notify(watcher));
}

static void meet(struct scene *scene, struct company *company, int each)
{
    company->scene = scene;
    for (int kind = 0; kind < KINDS; kind++) {
        for (int i = 0; i < each; i++)
            join_company(scene, &company->members[kind][i], (enum kind)kind);
    }
}

/* One wait, filled to the last slot. How many of each kind there were comes back in `share`. */
static void serve(struct scene *scene, int capacity, int *share)
{
    for (int kind = 0; kind < KINDS; kind++)
        share[kind] = 0;
    scene->count = plx_context_wait(scene->context, scene->ready, capacity, PATIENCE);
    CHECK_EQUAL(scene->count, capacity);
    for (int i = 0; i < capacity; i++) {
        struct member *member = plx_watcher_data(scene->ready[i]);

        CHECK(plx_watcher_triggered(scene->ready[i]) != 0);
        share[member->kind]++;
        member->reports++;
    }
}

static enum kind kind_of(const struct scene *scene, int place)
{
    const struct member *member = plx_watcher_data(scene->ready[place]);

    return member->kind;
}

void timers_take_slots_first_and_leave_one_to_the_kernel(struct scene *scene)
{
    struct member timers[10], sockets[10];
    int share[KINDS];

    for (size_t i = 0; i < COUNT_OF(timers); i++) {
        join_company(scene, &sockets[i], SOCKET);
        join_company(scene, &timers[i], TIMER);
    }
    for (int capacity = 2; capacity <= 8; capacity++) {
        for (int round = 0; round < 20; round++) {
            serve(scene, capacity, share);
            CHECK_EQUAL(share[SOCKET], 1);
            for (int i = 0; i < capacity - 1; i++)
                CHECK(kind_of(scene, i) == TIMER);
        }
    }
    for (size_t i = 0; i < COUNT_OF(timers); i++)
        CHECK(timers[i].reports > 0 && sockets[i].reports > 0);
}

/* To some kernels a file is ready like a socket. */
void timers_share_small_capacities(struct scene *scene)
{
    struct company company;

    meet(scene, &company, EACH);
    for (int capacity = 2; capacity <= 8; capacity++) {
        int share[KINDS];

        for (int kind = 0; kind < KINDS; kind++) {
            for (int i = 0; i < EACH; i++)
                company.members[kind][i].reports = 0;
        }
        for (int round = 0; round < 60; round++) {
            serve(scene, capacity, share);
            CHECK(share[SOCKET] + share[FILE_ALWAYS] > 0);
            CHECK(capacity < KINDS || (share[TIMER] && share[BELL] && share[BUFFERED]));
            CHECK(capacity < KINDS || kind_of(scene, 0) == TIMER);
        }
        for (int kind = 0; kind < KINDS; kind++) {
            for (int i = 0; i < EACH; i++)
                CHECK(company.members[kind][i].reports >= 2);
        }
    }
}

void timers_all_come_where_there_is_room(struct scene *scene)
{
    struct company company;
    int share[KINDS];

    meet(scene, &company, EACH);
    for (int round = 0; round < 5; round++) {
        serve(scene, EACH * KINDS, share);
        for (int kind = 0; kind < KINDS; kind++)
            CHECK_EQUAL(share[kind], EACH);
        CHECK(kind_of(scene, 0) == TIMER);
    }
}

void timers_alternate_with_capacity_one(struct scene *scene)
{
    struct member timer, socket;
    int share[KINDS];

    join_company(scene, &timer, TIMER);
    join_company(scene, &socket, SOCKET);
    for (int round = 1; round <= 10; round++) {
        serve(scene, 1, share);
        serve(scene, 1, share);
        CHECK_EQUAL(timer.reports, round);
        CHECK_EQUAL(socket.reports, round);
    }
}

void timers_take_turns_with_all_kinds(struct scene *scene)
{
    struct company company;
    int share[KINDS];

    meet(scene, &company, 1);
    for (int i = 0; i < KINDS; i++)
        serve(scene, 1, share);
    for (int kind = 0; kind < KINDS; kind++)
        CHECK_EQUAL(company.members[kind][0].reports, 1);
    for (int i = 0; i < KINDS * 20; i++)
        serve(scene, 1, share);
    for (int kind = 0; kind < KINDS; kind++)
        CHECK(company.members[kind][0].reports >= 10);
}

/* A timer that is due again at once has no more right than one whose time has come before. */
void timers_of_a_nanosecond_starve_no_other_timer(struct scene *scene)
{
    struct member busy[EACH];
    plx_watcher *timer = start_timer(scene, PLX_FOREVER, 0);

    for (int i = 0; i < EACH; i++)
        join_company(scene, &busy[i], TIMER);
    for (int round = 0; round < 1000; round++) {
        int waits = 0;

        CHECK_OK(plx_watcher_again(timer, 0));
        do {
            CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, PATIENCE), 1);
            waits++;
        } while (scene->ready[0] != timer);
        CHECK(waits <= EACH + 1);
    }
}

void timers_of_a_nanosecond_starve_nobody(struct scene *scene)
{
    struct company company;
    int share[KINDS];

    meet(scene, &company, 1);
    for (int round = 0; round < 10000; round++)
        serve(scene, 1 + round % 3, share);
    for (int kind = 0; kind < KINDS; kind++)
        CHECK(company.members[kind][0].reports >= 1000);
}

/* --- By chance, against what must hold --- */

#define CROWD 200
#define STEPS 20000

/*
 * What is known of a timer. One that was moved counts from the next wait at the latest, so that
 * `high` is not known until then.
 */
struct known {
    plx_watcher *timer;
    plx_duration after; /* as it was added */
    plx_duration every;
    uint32_t events;
    bool is_armed;
    bool is_moved;
    plx_duration moved_by;
    plx_duration low;
    plx_duration high;
    int last_batch; /* that it was reported in */
};

struct world {
    struct scene *scene;
    struct dice dice;
    struct known all[CROWD];
    int batch;
    long reports;
};

static plx_duration random_after(struct dice *dice)
{
    switch (dice_roll(dice, 12)) {
    case 0:
        return 0;
    case 1:
        return PLX_FOREVER;
    case 2:
        return HOUR;
    case 3:
        return INT64_MAX - (plx_duration)dice_roll(dice, 2);
    case 4:
    case 5:
        return dice_roll(dice, 1000);
    case 6:
        return dice_roll(dice, (uint32_t)PLX_MS(5));
    default:
        return dice_roll(dice, (uint32_t)PLX_US(300));
    }
}

static plx_duration random_every(struct dice *dice)
{
    static const plx_duration periods[] = {0,         0,           PLX_FOREVER, 1,
                                           PLX_US(7), PLX_US(150), HOUR,        INT64_MAX};

    return periods[dice_roll(dice, COUNT_OF(periods))];
}

/* It was started with that time between the two readings of the clock. */
static void note_start(struct known *known, plx_duration after, plx_duration low, plx_duration high)
{
    known->is_armed = after != PLX_FOREVER;
    known->is_moved = false;
    known->low = sum(low, after);
    known->high = sum(high, after);
}

static void add_one(struct world *world, struct known *known)
{
    plx_duration low = now();

    *known = (struct known){.after = random_after(&world->dice),
                            .every = random_every(&world->dice),
                            .events = PLX_TIMER | (dice_one_in(&world->dice, 4) ? PLX_ONESHOT : 0),
                            .last_batch = -1};
    CHECK_OK(plx_context_add(world->scene->context, plx_timer(known->after, known->every),
                             known->events, known, &known->timer));
    note_start(known, known->after, low, now());
}

static void modify_one(struct world *world, struct known *known)
{
    plx_duration low = now();

    known->events = PLX_TIMER | (dice_one_in(&world->dice, 4) ? PLX_ONESHOT : 0);
    CHECK_OK(plx_watcher_modify(known->timer, known->events));
    note_start(known, known->after, low, now());
}

static void move_one(struct world *world, struct known *known)
{
    plx_duration after = random_after(&world->dice), low = now();

    CHECK_OK(plx_watcher_again(known->timer, after));
    note_start(known, after, low, INT64_MAX);
    known->is_moved = known->is_armed;
    known->moved_by = after;
}

/* The report itself, and what it makes of the timer. */
static void check_report(struct world *world, struct known *known, plx_duration before,
                         plx_duration after)
{
    plx_duration count = (plx_duration)plx_watcher_count(known->timer);

    CHECK_EVENTS(plx_watcher_triggered(known->timer), PLX_TIMER);
    CHECK(known->is_armed);
    CHECK(known->last_batch != world->batch);
    CHECK(known->low <= after);
    known->last_batch = world->batch;
    if (known->every <= 0) {
        CHECK_EQUAL(count, 1);
    } else {
        CHECK(count >= 1 && count - 1 <= (after - known->low) / known->every);
        plx_duration gone = sum(known->every * (count - 1), known->every);

        known->low = sum(known->low, gone);
        known->high = sum(known->high, gone);
        CHECK(known->high > before);
    }
    if (known->every <= 0 || known->events & PLX_ONESHOT)
        known->is_armed = false;
}

static int wait_by_chance(struct world *world, int capacity)
{
    plx_duration timeout = 0;

    if (dice_one_in(&world->dice, 8))
        timeout = dice_roll(&world->dice, (uint32_t)PLX_US(200));
    world->batch++;
    int count = plx_context_wait(world->scene->context, world->scene->ready, capacity, timeout);
    CHECK(count >= 0 && count <= capacity);
    return count;
}

/* Of what was due before the wait began, nothing is missing that had a place and a right to it. */
static void check_missing(const struct world *world, bool has_room, plx_duration latest,
                          plx_duration before)
{
    for (int i = 0; i < CROWD; i++) {
        const struct known *known = &world->all[i];

        if (!known->is_armed || known->last_batch == world->batch || known->high > before)
            continue;
        CHECK(!has_room);
        CHECK(latest - known->high < SWAP);
    }
}

static void wait_one(struct world *world)
{
    int capacity = 1 + (int)dice_roll(&world->dice, SCENE_CAPACITY);
    plx_duration before = now(), latest = 0;
    int count = wait_by_chance(world, capacity);
    plx_duration after = now();

    for (int i = 0; i < CROWD; i++) {
        struct known *known = &world->all[i];

        if (known->is_moved)
            known->high = sum(after, known->moved_by);
        known->is_moved = false;
    }
    for (int i = 0; i < count; i++) {
        struct known *known = plx_watcher_data(world->scene->ready[i]);

        CHECK(latest - known->high < SWAP);
        if (known->low > latest)
            latest = known->low;
        check_report(world, known, before, after);
    }
    check_missing(world, count < capacity, latest, before);
    world->reports += count;
}

static void step(struct world *world)
{
    struct known *known = &world->all[dice_roll(&world->dice, CROWD)];

    switch (dice_roll(&world->dice, 16)) {
    case 0:
    case 1:
        CHECK_OK(plx_watcher_remove(known->timer));
        add_one(world, known);
        break;
    case 2:
    case 3:
        modify_one(world, known);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        wait_one(world);
        break;
    default:
        move_one(world, known);
    }
}

void timers_at_random(struct scene *scene)
{
    static struct world world;

    world = (struct world){.scene = scene, .dice = open_dice()};
    for (int i = 0; i < CROWD; i++)
        add_one(&world, &world.all[i]);
    for (int i = 0; i < STEPS; i++)
        step(&world);
    CHECK_EQUAL(plx_context_count(scene->context), CROWD);
    CHECK(world.reports > STEPS / 10);
}
