/* SPDX-License-Identifier: MIT */
/*
 * fake.h: kernels that answer as they are told. Each stands in one backend's table of system calls,
 * above whatever is there: what its script says comes first, and then the kernel beneath is asked.
 * So a test plays what a real kernel does once in a year, and plays the same on all of them: events
 * are told in the words of a backend, and translated.
 */
#ifndef PLATFORM_FAKE_H
#define PLATFORM_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pollux/backend.h>

enum { FAKE_EVENTS = 8, FAKE_ANSWERS = 8 };

struct fake_event {
    int fd;
    uint32_t events; /* PLX_READ, PLX_WRITE or, but for kqueue, both */
    unsigned life;   /* of the how-manieth token that this number had; 0: of the last */
};

/* What a wait says, of which a kernel gives events beside an error on event ports alone. */
struct fake_answer {
    int error; /* errno; 0: none */
    int count;
    struct fake_event events[FAKE_EVENTS];
};

struct fake {
    struct fake_answer answers[FAKE_ANSWERS];
    int answer_count;
    int answered;

    /* EINTR for a call that a signal can end: a wait, or poll(2). 1: the next; 2: the one after it;
       0: none. */
    unsigned interrupt;

    /* Likewise for a single change; of a list it is one of them. Taking away is none. */
    unsigned refuse;
    int cause; /* errno of that */

    unsigned waits;
    unsigned narrow_waits; /* those that had no room for an event */
};

extern struct fake fake;

/* In front of the backend, with an empty script, until fake_close(). */
void fake_open(plx_backend backend);
void fake_close(void);

/* The next wait that the script has nothing for says this. */
void fake_answer(struct fake_answer answer);

/* How many answers nobody has asked for. */
int fake_left(void);

/* --- For the kernels: fake_*.c --- */

/* Numbers below this can be played. */
#define FAKE_DESCRIPTORS 256

/* The kernel was given a token for this number; and the one that an event carries. */
void fake_note(int fd, uint64_t token);
uint64_t fake_token(const struct fake_event *event);

/* Is this the call that is interrupted, or the change that is refused? errno says why. */
bool fake_is_interrupted(void);
bool fake_is_refused(void);

/* What a wait with this room is to say; NULL: the kernel beneath knows. */
const struct fake_answer *fake_next(int room);

void fake_open_epoll(void);
void fake_close_epoll(void);
void fake_open_poll(void);
void fake_close_poll(void);
void fake_open_kqueue(void); /* where they are played */
void fake_close_kqueue(void);
void fake_open_event_ports(void);
void fake_close_event_ports(void);

#endif
