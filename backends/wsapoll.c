/* SPDX-License-Identifier: MIT */
/*
 * wsapoll.c: WSAPoll(), on Windows 10 from version 2004 on; before, it never told of a connect that
 * failed. As in poll.c the kernel remembers nothing, and an array goes down with every call. What
 * one has to know (docs/kernels/windows.md):
 *
 *   a. Nothing but POLLRDNORM, POLLRDBAND and POLLWRNORM may be asked for, or the call is refused.
 *      Wine takes anything.
 *   b. A peer's end of file is POLLHUP, asked for or not, in every call from then on. Who waits for
 *      room to write only has to be left out of the sleep and looked at between naps: "lame".
 *   c. A reset may be POLLHUP as well. Only a look at the stream tells one from the other.
 *   d. A closed socket is POLLNVAL, but does not count, and ends no sleep: it is asked for before
 *      changes, and sleeps are short. Alone in the array it fails the call.
 *   e. No entry is skipped for its number. Silent targets stand behind the others.
 *   f. There is nothing like an eventfd: the wake is a pair of connected sockets.
 *   g. Milliseconds, and it may return early by a tick: the core looks at the clock.
 *
 *      entries  [0]    [1 .. HEARD)  [HEARD .. LAME)   [LAME .. SILENT)   [SILENT .. capacity)
 *               wake   passed        passed, no sleep  not passed         room
 */
#define _CRT_RAND_S /* for rand_s() */
#include "backends/wsapoll.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <ws2tcpip.h>

#include <pollux/error.h>

#include "backends/backend.h"
#include "src/base/duration.h"
#include "src/os/os.h"

struct plx__wsapoll_calls plx__wsapoll_calls = {
    .wait = WSAPoll,
    .ask = getsockopt,
    .open = WSASocketW,
    .connect = connect,
    .accept = accept,
    .receive = recv,
    .send = send,
    .close = closesocket,
};

#define CALLS plx__wsapoll_calls

/* The parts of the array. */
enum part { HEARD, LAME, SILENT, PARTS };

struct member {
    struct plx__target *target;
    uint32_t interest;
};

struct plx__queue {
    WSAPOLLFD *entries;
    struct member *members; /* of the same index; [0] is the wake and has none */
    uint32_t entry_capacity;
    uint32_t member_capacity;
    uint32_t end[PARTS]; /* of each part, where the next one begins */
    uint32_t cursor;     /* where the next scan starts */
    bool was_woken;      /* by the last call */
    SOCKET wake;
    SOCKET waker;
    const plx_allocator *allocator;
};

/* How long lame targets are left out: a tick, which is as exact as time is here. */
#define NAP PLX_MS(15)

/* How long it may take until a socket is noticed that was closed under its watcher. */
#define LONGEST_SLEEP PLX_SECONDS(1)

/* --- Words --- */

static SHORT from_interest(uint32_t interest)
{
    int events = 0;
    events |= interest & PLX_READ ? POLLRDNORM : 0;
    events |= interest & PLX_WRITE ? POLLWRNORM : 0;
    events |= interest & PLX_PRI ? POLLRDBAND : 0;
    return (SHORT)events;
}

/* A stream that has failed is at its end as well. */
#define BROKEN (PLX_ERROR | PLX_HUP | PLX_RDHUP)

/* A failed connect is POLLERR, with POLLHUP on Windows and without in Wine. */
static uint32_t to_facts(SHORT events)
{
    uint32_t facts = 0;
    facts |= events & POLLRDNORM ? PLX_READ : 0;
    facts |= events & POLLWRNORM ? PLX_WRITE : 0;
    facts |= events & POLLRDBAND ? PLX_PRI : 0;
    facts |= events & POLLHUP ? PLX_RDHUP : 0;
    facts |= events & POLLERR ? BROKEN : 0;
    facts |= events & POLLNVAL ? PLX__GONE : 0;
    return facts;
}

