/* SPDX-License-Identifier: MIT */
/* tolerance.c: the list, by kernel mechanism. */
#include "tolerance.h"

static bool scans_a_list(plx_backend backend)
{
    return backend == PLX_BACKEND_POLL || backend == PLX_BACKEND_WSAPOLL;
}

uint32_t tolerance_bits(enum tolerance tolerance, plx_backend backend)
{
    switch (tolerance) {
    case T1:
        return PLX_ERROR;
    case T2:
        return backend == PLX_BACKEND_WSAPOLL ? PLX_HUP : 0;
    case T2_HANGUP:
        return backend == PLX_BACKEND_WSAPOLL ? PLX_ERROR : 0;
    case T2_UNREAD:
        return backend == PLX_BACKEND_WSAPOLL ? PLX_RDHUP : 0;
    case T7:
        return PLX_HUP;
    case T7_UDP:
        return PLX_ERROR;
    case EXACT:
        break;
    }
    return 0;
}

bool tolerance_refuses_edge(plx_backend backend)
{
    return backend != PLX_BACKEND_EPOLL && backend != PLX_BACKEND_KQUEUE;
}

/* Some systems with kqueue have a filter for urgent data and some have not. */
bool tolerance_refuses_pri(plx_backend backend)
{
    return backend == PLX_BACKEND_KQUEUE && !plx_backend_supports(backend, PLX_PRI);
}

bool tolerance_sockets_alone(plx_backend backend)
{
    return backend == PLX_BACKEND_WSAPOLL;
}

bool tolerance_notices_reuse(plx_backend backend)
{
    return !scans_a_list(backend);
}

bool tolerance_silent_close(plx_backend backend)
{
    return !scans_a_list(backend);
}

bool tolerance_silent_datagrams(plx_backend backend)
{
    return backend == PLX_BACKEND_WSAPOLL;
}

bool tolerance_close_is_final(plx_backend backend)
{
    return backend == PLX_BACKEND_KQUEUE || backend == PLX_BACKEND_EVENT_PORTS;
}

bool tolerance_goes_by_identity(plx_backend backend)
{
    return backend == PLX_BACKEND_EVENT_PORTS;
}

bool tolerance_nested_lags(plx_backend backend)
{
    return backend == PLX_BACKEND_KQUEUE || backend == PLX_BACKEND_EVENT_PORTS;
}

bool tolerance_splits_edges(plx_backend backend)
{
    return backend == PLX_BACKEND_KQUEUE;
}

bool tolerance_shut_is_ready(plx_backend backend)
{
    return backend == PLX_BACKEND_KQUEUE;
}

bool tolerance_queue_is_inherited(plx_backend backend)
{
    return backend != PLX_BACKEND_KQUEUE;
}

bool tolerance_refuses_nesting(plx_backend backend)
{
    return scans_a_list(backend);
}
