/* SPDX-License-Identifier: MIT */
/*
 * fake_poll.c: ppoll(2) as a script says; see fake.h. There are neither changes nor tokens.
 */
#include "backends/poll.h"

#include <pollux/event.h>

#include "tests/platform/fake.h"

static struct plx__poll_calls real;

static int give(const struct fake_answer *answer, struct pollfd *entries, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++) {
        entries[i].revents = 0;
        for (int k = 0; k < answer->count; k++) {
            uint32_t facts = answer->events[k].fd == entries[i].fd ? answer->events[k].events : 0;
            entries[i].revents |=
                (short)((facts & PLX_READ ? POLLIN : 0) | (facts & PLX_WRITE ? POLLOUT : 0));
        }
    }
    return answer->error ? -1 : answer->count;
}

/* One entry and no time: that is no wait, but a question about a descriptor. */
static bool is_question(nfds_t count, const struct timespec *timeout)
{
    return count == 1 && timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
}

static int wait_for(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
                    const sigset_t *mask)
{
    const struct fake_answer *answer = NULL;
    if (fake_is_interrupted())
        return -1;
    if (!is_question(count, timeout))
        answer = fake_next(FAKE_EVENTS);
    return answer ? give(answer, entries, count) : real.wait(entries, count, timeout, mask);
}

void fake_open_poll(void)
{
    real = plx__poll_calls;
    plx__poll_calls.wait = wait_for;
}

void fake_close_poll(void)
{
    plx__poll_calls = real;
}