/* At the end of a stream a look returns at once, also on a blocking socket, and takes nothing. */
static bool is_reset(SOCKET socket)
{
    char byte;
    if (CALLS.receive(socket, &byte, 1, MSG_PEEK) >= 0)
        return false;
    switch (WSAGetLastError()) {
    case WSAECONNRESET:
    case WSAECONNABORTED:
    case WSAENETRESET:
    case WSAETIMEDOUT:
        return true;
    default:
        return false;
    }
}

static uint32_t facts_of(const WSAPOLLFD *entry)
{
    uint32_t facts = to_facts(entry->revents);
    if ((entry->revents & (POLLHUP | POLLERR)) == POLLHUP && is_reset(entry->fd))
        facts |= BROKEN;
    return facts;
}

/* Is there something in it for this interest? An end of file can be read. */
static bool is_of_use(uint32_t facts, uint32_t interest)
{
    if (interest & PLX_READ)
        interest |= PLX_RDHUP;
    return facts & (interest | PLX_ERROR | PLX_HUP | PLX__GONE);
}

/* --- The array --- */

static int reserve(struct plx__queue *queue, uint32_t count)
{
    int code = plx__alloc_grow(queue->allocator, &queue->entries, &queue->entry_capacity, count,
                               PLX__GROWTH_STEP, sizeof *queue->entries);
    if (code < 0)
        return code;
    return plx__alloc_grow(queue->allocator, &queue->members, &queue->member_capacity, count,
                           PLX__GROWTH_STEP, sizeof *queue->members);
}

static void swap(struct plx__queue *queue, uint32_t a, uint32_t b)
{
    WSAPOLLFD entry = queue->entries[a];
    struct member member = queue->members[a];
    queue->entries[a] = queue->entries[b];
    queue->members[a] = queue->members[b];
    queue->entries[b] = entry;
    queue->members[b] = member;
    queue->members[a].target->place = a;
    queue->members[b].target->place = b;
}

static void reverse(struct plx__queue *queue, uint32_t first, uint32_t end)
{
    while (first + 1 < end)
        swap(queue, first++, --end);
}

/* Makes the cursor the head, so that who joins at the end is at the end of the line: see poll.c. */
static void begin_at_cursor(struct plx__queue *queue)
{
    uint32_t end = queue->end[HEARD];
    if (queue->cursor <= 1 || queue->cursor >= end)
        return;
    reverse(queue, 1, queue->cursor);
    reverse(queue, queue->cursor, end);
    reverse(queue, 1, end);
    queue->cursor = 1;
}

/* One border after the other: what leaves a part is first swapped to the border. */
static void move(struct plx__queue *queue, const struct plx__target *target, enum part to)
{
    enum part part = HEARD;
    while (target->place >= queue->end[part])
        part++;
    if (to == HEARD && part != HEARD)
        begin_at_cursor(queue);
    for (; part < to; part++)
        swap(queue, target->place, --queue->end[part]);
    for (; part > to; part--)
        swap(queue, target->place, queue->end[part - 1]++);
}

static void set_interest(struct plx__queue *queue, const struct plx__target *target, uint32_t want)
{
    queue->entries[target->place].events = from_interest(want);
    queue->members[target->place].interest = want;
    move(queue, target, want == PLX__SILENT ? SILENT : HEARD);
}

/* --- The wake --- */

#define PATIENCE  1000 /* milliseconds; on the loopback nothing takes so long */
#define STRANGERS 64   /* as many as fit into the line before us */

static bool await(SOCKET socket)
{
    WSAPOLLFD entry = {.fd = socket, .events = POLLRDNORM};
    int count = CALLS.wait(&entry, 1, PATIENCE);
    if (count == 0)
        WSASetLastError(WSAETIMEDOUT);
    return count > 0;
}

