/* SPDX-License-Identifier: MIT */
/*
 * rig.c: see rig.h.
 */
#include "rig.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pollux/error.h>

#include "require.h"

const struct plx__backend *rig_backend;

void rig_use_epoll(void)
{
    rig_backend = &plx__backend_epoll;
}

void rig_use_poll(void)
{
    rig_backend = &plx__backend_poll;
}

bool rig_has_ghosts(void)
{
    return rig_backend->id == PLX_BACKEND_EPOLL;
}

void rig_open(struct rig *rig, uint32_t capacity)
{
    rig->backend = rig_backend;
    calls_open();
    memory_open(&rig->memory);
    const size_t size = sizeof(struct plx__target);
    plx__slots_open(&rig->slots, &plx__alloc_default, rig, &size, 1);
    REQUIRE(rig->backend->open(&rig->queue, &rig->memory.allocator, capacity) == PLX_OK);
}

void rig_close(struct rig *rig)
{
    rig->backend->close(rig->queue);
    memory_close(&rig->memory);
    plx__slots_close(&rig->slots);
    calls_close();
}

struct plx__target *rig_target(struct rig *rig, int fd)
{
    struct plx__target *target = plx__slots_take(&rig->slots, 0);
    REQUIRE(target != NULL);
    target->fd = fd;
    target->place = 0;
    return target;
}

struct plx__target *rig_add(struct rig *rig, int fd, uint32_t want)
{
    struct plx__target *target = rig_target(rig, fd);
    REQUIRE(rig->backend->add(rig->queue, target, want) == PLX_OK);
    return target;
}

void rig_modify(struct rig *rig, struct plx__target *target, uint32_t was, uint32_t want)
{
    REQUIRE(rig->backend->modify(rig->queue, target, was, want) == PLX_OK);
}

bool rig_is_of(const struct plx__record *record, const struct plx__target *target)
{
    struct plx__token token = plx__slot_token(&target->slot);
    return record->token.number == token.number && record->token.generation == token.generation;
}

bool rig_is_wake(const struct plx__record *record)
{
    return record->token.number == 0 && record->token.generation == 0;
}

int rig_wait(struct rig *rig, struct plx__record *records, int capacity)
{
    int count, kept;
    do {
        count = rig->backend->wait(rig->queue, records, capacity, 0);
        REQUIRE(count >= 0);
        REQUIRE(count <= capacity);
        kept = 0;
        for (int i = 0; i < count; i++) {
            if (!rig_is_wake(&records[i]))
                records[kept++] = records[i];
        }
    } while (kept == 0 && count > 0); /* a wake took the only place */
    return kept;
}

uint32_t rig_facts(struct rig *rig, const struct plx__target *target)
{
    struct plx__record records[ROOM];
    int count = rig_wait(rig, records, ROOM);
    REQUIRE(count <= 1);
    if (count == 0)
        return 0;
    REQUIRE(rig_is_of(&records[0], target));
    REQUIRE(records[0].events != 0);
    return records[0].events;
}

struct ends rig_pipe(void)
{
    int fds[2];
    REQUIRE(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    return (struct ends){.read = fds[0], .write = fds[1]};
}

struct ends rig_readable_pipe(void)
{
    struct ends ends = rig_pipe();
    REQUIRE(write(ends.write, "x", 1) == 1);
    return ends;
}

struct ends rig_sockets(void)
{
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    return (struct ends){.read = fds[0], .write = fds[1]};
}

void rig_close_ends(struct ends ends)
{
    close(ends.read);
    close(ends.write);
}

void rig_fill(int fd)
{
    static const char bytes[4096];
    while (write(fd, bytes, sizeof bytes) > 0)
        continue;
}

int rig_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < RIG_DESCRIPTORS; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static const struct {
    int word;
    uint32_t event;
} words[] = {
    {POLLIN, PLX_READ}, {POLLOUT, PLX_WRITE}, {POLLPRI, PLX_PRI},    {POLLRDHUP, PLX_RDHUP},
    {POLLHUP, PLX_HUP}, {POLLERR, PLX_ERROR}, {POLLNVAL, PLX__GONE},
};

#define WORDS (sizeof words / sizeof words[0])

uint32_t rig_oracle(int fd, uint32_t want)
{
    struct pollfd entry = {.fd = fd};
    uint32_t facts = 0;
    for (size_t i = 0; i < WORDS; i++)
        entry.events = (short)(entry.events | (want & words[i].event ? words[i].word : 0));
    REQUIRE(poll(&entry, 1, 0) >= 0);
    for (size_t i = 0; i < WORDS; i++)
        facts |= entry.revents & words[i].word ? words[i].event : 0;
    return facts;
}
