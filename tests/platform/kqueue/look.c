/* SPDX-License-Identifier: MIT */
/*
 * look.c: is a descriptor ready in the eyes of a BSD kernel, and what does it say of it?
 *
 * Linux is asked with poll(2) and with calls that change nothing. What it tells differently is
 * translated here; the sources of each rule are with the tests in test_*.c.
 */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>
#include <linux/sockios.h>

static short poll_now(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
    return poll(&look, 1, 0) == 1 ? look.revents : 0;
}

static int count_of(int fd, unsigned long request)
{
    int count = 0;
    return ioctl(fd, request, &count) == 0 ? count : 0;
}

static int option_of(int fd, int option)
{
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : 0;
}

static bool tcp_info_of(int fd, struct tcp_info *ret_info)
{
    socklen_t size = sizeof *ret_info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret_info, &size) == 0;
}

static bool is_enough(const struct note *note, short found, short wanted)
{
    if (note->fflags & NOTE_LOWAT)
        return note->event.data >= note->data;
    return found & wanted;
}

/* EV_EOF of a socket stays; that of a pipe goes when somebody opens the other end again. */
static bool is_end(struct note *note)
{
    note->event.flags |= EV_EOF;
    return true;
}

/* --- Sockets --- */

/*
 * The error that waits on a TCP socket. SO_ERROR would give it and take it away from the user, so
 * it is guessed: refused if no answer was ever timed, else reset.
 */
static unsigned int pending_error(int fd, short found)
{
    struct tcp_info info;
    if (!(found & POLLERR) || !tcp_info_of(fd, &info))
        return 0;
    return info.tcpi_rtt == 0 ? ECONNREFUSED : ECONNRESET;
}

static int backlog_of(int fd, short found)
{
    struct tcp_info info;
    if (tcp_info_of(fd, &info) && info.tcpi_state == TCP_LISTEN)
        return (int)info.tcpi_unacked;
    return !!(found & POLLIN); /* Linux does not tell how many wait on a UNIX socket */
}

static bool look_at_socket_reading(struct note *note, int fd, short found)
{
    if (option_of(fd, SO_ACCEPTCONN)) {
        note->event.data = backlog_of(fd, found);
        return found & POLLIN;
    }
    note->event.data = count_of(fd, FIONREAD);
    if (found & POLLRDHUP) {
        note->event.fflags = pending_error(fd, found);
        return is_end(note);
    }
    return found & POLLERR || is_enough(note, found, POLLIN);
}

/* shutdown(SHUT_WR) by its owner is no event of poll(2) and is seen otherwise. */
static bool cannot_send(int fd, short found)
{
    struct tcp_info info;
    if ((found & POLLHUP) && (found & POLLRDHUP))
        return true;
    if (tcp_info_of(fd, &info))
        return info.tcpi_state == TCP_FIN_WAIT1 || info.tcpi_state == TCP_FIN_WAIT2 ||
               info.tcpi_state == TCP_CLOSING || info.tcpi_state == TCP_LAST_ACK ||
               info.tcpi_state == TCP_TIME_WAIT;
    if (option_of(fd, SO_TYPE) != SOCK_STREAM)
        return false;
    /* Nothing is sent: a stream has no empty messages. */
    return send(fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE;
}

static bool look_at_socket_writing(struct note *note, int fd, short found)
{
    int space = option_of(fd, SO_SNDBUF) - count_of(fd, SIOCOUTQ);
    if (option_of(fd, SO_ACCEPTCONN))
        return false;
    note->event.data = space > 0 ? space : 0;
    if (cannot_send(fd, found)) {
        note->event.fflags = pending_error(fd, found);
        return is_end(note);
    }
    if (found & POLLHUP)
        return false; /* never connected: HUP with no end in it */
    return found & POLLERR || is_enough(note, found, POLLOUT);
}

/* --- Pipes --- */

static bool is_anonymous(int fd)
{
    struct statfs system;
    return fstatfs(fd, &system) == 0 && system.f_type == PIPEFS_MAGIC;
}

/* The end of a pipe that is for the other direction. */
static bool is_wrong_end(int fd, short filter)
{
    return (fcntl(fd, F_GETFL) & O_ACCMODE) == (filter == EVFILT_READ ? O_WRONLY : O_RDONLY);
}

static short peer_is_gone(int fd, short found)
{
    return found & ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY ? POLLHUP : POLLERR);
}

