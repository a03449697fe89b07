/* SPDX-License-Identifier: MIT */
/*
 * echo.h: the socket side of the echo servers, one and the same for every peer.
 *
 * A message is received into one static buffer and sent from there at once. Only what the socket
 * does not take is kept, and a connection that keeps something is not read from until it is gone.
 */
#ifndef BENCH_ECHO_H
#define BENCH_ECHO_H

#include "lateness.h"

#include <stdbool.h>
#include <stddef.h>

#define ECHO_BUFFER_SIZE 65536
#define ECHO_BACKLOG     4096

/* What a connection waits for next. */
enum echo_want { ECHO_WANT_READ, ECHO_WANT_WRITE, ECHO_WANT_CLOSE };

struct echo_connection {
    int fd;
    enum echo_want want;
    bool blocked; /* the last step left nothing to do until the kernel reports again */
    char *kept;   /* not sent yet; NULL almost always */
    size_t kept_size;
};

/*
 * What this server does beside echoing, from the command line. Zero: nothing.
 *
 * With idle_seconds every connection has a timer of the library, which each message pushes back
 * and which ends the connection. With `ticks` the server keeps a timer of one millisecond and
 * starts it again whenever it fired.
 */
struct echo_extras {
    unsigned idle_seconds;
    bool ticks;
};

#define ECHO_TICK_MS 1

extern struct echo_extras echo_extras;
extern char echo_buffer[ECHO_BUFFER_SIZE];

/*
 * Takes one waiting connection and sets its options. -1: none is left, or it went away meanwhile.
 * Ends the process when there are no descriptors left: such a trial measures nothing.
 */
int echo_accept(int listener);

void echo_open(struct echo_connection *connection, int fd);

/* Does the work of one readiness report and says what to wait for; `want` is still the old one. */
enum echo_want echo_step(struct echo_connection *connection);

/* Frees what is kept. The descriptor is the caller's to close, in the way of its library. */
void echo_drop(struct echo_connection *connection);

/* The timer of a millisecond was started, and it fired: how late it was is noted. */
void echo_tick_started(void);
void echo_tick_fired(void);

/* Where that is noted: memory shared with the client. NULL: nowhere. */
extern struct lateness *echo_lateness;

/* malloc that ends the process with a message. */
void *echo_allocate(size_t size);

/* Ends the program: there is nothing to be measured any more. */
void echo_fail(const char *what);

/* The same if something did not work. Who measures single calls pays for no more than the question.
 */
static inline void echo_require(bool good, const char *what)
{
    if (!good)
        echo_fail(what);
}

#endif
