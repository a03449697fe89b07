/* SPDX-License-Identifier: MIT */
/*
 * event_ports.c: illumos and Solaris.
 *
 * What these kernels do that one has to know (docs/kernels/event_ports.md has systems, sources and
 * the name of the test that shows each):
 *
 *   a. A descriptor is associated for one event, whose delivery ends the association. Associating
 *      looks at the descriptor and fires at once if it is ready: done before the next wait, to
 *      those that were reported and to nobody else, that is what level means.
 *   b. What fires later has the bits of its first wake-up and is told as it was then, although
 *      there may be more by now, or nothing any more. Whoever was not looked at in this very wait
 *      is asked about with poll(2), once for all of a batch.
 *   c. port_getn() gives events together with ETIME. With EINTR it leaves its count and its list as
 *      they were: whether there is something shows in the list alone. What came at the same time as
 *      the signal is still in the queue.
 *   d. Closing a descriptor drops its association and its event without a word, also while a
 *      duplicate lives. There are no ghosts; but who was reported is not associated until the next
 *      wait, so that the kernel cannot say whether the number is another file's. fstat(2) can.
 *   e. port_dissociate() says ENOENT of what was delivered, and of what was closed.
 *   f. Sent events are not joined, and take places of which descriptors have theirs: port_send() is
 *      refused in a full port. An alert needs no place.
 *   g. A port is shared with a forked child. What that one takes out is lost for the parent, so
 *      that it may only close it.
 *   h. A port is readable while it has events, whether or not they still hold; an alert does not
 *      show.
 *   i. A number that is not open is EBADFD: EBADF is about the port.
 */
#include "backends/event_ports.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <unistd.h>

#include <pollux/error.h>

#include "backends/backend.h"
#include "backends/poll_words.h"
#include "src/base/duration.h"
#include "src/os/os.h"

/* illumos has it, and it is what nesting needs: see open_bell(). */
#if defined(__has_include)
#if __has_include(<sys/timerfd.h>)
#include <sys/timerfd.h>
#endif
#endif

struct plx__event_ports_calls plx__event_ports_calls = {
    .create = port_create,
    .associate = port_associate,
    .dissociate = port_dissociate,
    .send = port_send,
    .alert = port_alert,
    .get = port_getn,
    .drain = port_getn,
    .look = poll,
    .identify = fstat,
    .control = fcntl,
#ifdef TFD_TIMER_ABSTIME
    .timerfd = timerfd_create,
    .set_timer = timerfd_settime,
#endif
    .close = close,
};

#define CALLS plx__event_ports_calls

/* That of the wake (clause B7). */
static const struct plx__token no_token = {0, 0};

/* --- The table by descriptor --- */

/* 20 bytes for each descriptor: with 24 a watcher would weigh more than is promised. */
struct row {
    uint32_t number : 24; /* of the token */
    uint32_t want : 8;
    uint32_t generation; /* 0: nobody's */
    uint32_t identity;   /* of the file: quirk d */
    uint32_t next : 24;  /* on the list of those that are to be associated */
    uint32_t round_low : 8;
    uint32_t before : 24;
    uint32_t round_high : 7; /* the wait in which it was associated, or reported */
    uint32_t is_armed : 1;
};

static_assert(sizeof(struct row) == 20, "rows are dense");
static_assert(PLX__SLOT_LIMIT <= 1u << 24, "numbers have 24 bits");
static_assert((PLX__DATA_EVENTS | PLX__MODES) < 1u << 8, "interests have 8 bits");

#define ROUNDS    (UINT32_C(1) << 15)
#define LAST      UINT32_C(0xFFFFFF)
#define UNTOUCHED UINT32_C(0xFFFFFE) /* descriptors are smaller */

/* In `looks`, of a record that has no descriptor. Negative ones are passed over by poll(2). */
#define NOBODY INT_MIN

/* No event comes from there. */
#define NO_SOURCE 0

enum renewal { RENEWAL_NONE, RENEWAL_SAME, RENEWAL_FORKED };

/* A wake that was lowered is not taken for one any more, but its event is still on the way. */
enum wake { WAKE_NONE, WAKE_SENT, WAKE_LOWERED };

/* What a forked child leaves behind. */
struct kernel {
    int port;
    int bell; /* a timerfd, for nesting; -1: not nested */
    bool is_shown;
    bool is_owed; /* the next wait has to associate somebody, which was refused */
    int64_t alarm;
};

