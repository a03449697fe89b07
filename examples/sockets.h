/* SPDX-License-Identifier: MIT */
/*
 * sockets.h: what POSIX and Windows spell differently, for an example that runs on both. It is no
 * part of pollux, which leaves sockets to their owners.
 */
#ifndef POLLUX_EXAMPLES_SOCKETS_H
#define POLLUX_EXAMPLES_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#endif

#include <pollux.h>

#ifdef _WIN32

/* All of these are non-blocking, and no child inherits them. */
static inline plx_socket prepared(SOCKET fd)
{
    u_long on = 1;

    if (fd != INVALID_SOCKET) {
        ioctlsocket(fd, (long)FIONBIO, &on);
        SetHandleInformation((HANDLE)fd, HANDLE_FLAG_INHERIT, 0);
    }
    return fd;
}

static inline plx_socket socket_open(int family)
{
    return prepared(socket(family, SOCK_STREAM, IPPROTO_TCP));
}

static inline plx_socket socket_accept(plx_socket listener)
{
    return prepared(accept(listener, NULL, NULL));
}

static inline void socket_close(plx_socket fd)
{
    closesocket(fd);
}

/* Of the last call that failed. */
static inline bool socket_would_block(void)
{
    return WSAGetLastError() == WSAEWOULDBLOCK;
}

/* accept() failed for its client alone, which is gone. */
static inline bool socket_lost_client(void)
{
    return WSAGetLastError() == WSAECONNRESET;
}

static inline const char *socket_reason(void)
{
    return gai_strerrorA(WSAGetLastError()); /* it takes every number of Winsock's */
}

static inline ptrdiff_t socket_send(plx_socket fd, const void *bytes, size_t size)
{
    return send(fd, bytes, (int)size, 0);
}

static inline ptrdiff_t socket_receive(plx_socket fd, void *bytes, size_t size, int flags)
{
    return recv(fd, bytes, (int)size, flags);
}

/* A server that is started again gets its port back at once, and nobody takes it over. */
static inline bool socket_claim_address(plx_socket fd)
{
    const char on[sizeof(int)] = {1};

    return setsockopt(fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, on, sizeof(on)) == 0;
}

/* There is no limit but memory. */
static inline void raise_descriptor_limit(void)
{
}

#else

static inline plx_socket socket_open(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
}

static inline plx_socket socket_accept(plx_socket listener)
{
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static inline void socket_close(plx_socket fd)
{
    close(fd);
}

static inline bool socket_would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

static inline bool socket_lost_client(void)
{
    return errno == ECONNABORTED || errno == EPROTO;
}

static inline const char *socket_reason(void)
{
    return strerror(errno);
}

static inline ptrdiff_t socket_send(plx_socket fd, const void *bytes, size_t size)
{
    return send(fd, bytes, size, MSG_NOSIGNAL);
}

static inline ptrdiff_t socket_receive(plx_socket fd, void *bytes, size_t size, int flags)
{
    return recv(fd, bytes, size, flags);
}

static inline bool socket_claim_address(plx_socket fd)
{
    const int on = 1;

    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0;
}

/*
 * Thousands of connections need thousands of descriptors. The soft limit is low on many systems for
 * the sake of select(2); who does not use that may have all that is allowed.
 */
static inline void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

#endif

static inline void socket_do_not_delay(plx_socket fd)
{
    const char on[sizeof(int)] = {1};

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, on, sizeof(on));
}

#endif
