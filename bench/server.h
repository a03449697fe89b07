/* SPDX-License-Identifier: MIT */
/*
 * server.h: the server under test, as a child process.
 *
 * Any program will do that prints `listening on ADDRESS:PORT` and serves until SIGTERM. If it
 * prints `peer NAME VERSION pid PID` before, the numbers are reported under that name, and the
 * process is found also behind a tracer.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct server {
    pid_t child;     /* what was started: the server or a tracer of it */
    pid_t process;   /* the server */
    clockid_t clock; /* the processor time it has used */
    struct sockaddr_in address;
    char name[64];
    char version[64];
};

/* Starts it and waits until it listens. 0, or -1 after a message. */
int server_start(struct server *server, char *const arguments[]);

/* Ends it and waits for it. 0 if it was still there and went when it was told to. */
int server_stop(struct server *server);

#endif
