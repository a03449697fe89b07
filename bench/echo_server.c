/* SPDX-License-Identifier: MIT */
/* echo_server.c: the echo server of one peer. Ends on SIGTERM, the system's way. */
#include "machine.h"
#include "peers/echo.h"
#include "peers/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int usage(FILE *stream, int status)
{
    fputs("usage: bench_echo_server --peer NAME [--cpu N]\n"
          "       bench_echo_server --list\n",
          stream);
    return status;
}

static bool takes_part(const struct bench_peer *peer)
{
    return peer->serve;
}

static int open_listener(struct sockaddr_in *address)
{
    socklen_t size = sizeof(*address);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)address, sizeof(*address)) < 0 ||
        listen(fd, ECHO_BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)address, &size) < 0) {
        perror("listen");
        return -1;
    }
    return fd;
}

static int serve(const struct bench_peer *peer)
{
    struct sockaddr_in address;
    int listener = open_listener(&address);
    if (listener < 0)
        return EXIT_FAILURE;
    printf("peer %s %s pid %d\n", peer->name, peer->version(), (int)getpid());
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    if (peer->open() == 0)
        peer->serve(listener);
    fprintf(stderr, "%s: the server failed\n", peer->name);
    return EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
    const struct bench_peer *peer = NULL;
    int cpu = -1;
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return bench_peer_list(takes_part);
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--peer") == 0) {
            peer = bench_peer_find(argv[i + 1]);
        } else if (i + 1 < argc && strcmp(argv[i], "--cpu") == 0) {
            cpu = (int)machine_number(argv[i], argv[i + 1], 0, 1023);
        } else {
            return usage(stderr, 2);
        }
    }
    if (!peer)
        return usage(stderr, 2);
    /* Behind a tracer the parent is the tracer: when that goes, so does the server. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    machine_raise_descriptor_limit();
    if (cpu >= 0 && !machine_pin(cpu))
        fprintf(stderr, "%s: not bound to processor %d\n", peer->name, cpu);
    return serve(peer);
}
