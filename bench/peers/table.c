/* SPDX-License-Identifier: MIT */
/* table.c: the only file that names all peers. */
#include "peer.h"

#include <stddef.h>
#include <string.h>

extern const struct bench_peer bench_peer_raw_epoll;
extern const struct bench_peer bench_peer_pollux;
extern const struct bench_peer bench_peer_libev;
extern const struct bench_peer bench_peer_libevent;
extern const struct bench_peer bench_peer_libuv_poll;
extern const struct bench_peer bench_peer_libuv_stream;

const struct bench_peer *const bench_peers[] = {
    &bench_peer_raw_epoll,
    &bench_peer_pollux,
#ifdef BENCH_WITH_LIBEV
    &bench_peer_libev,
#endif
#ifdef BENCH_WITH_LIBEVENT
    &bench_peer_libevent,
#endif
#ifdef BENCH_WITH_LIBUV
    &bench_peer_libuv_poll,
    &bench_peer_libuv_stream,
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
