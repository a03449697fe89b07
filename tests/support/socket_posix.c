/* SPDX-License-Identifier: MIT */
/* socket_posix.c: socket.h on POSIX, with poll(2) as the witness of what has arrived. */
#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

#include "system.h"

/* Numbers above this one are not looked at when descriptors are counted. */
#define NUMBERS 4096

/* Spare descriptors for the library and the streams, when many are opened. */
#define SPARE 64

static plx_socket own(struct scene *scene, int fd)
{
    CHECK(fd >= 0);
    CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
    CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
    return scene_keep(scene, fd);
}

/* The events that poll(2) reports, one of `wanted` at least. */
static void until(plx_socket fd, short wanted)
{
    struct pollfd entry = {fd, wanted, 0};
    plx_duration deadline = now() + PATIENCE;
    struct timespec tick = {0, 100000};

    while (poll(&entry, 1, 100) >= 0 && !(entry.revents & wanted)) {
        CHECK(now() < deadline);
        nanosleep(&tick, NULL);
    }
    CHECK(entry.revents & wanted);
}

struct ends stream_pair(struct scene *scene)
{
    return unix_pair(scene);
}

struct ends unix_pair(struct scene *scene)
{
    int pair[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    return (struct ends){own(scene, pair[0]), own(scene, pair[1])};
}

struct ends pipe_pair(struct scene *scene)
{
    int pair[2];

    CHECK(pipe(pair) == 0);
    return (struct ends){own(scene, pair[0]), own(scene, pair[1])};
}

static int bound_socket(struct scene *scene, int type)
{
    struct sockaddr_in address;
    int fd = own(scene, socket(AF_INET, type, 0));

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static void connect_socket(plx_socket fd, plx_socket peer)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;

    CHECK(getsockname(peer, (struct sockaddr *)&address, &length) == 0);
    CHECK(connect(fd, (struct sockaddr *)&address, length) == 0 || errno == EINPROGRESS);
}

plx_socket listen_socket(struct scene *scene)
{
    plx_socket fd = bound_socket(scene, SOCK_STREAM);

    CHECK(listen(fd, 16) == 0);
    return fd;
}

plx_socket connect_to(struct scene *scene, plx_socket listener)
{
    plx_socket fd = own(scene, socket(AF_INET, SOCK_STREAM, 0));
    int on = 1;

    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    connect_socket(fd, listener);
    until(listener, POLLIN);
    until(fd, POLLOUT);
    return fd;
}

struct ends tcp_pair(struct scene *scene)
{
    plx_socket listener = listen_socket(scene);
    struct ends ends;

    ends.there = connect_to(scene, listener);
    ends.here = own(scene, accept(listener, NULL, NULL));
    close_descriptor(scene, listener);
    return ends;
}

struct ends udp_pair(struct scene *scene)
{
    struct ends ends = {bound_socket(scene, SOCK_DGRAM), bound_socket(scene, SOCK_DGRAM)};

    connect_socket(ends.here, ends.there);
    connect_socket(ends.there, ends.here);
    return ends;
}

/* A port that is bound and not listened on refuses, and nobody else can take it. */
plx_socket refused_socket(struct scene *scene)
{
    plx_socket deaf = bound_socket(scene, SOCK_STREAM);
    plx_socket fd = own(scene, socket(AF_INET, SOCK_STREAM, 0));

    connect_socket(fd, deaf);
    until(fd, POLLHUP);
    return fd;
}

static void make_raw(int terminal)
{
    struct termios mode;

    CHECK(tcgetattr(terminal, &mode) == 0);
    mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    mode.c_oflag &= ~(tcflag_t)OPOST;
    CHECK(tcsetattr(terminal, TCSANOW, &mode) == 0);
}

struct ends terminal_pair(struct scene *scene)
{
    struct ends ends;
    int master = posix_openpt(O_RDWR | O_NOCTTY);

