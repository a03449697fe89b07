/* SPDX-License-Identifier: MIT */
/* test_ends.c: how the end of a pipe or a connection looks. Seen on
   FreeBSD 13 and NetBSD 7.99, or filt_soread(), filt_sowrite(), filt_piperead(), filt_pipewrite().
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit.h"

/* Both filters, and what they say; NULL: nothing. */
struct said {
    struct kevent events[2];
    const struct kevent *read;
    const struct kevent *write;
};

static void hear(struct said *ret_said, int kq)
{
    int count = ask(kq, ret_said->events, 2);
    ret_said->read = ret_said->write = NULL;
    for (int i = 0; i < count; i++) {
        const struct kevent *event = &ret_said->events[i];
        *(event->filter == EVFILT_READ ? &ret_said->read : &ret_said->write) = event;
    }
}

static int both_filters(int fd)
{
    int kq = new_queue();
    change(kq, fd, EVFILT_READ, EV_ADD);
    change(kq, fd, EVFILT_WRITE, EV_ADD);
    return kq;
}

static void reset(int fd)
{
    struct linger at_once = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    drop(fd);
}

/* Takes the reports until READ has EV_EOF: TCP needs its time. */
static void until_end(int kq)
{
    struct kevent event;
    do {
        await(kq, &event, 1);
    } while (event.filter != EVFILT_READ || !(event.flags & EV_EOF));
}

static bool pipe_without_writer_is_eof_with_its_data(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    change(kq, pipe.here, EVFILT_READ, EV_ADD);
    put(pipe.there, "abc");
    drop(pipe.there);
    CHECK(ask(kq, &event, 1) == 1 && event.flags == EV_EOF && event.data == 3);
    empty(pipe.here);
    CHECK(ask(kq, &event, 1) == 1 && event.flags == EV_EOF && event.data == 0);
    return true;
}

static bool pipe_without_reader_is_eof_also_when_full(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent event;
    fill(pipe.there);
    change(kq, pipe.there, EVFILT_WRITE, EV_ADD);
    CHECK(ask(kq, &event, 1) == 0);
    drop(pipe.here);
    CHECK(ask(kq, &event, 1) == 1 && event.flags == EV_EOF && event.data == 0);
    return true;
}

/* pipe_kqfilter(): EPIPE on FreeBSD, EBADF on NetBSD; and nothing is left behind. */
static bool writing_to_a_dead_pipe_is_refused(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    drop(pipe.here);
    CHECK(change(kq, pipe.there, EVFILT_WRITE, EV_ADD) == EPIPE);
    kqueue_shim_play(&kqueue_shim_netbsd);
    CHECK(change(kq, pipe.there, EVFILT_WRITE, EV_ADD) == EBADF);
    CHECK(kqueue_shim_notes(kq) == 0);
    return true;
}

/* A list that asks for both: the first filter is there although the second was refused. */
static bool refused_filter_leaves_the_other(void)
{
    int kq = new_queue();
    struct pair pipe = new_pipe();
    struct kevent changes[2];
    drop(pipe.here);
    EV_SET(&changes[0], pipe.there, EVFILT_READ, EV_ADD, 0, 0, NULL);
    EV_SET(&changes[1], pipe.there, EVFILT_WRITE, EV_ADD, 0, 0, NULL);
    errno = 0;
    CHECK(kevent(kq, changes, 2, NULL, 0, NULL) == -1 && errno == EPIPE);
    CHECK(kqueue_shim_notes(kq) == 1);
    return true;
}

/* sys_pipe.c: each end is attached for writing to the buffer of the other. */
static bool reading_end_can_be_written_in_the_eyes_of_a_kernel(void)
{
    struct kqueue_traits one_way = kqueue_shim_freebsd;
    struct pair pipe = new_pipe();
    int kq = new_queue();
    struct kevent event;
    CHECK(change(kq, pipe.here, EVFILT_WRITE, EV_ADD) == 0);
    CHECK(ask(kq, &event, 1) == 1 && event.data > 0 && event.flags == 0);
    one_way.has_duplex_pipes = false;
    kqueue_shim_play(&one_way);
    CHECK(ask(kq, &event, 1) == 0);
    drop(pipe.there);
    CHECK(ask(kq, &event, 1) == 1 && event.flags == EV_EOF);
    return true;
}

static bool writing_end_reads_nothing_but_the_end(void)
{
    struct pair pipe = new_pipe();
    int kq = new_queue();
    struct kevent event;
    CHECK(change(kq, pipe.there, EVFILT_READ, EV_ADD) == 0);
    put(pipe.there, "abc");
    CHECK(ask(kq, &event, 1) == 0);
    drop(pipe.here);
    CHECK(ask(kq, &event, 1) == 1 && event.flags == EV_EOF && event.data == 0);
    return true;
}

