/* SPDX-License-Identifier: MIT */
/* echo_server.c: the echo server of one peer. Ends on SIGTERM, the system's way. */
#include "machine.h"
#include "options.h"
#include "peers/echo.h"
#include "peers/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static long cpu = -1;
static long idle = 0;
static long stall = 0;
static long lateness = -1;

static const struct option_number options[] = {
    {"--cpu", &cpu, 0, 1023, NULL},    {"--idle", &idle, 0, 1000000, NULL},
    {"--stall", &stall, 0, 900, NULL}, {"--lateness", &lateness, 0, 1000000, NULL},
    {NULL, NULL, 0, 0, NULL},
};

static const char usage[] =
    "usage: bench_echo_server --peer NAME [OPTION...]\n"
    "       bench_echo_server --list\n"
    "       bench_echo_server --list-idle     those that can keep idle timeouts\n"
    "       bench_echo_server --list-ticks    those that can keep a timer beside\n"
    "  --cpu N        bind to a processor\n"
    "  --idle S       a timer in each connection, which each message pushes back\n"
    "  --lateness FD  a timer of a millisecond; its lateness goes into the memory behind FD\n"
    "  --stall MS     do nothing for so long, once in each second\n";

static bool serves(const struct bench_peer *peer)
{
    return peer->serve;
}

static bool serves_idle(const struct bench_peer *peer)
{
    return peer->serves & BENCH_SERVES_IDLE;
}

static bool serves_ticks(const struct bench_peer *peer)
{
    return peer->serves & BENCH_SERVES_TICK;
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

/* Any code of any library is interrupted, as a page fault or a neighbour would do it. */
static void do_nothing(int signal)
{
    const struct timespec time = {.tv_nsec = stall * 1000000};
    (void)signal;
    nanosleep(&time, NULL);
}

static void start_stalling(void)
{
    const struct itimerval each = {.it_interval.tv_sec = 1, .it_value.tv_sec = 1};
    struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &each, NULL);
}

static int set_extras(void)
{
    echo_extras.idle_seconds = (unsigned)idle;
    echo_extras.ticks = lateness >= 0;
    if (stall)
        start_stalling();
    if (lateness < 0)
        return 0;
    void *memory =
        mmap(NULL, sizeof(*echo_lateness), PROT_READ | PROT_WRITE, MAP_SHARED, (int)lateness, 0);
    if (memory == MAP_FAILED) {
        perror("--lateness");
        return -1;
    }
    echo_lateness = memory;
    return 0;
}

static int serve(const struct bench_peer *peer)
{
    struct sockaddr_in address;
    int listener = open_listener(&address);
    if (listener < 0 || set_extras() < 0)
        return EXIT_FAILURE;
    printf("peer %s %s pid %d\n", peer->name, peer->version(), (int)getpid());
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    if (peer->open() == 0)
        peer->serve(listener);
    fprintf(stderr, "%s: the server failed\n", peer->name);
    return EXIT_FAILURE;
}

/* Only what it can do may be asked of a peer. */
static bool can_serve(const struct bench_peer *peer)
{
    return peer && serves(peer) && (!idle || serves_idle(peer)) &&
           (lateness < 0 || serves_ticks(peer));
}

int main(int argc, char *argv[])
{
    const struct bench_peer *peer = NULL;
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return bench_peer_list(serves);
    if (argc == 2 && strcmp(argv[1], "--list-idle") == 0)
        return bench_peer_list(serves_idle);
    if (argc == 2 && strcmp(argv[1], "--list-ticks") == 0)
        return bench_peer_list(serves_ticks);
    bool good = true;
    for (int i = 1; good && i < argc; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--peer") == 0)
            peer = bench_peer_find(argv[i + 1]);
        else
            good = i + 1 < argc && options_take(options, argv[i], argv[i + 1]);
    }
    if (!good || !can_serve(peer)) {
        fputs(usage, stderr);
        return 2;
    }
    /* Behind a tracer the parent is the tracer: when that goes, so does the server. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    machine_raise_descriptor_limit();
    if (cpu >= 0 && !machine_pin((int)cpu))
        fprintf(stderr, "%s: not bound to processor %ld\n", peer->name, cpu);
    return serve(peer);
}
