/* SPDX-License-Identifier: MIT */
/*
 * wake.c: what it costs to reach a loop: one of many objects, from other threads, there and back,
 * and with tasks that must all run.
 *
 * A process does one of them, as each wants other objects. Processor time is that of all threads.
 */
#include "driver.h"
#include "histogram.h"
#include "machine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MOST_PRODUCERS 64
#define MILLISECOND    UINT64_C(1000000)

static long objects = 1;
static long deliveries = 0;
static long resends = 0;
static long pummel = 0;
static long round_trips = 0;
static long posting = 0;
static long posts = 100000;
static long milliseconds = 200;
static long other_cpu = -1;

static const struct option_number options[] = {
    {"--objects", &objects, 1, 10000000, NULL},
    {"--deliveries", &deliveries, 1, 1000000000, NULL},
    {"--resends", &resends, 1, 1000000000, NULL},
    {"--pummel", &pummel, 1, MOST_PRODUCERS, NULL},
    {"--round-trips", &round_trips, 1, 100000000, NULL},
    {"--posting", &posting, 1, MOST_PRODUCERS, NULL},
    {"--posts", &posts, 1, 100000000, NULL},
    {"--milliseconds", &milliseconds, 1, 100000, NULL},
    {"--other-cpu", &other_cpu, 0, 1023, NULL},
    {NULL, NULL, 0, 0, NULL},
};

static const char usage[] =
    "usage: bench_wake --peer NAME ONE-OF-FIVE [OPTION...]\n"
    "       bench_wake --list\n"
    "  --deliveries N   notify one of many and let the loop pass\n"
    "  --resends N      notify an object that was notified and has not been reported\n"
    "  --pummel N       so many threads notify one object without a pause\n"
    "  --round-trips N  a thread and the loop wake each other\n"
    "  --posting N      so many threads post tasks\n"
    "  --objects N      that can be notified (1)\n"
    "  --posts N        of each of those threads (100000)\n"
    "  --milliseconds N that the threads notify (200)\n"
    "  --other-cpu N    bind the other threads to a processor\n"
    "  --marks          show a tracer where it begins and ends\n";

static const struct bench_wakers *wakers;
static uint64_t counter;

/* The processor time of all threads, and the time that passed. */
struct clocks {
    uint64_t cpu;
    uint64_t wall;
};

static struct clocks read_clocks(void)
{
    return (struct clocks){.cpu = machine_clock(CLOCK_PROCESS_CPUTIME_ID),
                           .wall = machine_clock(CLOCK_MONOTONIC)};
}

static void print_since(const struct clocks *begin, double count)
{
    struct clocks end = read_clocks();
    driver_metric("cpu_ns", (double)(end.cpu - begin->cpu) / count);
    driver_metric("wall_ns", (double)(end.wall - begin->wall) / count);
}

/* --- One of many, on one thread: what the loop itself does for a wake-up --- */

static void deliver_one(void)
{
    uint64_t before = counter;
    wakers->notify((size_t)driver_below((uint64_t)objects));
    while (counter == before)
        wakers->turn();
}

static void deliver(const struct driver *driver)
{
    for (long i = 0; i < deliveries / 10 + 1; i++)
        deliver_one();
    struct clocks begin = read_clocks();
    driver_mark(driver, "deliver");
    for (long i = 0; i < deliveries; i++)
        deliver_one();
    driver_mark(driver, NULL);
    driver_begin_line(driver, "wake", "kind=deliver,objects=%ld", objects);
    print_since(&begin, (double)deliveries);
    driver_end_line(driver);
}

/* The loop does not pass in between: what more of the same costs. */
static void resend(const struct driver *driver)
{
    wakers->notify(0);
    struct clocks begin = read_clocks();
    driver_mark(driver, "resend");
    for (long i = 0; i < resends; i++)
        wakers->notify(0);
    driver_mark(driver, NULL);
    driver_begin_line(driver, "wake", "kind=resend");
    print_since(&begin, (double)resends);
    driver_end_line(driver);
}

/* --- Threads that notify --- */

static atomic_bool stopped;
static atomic_ulong sends;

static void bind_thread(void)
{
    if (other_cpu >= 0)
        machine_pin((int)other_cpu);
}