    if (master < 0)
        check_skip("no pseudo-terminals");
    ends.here = own(scene, master);
    CHECK(grantpt(master) == 0 && unlockpt(master) == 0);
    ends.there = own(scene, open(ptsname(master), O_RDWR | O_NOCTTY));
    make_raw(ends.there);
    return ends;
}

plx_socket regular_file(struct scene *scene)
{
    const char *folder = getenv("TMPDIR");
    char name[512];
    int fd;

    snprintf(name, sizeof name, "%s/conformance-XXXXXX", folder ? folder : "/tmp");
    fd = own(scene, mkstemp(name));
    CHECK(unlink(name) == 0);
    return fd;
}

plx_socket always_ready(struct scene *scene)
{
    return regular_file(scene);
}

plx_socket directory(struct scene *scene)
{
    return own(scene, open("/", O_RDONLY | O_DIRECTORY));
}

plx_socket null_device(struct scene *scene)
{
    return own(scene, open("/dev/null", O_RDWR));
}

plx_socket path_only(struct scene *scene)
{
#ifdef O_PATH
    int fd = open("/", O_PATH | O_CLOEXEC);

    CHECK(fd >= 0);
    return scene_keep(scene, fd);
#else
    (void)scene;
    check_skip("no O_PATH");
#endif
}

plx_socket duplicate(struct scene *scene, plx_socket fd)
{
    return own(scene, dup(fd));
}

void move_to(struct scene *scene, plx_socket fd, plx_socket number)
{
    CHECK(dup2(fd, number) == number);
    CHECK(fcntl(number, F_SETFD, FD_CLOEXEC) == 0);
    scene_forget(scene, number);
    scene_keep(scene, number);
    close_descriptor(scene, fd);
}

plx_socket closed_number(struct scene *scene)
{
    int fd = fcntl(null_device(scene), F_DUPFD_CLOEXEC, 200);

    CHECK(fd >= 0);
    CHECK(close(fd) == 0);
    return fd;
}

bool is_open(plx_socket fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

void until_readable(plx_socket fd)
{
    until(fd, POLLIN);
}

void say(const struct ends *ends)
{
    put(ends->there);
    until_readable(ends->here);
}

void put(plx_socket fd)
{
    CHECK(write(fd, "x", 1) == 1);
}

void put_urgent(const struct ends *ends)
{
    CHECK(send(ends->there, "!", 1, MSG_OOB) == 1);
    until(ends->here, POLLPRI);
}

size_t drain(plx_socket fd)
{
    static char buffer[65536];
    size_t total = 0;

    for (;;) {
        ssize_t count = read(fd, buffer, sizeof buffer);

        if (count <= 0)
            return total;
        total += (size_t)count;
    }
}

void take(plx_socket fd, void *buffer, size_t size)
{
    CHECK(read(fd, buffer, size) == (ssize_t)size);
}

void fill(plx_socket fd)
{
    static const char zeroes[4096];

    while (write(fd, zeroes, sizeof zeroes) > 0)
        continue;
    while (write(fd, zeroes, 1) > 0)
        continue;
    CHECK(errno == EAGAIN || errno == EWOULDBLOCK);
}

int pending_error(plx_socket fd)
{
    int error = 0;
    socklen_t length = sizeof error;

    CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0);
    return error;
}

void half_close(plx_socket fd)
{
    CHECK(shutdown(fd, SHUT_WR) == 0);
}

/* On a TCP socket a FIN shows as POLLIN; what is in the pipe already hides it, so ask for RDHUP. */
static void until_end(plx_socket fd)
{
#ifdef POLLRDHUP
    until(fd, POLLRDHUP | POLLHUP | POLLERR);
#else
    until(fd, POLLIN | POLLHUP | POLLERR);
#endif
}

void there_half_closes(const struct ends *ends)
{
    half_close(ends->there);
    until_end(ends->here);
}

void there_closes(struct scene *scene, struct ends *ends)
{
    close_descriptor(scene, ends->there);
    ends->there = PLX_BAD_SOCKET;
    until_end(ends->here);
}

void there_resets(struct scene *scene, struct ends *ends)
{
    struct linger now_and_hard = {1, 0};

    CHECK(setsockopt(ends->there, SOL_SOCKET, SO_LINGER, &now_and_hard, sizeof now_and_hard) == 0);
    close_descriptor(scene, ends->there);
    ends->there = PLX_BAD_SOCKET;
    until(ends->here, POLLERR);
}

void there_hangs_up(struct scene *scene, struct ends *ends)
{
    there_closes(scene, ends);
}

void close_descriptor(struct scene *scene, plx_socket fd)
{
    scene_forget(scene, fd);
    close(fd);
}

static void allow_descriptors(size_t count)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur >= count)
        return;
    if (limit.rlim_max < count)
        check_skip("not enough descriptors for a process");
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

plx_socket duplicate_far_off(struct scene *scene, plx_socket fd)
{
    allow_descriptors(5000 + SPARE);
    return own(scene, fcntl(fd, F_DUPFD, 5000));
}

/* What was taken, and the limit of before. */
static struct {
    struct rlimit limit;
    int fds[NUMBERS];
    size_t count;
} hoard;

void use_up_descriptors(struct scene *scene)
{
    plx_socket source = null_device(scene);
    struct rlimit low;

    CHECK(getrlimit(RLIMIT_NOFILE, &hoard.limit) == 0);
    low = hoard.limit;
    low.rlim_cur = 128;
    CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    hoard.count = 0;
    while ((hoard.fds[hoard.count] = dup(source)) >= 0)
        hoard.count++;
    CHECK(errno == EMFILE);
}

void give_back_descriptors(struct scene *scene)
{
    (void)scene;
    while (hoard.count > 0)
        close(hoard.fds[--hoard.count]);
    CHECK(setrlimit(RLIMIT_NOFILE, &hoard.limit) == 0);
}

void ready_descriptors(struct scene *scene, plx_socket *ret_fds, size_t count)
{
    struct ends source;

    allow_descriptors(count + SPARE);
    source = pipe_pair(scene);
    put(source.there);
    for (size_t i = 0; i < count; i++)
        ret_fds[i] = duplicate(scene, source.here);
}

bool readable_now(plx_socket fd)
{
    struct pollfd entry = {fd, POLLIN, 0};

    return poll(&entry, 1, 0) == 1;
}

size_t open_descriptors(void)
{
    size_t count = 0;

    for (int fd = 0; fd < NUMBERS; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

size_t inherited_descriptors(void)
{
    size_t count = 0;

    for (int fd = 0; fd < NUMBERS; fd++) {
        int flags = fcntl(fd, F_GETFD);

        count += flags >= 0 && !(flags & FD_CLOEXEC);
    }
    return count;
}

#ifdef __linux__
plx_socket system_queue(struct scene *scene, plx_socket inner)
{
    plx_socket queue = scene_keep(scene, epoll_create1(EPOLL_CLOEXEC));
    struct epoll_event event;

    CHECK(queue >= 0);
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    CHECK(epoll_ctl(queue, EPOLL_CTL_ADD, inner, &event) == 0);
    return queue;
}

bool system_queue_ready(plx_socket queue)
{
    struct epoll_event event;

    return epoll_wait(queue, &event, 1, 0) == 1;
}
#else
plx_socket system_queue(struct scene *scene, plx_socket inner)
{
    (void)scene;
    (void)inner;
    check_skip("no level-triggered queue to nest in");
}

bool system_queue_ready(plx_socket queue)
{
    (void)queue;
    return false;
}
#endif
