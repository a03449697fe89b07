/* SPDX-License-Identifier: MIT */
/* test_port.c: the port as a descriptor: close, nesting, fork. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit.h"

/* --- Close --- */

/* port_close_pfd(): with the number, whatever duplicates live. */
static bool close_drops_the_association_without_a_word(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t event;
    keep(dup(pipe.here));
    associate(port, pipe.here, POLLIN);
    drop(pipe.here);
    put(pipe.there, "x");
    CHECK(port_shim_associated(port) == 0 && port_shim_kept(port) == 0);
    CHECK(!shows(port));
    CHECK(ask(port, &event, 1) == 0);
    return true;
}

/* port_remove_fd_object(): also what had fired. */
static bool close_takes_a_queued_event_back(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t event;
    put(pipe.there, "x");
    associate(port, pipe.here, POLLIN);
    CHECK(shows(port));
    drop(pipe.here);
    CHECK(!shows(port));
    CHECK(ask(port, &event, 1) == 0);
    return true;
}

static bool reused_number_has_no_association(void)
{
    int port = new_port();
    struct pair first = new_pipe();
    port_event_t event;
    int number = first.here;
    associate(port, number, POLLIN);
    drop(number);
    struct pair second = new_pipe();
    CHECK(second.here == number);
    put(second.there, "x");
    CHECK(ask(port, &event, 1) == 0);
    CHECK(dissociate(port, number) == ENOENT);
    CHECK(associate(port, number, POLLIN) == 0);
    CHECK(is_told(port, number, POLLIN));
    return true;
}

/* dup2() closes what it replaces, and the old association does not come back with the old file. */
static bool dup2_drops_the_association(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t event;
    int duplicate = keep(dup(pipe.here));
    put(pipe.there, "x");
    associate(port, pipe.here, POLLIN);
    CHECK(dup2(duplicate, pipe.here) == pipe.here);
    CHECK(ask(port, &event, 1) == 0);
    CHECK(associate(port, pipe.here, POLLIN) == 0);
    CHECK(dup3(duplicate, pipe.here, O_CLOEXEC) == pipe.here);
    CHECK(ask(port, &event, 1) == 0);
    return true;
}

/* Closed behind the back of the linker's close(): noticed by the identity of the file. */
static bool close_is_noticed_late(void)
{
    int port = new_port();
    struct pair old = new_pipe(), fresh = new_pipe();
    port_event_t event;
    put(old.there, "x");
    put(fresh.there, "x");
    associate(port, old.here, POLLIN);
    keep(dup(old.here));
    CHECK(syscall(SYS_dup2, fresh.here, old.here) == old.here);
    CHECK(ask(port, &event, 1) == 0);
    CHECK(dissociate(port, old.here) == ENOENT);
    CHECK(associate(port, old.here, POLLIN) == 0);
    CHECK(is_told(port, old.here, POLLIN));
    return true;
}

static bool late_notice_is_in_time_for_an_event(void)
{
    int port = new_port();
    struct pair old = new_pipe(), fresh = new_pipe();
    uint_t count = 1;
    associate(port, old.here, POLLIN);
    keep(dup(old.here));
    CHECK(syscall(SYS_dup2, fresh.here, old.here) == old.here);
    put(old.there, "x");
    CHECK(port_getn(port, NULL, 0, &count, NULL) == 0 && count == 0);
    return true;
}

/* The old file lives on in a duplicate, and is none of the new one's business. */
static bool old_file_does_not_speak_for_the_new_one(void)
{
    int port = new_port();
    struct pair old = new_pipe(), fresh = new_pipe();
    port_event_t event;
    associate(port, old.here, POLLIN);
    keep(dup(old.here));
    CHECK(syscall(SYS_dup2, fresh.here, old.here) == old.here);
    CHECK(associate(port, old.here, POLLIN) == 0);
    put(old.there, "x");
    CHECK(ask(port, &event, 1) == 0);
    return true;
}

