/* SPDX-License-Identifier: MIT */
/*
 * stream.h: a connection to an echo server whose every byte is known in advance.
 */
#ifndef POLLUX_TESTS_STREAM_H
#define POLLUX_TESTS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes follow from seed and position, so that loss, repetition and disorder all show. */
struct stream {
    int fd;
    uint32_t seed;
    uint64_t sent;
    uint64_t received;
};

/*
 * Sends without reading until `limit` bytes are out, or until the socket took nothing for so long.
 * Under heavy load it may stop too soon, which makes a test weaker but not wrong.
 */
bool stream_send_unread(struct stream *stream, uint64_t limit, int while_ms);

/* Sends and reads at once until `limit` bytes in all went out and came back, each the right one. */
bool stream_exchange(struct stream *stream, uint64_t limit);

/* Reads until what was sent is back. */
bool stream_collect(struct stream *stream);

/* Nothing more comes: the next read says end of file. */
bool stream_at_end(struct stream *stream);

/* Closes so that the peer sees a reset. */
void stream_reset(struct stream *stream);

#endif
