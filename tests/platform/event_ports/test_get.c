/* SPDX-License-Identifier: MIT */
/* test_get.c: port_get() and port_getn(): numbers, times and signals. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit.h"

static struct timespec at_once = {0, 0};
static struct timespec short_time = {0, 2000000};

/* port_getn(3C): the desired number is a minimum, `max` the room. */
static bool more_than_the_desired_number_is_given(void)
{
    int port = new_port();
    port_event_t events[4];
    uint_t count = 1;
    for (int i = 1; i <= 3; i++)
        port_send(port, i, NULL);
    CHECK(port_getn(port, events, 2, &count, NULL) == 0 && count == 2);
    count = 1;
    CHECK(port_getn(port, events, 4, &count, NULL) == 0 && count == 1);
    CHECK(events[0].portev_events == 3);
    return true;
}

/* port_send_event(): at the end of the queue, whatever the source. */
static bool events_come_in_their_order(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t events[4];
    port_send(port, 1, NULL);
    put(pipe.there, "x");
    associate(port, pipe.here, POLLIN);
    port_send(port, 2, NULL);
    CHECK(ask(port, events, 4) == 3);
    CHECK(events[0].portev_events == 1 && events[0].portev_source == PORT_SOURCE_USER);
    CHECK(events[1].portev_source == PORT_SOURCE_FD);
    CHECK(events[2].portev_events == 2);
    return true;
}

/* port_getn() of libc writes the number, and says ETIME then: events may come with it. */
static bool late_call_gives_what_there_is_with_etime(void)
{
    int port = new_port();
    port_event_t events[4];
    uint_t count = 3;
    port_send(port, 1, NULL);
    port_send(port, 2, NULL);
    errno = 0;
    CHECK(port_getn(port, events, 4, &count, &short_time) == -1 && errno == ETIME);
    CHECK(count == 2 && events[1].portev_events == 2);
    CHECK(ask(port, events, 4) == 0);
    return true;
}

static bool late_call_without_events_says_so_in_the_number(void)
{
    int port = new_port();
    port_event_t event;
    uint_t count = 1;
    errno = 0;
    CHECK(port_getn(port, &event, 1, &count, &short_time) == -1 && errno == ETIME);
    CHECK(count == 0);
    return true;
}

/* PORTGET_ONE in port_getn(): a late port_get() has nothing. */
static bool late_port_get_gives_nothing(void)
{
    int port = new_port();
    port_event_t event;
    errno = 0;
    CHECK(port_get(port, &event, &short_time) == -1 && errno == ETIME);
    return true;
}

/* port_get_timeout(), `blocking`: a time of zero is success, without ETIME. */
static bool time_of_zero_is_success_without_events(void)
{
    int port = new_port();
    port_event_t event;
    uint_t count = 1;
    CHECK(port_getn(port, &event, 1, &count, &at_once) == 0 && count == 0);
    return true;
}

/* The same of port_get(), which cannot say that it has nothing: it has to be asked beforehand. */
static bool port_get_at_once_succeeds_with_nothing(void)
{
    int port = new_port();
    port_event_t event = {.portev_source = 77};
    CHECK(port_get(port, &event, &at_once) == 0 && event.portev_source == 77);
    return true;
}

/* A time of zero takes less than was desired. */
static bool time_of_zero_gives_less_than_desired(void)
{
    int port = new_port();
    port_event_t events[4];
    uint_t count = 3;
    port_send(port, 1, NULL);
    CHECK(port_getn(port, events, 4, &count, &at_once) == 0 && count == 1);
    return true;
}

/* port_getn(3C): without room, the number that is there. */
static bool no_room_asks_for_the_number(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t events[4];
    uint_t count = 17;
    associate(port, pipe.here, POLLIN);
    put(pipe.there, "x");
    port_send(port, 1, NULL);
    CHECK(port_getn(port, NULL, 0, &count, NULL) == 0 && count == 2);
    CHECK(ask(port, events, 4) == 2);
    return true;
}

/* port_getn(): nothing is desired, nothing is given, though there is something. */
static bool desired_number_of_zero_gives_nothing(void)
{
    int port = new_port();
    port_event_t event;
    uint_t count = 0;
    port_send(port, 1, NULL);
    CHECK(port_getn(port, &event, 1, &count, NULL) == 0 && count == 0);
    CHECK(ask(port, &event, 1) == 1);
    return true;
}

/* port_getn(3C), EINVAL and EFAULT; the number is left alone. */
static bool impossible_arguments_are_refused(void)
{
    int port = new_port();
    port_event_t events[2];
    uint_t count = 3;
    CHECK(port_getn(port, events, 2, &count, NULL) == -1 && errno == EINVAL && count == 3);
    CHECK(port_getn(port, events, 2, NULL, NULL) == -1 && errno == EINVAL);
    count = 1;
    CHECK(port_getn(port, NULL, 1, &count, NULL) == -1 && errno == EFAULT && count == 1);
    CHECK(port_get(port, NULL, NULL) == -1 && errno == EFAULT);
    return true;
}

/* port_getn() looks at the time when it has to wait. */
static bool bad_times_are_refused_where_they_count(void)
{
    struct timespec bad[] = {{-1, 0}, {0, -1}, {0, 1000000000}};
    int port = new_port();
    port_event_t event;
    for (int i = 0; i < 3; i++) {
        uint_t count = 1;
        CHECK(port_getn(port, &event, 1, &count, &bad[i]) == -1 && errno == EINVAL && count == 1);
        port_send(port, 1, NULL);
        CHECK(port_getn(port, &event, 1, &count, &bad[i]) == 0 && count == 1);
    }
    return true;
}

