/* SPDX-License-Identifier: MIT */
/* test_modes.c: level, EV_CLEAR, EV_ONESHOT, EV_DISPATCH, re-arming, and the order of reports. */
#include <errno.h>
#include <unistd.h>

#include "kit.h"

/* kqueue(2): without flags an event is told as long as it holds. */
static bool level_is_told_while_it_holds(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    CHECK(ask(kq, &event, 1) == 0);
    put(pipe.there, "abc");
    CHECK(ask(kq, &event, 1) == 1 && event.data == 3);
    put(pipe.there, "de");
    CHECK(ask(kq, &event, 1) == 1 && event.data == 5);
    empty(pipe.here);
    CHECK(ask(kq, &event, 1) == 0);
    return true;
}

/* kqueue(2): the filter is run again before it is told, so that what is over is not. */
static bool what_is_over_is_not_told(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    put(pipe.there, "abc");
    CHECK(shows(kq));
    empty(pipe.here);
    CHECK(ask(kq, &event, 1) == 0);
    return true;
}

/* kqueue(2), EV_CLEAR: once; again when there is more, whether it was read or not. */
static bool clear_is_told_once_for_each_arrival(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    change(kq, pipe.here, EVFILT_READ, EV_ADD | EV_CLEAR);
    put(pipe.there, "abc");
    CHECK(ask(kq, &event, 1) == 1 && event.data == 3);
    CHECK(ask(kq, &event, 1) == 0);
    put(pipe.there, "d");
    CHECK(ask(kq, &event, 1) == 1 && event.data == 4);
    CHECK(ask(kq, &event, 1) == 0);
    return true;
}

/* As much as before, after it was read: counting bytes would not see it. */
static bool clear_is_told_when_it_is_refilled(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    change(kq, pipe.here, EVFILT_READ, EV_ADD | EV_CLEAR);
    put(pipe.there, "abc");
    CHECK(ask(kq, &event, 1) == 1);
    empty(pipe.here);
    put(pipe.there, "def");
    CHECK(ask(kq, &event, 1) == 1 && event.data == 3);
    return true;
}

static bool clear_tells_of_space_again(void)
{
    int kq = new_queue();
    struct pair pair = new_unix_pair();
    struct kevent event;
    change(kq, pair.here, EVFILT_WRITE, EV_ADD | EV_CLEAR);
    CHECK(ask(kq, &event, 1) == 1);
    CHECK(ask(kq, &event, 1) == 0);
    fill(pair.here);
    CHECK(ask(kq, &event, 1) == 0);
    empty(pair.there);
    CHECK(ask(kq, &event, 1) == 1 && event.data > 0);
    return true;
}

/* A change of one filter is no activation of the other. */
static bool clear_is_not_told_again_for_its_sibling(void)
{
    int kq = new_queue();
    struct pair pair = new_unix_pair();
    struct kevent events[4];
    put(pair.there, "x");
    change(kq, pair.here, EVFILT_READ, EV_ADD | EV_CLEAR);
    CHECK(ask(kq, events, 4) == 1);
    change(kq, pair.here, EVFILT_WRITE, EV_ADD);
    CHECK(ask(kq, events, 4) == 1 && events[0].filter == EVFILT_WRITE);
    change(kq, pair.here, EVFILT_WRITE, EV_DELETE);
    CHECK(ask(kq, events, 4) == 0);
    put(pair.there, "y");
    CHECK(ask(kq, events, 4) == 1 && events[0].filter == EVFILT_READ);
    return true;
}

/* kqueue(2), EV_ONESHOT: deleted with its report; the sibling stays. */
static bool oneshot_is_deleted_with_its_report(void)
{
    int kq = new_queue();
    struct pair pair = new_unix_pair();
    struct kevent events[4];
    change(kq, pair.here, EVFILT_READ, EV_ADD | EV_ONESHOT);
    change(kq, pair.here, EVFILT_WRITE, EV_ADD | EV_ONESHOT);
    CHECK(ask(kq, events, 4) == 1 && events[0].filter == EVFILT_WRITE);
    CHECK(kqueue_shim_notes(kq) == 1);
    CHECK(change(kq, pair.here, EVFILT_WRITE, EV_DELETE) == ENOENT);
    put(pair.there, "x");
    CHECK(ask(kq, events, 4) == 1 && events[0].filter == EVFILT_READ);
    CHECK(kqueue_shim_notes(kq) == 0);
    return true;
}

