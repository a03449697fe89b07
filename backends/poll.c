/* SPDX-License-Identifier: MIT */
/*
 * poll.c: poll(2), on every POSIX system. The simplest backend: read it first. What it calls is
 * in poll_linux.c or poll_posix.c.
 *
 * The kernel remembers nothing; the interests are an array that goes down with every call. What
 * one has to know (docs/kernels/poll.md):
 *
 *   a. A closed descriptor is POLLNVAL in every call, at once: it has to be silenced.
 *   b. A negative descriptor is skipped, POLLHUP and POLLERR included; but it counts towards the
 *      limit of RLIMIT_NOFILE entries. Silent targets stand behind the others and are not passed.
 *   c. The result is in the order of the array. A scan that always started at its head would starve
 *      the tail; this one goes on where the last one stopped.
 *   d. A number that was closed and has come back is another file without a word.
 *
 *      entries  [0]    [1 .. armed)     [armed .. count)    [count .. capacity)
 *               wake   passed to poll   silent              room
 */
#include "backends/poll.h"

#include <errno.h>

#include <pollux/error.h>

#include "backends/backend.h"
#include "backends/poll_words.h"
#include "src/os/os.h"

#define CALLS plx__poll_calls

/* The reading end, and the end that is written to: see poll.h. */
struct wake {
    int ends[2];
};

struct plx__queue {
    struct pollfd *entries;
    struct plx__target **targets; /* of the same index; [0] is the wake and has none */
    uint32_t entry_capacity;
    uint32_t target_capacity;
    uint32_t armed;
    uint32_t count;
    uint32_t cursor; /* where the next scan starts */
    struct wake wake;
    struct wake old_wake; /* between renew and settle in a forked child; else -1 */
    const plx_allocator *allocator;
};

static uint32_t to_facts(short events)
{
    return plx__poll_facts(events) | (events & POLLNVAL ? PLX__GONE : 0);
}

static int reserve(struct plx__queue *queue, uint32_t count)
{
    int code = plx__alloc_grow(queue->allocator, &queue->entries, &queue->entry_capacity, count,
                               PLX__GROWTH_STEP, sizeof *queue->entries);
    if (code < 0)
        return code;
    return plx__alloc_grow(queue->allocator, &queue->targets, &queue->target_capacity, count,
                           PLX__GROWTH_STEP, sizeof *queue->targets);
}

static void swap(struct plx__queue *queue, uint32_t a, uint32_t b)
{
    struct pollfd entry = queue->entries[a];
    struct plx__target *target = queue->targets[a];
    queue->entries[a] = queue->entries[b];
    queue->targets[a] = queue->targets[b];
    queue->entries[b] = entry;
    queue->targets[b] = target;
    queue->targets[a]->place = a;
    queue->targets[b]->place = b;
}

static void reverse(struct plx__queue *queue, uint32_t first, uint32_t end)
{
    while (first + 1 < end)
        swap(queue, first++, --end);
}

/*
 * Makes the cursor the head of the armed entries, so that their end is the end of the line. Without
 * this a one-shot that is armed again would stand before those that the scan has yet to come round
 * to, and a few busy ones would starve the rest. Once for each wait at most.
 */
static void begin_at_cursor(struct plx__queue *queue)
{
    if (queue->cursor <= 1 || queue->cursor >= queue->armed)
        return;
    reverse(queue, 1, queue->cursor);
    reverse(queue, queue->cursor, queue->armed);
    reverse(queue, 1, queue->armed);
    queue->cursor = 1;
}

/* Moves a target to its side of `armed`. */
static void set_armed(struct plx__queue *queue, struct plx__target *target, bool is_armed)
{
    if (is_armed && target->place >= queue->armed) {
        begin_at_cursor(queue);
        swap(queue, target->place, queue->armed++);
    } else if (!is_armed && target->place < queue->armed)
        swap(queue, target->place, --queue->armed);
}

/* The mode is kept beside the events, in a bit that poll(2) only ever sets in `revents`. */
#define ONCE POLLNVAL

static void set_interest(struct plx__queue *queue, struct plx__target *target, uint32_t want)
{
    struct pollfd *entry = &queue->entries[target->place];
    entry->events = plx__poll_asks(want);
    if (want & PLX_ONESHOT)
        entry->events |= ONCE;
    set_armed(queue, target, want != PLX__SILENT);
}

