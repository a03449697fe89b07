/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <pollux.h>

#include "journal.h"

#define BUFFER_SIZE 4096

/* The most that waits in a TCP connection: far less than its buffers, so that it is never full. */
#define TCP_ROOM 8192

/* Loopback takes microseconds; a machine that needs longer than this has other troubles. */
#define PATIENCE_SECONDS 20

static int must(int result, const char *call)
{
    if (result < 0)
        journal_fail("the world: %s: %s", call, strerror(errno));
    return result;
}

/* --- What a file has to say --- */

static uint32_t to_facts(short events)
{
    uint32_t facts = 0;
    facts |= events & POLLIN ? PLX_READ : 0;
    facts |= events & POLLOUT ? PLX_WRITE : 0;
    facts |= events & POLLPRI ? PLX_PRI : 0;
    facts |= events & POLLRDHUP ? PLX_RDHUP : 0;
    facts |= events & POLLERR ? PLX_ERROR : 0;
    facts |= events & POLLHUP ? PLX_HUP : 0;
    return facts;
}

static struct pollfd everything_about(int number)
{
    return (struct pollfd){.fd = number, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};
}

static uint32_t look(int number)
{
    struct pollfd entry = everything_about(number);
    must(poll(&entry, 1, 0), "poll");
    return to_facts(entry.revents);
}

/* Something happened to a file, or to its peer. */
static void touch(struct world *world, struct file *file)
{
    if (!file || file->references == 0)
        return;
    uint32_t facts = look(world_number(world, file));
    uint32_t risen = facts & ~file->facts;
    file->version++;
    for (int i = 0; i < WORLD_FACTS; i++) {
        if (risen & UINT32_C(1) << i)
            file->rises[i] = file->version;
    }
    file->facts = facts;
}

static void touch_both(struct world *world, struct file *file)
{
    touch(world, file);
    touch(world, file->peer);
}

uint32_t world_risen(const struct file *file, uint32_t facts, uint32_t version)
{
    uint32_t risen = 0;
    for (int i = 0; i < WORLD_FACTS; i++) {
        if (file->rises[i] > version)
            risen |= UINT32_C(1) << i;
    }
    return risen & file->facts & facts;
}

void world_check_still(const struct world *world)
{
    struct pollfd entries[WORLD_NUMBERS];
    for (int i = 0; i < world->count; i++)
        entries[i] = everything_about(world->numbers[i].number);
    must(poll(entries, (nfds_t)world->count, 0), "poll");
    for (int i = 0; i < world->count; i++) {
        uint32_t facts = to_facts(entries[i].revents);
        if (facts != world->numbers[i].file->facts)
            journal_fail("the world: descriptor %d (%s) went from %#x to %#x by itself",
                         entries[i].fd, world_name(world->numbers[i].file),
                         world->numbers[i].file->facts, facts);
    }
}

/* --- Numbers and files --- */

static struct descriptor *find(const struct world *world, int number)
{
    for (int i = 0; i < world->count; i++) {
        if (world->numbers[i].number == number)
            return (struct descriptor *)(uintptr_t)&world->numbers[i];
    }
    return NULL;
}

struct file *world_file(const struct world *world, int number)
{
    struct descriptor *descriptor = find(world, number);
    return descriptor ? descriptor->file : NULL;
}

int world_number(const struct world *world, const struct file *file)
{
    for (int i = 0; i < world->count; i++) {
        if (world->numbers[i].file == file)
            return world->numbers[i].number;
    }
    return -1;
}

int world_any(const struct world *world, struct dice *dice)
{
    if (world->count == 0)
        return -1;
    return world->numbers[dice_roll(dice, (uint32_t)world->count)].number;
}

bool world_is_alive(const struct file *file, uint32_t serial)
{
    return file->serial == serial && file->references > 0;
}

