/* SPDX-License-Identifier: MIT */
/*
 * calls_kqueue.c: the column of kqueue in the table of system calls, where that is played: what the
 * shim calls itself does not count.
 */
#include "calls_kqueue.h"

#include <sys/socket.h>
#include <unistd.h>

#include "backends/kqueue.h"
#include "desk.h"

/* --- Counting --- */

static struct plx__kqueue_calls real;

static int counted_create(void)
{
    desk_count(COUNT_CREATE);
    desk_pause();
    int queue = real.create();
    desk_go_on();
    return queue;
}

static int counted_kevent(int queue, const struct kevent *changes, int change_count,
                          struct kevent *events, int room, const struct timespec *timeout)
{
    bool is_look = timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
    desk_count(COUNT_KEVENT);
    if (room > 0 && !is_look)
        desk_before_sleep();
    desk_pause();
    int count = real.kevent(queue, changes, change_count, events, room, timeout);
    desk_go_on();
    return count;
}

static int counted_look(struct pollfd *entries, nfds_t count, int milliseconds)
{
    desk_count(COUNT_POLL);
    return real.look(entries, count, milliseconds);
}

void calls_kqueue_count(void)
{
    real = plx__kqueue_calls;
    plx__kqueue_calls.create = counted_create;
    plx__kqueue_calls.kevent = counted_kevent;
    plx__kqueue_calls.look = counted_look;
}

/* --- Cases --- */

#define COSTS_HERE(desk, operation, calls) COSTS_NAMED(desk, operation, #operation, calls, calls)
#define COSTS_A_WAIT(desk, operation)      COSTS_HERE(desk, operation, "kevent=1")

static plx_watcher *ready[ROOM];

static int look_for(struct desk *desk, int capacity, plx_duration timeout)
{
    int count = plx_context_wait(desk->context, ready, capacity, timeout);
    CHECK(count >= 0);
    return count;
}

static int add_again(struct desk *desk, int fd)
{
    return plx_context_add(desk->context, plx_fd(fd), PLX_READ, NULL, NULL);
}

/* One end of a socket pair that is ready for both, and the other one. */
static int socket_of(struct desk *desk, int *ret_peer)
{
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    *ret_peer = desk_keep(desk, ends[1]);
    CHECK(write(ends[1], "x", 1) == 1);
    return desk_keep(desk, ends[0]);
}

/* Both filters are made in one call. The other one asks which kind of file it is. */
static void add(struct desk *desk)
{
    int peer, fd = desk_event(desk, true);
    desk_open(desk, 0);
    COSTS_HERE(desk, desk_add(desk, fd, PLX_READ), "fstat=1 kevent=1");
    fd = socket_of(desk, &peer);
    COSTS_HERE(desk, desk_add(desk, fd, PLX_READ | PLX_WRITE), "fstat=1 kevent=1");
    COSTS_HERE(desk, CHECK_CODE(add_again(desk, fd), PLX_ERR_EXISTS), "fstat=1 kevent=1");
    COSTS_HERE(desk, CHECK_CODE(add_again(desk, 19999), PLX_ERR_BADHANDLE), "fstat=1");
    desk_close(desk);
}

/* What changes is told by the call that waits, however often it changed. */
static void modify(struct desk *desk)
{
    int peer;
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, socket_of(desk, &peer), PLX_READ);
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ)));
    COSTS_A_WAIT(desk, CHECK_EQUAL(desk_look(desk), 1));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_WRITE)));
    COSTS_A_WAIT(desk, CHECK_EQUAL(desk_look(desk), 1));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE)));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_RDHUP)));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_EDGE)));
    COSTS_A_WAIT(desk, CHECK_EQUAL(desk_look(desk), 1));
    COSTS_A_WAIT(desk, CHECK_EQUAL(desk_look(desk), 0));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_EDGE)));
    COSTS_A_WAIT(desk, CHECK_EQUAL(desk_look(desk), 1));
    desk_close(desk);
}

/* To fall silent and to be armed again travels with the waits. With two directions poll(2) is asked
   once whether the other is ready as well. */
static void oneshot(struct desk *desk)
{
    int peer;
    desk_open(desk, 0);
    int fd = socket_of(desk, &peer);
    plx_watcher *watcher = desk_add(desk, fd, PLX_READ | PLX_ONESHOT);
    COSTS_A_WAIT(desk, CHECK_EQUAL(desk_look(desk), 1));
    COSTS_A_WAIT(desk, CHECK_EQUAL(desk_look(desk), 0));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_ONESHOT)));
    COSTS_A_WAIT(desk, CHECK_EQUAL(desk_look(desk), 1));
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_WRITE | PLX_ONESHOT));
    COSTS_A_WAIT(desk, CHECK_EQUAL(desk_look(desk), 1));
    CHECK(read(fd, ready, 1) == 1);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_WRITE | PLX_ONESHOT));
    COSTS_HERE(desk, CHECK_EQUAL(desk_look(desk), 1), "poll=1 kevent=1");
    desk_close(desk);
}

