/* SPDX-License-Identifier: MIT */
/*
 * echo_client.c: starts an echo server, holds connections to it, keeps some of them busy, and
 * prints one JSON line for each number of busy ones.
 */
#include "client.h"
#include "load.h"
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MILLISECOND UINT64_C(1000000)

static long connections = 1000;
static long active[OPTIONS_MOST_LISTED] = {100};
static int cells = 1;
static long bytes = 64;
static long depth = 1;
static long warmup = 200;
static long measured = 1000;
static long requests = 0; /* 0: for a time, not for a count */

static const struct option_number options[] = {
    {"--connections", &connections, 1, 1000000, NULL},
    {"--active", active, 1, 1000000, &cells},
    {"--bytes", &bytes, 8, LOAD_LARGEST_MESSAGE, NULL},
    {"--depth", &depth, 1, 1024, NULL},
    {"--warmup", &warmup, 0, 3600000, NULL},
    {"--measure", &measured, 1, 3600000, NULL},
    {"--requests", &requests, 1, 1000000000, NULL},
    {NULL, NULL, 0, 0, NULL},
};

static const char usage[] =
    "usage: bench_echo_client [OPTION...] -- SERVER [ARGUMENT...]\n"
    "  --connections N  connections to hold (1000)\n"
    "  --active N,...   how many of them are busy, one after another (100)\n"
    "  --bytes N        size of a message, a multiple of 8 (64)\n"
    "  --depth N        requests that a busy connection has under way (1)\n"
    "  --warmup MS      before each measurement (200)\n"
    "  --measure MS     time of each measurement (1000)\n"
    "  --requests N     send so many instead of for a time\n";

/* What one number of busy connections gave. */
struct cell {
    uint64_t wall;
    uint64_t server_cpu;
    uint64_t client_cpu;
};

static struct cell read_clocks(const struct server *server)
{
    return (struct cell){.wall = machine_clock(CLOCK_MONOTONIC),
                         .server_cpu = machine_clock(server->clock),
                         .client_cpu = machine_clock(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct cell measure(struct load *load, const struct server *server, int busy)
{
    load_start(load, busy, requests ? (uint64_t)requests : UINT64_MAX);
    if (!requests)
        load_run_until(load, machine_clock(CLOCK_MONOTONIC) + (uint64_t)warmup * MILLISECOND);
    load_reset_counts(load);
    struct cell begin = read_clocks(server);
    load_run_until(load, requests ? UINT64_MAX : begin.wall + (uint64_t)measured * MILLISECOND);
    struct cell end = read_clocks(server);
    return (struct cell){.wall = end.wall - begin.wall,
                         .server_cpu = end.server_cpu - begin.server_cpu,
                         .client_cpu = end.client_cpu - begin.client_cpu};
}

static void print_cell(const struct client *client, const struct load *load, long busy,
                       const struct cell *cell)
{
    double wall = (double)cell->wall;
    double replies = (double)load->replies;
    client_begin_line(client, "echo", "bytes=%ld,depth=%ld,connections=%ld,active=%ld", bytes,
                      depth, connections, busy);
    client_metric("server_cpu_ns", (double)cell->server_cpu / replies);
    client_metric("client_cpu_ns", (double)cell->client_cpu / replies);
    client_metric("requests_per_second", replies / wall * 1e9);
    client_metric("server_busy", (double)cell->server_cpu / wall);
    client_metric("p50_ns", (double)histogram_quantile(&load->histogram, 0.50));
    client_metric("p99_ns", (double)histogram_quantile(&load->histogram, 0.99));
    client_metric("held", (double)load->held);
    client_metric("errors", (double)load->errors);
    client_metric("requests", replies);
    client_metric("server_rss_anon_kib", (double)machine_anonymous_kib(client->server.process));
    client_end_line(client);
}

static int run(const struct client *client, struct load *load)
{
    const struct server *server = &client->server;
    if (load_connect(load, &server->address) < 0) {
        fprintf(stderr, "%s: only %d of %d connections\n", server->name, load->held, load->count);
        return -1;
    }
    for (int i = 0; i < cells; i++) {
        struct cell cell = measure(load, server, (int)active[i]);
        if (load->replies == 0) {
            /* A machine that was held up altogether: nothing was measured, and 0 would look fast.
             */
            fprintf(stderr, "%s: no reply\n", server->name);
            return -1;
        }
        print_cell(client, load, active[i], &cell);
        load_finish(load);
    }
    if (load->errors > 0)
        fprintf(stderr, "%s: %llu errors\n", server->name, (unsigned long long)load->errors);
    return load->errors > 0 ? -1 : 0;
}

/* Messages that fit into the buffers of the client, and no more busy connections than there are. */
static bool fits(void)
{
    bytes = bytes / 8 * 8;
    for (int i = 0; i < cells; i++)
        if (active[i] > connections)
            return false;
    return bytes * depth <= LOAD_LARGEST_MESSAGE;
}

int main(int argc, char *argv[])
{
    static struct load load;
    struct client client = client_begin(argc, argv, usage, options);
    if (!fits()) {
        fputs(usage, stderr);
        return 2;
    }
    client_start_server(&client);
    int status = -1;
    if (load_open(&load, (int)connections, (size_t)bytes, (int)depth, client.pinned) == 0)
        status = run(&client, &load);
    /* A tracer of the server shall count requests, not the end of the connections. */
    if (!requests)
        load_close(&load);
    if (server_stop(&client.server) < 0)
        fprintf(stderr, "%s: the server did not end well\n", client.server.name);
    if (requests)
        load_close(&load);
    return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
