/* SPDX-License-Identifier: MIT */
/*
 * stall_test.c: does the client of the latency workload see everything that a user would?
 *
 * A tenth of all requests falls into a stall of a tenth of each second, and waits for its end. A
 * client that waits for an answer before it asks again would send one request for each connection
 * into the stall, here four of two hundred, and report percentiles that are fine. The bounds are
 * far below what the stalls make; a busy machine only adds to that.
 */
#include "machine.h"
#include "open_load.h"
#include "server.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS 4
#define RATE        2000
#define SECOND      UINT64_C(1000000000)
#define LATE        (SECOND / 50)

static struct open_load load;
static char server_path[4096];
static int tests;
static int failures;

static void check(bool good, const char *what)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++tests, what);
    printf("# %llu requests, %llu errors, p50 %.1f ms, p95 %.1f ms, sent late p95 %.1f ms\n",
           (unsigned long long)load.latencies.total, (unsigned long long)load.errors,
           (double)histogram_quantile(&load.latencies, 0.5) / 1e6,
           (double)histogram_quantile(&load.latencies, 0.95) / 1e6,
           (double)histogram_quantile(&load.lateness, 0.95) / 1e6);
    failures += !good;
}

static int run(const char *stall, void (*between)(void *), uint64_t *last)
{
    struct server server;
    char text[16];
    char options[][16] = {"--peer", "raw_epoll", "--stall"};
    char *const arguments[] = {server_path, options[0], options[1], options[2], text, NULL};
    snprintf(text, sizeof(text), "%s", stall);
    if (server_start(&server, arguments) < 0)
        return -1;
    int status = -1;
    if (open_load_open(&load, CONNECTIONS, 64, false) == 0 &&
        open_load_connect(&load, &server.address) == 0 &&
        open_load_plan(&load, RATE, 0, 4 * SECOND, 1) == 0) {
        *last = machine_clock(CLOCK_MONOTONIC);
        open_load_run(&load, between, last);
        status = 0;
    }
    open_load_close(&load);
    return server_stop(&server) < 0 ? -1 : status;
}

/* Holds the client up for a tenth of each second. */
static void stall_client(void *data)
{
    const struct timespec time = {.tv_nsec = (long)(SECOND / 10)};
    uint64_t *last = data;
    uint64_t now = machine_clock(CLOCK_MONOTONIC);
    if (now - *last < SECOND)
        return;
    *last = now;
    nanosleep(&time, NULL);
}

static bool complete(void)
{
    return load.errors == 0 && load.latencies.total == load.planned;
}

int main(int argc, char *argv[])
{
    uint64_t last = 0;
    const char *slash = strrchr(argv[0], '/');
    snprintf(server_path, sizeof(server_path), "%.*s/bench_echo_server",
             slash ? (int)(slash - argv[0]) : 1, slash ? argv[0] : ".");
    if (argc == 2)
        snprintf(server_path, sizeof(server_path), "%s", argv[1]);
    bool ran = run("100", NULL, &last) == 0;
    check(ran && complete(), "no request is left out, and all are answered");
    check(ran && histogram_quantile(&load.latencies, 0.95) >= LATE,
          "a stall of the server shows in the latency of all that it made wait");
    ran = run("0", stall_client, &last) == 0;
    check(ran && complete(), "nor is one left out when the client itself was held up");
    check(ran && histogram_quantile(&load.latencies, 0.95) >= LATE &&
              histogram_quantile(&load.lateness, 0.95) >= LATE,
          "latency counts from when a request was due, and the client tells of its own delay");
    printf("1..%d\n", tests);
    return failures > 0;
}
