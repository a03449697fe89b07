/* SPDX-License-Identifier: MIT */
/*
 * windows.c: os.h for Windows, where the descriptors are sockets and nobody forks.
 */
#include "src/os/os.h"

#include <stdlib.h>
#include <winsock2.h>

#include <pollux/error.h>
#include <pollux/event.h>

const uint32_t plx__os_supports = PLX_SIGNAL | PLX_PROCESS;

/*
 * The only clock here that is finer than a tick of the scheduler, 15.6 ms, and never goes
 * backwards. It neither fails nor changes its rate since Windows XP.
 */
int64_t plx__os_now(void)
{
    LARGE_INTEGER rate, now;
    QueryPerformanceFrequency(&rate);
    QueryPerformanceCounter(&now);
    int64_t seconds = now.QuadPart / rate.QuadPart;
    int64_t rest = now.QuadPart % rate.QuadPart;
    return seconds * 1000000000 + rest * 1000000000 / rate.QuadPart;
}

uint64_t plx__os_thread(void)
{
    return GetCurrentThreadId();
}

int plx__os_error(void)
{
    switch (WSAGetLastError()) {
    case WSA_NOT_ENOUGH_MEMORY:
    case WSAENOBUFS:
        return PLX_ERR_NOMEM;
    case WSA_INVALID_HANDLE:
    case WSAENOTSOCK:
    case WSAEBADF:
        return PLX_ERR_BADHANDLE;
    case WSA_INVALID_PARAMETER:
    case WSAEINVAL:
        return PLX_ERR_INVALID;
    case ERROR_ACCESS_DENIED:
    case WSAEACCES:
        return PLX_ERR_PERMISSION;
    case ERROR_TOO_MANY_OPEN_FILES:
    case WSAEMFILE:
    case WSAEPROCLIM:
        return PLX_ERR_TOOBIG;
    case WSAEWOULDBLOCK:
        return PLX_ERR_AGAIN;
    case WSAEOPNOTSUPP:
        return PLX_ERR_NOSUPPORT;
    default:
        return PLX_ERR_SYSTEM;
    }
}

bool plx__os_is_open(plx_socket fd)
{
    int type, size = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, (char *)&type, &size) == 0;
}

/* Asked only of what a backend refuses because it is always ready: here there is no such thing. */
uint32_t plx__os_file_identity(plx_socket fd)
{
    (void)fd;
    return 0;
}

int plx__os_close(plx_socket fd)
{
    if (closesocket(fd) == 0)
        return PLX_OK;
    return WSAGetLastError() == WSAENOTSOCK ? PLX_ERR_BADHANDLE : PLX_ERR_SYSTEM;
}

/* Here no program runs with other rights than its caller's. */
const char *plx__os_environment(const char *name)
{
    return getenv(name);
}

/* The stamp of the only process that there ever is. */
static const plx__guard guard = 1;

const plx__guard *plx__os_guard(uint32_t *ret_stamp)
{
    *ret_stamp = 1;
    return &guard;
}
