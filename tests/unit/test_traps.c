/* SPDX-License-Identifier: MIT */
/*
 * test_traps.c: the traps of the kernels that no real one, and no played one, walks into when a
 * test wants it to. Each kernel is one that answers by a script (tests/platform/fake.h), and each
 * test has the name of its trap, as it stands in docs/kernels.
 */
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include <pollux.h>

#include "crowd.h"
#include "random.h"
#include "require.h"
#include "rig.h"
#include "src/base/duration.h"
#include "src/os/os.h"
#include "suites.h"
#include "tests/platform/fake.h"

#ifdef UNIT_HAS_KQUEUE_SHIM
#include "kqueue_shim.h"
#endif

static void open_rig(struct rig *rig)
{
    rig_open(rig, CROWD);
    fake_open(rig_backend->id);
}

static void close_rig(struct rig *rig)
{
    fake_close();
    rig_close(rig);
}

static bool is(plx_backend backend)
{
    return rig_backend->id == backend;
}

/* --- EINTR --- */

/* What waits say of the only target, of which some may be interrupted. */
static uint32_t facts_in_the_end(struct rig *rig, const struct plx__target *target)
{
    uint32_t facts = 0;
    for (int i = 0; i < 3 && facts == 0; i++)
        facts = rig_facts(rig, target);
    return facts;
}

/* All that asks the kernel something that a signal can end; the `n`th question is. */
static bool is_interrupted_at(unsigned n)
{
    const uint32_t all = PLX_READ | PLX_WRITE | PLX_RDHUP;
    struct ends ends = rig_sockets();
    struct rig rig;
    open_rig(&rig);
    fake.interrupt = n;
    struct plx__target *target = rig_add(&rig, ends.read, all);
    ck_assert_uint_eq(facts_in_the_end(&rig, target), PLX_WRITE);
    ck_assert_int_eq(rig.backend->holds(rig.queue, target), PLX_OK);
    rig_modify(&rig, target, all, PLX_READ);
    ck_assert_int_eq(write(ends.write, "x", 1), 1);
    ck_assert_uint_eq(facts_in_the_end(&rig, target), PLX_READ);
    ck_assert_uint_eq(rig.backend->look(rig.queue, target, all), PLX_READ | PLX_WRITE);
    close(ends.write);
    rig_modify(&rig, target, PLX_READ, all | PLX_ONESHOT);
    ck_assert_uint_eq(facts_in_the_end(&rig, target), all | PLX_HUP);
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    ck_assert(rig.backend->remove(rig.queue, target));
    bool was_interrupted = fake.interrupt == 0;
    close_rig(&rig);
    close(ends.read);
    return was_interrupted;
}

START_TEST(eintr_at_every_place_takes_nothing_away)
{
    unsigned n = 1;
    while (is_interrupted_at(n))
        n++;
    ck_assert_uint_gt(n, 4);
}
END_TEST

#if defined(UNIT_HAS_KQUEUE_SHIM) || defined(POLLUX_PLAYS_EVENT_PORTS)

/* The first call was full, and of two events there was one record. */
START_TEST(eintr_after_a_full_call_keeps_what_it_gave)
{
    struct plx__record records[2];
    struct ends ends = rig_sockets(), quiet = rig_pipe();
    struct rig rig;
    if (ROOM < 2)
        return;
    open_rig(&rig);
    ck_assert_int_eq(write(ends.write, "x", 1), 1);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ | PLX_WRITE);
    rig_add(&rig, quiet.read, PLX_READ);
    struct fake_event second = {quiet.read, PLX_READ, 0};
    if (is(PLX_BACKEND_KQUEUE))
        second = (struct fake_event){ends.read, PLX_WRITE, 0};
    fake_answer((struct fake_answer){0, 2, {{ends.read, PLX_READ, 0}, second}});
    fake_answer((struct fake_answer){EINTR, 0, {{0, 0, 0}}});
    ck_assert_int_eq(rig.backend->wait(rig.queue, records, 2, PLX_FOREVER), 1);
    ck_assert_int_eq(fake_left(), 0);
    ck_assert(rig_is_of(&records[0], target));
    ck_assert_uint_eq(records[0].events, PLX_READ | PLX_WRITE);
    close_rig(&rig);
    rig_close_ends(ends);
    rig_close_ends(quiet);
}
END_TEST

#endif

/* --- What a kernel says of the wrong one, or in the wrong order --- */