static void *notify_without_pause(void *unused)
{
    unsigned long sent = 0;
    bind_thread();
    for (; !atomic_load_explicit(&stopped, memory_order_relaxed); sent++)
        wakers->notify(0);
    atomic_fetch_add(&sends, sent);
    return unused;
}

static void start(pthread_t *threads, long count, void *(*run)(void *))
{
    for (long i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, run, NULL) == 0)
            continue;
        perror("pthread_create");
        exit(EXIT_FAILURE);
    }
}

static void join(const pthread_t *threads, long count)
{
    for (long i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static void be_pummelled(const struct driver *driver)
{
    pthread_t threads[MOST_PRODUCERS];
    struct clocks begin = read_clocks();
    uint64_t end = begin.wall + (uint64_t)milliseconds * MILLISECOND;
    start(threads, pummel, notify_without_pause);
    while (machine_clock(CLOCK_MONOTONIC) < end)
        wakers->wait();
    stopped = true;
    join(threads, pummel);
    double seconds = (double)(machine_clock(CLOCK_MONOTONIC) - begin.wall) / 1e9;
    driver_begin_line(driver, "wake", "kind=pummel,producers=%ld", pummel);
    print_since(&begin, (double)sends);
    driver_metric("sends_per_second", (double)sends / seconds);
    driver_metric("reports_per_second", (double)counter / seconds);
    driver_end_line(driver);
}

/* --- There and back: the way back is a bare descriptor, the same for all --- */

static int back;
static struct histogram histogram;

static void *go_there_and_back(void *unused)
{
    eventfd_t value;
    bind_thread();
    for (long i = 0; i < round_trips; i++) {
        uint64_t begin = machine_clock(CLOCK_MONOTONIC);
        wakers->notify(0);
        if (eventfd_read(back, &value) < 0)
            return NULL;
        histogram_record(&histogram, machine_clock(CLOCK_MONOTONIC) - begin);
    }
    return unused;
}

static void be_visited(const struct driver *driver)
{
    pthread_t thread;
    back = eventfd(0, EFD_CLOEXEC);
    struct clocks begin = read_clocks();
    start(&thread, 1, go_there_and_back);
    for (uint64_t seen = 0; seen < (uint64_t)round_trips;) {
        wakers->wait();
        for (; seen < counter; seen++)
            eventfd_write(back, 1);
    }
    join(&thread, 1);
    driver_begin_line(driver, "wake", "kind=pingpong,processors=%d", other_cpu >= 0 ? 2 : 1);
    print_since(&begin, (double)round_trips);
    driver_metric("p50_ns", (double)histogram_quantile(&histogram, 0.5));
    driver_metric("p99_ns", (double)histogram_quantile(&histogram, 0.99));
    driver_end_line(driver);
}

/* --- Tasks, each of which must run --- */

static uint64_t posted;

static void *post_without_pause(void *unused)
{
    bind_thread();
    for (long i = 0; i < posts; i++)
        wakers->post(&posted);
    return unused;
}

static void run_tasks(const struct driver *driver)
{
    pthread_t threads[MOST_PRODUCERS];
    uint64_t all = (uint64_t)posting * (uint64_t)posts;
    struct clocks begin = read_clocks();
    start(threads, posting, post_without_pause);
    while (posted < all)
        wakers->run();
    join(threads, posting);
    driver_begin_line(driver, "wake", "kind=post,producers=%ld", posting);
    print_since(&begin, (double)all);
    driver_end_line(driver);
}

static bool takes_part(const struct bench_peer *peer)
{
    return peer->wakers;
}

int main(int argc, char *argv[])
{
    struct driver driver = driver_begin(argc, argv, usage, options, takes_part);
    wakers = driver.peer->wakers;
    if ((deliveries > 0) + (resends > 0) + (pummel > 0) + (round_trips > 0) + (posting > 0) != 1) {
        fputs(usage, stderr);
        return 2;
    }
    if (wakers->open((size_t)objects, &counter) < 0) {
        fprintf(stderr, "%s: cannot keep %ld objects\n", driver.peer->name, objects);
        return EXIT_FAILURE;
    }
    if (deliveries)
        deliver(&driver);
    else if (resends)
        resend(&driver);
    else if (pummel)
        be_pummelled(&driver);
    else if (round_trips)
        be_visited(&driver);
    else
        run_tasks(&driver);
    return EXIT_SUCCESS;
}
