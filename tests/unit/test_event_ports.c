/* SPDX-License-Identifier: MIT */
/*
 * test_event_ports.c: what only the backend event_ports has to cope with, where the tests play that
 * system: its kernel on a bad day, and how many calls it is asked for. The clauses that it shares
 * with the others are in test_backend.c, test_queue.c and test_wake.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pollux/error.h>

#include "backends/event_ports.h"
#include "crowd.h"
#include "event_ports_shim.h"
#include "require.h"
#include "rig.h"
#include "src/base/duration.h"
#include "src/os/os.h"
#include "suites.h"

/* The kernel of a test is illumos, whatever the environment says. */
static void use(void)
{
    rig_use_event_ports();
    port_shim_play(&port_shim_illumos);
}

static void play(struct port_traits traits)
{
    traits.limit = traits.limit ? traits.limit : port_shim_illumos.limit;
    traits.has_rdhup = true;
    port_shim_play(&traits);
}

static int port_of(void)
{
    for (int fd = 0; fd < RIG_DESCRIPTORS; fd++) {
        if (port_shim_kept(fd) >= 0)
            return fd;
    }
    return -1;
}

static void take_byte(int fd)
{
    char byte;
    ck_assert_int_eq(read(fd, &byte, 1), 1);
}

static void put_byte(int fd)
{
    ck_assert_int_eq(write(fd, "x", 1), 1);
}

/* One wait that may sleep. */
static uint32_t facts_in_a_sleep(struct rig *rig, const struct plx__target *target)
{
    struct plx__record records[ROOM];
    int count = rig->backend->wait(rig->queue, records, ROOM, PLX_SECONDS(50));
    ck_assert_int_le(count, 1);
    if (count == 1)
        ck_assert(rig_is_of(&records[0], target));
    return count == 1 ? records[0].events : 0;
}

/* --- Events beside an error --- */

START_TEST(what_comes_with_etime_is_told)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    play((struct port_traits){.etime_every = 1});
    for (int round = 0; round < 3; round++)
        ck_assert_uint_eq(facts_in_a_sleep(&rig, target), PLX_READ);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(what_comes_with_eintr_is_told)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    play((struct port_traits){.eintr_every = 1, .eintr_gives = true});
    for (int round = 0; round < 3; round++)
        ck_assert_uint_eq(facts_in_a_sleep(&rig, target), PLX_READ);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* The count still says that one was asked for. Nested, nothing is to be taken for a wake either. */
START_TEST(eintr_alone_is_nothing)
{
    struct plx__record records[ROOM];
    struct ends ends = rig_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    for (int round = 0; round < 3; round++) {
        play((struct port_traits){.eintr_every = 1});
        ck_assert_int_eq(rig.backend->wait(rig.queue, records, ROOM, PLX_SECONDS(50)), 0);
        play((struct port_traits){.eintr_every = 0});
        put_byte(ends.write);
        ck_assert_uint_eq(facts_in_a_sleep(&rig, target), PLX_READ);
        take_byte(ends.read);
        ck_assert_int_ge(rig.backend->nest(rig.queue), 0);
    }
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(what_came_with_a_signal_is_told)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    play((struct port_traits){.eintr_every = 1});
    for (int round = 0; round < 3; round++)
        ck_assert_uint_eq(facts_in_a_sleep(&rig, target), PLX_READ);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* --- Events are snapshots --- */

/* Both directions become ready in two steps, of which the kernel tells the first alone. */
static void check_whole(uint32_t want)
{
    char bytes[4096];
    struct ends ends = rig_sockets();
    struct rig rig;
    rig_open(&rig, 8);
    rig_fill(ends.read);
    struct plx__target *target = rig_add(&rig, ends.read, want);
    put_byte(ends.write);
    port_shim_notice();
    while (read(ends.write, bytes, sizeof bytes) > 0)
        continue;
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ | PLX_WRITE);
    rig_close(&rig);
    rig_close_ends(ends);
}

START_TEST(a_mask_is_whole)
{
    check_whole(PLX_READ | PLX_WRITE);
    check_whole(PLX_READ | PLX_WRITE | PLX_ONESHOT);
}
END_TEST