START_TEST(a_batch_in_any_order_is_told_rightly)
{
    enum { COUNT = 3 };
    const uint32_t both = PLX_READ | PLX_WRITE;
    struct plx__record records[ROOM];
    struct plx__target *targets[COUNT];
    struct ends ends[COUNT];
    struct rig rig;
    if (ROOM < 2 * COUNT)
        return;
    open_rig(&rig);
    for (int i = 0; i < COUNT; i++) {
        ends[i] = rig_sockets();
        ck_assert_int_eq(write(ends[i].write, "x", 1), 1);
        targets[i] = rig_add(&rig, ends[i].read, both);
    }
    int a = ends[0].read, b = ends[1].read, c = ends[2].read;
    if (is(PLX_BACKEND_KQUEUE))
        fake_answer((struct fake_answer){0,
                                         6,
                                         {{c, PLX_WRITE, 0},
                                          {a, PLX_WRITE, 0},
                                          {b, PLX_READ, 0},
                                          {a, PLX_READ, 0},
                                          {c, PLX_READ, 0},
                                          {b, PLX_WRITE, 0}}});
    else
        fake_answer((struct fake_answer){0, 3, {{c, both, 0}, {a, both, 0}, {b, both, 0}}});
    ck_assert_int_eq(rig_wait(&rig, records, ROOM), COUNT);
    for (int i = 0; i < COUNT; i++) {
        const struct plx__target *target = targets[(i + 2) % COUNT];
        ck_assert(rig_is_of(&records[i], target));
        ck_assert_uint_eq(records[i].events, both);
    }
    close_rig(&rig);
    for (int i = 0; i < COUNT; i++)
        rig_close_ends(ends[i]);
}
END_TEST

/* The old one was removed, its number is another file's, and an event of it comes all the same. */
START_TEST(a_stale_event_after_reuse_is_nobodys)
{
    struct ends old = rig_readable_pipe(), fresh = rig_pipe();
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    plx_context *context;
    plx_watcher *watcher, *ready[1];
    options.backend = rig_backend->id;
    fake_open(rig_backend->id);
    ck_assert_int_eq(plx_context_create(&context, &options), PLX_OK);
    ck_assert_int_eq(plx_context_add(context, plx_fd(old.read), PLX_READ, NULL, &watcher), PLX_OK);
    ck_assert_int_eq(plx_watcher_remove(watcher), PLX_OK);
    ck_assert_int_eq(plx_context_wait(context, ready, 1, 0), 0); /* the place is free */
    ck_assert_int_eq(dup2(fresh.read, old.read), old.read);
    ck_assert_int_eq(plx_context_add(context, plx_fd(old.read), PLX_READ, NULL, &watcher), PLX_OK);
    for (int i = 0; i < 2; i++) {
        fake_answer((struct fake_answer){0, 1, {{old.read, PLX_READ, 1}}});
        ck_assert_int_eq(plx_context_wait(context, ready, 1, 0), 0);
    }
    ck_assert_int_eq(fake_left(), 0);
    ck_assert_int_eq(write(fresh.write, "x", 1), 1);
    ck_assert_int_eq(plx_context_wait(context, ready, 1, 0), 1);
    ck_assert(ready[0] == watcher);
    plx_context_destroy(context);
    fake_close();
    rig_close_ends(old);
    rig_close_ends(fresh);
}
END_TEST

/* --- Time and room --- */

START_TEST(an_early_return_is_slept_again)
{
    const plx_duration time = PLX_MS(50);
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    plx_context *context;
    plx_watcher *ready[1];
    options.backend = rig_backend->id;
    ck_assert_int_eq(plx_context_create(&context, &options), PLX_OK);
    fake_open(rig_backend->id);
    for (int i = 0; i < 3; i++)
        fake_answer((struct fake_answer){is(PLX_BACKEND_EVENT_PORTS) ? ETIME : 0, 0, {{0, 0, 0}}});
    int64_t before = plx__os_now();
    ck_assert_int_eq(plx_context_wait(context, ready, 1, time), 0);
    ck_assert_int_ge(plx__os_now() - before, time);
    ck_assert_int_lt(fake_left(), 3);
    fake_close();
    plx_context_destroy(context);
}
END_TEST

