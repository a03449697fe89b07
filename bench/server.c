/* SPDX-License-Identifier: MIT */
/* server.c: see server.h. */
#include "server.h"

#include "machine.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_LIMIT_MS 20000
#define STOP_LIMIT_MS  10000

static void run_child(int output, char *const arguments[])
{
    /* An interrupted benchmark leaves no server behind. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output, STDOUT_FILENO);
    execvp(arguments[0], arguments);
    perror(arguments[0]);
    _exit(127);
}

/* True when the line was the last one that matters. */
static int take_line(struct server *server, const char *line)
{
    char text[64];
    int port;
    int process;
    if (sscanf(line, "peer %63s %63s pid %d", server->name, server->version, &process) == 3)
        server->process = process;
    if (sscanf(line, "listening on %63[0-9.]:%d", text, &port) != 2)
        return 0;
    server->address.sin_family = AF_INET;
    server->address.sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, text, &server->address.sin_addr) == 1;
}

static int read_announcement(struct server *server, int input)
{
    char text[512];
    size_t used = 0;
    while (used < sizeof(text) - 1) {
        struct pollfd readable = {.fd = input, .events = POLLIN};
        if (poll(&readable, 1, START_LIMIT_MS) <= 0)
            return -1;
        if (read(input, &text[used], 1) != 1)
            return -1;
        if (text[used++] != '\n')
            continue;
        text[used] = '\0';
        if (take_line(server, text))
            return 0;
        used = 0;
    }
    return -1;
}

int server_start(struct server *server, char *const arguments[])
{
    memset(server, 0, sizeof(*server));
    const char *slash = strrchr(arguments[0], '/');
    snprintf(server->name, sizeof(server->name), "%s", slash ? slash + 1 : arguments[0]);
    int ends[2];
    if (pipe(ends) < 0)
        return -1;
    server->child = fork();
    if (server->child == 0)
        run_child(ends[1], arguments);
    close(ends[1]);
    server->process = server->child;
    int status = server->child < 0 ? -1 : read_announcement(server, ends[0]);
    /* The reading end stays open on purpose: a server may print more and must not die of it. */
    if (status == 0 && clock_getcpuclockid(server->process, &server->clock) == 0)
        return 0;
    fprintf(stderr, "%s: no server came up\n", arguments[0]);
    return -1;
}

int server_stop(struct server *server)
{
    if (kill(server->process, SIGTERM) < 0)
        return -1;
    uint64_t limit = machine_clock(CLOCK_MONOTONIC) + STOP_LIMIT_MS * UINT64_C(1000000);
    while (machine_clock(CLOCK_MONOTONIC) < limit) {
        if (waitpid(server->child, NULL, WNOHANG) == server->child)
            return 0;
        poll(NULL, 0, 1);
    }
    kill(server->process, SIGKILL);
    kill(server->child, SIGKILL);
    waitpid(server->child, NULL, 0);
    return -1;
}