const char *world_name(const struct file *file)
{
    switch (file->kind) {
    case FILE_UNIX:
        return "unix";
    case FILE_TCP:
        return "tcp";
    case FILE_READER:
        return "pipe reader";
    case FILE_WRITER:
        return "pipe writer";
    case FILE_COUNTER:
        return "eventfd";
    case FILE_PLAIN:
        return "file";
    case FILE_NONE:
        break;
    }
    return "nothing";
}

static void name_file(struct world *world, int number, struct file *file)
{
    world->numbers[world->count++] = (struct descriptor){number, file};
    file->references++;
}

static struct file *new_file(struct world *world, enum file_kind kind, int number)
{
    struct file *file = world->files;
    while (file->kind != FILE_NONE)
        file++;
    *file = (struct file){.kind = kind, .serial = ++world->last_serial};
    name_file(world, number, file);
    touch(world, file);
    return file;
}

static void new_pair(struct world *world, enum file_kind kind_a, enum file_kind kind_b,
                     const int *numbers)
{
    struct file *a = new_file(world, kind_a, numbers[0]);
    struct file *b = new_file(world, kind_b, numbers[1]);
    a->peer = b;
    b->peer = a;
}

/* --- Opening --- */

static int listen_on_loopback(struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    int listener = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    must(bind(listener, (struct sockaddr *)address, size), "bind");
    must(listen(listener, 8), "listen");
    must(getsockname(listener, (struct sockaddr *)address, &size), "getsockname");
    return listener;
}

void world_open(struct world *world)
{
    struct sockaddr_in address;
    *world = (struct world){.last_closed = -1};
    world->listener = listen_on_loopback(&address);
}

void world_close(struct world *world)
{
    while (world->count > 0) {
        int number = world->numbers[0].number;
        world_before_close(world, number);
        close(number);
        world_after_close(world, number);
    }
    close(world->listener);
}

static void open_unix(struct world *world)
{
    int numbers[2];
    int small = 4096; /* so that filling it does not take for ever */
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, numbers), "socketpair");
    for (int i = 0; i < 2; i++)
        must(setsockopt(numbers[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), "SO_SNDBUF");
    new_pair(world, FILE_UNIX, FILE_UNIX, numbers);
}