/* epoll refuses that, kqueue does not sleep then, and port_getn() gives the number alone. */
START_TEST(no_wait_is_without_room)
{
    struct rig rig;
    struct crowd crowd;
    open_rig(&rig);
    crowd_open(&crowd, &rig, PLX_READ);
    for (int round = 0; round < 4 * CROWD; round++) {
        if (round % 3 == 0)
            rig.backend->wake(rig.queue);
        if (round < CROWD / 2)
            close(crowd.ends[round].read);
        crowd_wait(&crowd, &rig, 1 + round % ROOM);
    }
    ck_assert_uint_ge(fake.waits, 4 * CROWD);
    ck_assert_uint_eq(fake.narrow_waits, 0);
    close_rig(&rig);
    crowd_close(&crowd);
}
END_TEST

/* What was left over is looked for without sleeping, and then a wake may be found. */
START_TEST(a_wake_after_a_full_batch_ends_the_sleep)
{
    struct plx__record record;
    char byte;
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    open_rig(&rig);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    ck_assert_int_eq(rig_wait(&rig, &record, 1), 1);
    ck_assert(rig_is_of(&record, target));
    ck_assert_int_eq(read(ends.read, &byte, 1), 1);
    rig.backend->wake(rig.queue);
    int count = rig.backend->wait(rig.queue, &record, 1, PLX_FOREVER);
    ck_assert(count == 0 || rig_is_wake(&record));
    close_rig(&rig);
    rig_close_ends(ends);
}
END_TEST

/* --- The Nth change refused --- */

enum { GUESTS = 6 };

struct party {
    plx_context *context;
    struct ends ends[GUESTS];
    plx_watcher *watchers[GUESTS];
    unsigned reports[GUESTS];
    unsigned errors[GUESTS];
};

static int party_wait(struct party *party, int capacity)
{
    plx_watcher *ready[GUESTS];
    int count = plx_context_wait(party->context, ready, capacity, 0);
    for (int i = 0; i < count; i++) {
        int guest = (int)((struct ends *)plx_watcher_data(ready[i]) - party->ends);
        REQUIRE(plx_watcher_triggered(ready[i]) & PLX_READ);
        party->reports[guest]++;
        party->errors[guest] += (plx_watcher_triggered(ready[i]) & PLX_ERROR) != 0;
    }
    return count;
}

/* All of them are ready, and all of them are to be changed. */
static void party_open(struct party *party)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    *party = (struct party){.context = NULL};
    options.backend = rig_backend->id;
    ck_assert_int_eq(plx_context_create(&party->context, &options), PLX_OK);
    fake_open(rig_backend->id);
    for (int i = 0; i < GUESTS; i++) {
        party->ends[i] = rig_readable_pipe();
        ck_assert_int_eq(plx_context_add(party->context, plx_fd(party->ends[i].read), PLX_READ,
                                         &party->ends[i], &party->watchers[i]),
                         PLX_OK);
    }
    ck_assert_int_eq(party_wait(party, GUESTS), GUESTS);
    for (int i = 0; i < GUESTS; i++) {
        party->reports[i] = 0;
        ck_assert_int_eq(plx_watcher_modify(party->watchers[i], PLX_READ | PLX_ONESHOT), PLX_OK);
        if (rig_backend->supports & PLX_EDGE) /* kqueue makes filters anew for that */
            ck_assert_int_eq(plx_watcher_modify(party->watchers[i], PLX_READ | PLX_EDGE), PLX_OK);
    }
}

static void party_close(struct party *party)
{
    plx_context_destroy(party->context);
    fake_close();
    for (int i = 0; i < GUESTS; i++)
        rig_close_ends(party->ends[i]);
}

/* Whoever has waited comes with one of the next waits, and everybody comes once. */
static bool is_memory_short_at(unsigned n, int capacity)
{
    struct party party;
    party_open(&party);
    fake.refuse = n;
    fake.cause = ENOMEM;
    int failures = 0;
    for (int i = 0; i < 2 * GUESTS + 2; i++) {
        int count = party_wait(&party, capacity);
        if (count < 0)
            ck_assert_int_eq(count, PLX_ERR_NOMEM);
        failures += count < 0;
    }
    ck_assert_int_le(failures, 1);
    bool was_short = fake.refuse == 0;
    for (int i = 0; i < GUESTS; i++) {
        ck_assert_uint_eq(party.reports[i], 1);
        ck_assert_uint_eq(party.errors[i], 0);
    }
    party_close(&party);
    return was_short;
}

