/* SPDX-License-Identifier: MIT */
/* kit.c: see kit.h. */
#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int new_port(void)
{
    return keep(port_create());
}

struct pair new_tcp_pair(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = keep(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    int client = keep(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    must(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0);
    must(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    must(connect(client, (struct sockaddr *)&address, size) == 0);
    must(fcntl(client, F_SETFL, O_NONBLOCK) == 0);
    int server = keep(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    drop(listener);
    return (struct pair){client, server};
}

int new_file(void)
{
    char path[] = "/tmp/event_ports_shim_XXXXXX";
    int fd = keep(mkostemp(path, O_CLOEXEC));
    unlink(path);
    return fd;
}

void reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    drop(fd);
}

struct numbers next_numbers(void)
{
    struct numbers numbers;
    for (int i = 0; i < 8; i++)
        numbers.fds[i] = keep(dup(0));
    for (int i = 0; i < 8; i++)
        drop(numbers.fds[i]);
    return numbers;
}

bool are_next(struct numbers numbers)
{
    const struct numbers present = next_numbers();
    return memcmp(&numbers, &present, sizeof present) == 0;
}

int associate(int port, int fd, int events)
{
    return port_associate(port, PORT_SOURCE_FD, (uintptr_t)fd, events, NULL) == 0 ? 0 : errno;
}

int dissociate(int port, int fd)
{
    return port_dissociate(port, PORT_SOURCE_FD, (uintptr_t)fd) == 0 ? 0 : errno;
}

int ask(int port, port_event_t *ret_events, unsigned int max)
{
    struct timespec at_once = {0, 0};
    uint_t count = 1;
    return port_getn(port, ret_events, max, &count, &at_once) == 0 ? (int)count : -1;
}

bool await(int port, port_event_t *ret_event)
{
    struct timespec patience = {20, 0};
    return port_get(port, ret_event, &patience) == 0;
}

bool is_told(int port, int fd, int events)
{
    port_event_t told[2];
    return ask(port, told, 2) == 1 && told[0].portev_source == PORT_SOURCE_FD &&
           told[0].portev_object == (uintptr_t)fd && told[0].portev_events == events;
}

static void play(void)
{
    port_shim_play(&port_shim_illumos);
}

int main(void)
{
    tell(facts_of_associations, play);
    tell(facts_of_getting, play);
    tell(facts_of_sending, play);
    tell(facts_of_ports, play);
    tell(facts_of_threads, play);
    tell(facts_of_knobs, play);
    return tap_end();
}
