/* SPDX-License-Identifier: MIT */
/* client.h: what the clients have in common: their options, the server, and the line of results. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "options.h"
#include "server.h"

#include <stdbool.h>

struct client {
    const char *tag; /* JSON members to put in front of each line */
    bool pinned;     /* a processor of its own: it need not sleep */
    char **command;  /* of the server */
    struct server server;
};

/*
 * Reads the options: --cpu N, --tag TEXT, those of the table, and the command of the server behind
 * `--`. Ends the process with status 2 and the usage text when something is wrong. Nothing is
 * started yet.
 */
struct client client_begin(int argc, char *argv[], const char *usage,
                           const struct option_number *options);

/* Starts the server, and binds this process only then. Ends the process if there is none. */
void client_start_server(struct client *client);

/* A line of results: see driver.h. */
__attribute__((format(printf, 3, 4))) void
client_begin_line(const struct client *client, const char *workload, const char *cell, ...);
void client_metric(const char *name, double value);
void client_end_line(const struct client *client);

#endif