static struct ends intruders;

static void hang_up(void)
{
    close(intruders.write);
}

/* In a sleep the kernel tells what woke it: here, one of three, between its look and the sleep. */
START_TEST(an_end_is_whole_in_a_sleep)
{
    for (int turn = 0; turn < 4; turn++) {
        struct rig rig;
        intruders = rig_sockets();
        put_byte(intruders.write);
        rig_open(&rig, 8);
        struct plx__target *target = rig_add(&rig, intruders.read, PLX_READ | PLX_RDHUP);
        ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
        take_byte(intruders.read);
        play((struct port_traits){.one_bit = true});
        calls.intrude = hang_up;
        calls.intrude_before = ROOM == 1 ? 3 : 2;
        ck_assert_uint_eq(facts_in_a_sleep(&rig, target), PLX_READ | PLX_RDHUP | PLX_HUP);
        ck_assert_uint_eq(calls.intrude_before, 0);
        rig_close(&rig);
        close(intruders.read);
    }
}
END_TEST

/* It fired, and its data were read before anybody asked. */
static void check_over(uint32_t want)
{
    struct ends ends = rig_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, want);
    put_byte(ends.write);
    port_shim_notice();
    take_byte(ends.read);
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    put_byte(ends.write);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    rig_close(&rig);
    rig_close_ends(ends);
}

START_TEST(what_is_over_is_not_told)
{
    check_over(PLX_READ);
}
END_TEST

START_TEST(a_oneshot_is_not_spent_on_what_is_over)
{
    check_over(PLX_READ | PLX_ONESHOT);
}
END_TEST

/* poll(2) cannot be asked, and so what the event says has to do. */
START_TEST(a_doubt_that_stays_is_told)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ | PLX_ONESHOT);
    calls.refuse = 2; /* the first one waits */
    calls.cause = ENOMEM;
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    ck_assert_uint_eq(calls.refuse, 0);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* --- Turns --- */

static void check_turns(int capacity)
{
    struct rig rig;
    struct crowd crowd;
    rig_open(&rig, CROWD);
    crowd_open(&crowd, &rig, PLX_READ);
    for (int round = 0; round * capacity < 5 * CROWD; round++) {
        uint32_t least = UINT32_MAX, most = 0;
        ck_assert_int_eq(crowd_wait(&crowd, &rig, capacity), capacity);
        for (int i = 0; i < CROWD; i++) {
            least = crowd.records[i] < least ? crowd.records[i] : least;
            most = crowd.records[i] > most ? crowd.records[i] : most;
        }
        ck_assert_uint_le(most - least, 1);
    }
    rig_close(&rig);
    crowd_close(&crowd);
}

START_TEST(everybody_has_a_turn_whatever_the_order)
{
    for (enum port_order order = PORT_IN_ORDER; order <= PORT_SHUFFLED; order++) {
        play((struct port_traits){.order = order, .seed = 1});
        for (int capacity = 1; capacity <= ROOM; capacity++)
            check_turns(capacity);
    }
}
END_TEST

/* A change takes an event back, and its descriptor goes to the end of the queue. */
START_TEST(who_is_changed_all_the_time_has_a_turn)
{
    struct rig rig;
    struct crowd crowd;
    rig_open(&rig, CROWD);
    crowd_open(&crowd, &rig, PLX_READ);
    for (int round = 0; round < 2 * CROWD; round++) {
        uint32_t was = round % 2 ? PLX_READ | PLX_PRI : PLX_READ;
        rig_modify(&rig, crowd.targets[7], was, was ^ PLX_PRI);
        ck_assert_int_eq(crowd_wait(&crowd, &rig, 1), 1);
    }
    ck_assert_uint_ge(crowd.records[7], 1);
    rig_close(&rig);
    crowd_close(&crowd);
}
END_TEST

