/* SPDX-License-Identifier: MIT */
/* table.c: the only file that names all peers. The limits come first. */
#include "peer.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

extern const struct bench_peer bench_peer_raw_epoll;
extern const struct bench_peer bench_peer_raw_edge;
extern const struct bench_peer bench_peer_raw_uring;
extern const struct bench_peer bench_peer_raw_wheel;
extern const struct bench_peer bench_peer_raw_eventfd;
extern const struct bench_peer bench_peer_pollux;
extern const struct bench_peer bench_peer_pollux_callbacks;
extern const struct bench_peer bench_peer_pollux_poll;
extern const struct bench_peer bench_peer_libev;
extern const struct bench_peer bench_peer_libevent;
extern const struct bench_peer bench_peer_libevent_changelist;
extern const struct bench_peer bench_peer_libuv_poll;
extern const struct bench_peer bench_peer_libuv_stream;

const struct bench_peer *const bench_peers[] = {
    &bench_peer_raw_epoll,
    &bench_peer_raw_edge,
#ifdef BENCH_WITH_LIBURING
    &bench_peer_raw_uring,
#endif
    &bench_peer_raw_wheel,
    &bench_peer_raw_eventfd,
    &bench_peer_pollux,
    &bench_peer_pollux_callbacks,
    &bench_peer_pollux_poll,
#ifdef BENCH_WITH_LIBEV
    &bench_peer_libev,
#endif
#ifdef BENCH_WITH_LIBEVENT
    &bench_peer_libevent,
    &bench_peer_libevent_changelist,
#endif
#ifdef BENCH_WITH_LIBUV
    &bench_peer_libuv_poll,
    &bench_peer_libuv_stream,
#endif
    NULL,
};

static const char *const missing[] = {
#ifndef BENCH_WITH_LIBEV
    "libev",
#endif
#ifndef BENCH_WITH_LIBEVENT
    "libevent",
#endif
#ifndef BENCH_WITH_LIBUV
    "libuv",
#endif
#ifndef BENCH_WITH_LIBURING
    "raw_uring",
#endif
    NULL,
};

const struct bench_peer *bench_peer_find(const char *name)
{
    for (size_t i = 0; bench_peers[i]; i++)
        if (strcmp(bench_peers[i]->name, name) == 0)
            return bench_peers[i];
    return NULL;
}

static void list_one(const struct bench_peer *peer, bool takes_part)
{
    const char *reason = peer->refused ? peer->refused() : NULL;
    if (!takes_part)
        reason = peer->lacks;
    if (reason)
        printf("! %s %s\n", peer->name, reason);
    else
        printf("%s %s\n", peer->name, peer->version());
}

int bench_peer_list(bool (*takes_part)(const struct bench_peer *peer))
{
    for (size_t i = 0; bench_peers[i]; i++)
        list_one(bench_peers[i], takes_part(bench_peers[i]));
    for (size_t i = 0; missing[i]; i++)
        printf("! %s was not found when the benchmark was built\n", missing[i]);
    return 0;
}
