/* SPDX-License-Identifier: MIT */
/*
 * fair_client.c: quiet connections ask now and then while a few flood the server, and the server
 * keeps a timer of a millisecond. How late are the answers to the quiet ones, and the timer?
 *
 * The floods write whenever the client has nothing else to do, 64 KiB at a time, and read back what
 * came; so they cost the quiet requests at most one such piece of work, which `late` tells.
 */
#include "client.h"
#include "connect.h"
#include "machine.h"
#include "open_load.h"
#include "peers/lateness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MILLISECOND  UINT64_C(1000000)
#define MOST_FLOODS  64
#define PIECE        65536
#define MOST_OPTIONS 64

static long quiet = 1000;
static long rate = 1000;
static long floods = 4;
static long warmup = 200;
static long measured = 1000;
static long seed = 0;

static const struct option_number options[] = {
    {"--quiet", &quiet, 1, 1000000, NULL},
    {"--rate", &rate, 1, 1000000, NULL},
    {"--floods", &floods, 0, MOST_FLOODS, NULL},
    {"--warmup", &warmup, 0, 3600000, NULL},
    {"--measure", &measured, 1, 3600000, NULL},
    {"--seed", &seed, 0, 2147483647, NULL},
    {NULL, NULL, 0, 0, NULL},
};

static const char usage[] = "usage: bench_fair_client [OPTION...] -- SERVER [ARGUMENT...]\n"
                            "  --quiet N        connections that ask now and then (1000)\n"
                            "  --rate N         how often all of them ask in a second (1000)\n"
                            "  --floods N       connections that never stop (4)\n"
                            "  --warmup MS      before the measurement (200)\n"
                            "  --measure MS     time of the measurement (1000)\n"
                            "  --seed N         of the schedule (0)\n"
                            "The server gets --lateness FD as well.\n";

struct flood {
    int fds[MOST_FLOODS];
    int next;
    uint64_t returned;
};

static int open_floods(struct flood *flood, const struct sockaddr_in *server)
{
    for (int i = 0; i < floods; i++) {
        flood->fds[i] = connect_socket(i);
        if (flood->fds[i] < 0 ||
            connect(flood->fds[i], (const struct sockaddr *)server, sizeof(*server)) < 0 ||
            fcntl(flood->fds[i], F_SETFL, O_NONBLOCK) < 0)
            return -1;
    }
    return 0;
}

/* One piece of one flood, there and back. */
static void flood_on(void *data)
{
    static char bytes[PIECE];
    struct flood *flood = data;
    int fd = flood->fds[flood->next++ % floods];
    /* All, some or nothing: a server that is behind is read from all the same. */
    send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
    ssize_t received = recv(fd, bytes, sizeof(bytes), 0);
    if (received > 0)
        flood->returned += (uint64_t)received;
}

/* The server finds the memory behind a descriptor that it inherits. */
static struct lateness *share_memory(struct client *client)
{
    static char *command[MOST_OPTIONS + 3];
    static char option[] = "--lateness";
    static char number[16];
    int count = 0;
    int fd = memfd_create("lateness", 0);
    if (fd < 0 || ftruncate(fd, sizeof(struct lateness)) < 0)
        return NULL;
    snprintf(number, sizeof(number), "%d", fd);
    for (; client->command[count] && count < MOST_OPTIONS; count++)
        command[count] = client->command[count];
    command[count++] = option;
    command[count++] = number;
    client->command = command;
    void *memory = mmap(NULL, sizeof(struct lateness), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void print(const struct client *client, const struct open_load *load,
                  const struct lateness *lateness, double flood_rate)
{
    client_begin_line(client, "fair", "quiet=%ld,floods=%ld", quiet, floods);
    client_metric("p99_ns", (double)histogram_quantile(&load->latencies, 0.99));
    client_metric("timer_p99_ns", (double)histogram_quantile(&lateness->late, 0.99));
    client_metric("p50_ns", (double)histogram_quantile(&load->latencies, 0.5));
    client_metric("timer_p50_ns", (double)histogram_quantile(&lateness->late, 0.5));
    client_metric("timer_early", (double)lateness->early / (double)lateness->late.total);
    client_metric("flood_bytes_per_second", flood_rate);
    client_metric("late_p99_ns", (double)histogram_quantile(&load->lateness, 0.99));
    client_metric("requests", (double)load->latencies.total);
    client_metric("ticks", (double)lateness->late.total);
    client_end_line(client);
}

static int run(const struct client *client, struct open_load *load, struct lateness *lateness)
{
    static struct flood flood;
    static struct lateness seen;
    const struct sockaddr_in *address = &client->server.address;
    uint64_t length = (uint64_t)measured * MILLISECOND;
    if (open_load_connect(load, address) < 0 || open_floods(&flood, address) < 0)
        return -1;
    memset(lateness, 0, sizeof(*lateness));
    if (open_load_plan(load, (double)rate, (uint64_t)warmup * MILLISECOND, length, (uint64_t)seed) <
        0)
        return -1;
    uint64_t begin = machine_clock(CLOCK_MONOTONIC);
    open_load_run(load, floods ? flood_on : NULL, &flood);
    double seconds = (double)(machine_clock(CLOCK_MONOTONIC) - begin) / 1e9;
    seen = *lateness;
    print(client, load, &seen, (double)flood.returned / seconds);
    return load->errors == 0 && seen.late.total > 0 ? 0 : -1;
}

int main(int argc, char *argv[])
{
    static struct open_load load;
    struct client client = client_begin(argc, argv, usage, options);
    struct lateness *lateness = share_memory(&client);
    if (!lateness) {
        perror("memory for the server");
        return EXIT_FAILURE;
    }
    client_start_server(&client);
    int status = -1;
    if (open_load_open(&load, (int)quiet, 64, client.pinned) == 0)
        status = run(&client, &load, lateness);
    if (status < 0)
        fprintf(stderr, "%s: not all was served\n", client.server.name);
    open_load_close(&load);
    if (server_stop(&client.server) < 0)
        fprintf(stderr, "%s: the server did not end well\n", client.server.name);
    return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