static bool late_notice_is_in_time_for_a_change(void)
{
    int port = new_port();
    struct pair first = new_pipe(), second = new_pipe(), fresh = new_pipe();
    associate(port, first.here, POLLIN);
    associate(port, second.here, POLLIN);
    CHECK(syscall(SYS_dup2, fresh.here, first.here) == first.here);
    CHECK(syscall(SYS_dup2, fresh.here, second.here) == second.here);
    CHECK(dissociate(port, first.here) == ENOENT);
    put(fresh.there, "x");
    CHECK(associate(port, second.here, POLLIN) == 0);
    CHECK(is_told(port, second.here, POLLIN));
    return true;
}

/* portfs(): EBADF and EBADFD, of every call. */
static bool what_is_no_port_is_refused(void)
{
    struct pair pipe = new_pipe();
    int port = new_port();
    port_event_t event;
    uint_t count = 1;
    drop(port);
    const int numbers[] = {port, pipe.here}, causes[] = {EBADF, EBADFD};
    for (int i = 0; i < 2; i++) {
        int fd = numbers[i];
        CHECK(associate(fd, pipe.here, POLLIN) == causes[i]);
        CHECK(dissociate(fd, pipe.here) == causes[i]);
        errno = 0;
        CHECK(port_getn(fd, &event, 1, &count, NULL) == -1 && errno == causes[i] && count == 1);
        errno = 0;
        CHECK(port_send(fd, 1, NULL) == -1 && errno == causes[i]);
        errno = 0;
        CHECK(port_alert(fd, PORT_ALERT_SET, 1, NULL) == -1 && errno == causes[i]);
    }
    return true;
}

static bool closed_port_leaves_nothing_open(void)
{
    struct numbers before = next_numbers();
    int port = new_port(), outer = new_port();
    struct pair pipe = new_pipe();
    associate(port, pipe.here, POLLIN);
    associate(outer, port, POLLIN);
    port_send(port, 1, NULL);
    drop(port);
    CHECK(port_shim_kept(outer) == 0);
    drop(outer);
    drop(pipe.here);
    drop(pipe.there);
    CHECK(are_next(before));
    return true;
}

/* port_create() uses setf() without a flag. */
static bool port_is_not_close_on_exec(void)
{
    CHECK(!(fcntl(new_port(), F_GETFD) & FD_CLOEXEC));
    return true;
}

/* --- Nesting --- */

/* port_poll(): while events are queued. */
static bool port_is_readable_while_events_are_queued(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    port_event_t event;
    associate(port, pipe.here, POLLIN);
    CHECK(!shows(port));
    put(pipe.there, "x");
    CHECK(shows(port));
    CHECK(ask(port, &event, 1) == 1);
    CHECK(!shows(port));
    port_send(port, 1, NULL);
    CHECK(shows(port));
    return true;
}

/* port_poll() looks at the queue alone: an event that is over shows. */
static bool event_that_is_over_shows(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    put(pipe.there, "x");
    associate(port, pipe.here, POLLIN);
    empty(pipe.here);
    CHECK(shows(port));
    return true;
}

static bool ports_nest(void)
{
    int outer = new_port(), middle = new_port(), inner = new_port();
    struct pair pipe = new_pipe();
    port_event_t event;
    CHECK(associate(outer, middle, POLLIN) == 0);
    CHECK(associate(middle, inner, POLLIN) == 0);
    CHECK(associate(inner, pipe.here, POLLIN) == 0);
    CHECK(ask(outer, &event, 1) == 0);
    put(pipe.there, "x");
    CHECK(is_told(outer, middle, POLLIN));
    CHECK(is_told(middle, inner, POLLIN));
    CHECK(is_told(inner, pipe.here, POLLIN));
    return true;
}

