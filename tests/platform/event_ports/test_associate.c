/* SPDX-License-Identifier: MIT */
/* test_associate.c: an association, from port_associate() to its one event. */
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit.h"

static int first_mark, second_mark;

/* port_associate(3C): an event is sent at once. */
static bool ready_descriptor_fires_at_once(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t event;
    put(pipe.there, "x");
    CHECK(port_associate(port, PORT_SOURCE_FD, (uintptr_t)pipe.here, POLLIN, &first_mark) == 0);
    CHECK(ask(port, &event, 1) == 1);
    CHECK(event.portev_source == PORT_SOURCE_FD && event.portev_object == (uintptr_t)pipe.here);
    CHECK(event.portev_events == POLLIN && event.portev_user == &first_mark);
    return true;
}

/* port_associate(3C): when data first becomes available. */
static bool descriptor_fires_when_it_becomes_ready(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t event;
    CHECK(associate(port, pipe.here, POLLIN) == 0);
    CHECK(ask(port, &event, 1) == 0);
    put(pipe.there, "x");
    CHECK(is_told(port, pipe.here, POLLIN));
    return true;
}

/* port_associate(3C): with the retrieval there is no association. */
static bool delivery_ends_the_association(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t event;
    put(pipe.there, "x");
    associate(port, pipe.here, POLLIN);
    CHECK(port_shim_associated(port) == 1);
    CHECK(ask(port, &event, 1) == 1);
    CHECK(port_shim_associated(port) == 0);
    put(pipe.there, "y");
    CHECK(ask(port, &event, 1) == 0);
    CHECK(dissociate(port, pipe.here) == ENOENT);
    return true;
}

/* After a report nothing is told, not even the end: pollwakeup() passes over it. */
static bool end_is_not_told_after_the_delivery(void)
{
    int port = new_port();
    struct pair pair = new_unix_pair();
    port_event_t event;
    put(pair.there, "x");
    associate(port, pair.here, POLLIN);
    CHECK(ask(port, &event, 1) == 1);
    drop(pair.there);
    CHECK(!shows(port));
    CHECK(ask(port, &event, 1) == 0);
    return true;
}

/* port_associate_fd() looks at the descriptor each time. */
static bool new_association_of_a_ready_descriptor_fires_again(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    put(pipe.there, "x");
    for (int i = 0; i < 3; i++) {
        CHECK(associate(port, pipe.here, POLLIN) == 0);
        CHECK(is_told(port, pipe.here, POLLIN));
    }
    return true;
}

/* port_associate(3C): at most one event for each. */
static bool there_is_one_event_for_a_descriptor(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    associate(port, pipe.here, POLLIN);
    for (int i = 0; i < 3; i++) {
        put(pipe.there, "x");
        port_shim_notice();
    }
    CHECK(is_told(port, pipe.here, POLLIN));
    return true;
}

/* port_associate(3C): updates the events and the user of the association. */
static bool association_again_replaces_events_and_user(void)
{
    int port = new_port();
    struct pair pair = new_unix_pair();
    port_event_t event;
    port_associate(port, PORT_SOURCE_FD, (uintptr_t)pair.here, POLLIN, &first_mark);
    CHECK(port_associate(port, PORT_SOURCE_FD, (uintptr_t)pair.here, POLLOUT, &second_mark) == 0);
    put(pair.there, "x");
    CHECK(ask(port, &event, 1) == 1);
    CHECK(event.portev_events == POLLOUT && event.portev_user == &second_mark);
    CHECK(ask(port, &event, 1) == 0);
    return true;
}

/* port_associate_fd(): port_remove_done_event(), and VOP_POLL() once more. */
static bool association_again_takes_back_what_was_queued(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t event;
    put(pipe.there, "x");
    associate(port, pipe.here, POLLIN);
    CHECK(shows(port));
    empty(pipe.here);
    CHECK(associate(port, pipe.here, POLLIN) == 0);
    CHECK(!shows(port));
    CHECK(ask(port, &event, 1) == 0);
    put(pipe.there, "x");
    CHECK(is_told(port, pipe.here, POLLIN));
    return true;
}

/* port_copy_event() looks at nothing again. */
static bool event_is_told_although_it_is_over(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    associate(port, pipe.here, POLLIN);
    put(pipe.there, "x");
    port_shim_notice();
    empty(pipe.here);
    CHECK(is_told(port, pipe.here, POLLIN));
    return true;
}

/* pollwakeup(): what comes after the first bit, before the delivery, finds no valid event. */
static bool nothing_is_added_to_an_event_that_has_fired(void)
{
    int port = new_port();
    struct pair pair = new_unix_pair();
    fill(pair.here);
    associate(port, pair.here, POLLIN | POLLOUT);
    put(pair.there, "x");
    port_shim_notice();
    empty(pair.there);
    drop(pair.there);
    CHECK(is_told(port, pair.here, POLLIN));
    return true;
}