static void open_tcp(struct world *world)
{
    int numbers[2];
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    must(getsockname(world->listener, (struct sockaddr *)&address, &size), "getsockname");
    numbers[0] = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    must(connect(numbers[0], (struct sockaddr *)&address, size), "connect");
    numbers[1] = must(accept4(world->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept");
    must(fcntl(numbers[0], F_SETFL, O_NONBLOCK), "fcntl");
    for (int i = 0; i < 2; i++) {
        int on = 1;
        int large = 50 * TCP_ROOM; /* what is not yet acknowledged must not fill it either */
        must(setsockopt(numbers[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
        must(setsockopt(numbers[i], SOL_SOCKET, SO_SNDBUF, &large, sizeof large), "SO_SNDBUF");
    }
    new_pair(world, FILE_TCP, FILE_TCP, numbers);
}

static void open_pipe(struct world *world)
{
    int numbers[2];
    must(pipe2(numbers, O_NONBLOCK | O_CLOEXEC), "pipe");
    must(fcntl(numbers[1], F_SETPIPE_SZ, 2 * BUFFER_SIZE), "F_SETPIPE_SZ");
    new_pair(world, FILE_READER, FILE_WRITER, numbers);
}

static void open_plain(struct world *world, struct dice *dice)
{
    int number;
    switch (dice_roll(dice, 3)) {
    case 0:
        number = must(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null");
        break;
    case 1:
        number = must(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "/");
        break;
    default:
        number = must(memfd_create("model", MFD_CLOEXEC), "memfd_create");
        break;
    }
    new_file(world, FILE_PLAIN, number);
}

bool world_open_file(struct world *world, struct dice *dice)
{
    if (world->count + 2 > WORLD_NUMBERS)
        return false;
    switch (dice_roll(dice, 10)) {
    case 0:
    case 1:
    case 2:
        open_unix(world);
        break;
    case 3:
    case 4:
        open_tcp(world);
        break;
    case 5:
    case 6:
        open_pipe(world);
        break;
    case 7:
        open_plain(world, dice);
        break;
    default:
        new_file(world, FILE_COUNTER, must(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd"));
        break;
    }
    return true;
}

int world_duplicate_to(struct world *world, int number, int least)
{
    struct file *file = world_file(world, number);
    if (!file || world->count == WORLD_NUMBERS)
        return -1;
    int copy = must(fcntl(number, F_DUPFD_CLOEXEC, least), "F_DUPFD");
    name_file(world, copy, file);
    return copy;
}

/* To the number that was closed last, to one far away, or to the next one. */
int world_duplicate(struct world *world, struct dice *dice, int number)
{
    int least = 0;
    if (world->last_closed >= 0 && dice_one_in(dice, 2))
        least = world->last_closed;
    else if (dice_one_in(dice, 8))
        least = 300 + 700 * (int)dice_roll(dice, 3);
    return world_duplicate_to(world, number, least);
}

/* --- TCP is only quiet once everything has arrived --- */

static void check_time(time_t start, const char *what)
{
    if (time(NULL) - start > PATIENCE_SECONDS)
        journal_fail("the world: %s does not arrive", what);
    sched_yield();
}

static void until_fact(int number, uint32_t fact, const char *what)
{
    time_t start = time(NULL);
    while (!(look(number) & fact))
        check_time(start, what);
}

static uint64_t bytes_received(int number)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    must(getsockopt(number, IPPROTO_TCP, TCP_INFO, &info, &size), "TCP_INFO");
    return info.tcpi_bytes_received;
}

/* After `size` bytes were sent: at the peer they become readable; without a peer they provoke a
   reset. */
static void until_sent(struct world *world, struct file *file, ssize_t size)
{
    if (file->kind != FILE_TCP || size <= 0)
        return;
    file->sent += (uint64_t)size;
    if (!file->peer) {
        until_fact(world_number(world, file), PLX_HUP, "a reset");
        return;
    }
    time_t start = time(NULL);
    int peer = world_number(world, file->peer);
    while (bytes_received(peer) < file->sent && !(file->peer->facts & PLX_HUP))
        check_time(start, "data");
}

static int bytes_unread(int number)
{
    int size = 0;
    must(ioctl(number, FIONREAD, &size), "FIONREAD");
    return size;
}

/* --- Closing --- */

/* What is unread makes the close of a TCP socket a reset, and urgent data cannot be counted. */
void world_before_close(struct world *world, int number)
{
    struct file *file = world_file(world, number);
    if (!file || file->kind != FILE_TCP || file->references > 1)
        return;
    if (file->is_urgent)
        world_drain(world, number);
    if (bytes_unread(number) > 0)
        world_make_abrupt(world, number);
}

/* How the peer of a closed file shows it. */
static uint32_t mark_of_close(const struct file *file)
{
    if (file->kind == FILE_READER)
        return PLX_ERROR;
    return file->kind == FILE_TCP && !file->is_abrupt ? PLX_RDHUP : PLX_HUP;
}

/* Whoever looks at this process from outside may hold its files open for a moment longer. */
static void forget_file(struct world *world, struct file *file)
{
    struct file *peer = file->peer;
    uint32_t mark = mark_of_close(file);
    file->kind = FILE_NONE;
    if (!peer)
        return;
    peer->peer = NULL;
    peer->is_restless = peer->kind == FILE_TCP;
    until_fact(world_number(world, peer), mark, "an end");
    touch(world, peer);
}

void world_after_close(struct world *world, int number)
{
    struct descriptor *descriptor = find(world, number);
    if (!descriptor)
        return;
    struct file *file = descriptor->file;
    *descriptor = world->numbers[--world->count];
    world->last_closed = number;
    if (--file->references == 0)
        forget_file(world, file);
}

void world_make_abrupt(struct world *world, int number)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    struct file *file = world_file(world, number);
    if (!file || file->kind != FILE_TCP)
        return;
    must(setsockopt(number, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), "SO_LINGER");
    file->is_abrupt = true;
}

void world_shut_down(struct world *world, int number)
{
    struct file *file = world_file(world, number);
    if (!file || (file->kind != FILE_TCP && file->kind != FILE_UNIX))
        return;
    if (shutdown(number, SHUT_WR) < 0)
        return; /* it was reset */
    file->is_shut = true;
    if (file->kind == FILE_TCP) {
        file->is_restless = true;
        if (file->peer) {
            file->peer->is_restless = true;
            until_fact(world_number(world, file->peer), PLX_RDHUP, "a half close");
        }
    }
    touch_both(world, file);
}

/* --- Reading and writing --- */

static ssize_t put(const struct file *file, int number, const void *bytes, size_t size)
{
    if (file->kind == FILE_TCP || file->kind == FILE_UNIX)
        return send(number, bytes, size, MSG_NOSIGNAL);
    return write(number, bytes, size);
}

static bool is_full(const struct file *file, const struct world *world)
{
    return file->kind == FILE_TCP && file->peer &&
           bytes_unread(world_number(world, file->peer)) > TCP_ROOM;
}

void world_write(struct world *world, struct dice *dice, int number)
{
    static const char bytes[BUFFER_SIZE];
    struct file *file = world_file(world, number);
    if (!file || file->kind == FILE_PLAIN || is_full(file, world))
        return;
    if (file->kind == FILE_COUNTER) {
        uint64_t one = 1;
        (void)!write(number, &one, sizeof one);
    } else {
        until_sent(world, file, put(file, number, bytes, 1 + dice_roll(dice, 300)));
    }
    touch_both(world, file);
}

void world_fill(struct world *world, int number)
{
    static const char bytes[BUFFER_SIZE];
    static const uint64_t nearly_full = UINT64_MAX - 1;
    struct file *file = world_file(world, number);
    if (!file || file->kind == FILE_PLAIN || file->kind == FILE_TCP)
        return;
    if (file->kind == FILE_COUNTER) {
        world_drain(world, number);
        (void)!write(number, &nearly_full, sizeof nearly_full);
    } else {
        while (put(file, number, bytes, sizeof bytes) > 0)
            continue;
    }
    touch_both(world, file);
}

void world_read(struct world *world, struct dice *dice, int number)
{
    char bytes[BUFFER_SIZE];
    struct file *file = world_file(world, number);
    if (!file || file->kind == FILE_PLAIN)
        return;
    (void)!read(number, bytes, 8 + dice_roll(dice, 300));
    touch_both(world, file);
}

void world_drain(struct world *world, int number)
{
    char bytes[BUFFER_SIZE];
    struct file *file = world_file(world, number);
    if (!file || file->kind == FILE_PLAIN)
        return;
    while (read(number, bytes, sizeof bytes) > 0 && file->kind != FILE_COUNTER)
        continue;
    touch_both(world, file);
}

void world_send_urgent(struct world *world, int number)
{
    struct file *file = world_file(world, number);
    if (!file || file->kind != FILE_TCP || !file->peer || is_full(file, world))
        return;
    ssize_t size = send(number, "!", 1, MSG_OOB | MSG_NOSIGNAL);
    file->peer->is_urgent = true;
    until_sent(world, file, size);
    touch_both(world, file);
}

void world_take_urgent(struct world *world, int number)
{
    char byte;
    struct file *file = world_file(world, number);
    if (!file || file->kind != FILE_TCP)
        return;
    (void)!recv(number, &byte, 1, MSG_OOB);
    touch_both(world, file);
}

int world_open_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        must(-1, "/proc/self/fd");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 3; /* ".", ".." and the directory itself */
}
