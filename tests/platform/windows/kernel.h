/* SPDX-License-Identifier: MIT */
/*
 * kernel.h: the WSAPoll of real Windows, put beneath the backend in its table of calls. It refuses
 * what Windows refuses and Wine takes, it counts, it refuses calls when told to, and it can say of
 * a socket what a test wants it to say.
 */
#ifndef WINDOWS_KERNEL_H
#define WINDOWS_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <winsock2.h>

#include <pollux/handle.h>

/* The only events that Windows lets a program ask for. */
#define KERNEL_ASKABLE (POLLRDNORM | POLLRDBAND | POLLWRNORM)

#define KERNEL_PLAYED 64

struct kernel {
    uint32_t calls;  /* since it was set to 0, refused ones included, closing ones not */
    uint32_t refuse; /* 1: the next call; 2: the one after it; 0: none. Never a close */
    int cause;       /* what WSAGetLastError() then says */

    /* The last wait: what it was told, and what was in its array. */
    int slept; /* milliseconds */
    ULONG count;
    short asked;      /* the events of all entries together */
    bool was_strange; /* some wait was one that Windows would have refused */

    bool is_hasty; /* waits end at once */

    /* Sockets of which the kernel says what it is told, and that need not exist. */
    struct {
        plx_socket fd;
        short says;
    } played[KERNEL_PLAYED];
    uint32_t played_count;
    bool hides_its_count; /* the call returns 0, whatever it has set */

    SOCKET sender; /* what the last send went into */

    /* Somebody who is faster: called just before a connection is made to the wake's listener. */
    void (*intrude)(const struct sockaddr *address, int size);
};

extern struct kernel kernel;

/* Puts it beneath the backend, with all of it at zero. */
void kernel_open(void);
void kernel_close(void);

/* From now on that is what the kernel says of the socket. */
void kernel_play(plx_socket fd, short says);

/* The events that the last wait asked of a socket; -1: it was not in the array. */
int kernel_asked(plx_socket fd);

#endif
