/* SPDX-License-Identifier: MIT */
/*
 * child.h: a program under test as a child process, and the echo server as one.
 */
#ifndef POLLUX_TESTS_CHILD_H
#define POLLUX_TESTS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* How long a test waits for what must happen before it calls it missing. Nothing measures it. */
enum { PATIENCE_MS = 30000 };

enum { OUTPUT_SIZE = 2048, ARGUMENTS = 16 };

struct child {
    pid_t pid;
    int out;
    int err;
};

/* How a child ended: the exit status, or -1 if it had to be killed, and all it printed. */
struct ending {
    int status;
    char out[OUTPUT_SIZE];
    char err[OUTPUT_SIZE];
};

/* `descriptors`: its limit of open descriptors, 0 to leave it alone. */
bool child_start(struct child *child, char *const *arguments, unsigned descriptors);

/* The same, with `input` as its standard input, which stays the caller's to close. */
bool child_start_fed(struct child *child, char *const *arguments, int input);

/* The next line that it prints, without its line feed. False: it did not come, or not as a whole.
 */
bool child_read_line(struct child *child, char *line, size_t size);

/* Sends the signal, unless it is 0, and collects the child. */
struct ending child_end(struct child *child, int signo);

/* What the kernel says of the child. Negative: it does not say. */
long child_rss_anon_kib(const struct child *child);

/* False under a sanitizer: its memory is in the number, and much more than ours. */
bool child_memory_tells(void);

/* How many descriptors below `limit` it has open. What it inherited by chance may lie above. */
long child_descriptors(const struct child *child, long limit);

int64_t child_cpu_ns(const struct child *child);

struct echo_server {
    struct child child;
    char line[128]; /* "listening on ...", without the line feed */
    struct sockaddr_storage address;
    socklen_t address_size;
};

/*
 * Starts `path` with these options (a list that ends with NULL) and waits for its first line. On
 * failure the child is gone again, and a note says why.
 */
bool echo_server_start(struct echo_server *server, const char *path, char *const *options,
                       unsigned descriptors);

/* A blocking connection with PATIENCE_MS as time limits; -1 if it fails. */
int echo_server_connect(const struct echo_server *server);

/*
 * The same for a client that reads late, with kernel buffers as small as they get: few bytes are
 * enough to fill them, and what comes then is what the server does with the rest.
 */
int echo_server_connect_small(const struct echo_server *server);

#endif