/* It is still on the list of those that were reported, when it is reported once more. */
START_TEST(nobody_is_told_twice_where_a_round_ends)
{
    struct plx__record records[ROOM];
    struct ends ends[3];
    struct plx__target *targets[3];
    struct rig rig;
    rig_open(&rig, 8);
    for (int i = 0; i < 3; i++) {
        ends[i] = rig_readable_pipe();
        targets[i] = rig_add(&rig, ends[i].read, PLX_READ);
    }
    ck_assert_int_eq(rig_wait(&rig, records, 1), 1);
    ck_assert(rig_is_of(&records[0], targets[0]));
    ck_assert(rig.backend->remove(rig.queue, targets[0]));
    ck_assert_int_eq(rig.backend->add(rig.queue, targets[0], PLX_READ), PLX_OK);
    ck_assert_int_eq(rig_wait(&rig, records, ROOM), ROOM < 3 ? ROOM : 3);
    ck_assert_int_eq(rig_wait(&rig, records, ROOM), ROOM < 3 ? ROOM : 3);
    rig_close(&rig);
    for (int i = 0; i < 3; i++)
        rig_close_ends(ends[i]);
}
END_TEST

/* The first was reported, left and came again, and was reported once more. The last, which was
   silent meanwhile, is before it. */
START_TEST(who_came_again_is_behind_who_waited)
{
    struct plx__record record;
    struct ends first = rig_readable_pipe(), last = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, first.read, PLX_READ);
    struct plx__target *other = rig_add(&rig, last.read, PLX__SILENT);
    ck_assert_int_eq(rig_wait(&rig, &record, 1), 1);
    ck_assert(rig.backend->remove(rig.queue, target));
    ck_assert_int_eq(rig.backend->add(rig.queue, target, PLX_READ), PLX_OK);
    rig_modify(&rig, other, PLX__SILENT, PLX_READ);
    ck_assert_int_eq(rig_wait(&rig, &record, 1), 1);
    ck_assert(rig_is_of(&record, target));
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(rig_wait(&rig, &record, 1), 1);
        ck_assert(rig_is_of(&record, round % 2 ? target : other));
    }
    rig_close(&rig);
    rig_close_ends(first);
    rig_close_ends(last);
}
END_TEST

/* --- Between report and wait --- */

START_TEST(who_was_reported_and_closed_is_gone_once)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    close(ends.read);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX__GONE);
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    rig_close(&rig);
    close(ends.write);
}
END_TEST

/* More of them than there is room for. */
START_TEST(everybody_who_is_gone_is_told_once)
{
    struct rig rig;
    struct crowd crowd;
    rig_open(&rig, CROWD);
    crowd_open(&crowd, &rig, PLX_READ);
    for (int records = 0; records < CROWD;)
        records += crowd_wait(&crowd, &rig, 1);
    for (int i = 0; i < CROWD; i++)
        close(crowd.ends[i].read);
    for (int round = 0; round < 3 * CROWD; round++)
        crowd_wait(&crowd, &rig, ROOM < 3 ? ROOM : 3);
    for (int i = 0; i < CROWD; i++) {
        ck_assert_uint_eq(crowd.records[i], 2);
        close(crowd.ends[i].write);
    }
    rig_close(&rig);
}
END_TEST

/* Here the kernel knows nothing of the number any more, and a file tells itself from another. */
START_TEST(a_reported_number_that_came_back_is_noticed)
{
    struct ends ends = rig_readable_pipe(), other = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *stale = rig_add(&rig, ends.read, PLX_READ);
    struct plx__target *fresh = rig_target(&rig, ends.read);
    ck_assert_uint_eq(rig_facts(&rig, stale), PLX_READ);
    ck_assert_int_eq(rig.backend->add(rig.queue, fresh, PLX_READ), PLX_ERR_EXISTS);
    ck_assert_int_eq(dup2(other.read, ends.read), ends.read);
    ck_assert_int_eq(rig.backend->holds(rig.queue, stale), PLX_ERR_NOTFOUND);
    ck_assert_int_eq(rig.backend->add(rig.queue, fresh, PLX_READ), PLX_OK);
    ck_assert_uint_eq(rig_facts(&rig, fresh), PLX_READ);
    ck_assert_uint_eq(rig_facts(&rig, fresh), PLX_READ);
    rig_close(&rig);
    rig_close_ends(ends);
    rig_close_ends(other);
}
END_TEST

