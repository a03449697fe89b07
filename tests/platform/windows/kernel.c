/* SPDX-License-Identifier: MIT */
/* kernel.c: see kernel.h. */
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

#include "backends/wsapoll.h"

#define ENTRIES 4096

struct kernel kernel;

static struct plx__wsapoll_calls real;
static WSAPOLLFD last[ENTRIES];

static bool is_refused(void)
{
    kernel.calls++;
    if (kernel.refuse == 0 || --kernel.refuse > 0)
        return false;
    WSASetLastError(kernel.cause);
    return true;
}

/* A negative number, which poll(2) would skip, is a bad socket here like any other. */
static bool is_strange(const WSAPOLLFD *entries, ULONG count)
{
    bool strange = count == 0 || count > ENTRIES;

    for (ULONG i = 0; i < count && !strange; i++)
        strange = (entries[i].events & ~KERNEL_ASKABLE) || (intptr_t)entries[i].fd < 0;
    return strange;
}

static void note(const WSAPOLLFD *entries, ULONG count, int milliseconds)
{
    kernel.slept = milliseconds;
    kernel.count = count;
    kernel.asked = 0;
    for (ULONG i = 0; i < count; i++) {
        last[i] = entries[i];
        kernel.asked = (short)(kernel.asked | entries[i].events);
    }
}

static short *played(plx_socket fd)
{
    for (uint32_t i = 0; i < kernel.played_count; i++) {
        if (kernel.played[i].fd == fd)
            return &kernel.played[i].says;
    }
    return NULL;
}

/* Asks the real one for all others. What is said of played ones is like what is true of any: only
   what was asked for, and what comes unasked. */
static int ask_real(WSAPOLLFD *entries, ULONG count, int milliseconds)
{
    static WSAPOLLFD others[ENTRIES];
    ULONG number = 0;
    int ready = 0, found = 0;

    for (ULONG i = 0; i < count; i++) {
        const short *says = played(entries[i].fd);

        if (says) {
            short heard = (short)(entries[i].events | POLLHUP | POLLERR | POLLNVAL);

            entries[i].revents = *says & heard;
            ready += entries[i].revents != 0;
        } else {
            others[number++] = entries[i];
        }
    }
    if (number > 0)
        found = real.wait(others, number, ready > 0 || kernel.is_hasty ? 0 : milliseconds);
    if (found < 0)
        return found;
    for (ULONG i = 0, j = 0; i < count; i++) {
        if (!played(entries[i].fd))
            entries[i].revents = others[j++].revents;
    }
    return ready + found;
}

static int WSAAPI call_wait(WSAPOLLFD *entries, ULONG count, int milliseconds)
{
    int ready;

    if (is_refused())
        return SOCKET_ERROR;
    if (is_strange(entries, count)) {
        kernel.was_strange = true;
        WSASetLastError(WSAEINVAL);
        return SOCKET_ERROR;
    }
    note(entries, count, milliseconds);
    ready = ask_real(entries, count, milliseconds);
    return kernel.hides_its_count && ready > 0 ? 0 : ready;
}

static int WSAAPI call_ask(SOCKET socket, int level, int option, char *value, int *size)
{
    if (is_refused())
        return SOCKET_ERROR;
    return played(socket) ? 0 : real.ask(socket, level, option, value, size);
}

static SOCKET WSAAPI call_open(int family, int type, int protocol, WSAPROTOCOL_INFOW *info,
                               GROUP group, DWORD flags)
{
    return is_refused() ? INVALID_SOCKET : real.open(family, type, protocol, info, group, flags);
}

static int WSAAPI call_connect(SOCKET socket, const struct sockaddr *address, int size)
{
    if (is_refused())
        return SOCKET_ERROR;
    if (kernel.intrude)
        kernel.intrude(address, size);
    return real.connect(socket, address, size);
}

static SOCKET WSAAPI call_accept(SOCKET listener, struct sockaddr *ret_address, int *size)
{
    return is_refused() ? INVALID_SOCKET : real.accept(listener, ret_address, size);
}

static int WSAAPI call_receive(SOCKET socket, char *bytes, int size, int flags)
{
    return is_refused() ? SOCKET_ERROR : real.receive(socket, bytes, size, flags);
}

static int WSAAPI call_send(SOCKET socket, const char *bytes, int size, int flags)
{
    kernel.sender = socket;
    return is_refused() ? SOCKET_ERROR : real.send(socket, bytes, size, flags);
}

void kernel_open(void)
{
    memset(&kernel, 0, sizeof kernel);
    real = plx__wsapoll_calls;
    plx__wsapoll_calls = (struct plx__wsapoll_calls){
        .wait = call_wait,
        .ask = call_ask,
        .open = call_open,
        .connect = call_connect,
        .accept = call_accept,
        .receive = call_receive,
        .send = call_send,
        .close = real.close,
    };
}

void kernel_close(void)
{
    if (real.wait)
        plx__wsapoll_calls = real;
}

void kernel_play(plx_socket fd, short says)
{
    short *known = played(fd);

    if (!known) {
        kernel.played[kernel.played_count].fd = fd;
        known = &kernel.played[kernel.played_count++].says;
    }
    *known = says;
}

int kernel_asked(plx_socket fd)
{
    for (ULONG i = 0; i < kernel.count; i++) {
        if (last[i].fd == fd)
            return last[i].events;
    }
    return -1;
}
