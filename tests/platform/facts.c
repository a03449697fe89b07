/* SPDX-License-Identifier: MIT */
/* facts.c: see facts.h. */
#include "facts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int kept[256];
static int kept_count;

void must(bool condition)
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

void tell(const struct fact *facts, void (*begin)(void))
{
    for (; facts->name; facts++) {
        begin();
        tap_result(facts->holds(), "%s", facts->name);
        drop_all();
    }
}
