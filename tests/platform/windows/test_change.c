/* SPDX-License-Identifier: MIT */
/* test_change.c: open, add, modify and remove, and what is left after each. */
#include "rig.h"

#define CALLS_OF_AN_OPEN 64 /* more than there are */

/* Each call in turn says no, until the queue opens. The first two make the sockets. */
void b2_an_open_that_is_refused_leaves_nothing_behind(struct rig *rig)
{
    size_t before = open_descriptors();
    uint32_t failures = 0;
    int code;

    do {
        kernel.refuse = ++failures;
        kernel.cause = WSAEMFILE;
        code = rig_open_queue(rig, 8);
        if (code < 0) {
            CHECK(code == (failures <= 2 ? PLX_ERR_TOOBIG : PLX_ERR_SYSTEM) ||
                  code == PLX_ERR_TOOBIG);
            CHECK_EQUAL(rig->allocated, 0);
            CHECK_EQUAL(open_descriptors(), before);
        }
    } while (code < 0 && failures < CALLS_OF_AN_OPEN);
    kernel.refuse = 0;
    CHECK_OK(code);
    CHECK(failures > 5);
    CHECK(open_descriptors() > before);
    rig->backend->close(rig->queue);
    rig->queue = NULL;
    CHECK_EQUAL(open_descriptors(), before);
}

void b2_an_open_without_memory_leaves_nothing_behind(struct rig *rig)
{
    size_t before = open_descriptors();
    uint32_t failures = 0;
    int code;

    do {
        rig->refuse = ++failures;
        code = rig_open_queue(rig, 8);
        if (code < 0) {
            CHECK_CODE(code, PLX_ERR_NOMEM);
            CHECK_EQUAL(rig->allocated, 0);
            CHECK_EQUAL(open_descriptors(), before);
        }
    } while (code < 0);
    CHECK(failures > 2);
    rig->refuse = 0;
}

static void expect_readable(struct rig *rig, struct plx__target *target)
{
    CHECK_EVENTS(rig_facts(rig, target), PLX_READ);
}

void b2_a_refused_add_leaves_nothing_behind(struct rig *rig)
{
    struct ends ends = stream_pair(rig->scene);
    struct plx__record records[ROOM];
    struct plx__target *target;

    rig_queue(rig, 0);
    say(&ends);
    target = rig_target(rig, ends.here);
    kernel.refuse = 1;
    kernel.cause = WSAENOBUFS;
    CHECK_CODE(rig->backend->add(rig->queue, target, PLX_READ), PLX_ERR_NOMEM);
    CHECK_EQUAL(rig_wait(rig, records, ROOM, 0), 0);
    CHECK_EQUAL(kernel.count, 1);
    CHECK_OK(rig->backend->add(rig->queue, target, PLX_READ));
    expect_readable(rig, target);
    CHECK(rig->backend->remove(rig->queue, target));
}

/* Adds until the arrays have grown a few times, and refuses the memory for each in turn. */
void b2_an_add_without_memory_leaves_nothing_behind(struct rig *rig)
{
    enum { COUNT = 200 };
    struct ends ends = stream_pair(rig->scene);
    uint32_t failures = 0;

    rig_queue(rig, 0);
    say(&ends);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct plx__target *target = rig_target(rig, duplicate(rig->scene, ends.here));
        int code;

        rig->refuse = 1 + i % 2;
        code = rig->backend->add(rig->queue, target, PLX_READ);
        rig->refuse = 0;
        if (code < 0) {
            failures++;
            CHECK_CODE(code, PLX_ERR_NOMEM);
            CHECK_OK(rig->backend->add(rig->queue, target, PLX_READ));
        }
        expect_readable(rig, target);
        rig_modify(rig, target, PLX_READ, PLX__SILENT);
    }
    CHECK(failures >= 2);
}

void b9_nothing_allocates_but_open_and_add(struct rig *rig)
{
    struct ends ends = stream_pair(rig->scene);
    struct plx__record records[ROOM];
    struct plx__target *target;
    uint32_t before;

    rig_queue(rig, 0);
    say(&ends);
    target = rig_add(rig, ends.here, PLX_READ);
    before = rig->allocations;
    for (int i = 0; i < 100; i++) {
        expect_readable(rig, target);
        rig_modify(rig, target, PLX_READ, PLX_WRITE | PLX_ONESHOT);
        CHECK_EQUAL(rig_wait(rig, records, ROOM, 0), 1);
        rig_modify(rig, target, PLX__SILENT, PLX_READ);
        rig->backend->wake(rig->queue);
        rig->backend->look(rig->queue, target, PLX_READ);
        CHECK_OK(rig->backend->holds(rig->queue, target));
    }
    CHECK(rig->backend->remove(rig->queue, target));
    CHECK_EQUAL(rig->allocations, before);
}

void b9_what_fits_needs_no_allocation(struct rig *rig)
{
    enum { COUNT = 50 };
    struct ends ends = stream_pair(rig->scene);
    uint32_t before;

    rig_queue(rig, COUNT);
    before = rig->allocations;
    for (int i = 0; i < COUNT; i++)
        rig_add(rig, duplicate(rig->scene, ends.here), PLX_READ);
    CHECK_EQUAL(rig->allocations, before);
}