static void free_queue(struct plx__queue *queue)
{
    const plx_allocator *allocator = queue->allocator;
    plx__alloc_free(allocator, queue->entries, queue->entry_capacity * sizeof *queue->entries);
    plx__alloc_free(allocator, queue->targets, queue->target_capacity * sizeof *queue->targets);
    plx__alloc_free(allocator, queue, sizeof *queue);
}

static int open_wake(struct plx__queue *queue)
{
    struct wake wake;
    if (CALLS.open_wake(wake.ends) < 0)
        return plx__os_error();
    queue->wake = wake;
    queue->entries[0] = (struct pollfd){.fd = wake.ends[0], .events = POLLIN};
    return PLX_OK;
}

static void close_wake(const struct wake *wake)
{
    CALLS.close(wake->ends[0]);
    if (wake->ends[1] != wake->ends[0])
        CALLS.close(wake->ends[1]);
}

static bool po_is_available(void)
{
    return true;
}

static int po_open(struct plx__queue **ret_queue, const plx_allocator *allocator, uint32_t capacity)
{
    struct plx__queue *queue = plx__alloc_zeroed(allocator, sizeof *queue);
    if (!queue)
        return PLX_ERR_NOMEM;
    queue->allocator = allocator;
    queue->old_wake.ends[0] = -1;
    int code = reserve(queue, capacity + 1);
    if (code >= 0)
        code = open_wake(queue);
    if (code < 0) {
        free_queue(queue);
        return code;
    }
    queue->targets[0] = NULL;
    queue->armed = queue->count = queue->cursor = 1;
    *ret_queue = queue;
    return PLX_OK;
}

static void po_close(struct plx__queue *queue)
{
    close_wake(&queue->wake);
    free_queue(queue);
}

/* A signal may end a call that would not have slept as well. */
static int look_once(struct pollfd *entry)
{
    static const struct timespec none = {0, 0};
    int count;
    do {
        count = CALLS.wait(entry, 1, &none, NULL);
    } while (count < 0 && errno == EINTR);
    return count;
}

/* One call answers whether the number is open; unlike fcntl() it refuses O_PATH, as epoll does. */
static int check_open(plx_socket fd)
{
    struct pollfd entry = {.fd = fd};
    int count = look_once(&entry);
    if (count < 0)
        return plx__os_error();
    if (count > 0 && entry.revents & POLLNVAL) {
        errno = EBADF;
        return PLX_ERR_BADHANDLE;
    }
    return PLX_OK;
}

static int po_add(struct plx__queue *queue, struct plx__target *target, uint32_t want)
{
    if (target->fd == queue->wake.ends[0] || target->fd == queue->wake.ends[1])
        return PLX_ERR_INVALID; /* a context cannot watch itself */
    int code = check_open(target->fd);
    if (code < 0)
        return code;
    code = reserve(queue, queue->count + 1);
    if (code < 0)
        return code;
    target->place = queue->count++;
    queue->entries[target->place] = (struct pollfd){.fd = target->fd};
    queue->targets[target->place] = target;
    set_interest(queue, target, want);
    return PLX_OK;
}

static int po_modify(struct plx__queue *queue, struct plx__target *target, uint32_t was,
                     uint32_t want)
{
    (void)was;
    set_interest(queue, target, want);
    return PLX_OK;
}

static bool po_remove(struct plx__queue *queue, struct plx__target *target)
{
    set_armed(queue, target, false);
    if (target->place != queue->count - 1)
        swap(queue, target->place, queue->count - 1);
    queue->count--;
    return true;
}

/* The best this mechanism can tell: the number is open (quirk d). */
static int po_holds(struct plx__queue *queue, struct plx__target *target)
{
    (void)queue;
    return check_open(target->fd);
}

static uint32_t po_look(struct plx__queue *queue, const struct plx__target *target, uint32_t want)
{
    (void)queue;
    struct pollfd entry = {.fd = target->fd, .events = plx__poll_asks(want)};
    return look_once(&entry) > 0 ? to_facts(entry.revents) : 0;
}

static void take_wake(struct plx__queue *queue)
{
    unsigned char bytes[64]; /* some wakes at once */
    ssize_t size = CALLS.read(queue->wake.ends[0], bytes, sizeof bytes);
    (void)size; /* EAGAIN: it was read already */
}