/* A close is final, even though the file has come back: the kernel dropped the association. */
START_TEST(the_same_file_at_its_old_number_is_new)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *stale = rig_add(&rig, ends.read, PLX_READ);
    struct plx__target *fresh = rig_target(&rig, ends.read);
    int spare = dup(ends.read);
    close(ends.read);
    ck_assert_int_eq(dup2(spare, ends.read), ends.read);
    ck_assert_int_eq(rig.backend->holds(rig.queue, stale), PLX_ERR_NOTFOUND);
    ck_assert_int_eq(rig.backend->add(rig.queue, fresh, PLX_READ), PLX_OK);
    ck_assert_uint_eq(rig_facts(&rig, fresh), PLX_READ);
    rig_close(&rig);
    rig_close_ends(ends);
    close(spare);
}
END_TEST

/* Others are told meanwhile, and it comes when there is memory again. */
START_TEST(who_waits_for_memory_keeps_nobody_waiting)
{
    struct plx__record records[1];
    struct ends ends = rig_readable_pipe(), others = rig_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ | PLX_ONESHOT);
    struct plx__target *other = rig_add(&rig, others.read, PLX_READ | PLX_ONESHOT);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    rig_modify(&rig, target, PLX__SILENT, PLX_READ | PLX_ONESHOT);
    put_byte(others.write);
    calls.refuse = 1;
    calls.cause = ENOMEM;
    ck_assert_int_eq(rig.backend->wait(rig.queue, records, 1, 0), 1);
    ck_assert(rig_is_of(&records[0], other));
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    rig_close(&rig);
    rig_close_ends(ends);
    rig_close_ends(others);
}
END_TEST