static bool make_fifo(char *ret_path)
{
    return mkdtemp(ret_path) && rmdir(ret_path) == 0 && mkfifo(ret_path, 0600) == 0;
}

/* filt_piperead(): the end of a FIFO goes away with the next writer; pipe_kqfilter(): a filter for
   the direction it was not opened for never fires. */
static bool fifo_comes_back_with_a_writer(void)
{
    char path[] = "/tmp/kqueue_shim_XXXXXX";
    struct kevent event;
    CHECK(make_fifo(path));
    int reader = keep(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    int writer = keep(open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    int kq = both_filters(reader);
    CHECK(ask(kq, &event, 1) == 0);
    drop(writer);
    CHECK(ask(kq, &event, 1) == 1 && event.filter == EVFILT_READ && event.flags & EV_EOF);
    writer = keep(open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    CHECK(unlink(path) == 0);
    CHECK(ask(kq, &event, 1) == 0);
    put(writer, "x");
    CHECK(ask(kq, &event, 1) == 1 && !(event.flags & EV_EOF) && event.data == 1);
    return true;
}

static bool fifo_without_a_first_writer_says_nothing(void)
{
    char path[] = "/tmp/kqueue_shim_XXXXXX";
    struct kevent event;
    CHECK(make_fifo(path));
    int reader = keep(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    int kq = new_queue();
    CHECK(unlink(path) == 0);
    CHECK(change(kq, reader, EVFILT_READ, EV_ADD) == 0);
    CHECK(ask(kq, &event, 1) == 0);
    return true;
}

static bool fin_is_eof_of_reading_alone(void)
{
    struct pair tcp = new_tcp_pair();
    int kq = both_filters(tcp.here);
    put(tcp.there, "abc");
    shutdown(tcp.there, SHUT_WR);
    until_end(kq);
    struct said said;
    hear(&said, kq);
    CHECK(said.read && said.read->flags == EV_EOF && said.read->data == 3 && !said.read->fflags);
    CHECK(said.write && !(said.write->flags & EV_EOF) && said.write->data > 0);
    return true;
}

static bool fin_both_ways_is_eof_of_both(void)
{
    struct pair tcp = new_tcp_pair();
    int kq = both_filters(tcp.here);
    shutdown(tcp.there, SHUT_WR);
    shutdown(tcp.here, SHUT_WR);
    until_end(kq);
    struct said said;
    hear(&said, kq);
    CHECK(said.read && said.read->flags & EV_EOF);
    CHECK(said.write && said.write->flags & EV_EOF && !said.write->fflags);
    return true;
}

/* filt_sowrite(): whoever cannot send any more has EV_EOF at once. */
static bool own_half_close_is_eof_of_writing(void)
{
    struct pair pairs[2] = {new_tcp_pair(), new_unix_pair()};
    for (int i = 0; i < 2; i++) {
        int kq = both_filters(pairs[i].here);
        shutdown(pairs[i].here, SHUT_WR);
        struct said said;
        hear(&said, kq);
        CHECK(!said.read);
        CHECK(said.write && said.write->flags & EV_EOF);
    }
    return true;
}

/* What tells the shim so must not reach the peer. */
static bool looking_sends_nothing(void)
{
    struct pair pair = new_unix_pair();
    int kq = both_filters(pair.here), other = both_filters(pair.there);
    struct said said;
    hear(&said, kq);
    CHECK(said.write);
    struct said heard;
    hear(&heard, other);
    CHECK(!heard.read);
    return true;
}

/* soisdisconnected() of both ends, and no error. */
static bool closed_unix_peer_is_eof_of_both(void)
{
    struct pair pair = new_unix_pair();
    int kq = both_filters(pair.here);
    put(pair.here, "unread");
    drop(pair.there);
    struct said said;
    hear(&said, kq);
    CHECK(said.read && said.read->flags & EV_EOF && said.read->fflags == 0);
    CHECK(said.write && said.write->flags & EV_EOF && said.write->fflags == 0);
    return true;
}

static bool reset_is_eof_of_both_with_its_error(void)
{
    struct pair tcp = new_tcp_pair();
    int kq = both_filters(tcp.here);
    reset(tcp.there);
    until_end(kq);
    struct said said;
    hear(&said, kq);
    CHECK(said.read && said.read->flags & EV_EOF && said.read->fflags == ECONNRESET);
    CHECK(said.write && said.write->flags & EV_EOF && said.write->fflags == ECONNRESET);
    return true;
}

/* fflags show so_error without taking it; once the user took it, it is gone from there, too. */
static bool error_is_left_to_its_owner(void)
{
    struct pair tcp = new_tcp_pair();
    int kq = new_queue(), error = 0;
    socklen_t size = sizeof error;
    struct kevent event;
    change(kq, tcp.here, EVFILT_READ, EV_ADD);
    reset(tcp.there);
    CHECK(await(kq, &event, 1) == 1 && event.fflags == ECONNRESET);
    CHECK(getsockopt(tcp.here, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
    CHECK(error == ECONNRESET);
    CHECK(ask(kq, &event, 1) == 1 && event.flags & EV_EOF && event.fflags == 0);
    return true;
}

/* A port that nobody listens to. */
static int refused(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int taken = keep(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    int fd = keep(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(taken, (struct sockaddr *)&address, sizeof address);
    getsockname(taken, (struct sockaddr *)&address, &size);
    connect(fd, (struct sockaddr *)&address, size);
    return fd;
}

static bool refusal_is_eof_of_both_with_its_error(void)
{
    int kq = both_filters(refused());
    until_end(kq);
    struct said said;
    hear(&said, kq);
    CHECK(said.read && said.read->flags & EV_EOF && said.read->fflags == ECONNREFUSED);
    CHECK(said.write && said.write->flags & EV_EOF && said.write->fflags == ECONNREFUSED);
    return true;
}

/* Linux says HUP of such a socket; filt_sowrite() wants a connection. */
static bool unconnected_socket_says_nothing_until_it_connects(void)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int listener = new_listener();
    int fd = keep(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    int kq = both_filters(fd);
    struct kevent event;
    CHECK(ask(kq, &event, 1) == 0);
    getsockname(listener, (struct sockaddr *)&address, &size);
    connect(fd, (struct sockaddr *)&address, size);
    CHECK(await(kq, &event, 1) == 1);
    CHECK(event.filter == EVFILT_WRITE && event.flags == 0 && event.data > 0);
    return true;
}

/* kqueue(2): data is the number of connections that wait. */
static bool listener_counts_who_waits(void)
{
    int kq = new_queue(), listener = new_listener();
    struct kevent event;
    CHECK(change(kq, listener, EVFILT_WRITE, EV_ADD) == 0);
    CHECK(change(kq, listener, EVFILT_READ, EV_ADD) == 0);
    CHECK(ask(kq, &event, 1) == 0);
    new_client(listener);
    new_client(listener);
    do {
        CHECK(await(kq, &event, 1) == 1 && event.filter == EVFILT_READ);
    } while (event.data < 2);
    CHECK(event.data == 2);
    return true;
}

static bool bytes_and_space_are_counted(void)
{
    struct pair pair = new_unix_pair();
    int kq = both_filters(pair.here);
    struct said before;
    hear(&before, kq);
    put(pair.there, "abcde");
    put(pair.here, "abcde");
    struct said after;
    hear(&after, kq);
    CHECK(after.read && after.read->data == 5);
    CHECK(before.write && after.write && after.write->data < before.write->data);
    fill(pair.here);
    struct said full;
    hear(&full, kq);
    CHECK(full.read && !full.write);
    return true;
}

/* filt_soread(): an error of a datagram socket is no end. */
static bool refused_datagram_is_no_end(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int kq = new_queue();
    int fd = keep(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    int peer = keep(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    struct kevent event;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(peer, (struct sockaddr *)&address, sizeof address);
    getsockname(peer, (struct sockaddr *)&address, &size);
    connect(fd, (struct sockaddr *)&address, size);
    change(kq, fd, EVFILT_READ, EV_ADD);
    CHECK(ask(kq, &event, 1) == 0);
    drop(peer);
    put(fd, "x");
    CHECK(await(kq, &event, 1) == 1 && !(event.flags & EV_EOF));
    return true;
}

const struct fact facts_of_ends[] = {
    FACT(pipe_without_writer_is_eof_with_its_data),
    FACT(pipe_without_reader_is_eof_also_when_full),
    FACT(writing_to_a_dead_pipe_is_refused),
    FACT(refused_filter_leaves_the_other),
    FACT(reading_end_can_be_written_in_the_eyes_of_a_kernel),
    FACT(writing_end_reads_nothing_but_the_end),
    FACT(fifo_comes_back_with_a_writer),
    FACT(fifo_without_a_first_writer_says_nothing),
    FACT(fin_is_eof_of_reading_alone),
    FACT(fin_both_ways_is_eof_of_both),
    FACT(own_half_close_is_eof_of_writing),
    FACT(looking_sends_nothing),
    FACT(closed_unix_peer_is_eof_of_both),
    FACT(reset_is_eof_of_both_with_its_error),
    FACT(error_is_left_to_its_owner),
    FACT(refusal_is_eof_of_both_with_its_error),
    FACT(unconnected_socket_says_nothing_until_it_connects),
    FACT(listener_counts_who_waits),
    FACT(bytes_and_space_are_counted),
    FACT(refused_datagram_is_no_end),
    FACTS_END,
};
