/* SPDX-License-Identifier: MIT */
/* client.c: see client.h. */
#include "client.h"

#include "machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long cpu = -1;

static const struct option_number common[] = {
    {"--cpu", &cpu, 0, 1023, NULL},
    {NULL, NULL, 0, 0, NULL},
};

static _Noreturn void stop(const char *usage)
{
    fputs(usage, stderr);
    fputs("  --cpu N          bind the client to a processor; it then never sleeps\n"
          "  --tag TEXT       JSON members to put in front of each line\n",
          stderr);
    exit(2);
}

struct client client_begin(int argc, char *argv[], const char *usage,
                           const struct option_number *options)
{
    struct client client = {.tag = ""};
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--") != 0; i += 2) {
        if (i + 1 == argc)
            stop(usage);
        if (strcmp(argv[i], "--tag") == 0)
            client.tag = argv[i + 1];
        else if (!options_take(common, argv[i], argv[i + 1]) &&
                 !options_take(options, argv[i], argv[i + 1]))
            stop(usage);
    }
    if (i + 1 >= argc)
        stop(usage);
    client.command = &argv[i + 1];
    machine_raise_descriptor_limit();
    return client;
}

void client_start_server(struct client *client)
{
    if (server_start(&client->server, client->command) < 0)
        exit(EXIT_FAILURE);
    client->pinned = cpu >= 0 && machine_pin((int)cpu);
}

void client_begin_line(const struct client *client, const char *workload, const char *cell, ...)
{
    va_list values;
    printf("{%s%s\"workload\":\"%s\",\"cell\":\"", client->tag, *client->tag ? "," : "", workload);
    va_start(values, cell);
    vprintf(cell, values);
    va_end(values);
    printf("\",\"peer\":\"%s\",\"version\":\"%s\"", client->server.name, client->server.version);
}

void client_metric(const char *name, double value)
{
    printf(",\"%s\":%.2f", name, value);
}

void client_end_line(const struct client *client)
{
    printf(",\"pinned\":%s}\n", client->pinned ? "true" : "false");
    fflush(stdout);
}
