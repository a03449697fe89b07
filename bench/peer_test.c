/* SPDX-License-Identifier: MIT */
/*
 * peer_test.c: do all competitors do the same work? A comparison of programs of which one drops
 * bytes, skips reports or forgets a timer would say nothing.
 *
 * Every story runs in a process of its own, as the trials do, and ends with what went wrong.
 */
#include "machine.h"
#include "peers/lateness.h"
#include "peers/peer.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLOOD       (UINT64_C(16) << 20) /* more than the buffers of both sockets ever hold */
#define LIMIT       60 /* seconds of a story: a wake-up that is lost is waited for */
#define PATIENCE    20000
#define WATCHED     50
#define READY       7
#define MILLISECOND UINT64_C(1000000)
#define SECOND      UINT64_C(1000000000)

static int tests;
static int failures;
static char server_path[4096];
static uint64_t counter;

/* What ends a story: the line that was not as it should be. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return #condition;                                                                     \
    } while (0)

static void report(const char *wrong, const char *peer, const char *what)
{
    printf("%sok %d - %s: %s\n", wrong ? "not " : "", ++tests, peer, what);
    if (wrong)
        printf("# %s\n", wrong);
    failures += wrong != NULL;
}

/* --- Servers --- */

/* The byte at a place of the stream; its period divides no buffer. */
static unsigned char byte_at(uint64_t place)
{
    return (unsigned char)(place % 251);
}