START_TEST(the_nth_change_without_memory_is_made_by_the_next_wait)
{
    for (int capacity = 1; capacity <= GUESTS; capacity += GUESTS - 1) {
        unsigned n = 1;
        while (is_memory_short_at(n, capacity))
            n++;
        ck_assert_uint_gt(n, GUESTS);
    }
}
END_TEST

/* The others are changed; the one is told of it once, and is silent from then on. */
static bool is_refused_at(unsigned n, int capacity)
{
    unsigned errors = 0;
    struct party party;
    party_open(&party);
    fake.refuse = n;
    fake.cause = is(PLX_BACKEND_EVENT_PORTS) ? EBADFD : EBADF;
    for (int i = 0; i < 2 * GUESTS + 2; i++)
        ck_assert_int_ge(party_wait(&party, capacity), 0);
    bool was_refused = fake.refuse == 0;
    for (int i = 0; i < GUESTS; i++) {
        ck_assert_uint_eq(party.reports[i], 1);
        errors += party.errors[i];
    }
    ck_assert_uint_eq(errors, was_refused);
    party_close(&party);
    return was_refused;
}

START_TEST(the_nth_change_refused_is_one_error)
{
    for (int capacity = 1; capacity <= GUESTS; capacity += GUESTS - 1) {
        unsigned n = 1;
        while (is_refused_at(n, capacity))
            n++;
        ck_assert_uint_eq(n, GUESTS + 1);
    }
}
END_TEST

/* --- All of it at once --- */

struct guest {
    struct ends ends;
    struct plx__target *target;
    uint32_t want; /* what the kernel is to hold */
    bool is_full;  /* there is a byte */
    bool was_told; /* since the last look at everybody */
};

struct bad_day {
    struct rig rig;
    struct random random;
    struct guest guests[GUESTS];
};

static void turn_byte(struct guest *guest)
{
    char byte;
    if (guest->is_full)
        REQUIRE(read(guest->ends.read, &byte, 1) == 1);
    else
        REQUIRE(write(guest->ends.write, "x", 1) == 1);
    guest->is_full = !guest->is_full;
}

static void take_record(struct bad_day *day, const struct plx__record *record)
{
    int i = 0;
    if (rig_is_wake(record))
        return;
    while (i < GUESTS && !rig_is_of(record, day->guests[i].target))
        i++;
    REQUIRE(i < GUESTS);
    struct guest *guest = &day->guests[i];
    REQUIRE(record->events == PLX_READ && guest->is_full && guest->want & PLX_READ);
    guest->was_told = true;
    if (guest->want & PLX_ONESHOT)
        guest->want = PLX__SILENT; /* clause B11 */
}

static void wait_on(struct bad_day *day, plx_duration timeout)
{
    struct plx__record records[ROOM];
    int capacity = 1 + (int)random_below(&day->random, ROOM);
    int count = day->rig.backend->wait(day->rig.queue, records, capacity, timeout);
    REQUIRE(count >= 0 || count == PLX_ERR_NOMEM);
    for (int i = 0; i < count; i++)
        take_record(day, &records[i]);
}

static void change_guest(struct bad_day *day, struct guest *guest)
{
    static const uint32_t wants[] = {PLX__SILENT, PLX_READ, PLX_READ | PLX_ONESHOT,
                                     PLX_READ | PLX_RDHUP};
    uint32_t want = wants[random_below(&day->random, 4)];
    if (want == guest->want)
        return;
    int code = day->rig.backend->modify(day->rig.queue, guest->target, guest->want, want);
    REQUIRE(code == PLX_OK || code == PLX_ERR_NOMEM);
    if (code == PLX_OK)
        guest->want = want;
}

/* Another life under the same number. */
static void exchange_guest(struct bad_day *day, struct guest *guest)
{
    unsigned refuse = fake.refuse;
    fake.refuse = 0;
    REQUIRE(day->rig.backend->remove(day->rig.queue, guest->target));
    plx__slot_retire(&guest->target->slot);
    REQUIRE(day->rig.backend->add(day->rig.queue, guest->target, guest->want) == PLX_OK);
    fake.refuse = refuse;
}

/* The day gets better: whoever is ready comes, and nobody comes who is not. */
static void look_at_everybody(struct bad_day *day)
{
    fake.refuse = fake.interrupt = 0;
    for (int i = 0; i < GUESTS; i++)
        day->guests[i].was_told = !day->guests[i].is_full || !day->guests[i].want;
    for (int i = 0; i < 4 * GUESTS; i++)
        wait_on(day, 0);
    for (int i = 0; i < GUESTS; i++)
        REQUIRE(day->guests[i].was_told);
}