/* VOP_POLL() in port_associate_fd() says all of it. */
static bool association_tells_all_bits(void)
{
    int port = new_port();
    struct pair pair = new_unix_pair();
    put(pair.there, "x");
    CHECK(associate(port, pair.here, POLLIN | POLLOUT) == 0);
    CHECK(is_told(port, pair.here, POLLIN | POLLOUT));
    drop(pair.there);
    CHECK(associate(port, pair.here, POLLIN) == 0);
    CHECK(is_told(port, pair.here, POLLIN | POLLHUP));
    return true;
}

/* One association, one event: the older demand does not live on. */
static bool association_that_fired_at_once_is_not_watched(void)
{
    int port = new_port();
    struct pair pair = new_unix_pair();
    associate(port, pair.here, POLLIN);
    associate(port, pair.here, POLLIN | POLLOUT);
    CHECK(is_told(port, pair.here, POLLOUT));
    put(pair.there, "x");
    CHECK(!shows(port));
    return true;
}

/* port_associate_fd(): the bits that were asked for, no synonyms. */
static bool bits_are_those_that_were_asked_for(void)
{
    int port = new_port();
    struct pair pair = new_unix_pair();
    put(pair.there, "x");
    associate(port, pair.here, POLLRDNORM);
    CHECK(is_told(port, pair.here, POLLRDNORM));
    return true;
}

/* pollwakeup(), port_associate_fd(): POLLHUP and POLLERR unasked, also for events of 0. */
static bool hangup_and_error_come_unasked(void)
{
    int port = new_port();
    struct pair pair = new_unix_pair(), pipe = new_pipe();
    port_event_t event;
    put(pair.there, "x");
    CHECK(associate(port, pair.here, 0) == 0 && associate(port, pipe.there, 0) == 0);
    CHECK(ask(port, &event, 1) == 0);
    drop(pair.there);
    CHECK(is_told(port, pair.here, POLLHUP));
    drop(pipe.here);
    CHECK(is_told(port, pipe.there, POLLERR));
    CHECK(associate(port, pair.here, 0) == 0);
    CHECK(is_told(port, pair.here, POLLHUP));
    return true;
}

static bool half_close_is_rdhup_where_asked(void)
{
    int port = new_port();
    struct pair pair = new_tcp_pair();
    associate(port, pair.here, POLLRDHUP);
    shutdown(pair.there, SHUT_WR);
    port_event_t event;
    CHECK(await(port, &event) && event.portev_events == POLLRDHUP);
    return true;
}

static bool reset_is_told_with_error_and_hangup(void)
{
    int port = new_port();
    struct pair pair = new_tcp_pair();
    port_event_t event;
    associate(port, pair.here, 0);
    reset(pair.there);
    CHECK(await(port, &event) && event.portev_events == (POLLERR | POLLHUP));
    return true;
}

/* port_dissociate_fd(): an event that was not retrieved counts as an association, and goes. */
static bool dissociation_takes_the_event_back(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t event;
    put(pipe.there, "x");
    associate(port, pipe.here, POLLIN);
    CHECK(dissociate(port, pipe.here) == 0);
    CHECK(!shows(port));
    CHECK(ask(port, &event, 1) == 0);
    CHECK(dissociate(port, pipe.here) == ENOENT);
    return true;
}

static bool dissociation_ends_the_watch(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    associate(port, pipe.here, POLLIN);
    CHECK(dissociate(port, pipe.here) == 0);
    put(pipe.there, "x");
    CHECK(!shows(port));
    return true;
}

/* port_dissociate_fd(): without the cache of the first association the number is not looked at. */
static bool dissociation_of_a_closed_number_depends_on_history(void)
{
    int port = new_port();
    struct pair pipe = new_pipe(), closed = new_pipe();
    drop(closed.here);
    CHECK(dissociate(port, closed.here) == ENOENT);
    associate(port, pipe.here, POLLIN);
    CHECK(dissociate(port, closed.here) == EBADFD);
    CHECK(dissociate(port, pipe.there) == ENOENT);
    return true;
}