/* Sends what the socket takes. -1 if it is broken. */
static int send_more(int fd, uint64_t *sent)
{
    unsigned char bytes[16384];
    size_t size = FLOOD - *sent < sizeof(bytes) ? (size_t)(FLOOD - *sent) : sizeof(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(*sent + i);
    ssize_t done = send(fd, bytes, size, MSG_NOSIGNAL);
    if (done < 0)
        return errno == EAGAIN ? 0 : -1;
    *sent += (uint64_t)done;
    return 0;
}

static int receive_more(int fd, uint64_t *received)
{
    unsigned char bytes[4096];
    ssize_t done = recv(fd, bytes, sizeof(bytes), 0);
    if (done < 0)
        return errno == EAGAIN ? 0 : -1;
    for (ssize_t i = 0; i < done; i++)
        if (bytes[i] != byte_at(*received + (uint64_t)i))
            return -1;
    *received += (uint64_t)done;
    return done > 0 ? 0 : -1;
}

/* Reads only while nothing can be sent, so the server has to keep what it cannot send. */
static bool flood(int fd)
{
    uint64_t sent = 0;
    uint64_t received = 0;
    while (received < FLOOD) {
        short wanted = sent < FLOOD ? POLLIN | POLLOUT : POLLIN;
        struct pollfd ready = {.fd = fd, .events = wanted};
        if (poll(&ready, 1, PATIENCE) <= 0)
            return false;
        int status = ready.revents & POLLOUT ? send_more(fd, &sent) : receive_more(fd, &received);
        if (status < 0)
            return false;
    }
    return true;
}

static bool flood_comes_back(const struct server *server)
{
    int small = 4096;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    bool good =
        connect(fd, (const struct sockaddr *)&server->address, sizeof(server->address)) == 0 &&
        fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && flood(fd);
    close(fd);
    return good;
}

/* The same way the comparison goes: the server is a process of its own. */
static int start_server(struct server *server, const struct bench_peer *peer, const char *name,
                        const char *value)
{
    char words[4][64] = {"--peer"};
    char *const arguments[] = {server_path, words[0], words[1], name ? words[2] : NULL,
                               words[3],    NULL};
    snprintf(words[1], sizeof(words[1]), "%s", peer->name);
    snprintf(words[2], sizeof(words[2]), "%s", name ? name : "");
    snprintf(words[3], sizeof(words[3]), "%s", name ? value : "");
    return server_start(server, arguments);
}

static int connect_to(const struct server *server)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&server->address, sizeof(server->address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* One message there and back. */
static bool echoes(int fd)
{
    char byte = 'x';
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    return send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && poll(&readable, 1, PATIENCE) == 1 &&
           recv(fd, &byte, 1, 0) == 1;
}

/* True when the server ended the connection. */
static bool has_ended(int fd, int patience)
{
    char byte;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    return poll(&readable, 1, patience) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

/* Two seconds of silence end a connection, not sooner, and one that talks ten times as often stays.
 */
static const char *test_idle(const struct bench_peer *peer)
{
    struct server server;
    EXPECT(start_server(&server, peer, "--idle", "2") == 0);
    int talks = connect_to(&server);
    int silent = connect_to(&server);
    EXPECT(echoes(talks) && echoes(silent));
    uint64_t begin = machine_clock(CLOCK_MONOTONIC);
    while (!has_ended(silent, 200))
        EXPECT(echoes(talks) && machine_clock(CLOCK_MONOTONIC) < begin + 20 * SECOND);
    uint64_t lasted = machine_clock(CLOCK_MONOTONIC) - begin;
    EXPECT(lasted > 1900 * MILLISECOND);
    EXPECT(echoes(talks));
    EXPECT(server_stop(&server) == 0);
    return NULL;
}

/* The timer of a millisecond fires, and its lateness arrives where the client looks for it. */
static const char *test_ticks(const struct bench_peer *peer)
{
    struct server server;
    char number[16];
    int fd = memfd_create("lateness", 0);
    EXPECT(fd >= 0 && ftruncate(fd, sizeof(struct lateness)) == 0);
    snprintf(number, sizeof(number), "%d", fd);
    const struct lateness *lateness =
        mmap(NULL, sizeof(struct lateness), PROT_READ, MAP_SHARED, fd, 0);
    EXPECT(lateness != MAP_FAILED);
    EXPECT(start_server(&server, peer, "--lateness", number) == 0);
    int one = connect_to(&server);
    uint64_t end = machine_clock(CLOCK_MONOTONIC) + 20 * SECOND;
    while (*(const volatile uint64_t *)&lateness->late.total < 20)
        EXPECT(echoes(one) && machine_clock(CLOCK_MONOTONIC) < end);
    EXPECT(server_stop(&server) == 0);
    return NULL;
}

static const char *test_flood(const struct bench_peer *peer)
{
    struct server server;
    EXPECT(start_server(&server, peer, NULL, NULL) == 0);
    EXPECT(flood_comes_back(&server));
    EXPECT(flood_comes_back(&server));
    EXPECT(server_stop(&server) == 0);
    return NULL;
}

/* --- Descriptors --- */

static void open_some(int *descriptors)
{
    for (int i = 0; i < WATCHED; i++)
        descriptors[i] = eventfd(i < READY, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void read_ready(const int *descriptors)
{
    for (int i = 0; i < READY; i++)
        eventfd_read(descriptors[i], &(eventfd_t){0});
}

/* How many reports one turn brings. */
static uint64_t reports(void (*turn)(void))
{
    uint64_t before = counter;
    turn();
    return counter - before;
}

static const char *test_watch(const struct bench_peer *peer)
{
    int descriptors[WATCHED];
    open_some(descriptors);
    EXPECT(peer->watch(descriptors, WATCHED, &counter) == 0);
    EXPECT(reports(peer->turn) == READY);
    EXPECT(reports(peer->turn) == READY); /* what was not read is reported again */
    read_ready(descriptors);
    EXPECT(reports(peer->turn) == 0);
    return NULL;
}

static const char *test_watch_once(const struct bench_peer *peer)
{
    int descriptors[WATCHED];
    void (*turn)(void) = peer->turn_once ? peer->turn_once : peer->turn;
    open_some(descriptors);
    EXPECT(peer->watch_once(descriptors, WATCHED, &counter) == 0);
    EXPECT(reports(turn) == READY);
    EXPECT(reports(turn) == READY); /* the handler armed it again */
    read_ready(descriptors);
    EXPECT(reports(turn) == 0);
    return NULL;
}

/* What the kernel was asked to watch a descriptor for; -1: nothing, -2: this is not epoll. */
static int kernel_events(int fd)
{
    int found = -2;
    for (int queue = 3; queue < 64; queue++) {
        char path[64], line[256];
        int watched = -1;
        unsigned events = 0;
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", queue);
        FILE *file = fopen(path, "r");
        while (file && fgets(line, sizeof(line), file)) {
            if (sscanf(line, "tfd: %d events: %x", &watched, &events) != 2)
                continue;
            if (watched == fd)
                found = (int)(events & (POLLIN | POLLOUT));
            else if (found == -2)
                found = -1;
        }
        if (file)
            fclose(file);
    }
    return found;
}

static const char *test_registration(const struct bench_peer *peer)
{
    const struct bench_watchers *watchers = peer->watchers;
    int descriptors[WATCHED];
    open_some(descriptors);
    EXPECT(watchers->open(WATCHED + 1, &counter) == 0);
    for (size_t i = 0; i < WATCHED; i++)
        watchers->add(i, descriptors[i]);
    EXPECT(reports(peer->turn) == READY);
    watchers->stop(0, descriptors[0]);
    EXPECT(reports(peer->turn) == READY - 1);
    watchers->start(0, descriptors[0]);
    EXPECT(reports(peer->turn) == READY);
    watchers->modify(0, true);
    EXPECT(reports(peer->turn) == READY);
    int wide = kernel_events(descriptors[0]);
    EXPECT(wide == -2 || wide == (POLLIN | POLLOUT));
    watchers->modify(0, false);
    EXPECT(reports(peer->turn) == READY);
    EXPECT(wide == -2 || kernel_events(descriptors[0]) == POLLIN);
    watchers->remove(0, descriptors[0]);
    EXPECT(reports(peer->turn) == READY - 1);
    watchers->close(1, descriptors[1]);
    int reused = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    EXPECT(reused == descriptors[1]);
    EXPECT(reports(peer->turn) == READY - 2);
    watchers->add(WATCHED, reused);
    EXPECT(reports(peer->turn) == READY - 1);
    return NULL;
}

/* --- Timers --- */

static void nap(uint64_t nanoseconds)
{
    const struct timespec time = {.tv_nsec = (long)nanoseconds};
    nanosleep(&time, NULL);
}

/* Time passes. A library may count from its next turn, where it reads the clock. */
static void sleep_past(const struct bench_peer *peer)
{
    peer->turn();
    nap(50 * MILLISECOND);
}

/* All reports that come, with a few turns more than are needed. */
static uint64_t reports_of_many_turns(const struct bench_peer *peer)
{
    uint64_t before = counter;
    for (int i = 0; i < 20; i++)
        peer->turn();
    return counter - before;
}

static const char *test_timers(const struct bench_peer *peer)
{
    const struct bench_timers *timers = peer->timers;
    const size_t count = 100;
    EXPECT(timers->open(count, &counter) == 0);
    for (size_t i = 0; i < count; i++)
        timers->start(i, 5000 * SECOND);
    EXPECT(reports_of_many_turns(peer) == 0);
    for (size_t i = 0; i < 40; i++)
        timers->move(i, 10 * MILLISECOND);
    for (size_t i = 0; i < 10; i++)
        timers->again(i);
    for (size_t i = 10; i < 20; i++)
        timers->stop(i);
    sleep_past(peer);
    EXPECT(reports_of_many_turns(peer) == 20);
    EXPECT(reports_of_many_turns(peer) == 0); /* each fires once */
    timers->start(10, 10 * MILLISECOND);
    timers->move(20, 10 * MILLISECOND); /* after it fired */
    sleep_past(peer);
    EXPECT(reports_of_many_turns(peer) == 2);
    return NULL;
}

/* --- Wake-ups --- */

static const struct bench_wakers *wakers;

static void *notify_later(void *index)
{
    nap(20 * MILLISECOND);
    wakers->notify(*(const size_t *)index);
    return NULL;
}

static const char *test_wakers(const struct bench_peer *peer)
{
    pthread_t thread;
    size_t index = 5;
    wakers = peer->wakers;
    EXPECT(wakers->open(10, &counter) == 0);
    EXPECT(reports(wakers->turn) == 0);
    for (size_t i = 0; i < 3; i++)
        wakers->notify(i);
    wakers->notify(0);
    EXPECT(reports(wakers->turn) == 3); /* two that come together are one */
    EXPECT(reports(wakers->turn) == 0);
    wakers->notify(0);
    EXPECT(reports(wakers->turn) == 1);
    EXPECT(pthread_create(&thread, NULL, notify_later, &index) == 0);
    while (counter < 5)
        wakers->wait();
    pthread_join(thread, NULL);
    EXPECT(counter == 5);
    return NULL;
}

#define POSTS 10000

static void *post_many(void *posted)
{
    for (int i = 0; i < POSTS; i++)
        wakers->post(posted);
    return NULL;
}

static const char *test_posts(const struct bench_peer *peer)
{
    pthread_t threads[2];
    uint64_t posted = 0;
    wakers = peer->wakers;
    EXPECT(wakers->open(1, &counter) == 0);
    for (int i = 0; i < 2; i++)
        EXPECT(pthread_create(&threads[i], NULL, post_many, &posted) == 0);
    while (posted < UINT64_C(2) * POSTS)
        wakers->run();
    EXPECT(posted == UINT64_C(2) * POSTS);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return NULL;
}

/* --- Loops --- */

static const char *test_loops(const struct bench_peer *peer)
{
    peer->close();
    int before = dup(0);
    for (int i = 0; i < 10; i++) {
        EXPECT(peer->open() == 0);
        if (peer->turn)
            peer->turn();
        peer->close();
    }
    int after = dup(0);
    EXPECT(peer->open() == 0);
    EXPECT(after <= before + 4); /* libuv keeps a pipe for the life of the process */
    return NULL;
}

static bool has_server(const struct bench_peer *peer)
{
    return peer->serve;
}

static bool keeps_idle(const struct bench_peer *peer)
{
    return peer->serves & BENCH_SERVES_IDLE;
}

static bool keeps_ticks(const struct bench_peer *peer)
{
    return peer->serves & BENCH_SERVES_TICK;
}

static bool has_watch(const struct bench_peer *peer)
{
    return peer->watch;
}

static bool has_watchers(const struct bench_peer *peer)
{
    return peer->watchers;
}

static bool has_timers(const struct bench_peer *peer)
{
    return peer->timers;
}

static bool has_wakers(const struct bench_peer *peer)
{
    return peer->wakers;
}

static bool has_posts(const struct bench_peer *peer)
{
    return peer->wakers && peer->wakers->post;
}

static bool has_loop(const struct bench_peer *peer)
{
    return peer->open;
}

static const struct story {
    const char *what;
    bool (*concerns)(const struct bench_peer *peer);
    const char *(*tell)(const struct bench_peer *peer);
    bool in_server; /* the peer runs there, and no loop is opened here */
} stories[] = {
    {"a flood that nobody reads comes back whole, twice", has_server, test_flood, true},
    {"a silent connection ends after its timeout, one that talks stays", keeps_idle, test_idle,
     true},
    {"the timer of the server fires while it serves", keeps_ticks, test_ticks, true},
    {"what is ready is reported, and what was read is not", has_watch, test_watch, false},
    {"so it is when each report disarms", has_watch, test_watch_once, false},
    {"registrations begin, change, pause and end", has_watchers, test_registration, false},
    {"timers fire once, unless they were moved away or stopped", has_timers, test_timers, false},
    {"what is notified is reported, and a thread wakes the loop", has_wakers, test_wakers, false},
    {"what two threads post runs exactly once", has_posts, test_posts, false},
    {"loops come and go and leave no descriptors", has_loop, test_loops, false},
};

static void run_story(const struct story *story, const struct bench_peer *peer)
{
    char wrong[256] = "";
    int ends[2];
    fflush(stdout);
    if (pipe(ends) < 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        alarm(LIMIT);
        const char *text = story->in_server || peer->open() == 0 ? story->tell(peer) : "no loop";
        if (text && write(ends[1], text, strlen(text)) < 0)
            _exit(2);
        _exit(0);
    }
    close(ends[1]);
    if (read(ends[0], wrong, sizeof(wrong) - 1) < 0)
        snprintf(wrong, sizeof(wrong), "no answer");
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (!*wrong && status != 0)
        snprintf(wrong, sizeof(wrong), "the process ended with status %d", status);
    report(*wrong ? wrong : NULL, peer->name, story->what);
}

int main(int argc, char *argv[])
{
    const char *slash = strrchr(argv[0], '/');
    int directory = slash ? (int)(slash - argv[0]) : 1;
    snprintf(server_path, sizeof(server_path), "%.*s/bench_echo_server", directory,
             slash ? argv[0] : ".");
    if (argc == 2)
        snprintf(server_path, sizeof(server_path), "%s", argv[1]);
    for (size_t i = 0; bench_peers[i]; i++)
        for (size_t j = 0; j < sizeof(stories) / sizeof(stories[0]); j++)
            if (stories[j].concerns(bench_peers[i]))
                run_story(&stories[j], bench_peers[i]);
    printf("1..%d\n", tests);
    return failures > 0;
}