/* port_copy_event() leaves portev_pad as it was in the kernel's memory. */
static bool pad_is_what_it_is(void)
{
    int port = new_port();
    port_event_t event = {0};
    port_send(port, 1, NULL);
    CHECK(ask(port, &event, 1) == 1 && event.portev_pad != 0);
    return true;
}

static bool sleep_is_not_short(void)
{
    int port = new_port();
    struct timespec before, after;
    port_event_t event;
    clock_gettime(CLOCK_MONOTONIC, &before);
    CHECK(port_get(port, &event, &short_time) == -1 && errno == ETIME);
    clock_gettime(CLOCK_MONOTONIC, &after);
    CHECK((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec >= 2000000);
    return true;
}

/* A time that exceeds the clock must not overflow. */
static bool endless_time_ends_with_an_event(void)
{
    struct timespec endless = {LONG_MAX, 999999999};
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t event;
    associate(port, pipe.here, POLLIN);
    pid_t writer = fork();
    if (writer == 0)
        _exit(write(pipe.there, "x", 1) == 1 ? 0 : 1);
    int result = port_get(port, &event, &endless);
    waitpid(writer, NULL, 0);
    CHECK(result == 0 && event.portev_object == (uintptr_t)pipe.here);
    return true;
}

/* --- Signals --- */

static int handled_port;
static atomic_int handled;

static void send_from_handler(int number)
{
    (void)number;
    int cause = errno;
    if (handled_port >= 0)
        port_send(handled_port, 1, NULL);
    errno = cause;
    atomic_fetch_add(&handled, 1);
}

/* Signals `target` until it is told that it was enough: a signal may come before a sleep begins. */
struct caller {
    pthread_t target;
    pthread_t thread;
    atomic_bool is_enough;
};

static void *call_up(void *argument)
{
    struct caller *caller = argument;
    const struct timespec pause = {0, 200000};
    while (!atomic_load(&caller->is_enough)) {
        pthread_kill(caller->target, SIGUSR1);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static bool start_calls(struct caller *caller, int port)
{
    struct sigaction action = {.sa_handler = send_from_handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    handled_port = port;
    atomic_store(&handled, 0);
    sigaction(SIGUSR1, &action, NULL);
    caller->target = pthread_self();
    atomic_init(&caller->is_enough, false);
    return pthread_create(&caller->thread, NULL, call_up, caller) == 0;
}

static void end_calls(struct caller *caller)
{
    atomic_store(&caller->is_enough, true);
    pthread_join(caller->thread, NULL);
    signal(SIGUSR1, SIG_DFL);
    handled_port = -1;
}

/* port_getn(3C), EINTR, with SA_RESTART as well. libc leaves *nget alone: it still says 2, with
   one event in the queue and none in the list. */
static bool signal_ends_a_sleep_and_leaves_the_number_alone(void)
{
    int port = new_port();
    port_event_t events[2] = {{.portev_source = 77}, {.portev_source = 77}};
    struct caller caller;
    uint_t count = 2;
    port_send(port, 1, NULL);
    CHECK(start_calls(&caller, -1));
    int result = port_getn(port, events, 2, &count, NULL);
    int cause = errno;
    end_calls(&caller);
    CHECK(result == -1 && cause == EINTR && count == 2 && events[0].portev_source == 77);
    CHECK(ask(port, events, 2) == 1);
    return true;
}

/* EINTR is for sleeps: what has fired is given although a signal came. */
static bool events_are_not_lost_to_a_signal(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t event;
    struct caller caller;
    bool holds = true;
    put(pipe.there, "x");
    CHECK(start_calls(&caller, -1));
    while (holds && atomic_load(&handled) < 20)
        holds = associate(port, pipe.here, POLLIN) == 0 && port_get(port, &event, NULL) == 0;
    end_calls(&caller);
    CHECK(holds);
    return true;
}

/* port_send(3C): async-signal-safe. */
static bool handlers_may_send(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t events[64];
    struct caller caller;
    int sent = 0;
    CHECK(start_calls(&caller, port));
    while (atomic_load(&handled) < 100) {
        associate(port, pipe.here, POLLIN);
        sent += ask(port, events, 64);
        dissociate(port, pipe.here);
    }
    end_calls(&caller);
    for (int more = 1; more > 0; sent += more)
        more = ask(port, events, 64);
    CHECK_SAY(sent == atomic_load(&handled), "%d of %d", sent, atomic_load(&handled));
    return true;
}

const struct fact facts_of_getting[] = {
    FACT(more_than_the_desired_number_is_given),
    FACT(events_come_in_their_order),
    FACT(late_call_gives_what_there_is_with_etime),
    FACT(late_call_without_events_says_so_in_the_number),
    FACT(late_port_get_gives_nothing),
    FACT(time_of_zero_is_success_without_events),
    FACT(port_get_at_once_succeeds_with_nothing),
    FACT(time_of_zero_gives_less_than_desired),
    FACT(no_room_asks_for_the_number),
    FACT(desired_number_of_zero_gives_nothing),
    FACT(impossible_arguments_are_refused),
    FACT(bad_times_are_refused_where_they_count),
    FACT(pad_is_what_it_is),
    FACT(sleep_is_not_short),
    FACT(endless_time_ends_with_an_event),
    FACT(signal_ends_a_sleep_and_leaves_the_number_alone),
    FACT(events_are_not_lost_to_a_signal),
    FACT(handlers_may_send),
    FACTS_END,
};