static SOCKET open_socket(void)
{
    return CALLS.open(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

/* Nobody else may take the port over, as they could with SO_REUSEADDR. */
static bool listen_alone(SOCKET listener, struct sockaddr_in *ret_address)
{
    const char on[sizeof(int)] = {1};
    int size = sizeof *ret_address;
    *ret_address = (struct sockaddr_in){.sin_family = AF_INET};
    ret_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return setsockopt(listener, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, on, sizeof on) == 0 &&
           bind(listener, (const struct sockaddr *)ret_address, size) == 0 &&
           listen(listener, STRANGERS) == 0 &&
           getsockname(listener, (struct sockaddr *)ret_address, &size) == 0;
}

static bool is_between(SOCKET here, SOCKET there)
{
    struct sockaddr_in peer, own;
    int peer_size = sizeof peer, own_size = sizeof own;
    return getpeername(here, (struct sockaddr *)&peer, &peer_size) == 0 &&
           getsockname(there, (struct sockaddr *)&own, &own_size) == 0 &&
           peer.sin_addr.s_addr == own.sin_addr.s_addr && peer.sin_port == own.sin_port;
}

/* What goes in there comes out here. */
static bool is_connected(SOCKET here, SOCKET there)
{
    unsigned secret[4], heard[4];
    int size = 0;
    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++) {
        if (rand_s(&secret[i]) != 0)
            return false;
    }
    if (CALLS.send(there, (const char *)secret, sizeof secret, 0) != sizeof secret)
        return false;
    while (size < (int)sizeof heard && await(here)) {
        int more = CALLS.receive(here, (char *)heard + size, (int)sizeof heard - size, 0);
        if (more <= 0)
            return false;
        size += more;
    }
    return size == sizeof heard && memcmp(secret, heard, sizeof heard) == 0;
}

/* Any program of this machine can connect to the listener. Who is not ours is shown the door. */
static SOCKET accept_own(SOCKET listener, SOCKET own)
{
    for (int i = 0; i <= STRANGERS && await(listener); i++) {
        SOCKET peer = CALLS.accept(listener, NULL, NULL);
        if (peer == INVALID_SOCKET)
            break;
        if (is_between(peer, own) && is_connected(peer, own))
            return peer;
        CALLS.close(peer);
    }
    return INVALID_SOCKET;
}

/* The accepted socket can be had with a handle that children inherit only. */
static bool make_private(SOCKET wake, SOCKET waker)
{
    u_long on = 1;
    const char no_delay[sizeof(int)] = {1};
    return SetHandleInformation((HANDLE)wake, HANDLE_FLAG_INHERIT, 0) &&
           ioctlsocket(wake, (long)FIONBIO, &on) == 0 &&
           ioctlsocket(waker, (long)FIONBIO, &on) == 0 &&
           setsockopt(waker, IPPROTO_TCP, TCP_NODELAY, no_delay, sizeof no_delay) == 0;
}

static bool connect_pair(struct plx__queue *queue, SOCKET listener)
{
    struct sockaddr_in address;
    if (!listen_alone(listener, &address) ||
        CALLS.connect(queue->waker, (const struct sockaddr *)&address, sizeof address) != 0)
        return false;
    queue->wake = accept_own(listener, queue->waker);
    return queue->wake != INVALID_SOCKET && make_private(queue->wake, queue->waker);
}

static void close_one(SOCKET socket)
{
    int cause = WSAGetLastError();
    if (socket != INVALID_SOCKET)
        CALLS.close(socket);
    WSASetLastError(cause);
}

/* Running out is told as such; whatever else went wrong is nothing that the caller did. */
static int failed_to_open(void)
{
    int code = plx__os_error();
    return code == PLX_ERR_TOOBIG || code == PLX_ERR_NOMEM ? code : PLX_ERR_SYSTEM;
}

static int open_wake(struct plx__queue *queue)
{
    SOCKET listener = open_socket();
    if (listener == INVALID_SOCKET)
        return failed_to_open();
    queue->waker = open_socket();
    bool is_done = queue->waker != INVALID_SOCKET && connect_pair(queue, listener);
    int code = is_done ? PLX_OK : failed_to_open();
    close_one(listener);
    if (!is_done) {
        close_one(queue->wake);
        close_one(queue->waker);
    }
    return code;
}

/* Some at once: they were sent for one sleep. Without its peer it would be ready for ever. */
static int take_wake(struct plx__queue *queue)
{
    char bytes[64];
    int size = CALLS.receive(queue->wake, bytes, sizeof bytes, 0);
    queue->was_woken = true;
    return size > 0 || (size < 0 && WSAGetLastError() == WSAEWOULDBLOCK) ? PLX_OK : PLX_ERR_SYSTEM;
}

static void ws_wake(struct plx__queue *queue)
{
    int cause = WSAGetLastError();
    CALLS.send(queue->waker, "!", 1, 0); /* WSAEWOULDBLOCK: then there is plenty to read */
    WSASetLastError(cause);
}

/* --- From open to close --- */

static bool ws_is_available(void)
{
    return true;
}

static void free_queue(struct plx__queue *queue)
{
    const plx_allocator *allocator = queue->allocator;
    plx__alloc_free(allocator, queue->entries, queue->entry_capacity * sizeof *queue->entries);
    plx__alloc_free(allocator, queue->members, queue->member_capacity * sizeof *queue->members);
    plx__alloc_free(allocator, queue, sizeof *queue);
}

/* Winsock counts its users: a context is one, so that timers need no socket of the caller's. */
static int start_winsock(void)
{
    WSADATA data;
    int cause = WSAStartup(MAKEWORD(2, 2), &data);
    WSASetLastError(cause);
    return cause == 0 ? PLX_OK : PLX_ERR_SYSTEM;
}

static void stop_winsock(void)
{
    int cause = WSAGetLastError();
    WSACleanup();
    WSASetLastError(cause);
}

static int open_sockets(struct plx__queue *queue)
{
    int code = start_winsock();
    if (code < 0)
        return code;
    code = open_wake(queue);
    if (code < 0)
        stop_winsock();
    return code;
}

static int ws_open(struct plx__queue **ret_queue, const plx_allocator *allocator, uint32_t capacity)
{
    struct plx__queue *queue = plx__alloc_zeroed(allocator, sizeof *queue);
    if (!queue)
        return PLX_ERR_NOMEM;
    queue->allocator = allocator;
    queue->wake = queue->waker = INVALID_SOCKET;
    int code = reserve(queue, capacity + 1);
    if (code >= 0)
        code = open_sockets(queue);
    if (code < 0) {
        free_queue(queue);
        return code;
    }
    queue->entries[0] = (WSAPOLLFD){.fd = queue->wake, .events = POLLRDNORM};
    queue->members[0] = (struct member){0};
    queue->end[HEARD] = queue->end[LAME] = queue->end[SILENT] = queue->cursor = 1;
    *ret_queue = queue;
    return PLX_OK;
}

static void ws_close(struct plx__queue *queue)
{
    close_one(queue->wake);
    close_one(queue->waker);
    stop_winsock();
    free_queue(queue);
}

/* --- Targets --- */

static bool is_open(SOCKET socket)
{
    int type, size = sizeof type;
    return CALLS.ask(socket, SOL_SOCKET, SO_TYPE, (char *)&type, &size) == 0;
}

/* Not so of one that cannot be asked for want of memory, or while the network is down. */
static bool is_closed(SOCKET socket)
{
    return !is_open(socket) && plx__os_error() == PLX_ERR_BADHANDLE;
}

/* A handle of a file, a pipe, a console is no socket. */
static int check_socket(SOCKET socket)
{
    DWORD flags;
    if (is_open(socket))
        return PLX_OK;
    int code = plx__os_error();
    if (code == PLX_ERR_BADHANDLE && GetHandleInformation((HANDLE)socket, &flags))
        return PLX_ERR_NOSUPPORT;
    return code;
}

static int ws_add(struct plx__queue *queue, struct plx__target *target, uint32_t want)
{
    if (target->fd == queue->wake || target->fd == queue->waker)
        return PLX_ERR_INVALID; /* a context cannot watch itself */
    int code = check_socket(target->fd);
    if (code < 0)
        return code;
    code = reserve(queue, queue->end[SILENT] + 1);
    if (code < 0)
        return code;
    target->place = queue->end[SILENT]++;
    queue->entries[target->place] = (WSAPOLLFD){.fd = target->fd};
    queue->members[target->place].target = target;
    set_interest(queue, target, want);
    return PLX_OK;
}

/*
 * A closed socket would be noticed only when something else ends the sleep (quirk d). There is
 * nothing that could be held of it.
 */
static int ws_modify(struct plx__queue *queue, struct plx__target *target, uint32_t was,
                     uint32_t want)
{
    (void)was;
    bool is_lost = want != PLX__SILENT && is_closed(target->fd);
    set_interest(queue, target, is_lost ? PLX__SILENT : want);
    return is_lost ? PLX_ERR_BADHANDLE : PLX_OK;
}

static bool ws_remove(struct plx__queue *queue, struct plx__target *target)
{
    move(queue, target, SILENT);
    swap(queue, target->place, queue->end[SILENT] - 1);
    queue->end[SILENT]--;
    return true;
}

/* The best this mechanism can tell: the number is open. */
static int ws_holds(struct plx__queue *queue, struct plx__target *target)
{
    (void)queue;
    return check_socket(target->fd);
}

static uint32_t ws_look(struct plx__queue *queue, const struct plx__target *target, uint32_t want)
{
    (void)queue;
    WSAPOLLFD entry = {.fd = target->fd, .events = from_interest(want)};
    if (CALLS.wait(&entry, 1, 0) < 0)
        return WSAGetLastError() == WSAENOTSOCK ? PLX__GONE : 0;
    return facts_of(&entry);
}

/* --- The wait --- */

/* What stands in `revents` of an entry that leaves those that are heard: where to. */
#define TO_SILENT ((SHORT)-1)
#define TO_LAME   ((SHORT)-2)

/*
 * After the scan, which must not lose its place. Those that stay keep their order: one that was not
 * reported yet must not come to stand behind the cursor (clause B12).
 */
static void take_out_marked(struct plx__queue *queue)
{
    uint32_t kept = 1;
    uint32_t cursor = 1;
    for (uint32_t i = 1; i < queue->end[HEARD]; i++) {
        if (i == queue->cursor)
            cursor = kept;
        if (queue->entries[i].revents < 0)
            continue;
        swap(queue, i, kept++);
    }
    queue->cursor = cursor;
    while (queue->end[HEARD] > kept) {
        uint32_t last = queue->end[HEARD] - 1;
        bool is_lame = queue->entries[last].revents == TO_LAME;
        move(queue, queue->members[last].target, is_lame ? LAME : SILENT);
    }
}

/* Makes the record of an entry that has something, unless it is lame. */
static int take(struct plx__queue *queue, uint32_t index, struct plx__record *ret_record)
{
    WSAPOLLFD *entry = &queue->entries[index];
    const struct member *member = &queue->members[index];
    uint32_t facts = facts_of(entry);
    if (!is_of_use(facts, member->interest)) {
        entry->revents = TO_LAME;
        return 0;
    }
    ret_record->token = plx__slot_token(&member->target->slot);
    ret_record->events = facts;
    if (member->interest & PLX_ONESHOT || facts & PLX__GONE)
        entry->revents = TO_SILENT;
    return 1;
}

/*
 * Up to `capacity` records, going round from the cursor. It ends after as many entries as the call
 * told of; if it told of none, there may still be closed ones (quirk d).
 */
static int scan(struct plx__queue *queue, struct plx__record *records, int capacity, int ready)
{
    uint32_t left = queue->end[HEARD] - 1;
    uint32_t index = queue->cursor <= left ? queue->cursor : 1;
    int limit = ready > 0 ? ready : INT_MAX;
    bool has_marked = false;
    int count = 0;
    for (; left > 0 && limit > 0 && count < capacity; left--) {
        SHORT events = queue->entries[index].revents;
        if (events) {
            count += take(queue, index, &records[count]);
            has_marked |= queue->entries[index].revents < 0;
            limit -= !(events & POLLNVAL);
        }
        index = index + 1 < queue->end[HEARD] ? index + 1 : 1;
    }
    queue->cursor = index;
    if (has_marked)
        take_out_marked(queue);
    return count;
}

/* Those of the lame that have something to tell join the others. Returns how many have not. */
static int call_in_lame(struct plx__queue *queue)
{
    int lame = 0;
    for (uint32_t i = queue->end[HEARD]; i < queue->end[LAME]; i++) {
        bool is_lame = !is_of_use(facts_of(&queue->entries[i]), queue->members[i].interest);
        if (is_lame && queue->entries[i].revents & POLLHUP)
            lame++;
        else
            move(queue, queue->members[i].target, HEARD);
    }
    return lame;
}

/* A socket that was closed failed the whole call: who is it? */
static int find_closed(struct plx__queue *queue, uint32_t end)
{
    int count = 0;
    for (uint32_t i = 0; i < end; i++) {
        WSAPOLLFD *entry = &queue->entries[i];
        entry->revents = is_closed(entry->fd) ? POLLNVAL : 0;
        count += entry->revents != 0;
    }
    return count;
}

/* Above 0: there is something to report all the same. */
static int failed(struct plx__queue *queue, uint32_t end)
{
    int count;
    switch (WSAGetLastError()) {
    case WSAEINTR:
        return 0;
    case WSAENOTSOCK:
        count = find_closed(queue, end);
        return count > 0 ? count : PLX_ERR_SYSTEM;
    case WSAENOBUFS:
    case WSA_NOT_ENOUGH_MEMORY:
        return PLX_ERR_NOMEM;
    default:
        return PLX_ERR_SYSTEM;
    }
}

static int milliseconds(plx_duration timeout)
{
    int64_t rounded = plx__round_up(timeout, PLX_MS(1));
    if (timeout < 0)
        return -1;
    return rounded < INT_MAX ? (int)rounded : INT_MAX;
}

/* One call, with the lame or without. */
static int call(struct plx__queue *queue, enum part last, struct plx__record *records, int capacity,
                plx_duration timeout)
{
    uint32_t end = queue->end[last];
    int ready = CALLS.wait(queue->entries, end, milliseconds(timeout));
    queue->was_woken = false;
    if (ready < 0) {
        int found = failed(queue, end);
        if (found <= 0)
            return found;
    }
    if (queue->entries[0].revents) {
        if (take_wake(queue) < 0)
            return PLX_ERR_SYSTEM;
        ready--;
    }
    if (last == LAME)
        ready -= call_in_lame(queue);
    return scan(queue, records, capacity, ready);
}

static plx_duration at_most(plx_duration timeout, plx_duration limit)
{
    return timeout < 0 || timeout > limit ? limit : timeout;
}

static int ws_wait(struct plx__queue *queue, struct plx__record *records, int capacity,
                   plx_duration timeout)
{
    if (queue->end[HEARD] > 1)
        timeout = at_most(timeout, LONGEST_SLEEP);
    if (queue->end[LAME] == queue->end[HEARD])
        return call(queue, HEARD, records, capacity, timeout);
    int count = call(queue, LAME, records, capacity, 0);
    if (count != 0 || timeout == 0 || queue->was_woken)
        return count;
    return call(queue, HEARD, records, capacity, at_most(timeout, NAP));
}

/* Nothing is shared with anybody, and nobody forks: there is nothing to renew. */
static int ws_renew(struct plx__queue *queue, bool is_forked)
{
    (void)queue;
    (void)is_forked;
    return PLX_OK;
}

static void ws_settle(struct plx__queue *queue, bool keep_fresh)
{
    (void)queue;
    (void)keep_fresh;
}

const struct plx__backend plx__backend_wsapoll = {
    .id = PLX_BACKEND_WSAPOLL,
    .name = "wsapoll",
    .supports = PLX__DATA_EVENTS | PLX_ONESHOT,
    .is_level_on_file = true, /* there is no file that the core would have to make up for */
    .is_remembered = false,
    .is_available = ws_is_available,
    .open = ws_open,
    .close = ws_close,
    .add = ws_add,
    .modify = ws_modify,
    .remove = ws_remove,
    .holds = ws_holds,
    .wait = ws_wait,
    .look = ws_look,
    .wake = ws_wake,
    .renew = ws_renew,
    .settle = ws_settle,
};