struct plx__queue {
    struct kernel kernel;
    struct kernel old; /* between renew and settle in a forked child; else its `port` is -1 */
    enum renewal renewal;
    _Atomic int wake; /* enum wake */
    struct row *rows;
    uint32_t row_count;
    uint32_t row_capacity;
    uint32_t first; /* of the rows that are to be associated: who was reported first is the first */
    uint32_t last;
    uint32_t late;  /* up to this one they take part in the round that has begun; or LAST */
    uint32_t round; /* of the wait: less than ROUNDS */
    bool is_full;   /* the last call brought as much as there was room for */
    const plx_allocator *allocator;

    /* This wait's. */
    struct plx__record *records;
    int capacity;
    int count;
    int done;                        /* records before this one are as they go up */
    bool is_woken;                   /* this wait is not to sleep any more */
    bool saw_wake;                   /* and an outer loop is to see why */
    struct pollfd looks[PLX__BATCH]; /* of the record of the same index; ~fd: nothing to ask */
    port_event_t events[PLX__BATCH];
};

static int reserve(struct plx__queue *queue, uint32_t count)
{
    if (count > UNTOUCHED)
        return PLX_ERR_NOMEM;
    int code = plx__alloc_grow(queue->allocator, &queue->rows, &queue->row_capacity, count,
                               PLX__GROWTH_STEP, sizeof *queue->rows);
    if (code < 0)
        return code;
    for (; queue->row_count < queue->row_capacity; queue->row_count++)
        queue->rows[queue->row_count] = (struct row){.next = UNTOUCHED};
    return PLX_OK;
}

static struct row *row_at(const struct plx__queue *queue, uintptr_t fd)
{
    return fd < queue->row_count && queue->rows[fd].generation ? &queue->rows[fd] : NULL;
}

/* A modified target has another generation, but its number stays. */
static struct row *row_of(const struct plx__queue *queue, const struct plx__target *target)
{
    struct row *row = row_at(queue, (uintptr_t)target->fd);
    return row && row->number == plx__slot_number(&target->slot) ? row : NULL;
}

static int fd_of(const struct plx__queue *queue, const struct row *row)
{
    return (int)(row - queue->rows);
}

static void set_interest(struct row *row, struct plx__token token, uint32_t want)
{
    row->number = token.number & 0xFFFFFF;
    row->generation = token.generation;
    row->want = want & 0xFF;
}

/* The token as the kernel carries it. Where pointers are short it is the generation and the end
   of the number: two watchers that follow each other on a descriptor differ in one of them. */
static void *mark_of(struct plx__token token)
{
    if (sizeof(uintptr_t) < sizeof(uint64_t))
        return (void *)(uintptr_t)(token.number << 24 | token.generation);
    return (void *)(uintptr_t)((uint64_t)token.number << 32 | token.generation);
}

static void *mark_of_row(const struct row *row)
{
    return mark_of((struct plx__token){row->number, row->generation});
}

/* To the end of the list, where whoever need not be associated is passed over. */
static void touch(struct plx__queue *queue, struct row *row)
{
    uint32_t fd = (uint32_t)fd_of(queue, row);
    if (row->next != UNTOUCHED)
        return;
    row->next = LAST;
    row->before = queue->last & LAST;
    if (queue->last == LAST)
        queue->first = fd;
    else
        queue->rows[queue->last].next = fd & LAST;
    queue->last = fd;
}

static void untouch(struct plx__queue *queue, struct row *row)
{
    if (row->next == UNTOUCHED)
        return;
    if (queue->late == (uint32_t)fd_of(queue, row))
        queue->late = row->before;
    if (row->before == LAST)
        queue->first = row->next;
    else
        queue->rows[row->before].next = row->next;
    if (row->next == LAST)
        queue->last = row->before;
    else
        queue->rows[row->next].before = row->before;
    row->next = UNTOUCHED;
}

static struct row *take_first(struct plx__queue *queue)
{
    struct row *row = &queue->rows[queue->first];
    untouch(queue, row);
    return row;
}

/* --- Words --- */

/* The cause stays in errno. A full port is a matter of room, as memory is: it may be tried again.
 */
static int error_code(void)
{
    if (errno == EBADFD)
        errno = EBADF; /* quirk i */
    int code = plx__os_error();
    return code == PLX_ERR_AGAIN ? PLX_ERR_NOMEM : code;
}

/* --- One association --- */

