/* SPDX-License-Identifier: MIT */
/*
 * socket_windows.c: socket.h on Windows, with WSAPoll as the witness of what has arrived. Windows
 * can wait for sockets and for nothing else; what is no socket skips the case.
 */
#include "socket.h"

#include <stdint.h>
#include <string.h>

#include <winsock2.h>
#include <ws2tcpip.h>

#include "system.h"

/* Both ends' buffers, so that a connection is soon full. */
#define BUFFER 8192

/* Handles are multiples of four; numbers above this one are not looked at when they are counted. */
#define NUMBERS 4096

/* How long a full socket must stay full: longer than the peer's kernel may put off telling that it
   has taken what was sent. */
#define STILL_MOVING_MS 120

static plx_socket own(struct scene *scene, SOCKET fd)
{
    u_long on = 1;

    CHECK(fd != INVALID_SOCKET);
    CHECK(ioctlsocket(fd, (long)FIONBIO, &on) == 0);
    CHECK(SetHandleInformation((HANDLE)fd, HANDLE_FLAG_INHERIT, 0));
    return scene_keep(scene, fd);
}

/* What WSAPoll says of one socket within that time; 0 if nothing. */
static short state_of(plx_socket fd, short asked, int milliseconds)
{
    WSAPOLLFD entry = {fd, asked, 0};

    CHECK(WSAPoll(&entry, 1, milliseconds) >= 0);
    return entry.revents;
}

/* Returns when one of `wanted` at least has come. */
static void until(plx_socket fd, short asked, short wanted)
{
    plx_duration deadline = now() + PATIENCE;

    while (!(state_of(fd, asked, 100) & wanted)) {
        CHECK(now() < deadline);
        Sleep(1);
    }
}

/* There is no socketpair(), and connections over loopback are what there is in its place. */
struct ends stream_pair(struct scene *scene)
{
    return tcp_pair(scene);
}

struct ends unix_pair(struct scene *scene)
{
    (void)scene;
    check_skip("Windows has no pairs of UNIX sockets");
}

struct ends pipe_pair(struct scene *scene)
{
    (void)scene;
    check_skip("Windows cannot wait for pipes to be ready");
}

struct ends terminal_pair(struct scene *scene)
{
    (void)scene;
    check_skip("Windows has no pseudo-terminals to wait for");
}

static plx_socket new_socket(struct scene *scene, int type)
{
    int size = BUFFER;
    plx_socket fd = own(scene, socket(AF_INET, type, 0));

    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, (const char *)&size, sizeof size) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, (const char *)&size, sizeof size) == 0);
    return fd;
}

static plx_socket bound_socket(struct scene *scene, int type)
{
    struct sockaddr_in address;
    plx_socket fd = new_socket(scene, type);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static void connect_socket(plx_socket fd, plx_socket peer)
{
    struct sockaddr_in address;
    int length = sizeof address;

    CHECK(getsockname(peer, (struct sockaddr *)&address, &length) == 0);
    CHECK(connect(fd, (struct sockaddr *)&address, length) == 0 ||
          WSAGetLastError() == WSAEWOULDBLOCK);
}

plx_socket listen_socket(struct scene *scene)
{
    plx_socket fd = bound_socket(scene, SOCK_STREAM);

    CHECK(listen(fd, 16) == 0);
    return fd;
}

plx_socket connect_to(struct scene *scene, plx_socket listener)
{
    plx_socket fd = new_socket(scene, SOCK_STREAM);
    int on = 1;

    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof on) == 0);
    connect_socket(fd, listener);
    until(listener, POLLRDNORM, POLLRDNORM);
    until(fd, POLLWRNORM, POLLWRNORM);
    return fd;
}

struct ends tcp_pair(struct scene *scene)
{
    plx_socket listener = listen_socket(scene);
    struct ends ends;
    int on = 1;

    ends.there = connect_to(scene, listener);
    ends.here = own(scene, accept(listener, NULL, NULL));
    CHECK(setsockopt(ends.here, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof on) == 0);
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
    plx_socket fd = new_socket(scene, SOCK_STREAM);

    connect_socket(fd, deaf);
    until(fd, POLLWRNORM, POLLERR | POLLHUP);
    return fd;
}

static _Noreturn void skip_files(void)
{
    check_skip("Windows waits for sockets, not for files");
}

plx_socket regular_file(struct scene *scene)
{
    (void)scene;
    skip_files();
}

plx_socket always_ready(struct scene *scene)
{
    struct ends ends = stream_pair(scene);

    say(&ends);
    return ends.here;
}

plx_socket directory(struct scene *scene)
{
    (void)scene;
    skip_files();
}

plx_socket null_device(struct scene *scene)
{
    (void)scene;
    skip_files();
}

/* An event: a handle like any other, and no socket. */
plx_socket path_only(struct scene *scene)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);

    CHECK(event != NULL);
    return scene_keep(scene, (plx_socket)event);
}

plx_socket duplicate(struct scene *scene, plx_socket fd)
{
    WSAPROTOCOL_INFOW description;

    CHECK(WSADuplicateSocketW(fd, GetCurrentProcessId(), &description) == 0);
    return own(scene, WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO,
                                 &description, 0, WSA_FLAG_OVERLAPPED));
}

