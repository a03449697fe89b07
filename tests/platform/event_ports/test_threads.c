/* SPDX-License-Identifier: MIT */
/* test_threads.c: who sleeps in a port, and what wakes him. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "kit.h"

/* Sleeps for ever where nobody wakes it: the time limit of the test says so. */
struct sleeper {
    int port;
    uint_t count; /* wanted, and got */
    int result;
    int cause;
    port_event_t events[4];
    pthread_t thread;
};

static void *sleep_in(void *argument)
{
    struct sleeper *sleeper = argument;
    sleeper->result = port_getn(sleeper->port, sleeper->events, 4, &sleeper->count, NULL);
    sleeper->cause = errno;
    return NULL;
}

/* Returns when it sleeps. */
static bool put_to_sleep(struct sleeper *sleeper)
{
    unsigned long before = port_shim_counts().sleeps;
    if (pthread_create(&sleeper->thread, NULL, sleep_in, sleeper) != 0)
        return false;
    while (port_shim_counts().sleeps == before)
        sched_yield();
    return true;
}

static bool woke(struct sleeper *sleeper, uint_t count)
{
    pthread_join(sleeper->thread, NULL);
    return sleeper->result == 0 && sleeper->count == count;
}

static bool send_ends_a_sleep_of_another_thread(void)
{
    struct sleeper sleeper = {.port = new_port(), .count = 1};
    CHECK(put_to_sleep(&sleeper));
    port_send(sleeper.port, 3, NULL);
    CHECK(woke(&sleeper, 1) && sleeper.events[0].portev_events == 3);
    return true;
}

static bool descriptor_ends_a_sleep(void)
{
    struct sleeper sleeper = {.port = new_port(), .count = 1};
    struct pair pipe = new_pipe();
    associate(sleeper.port, pipe.here, POLLIN);
    CHECK(put_to_sleep(&sleeper));
    put(pipe.there, "x");
    CHECK(woke(&sleeper, 1) && sleeper.events[0].portev_object == (uintptr_t)pipe.here);
    return true;
}

static bool association_counts_for_a_sleep_that_has_begun(void)
{
    struct sleeper sleeper = {.port = new_port(), .count = 1};
    struct pair ready = new_pipe(), later = new_pipe();
    put(ready.there, "x");
    CHECK(put_to_sleep(&sleeper));
    associate(sleeper.port, ready.here, POLLIN);
    CHECK(woke(&sleeper, 1) && sleeper.events[0].portev_object == (uintptr_t)ready.here);
    sleeper.count = 1;
    CHECK(put_to_sleep(&sleeper));
    associate(sleeper.port, later.here, POLLIN);
    put(later.there, "x");
    CHECK(woke(&sleeper, 1) && sleeper.events[0].portev_object == (uintptr_t)later.here);
    return true;
}

/* port_getn(3C): until the desired number is there. */
static bool sleep_lasts_until_there_is_enough(void)
{
    struct sleeper sleeper = {.port = new_port(), .count = 3};
    struct pair pipe = new_pipe();
    associate(sleeper.port, pipe.here, POLLIN);
    CHECK(put_to_sleep(&sleeper));
    port_send(sleeper.port, 1, NULL);
    put(pipe.there, "x");
    port_send(sleeper.port, 2, NULL);
    CHECK(woke(&sleeper, 3));
    return true;
}

/* port_getn(3C), port_queue_thread(): who wants least is first. */
static bool who_wants_less_is_served_first(void)
{
    struct sleeper many = {.port = new_port(), .count = 2}, one = {.count = 1};
    one.port = many.port;
    CHECK(put_to_sleep(&many) && put_to_sleep(&one));
    port_send(many.port, 1, NULL);
    CHECK(woke(&one, 1));
    port_send(many.port, 2, NULL);
    port_send(many.port, 3, NULL);
    CHECK(woke(&many, 2) && many.events[0].portev_events == 2);
    return true;
}

/* Whoever runs first: there is enough for the other one, and it is not for him. */
static bool who_wants_more_takes_nothing_before_the_first(void)
{
    struct sleeper many = {.port = new_port()}, one = {.port = many.port};
    for (int i = 0; i < 50; i++) {
        many.count = 2;
        one.count = 1;
        CHECK(put_to_sleep(&many) && put_to_sleep(&one));
        port_send(many.port, 1, NULL);
        port_send(many.port, 2, NULL);
        pthread_join(one.thread, NULL);
        CHECK(one.count >= 1 && one.events[0].portev_events == 1);
        port_send(many.port, 3, NULL);
        port_send(many.port, 4, NULL);
        pthread_join(many.thread, NULL);
        CHECK(many.count + one.count >= 3);
        port_event_t rest[4];
        ask(many.port, rest, 4);
    }
    return true;
}