static void live(struct bad_day *day)
{
    struct guest *guest = &day->guests[random_below(&day->random, GUESTS)];
    switch (random_below(&day->random, 8)) {
    case 0:
        fake.interrupt = 1 + random_below(&day->random, 3);
        break;
    case 1:
        fake.cause = ENOMEM;
        fake.refuse = 1 + random_below(&day->random, 3);
        break;
    case 2:
        exchange_guest(day, guest);
        break;
    case 3:
        day->rig.backend->wake(day->rig.queue);
        wait_on(day, PLX_FOREVER); /* it ends, whatever happens */
        break;
    case 4:
        change_guest(day, guest);
        break;
    case 5:
        turn_byte(guest);
        break;
    default:
        wait_on(day, 0);
    }
}

START_TEST(a_bad_day_loses_nothing)
{
    struct bad_day day = {.random = random_open()};
    open_rig(&day.rig);
    for (int i = 0; i < GUESTS; i++) {
        day.guests[i].ends = rig_pipe();
        day.guests[i].want = PLX_READ;
        day.guests[i].target = rig_add(&day.rig, day.guests[i].ends.read, PLX_READ);
    }
    for (int step = 1; step <= 20000; step++) {
        live(&day);
        if (step % 50 == 0)
            look_at_everybody(&day);
    }
    close_rig(&day.rig);
    for (int i = 0; i < GUESTS; i++)
        rig_close_ends(day.guests[i].ends);
}
END_TEST

/* --- poll alone --- */

