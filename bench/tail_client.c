/* SPDX-License-Identifier: MIT */
/*
 * tail_client.c: how late are the answers of a server that is asked at a fixed rate? One JSON line
 * for each rate, all on the same connections.
 */
#include "client.h"
#include "machine.h"
#include "open_load.h"

#include <stdio.h>
#include <stdlib.h>

#define MILLISECOND UINT64_C(1000000)

static long connections = 1000;
static long bytes = 64;
static long rates[OPTIONS_MOST_LISTED] = {1000};
static int rate_count = 1;
static long shares[OPTIONS_MOST_LISTED];
static int share_count = 0;
static long warmup = 300;
static long measured = 1000;
static long seed = 0;

static const struct option_number options[] = {
    {"--connections", &connections, 1, 1000000, NULL},
    {"--bytes", &bytes, 8, OPEN_LOAD_LARGEST, NULL},
    {"--rate", rates, 1, 100000000, &rate_count},
    {"--percent", shares, 1, 1000, &share_count},
    {"--warmup", &warmup, 0, 3600000, NULL},
    {"--measure", &measured, 1, 3600000, NULL},
    {"--seed", &seed, 0, 2147483647, NULL},
    {NULL, NULL, 0, 0, NULL},
};

static const char usage[] =
    "usage: bench_tail_client [OPTION...] -- SERVER [ARGUMENT...]\n"
    "  --connections N  connections to hold (1000)\n"
    "  --bytes N        size of a message, a multiple of 8 (64)\n"
    "  --rate N,...     requests in a second, one rate after another (1000)\n"
    "  --percent N,...  what to call them: their share of what the server can do\n"
    "  --warmup MS      before each measurement (300)\n"
    "  --measure MS     time of each measurement (1000)\n"
    "  --seed N         of the schedule (0)\n";

static void print_rate(const struct client *client, const struct open_load *load, int index,
                       uint64_t server_cpu)
{
    const struct histogram *latencies = &load->latencies;
    client_begin_line(client, "tail", "connections=%ld,percent=%ld", connections,
                      index < share_count ? shares[index] : 0);
    client_metric("p99_ns", (double)histogram_quantile(latencies, 0.99));
    client_metric("p999_ns", (double)histogram_quantile(latencies, 0.999));
    client_metric("p90_ns", (double)histogram_quantile(latencies, 0.9));
    client_metric("p50_ns", (double)histogram_quantile(latencies, 0.5));
    client_metric("max_ns", (double)histogram_quantile(latencies, 1));
    client_metric("offered_per_second", (double)rates[index]);
    client_metric("requests", (double)latencies->total);
    client_metric("late_p99_ns", (double)histogram_quantile(&load->lateness, 0.99));
    client_metric("server_cpu_ns", (double)server_cpu / (double)load->planned);
    client_metric("errors", (double)load->errors);
    printf(",\"histogram_ns\":");
    histogram_print(latencies, stdout);
    client_end_line(client);
}

static int run(const struct client *client, struct open_load *load)
{
    if (open_load_connect(load, &client->server.address) < 0) {
        fprintf(stderr, "%s: not all connections echo\n", client->server.name);
        return -1;
    }
    for (int i = 0; i < rate_count; i++) {
        if (open_load_plan(load, (double)rates[i], (uint64_t)warmup * MILLISECOND,
                           (uint64_t)measured * MILLISECOND, (uint64_t)seed) < 0)
            return -1;
        uint64_t cpu = machine_clock(client->server.clock);
        open_load_run(load, NULL, NULL);
        print_rate(client, load, i, machine_clock(client->server.clock) - cpu);
    }
    if (load->errors > 0)
        fprintf(stderr, "%s: %llu errors\n", client->server.name, (unsigned long long)load->errors);
    return load->errors > 0 ? -1 : 0;
}

int main(int argc, char *argv[])
{
    static struct open_load load;
    struct client client = client_begin(argc, argv, usage, options);
    client_start_server(&client);
    int status = -1;
    if (open_load_open(&load, (int)connections, (size_t)bytes / 8 * 8, client.pinned) == 0)
        status = run(&client, &load);
    open_load_close(&load);
    if (server_stop(&client.server) < 0)
        fprintf(stderr, "%s: the server did not end well\n", client.server.name);
    return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