static bool sent_event_shows_in_another_mechanism(void)
{
    int port = new_port(), queue = keep(epoll_create1(EPOLL_CLOEXEC));
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(queue, EPOLL_CTL_ADD, port, &event) == 0);
    CHECK(epoll_wait(queue, &event, 1, 0) == 0);
    port_send(port, 1, NULL);
    CHECK(epoll_wait(queue, &event, 1, 0) == 1);
    return true;
}

/* --- Fork --- */

/* The exit status of a child that does this. */
static int in_child(int (*play)(int, int), int port, int fd)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(play(port, fd));
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int inherits_the_port(int port, int fd)
{
    port_event_t event;
    if (!shows(port))
        return 1;
    if (dissociate(port, fd) != EACCES)
        return 2;
    if (ask(port, &event, 1) != -1 || errno != ENOTSUP || associate(port, fd, POLLIN) != ENOTSUP)
        return 3;
    if (port_send(port, 1, NULL) != -1 || errno != ENOTSUP)
        return 4;
    if (port_shim_counts().foreign != 3)
        return 5;
    close(fd);
    return dissociate(port, fd) == EBADFD ? 0 : 6;
}

/* port_create(3C): shared after fork(); port_associate(3C), EACCES; and what event_ports_shim.h
   says of the other calls. */
static bool child_has_the_port_of_its_parent(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    put(pipe.there, "x");
    associate(port, pipe.here, POLLIN);
    port_shim_reset_counts();
    int status = in_child(inherits_the_port, port, pipe.here);
    CHECK_SAY(status == 0, "the child says %d", status);
    CHECK(is_told(port, pipe.here, POLLIN));
    return true;
}

static int closes_it(int port, int fd)
{
    close(port);
    close(fd);
    return associate(port, fd, POLLIN) == EBADF ? 0 : 1;
}

/* port_close(): not the last close, and the child has no associations of its own in it. */
static bool close_in_a_child_leaves_the_parent_alone(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    associate(port, pipe.here, POLLIN);
    port_send(port, 5, NULL);
    int status = in_child(closes_it, port, pipe.here);
    CHECK_SAY(status == 0, "the child says %d", status);
    put(pipe.there, "x");
    port_event_t events[3];
    CHECK(ask(port, events, 3) == 2 && events[0].portev_events == 5);
    CHECK(associate(port, pipe.here, POLLIN) == 0);
    CHECK(is_told(port, pipe.here, POLLIN));
    return true;
}

static int has_one_of_its_own(int port, int fd)
{
    int own = port_create();
    if (own < 0 || own == port)
        return 1;
    if (associate(own, fd, POLLIN) != 0)
        return 2;
    return is_told(own, fd, POLLIN) ? 0 : 3;
}

static bool child_may_make_its_own(void)
{
    int port = new_port();
    struct pair pipe = new_pipe();
    put(pipe.there, "x");
    associate(port, pipe.here, POLLIN);
    int status = in_child(has_one_of_its_own, port, pipe.here);
    CHECK_SAY(status == 0, "the child says %d", status);
    return true;
}

const struct fact facts_of_ports[] = {
    FACT(close_drops_the_association_without_a_word),
    FACT(close_takes_a_queued_event_back),
    FACT(reused_number_has_no_association),
    FACT(dup2_drops_the_association),
    FACT(close_is_noticed_late),
    FACT(late_notice_is_in_time_for_an_event),
    FACT(old_file_does_not_speak_for_the_new_one),
    FACT(late_notice_is_in_time_for_a_change),
    FACT(what_is_no_port_is_refused),
    FACT(closed_port_leaves_nothing_open),
    FACT(port_is_not_close_on_exec),
    FACT(port_is_readable_while_events_are_queued),
    FACT(event_that_is_over_shows),
    FACT(ports_nest),
    FACT(sent_event_shows_in_another_mechanism),
    FACT(child_has_the_port_of_its_parent),
    FACT(close_in_a_child_leaves_the_parent_alone),
    FACT(child_may_make_its_own),
    FACTS_END,
};