START_TEST(who_cannot_be_armed_again_waits_for_memory)
{
    struct ends ends = rig_readable_pipe();
    struct plx__record records[ROOM];
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    for (int round = 0; round < 3; round++) {
        ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
        calls.refuse = 1;
        calls.cause = round % 2 ? EAGAIN : ENOMEM;
        ck_assert_int_eq(rig.backend->wait(rig.queue, records, ROOM, PLX_FOREVER), PLX_ERR_NOMEM);
    }
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* --- A full port --- */

START_TEST(a_full_port_can_be_woken)
{
    struct ends ends = rig_pipe();
    struct rig rig;
    play((struct port_traits){.limit = 1});
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    struct plx__target *other = rig_target(&rig, ends.write);
    ck_assert_int_eq(rig.backend->add(rig.queue, other, PLX_WRITE), PLX_ERR_NOMEM);
    for (int round = 0; round < 3; round++) {
        rig.backend->wake(rig.queue);
        rig.backend->wake(rig.queue);
        ck_assert_uint_eq(facts_in_a_sleep(&rig, target), 0);
        put_byte(ends.write);
        rig.backend->wake(rig.queue);
        uint32_t facts = facts_in_a_sleep(&rig, target); /* an alert is alone in its call */
        ck_assert_uint_eq(facts, ROOM == 1 ? PLX_READ : 0);
        ck_assert_uint_eq(facts_in_a_sleep(&rig, target), PLX_READ);
        take_byte(ends.read);
    }
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

static int refuse_to_send(int port, int events, void *user)
{
    (void)port;
    (void)events;
    (void)user;
    errno = EAGAIN;
    return -1;
}

static int refuse_to_alert(int port, int flags, int events, void *user)
{
    (void)flags;
    return refuse_to_send(port, events, user);
}

/* One that got lost does not stand in the way of those to come. */
START_TEST(a_refused_wake_is_sent_again)
{
    struct rig rig;
    rig_open(&rig, 8);
    int port = port_of();
    struct plx__event_ports_calls honest = plx__event_ports_calls;
    plx__event_ports_calls.send = refuse_to_send;
    plx__event_ports_calls.alert = refuse_to_alert;
    rig.backend->wake(rig.queue);
    plx__event_ports_calls = honest;
    rig.backend->wake(rig.queue);
    ck_assert_int_eq(port_shim_kept(port), 1);
    rig_close(&rig);
}
END_TEST

/* It is taken by the call that ends a round, which is not the one that sleeps. */
START_TEST(a_wake_where_a_round_ends_ends_the_sleep)
{
    struct plx__record records[1];
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    rig_add(&rig, ends.read, PLX_READ | PLX_ONESHOT);
    ck_assert_int_eq(rig_wait(&rig, records, 1), 1);
    rig.backend->wake(rig.queue);
    ck_assert_int_eq(rig.backend->wait(rig.queue, records, 1, PLX_FOREVER), 0);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(wakes_take_one_place)
{
    struct rig rig;
    rig_open(&rig, 8);
    int port = port_of();
    for (int i = 0; i < 100; i++)
        rig.backend->wake(rig.queue);
    ck_assert_int_eq(port_shim_kept(port), 1);
    rig_close(&rig);
}
END_TEST

/* A delivered one counts towards the limit until it is dissociated, which is ENOENT by then. */
START_TEST(who_is_removed_takes_no_place)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    int port = port_of();
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ | PLX_ONESHOT);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    ck_assert_int_eq(port_shim_kept(port), 1);
    ck_assert(rig.backend->remove(rig.queue, target));
    ck_assert_int_eq(port_shim_kept(port), 0);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* --- Fork --- */

/* What it took out of the shared port would be lost for the parent. */
static int live_as_child(struct rig *rig, struct plx__target *target)
{
    port_shim_reset_counts();
    bool is_well = rig->backend->renew(rig->queue, true) == PLX_OK &&
                   rig->backend->add(rig->queue, target, PLX_READ) == PLX_OK;
    rig->backend->settle(rig->queue, true);
    is_well = is_well && rig_facts(rig, target) == PLX_READ && port_shim_counts().foreign == 0;
    rig->backend->close(rig->queue);
    return is_well ? 0 : 1;
}

START_TEST(a_child_leaves_its_parents_port_alone)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    int status;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    pid_t child = fork();
    if (child == 0)
        _exit(live_as_child(&rig, target));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* Whoever was not added again is in no queue: not even who was reported before. */
START_TEST(who_is_not_renewed_is_silent)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    ck_assert_int_eq(rig.backend->renew(rig.queue, true), PLX_OK);
    rig.backend->settle(rig.queue, true);
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* A target that was in the fresh port for a while is back in the old one. */
START_TEST(who_was_renewed_in_vain_is_where_he_was)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(rig.backend->renew(rig.queue, true), PLX_OK);
        ck_assert_int_eq(rig.backend->add(rig.queue, target, PLX_READ), PLX_OK);
        rig.backend->settle(rig.queue, false);
        ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    }
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* --- A kernel that errs --- */

static int (*honest_get)(int, port_event_t *, uint_t, uint_t *, struct timespec *);

/* Its first event is somebody else's. */
static int give_foreign(int port, port_event_t *events, uint_t room, uint_t *count,
                        struct timespec *timeout)
{
    int result = honest_get(port, events, room, count, timeout);
    if (result == 0 && *count > 0)
        events[0].portev_user = NULL;
    return result;
}

/* Its first event has bits that nobody asked for. */
static int give_too_much(int port, port_event_t *events, uint_t room, uint_t *count,
                         struct timespec *timeout)
{
    int result = honest_get(port, events, room, count, timeout);
    if (result == 0 && *count > 0)
        events[0].portev_events |= POLLOUT | POLLPRI | POLLRDNORM;
    return result;
}

static void err(int (*wrong)(int, port_event_t *, uint_t, uint_t *, struct timespec *))
{
    honest_get = plx__event_ports_calls.get;
    plx__event_ports_calls.get = wrong;
}

/* Nobody is told under a token that is not his, and he is associated again. */
START_TEST(a_foreign_event_is_not_told)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    err(give_foreign);
    ck_assert_uint_eq(rig_facts(&rig, target), 0);
    plx__event_ports_calls.get = honest_get;
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(what_was_not_asked_for_is_not_told)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    err(give_too_much);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* --- What it costs --- */

static void check_counts(unsigned long gets, unsigned long associates, uint32_t total)
{
    struct port_counts counts = port_shim_counts();
    ck_assert_uint_eq(counts.gets, gets);
    ck_assert_uint_eq(counts.associates, associates);
    ck_assert_uint_eq(calls_taken(), total);
    port_shim_reset_counts();
}

/* One wait, one association for each that was reported, and nobody else is looked at. */
START_TEST(a_batch_costs_one_wait_and_who_was_reported)
{
    enum { FEW = 5 };
    struct plx__record records[PLX__BATCH];
    struct ends idle = rig_pipe(), busy[FEW];
    struct rig rig;
    rig_open(&rig, 8);
    rig_add(&rig, idle.read, PLX_READ);
    for (int i = 0; i < FEW; i++) {
        busy[i] = rig_readable_pipe();
        rig_add(&rig, busy[i].read, PLX_READ);
    }
    ck_assert_int_eq(rig_wait(&rig, records, PLX__BATCH), FEW);
    port_shim_reset_counts();
    calls_taken();
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(rig.backend->wait(rig.queue, records, PLX__BATCH, PLX_FOREVER), FEW);
        check_counts(1, FEW, 1 + FEW);
    }
    for (int i = 0; i < FEW; i++)
        take_byte(busy[i].read);
    ck_assert_int_eq(rig_wait(&rig, records, PLX__BATCH), 0);
    check_counts(1, FEW, 1 + FEW);
    ck_assert_int_eq(rig_wait(&rig, records, PLX__BATCH), 0);
    check_counts(1, 0, 1);
    rig_close(&rig);
    rig_close_ends(idle);
    for (int i = 0; i < FEW; i++)
        rig_close_ends(busy[i]);
}
END_TEST