/* The limit was lowered after they were opened. Silent ones do not count: they are not passed. */
START_TEST(more_entries_than_the_limit_are_too_many)
{
    struct plx__record records[ROOM];
    struct rlimit before, low;
    struct rig rig;
    struct crowd crowd;
    open_rig(&rig);
    crowd_open(&crowd, &rig, PLX_READ);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = CROWD; /* the wake is one more */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    int code = rig.backend->wait(rig.queue, records, ROOM, 0);
    int cause = errno;
    rig_modify(&rig, crowd.targets[0], PLX_READ, PLX__SILENT);
    int count = rig.backend->wait(rig.queue, records, ROOM, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(code, PLX_ERR_TOOBIG);
    ck_assert_int_eq(cause, EINVAL);
    ck_assert_int_eq(count, ROOM);
    close_rig(&rig);
    crowd_close(&crowd);
}
END_TEST

/* --- kqueue alone --- */

#ifdef UNIT_HAS_KQUEUE_SHIM

/* A signal ends the sleep after the changes of the call were made: they are not made twice. */
START_TEST(eintr_comes_after_the_changes)
{
    struct ends ends = rig_readable_pipe();
    struct plx__record records[ROOM];
    struct rig rig;
    if (ROOM < 2)
        return; /* then they do not travel with the wait */
    open_rig(&rig);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    rig_modify(&rig, target, PLX_READ, PLX_READ | PLX_EDGE);
    fake.interrupt = 1;
    ck_assert_int_eq(rig.backend->wait(rig.queue, records, ROOM, PLX_FOREVER), 0);
    kqueue_shim_reset_counts();
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    ck_assert_uint_eq(kqueue_shim_counts().changes, 0);
    close_rig(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(an_add_with_one_filter_refused_is_undone)
{
    static const int causes[] = {ENOMEM, EACCES};
    const uint32_t both = PLX_READ | PLX_WRITE;
    for (unsigned n = 1; n <= 4; n++) {
        struct ends ends = rig_sockets();
        struct rig rig;
        open_rig(&rig);
        int queue = rig.backend->nest(rig.queue);
        int own = kqueue_shim_notes(queue);
        struct plx__target *target = rig_target(&rig, ends.read);
        fake.refuse = 1 + n % 2;
        fake.cause = causes[n / 3];
        ck_assert_int_lt(rig.backend->add(rig.queue, target, both), 0);
        ck_assert_int_eq(errno, fake.cause);
        ck_assert_int_eq(kqueue_shim_notes(queue), own);
        ck_assert_int_eq(rig.backend->add(rig.queue, target, both), PLX_OK);
        ck_assert_uint_eq(rig_facts(&rig, target), PLX_WRITE);
        close_rig(&rig);
        rig_close_ends(ends);
    }
}
END_TEST

/* The second half comes when the watcher is silent already, and after it was armed again. */
START_TEST(a_oneshot_split_over_two_batches_is_told_once)
{
    const uint32_t want = PLX_READ | PLX_WRITE | PLX_ONESHOT;
    struct ends ends = rig_sockets();
    struct plx__record record;
    struct rig rig;
    open_rig(&rig);
    ck_assert_int_eq(write(ends.write, "x", 1), 1);
    struct plx__target *target = rig_add(&rig, ends.read, want);
    for (int life = 0; life < 3; life++) {
        fake_answer((struct fake_answer){0, 1, {{ends.read, PLX_WRITE, 0}}});
        ck_assert_int_eq(rig_wait(&rig, &record, 1), 1);
        ck_assert(rig_is_of(&record, target));
        ck_assert_uint_eq(record.events, PLX_READ | PLX_WRITE);
        fake_answer((struct fake_answer){0, 1, {{ends.read, PLX_READ, 0}}});
        ck_assert_int_eq(rig_wait(&rig, &record, 1), 0);
        ck_assert_int_eq(fake_left(), 0);
        ck_assert_uint_eq(rig_facts(&rig, target), 0);
        rig_modify(&rig, target, PLX__SILENT, want);
    }
    close_rig(&rig);
    rig_close_ends(ends);
}
END_TEST

/* NetBSD refuses a timer of nothing. */
START_TEST(an_alarm_of_the_past_rings)
{
    static const struct kqueue_traits *const systems[] = {&kqueue_shim_freebsd,
                                                          &kqueue_shim_netbsd};
    for (int i = 0; i < 2; i++) {
        struct rig rig;
        kqueue_shim_play(systems[i]);
        open_rig(&rig);
        int queue = rig.backend->nest(rig.queue);
        ck_assert_uint_eq(rig_oracle(queue, PLX_READ), 0);
        rig.backend->alarm(rig.queue, 1);
        while (rig_oracle(queue, PLX_READ) == 0)
            continue; /* a nanosecond, or a tick */
        rig.backend->alarm(rig.queue, PLX__NEVER);
        ck_assert_uint_eq(rig_oracle(queue, PLX_READ), 0);
        close_rig(&rig);
    }
}
END_TEST

static void add_kqueue(TCase *tests)
{
    tcase_add_test(tests, eintr_comes_after_the_changes);
    tcase_add_test(tests, an_add_with_one_filter_refused_is_undone);
    tcase_add_test(tests, a_oneshot_split_over_two_batches_is_told_once);
    tcase_add_test(tests, an_alarm_of_the_past_rings);
}

#endif

static TCase *case_of(const char *name, SFun use)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, use, NULL);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, eintr_at_every_place_takes_nothing_away);
    tcase_add_test(tests, an_early_return_is_slept_again);
    tcase_add_test(tests, no_wait_is_without_room);
    tcase_add_test(tests, a_wake_after_a_full_batch_ends_the_sleep);
    tcase_add_test(tests, a_bad_day_loses_nothing);
    return tests;
}

/* Where the kernel knows the interests. */
static void add_remembered(TCase *tests)
{
    tcase_add_test(tests, a_batch_in_any_order_is_told_rightly);
    tcase_add_test(tests, a_stale_event_after_reuse_is_nobodys);
    tcase_add_test(tests, the_nth_change_without_memory_is_made_by_the_next_wait);
    tcase_add_test(tests, the_nth_change_refused_is_one_error);
}

Suite *traps_suite(void)
{
    Suite *suite = suite_create("traps");
    TCase *tests = case_of("epoll", rig_use_epoll);
    add_remembered(tests);
    suite_add_tcase(suite, tests);
    tests = case_of("poll", rig_use_poll);
    tcase_add_test(tests, more_entries_than_the_limit_are_too_many);
    suite_add_tcase(suite, tests);
#ifdef UNIT_HAS_KQUEUE_SHIM
    tests = case_of("kqueue", rig_use_kqueue);
    add_remembered(tests);
    tcase_add_test(tests, eintr_after_a_full_call_keeps_what_it_gave);
    add_kqueue(tests);
    suite_add_tcase(suite, tests);
#endif
#ifdef POLLUX_PLAYS_EVENT_PORTS
    tests = case_of("event_ports", rig_use_event_ports);
    add_remembered(tests);
    tcase_add_test(tests, eintr_after_a_full_call_keeps_what_it_gave);
    suite_add_tcase(suite, tests);
#endif
    return suite;
}
