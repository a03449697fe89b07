/* SPDX-License-Identifier: MIT */
/*
 * echo_client.c: starts an echo server, holds connections to it, keeps some of them busy, and
 * prints one JSON line for each number of busy ones.
 */
#include "load.h"
#include "machine.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_CELLS  16
#define MILLISECOND UINT64_C(1000000)

struct options {
    int connections;
    int active[MOST_CELLS];
    int cells;
    size_t bytes;
    uint64_t warmup;
    uint64_t measure;
    uint64_t requests; /* 0: for a time, not for a count */
    int cpu;
    bool pinned;
    const char *tag;
    char **server;
};

/* What one number of busy connections gave. */
struct cell {
    uint64_t wall;
    uint64_t server_cpu;
    uint64_t client_cpu;
    uint64_t busy; /* of all processors, whoever used them */
};

static const char usage_text[] =
    "usage: bench_echo_client [OPTION...] -- SERVER [ARGUMENT...]\n"
    "  --connections N  connections to hold (1000)\n"
    "  --active N,...   how many of them are busy, one after another (100)\n"
    "  --bytes N        size of a message, a multiple of 8 (64)\n"
    "  --warmup MS      before each measurement (200)\n"
    "  --measure MS     time of each measurement (1000)\n"
    "  --requests N     send so many instead of for a time\n"
    "  --cpu N          bind the client to a processor; it then never sleeps\n"
    "  --tag TEXT       JSON members to put in front of each line\n";

static void usage(void)
{
    fputs(usage_text, stderr);
    exit(2);
}

static void parse_active(struct options *options, char *list)
{
    options->cells = 0;
    for (char *item = strtok(list, ","); item; item = strtok(NULL, ",")) {
        if (options->cells == MOST_CELLS)
            usage();
        options->active[options->cells++] = (int)machine_number("--active", item, 1, 1000000);
    }
    if (options->cells == 0)
        usage();
}

static void parse_one(struct options *options, const char *name, char *value)
{
    if (strcmp(name, "--connections") == 0)
        options->connections = (int)machine_number(name, value, 1, 1000000);
    else if (strcmp(name, "--active") == 0)
        parse_active(options, value);
    else if (strcmp(name, "--bytes") == 0)
        options->bytes = (size_t)machine_number(name, value, 8, LOAD_LARGEST_MESSAGE) / 8 * 8;
    else if (strcmp(name, "--warmup") == 0)
        options->warmup = (uint64_t)machine_number(name, value, 0, 3600000) * MILLISECOND;
    else if (strcmp(name, "--measure") == 0)
        options->measure = (uint64_t)machine_number(name, value, 1, 3600000) * MILLISECOND;
    else if (strcmp(name, "--requests") == 0)
        options->requests = (uint64_t)machine_number(name, value, 1, 1000000000);
    else if (strcmp(name, "--cpu") == 0)
        options->cpu = (int)machine_number(name, value, 0, 1023);
    else if (strcmp(name, "--tag") == 0)
        options->tag = value;
    else
        usage();
}

static void parse(struct options *options, int argc, char *argv[])
{
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--") != 0; i += 2) {
        if (i + 1 >= argc)
            usage();
        parse_one(options, argv[i], argv[i + 1]);
    }
    if (i + 1 >= argc)
        usage();
    options->server = &argv[i + 1];
    for (int cell = 0; cell < options->cells; cell++)
        if (options->active[cell] > options->connections)
            usage();
}

static struct cell read_clocks(const struct server *server)
{
    return (struct cell){.wall = machine_clock(CLOCK_MONOTONIC),
                         .server_cpu = machine_clock(server->clock),
                         .client_cpu = machine_clock(CLOCK_PROCESS_CPUTIME_ID),
                         .busy = machine_busy_time()};
}

/* The share of one processor that neither the server nor the client used; ticks are coarse. */
static double foreign_share(const struct cell *cell)
{
    double foreign = (double)cell->busy - (double)cell->server_cpu - (double)cell->client_cpu;
    return foreign > 0 ? foreign / (double)cell->wall : 0;
}