/* kqueue_scan(): a one-shot is not looked at again, so that it may tell what is over. */
static bool oneshot_may_be_stale(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    put(pipe.there, "abc");
    change(kq, pipe.here, EVFILT_READ, EV_ADD | EV_ONESHOT);
    empty(pipe.here);
    CHECK(ask(kq, &event, 1) == 1 && event.data == 3);
    return true;
}

/* kqueue(2), EV_DISPATCH: disabled with its report. */
static bool dispatch_is_disabled_with_its_report(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    put(pipe.there, "x");
    change(kq, pipe.here, EVFILT_READ, EV_ADD | EV_DISPATCH);
    CHECK(ask(kq, &event, 1) == 1);
    put(pipe.there, "y");
    CHECK(ask(kq, &event, 1) == 0);
    CHECK(kqueue_shim_notes(kq) == 1);
    return true;
}

/* Data are pending that were told: does this change tell them again? */
static bool tells_again(const struct kqueue_traits *traits, unsigned int mode, unsigned int flags)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    kqueue_shim_play(traits);
    put(pipe.there, "x");
    change(kq, pipe.here, EVFILT_READ, EV_ADD | mode);
    if (ask(kq, &event, 1) != 1 || ask(kq, &event, 1) != 0)
        return false;
    return change(kq, pipe.here, EVFILT_READ, flags) == 0 && ask(kq, &event, 1) == 1;
}

/* Seen on FreeBSD 13 and NetBSD 7.99; kqueue_register() of both. */
static bool enable_tells_again_on_freebsd_only(void)
{
    CHECK(tells_again(&kqueue_shim_freebsd, EV_CLEAR, EV_ENABLE));
    CHECK(tells_again(&kqueue_shim_freebsd, EV_DISPATCH, EV_ENABLE));
    CHECK(!tells_again(&kqueue_shim_netbsd, EV_CLEAR, EV_ENABLE));
    CHECK(!tells_again(&kqueue_shim_netbsd, EV_DISPATCH, EV_ENABLE));
    return true;
}

static bool add_and_enable_tell_again_on_both(void)
{
    CHECK(tells_again(&kqueue_shim_freebsd, EV_CLEAR, EV_ADD));
    CHECK(tells_again(&kqueue_shim_netbsd, EV_CLEAR, EV_ADD));
    CHECK(tells_again(&kqueue_shim_freebsd, EV_DISPATCH, EV_ADD | EV_ENABLE));
    CHECK(tells_again(&kqueue_shim_netbsd, EV_DISPATCH, EV_ADD | EV_ENABLE));
    return true;
}

/* kqueue(2) has it that EV_ADD enables. kqueue_register() of both kernels asks for EV_ENABLE;
   macOS does as the manual says. */
static bool add_alone_does_not_enable(void)
{
    struct kqueue_traits macos = kqueue_shim_freebsd;
    macos.add_enables = true;
    CHECK(!tells_again(&kqueue_shim_freebsd, EV_DISPATCH, EV_ADD));
    CHECK(!tells_again(&kqueue_shim_netbsd, EV_DISPATCH, EV_ADD));
    CHECK(tells_again(&macos, EV_DISPATCH, EV_ADD));
    return true;
}

/* NetBSD: what comes while a note is disabled makes it active, and EV_ENABLE alone tells that. */
static bool what_came_while_disabled_is_told(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    kqueue_shim_play(&kqueue_shim_netbsd);
    put(pipe.there, "x");
    change(kq, pipe.here, EVFILT_READ, EV_ADD | EV_DISPATCH);
    CHECK(ask(kq, &event, 1) == 1);
    put(pipe.there, "y");
    CHECK(ask(kq, &event, 1) == 0);
    change(kq, pipe.here, EVFILT_READ, EV_ENABLE);
    CHECK(ask(kq, &event, 1) == 1 && event.data == 2);
    return true;
}

