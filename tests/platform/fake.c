/* SPDX-License-Identifier: MIT */
/*
 * fake.c: the script, and the tokens that the kernel was given; see fake.h.
 */
#include "tests/platform/fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIVES 16

static struct {
    uint64_t tokens[LIVES];
    unsigned count;
} lives[FAKE_DESCRIPTORS];

struct fake fake;

static plx_backend played;

/* A script that does not fit its test is no result. */
static void expect(bool condition)
{
    if (!condition)
        abort();
}

void fake_note(int fd, uint64_t token)
{
    if (fd < 0 || fd >= FAKE_DESCRIPTORS)
        return;
    unsigned *count = &lives[fd].count;
    if (*count > 0 && lives[fd].tokens[*count - 1] == token)
        return;
    *count += *count < LIVES; /* of many the last takes the last place */
    lives[fd].tokens[*count - 1] = token;
}

uint64_t fake_token(const struct fake_event *event)
{
    expect(event->fd >= 0 && event->fd < FAKE_DESCRIPTORS);
    unsigned life = event->life ? event->life : lives[event->fd].count;
    expect(life >= 1 && life <= lives[event->fd].count);
    return lives[event->fd].tokens[life - 1];
}

/* Counts down; true at the one that is meant. */
static bool is_meant(unsigned *distance)
{
    return *distance > 0 && --*distance == 0;
}

bool fake_is_interrupted(void)
{
    if (!is_meant(&fake.interrupt))
        return false;
    errno = EINTR;
    return true;
}

bool fake_is_refused(void)
{
    if (!is_meant(&fake.refuse))
        return false;
    errno = fake.cause;
    return true;
}

void fake_answer(struct fake_answer answer)
{
    expect(fake.answer_count < FAKE_ANSWERS && answer.count <= FAKE_EVENTS);
    fake.answers[fake.answer_count++] = answer;
}

int fake_left(void)
{
    return fake.answer_count - fake.answered;
}

const struct fake_answer *fake_next(int room)
{
    fake.waits++;
    fake.narrow_waits += room < 1;
    if (fake_left() == 0)
        return NULL;
    const struct fake_answer *answer = &fake.answers[fake.answered++];
    expect(answer->count <= room);
    errno = answer->error;
    return answer;
}

void fake_open(plx_backend backend)
{
    memset(&fake, 0, sizeof fake);
    memset(lives, 0, sizeof lives);
    played = backend;
    if (backend == PLX_BACKEND_EPOLL)
        fake_open_epoll();
    if (backend == PLX_BACKEND_POLL)
        fake_open_poll();
#ifdef POLLUX_PLAYS_KQUEUE
    if (backend == PLX_BACKEND_KQUEUE)
        fake_open_kqueue();
#endif
#ifdef POLLUX_PLAYS_EVENT_PORTS
    if (backend == PLX_BACKEND_EVENT_PORTS)
        fake_open_event_ports();
#endif
}

void fake_close(void)
{
    if (played == PLX_BACKEND_EPOLL)
        fake_close_epoll();
    if (played == PLX_BACKEND_POLL)
        fake_close_poll();
#ifdef POLLUX_PLAYS_KQUEUE
    if (played == PLX_BACKEND_KQUEUE)
        fake_close_kqueue();
#endif
#ifdef POLLUX_PLAYS_EVENT_PORTS
    if (played == PLX_BACKEND_EVENT_PORTS)
        fake_close_event_ports();
#endif
}