/* One event is for one thread. */
static bool two_sleepers_get_an_event_each(void)
{
    struct sleeper sleepers[2] = {{.port = new_port(), .count = 1}, {.count = 1}};
    struct pair pipe = new_pipe();
    sleepers[1].port = sleepers[0].port;
    associate(sleepers[0].port, pipe.here, POLLIN);
    for (int i = 0; i < 2; i++)
        CHECK(put_to_sleep(&sleepers[i]));
    put(pipe.there, "x");
    while (port_shim_associated(sleepers[0].port) > 0)
        sched_yield();
    port_send(sleepers[0].port, 1, NULL);
    CHECK(woke(&sleepers[0], 1) && woke(&sleepers[1], 1));
    CHECK(sleepers[0].events[0].portev_source != sleepers[1].events[0].portev_source);
    return true;
}

/* port_alert(3C): all of them, with one event each, however much they want. */
static bool alert_wakes_everybody(void)
{
    struct sleeper sleepers[2] = {{.port = new_port(), .count = 1}, {.count = 3}};
    sleepers[1].port = sleepers[0].port;
    for (int i = 0; i < 2; i++)
        CHECK(put_to_sleep(&sleepers[i]));
    port_alert(sleepers[0].port, PORT_ALERT_SET, 8, NULL);
    port_alert(sleepers[0].port, 0, 0, NULL); /* it stays theirs */
    for (int i = 0; i < 2; i++) {
        CHECK(woke(&sleepers[i], 1));
        CHECK(sleepers[i].events[0].portev_source == PORT_SOURCE_ALERT);
        CHECK(sleepers[i].events[0].portev_events == 8);
    }
    return true;
}

/* port_close(), PORTQ_CLOSE: EBADFD, not EBADF. */
static bool close_ends_a_sleep(void)
{
    struct sleeper sleepers[2] = {{.port = new_port(), .count = 1}, {.count = 2}};
    struct pair pipe = new_pipe();
    sleepers[1].port = sleepers[0].port;
    associate(sleepers[0].port, pipe.here, POLLIN);
    for (int i = 0; i < 2; i++)
        CHECK(put_to_sleep(&sleepers[i]));
    drop(sleepers[0].port);
    for (int i = 0; i < 2; i++) {
        pthread_join(sleepers[i].thread, NULL);
        CHECK(sleepers[i].result == -1 && sleepers[i].cause == EBADFD);
        CHECK(sleepers[i].count == (uint_t)i + 1);
    }
    return true;
}

static bool sleepers_leave_nothing_open(void)
{
    struct numbers before = next_numbers();
    struct sleeper sleepers[3] = {{.port = new_port(), .count = 1}, {.count = 1}, {.count = 1}};
    for (int i = 0; i < 3; i++) {
        sleepers[i].port = sleepers[0].port;
        CHECK(put_to_sleep(&sleepers[i]));
    }
    port_alert(sleepers[0].port, PORT_ALERT_SET, 1, NULL);
    for (int i = 0; i < 3; i++)
        CHECK(woke(&sleepers[i], 1));
    drop(sleepers[0].port);
    CHECK(are_next(before));
    return true;
}

static void *change_all_the_time(void *argument)
{
    const struct sleeper *sleeper = argument;
    for (int i = 0; i < 300; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
            break;
        associate(sleeper->port, ends[0], POLLIN);
        associate(sleeper->port, ends[1], POLLOUT);
        if (i & 1)
            dissociate(sleeper->port, ends[1]);
        close(ends[0]);
        close(ends[1]);
    }
    port_send(sleeper->port, 1, NULL);
    return NULL;
}

static bool others_may_change_while_one_waits(void)
{
    struct sleeper sleeper = {.port = new_port()};
    port_event_t event;
    CHECK(pthread_create(&sleeper.thread, NULL, change_all_the_time, &sleeper) == 0);
    bool is_good;
    do {
        is_good = await(sleeper.port, &event);
    } while (is_good && event.portev_source == PORT_SOURCE_FD);
    pthread_join(sleeper.thread, NULL);
    CHECK(is_good);
    CHECK(port_shim_kept(sleeper.port) == 0);
    return true;
}

const struct fact facts_of_threads[] = {
    FACT(send_ends_a_sleep_of_another_thread),
    FACT(descriptor_ends_a_sleep),
    FACT(association_counts_for_a_sleep_that_has_begun),
    FACT(sleep_lasts_until_there_is_enough),
    FACT(who_wants_less_is_served_first),
    FACT(who_wants_more_takes_nothing_before_the_first),
    FACT(two_sleepers_get_an_event_each),
    FACT(alert_wakes_everybody),
    FACT(close_ends_a_sleep),
    FACT(sleepers_leave_nothing_open),
    FACT(others_may_change_while_one_waits),
    FACTS_END,
};
