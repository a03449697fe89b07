/* SPDX-License-Identifier: MIT */
/* kit.c: see kit.h. */
#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int new_queue(void)
{
    return keep(kqueue());
}

static struct sockaddr_in loopback(void)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int new_listener(void)
{
    struct sockaddr_in address = loopback();
    int fd = keep(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    must(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0);
    return fd;
}

int new_client(int listener)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = keep(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    must(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    must(connect(fd, (struct sockaddr *)&address, size) == 0 || errno == EINPROGRESS);
    return fd;
}

struct pair new_tcp_pair(void)
{
    int listener = new_listener();
    struct pollfd look = {.fd = listener, .events = POLLIN};
    struct pair pair = {.here = new_client(listener)};
    must(poll(&look, 1, -1) == 1);
    pair.there = keep(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    drop(listener);
    return pair;
}

int change_with(int kq, intptr_t ident, int filter, unsigned int flags, unsigned int fflags,
                intptr_t data, void *udata)
{
    struct kevent event;
    EV_SET(&event, ident, filter, flags, fflags, data, udata);
    return kevent(kq, &event, 1, NULL, 0, NULL) == 0 ? 0 : errno;
}

int change(int kq, intptr_t ident, int filter, unsigned int flags)
{
    return change_with(kq, ident, filter, flags, 0, 0, NULL);
}

int ask(int kq, struct kevent *ret_events, int room)
{
    static const struct timespec at_once;
    return kevent(kq, NULL, 0, ret_events, room, &at_once);
}

int await(int kq, struct kevent *ret_events, int room)
{
    static const struct timespec patience = {20, 0};
    return kevent(kq, NULL, 0, ret_events, room, &patience);
}

static void play(void)
{
    kqueue_shim_play(&kqueue_shim_freebsd);
}

int main(void)
{
    tell(facts_of_changes, play);
    tell(facts_of_modes, play);
    tell(facts_of_ends, play);
    tell(facts_of_files, play);
    tell(facts_of_sources, play);
    tell(facts_of_queues, play);
    return tap_end();
}
