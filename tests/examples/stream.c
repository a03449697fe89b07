/* SPDX-License-Identifier: MIT */
/*
 * stream.c: see stream.h.
 */
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"
#include "tap.h"

enum { PIECE = 1024 * 1024 };

static unsigned char outgoing[PIECE];
static unsigned char incoming[PIECE];

static unsigned char byte_at(uint32_t seed, uint64_t position)
{
    uint32_t mixed = ((uint32_t)position ^ seed) * 2654435761U;

    return (unsigned char)(mixed >> 24 ^ mixed >> 11);
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

static bool send_some(struct stream *stream, uint64_t limit)
{
    uint64_t left = limit - stream->sent;
    size_t size = left < PIECE ? (size_t)left : PIECE;
    ssize_t sent;

    for (size_t i = 0; i < size; i++)
        outgoing[i] = byte_at(stream->seed, stream->sent + i);
    sent = send(stream->fd, outgoing, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    CHECK_SAY(sent >= 0 || would_block(), "errno %d", errno);
    stream->sent += sent > 0 ? (uint64_t)sent : 0;
    return true;
}

static bool receive_some(struct stream *stream)
{
    ssize_t got = recv(stream->fd, incoming, sizeof(incoming), MSG_DONTWAIT);

    if (got < 0 && would_block())
        return true;
    CHECK_SAY(got > 0, "%zd, errno %d, after %llu bytes", got, errno,
              (unsigned long long)stream->received);
    for (ssize_t i = 0; i < got; i++, stream->received++)
        CHECK_SAY(incoming[i] == byte_at(stream->seed, stream->received), "byte %llu",
                  (unsigned long long)stream->received);
    CHECK(stream->received <= stream->sent);
    return true;
}

bool stream_send_unread(struct stream *stream, uint64_t limit, int while_ms)
{
    struct pollfd state = {.fd = stream->fd, .events = POLLOUT};

    while (stream->sent < limit && poll(&state, 1, while_ms) == 1)
        if (!send_some(stream, limit))
            return false;
    return true;
}

bool stream_exchange(struct stream *stream, uint64_t limit)
{
    while (stream->received < limit) {
        struct pollfd state = {.fd = stream->fd, .events = POLLIN};

        if (stream->sent < limit)
            state.events |= POLLOUT;
        CHECK_SAY(poll(&state, 1, PATIENCE_MS) == 1, "%llu of %llu bytes came back",
                  (unsigned long long)stream->received, (unsigned long long)limit);
        if ((state.revents & POLLOUT) != 0 && !send_some(stream, limit))
            return false;
        if ((state.revents & ~POLLOUT) != 0 && !receive_some(stream))
            return false;
    }
    return true;
}

bool stream_collect(struct stream *stream)
{
    return stream_exchange(stream, stream->sent);
}

bool stream_at_end(struct stream *stream)
{
    ssize_t got = recv(stream->fd, incoming, 1, 0);

    CHECK_SAY(got == 0, "%zd, errno %d", got, got < 0 ? errno : 0);
    return true;
}

void stream_reset(struct stream *stream)
{
    struct linger at_once = {.l_onoff = 1};

    setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(stream->fd);
    stream->fd = -1;
}