/* port_associate(3C), EBADFD and EINVAL; an object above INT_MAX in port_associate_fd(). */
static bool impossible_objects_are_refused(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    const uintptr_t wide = (uintptr_t)INT_MAX + 1;
    drop(pipe.here);
    CHECK(associate(port, pipe.here, POLLIN) == EBADFD);
    CHECK(associate(port, -1, POLLIN) == EBADFD);
    CHECK(port_associate(port, PORT_SOURCE_FD, wide, POLLIN, NULL) == -1 && errno == EBADFD);
    CHECK(port_dissociate(port, PORT_SOURCE_FD, wide) == -1 && errno == EBADFD);
    CHECK(port_associate(port, PORT_SOURCE_USER, 1, POLLIN, NULL) == -1 && errno == EINVAL);
    CHECK(port_dissociate(port, PORT_SOURCE_TIMER, 1) == -1 && errno == EINVAL);
    CHECK(port_associate(port, PORT_SOURCE_FILE, 1, 0, NULL) == -1 && errno == ENOTSUP);
    return true;
}

/* port_alloc_event_local() in port_associate_fd(): the structure stays after the delivery. */
static bool limit_counts_descriptors_up_to_their_dissociation(void)
{
    struct port_traits narrow = port_shim_illumos;
    struct pair pipe = new_pipe(), other = new_pipe();
    narrow.limit = 1;
    port_shim_play(&narrow);
    int port = new_port();
    put(pipe.there, "x");
    CHECK(associate(port, pipe.here, POLLIN) == 0);
    CHECK(associate(port, other.here, POLLIN) == EAGAIN);
    CHECK(is_told(port, pipe.here, POLLIN));
    CHECK(port_shim_kept(port) == 1);
    CHECK(associate(port, other.here, POLLIN) == EAGAIN);
    CHECK(port_send(port, 1, NULL) == -1 && errno == EAGAIN);
    CHECK(associate(port, pipe.here, POLLIN) == 0);
    CHECK(is_told(port, pipe.here, POLLIN));
    CHECK(dissociate(port, pipe.here) == ENOENT); /* and it is let go all the same */
    CHECK(associate(port, other.here, POLLIN) == 0);
    drop(other.here);
    CHECK(port_shim_kept(port) == 0);
    return true;
}

/* fs_poll(): a regular file is ready for what is asked, and never fires otherwise. */
static bool file_is_always_ready(void)
{
    int port = new_port(), fd = new_file();
    port_event_t event;
    CHECK(associate(port, fd, POLLIN | POLLOUT) == 0);
    CHECK(is_told(port, fd, POLLIN | POLLOUT));
    CHECK(associate(port, fd, 0) == 0);
    CHECK(ask(port, &event, 1) == 0);
    CHECK(dissociate(port, fd) == 0);
    return true;
}

/* port_cache_lookup_fp(): the key is the number and the file. */
static bool duplicates_have_associations_of_their_own(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t events[3];
    int duplicate = keep(dup(pipe.here));
    CHECK(associate(port, pipe.here, POLLIN) == 0 && associate(port, duplicate, POLLIN) == 0);
    put(pipe.there, "x");
    CHECK(ask(port, events, 3) == 2);
    CHECK(events[0].portev_object != events[1].portev_object);
    return true;
}

/* addfd_port(): a descriptor may be in several ports. */
static bool descriptor_may_be_in_two_ports(void)
{
    int first = new_port(), second = new_port();
    struct pair pipe = new_pipe();
    associate(first, pipe.here, POLLIN);
    associate(second, pipe.here, POLLIN);
    put(pipe.there, "x");
    CHECK(is_told(first, pipe.here, POLLIN));
    CHECK(is_told(second, pipe.here, POLLIN));
    return true;
}

const struct fact facts_of_associations[] = {
    FACT(ready_descriptor_fires_at_once),
    FACT(descriptor_fires_when_it_becomes_ready),
    FACT(delivery_ends_the_association),
    FACT(end_is_not_told_after_the_delivery),
    FACT(new_association_of_a_ready_descriptor_fires_again),
    FACT(there_is_one_event_for_a_descriptor),
    FACT(association_again_replaces_events_and_user),
    FACT(association_again_takes_back_what_was_queued),
    FACT(event_is_told_although_it_is_over),
    FACT(nothing_is_added_to_an_event_that_has_fired),
    FACT(association_tells_all_bits),
    FACT(association_that_fired_at_once_is_not_watched),
    FACT(bits_are_those_that_were_asked_for),
    FACT(hangup_and_error_come_unasked),
    FACT(half_close_is_rdhup_where_asked),
    FACT(reset_is_told_with_error_and_hangup),
    FACT(dissociation_takes_the_event_back),
    FACT(dissociation_ends_the_watch),
    FACT(dissociation_of_a_closed_number_depends_on_history),
    FACT(impossible_objects_are_refused),
    FACT(limit_counts_descriptors_up_to_their_dissociation),
    FACT(file_is_always_ready),
    FACT(duplicates_have_associations_of_their_own),
    FACT(descriptor_may_be_in_two_ports),
    FACTS_END,
};
