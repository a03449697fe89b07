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

static int kept[256];
static int kept_count;

static void must(bool condition)
{
    if (!condition) {
        tap_note("the machine refuses what a test needs: %s", strerror(errno));
        exit(1);
    }
}

int keep(int fd)
{
    must(fd >= 0 && kept_count < 256);
    kept[kept_count++] = fd;
    return fd;
}

void drop(int fd)
{
    for (int i = 0; i < kept_count; i++) {
        if (kept[i] == fd)
            kept[i--] = kept[--kept_count];
    }
    close(fd);
}

static void drop_all(void)
{
    while (kept_count > 0)
        close(kept[--kept_count]);
}

int new_queue(void)
{
    return keep(kqueue());
}

struct pair new_pipe(void)
{
    int ends[2];
    must(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    return (struct pair){keep(ends[0]), keep(ends[1])};
}

struct pair new_unix_pair(void)
{
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    return (struct pair){keep(ends[0]), keep(ends[1])};
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

bool shows(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    return poll(&look, 1, 0) == 1 && look.revents == POLLIN;
}

void put(int fd, const char *text)
{
    must(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

void empty(int fd)
{
    char bytes[4096];
    while (read(fd, bytes, sizeof bytes) > 0)
        continue;
}

void fill(int fd)
{
    static const char bytes[4096];
    while (write(fd, bytes, sizeof bytes) > 0)
        continue;
}

static void tell(const struct fact *facts)
{
    for (; facts->name; facts++) {
        kqueue_shim_play(&kqueue_shim_freebsd);
        tap_result(facts->holds(), "%s", facts->name);
        drop_all();
    }
}

int main(void)
{
    tell(facts_of_changes);
    tell(facts_of_modes);
    tell(facts_of_ends);
    tell(facts_of_files);
    tell(facts_of_sources);
    tell(facts_of_queues);
    return tap_end();
}
