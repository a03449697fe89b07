/* SPDX-License-Identifier: MIT */
/*
 * wsapoll.h: the seam of the backend wsapoll for its tests, as epoll.h is for epoll.
 */
#ifndef POLLUX_BACKENDS_WSAPOLL_H
#define POLLUX_BACKENDS_WSAPOLL_H

#include <winsock2.h>

struct plx__wsapoll_calls {
    int(WSAAPI *wait)(WSAPOLLFD *entries, ULONG count, int milliseconds);
    int(WSAAPI *ask)(SOCKET socket, int level, int option, char *value, int *size);
    SOCKET(WSAAPI *open)
    (int family, int type, int protocol, WSAPROTOCOL_INFOW *info, GROUP group, DWORD flags);
    int(WSAAPI *connect)(SOCKET socket, const struct sockaddr *address, int size);
    SOCKET(WSAAPI *accept)(SOCKET listener, struct sockaddr *ret_address, int *size);
    int(WSAAPI *receive)(SOCKET socket, char *bytes, int size, int flags);
    int(WSAAPI *send)(SOCKET socket, const char *bytes, int size, int flags);
    int(WSAAPI *close)(SOCKET socket);
};

extern struct plx__wsapoll_calls plx__wsapoll_calls;

#endif