static void expect_calls(const char *what, uint32_t most)
{
    if (kernel.calls > most)
        check_failed(__FILE__, __LINE__, "%s takes %u calls, not %u", what, (unsigned)kernel.calls,
                     (unsigned)most);
    kernel.calls = 0;
}

void b10_what_each_change_costs(struct rig *rig)
{
    struct ends ends = stream_pair(rig->scene);
    struct plx__record records[ROOM];
    struct plx__target *target;

    rig_queue(rig, 8);
    say(&ends);
    kernel.calls = 0;
    target = rig_add(rig, ends.here, PLX_READ);
    expect_calls("an add", 1);
    rig_modify(rig, target, PLX_READ, PLX_READ | PLX_ONESHOT);
    expect_calls("a modify", 1);
    CHECK_EQUAL(rig_wait(rig, records, ROOM, 0), 1);
    expect_calls("a wait", 1);
    rig_modify(rig, target, PLX__SILENT, PLX_READ);
    expect_calls("arming it again", 1);
    rig->backend->look(rig->queue, target, PLX_READ);
    expect_calls("a look", 1);
    rig->backend->wake(rig->queue);
    expect_calls("a wake", 1);
    CHECK_EQUAL(rig_wait(rig, records, ROOM, 0), 1);
    expect_calls("a wait that was woken", 2);
    rig->backend->remove(rig->queue, target);
    expect_calls("a remove", 0);
}

void b11_a_oneshot_is_silent_after_its_record(struct rig *rig)
{
    struct ends ends = stream_pair(rig->scene);
    struct plx__target *target;

    rig_queue(rig, 8);
    say(&ends);
    target = rig_add(rig, ends.here, PLX_READ | PLX_WRITE | PLX_ONESHOT);
    CHECK_EVENTS(rig_facts(rig, target), PLX_READ | PLX_WRITE);
    CHECK_EVENTS(rig_facts(rig, target), 0);
    CHECK_EQUAL(kernel.count, 1);
}

void b11_a_fired_oneshot_does_not_hear_a_hang_up(struct rig *rig)
{
    struct ends ends = stream_pair(rig->scene);
    struct plx__target *target;

    rig_queue(rig, 8);
    target = rig_add(rig, ends.here, PLX_WRITE | PLX_ONESHOT);
    CHECK_EVENTS(rig_facts(rig, target), PLX_WRITE);
    there_resets(rig->scene, &ends);
    CHECK_EVENTS(rig_facts(rig, target), 0);
    rig_modify(rig, target, PLX__SILENT, PLX_ONESHOT);
    CHECK(rig_facts(rig, target) & PLX_ERROR);
    CHECK_EVENTS(rig_facts(rig, target), 0);
}

void b11_what_has_fired_can_be_armed_at_once(struct rig *rig)
{
    struct ends ends = stream_pair(rig->scene);
    struct plx__target *target;

    rig_queue(rig, 8);
    say(&ends);
    target = rig_add(rig, ends.here, PLX_READ | PLX_ONESHOT);
    for (int i = 0; i < 5; i++) {
        CHECK_EVENTS(rig_facts(rig, target), PLX_READ);
        rig_modify(rig, target, PLX__SILENT, PLX_READ | PLX_ONESHOT);
    }
}

void b11_silent_is_silent(struct rig *rig)
{
    struct ends ends = stream_pair(rig->scene);
    struct plx__target *target;

    rig_queue(rig, 8);
    target = rig_add(rig, ends.here, PLX__SILENT);
    say(&ends);
    CHECK_EVENTS(rig_facts(rig, target), 0);
    there_resets(rig->scene, &ends);
    CHECK_EVENTS(rig_facts(rig, target), 0);
}

void b11_gone_is_told_once(struct rig *rig)
{
    struct ends ends = stream_pair(rig->scene);
    struct plx__target *target;

    rig_queue(rig, 8);
    target = rig_add(rig, ends.here, PLX_READ);
    close_descriptor(rig->scene, ends.here);
    CHECK_CODE(rig->backend->holds(rig->queue, target), PLX_ERR_BADHANDLE);
    CHECK_EVENTS(rig_facts(rig, target), PLX__GONE);
    CHECK_EVENTS(rig_facts(rig, target), 0);
    rig->backend->remove(rig->queue, target);
}

void look_takes_nothing(struct rig *rig)
{
    struct ends ends = stream_pair(rig->scene);
    struct plx__target *target;

    rig_queue(rig, 8);
    target = rig_add(rig, ends.here, PLX_READ | PLX_ONESHOT);
    CHECK_EVENTS(rig->backend->look(rig->queue, target, PLX_READ), 0);
    CHECK_EVENTS(rig->backend->look(rig->queue, target, PLX_READ | PLX_WRITE), PLX_WRITE);
    say(&ends);
    for (int i = 0; i < 3; i++)
        CHECK_EVENTS(rig->backend->look(rig->queue, target, PLX_READ), PLX_READ);
    CHECK_EVENTS(rig_facts(rig, target), PLX_READ);
    close_descriptor(rig->scene, ends.here);
    CHECK_EVENTS(rig->backend->look(rig->queue, target, PLX_READ), PLX__GONE);
}