static int associate(const struct plx__queue *queue, int fd, uint32_t want, void *mark)
{
    if (CALLS.associate(queue->kernel.port, PORT_SOURCE_FD, (uintptr_t)fd, plx__poll_asks(want),
                        mark) == 0)
        return PLX_OK;
    return error_code();
}

/* PLX_ERR_NOTFOUND: it was delivered, or closed (quirk e). */
static int dissociate(const struct plx__queue *queue, int fd)
{
    if (CALLS.dissociate(queue->kernel.port, PORT_SOURCE_FD, (uintptr_t)fd) == 0)
        return PLX_OK;
    return error_code();
}

static uint32_t round_of(const struct row *row)
{
    return (uint32_t)row->round_high << 8 | row->round_low;
}

static void set_armed(const struct plx__queue *queue, struct row *row, bool is_armed)
{
    row->is_armed = is_armed;
    row->round_low = queue->round & 0xFF;
    row->round_high = queue->round >> 8 & 0x7F;
}

static int arm(struct plx__queue *queue, struct row *row)
{
    if (row->is_armed || row->want == PLX__SILENT)
        return PLX_OK;
    int code = associate(queue, fd_of(queue, row), row->want, mark_of_row(row));
    if (code < 0)
        return code;
    set_armed(queue, row, true);
    untouch(queue, row);
    return PLX_OK;
}

/* --- The wake, and the bell for nesting --- */

/* A full port (quirk f) can still be alerted, which ends a sleep as well. */
static void ev_wake(struct plx__queue *queue)
{
    int cause = errno;
    if (atomic_exchange(&queue->wake, WAKE_SENT) == WAKE_NONE &&
        CALLS.send(queue->kernel.port, POLLIN, NULL) < 0 &&
        CALLS.alert(queue->kernel.port, PORT_ALERT_SET, POLLIN, NULL) < 0)
        atomic_store(&queue->wake, WAKE_NONE);
    errno = cause;
}

/*
 * The port itself can be watched (quirk h). What does not show by itself is shown by a bell in it,
 * a timerfd, which rings at the time of the alarm, or at once. An event that was sent would do for
 * the latter, but could not be taken back.
 */
#ifdef TFD_TIMER_ABSTIME

