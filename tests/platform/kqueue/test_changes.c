/* SPDX-License-Identifier: MIT */
/* test_changes.c: what a change list does, and how it says that it did not. */
#include <errno.h>
#include <unistd.h>

#include "kit.h"

static int first_mark, second_mark;

/* kqueue(2): re-adding modifies the parameters and does not make a second entry. */
static bool add_again_replaces_udata(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent events[4];
    change_with(kq, pipe.here, EVFILT_READ, EV_ADD, 0, 0, &first_mark);
    change_with(kq, pipe.here, EVFILT_READ, EV_ADD, 0, 0, &second_mark);
    put(pipe.there, "x");
    CHECK(kqueue_shim_notes(kq) == 1);
    CHECK(ask(kq, events, 4) == 1);
    CHECK(events[0].udata == &second_mark);
    return true;
}

/* kern_event.c of both: flags are copied when the note is made. Seen on FreeBSD 13, NetBSD 7.99. */
static bool add_again_does_not_take_over_clear(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent events[4];
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    change(kq, pipe.here, EVFILT_READ, EV_ADD | EV_CLEAR);
    put(pipe.there, "x");
    CHECK(ask(kq, events, 4) == 1);
    CHECK(ask(kq, events, 4) == 1);
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_DELETE) == 0);
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
    CHECK(ask(kq, events, 4) == 1);
    CHECK(ask(kq, events, 4) == 0);
    return true;
}

/* The other way round: EV_ADD alone does not take EV_CLEAR away. */
static bool add_again_does_not_end_clear(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent events[4];
    put(pipe.there, "x");
    change(kq, pipe.here, EVFILT_READ, EV_ADD | EV_CLEAR);
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    CHECK(ask(kq, events, 4) == 1);
    CHECK(ask(kq, events, 4) == 0);
    return true;
}

/* kqueue(2): the key is (ident, filter). */
static bool filters_are_notes_of_their_own(void)
{
    int kq = new_queue();
    struct pair pair = new_unix_pair();
    struct kevent events[4];
    put(pair.there, "x");
    change_with(kq, pair.here, EVFILT_READ, EV_ADD, 0, 0, &first_mark);
    change_with(kq, pair.here, EVFILT_WRITE, EV_ADD, 0, 0, &second_mark);
    CHECK(ask(kq, events, 4) == 2);
    CHECK(events[0].filter != events[1].filter && events[0].udata != events[1].udata);
    CHECK(change(kq, pair.here, EVFILT_WRITE, EV_DELETE) == 0);
    CHECK(ask(kq, events, 4) == 1 && events[0].filter == EVFILT_READ);
    return true;
}

/* kqueue(2), ENOENT. */
static bool what_is_not_there_is_enoent(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_DELETE) == ENOENT);
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_ENABLE) == ENOENT);
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    CHECK(change(kq, pipe.here, EVFILT_WRITE, EV_DELETE) == ENOENT);
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_DELETE) == 0);
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_DELETE) == ENOENT);
    return true;
}

/* kqueue_register() asks for the open file first, whatever the change is. */
static bool closed_descriptor_is_ebadf(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    drop(pipe.here);
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_ADD) == EBADF);
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_DELETE) == EBADF);
    CHECK(change(kq, -1, EVFILT_READ, EV_ADD) == EBADF);
    return true;
}

/* kqueue_register(): a queue cannot watch itself, nor can it be written to. */
static bool impossible_changes_are_einval(void)
{
    int kq = new_queue(), other = new_queue();
    struct pair pipe = new_pipe();
    CHECK(change(kq, kq, EVFILT_READ, EV_ADD) == EINVAL);
    CHECK(change(kq, other, EVFILT_WRITE, EV_ADD) == EINVAL);
    CHECK(change(kq, pipe.here, -99, EV_ADD) == EINVAL);
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_ADD | EV_ENABLE | EV_DISABLE) == EINVAL);
    CHECK(kqueue_shim_notes(kq) == 0);
    return true;
}

/* FreeBSD's kqueue_kevent() passes over filter 0; NetBSD looks it up and finds none. */
static bool filter_zero_differs(void)
{
    int kq = new_queue();
    CHECK(change(kq, 0, 0, EV_ADD) == 0);
    kqueue_shim_play(&kqueue_shim_netbsd);
    CHECK(change(kq, 0, 0, EV_ADD) == EINVAL);
    return true;
}

/* A list with a bad change in its middle. */
static void prepare(struct kevent *changes, const struct pair *pipe)
{
    EV_SET(&changes[0], pipe->here, EVFILT_READ, EV_ADD, 0, 0, NULL);
    EV_SET(&changes[1], pipe->here, EVFILT_WRITE, EV_DELETE, 0, 0, &first_mark);
    EV_SET(&changes[2], pipe->there, EVFILT_WRITE, EV_ADD, 0, 0, NULL);
}

/* kqueue(2), RETURN VALUES. Seen on both kernels. */
static bool bad_change_without_room_stops_the_rest(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent changes[3];
    prepare(changes, &pipe);
    errno = 0;
    CHECK(kevent(kq, changes, 3, NULL, 0, NULL) == -1 && errno == ENOENT);
    CHECK(kqueue_shim_notes(kq) == 1);
    return true;
}

/* The same; and what is active is not told in that call, nor is it waited. */
static bool bad_change_with_room_comes_back(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent changes[3], events[4];
    prepare(changes, &pipe);
    CHECK(kevent(kq, changes, 3, events, 4, NULL) == 1);
    CHECK(events[0].flags == EV_ERROR && events[0].data == ENOENT);
    CHECK(events[0].ident == (uintptr_t)pipe.here && events[0].filter == EVFILT_WRITE);
    CHECK(events[0].udata == &first_mark);
    CHECK(kqueue_shim_notes(kq) == 2);
    return true;
}