static void remove_and_close(struct desk *desk)
{
    int peer;
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, socket_of(desk, &peer), PLX_READ | PLX_WRITE);
    int watched = dup(peer);
    desk_add(desk, watched, PLX_READ);
    COSTS_HERE(desk, CHECK_OK(plx_watcher_remove(watcher)), "kevent=1");
    COSTS_HERE(desk, CHECK_OK(plx_context_close(desk->context, watched)), "close=1 kevent=1");
    COSTS_A_WAIT(desk, CHECK_EQUAL(desk_look(desk), 0));
    desk_close(desk);
}

/* Files are outside, as on epoll: which file, and whether it is open. */
static void files(struct desk *desk)
{
    desk_open(desk, 0);
    int fd = desk_file(desk);
    plx_watcher *watcher = NULL;
    COSTS_HERE(desk, watcher = desk_add(desk, fd, PLX_READ), "fcntl=1 fstat=2");
    COSTS_HERE(desk, CHECK_EQUAL(desk_look(desk), 1), "fcntl=1 kevent=1");
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_remove(watcher)));
    desk_close(desk);
}

/* One call, and poll(2) once for all ends of a batch. */
static void batch(struct desk *desk)
{
    int peers[100];
    desk_open(desk, 0);
    for (int i = 0; i < 100; i++)
        desk_add(desk, socket_of(desk, &peers[i]), PLX_READ);
    COSTS_A_WAIT(desk, CHECK_EQUAL(look_for(desk, 1, 0), 1));
    COSTS_A_WAIT(desk, CHECK_EQUAL(look_for(desk, 100, 0), 100));
    COSTS_A_WAIT(desk, CHECK_EQUAL(look_for(desk, 1024, 0), 100));
    for (int i = 0; i < 100; i++)
        CHECK(shutdown(peers[i], SHUT_WR) == 0);
    COSTS_HERE(desk, CHECK_EQUAL(look_for(desk, 1024, 0), 100), "poll=1 kevent=1");
    desk_close(desk);
}

static void timeouts(struct desk *desk)
{
    desk_open(desk, 0);
    COSTS_A_WAIT(desk, CHECK_EQUAL(look_for(desk, 1, 0), 0));
    COSTS_HERE(desk, CHECK_EQUAL(look_for(desk, 1, PLX_MS(1)), 0), "clock=2 kevent=1");
    desk_close(desk);
}

static void wake_twice(void *context)
{
    CHECK_OK(plx_context_wake(context));
    CHECK_OK(plx_context_wake(context));
}

/* The second is that of the wake. Nothing has to be read. */
static void wake(struct desk *desk)
{
    desk_open(desk, 0);
    COSTS_NOTHING(desk, CHECK_OK(plx_context_wake(desk->context)));
    COSTS_A_WAIT(desk, CHECK_EQUAL(look_for(desk, 1, PLX_FOREVER), 0));
    desk_on_sleep(wake_twice, desk->context);
    COSTS_HERE(desk, CHECK_EQUAL(look_for(desk, 8, PLX_FOREVER), 0), "kevent=2");
    COSTS_A_WAIT(desk, CHECK_EQUAL(look_for(desk, 8, 0), 0));
    desk_close(desk);
}

static void nested(struct desk *desk)
{
    int peer;
    desk_open(desk, 0);
    plx_watcher *watcher = desk_add(desk, socket_of(desk, &peer), PLX_READ);
    plx_watcher *timer = desk_watch(desk, plx_timer(PLX_SECONDS(60), 0), PLX_TIMER);
    CHECK(plx_context_fd(desk->context) >= 0);
    COSTS_NOTHING(desk, CHECK(plx_context_fd(desk->context) >= 0));
    COSTS_NOTHING(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_READ)));
    COSTS_HERE(desk, CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE)), "kevent=1");
    COSTS_HERE(desk, CHECK_OK(plx_watcher_again(timer, PLX_SECONDS(30))), "clock=2 kevent=1");
    COSTS_HERE(desk, CHECK_EQUAL(desk_look(desk), 1), "clock=1 kevent=1");
    desk_close(desk);
}

static const struct cost_case cases[] = {
    {"add", add, false},           {"modify", modify, false},
    {"oneshot", oneshot, false},   {"remove_and_close", remove_and_close, false},
    {"files", files, false},       {"batch", batch, false},
    {"timeouts", timeouts, false}, {"wake", wake, false},
    {"nested", nested, false},
};

const struct cost_group calls_kqueue_group = {cases, COUNT_OF(cases), PLX_BACKEND_KQUEUE};