/* What fired before the wait is asked about: once, however many there are. */
START_TEST(a_batch_of_what_fired_earlier_costs_one_more)
{
    enum { FEW = 5 };
    struct plx__record records[PLX__BATCH];
    struct ends ends[FEW];
    struct rig rig;
    rig_open(&rig, 8);
    for (int i = 0; i < FEW; i++) {
        ends[i] = rig_readable_pipe();
        rig_add(&rig, ends[i].read, PLX_READ | PLX_ONESHOT);
    }
    port_shim_reset_counts();
    calls_taken();
    ck_assert_int_eq(rig_wait(&rig, records, PLX__BATCH), FEW);
    check_counts(1, 0, 2);
    ck_assert_int_eq(rig_wait(&rig, records, PLX__BATCH), 0);
    check_counts(1, 0, 1);
    rig_close(&rig);
    for (int i = 0; i < FEW; i++)
        rig_close_ends(ends[i]);
}
END_TEST

/* A full batch leaves open whether there is more. */
START_TEST(a_full_batch_costs_one_more_wait_each_round)
{
    struct plx__record records[1];
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    rig_add(&rig, ends.read, PLX_READ);
    ck_assert_int_eq(rig_wait(&rig, records, 1), 1);
    port_shim_reset_counts();
    calls_taken();
    ck_assert_int_eq(rig_wait(&rig, records, 1), 1);
    check_counts(2, 1, 3);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

START_TEST(a_change_after_a_report_costs_nothing)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    calls_taken();
    port_shim_reset_counts();
    rig_modify(&rig, target, PLX_READ, PLX_READ | PLX_PRI);
    rig_modify(&rig, target, PLX_READ | PLX_PRI, PLX_PRI);
    rig_modify(&rig, target, PLX_PRI, PLX_READ | PLX_RDHUP);
    check_counts(0, 0, 0);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    check_counts(1, 1, 2);
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* --- Nesting --- */

static bool shows(int fd)
{
    return rig_oracle(fd, PLX_READ) == PLX_READ;
}

/* Without a wait in between. */
START_TEST(what_rang_is_taken_back)
{
    struct rig rig;
    rig_open(&rig, 8);
    int port = rig.backend->nest(rig.queue);
    rig.backend->alarm(rig.queue, plx__os_now());
    ck_assert(shows(port));
    rig.backend->alarm(rig.queue, plx__os_now() + PLX_SECONDS(1000));
    ck_assert(!shows(port));
    rig.backend->raise(rig.queue, true);
    ck_assert(shows(port));
    rig.backend->raise(rig.queue, false);
    ck_assert(!shows(port));
    rig.backend->alarm(rig.queue, 0);
    ck_assert(shows(port));
    rig.backend->alarm(rig.queue, PLX__NEVER);
    ck_assert(!shows(port));
    rig_close(&rig);
}
END_TEST

/* Whatever stands in front of it in the queue shows as before, and comes with the next wait. */
START_TEST(a_lowered_wake_takes_nobody_along)
{
    struct rig rig;
    struct crowd crowd;
    rig_open(&rig, CROWD);
    crowd_open(&crowd, &rig, PLX_READ);
    int port = rig.backend->nest(rig.queue);
    rig.backend->wake(rig.queue);
    rig.backend->raise(rig.queue, false);
    ck_assert(shows(port));
    for (int records = 0; records < CROWD;)
        records += crowd_wait(&crowd, &rig, ROOM);
    for (int i = 0; i < CROWD; i++) {
        ck_assert_uint_ge(crowd.records[i], 1);
        take_byte(crowd.ends[i].read);
    }
    ck_assert_int_eq(crowd_wait(&crowd, &rig, ROOM), 0);
    ck_assert(!shows(port));
    rig_close(&rig);
    crowd_close(&crowd);
}
END_TEST

/* While it is raised a wait sleeps all the same, until the descriptor is ready. */
START_TEST(a_bell_does_not_end_a_sleep)
{
    struct plx__record records[ROOM];
    struct rig rig;
    rig_open(&rig, 8);
    int port = rig.backend->nest(rig.queue);
    rig.backend->raise(rig.queue, true);
    int64_t before = plx__os_now();
    ck_assert_int_eq(rig.backend->wait(rig.queue, records, ROOM, PLX_MS(5)), 0);
    ck_assert_int_ge(plx__os_now() - before, PLX_MS(5));
    ck_assert(shows(port));
    rig_close(&rig);
}
END_TEST

/* The wait has taken it, and nobody has lowered it. */
START_TEST(a_wake_that_was_taken_still_shows)
{
    struct plx__record records[ROOM];
    struct rig rig;
    rig_open(&rig, 8);
    int port = rig.backend->nest(rig.queue);
    rig.backend->wake(rig.queue);
    ck_assert_int_eq(rig.backend->wait(rig.queue, records, ROOM, PLX_FOREVER), 1);
    ck_assert(rig_is_wake(&records[0]));
    ck_assert(shows(port));
    rig.backend->raise(rig.queue, false);
    ck_assert(!shows(port));
    rig_close(&rig);
}
END_TEST

START_TEST(a_change_shows_at_once)
{
    struct ends ends = rig_readable_pipe();
    struct rig rig;
    rig_open(&rig, 8);
    int port = rig.backend->nest(rig.queue);
    struct plx__target *target = rig_add(&rig, ends.read, PLX_READ | PLX_ONESHOT);
    ck_assert_uint_eq(rig_facts(&rig, target), PLX_READ);
    ck_assert(!shows(port));
    rig_modify(&rig, target, PLX__SILENT, PLX_READ | PLX_ONESHOT);
    ck_assert(shows(port));
    rig_close(&rig);
    rig_close_ends(ends);
}
END_TEST

/* The nth call of a wait is refused: a ready descriptor shows all the same, or something else does,
   and the next wait that is not refused tells of it. */
START_TEST(what_could_not_be_shown_is_shown_otherwise)
{
    struct ends ends = rig_readable_pipe();
    for (uint32_t n = 1; n <= 8; n++) {
        struct plx__record records[ROOM];
        struct rig rig;
        rig_open(&rig, 8);
        int port = rig.backend->nest(rig.queue);
        struct plx__target *target = rig_add(&rig, ends.read, PLX_READ);
        calls.refuse = n;
        calls.cause = ENOMEM;
        rig.backend->wait(rig.queue, records, ROOM, 0);
        ck_assert(shows(port));
        calls.refuse = 0;
        uint32_t facts = rig_facts(&rig, target);
        ck_assert(facts == PLX_READ || ROOM == 1);
        ck_assert(shows(port));
        rig_close(&rig);
    }
    rig_close_ends(ends);
}
END_TEST

/* The nth call of a wait is refused, and an alarm that has rung shows all the same. */
START_TEST(a_bell_that_cannot_be_hung_is_replaced)
{
    for (uint32_t n = 1; n <= 4; n++) {
        struct plx__record records[ROOM];
        struct rig rig;
        rig_open(&rig, 8);
        int port = rig.backend->nest(rig.queue);
        rig.backend->alarm(rig.queue, 0);
        calls.refuse = n;
        calls.cause = ENOMEM;
        rig.backend->wait(rig.queue, records, ROOM, 0);
        ck_assert(shows(port));
        calls.refuse = 0;
        rig.backend->wait(rig.queue, records, ROOM, 0);
        ck_assert(shows(port));
        rig_close(&rig);
    }
}
END_TEST

static void add_bad_days(TCase *tests)
{
    tcase_add_test(tests, what_comes_with_etime_is_told);
    tcase_add_test(tests, what_comes_with_eintr_is_told);
    tcase_add_test(tests, eintr_alone_is_nothing);
    tcase_add_test(tests, what_came_with_a_signal_is_told);
    tcase_add_test(tests, a_mask_is_whole);
    tcase_add_test(tests, an_end_is_whole_in_a_sleep);
    tcase_add_test(tests, what_is_over_is_not_told);
    tcase_add_test(tests, a_oneshot_is_not_spent_on_what_is_over);
    tcase_add_test(tests, a_doubt_that_stays_is_told);
    tcase_add_test(tests, everybody_has_a_turn_whatever_the_order);
    tcase_add_test(tests, who_is_changed_all_the_time_has_a_turn);
    tcase_add_test(tests, nobody_is_told_twice_where_a_round_ends);
    tcase_add_test(tests, who_came_again_is_behind_who_waited);
    tcase_add_test(tests, who_was_reported_and_closed_is_gone_once);
    tcase_add_test(tests, everybody_who_is_gone_is_told_once);
    tcase_add_test(tests, a_reported_number_that_came_back_is_noticed);
    tcase_add_test(tests, the_same_file_at_its_old_number_is_new);
    tcase_add_test(tests, who_cannot_be_armed_again_waits_for_memory);
    tcase_add_test(tests, who_waits_for_memory_keeps_nobody_waiting);
    tcase_add_test(tests, a_foreign_event_is_not_told);
    tcase_add_test(tests, what_was_not_asked_for_is_not_told);
}

static void add_costs(TCase *tests)
{
    tcase_add_test(tests, a_batch_costs_one_wait_and_who_was_reported);
    tcase_add_test(tests, a_batch_of_what_fired_earlier_costs_one_more);
    tcase_add_test(tests, a_full_batch_costs_one_more_wait_each_round);
    tcase_add_test(tests, a_change_after_a_report_costs_nothing);
}

static void add_ports(TCase *tests)
{
    tcase_add_test(tests, a_full_port_can_be_woken);
    tcase_add_test(tests, a_refused_wake_is_sent_again);
    tcase_add_test(tests, a_wake_where_a_round_ends_ends_the_sleep);
    tcase_add_test(tests, wakes_take_one_place);
    tcase_add_test(tests, who_is_removed_takes_no_place);
    tcase_add_test(tests, a_child_leaves_its_parents_port_alone);
    tcase_add_test(tests, who_is_not_renewed_is_silent);
    tcase_add_test(tests, who_was_renewed_in_vain_is_where_he_was);
    tcase_add_test(tests, what_rang_is_taken_back);
    tcase_add_test(tests, a_lowered_wake_takes_nobody_along);
    tcase_add_test(tests, a_wake_that_was_taken_still_shows);
    tcase_add_test(tests, a_bell_does_not_end_a_sleep);
    tcase_add_test(tests, a_change_shows_at_once);
    tcase_add_test(tests, what_could_not_be_shown_is_shown_otherwise);
    tcase_add_test(tests, a_bell_that_cannot_be_hung_is_replaced);
}

Suite *event_ports_suite(void)
{
    Suite *suite = suite_create("event_ports");
    TCase *tests = tcase_create("event_ports");
    tcase_add_checked_fixture(tests, use, NULL);
    add_bad_days(tests);
    add_ports(tests);
    if (PLX__BATCH > 1) /* else all batches are full */
        add_costs(tests);
    suite_add_tcase(suite, tests);
    return suite;
}