static struct cell measure(struct load *load, const struct server *server,
                           const struct options *options, int active)
{
    load_start(load, active, options->requests ? options->requests : UINT64_MAX);
    if (!options->requests)
        load_run_until(load, machine_clock(CLOCK_MONOTONIC) + options->warmup);
    load_reset_counts(load);
    struct cell begin = read_clocks(server);
    load_run_until(load, options->requests ? UINT64_MAX : begin.wall + options->measure);
    struct cell end = read_clocks(server);
    return (struct cell){.wall = end.wall - begin.wall,
                         .server_cpu = end.server_cpu - begin.server_cpu,
                         .client_cpu = end.client_cpu - begin.client_cpu,
                         .busy = end.busy - begin.busy};
}

static void print_cell(const struct load *load, const struct server *server,
                       const struct options *options, int active, const struct cell *cell)
{
    double seconds = (double)cell->wall / 1e9;
    double replies = (double)load->replies;
    printf("{%s%s\"workload\":\"echo\",\"peer\":\"%s\",\"version\":\"%s\"", options->tag,
           *options->tag ? "," : "", server->name, server->version);
    printf(",\"bytes\":%zu,\"connections\":%d,\"active\":%d,\"held\":%d,\"errors\":%llu",
           options->bytes, options->connections, active, load->held,
           (unsigned long long)load->errors);
    printf(",\"requests\":%llu,\"seconds\":%.6f,\"requests_per_second\":%.1f",
           (unsigned long long)load->replies, seconds, (double)load->replies / seconds);
    printf(",\"server_cpu_ns\":%.1f,\"client_cpu_ns\":%.1f", (double)cell->server_cpu / replies,
           (double)cell->client_cpu / replies);
    printf(",\"server_busy\":%.4f", (double)cell->server_cpu / (double)cell->wall);
    printf(",\"p50_ns\":%llu,\"p99_ns\":%llu",
           (unsigned long long)histogram_quantile(&load->histogram, 0.50),
           (unsigned long long)histogram_quantile(&load->histogram, 0.99));
    printf(",\"server_rss_anon_kib\":%llu,\"foreign_cpu\":%.4f,\"pinned\":%s}\n",
           (unsigned long long)machine_anonymous_kib(server->process), foreign_share(cell),
           options->pinned ? "true" : "false");
    fflush(stdout);
}

static int run(struct load *load, struct server *server, const struct options *options)
{
    if (load_connect(load, &server->address) < 0) {
        fprintf(stderr, "%s: only %d of %d connections\n", server->name, load->held, load->count);
        return -1;
    }
    for (int i = 0; i < options->cells; i++) {
        struct cell cell = measure(load, server, options, options->active[i]);
        if (load->replies == 0) {
            /* A machine that was held up altogether: nothing was measured, and 0 would look fast.
             */
            fprintf(stderr, "%s: no reply in %d ms\n", server->name,
                    (int)(cell.wall / MILLISECOND));
            return -1;
        }
        print_cell(load, server, options, options->active[i], &cell);
        load_finish(load);
    }
    if (load->errors > 0)
        fprintf(stderr, "%s: %llu errors\n", server->name, (unsigned long long)load->errors);
    return load->errors > 0 ? -1 : 0;
}

int main(int argc, char *argv[])
{
    static struct load load;
    struct options options = {.connections = 1000,
                              .active = {100},
                              .cells = 1,
                              .bytes = 64,
                              .warmup = 200 * MILLISECOND,
                              .measure = 1000 * MILLISECOND,
                              .cpu = -1,
                              .tag = ""};
    struct server server;
    parse(&options, argc, argv);
    machine_raise_descriptor_limit();
    if (server_start(&server, options.server) < 0)
        return EXIT_FAILURE;
    options.pinned = options.cpu >= 0 && machine_pin(options.cpu);
    int status = -1;
    if (load_open(&load, options.connections, options.bytes, options.pinned) == 0)
        status = run(&load, &server, &options);
    /* A tracer of the server shall count requests, not the end of the connections. */
    if (!options.requests)
        load_close(&load);
    if (server_stop(&server) < 0)
        fprintf(stderr, "%s: the server did not end well\n", server.name);
    if (options.requests)
        load_close(&load);
    return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