static int open_bell(void)
{
    int bell = CALLS.timerfd(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return bell < 0 ? plx__os_error() : bell;
}

/* A zero would disarm it: 1 ns is long past. */
static void set_bell(const struct kernel *kernel)
{
    bool is_due = kernel->is_shown || kernel->is_owed || kernel->alarm <= 0;
    int64_t moment = is_due ? 1 : kernel->alarm;
    struct itimerspec time = {.it_value = {.tv_sec = 0}};
    if (moment != PLX__NEVER) {
        time.it_value.tv_sec = (time_t)(moment / PLX_SECONDS(1));
        time.it_value.tv_nsec = (long)(moment % PLX_SECONDS(1));
    }
    CALLS.set_timer(kernel->bell, TFD_TIMER_ABSTIME, &time, NULL);
}

#else

static int open_bell(void)
{
    return PLX_ERR_NOSUPPORT;
}

static void set_bell(const struct kernel *kernel)
{
    (void)kernel;
}

#endif

/* Associating takes back that it rang. */
static int hang_bell(const struct plx__queue *queue)
{
    return associate(queue, queue->kernel.bell, PLX_READ, NULL);
}

/* Where it is refused, a wake shows in its place, and the wait that takes it tries again. */
static void show_bell(struct plx__queue *queue)
{
    if (hang_bell(queue) < 0)
        ev_wake(queue);
}

static void ring(struct plx__queue *queue)
{
    set_bell(&queue->kernel);
    show_bell(queue);
}

/* Somebody could not be associated at once. */
static void owe(struct plx__queue *queue)
{
    int cause = errno;
    queue->kernel.is_owed = true;
    ring(queue);
    errno = cause;
}

/* It is associated by the next wait; or at once where somebody else looks at the port. */
static int arm_soon(struct plx__queue *queue, struct row *row)
{
    int code = queue->kernel.bell >= 0 ? arm(queue, row) : PLX_OK;
    if (!row->is_armed)
        touch(queue, row);
    return code;
}

/* --- Opening and closing --- */

static void close_one(int fd)
{
    if (fd >= 0)
        CALLS.close(fd);
}

/* The cause of a failure outlives the cleaning up after it. */
static void close_kernel(const struct kernel *kernel)
{
    int cause = errno;
    close_one(kernel->bell);
    close_one(kernel->port);
    errno = cause;
}

/* EAGAIN: there are as many ports as there may be, which is to callers as with descriptors. */
static int open_kernel(struct plx__queue *queue)
{
    queue->kernel = (struct kernel){.port = CALLS.create(), .bell = -1, .alarm = PLX__NEVER};
    if (queue->kernel.port >= 0 && CALLS.control(queue->kernel.port, F_SETFD, FD_CLOEXEC) >= 0)
        return PLX_OK;
    return errno == EAGAIN ? PLX_ERR_TOOBIG : plx__os_error();
}

static bool ev_is_available(void)
{
    int probe = CALLS.create();
    if (probe < 0)
        return errno != ENOSYS && errno != EPERM;
    CALLS.close(probe);
    return true;
}

static void free_queue(struct plx__queue *queue)
{
    const plx_allocator *allocator = queue->allocator;
    plx__alloc_free(allocator, queue->rows, queue->row_capacity * sizeof *queue->rows);
    plx__alloc_free(allocator, queue, sizeof *queue);
}

/* Descriptors that are not watched, among those that are. */
#define UNWATCHED 64

static int ev_open(struct plx__queue **ret_queue, const plx_allocator *allocator, uint32_t capacity)
{
    struct plx__queue *queue = plx__alloc_zeroed(allocator, sizeof *queue);
    if (!queue)
        return PLX_ERR_NOMEM;
    queue->allocator = allocator;
    queue->first = queue->last = queue->late = LAST;
    queue->old.port = -1;
    int code = open_kernel(queue);
    /* The lowest free number is given out first, so those to come begin near the queue's own. */
    if (code >= 0)
        code = reserve(queue, (uint32_t)queue->kernel.port + UNWATCHED + capacity);
    if (code < 0) {
        close_kernel(&queue->kernel);
        free_queue(queue);
        return code;
    }
    *ret_queue = queue;
    return PLX_OK;
}

static void ev_close(struct plx__queue *queue)
{
    close_kernel(&queue->kernel);
    free_queue(queue);
}

/* --- Targets --- */

static bool is_own(const struct plx__queue *queue, int fd)
{
    return fd == queue->kernel.port || fd == queue->kernel.bell;
}

/* A number that tells one file from another, with rare mistakes. */
static int identify(int fd, uint32_t *ret_identity)
{
    struct stat file;
    if (CALLS.identify(fd, &file) < 0)
        return error_code();
    uint64_t mix =
        (uint64_t)file.st_dev << 32 ^ (uint64_t)file.st_rdev << 16 ^ (uint64_t)file.st_ino;
    *ret_identity = (uint32_t)(mix * UINT64_C(0x9E3779B97F4A7C15) >> 32);
    return PLX_OK;
}

/*
 * Is it the same file as ever? The kernel knows it of one that is associated, and a close is final
 * even if the file has come back to its number; of the others only the identity is known (quirk d).
 */
static int probe(struct plx__queue *queue, struct row *row, uint32_t identity)
{
    if (row->identity != identity)
        return PLX_ERR_NOTFOUND;
    if (!row->is_armed)
        return PLX_OK;
    int code = dissociate(queue, fd_of(queue, row));
    if (code < 0)
        return code;
    row->is_armed = false;
    if (arm_soon(queue, row) < 0)
        owe(queue);
    return PLX_OK;
}

static void forget(struct plx__queue *queue, struct row *row)
{
    untouch(queue, row);
    *row = (struct row){.next = UNTOUCHED};
}

static int add_new(struct plx__queue *queue, const struct plx__target *target, uint32_t want,
                   uint32_t identity)
{
    struct plx__token token = plx__slot_token(&target->slot);
    int code = reserve(queue, (uint32_t)target->fd + 1);
    if (code >= 0 && want != PLX__SILENT)
        code = associate(queue, target->fd, want, mark_of(token));
    if (code < 0)
        return code;
    struct row *row = &queue->rows[target->fd];
    forget(queue, row);
    set_interest(row, token, want);
    row->identity = identity;
    set_armed(queue, row, want != PLX__SILENT);
    return PLX_OK;
}

/* Takes a target over into a renewed queue, which is the same one in its own process. */
static int add_again(struct plx__queue *queue, struct row *row, uint32_t want)
{
    row->want = want & 0xFF;
    if (queue->renewal == RENEWAL_SAME)
        return arm_soon(queue, row);
    row->is_armed = false;
    return arm(queue, row);
}

static int ev_add(struct plx__queue *queue, struct plx__target *target, uint32_t want)
{
    uint32_t identity = 0;
    if (is_own(queue, target->fd))
        return PLX_ERR_INVALID; /* a context cannot watch itself */
    int code = identify(target->fd, &identity);
    if (code < 0)
        return code;
    struct row *row = row_at(queue, (uintptr_t)target->fd);
    if (row && queue->renewal != RENEWAL_NONE)
        return add_again(queue, row, want);
    if (row && (code = probe(queue, row, identity)) != PLX_ERR_NOTFOUND)
        return code < 0 ? code : PLX_ERR_EXISTS;
    return add_new(queue, target, want, identity);
}

/* The kernel has it as it was. */
static int modify_armed(const struct plx__queue *queue, struct row *row, struct plx__token token,
                        uint32_t want)
{
    int fd = fd_of(queue, row);
    int code =
        want == PLX__SILENT ? dissociate(queue, fd) : associate(queue, fd, want, mark_of(token));
    if (code < 0)
        return code;
    set_armed(queue, row, want != PLX__SILENT);
    return PLX_OK;
}

/* Who was reported, or was silent, is associated by the next wait: there are no further calls. */
static int ev_modify(struct plx__queue *queue, struct plx__target *target, uint32_t was,
                     uint32_t want)
{
    (void)was;
    struct plx__token token = plx__slot_token(&target->slot);
    struct row *row = row_of(queue, target);
    if (!row) {
        errno = ENOENT;
        return PLX_ERR_NOTFOUND;
    }
    if (row->is_armed) {
        int code = modify_armed(queue, row, token, want);
        if (code >= 0)
            set_interest(row, token, want);
        return code;
    }
    struct plx__token old_token = {row->number, row->generation};
    uint32_t old_want = row->want;
    set_interest(row, token, want);
    int code = arm_soon(queue, row);
    if (code < 0)
        set_interest(row, old_token, old_want);
    return code;
}

/* Also of one that is not associated: only then does the kernel let go of what it keeps for it.
   True also of one that was closed: no duplicate of it is reported (quirk d). */
static bool ev_remove(struct plx__queue *queue, struct plx__target *target)
{
    struct row *row = row_of(queue, target);
    if (row) {
        int cause = errno;
        dissociate(queue, target->fd);
        errno = cause;
        forget(queue, row);
    }
    return true;
}

static int ev_holds(struct plx__queue *queue, struct plx__target *target)
{
    uint32_t identity = 0;
    struct row *row = row_of(queue, target);
    if (!row)
        return PLX_ERR_NOTFOUND;
    int code = identify(target->fd, &identity);
    return code < 0 ? code : probe(queue, row, identity);
}

static uint32_t ev_look(struct plx__queue *queue, const struct plx__target *target, uint32_t want)
{
    (void)queue;
    struct pollfd entry = {.fd = target->fd, .events = plx__poll_asks(want)};
    return plx__poll_now(CALLS.look, &entry, 1) > 0 ? plx__poll_facts(entry.revents) : 0;
}

/* --- Waiting --- */

static struct plx__record *new_record(struct plx__queue *queue, struct plx__token token, int look)
{
    queue->looks[queue->count].fd = look;
    struct plx__record *record = &queue->records[queue->count++];
    *record = (struct plx__record){.token = token};
    return record;
}

/* Closed since it was reported. */
static void tell_gone(struct plx__queue *queue, struct row *row)
{
    struct plx__token token = {row->number, row->generation};
    new_record(queue, token, NOBODY)->events = PLX__GONE;
    row->want = PLX__SILENT;
}

/* The first of the list is to be associated. */
static int arm_first(struct plx__queue *queue)
{
    struct row *row = take_first(queue);
    int code = arm(queue, row);
    if (code == PLX_ERR_NOMEM)
        touch(queue, row);
    else if (code < 0)
        tell_gone(queue, row);
    return code == PLX_ERR_NOMEM ? code : PLX_OK;
}

/*
 * Associates those on the list up to `end`. PLX_ERR_NOMEM: some have to wait. With no room for the
 * record of one that is gone, the rest comes with the next wait.
 */
static int arm_until(struct plx__queue *queue, uint32_t end)
{
    bool is_end = end == LAST;
    int code = PLX_OK;
    queue->late = LAST;
    while (code >= 0 && !is_end && queue->count < queue->capacity) {
        is_end = queue->first == end;
        code = arm_first(queue);
    }
    return code;
}

/* False if it was lowered. Whoever wakes from now on sends again. */
static bool accept_wake(struct plx__queue *queue, const port_event_t *event)
{
    int cause = errno;
    if (event->portev_source == PORT_SOURCE_ALERT)
        CALLS.alert(queue->kernel.port, PORT_ALERT_SET, 0, NULL);
    errno = cause;
    return atomic_exchange(&queue->wake, WAKE_NONE) != WAKE_LOWERED;
}

static void take_wake(struct plx__queue *queue, const port_event_t *event)
{
    bool is_wake = accept_wake(queue, event);
    queue->is_woken = true;
    if (queue->kernel.bell < 0 || queue->saw_wake || !is_wake)
        return;
    queue->saw_wake = true;
    new_record(queue, no_token, NOBODY);
}

/*
 * May there be more than the event says, or nothing any more? Not of one that was looked at in this
 * wait. In a sleep it fires with its first wake-up, which is all there is to know of plain data.
 */
static bool is_in_doubt(const struct plx__queue *queue, const struct row *row, uint32_t facts,
                        bool is_sleep)
{
    if (round_of(row) != queue->round)
        return true;
    return is_sleep && (row->want & PLX_ONESHOT || row->want & PLX__DATA_EVENTS & ~facts ||
                        facts & (PLX_RDHUP | PLX_HUP | PLX_ERROR));
}

static void take(struct plx__queue *queue, const port_event_t *event, bool is_sleep)
{
    if (event->portev_source != PORT_SOURCE_FD) {
        take_wake(queue, event);
        return;
    }
    struct row *row = row_at(queue, event->portev_object);
    if (!row)
        return;
    int fd = fd_of(queue, row);
    uint32_t facts = plx__poll_facts(event->portev_events);
    bool is_asked = is_in_doubt(queue, row, facts, is_sleep);
    set_armed(queue, row, false);
    if (event->portev_user != mark_of_row(row)) {
        touch(queue, row); /* nobody's: no kernel does this, and now it is not associated */
        return;
    }
    struct plx__token token = {row->number, row->generation};
    struct plx__record *record = new_record(queue, token, is_asked ? fd : ~fd);
    record->events = facts;
    queue->looks[record - queue->records].events = plx__poll_asks(row->want);
}

/* One call. `ret_is_interrupted`: a signal handler ran, and nothing came. */
static int get_events(struct plx__queue *queue, plx_duration timeout, bool *ret_is_interrupted)
{
    struct timespec left = {.tv_sec = (time_t)(timeout / PLX_SECONDS(1)),
                            .tv_nsec = (long)(timeout % PLX_SECONDS(1))};
    uint_t room = (uint_t)(queue->capacity - queue->count);
    uint_t count = 1;
    queue->events[0].portev_source = NO_SOURCE;
    int result =
        CALLS.get(queue->kernel.port, queue->events, room, &count, timeout < 0 ? NULL : &left);
    if (result < 0 && errno != ETIME && errno != EINTR)
        return error_code();
    if (queue->events[0].portev_source == NO_SOURCE)
        count = 0;
    *ret_is_interrupted = result < 0 && errno == EINTR && count == 0;
    queue->is_full = count == room;
    for (uint_t i = 0; i < count; i++)
        take(queue, &queue->events[i], timeout != 0);
    return PLX_OK;
}

/* A signal may have been first although there are events: without a sleep they come (quirk c). */
static int get(struct plx__queue *queue, plx_duration timeout)
{
    bool is_interrupted = false;
    int code = get_events(queue, timeout, &is_interrupted);
    if (is_interrupted) {
        code = get_events(queue, 0, &is_interrupted);
        errno = code < 0 ? errno : EINTR;
    }
    return code;
}

/* Asks poll(2) about those in doubt. False: it could not be asked, or need not be. */
static bool resolve_doubts(struct plx__queue *queue)
{
    bool is_asked = false;
    for (int i = queue->done; i < queue->count; i++) {
        queue->looks[i].revents = 0;
        is_asked |= queue->looks[i].fd >= 0;
    }
    nfds_t count = (nfds_t)(queue->count - queue->done);
    return is_asked && plx__poll_now(CALLS.look, queue->looks + queue->done, count) >= 0;
}

/* The event was taken out of the queue: what is known of its descriptor, and what follows? */
static uint32_t end_record(struct plx__queue *queue, struct row *row, uint32_t facts)
{
    facts &= (row->want & PLX__DATA_EVENTS) | PLX_ERROR | PLX_HUP; /* clause B6 */
    if (facts && row->want & PLX_ONESHOT)
        row->want = PLX__SILENT; /* clause B11 */
    else
        touch(queue, row);
    return facts;
}

/* Keeps the records that have something to tell. */
static void end_records(struct plx__queue *queue)
{
    bool is_known = resolve_doubts(queue);
    int kept = queue->done;
    for (int i = queue->done; i < queue->count; i++) {
        struct plx__record record = queue->records[i];
        const struct pollfd *look = &queue->looks[i];
        if (look->fd != NOBODY) {
            struct row *row = &queue->rows[look->fd < 0 ? ~look->fd : look->fd];
            uint32_t facts =
                is_known && look->fd >= 0 ? plx__poll_facts(look->revents) : record.events;
            record.events = end_record(queue, row, facts);
            if (record.events == 0)
                continue;
        }
        queue->records[kept++] = record;
    }
    queue->count = queue->done = kept;
}

/* Those that were reported by this wait already are told once: the next one associates them. */
static int begin_round(struct plx__queue *queue, uint32_t end)
{
    int code = arm_until(queue, end);
    queue->late = queue->last;
    return code;
}

/*
 * In rounds: while the port may have more than there was room for, nobody is associated again, so
 * that everybody has a turn, in whatever order the events come (clause B12). A round ends within a
 * wait if there is room: then those that were reported before this wait take part in the next one.
 */
static int collect(struct plx__queue *queue, plx_duration timeout)
{
    int code = arm_until(queue, queue->late);
    uint32_t end = queue->last;
    int cause;
    bool is_armed = false;
    do {
        if (code >= 0 && !queue->is_full && !is_armed) {
            code = begin_round(queue, end);
            is_armed = true;
        }
        cause = errno;
        if (queue->count == queue->capacity)
            break;
        /* Who has to wait for memory keeps nobody else waiting. */
        bool is_quick = queue->is_full || queue->is_woken || queue->count > 0 || code < 0;
        int got = get(queue, is_quick ? 0 : timeout);
        end_records(queue);
        if (got < 0)
            return got;
    } while (code >= 0 && queue->count < queue->capacity && (queue->is_full || !is_armed));
    if (code < 0)
        errno = cause;
    return code;
}

static void begin_nested(const struct plx__queue *queue);
static void end_nested(struct plx__queue *queue);

static int ev_wait(struct plx__queue *queue, struct plx__record *records, int capacity,
                   plx_duration timeout)
{
    queue->records = records;
    queue->capacity = capacity;
    queue->count = queue->done = 0;
    queue->is_woken = queue->saw_wake = false;
    queue->round = (queue->round + 1) % ROUNDS;
    if (queue->kernel.bell >= 0)
        begin_nested(queue);
    int code = collect(queue, timeout);
    if (queue->kernel.bell >= 0)
        end_nested(queue);
    return queue->count > 0 ? queue->count : code;
}

/* --- Renewing --- */

/* In its own process there is nothing to renew: there are no ghosts (quirk d). */
static int ev_renew(struct plx__queue *queue, bool is_forked)
{
    queue->renewal = is_forked ? RENEWAL_FORKED : RENEWAL_SAME;
    if (!is_forked)
        return PLX_OK;
    struct kernel old = queue->kernel;
    int code = open_kernel(queue);
    if (code < 0) {
        close_kernel(&queue->kernel);
        queue->kernel = old;
        queue->renewal = RENEWAL_NONE;
        return code;
    }
    queue->old = old;
    queue->round = (queue->round + 1) % ROUNDS;
    return PLX_OK;
}

/* Those that were associated since renew are in the fresh port, and no others are. */
static void settle_row(struct plx__queue *queue, struct row *row, bool keep_fresh)
{
    bool is_fresh = row->is_armed && round_of(row) == queue->round;
    if (is_fresh == keep_fresh)
        return;
    row->is_armed = false;
    if (keep_fresh)
        row->want = PLX__SILENT;
    else
        touch(queue, row); /* the old one may not have it */
}

static void ev_settle(struct plx__queue *queue, bool keep_fresh)
{
    if (queue->renewal == RENEWAL_FORKED) {
        struct kernel lost = keep_fresh ? queue->old : queue->kernel;
        if (!keep_fresh)
            queue->kernel = queue->old;
        close_kernel(&lost);
        queue->old.port = -1;
        atomic_store(&queue->wake, WAKE_NONE);
        for (uint32_t fd = 0; fd < queue->row_count; fd++)
            settle_row(queue, &queue->rows[fd], keep_fresh);
    }
    queue->renewal = RENEWAL_NONE;
}

/* --- Nesting --- */

/* Our own wait is not to hear it: it would end every sleep. */
static void begin_nested(const struct plx__queue *queue)
{
    dissociate(queue, queue->kernel.bell);
}

/* Whatever was reported is associated again. Who is refused is told of by the next wait, which
   somebody else has to know. */
static void arm_all(struct plx__queue *queue)
{
    uint32_t end = queue->last;
    bool is_end = end == LAST;
    queue->late = LAST;
    queue->kernel.is_owed = false;
    while (!is_end) {
        struct row *row = take_first(queue);
        is_end = (uint32_t)fd_of(queue, row) == end;
        if (arm(queue, row) < 0) {
            touch(queue, row);
            queue->kernel.is_owed = true;
        }
    }
}

/* A wake that the wait has taken shows until it is lowered. */
static void end_nested(struct plx__queue *queue)
{
    int cause = errno;
    bool was_owed = queue->kernel.is_owed;
    arm_all(queue);
    queue->kernel.is_shown |= queue->saw_wake;
    if (queue->saw_wake || queue->kernel.is_owed != was_owed)
        set_bell(&queue->kernel);
    show_bell(queue);
    errno = cause;
}

static int ev_nest(struct plx__queue *queue)
{
    if (queue->kernel.bell >= 0)
        return queue->kernel.port;
    int bell = open_bell();
    if (bell < 0)
        return bell;
    queue->kernel.bell = bell;
    arm_all(queue);
    set_bell(&queue->kernel);
    int code = hang_bell(queue);
    if (code < 0) {
        int cause = errno;
        CALLS.close(bell);
        queue->kernel.bell = -1;
        errno = cause;
        return code;
    }
    return queue->kernel.port;
}

/* It was taken out of the queue by nobody's wait. */
static void take_back(struct plx__queue *queue, const port_event_t *event)
{
    struct row *row = row_at(queue, event->portev_object);
    if (event->portev_source != PORT_SOURCE_FD) {
        accept_wake(queue, event);
    } else if (row) {
        row->is_armed = false;
        touch(queue, row);
    }
}

/*
 * Takes back a wake that no wait has taken, among whatever was in front of it, which is looked at
 * anew. One that another thread is about to send is passed over when it comes.
 */
static void lower_wake(struct plx__queue *queue)
{
    int sent = WAKE_SENT;
    uint_t count = PLX__BATCH;
    if (!atomic_compare_exchange_strong(&queue->wake, &sent, WAKE_LOWERED))
        return;
    while (count == PLX__BATCH && atomic_load(&queue->wake) == WAKE_LOWERED) {
        struct timespec none = {0, 0};
        count = 1;
        if (CALLS.drain(queue->kernel.port, queue->events, PLX__BATCH, &count, &none) < 0)
            break;
        for (uint_t i = 0; i < count; i++)
            take_back(queue, &queue->events[i]);
    }
    arm_all(queue);
}

static void ev_raise(struct plx__queue *queue, bool on)
{
    int cause = errno;
    if (!on)
        lower_wake(queue);
    queue->kernel.is_shown = on;
    ring(queue);
    errno = cause;
}

static void ev_alarm(struct plx__queue *queue, int64_t deadline)
{
    int cause = errno;
    queue->kernel.alarm = deadline;
    ring(queue);
    errno = cause;
}

const struct plx__backend plx__backend_event_ports = {
    .id = PLX_BACKEND_EVENT_PORTS,
    .name = "event_ports",
    .supports = PLX_READ | PLX_WRITE | PLX_PRI | (POLLRDHUP ? PLX_RDHUP : 0) | PLX_ONESHOT,
    .is_level_on_file = true,
    .is_remembered = true,
    .is_available = ev_is_available,
    .open = ev_open,
    .close = ev_close,
    .add = ev_add,
    .modify = ev_modify,
    .remove = ev_remove,
    .holds = ev_holds,
    .wait = ev_wait,
    .look = ev_look,
    .wake = ev_wake,
    .renew = ev_renew,
    .settle = ev_settle,
    .nest = ev_nest,
    .raise = ev_raise,
    .alarm = ev_alarm,
};
