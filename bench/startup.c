/* SPDX-License-Identifier: MIT */
/*
 * startup.c: what a loop costs before it does anything: made and freed in a row, and from the start
 * of a process to the end of its first pass.
 *
 * The processes are this program once more. It has all libraries inside, so what the system does to
 * start it is the same for all.
 */
#include "driver.h"
#include "machine.h"
#include "statistics.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_PROCESSES 1000

static long loops = 2000;
static long processes = 20;
static long is_child = 0;

static const struct option_number options[] = {
    {"--loops", &loops, 1, 10000000, NULL},
    {"--processes", &processes, 1, MOST_PROCESSES, NULL},
    {"--child", &is_child, 1, 1, NULL},
    {NULL, NULL, 0, 0, NULL},
};

static const char usage[] = "usage: bench_startup --peer NAME [OPTION...]\n"
                            "       bench_startup --list\n"
                            "  --loops N        made and freed (2000)\n"
                            "  --processes N    started (20)\n";

static int count_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

static double heap(void)
{
    struct mallinfo2 info = mallinfo2();
    return (double)info.uordblks + (double)info.hblkhd;
}

static void measure_loops(const struct driver *driver)
{
    const struct bench_peer *peer = driver->peer;
    peer->turn();
    peer->close();
    int descriptors = count_descriptors();
    double bytes = heap();
    if (peer->open() < 0)
        exit(EXIT_FAILURE);
    peer->turn();
    descriptors = count_descriptors() - descriptors;
    bytes = heap() - bytes;
    peer->close();
    driver_lap();
    for (long i = 0; i < loops; i++) {
        if (peer->open() < 0)
            exit(EXIT_FAILURE);
        peer->turn();
        peer->close();
    }
    driver_begin_line(driver, "startup", "kind=loop");
    driver_metric("cpu_ns", driver_lap() / (double)loops);
    driver_metric("descriptors", (double)descriptors);
    driver_metric("bytes", bytes);
    driver_end_line(driver);
}

/* What the parent reads: the processor time since fork, after the first pass. */
static int be_child(const struct driver *driver)
{
    driver->peer->turn();
    uint64_t used = machine_clock(CLOCK_PROCESS_CPUTIME_ID);
    return write(STDOUT_FILENO, &used, sizeof(used)) == sizeof(used) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void become_child(const struct driver *driver, int output)
{
    char path[] = "/proc/self/exe";
    char name[64];
    char words[][8] = {"startup", "--peer", "--child", "1"};
    char *const arguments[] = {words[0], words[1], name, words[2], words[3], NULL};
    snprintf(name, sizeof(name), "%s", driver->peer->name);
    dup2(output, STDOUT_FILENO);
    close(output);
    execv(path, arguments);
    _exit(127);
}

/* Processor time and elapsed time of one process, up to the end of its first pass. */
static bool start_process(const struct driver *driver, double *cpu, double *wall)
{
    int ends[2];
    uint64_t used = 0;
    if (pipe(ends) < 0)
        return false;
    uint64_t begin = machine_clock(CLOCK_MONOTONIC);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        become_child(driver, ends[1]);
    }
    close(ends[1]);
    bool good = read(ends[0], &used, sizeof(used)) == sizeof(used);
    *wall = (double)(machine_clock(CLOCK_MONOTONIC) - begin);
    *cpu = (double)used;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return good;
}

static int measure_processes(const struct driver *driver)
{
    static double cpu[MOST_PROCESSES];
    static double wall[MOST_PROCESSES];
    for (long i = 0; i < processes; i++)
        if (!start_process(driver, &cpu[i], &wall[i]))
            return -1;
    driver_begin_line(driver, "startup", "kind=process");
    driver_metric("cpu_ns", summarise(cpu, (size_t)processes).median);
    driver_metric("wall_ns", summarise(wall, (size_t)processes).median);
    driver_end_line(driver);
    return 0;
}

static bool takes_part(const struct bench_peer *peer)
{
    return peer->watch;
}

int main(int argc, char *argv[])
{
    struct driver driver = driver_begin(argc, argv, usage, options, takes_part);
    if (is_child)
        return be_child(&driver);
    measure_loops(&driver);
    fflush(stdout);
    if (measure_processes(&driver) == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "%s: a process did not start\n", driver.peer->name);
    return EXIT_FAILURE;
}
