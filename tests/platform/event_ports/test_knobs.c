/* SPDX-License-Identifier: MIT */
/* test_knobs.c: what a kernel does seldom, on demand; and the counts. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit.h"

static struct timespec long_time = {20, 0};

/* pollwakeup() tells what woke it; port_associate_fd() tells all. */
static bool one_bit_is_for_events_that_come_later(void)
{
    struct port_traits traits = port_shim_illumos;
    int port = new_port(), seen = 0;
    struct pair pair = new_unix_pair();
    port_event_t event;
    traits.one_bit = true;
    port_shim_play(&traits);
    for (int i = 0; i < 2; i++) {
        fill(pair.here);
        empty(pair.here);
        CHECK(associate(port, pair.here, POLLIN | POLLOUT) == 0);
        put(pair.there, "x");
        empty(pair.there);
        CHECK(ask(port, &event, 1) == 1);
        seen |= event.portev_events;
        CHECK(event.portev_events == POLLIN || event.portev_events == POLLOUT);
    }
    CHECK(seen == (POLLIN | POLLOUT));
    CHECK(associate(port, pair.here, POLLIN | POLLOUT) == 0);
    CHECK(is_told(port, pair.here, POLLIN | POLLOUT));
    return true;
}

static void send_three(int port)
{
    for (int i = 1; i <= 3; i++)
        port_send(port, i, NULL);
}

static bool order_can_be_reversed_and_shuffled(void)
{
    struct port_traits traits = port_shim_illumos;
    int port = new_port();
    bool is_mixed = false;
    port_event_t events[3];
    traits.order = PORT_REVERSED;
    port_shim_play(&traits);
    send_three(port);
    CHECK(ask(port, events, 3) == 3);
    CHECK(events[0].portev_events == 3 && events[2].portev_events == 1);
    traits.order = PORT_SHUFFLED;
    traits.seed = 7;
    port_shim_play(&traits);
    for (int i = 0; i < 20; i++) {
        send_three(port);
        CHECK(ask(port, events, 3) == 3);
        is_mixed |= events[0].portev_events == 2;
        CHECK(events[0].portev_events + events[1].portev_events + events[2].portev_events == 6);
    }
    CHECK(is_mixed);
    return true;
}

/* In a kernel: the event came when the time was over and the queue not locked yet. */
static bool etime_comes_with_all_events_on_demand(void)
{
    struct port_traits traits = port_shim_illumos;
    int port = new_port();
    port_event_t events[3];
    uint_t count = 1;
    traits.etime_every = 2;
    port_shim_play(&traits);
    int late = 0;
    for (int i = 0; i < 4; i++, count = 1) {
        send_three(port);
        int result = port_getn(port, events, 3, &count, &long_time);
        CHECK(count == 3 && (result == 0 || errno == ETIME));
        late += result < 0;
    }
    CHECK(late == 2);
    send_three(port);
    CHECK(ask(port, events, 3) == 3); /* who does not sleep is not late */
    traits.etime_every = 1;
    port_shim_play(&traits);
    port_send(port, 1, NULL);
    CHECK(port_get(port, events, &long_time) == 0); /* nor is port_get() */
    return true;
}

static bool eintr_leaves_events_in_the_queue_on_demand(void)
{
    struct port_traits traits = port_shim_illumos;
    int port = new_port();
    port_event_t events[3] = {{.portev_source = 77}};
    uint_t count = 1;
    traits.eintr_every = 1;
    port_shim_play(&traits);
    send_three(port);
    CHECK(port_getn(port, events, 3, &count, NULL) == -1 && errno == EINTR);
    CHECK(count == 1 && events[0].portev_source == 77);
    CHECK(port_get(port, events, &long_time) == -1 && errno == EINTR);
    CHECK(ask(port, events, 3) == 3);
    return true;
}

static bool eintr_gives_events_on_demand(void)
{
    struct port_traits traits = port_shim_illumos;
    int port = new_port();
    port_event_t events[3];
    uint_t count = 1;
    traits.eintr_every = 1;
    traits.eintr_gives = true;
    port_shim_play(&traits);
    send_three(port);
    CHECK(port_getn(port, events, 3, &count, NULL) == -1 && errno == EINTR && count == 3);
    CHECK(port_getn(port, events, 3, &count, NULL) == -1 && errno == EINTR && count == 0);
    return true;
}

/* cv_waituntil_sig(): when the clock was set, the time is over at once. */
static bool sleep_ends_early_when_the_clock_is_set(void)
{
    struct port_traits traits = port_shim_illumos;
    int port = new_port();
    port_event_t event;
    uint_t count = 1;
    traits.early_every = 1;
    port_shim_play(&traits);
    CHECK(port_getn(port, &event, 1, &count, &long_time) == -1 && errno == ETIME && count == 0);
    return true;
}

/* All of them together: who reads the answers as they are meant misses nothing. */
static bool hostile_port_loses_nothing(void)
{
    int port = new_port(), told = 0;
    port_event_t events[3];
    port_shim_play(&port_shim_hostile);
    for (int i = 0; i < 20; i++) {
        struct pair pipe = new_pipe();
        CHECK(associate(port, pipe.here, POLLIN) == 0);
        put(pipe.there, "x");
    }
    while (told < 20) {
        uint_t count = 1;
        int result = port_getn(port, events, 3, &count, &long_time);
        CHECK(result == 0 || errno == ETIME || errno == EINTR);
        if (result == 0 || errno == ETIME)
            told += (int)count;
    }
    CHECK(told == 20 && port_shim_associated(port) == 0);
    return true;
}

/* Solaris 11.4 has no POLLRDHUP. */
static bool solaris_tells_no_half_close(void)
{
    int port = new_port();
    struct pair pair = new_unix_pair();
    port_event_t event;
    port_shim_play(&port_shim_solaris);
    shutdown(pair.there, SHUT_WR);
    CHECK(associate(port, pair.here, POLLRDHUP) == 0);
    CHECK(ask(port, &event, 1) == 0);
    CHECK(associate(port, pair.here, POLLIN | POLLRDHUP) == 0);
    CHECK(is_told(port, pair.here, POLLIN));
    return true;
}

/* Not of a kernel: what the tests of costs stand on. */
static bool calls_are_counted(void)
{
    struct pair pipe = new_pipe();
    port_event_t events[2];
    port_shim_reset_counts();
    int port = new_port();
    put(pipe.there, "x");
    associate(port, pipe.here, POLLIN);
    port_send(port, 1, NULL);
    ask(port, events, 2);
    ask(port, events, 2);
    dissociate(port, pipe.here);
    port_alert(port, 0, 0, NULL);
    struct port_counts counts = port_shim_counts();
    CHECK(counts.associates == 1 && counts.dissociates == 1 && counts.gets == 2);
    CHECK(counts.sends == 1 && counts.others == 2 && counts.events == 2);
    CHECK(counts.sleeps == 0 && counts.foreign == 0);
    return true;
}

const struct fact facts_of_knobs[] = {
    FACT(one_bit_is_for_events_that_come_later),
    FACT(order_can_be_reversed_and_shuffled),
    FACT(etime_comes_with_all_events_on_demand),
    FACT(eintr_leaves_events_in_the_queue_on_demand),
    FACT(eintr_gives_events_on_demand),
    FACT(sleep_ends_early_when_the_clock_is_set),
    FACT(hostile_port_loses_nothing),
    FACT(solaris_tells_no_half_close),
    FACT(calls_are_counted),
    FACTS_END,
};