static uint32_t next_index(const struct plx__queue *queue, uint32_t index)
{
    return index + 1 < queue->armed ? index + 1 : 1;
}

/* What stands in `revents` of an entry that has been reported for the last time. */
#define SPENT ((short)-1)

/*
 * Silences the spent entries (clause B11), after the scan, which must not lose its place. The
 * others keep their order: an entry that was not reported yet must not come to stand behind the
 * cursor (clause B12), as it would if the last one filled each gap.
 */
static void silence_spent(struct plx__queue *queue)
{
    uint32_t kept = 1;
    uint32_t cursor = 1;
    for (uint32_t i = 1; i < queue->armed; i++) {
        if (i == queue->cursor)
            cursor = kept;
        if (queue->entries[i].revents == SPENT)
            continue;
        if (i != kept)
            swap(queue, i, kept);
        kept++;
    }
    queue->cursor = cursor;
    queue->armed = kept;
}

/* Up to `capacity` records of the `ready` entries that there are, going round from the cursor. */
static int scan(struct plx__queue *queue, struct plx__record *records, int capacity, int ready)
{
    uint32_t index = queue->cursor < queue->armed ? queue->cursor : 1;
    bool is_spent = false;
    int count = 0;
    while (count < ready && count < capacity) {
        struct pollfd *entry = &queue->entries[index];
        if (entry->revents) {
            records[count].token = plx__slot_token(&queue->targets[index]->slot);
            records[count].events = to_facts(entry->revents);
            count++;
            if (entry->events & ONCE || entry->revents & POLLNVAL) {
                entry->revents = SPENT;
                is_spent = true;
            }
        }
        index = next_index(queue, index);
    }
    queue->cursor = index;
    if (is_spent)
        silence_spent(queue);
    return count;
}

/* EINVAL: more entries than RLIMIT_NOFILE, which was lowered meanwhile (quirk b). */
static int wait_failed(void)
{
    if (errno == EINTR)
        return 0;
    return errno == EINVAL ? PLX_ERR_TOOBIG : plx__os_error();
}

static int po_wait(struct plx__queue *queue, struct plx__record *records, int capacity,
                   plx_duration timeout)
{
    struct timespec left = {.tv_sec = (time_t)(timeout / PLX_SECONDS(1)),
                            .tv_nsec = (long)(timeout % PLX_SECONDS(1))};
    int ready = CALLS.wait(queue->entries, queue->armed, timeout < 0 ? NULL : &left, NULL);
    if (ready < 0)
        return wait_failed();
    if (ready > 0 && queue->entries[0].revents) {
        take_wake(queue);
        ready--;
    }
    return scan(queue, records, capacity, ready);
}

static void po_wake(struct plx__queue *queue)
{
    static const uint64_t one = 1;
    int cause = errno;
    ssize_t size = CALLS.write(queue->wake.ends[1], &one, sizeof one);
    (void)size; /* EAGAIN: it is full, and then it is readable as well */
    errno = cause;
}

/* Only the wake is shared with a parent. In one's own process there is nothing to renew. */
static int po_renew(struct plx__queue *queue, bool is_forked)
{
    if (!is_forked)
        return PLX_OK;
    struct wake old = queue->wake;
    int code = open_wake(queue);
    if (code >= 0)
        queue->old_wake = old;
    return code;
}

static void po_settle(struct plx__queue *queue, bool keep_fresh)
{
    if (queue->old_wake.ends[0] < 0)
        return;
    struct wake lost = keep_fresh ? queue->old_wake : queue->wake;
    if (!keep_fresh) {
        queue->wake = queue->old_wake;
        queue->entries[0].fd = queue->wake.ends[0];
    }
    queue->old_wake.ends[0] = -1;
    close_wake(&lost);
}

const struct plx__backend plx__backend_poll = {
    .id = PLX_BACKEND_POLL,
    .name = "poll",
    .supports = PLX_READ | PLX_WRITE | PLX_PRI | (POLLRDHUP ? PLX_RDHUP : 0) | PLX_ONESHOT,
    .is_level_on_file = true,
    .is_remembered = false,
    .is_available = po_is_available,
    .open = po_open,
    .close = po_close,
    .add = po_add,
    .modify = po_modify,
    .remove = po_remove,
    .holds = po_holds,
    .wait = po_wait,
    .look = po_look,
    .wake = po_wake,
    .renew = po_renew,
    .settle = po_settle,
};