plx_socket duplicate_far_off(struct scene *scene, plx_socket fd)
{
    (void)scene;
    (void)fd;
    check_skip("Windows chooses the numbers of sockets itself");
}

/* The system hands out numbers that were closed, though in an order of its own. */
void move_to(struct scene *scene, plx_socket fd, plx_socket number)
{
    plx_socket tried[64];
    size_t count = 0;
    bool found = false;

    close_descriptor(scene, number);
    while (!found && count < sizeof tried / sizeof tried[0]) {
        tried[count] = duplicate(scene, fd);
        found = tried[count++] == number;
    }
    for (size_t i = 0; i < count; i++) {
        if (tried[i] != number)
            close_descriptor(scene, tried[i]);
    }
    if (!found)
        check_skip("Windows did not give the number again");
    close_descriptor(scene, fd);
}

/* One of several that are closed, so that it is not the next that is given out. */
plx_socket closed_number(struct scene *scene)
{
    plx_socket fds[32];
    size_t count = sizeof fds / sizeof fds[0];

    for (size_t i = 0; i < count; i++)
        fds[i] = own(scene, socket(AF_INET, SOCK_DGRAM, 0));
    for (size_t i = count; i-- > 0;)
        close_descriptor(scene, fds[i]);
    return fds[count - 1];
}

bool is_open(plx_socket fd)
{
    DWORD flags;

    return GetHandleInformation((HANDLE)fd, &flags);
}

void until_readable(plx_socket fd)
{
    until(fd, POLLRDNORM, POLLRDNORM | POLLHUP | POLLERR);
}

void say(const struct ends *ends)
{
    put(ends->there);
    until_readable(ends->here);
}

void put(plx_socket fd)
{
    CHECK(send(fd, "x", 1, 0) == 1);
}

void put_urgent(const struct ends *ends)
{
    CHECK(send(ends->there, "!", 1, MSG_OOB) == 1);
    until(ends->here, POLLRDBAND, POLLRDBAND);
}

size_t drain(plx_socket fd)
{
    static char buffer[65536];
    size_t total = 0;

    for (;;) {
        int count = recv(fd, buffer, sizeof buffer, 0);

        if (count <= 0)
            return total;
        total += (size_t)count;
    }
}

void take(plx_socket fd, void *buffer, size_t size)
{
    CHECK(recv(fd, buffer, (int)size, 0) == (int)size);
}

void fill(plx_socket fd)
{
    static const char zeroes[4096];

    do {
        while (send(fd, zeroes, sizeof zeroes, 0) > 0)
            continue;
        CHECK_EQUAL(WSAGetLastError(), WSAEWOULDBLOCK);
    } while (state_of(fd, POLLWRNORM, STILL_MOVING_MS) & POLLWRNORM);
}

int pending_error(plx_socket fd)
{
    int error = 0, length = sizeof error;

    CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, (char *)&error, &length) == 0);
    return error;
}

void half_close(plx_socket fd)
{
    CHECK(shutdown(fd, SD_SEND) == 0);
}

/* With data before it an end does not show at all, so this may return too early then. */
void there_half_closes(const struct ends *ends)
{
    half_close(ends->there);
    until_readable(ends->here);
}

void there_closes(struct scene *scene, struct ends *ends)
{
    close_descriptor(scene, ends->there);
    ends->there = PLX_BAD_SOCKET;
    until_readable(ends->here);
}

void there_resets(struct scene *scene, struct ends *ends)
{
    struct linger now_and_hard = {1, 0};

    CHECK(setsockopt(ends->there, SOL_SOCKET, SO_LINGER, (const char *)&now_and_hard,
                     sizeof now_and_hard) == 0);
    close_descriptor(scene, ends->there);
    ends->there = PLX_BAD_SOCKET;
    until(ends->here, POLLRDNORM, POLLERR | POLLHUP);
}

/* A close would be the end of what can be read, and no more. */
void there_hangs_up(struct scene *scene, struct ends *ends)
{
    there_resets(scene, ends);
}

void close_descriptor(struct scene *scene, plx_socket fd)
{
    scene_forget(scene, fd);
    if (closesocket(fd) != 0 && WSAGetLastError() == WSAENOTSOCK && is_open(fd))
        CloseHandle((HANDLE)fd);
}

void use_up_descriptors(struct scene *scene)
{
    (void)scene;
    check_skip("Windows has no limit of descriptors that could be reached");
}

void give_back_descriptors(struct scene *scene)
{
    (void)scene;
}

void ready_descriptors(struct scene *scene, plx_socket *ret_fds, size_t count)
{
    struct ends source = stream_pair(scene);

    say(&source);
    for (size_t i = 0; i < count; i++)
        ret_fds[i] = duplicate(scene, source.here);
}

bool readable_now(plx_socket fd)
{
    return state_of(fd, POLLRDNORM, 0) != 0;
}

/* How many handles have all of these flags; flags of 0 are open handles. */
static size_t count_handles(DWORD wanted)
{
    size_t count = 0;
    DWORD flags;

    for (uintptr_t number = 4; number < 4 * NUMBERS; number += 4) {
        if (GetHandleInformation((HANDLE)number, &flags))
            count += (flags & wanted) == wanted;
    }
    return count;
}

size_t open_descriptors(void)
{
    return count_handles(0);
}

size_t inherited_descriptors(void)
{
    return count_handles(HANDLE_FLAG_INHERIT);
}

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