static bool look_at_pipe(struct note *note, int fd, short found)
{
    bool reads = note->event.filter == EVFILT_READ;
    bool is_wrong = is_wrong_end(fd, note->event.filter);
    note->event.flags &= (unsigned short)~EV_EOF;
    if (is_wrong && !is_anonymous(fd))
        return false; /* a FIFO opened for the other direction never is */
    int queued = is_wrong ? 0 : count_of(fd, FIONREAD);
    note->event.data = reads ? queued : fcntl(fd, F_GETPIPE_SZ) - queued;
    if (peer_is_gone(fd, found)) {
        note->event.data = reads ? queued : 0;
        return is_end(note);
    }
    if (is_wrong)
        return !reads && shim_traits.has_duplex_pipes;
    return is_enough(note, found, reads ? POLLIN : POLLOUT);
}

/* --- Files and the rest --- */

static bool look_at_file(struct note *note, int fd)
{
    struct stat file;
    note->event.data = 0;
    if (note->event.filter == EVFILT_WRITE)
        return true;
    if (fstat(fd, &file) < 0)
        return false;
    note->seen_size = file.st_size;
    note->event.data = file.st_size - lseek(fd, 0, SEEK_CUR);
    return note->event.data != 0 || note->fflags & NOTE_FILE_POLL;
}

static bool look_at_other(struct note *note, int fd, short found)
{
    short wanted = note->event.filter == EVFILT_READ ? POLLIN : POLLOUT;
    note->event.data = wanted == POLLIN ? count_of(fd, FIONREAD) : 0;
    if (note->event.data == 0 && found & wanted)
        note->event.data = 1;
    if (found & POLLHUP)
        return is_end(note);
    return found & (wanted | POLLERR);
}

static bool look_at_queue(struct note *note, int fd, short found)
{
    const struct queue *inner = shim_find(fd);
    note->event.data = inner && inner->queued > 0 ? inner->queued : !!(found & POLLIN);
    return found & POLLIN;
}

static bool look_at_place(struct note *note)
{
    int fd = note->place->fd;
    switch (note->place->kind) {
    case KIND_SOCKET:
        return note->event.filter == EVFILT_READ ? look_at_socket_reading(note, fd, poll_now(fd))
                                                 : look_at_socket_writing(note, fd, poll_now(fd));
    case KIND_PIPE:
        return look_at_pipe(note, fd, poll_now(fd));
    case KIND_FILE:
        return look_at_file(note, fd);
    case KIND_QUEUE:
        return look_at_queue(note, fd, poll_now(fd));
    case KIND_ALWAYS:
        note->event.data = 0;
        return true;
    case KIND_OTHER:
    case KIND_DIRECTORY:
    case KIND_HELPER:
    default:
        return look_at_other(note, fd, poll_now(fd));
    }
}

bool shim_look(struct note *note)
{
    return shim_is_source(note->event.filter) ? shim_look_at_source(note) : look_at_place(note);
}

/* Would the kernel attach this filter to this descriptor? */
int shim_may_attach(const struct place *place, short filter)
{
    if (place->kind == KIND_DIRECTORY || (place->kind == KIND_QUEUE && filter == EVFILT_WRITE))
        return EINVAL;
    if (place->kind == KIND_PIPE && filter == EVFILT_WRITE &&
        peer_is_gone(place->fd, poll_now(place->fd)) &&
        (is_anonymous(place->fd) || !is_wrong_end(place->fd, filter)))
        return shim_traits.dead_pipe_error;
    return 0;
}
