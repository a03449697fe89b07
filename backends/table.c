/* SPDX-License-Identifier: MIT */
/*
 * table.c: the only file that names all backends.
 */
#include <stddef.h>
#include <string.h>

#include <pollux/error.h>

#include "backends/backend.h"
#include "src/os/os.h"

/* In order of preference. */
static const struct {
    const struct plx__backend *backend;
    bool is_played; /* another system's kernel, played for tests: nothing for AUTO */
} backends[] = {
#ifdef _WIN32
    {&plx__backend_wsapoll, false},
#elif defined(__linux__)
    {&plx__backend_epoll, false},
#ifdef POLLUX_PLAYS_KQUEUE
    {&plx__backend_kqueue, true},
#endif
#ifdef POLLUX_PLAYS_EVENT_PORTS
    {&plx__backend_event_ports, true},
#endif
    {&plx__backend_poll, false},
#elif defined(__sun)
    {&plx__backend_event_ports, false},
    {&plx__backend_poll, false},
#else
    {&plx__backend_kqueue, false},
    {&plx__backend_poll, false},
#endif
};

#define BACKEND_COUNT ((int)(sizeof backends / sizeof backends[0]))

/* All names, also of the backends that this binary has not. */
static const struct {
    plx_backend id;
    const char *name;
} names[] = {
    {PLX_BACKEND_AUTO, "auto"},
    {PLX_BACKEND_POLL, "poll"},
    {PLX_BACKEND_EPOLL, "epoll"},
    {PLX_BACKEND_KQUEUE, "kqueue"},
    {PLX_BACKEND_EVENT_PORTS, "event_ports"},
    {PLX_BACKEND_WSAPOLL, "wsapoll"},
};

#define NAME_COUNT (sizeof names / sizeof names[0])

const char *plx_backend_name(plx_backend backend)
{
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (names[i].id == backend)
            return names[i].name;
    }
    return "none";
}

plx_backend plx_backend_from_name(const char *name)
{
    for (size_t i = 0; name && i < NAME_COUNT; i++) {
        if (strcmp(names[i].name, name) == 0)
            return names[i].id;
    }
    return PLX_BACKEND_NONE;
}

static const struct plx__backend *find(plx_backend id)
{
    for (int i = 0; i < BACKEND_COUNT; i++) {
        if (backends[i].backend->id == id && backends[i].backend->is_available())
            return backends[i].backend;
    }
    return NULL;
}

static const struct plx__backend *find_best(void)
{
    for (int i = 0; i < BACKEND_COUNT; i++) {
        if (!backends[i].is_played && backends[i].backend->is_available())
            return backends[i].backend;
    }
    return NULL;
}

/* AUTO is what POLLUX_BACKEND names, if it names something, else the best. */
static const struct plx__backend *find_auto(void)
{
    const char *name = plx__os_environment("POLLUX_BACKEND");
    if (!name || !*name || strcmp(name, "auto") == 0)
        return find_best();
    return find(plx_backend_from_name(name));
}

int plx__backend_resolve(plx_backend wanted, const struct plx__backend **ret_backend)
{
    if (wanted < PLX_BACKEND_AUTO || wanted > PLX_BACKEND_WSAPOLL)
        return PLX_ERR_INVALID;
    const struct plx__backend *backend = wanted == PLX_BACKEND_AUTO ? find_auto() : find(wanted);
    if (!backend)
        return PLX_ERR_UNAVAILABLE;
    *ret_backend = backend;
    return PLX_OK;
}

int plx_backend_list(plx_backend *ret_list, int capacity)
{
    if (capacity < 0 || (!ret_list && capacity > 0))
        return PLX_ERR_INVALID;
    int count = 0;
    for (int i = 0; i < BACKEND_COUNT; i++) {
        if (!backends[i].backend->is_available())
            continue;
        if (count < capacity)
            ret_list[count] = backends[i].backend->id;
        count++;
    }
    return count;
}

bool plx_backend_is_available(plx_backend backend)
{
    return backend == PLX_BACKEND_AUTO || find(backend);
}

bool plx_backend_supports(plx_backend backend, uint32_t events)
{
    const struct plx__backend *found = backend == PLX_BACKEND_AUTO ? find_auto() : find(backend);
    const uint32_t everywhere = PLX_ERROR | PLX_HUP | PLX_TIMER | PLX_NOTIFY;
    return found && (events & ~(found->supports | plx__os_supports | everywhere)) == 0;
}