/* kqueue_kevent(): the room is used up by the first error, the second ends the call. */
static bool second_bad_change_without_room_fails(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent changes[3], events[1];
    prepare(changes, &pipe);
    EV_SET(&changes[0], pipe.here, EVFILT_READ, EV_DELETE, 0, 0, NULL);
    errno = 0;
    CHECK(kevent(kq, changes, 3, events, 1, NULL) == -1 && errno == ENOENT);
    CHECK(kqueue_shim_notes(kq) == 0);
    return true;
}

/* kqueue(2), EV_RECEIPT: each change is answered, and pending events are not drained. */
static bool receipt_answers_each_change(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent changes[3], events[4];
    prepare(changes, &pipe);
    for (int i = 0; i < 3; i++)
        changes[i].flags |= EV_RECEIPT;
    CHECK(kevent(kq, changes, 3, events, 4, NULL) == 3);
    for (int i = 0; i < 3; i++)
        CHECK(events[i].flags == EV_ERROR && events[i].data == (i == 1 ? ENOENT : 0));
    CHECK(ask(kq, events, 4) == 1 && events[0].ident == (uintptr_t)pipe.there);
    return true;
}

/* kqueue_kevent(): a receipt without room ends the call with 0, and the changes with it. */
static bool receipt_without_room_ends_the_changes(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent changes[2];
    EV_SET(&changes[0], pipe.here, EVFILT_READ, EV_ADD | EV_RECEIPT, 0, 0, NULL);
    EV_SET(&changes[1], pipe.there, EVFILT_WRITE, EV_ADD | EV_RECEIPT, 0, 0, NULL);
    CHECK(kevent(kq, changes, 2, NULL, 0, NULL) == 0);
    CHECK(kqueue_shim_notes(kq) == 1);
    return true;
}

/* Seen: FreeBSD 13 keeps EV_RECEIPT in the events, NetBSD 7.99 has EV_ADD in them. */
static bool flags_of_events_differ(void)
{
    struct pair pipe = new_pipe();
    struct kevent event;
    put(pipe.there, "x");
    for (int i = 0; i < 2; i++) {
        int kq = new_queue();
        kqueue_shim_play(i == 0 ? &kqueue_shim_freebsd : &kqueue_shim_netbsd);
        EV_SET(&event, pipe.here, EVFILT_READ, EV_ADD | EV_CLEAR | EV_RECEIPT, 0, 0, NULL);
        CHECK(kevent(kq, &event, 1, &event, 1, NULL) == 1 && event.flags == EV_ERROR);
        CHECK(ask(kq, &event, 1) == 1);
        CHECK(event.flags == (EV_CLEAR | (i == 0 ? EV_RECEIPT : EV_ADD)));
    }
    return true;
}

/* EV_SYSFLAGS are the system's: what a change has of them is dropped. */
static bool system_flags_are_ignored(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_ADD | EV_EOF | EV_ERROR) == 0);
    put(pipe.there, "x");
    CHECK(ask(kq, &event, 1) == 1 && event.flags == 0);
    return true;
}

/* kqueue(2), EV_DISABLE and EV_ENABLE. */
static bool disabled_is_silent_until_enabled(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    put(pipe.there, "x");
    change(kq, pipe.here, EVFILT_READ, EV_ADD | EV_DISABLE);
    CHECK(ask(kq, &event, 1) == 0);
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_ENABLE) == 0);
    CHECK(ask(kq, &event, 1) == 1);
    CHECK(change(kq, pipe.here, EVFILT_READ, EV_DISABLE) == 0);
    CHECK(ask(kq, &event, 1) == 0);
    return true;
}

/* kqueue_kevent(): all changes are applied before the scan. */
static bool changes_count_in_the_same_call(void)
{
    int kq = new_queue();
    struct pair first = new_pipe(), second = new_pipe();
    struct kevent changes[2], events[4];
    put(first.there, "x");
    put(second.there, "x");
    change(kq, first.here, EVFILT_READ, EV_ADD);
    EV_SET(&changes[0], first.here, EVFILT_READ, EV_DELETE, 0, 0, NULL);
    EV_SET(&changes[1], second.here, EVFILT_READ, EV_ADD, 0, 0, NULL);
    CHECK(kevent(kq, changes, 2, events, 4, NULL) == 1);
    CHECK(events[0].ident == (uintptr_t)second.here);
    return true;
}

/* One list may hold the events, too: kqueue(2). */
static bool one_array_serves_both_ways(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    put(pipe.there, "abc");
    EV_SET(&event, pipe.here, EVFILT_READ, EV_ADD, 0, 0, &first_mark);
    CHECK(kevent(kq, &event, 1, &event, 1, NULL) == 1);
    CHECK(event.data == 3 && event.udata == &first_mark);
    return true;
}

const struct fact facts_of_changes[] = {
    FACT(add_again_replaces_udata),
    FACT(add_again_does_not_take_over_clear),
    FACT(add_again_does_not_end_clear),
    FACT(filters_are_notes_of_their_own),
    FACT(what_is_not_there_is_enoent),
    FACT(closed_descriptor_is_ebadf),
    FACT(impossible_changes_are_einval),
    FACT(filter_zero_differs),
    FACT(bad_change_without_room_stops_the_rest),
    FACT(bad_change_with_room_comes_back),
    FACT(second_bad_change_without_room_fails),
    FACT(receipt_answers_each_change),
    FACT(receipt_without_room_ends_the_changes),
    FACT(flags_of_events_differ),
    FACT(system_flags_are_ignored),
    FACT(disabled_is_silent_until_enabled),
    FACT(changes_count_in_the_same_call),
    FACT(one_array_serves_both_ways),
    FACTS_END,
};