/* Old OpenBSD and DragonFly do not know the flag and stay level. */
static bool unknown_dispatch_is_level(void)
{
    struct kqueue_traits old = kqueue_shim_freebsd;
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    old.has_dispatch = false;
    kqueue_shim_play(&old);
    put(pipe.there, "x");
    change(kq, pipe.here, EVFILT_READ, EV_ADD | EV_DISPATCH);
    CHECK(ask(kq, &event, 1) == 1 && event.flags == 0);
    CHECK(ask(kq, &event, 1) == 1);
    return true;
}

/* kqueue(2), NOTE_LOWAT. */
static bool lowat_holds_reports_back(void)
{
    int kq = new_queue();
    struct pair pair = new_unix_pair();
    struct kevent event;
    change_with(kq, pair.here, EVFILT_READ, EV_ADD, NOTE_LOWAT, 3, NULL);
    put(pair.there, "ab");
    CHECK(ask(kq, &event, 1) == 0);
    put(pair.there, "c");
    CHECK(ask(kq, &event, 1) == 1 && event.data == 3);
    return true;
}

/* kqueue_scan(): who was told goes to the end, so that all have their turn whatever the room. */
static bool reports_go_round(void)
{
    int kq = new_queue();
    struct pair pipes[3];
    struct kevent event;
    for (int i = 0; i < 3; i++) {
        pipes[i] = new_pipe();
        put(pipes[i].there, "x");
        change(kq, pipes[i].here, EVFILT_READ, EV_ADD);
    }
    for (int i = 0; i < 9; i++) {
        CHECK(ask(kq, &event, 1) == 1);
        CHECK_SAY(event.ident == (uintptr_t)pipes[i % 3].here, "turn %d", i);
    }
    return true;
}

/* Filters of one descriptor may come in two calls. */
static bool room_for_one_splits_the_filters(void)
{
    int kq = new_queue();
    struct pair pair = new_unix_pair();
    struct kevent first, second;
    put(pair.there, "x");
    change(kq, pair.here, EVFILT_READ, EV_ADD);
    change(kq, pair.here, EVFILT_WRITE, EV_ADD);
    CHECK(ask(kq, &first, 1) == 1 && ask(kq, &second, 1) == 1);
    CHECK(first.filter == EVFILT_READ && second.filter == EVFILT_WRITE);
    return true;
}

/* Nobody twice in one call, though all hold. */
static bool room_for_more_tells_each_once(void)
{
    int kq = new_queue();
    struct pair pair = new_unix_pair();
    struct kevent events[8];
    put(pair.there, "x");
    change(kq, pair.here, EVFILT_READ, EV_ADD);
    change(kq, pair.here, EVFILT_WRITE, EV_ADD);
    CHECK(ask(kq, events, 8) == 2);
    return true;
}

const struct fact facts_of_modes[] = {
    FACT(level_is_told_while_it_holds),
    FACT(what_is_over_is_not_told),
    FACT(clear_is_told_once_for_each_arrival),
    FACT(clear_is_told_when_it_is_refilled),
    FACT(clear_tells_of_space_again),
    FACT(clear_is_not_told_again_for_its_sibling),
    FACT(oneshot_is_deleted_with_its_report),
    FACT(oneshot_may_be_stale),
    FACT(dispatch_is_disabled_with_its_report),
    FACT(enable_tells_again_on_freebsd_only),
    FACT(add_and_enable_tell_again_on_both),
    FACT(add_alone_does_not_enable),
    FACT(what_came_while_disabled_is_told),
    FACT(unknown_dispatch_is_level),
    FACT(lowat_holds_reports_back),
    FACT(reports_go_round),
    FACT(room_for_one_splits_the_filters),
    FACT(room_for_more_tells_each_once),
    FACTS_END,
};
