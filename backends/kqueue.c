/* SPDX-License-Identifier: MIT */
/*
 * kqueue.c: macOS, FreeBSD, NetBSD, OpenBSD and DragonFly.
 *
 * What these kernels do that one has to know (docs/kernels/kqueue.md has systems, sources and the
 * name of the test that shows each):
 *
 *   a. READ and WRITE of a descriptor are two filters with an event each. Both are put into one
 *      record here, through a table by descriptor.
 *   b. EV_CLEAR is fixed when a filter is made, and EV_ENABLE of what was reported already does
 *      nothing on NetBSD. So a filter is never changed: it is deleted and made anew, in one list.
 *   c. Closing a descriptor drops its filters without a word, also while a duplicate lives. There
 *      are no ghosts, but EV_ADD would then attach to whatever file has the number by now: each
 *      list of changes has one that fails if the filters are gone, and what it did is undone.
 *   d. A refused change comes back as an event, and then the queue is not looked at: nothing is
 *      lost. If there is no room for it, the changes after it are not made.
 *   e. EV_CLEAR is used up when an event comes out. No more is asked for than there is room.
 *   f. The write filter of a pipe without a reader is refused with EPIPE, by NetBSD with EBADF. The
 *      read filter of the same end tells then, since it has an EV_EOF at once.
 *   g. EV_EOF says that one direction has ended. Whether the other has too is asked with poll(2),
 *      once for all of a batch. An error of a socket is in fflags, and is left to the user.
 *   h. A forked child has no queue: its number may be another file there.
 *   i. Files are never ready at their end. Always ready is what POSIX says they are: they are
 *      refused here, and so are directories. See take_outside() in descriptor.c.
 *   j. EVFILT_USER is younger than EVFILT_READ: NetBSD 10, OpenBSD 7.8. Before, a pipe wakes, and
 *      the queue cannot be nested.
 *   k. A reading end of a pipe is ready to be written, because pipes are two-way in these kernels,
 *      though write(2) refuses it on all but FreeBSD, where the end is not read-only either.
 */
#include "backends/kqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <pollux/error.h>

#include "backends/backend.h"
#include "backends/poll_words.h"
#include "src/base/duration.h"
#include "src/os/os.h"

/* --- Where the systems' headers differ --- */

#if defined(__NetBSD__)
#include <sys/param.h>
typedef size_t kevent_count;
typedef uint32_t kevent_filter;
typedef uint32_t kevent_flags;
#else
typedef int kevent_count;
typedef short kevent_filter;
typedef unsigned short kevent_flags;
#endif

#if defined(__NetBSD__) && __NetBSD_Version__ < 1000000000
typedef intptr_t kevent_udata;
#else
typedef void *kevent_udata;
#endif

#ifndef EVFILT_USER
#define EVFILT_USER  0 /* no kernel has it: adding it is refused */
#define NOTE_TRIGGER 0
#endif

#ifdef NOTE_NSECONDS
#define ALARM_UNIT 1
#else
#define NOTE_NSECONDS 0
#define ALARM_UNIT    PLX_MS(1)
#endif

static int call_kevent(int queue, const struct kevent *changes, int change_count,
                       struct kevent *events, int room, const struct timespec *timeout)
{
    return kevent(queue, changes, (kevent_count)change_count, events, (kevent_count)room, timeout);
}

struct plx__kqueue_calls plx__kqueue_calls = {
    .create = kqueue,
    .kevent = call_kevent,
    .look = poll,
    .identify = fstat,
    .control = fcntl,
    .pipe = pipe,
    .read = read,
    .write = write,
    .close = close,
};

#define CALLS plx__kqueue_calls

static const struct timespec no_time = {0, 0};

/* That of the wake (clause B7). */
static const struct plx__token no_token = {0, 0};

/* --- The table by descriptor --- */

enum { READ, WRITE, FILTERS };

static const short filter_of[FILTERS] = {EVFILT_READ, EVFILT_WRITE};

/* What the kernel has of a filter. OFF is there to tell that the file is still the same. */
enum mode { NONE, LEVEL, CLEAR, OFF };

static const unsigned short flags_of[] = {
    [LEVEL] = EV_ADD | EV_ENABLE,
    [CLEAR] = EV_ADD | EV_ENABLE | EV_CLEAR,
    [OFF] = EV_ADD | EV_DISABLE,
};

enum {
    SOCKET = 1 << 0,
    PIPE = 1 << 1,
    READ_ONLY = 1 << 2,   /* a reading end of a pipe: quirk k */
    BROKEN = 1 << 3,      /* no write filter is to be had: quirk f */
    ENDED = 1 << 4,       /* an end was told to somebody who does not read */
    LOST = 1 << 5,        /* the kernel does not have it any more: it was closed */
    UNTOLD = 1 << 6,      /* LOST, and the record with PLX__GONE is due */
    REMAKE_READ = 1 << 7, /* the filter is made anew with the next change */
    REMAKE_WRITE = 1 << 8,
    REMAKE = REMAKE_READ | REMAKE_WRITE,
    TOLD_READ = 1 << 9, /* by poll(2), before its event came out: see was_told() */
    TOLD_WRITE = 1 << 10
};

static const uint16_t remake_of[FILTERS] = {REMAKE_READ, REMAKE_WRITE};
static const uint16_t told_of[FILTERS] = {TOLD_READ, TOLD_WRITE};

struct row {
    struct plx__token token; /* generation 0: nobody's */
    int32_t next;            /* on the list of those touched */
    uint16_t record;         /* its record of this wait, if that has the same token */
    uint16_t want;
    uint8_t held[FILTERS]; /* enum mode */
    uint16_t flags;
};

#define LAST      (-1)
#define UNTOUCHED (-2)

/* A row has two filters to delete and two to add at most. */
#define ROW_CHANGES 4

/* Events and changes share an array: kernels read a change before they write an event there. */
#define ROOM   (PLX__BATCH > 64 ? PLX__BATCH : 64)
#define LOADED (ROOM / ROW_CHANGES)

/* In `looks`, of a record that has no descriptor. Negative ones are passed over by poll(2). */
#define NOBODY INT_MIN

enum renewal { RENEWAL_NONE, RENEWAL_SAME, RENEWAL_FORKED };

/* What a forked child leaves behind. */
struct kernel {
    int kq;
    pid_t owner;   /* whose queue it is: quirk h */
    int wake_read; /* a pipe, where EVFILT_USER is missing; else -1 */
    int wake_write;
    bool is_nested; /* changes are brought to the kernel at once, so that they show */
    bool is_shown;  /* IDENT_SHOWN is there, but for the time of a wait */
    int64_t alarm;
};

struct plx__queue {
    struct kernel kernel;
    struct kernel old; /* between renew and settle in a forked child; else its `kq` is -1 */
    enum renewal renewal;
    struct row *rows;
    uint32_t row_count;
    uint32_t row_capacity;
    int32_t touched; /* rows whose changes are staged */
    uint32_t untold; /* rows with that flag */
    const plx_allocator *allocator;

    /* This wait's. */
    struct plx__record *records;
    int capacity;
    int count;
    int done;        /* records before this one are as they go up */
    bool is_full;    /* the last call brought as much as there was room for */
    bool is_special; /* some record is to be looked at again */
    bool saw_wake;
    bool saw_alarm;

    int32_t late[PLX__BATCH]; /* told before, and put behind those that were not: see put_off() */
    int late_count;
    int32_t loaded[LOADED]; /* rows whose changes are in `events` */
    int load;
    struct pollfd looks[PLX__BATCH]; /* of the record of the same index; ~fd: nothing to ask */
    struct kevent events[ROOM];
};

static int reserve(struct plx__queue *queue, uint32_t count)
{
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
    return fd < queue->row_count && queue->rows[fd].token.generation ? &queue->rows[fd] : NULL;
}

/* A modified target has another generation, but its number stays. */
static struct row *row_of(const struct plx__queue *queue, const struct plx__target *target)
{
    struct row *row = row_at(queue, (uintptr_t)target->fd);
    return row && row->token.number == plx__slot_number(&target->slot) ? row : NULL;
}

static int fd_of(const struct plx__queue *queue, const struct row *row)
{
    return (int)(row - queue->rows);
}

static bool is_same(struct plx__token a, struct plx__token b)
{
    return a.number == b.number && a.generation == b.generation;
}

/* The token as the kernel carries it. Where pointers are short it is the generation and the end
   of the number: two watchers that follow each other on a descriptor differ in one of them. */
static kevent_udata mark_of(struct plx__token token)
{
    if (sizeof(uintptr_t) < sizeof(uint64_t))
        return (kevent_udata)(uintptr_t)(token.number << 24 | token.generation);
    return (kevent_udata)(uintptr_t)((uint64_t)token.number << 32 | token.generation);
}

static void touch(struct plx__queue *queue, struct row *row)
{
    if (row->next != UNTOUCHED)
        return;
    row->next = queue->touched;
    queue->touched = fd_of(queue, row);
}

/* --- Changes --- */

static struct kevent change(uintptr_t ident, short filter, unsigned int flags)
{
    struct kevent event;
    memset(&event, 0, sizeof event);
    event.ident = ident;
    event.filter = (kevent_filter)filter;
    event.flags = (kevent_flags)flags;
    return event;
}

/* Each change answers, with 0 or its errno, into its own place. -1: none was made. */
static int bring(const struct plx__queue *queue, struct kevent *changes, int count)
{
    for (int i = 0; i < count; i++)
        changes[i].flags |= EV_RECEIPT;
    return CALLS.kevent(queue->kernel.kq, changes, count, changes, count, &no_time);
}

static bool is_failure(const struct kevent *event)
{
    return event->flags & EV_ERROR && event->data != 0;
}

static enum mode mode_of(uint32_t want)
{
    return (want & PLX__MODES) == PLX_EDGE ? CLEAR : LEVEL;
}

/* Is it to be told of an end as long as there is one, though it does not read? */
static bool awaits_end(const struct row *row)
{
    return !(row->want & PLX_READ) &&
           (row->want & PLX_RDHUP || (row->want & PLX_WRITE && row->flags & READ_ONLY));
}

/*
 * Which filters an interest needs. PLX_ONESHOT is level, silenced after its record, because
 * EV_ONESHOT would forget the filter and each filter would be told once. Who wants to know of an
 * end alone has a read filter with EV_CLEAR, whose data are dropped; once it has ended there are
 * none, and it may be level.
 */
static void find_needs(const struct row *row, enum mode needs[FILTERS])
{
    needs[READ] = needs[WRITE] = NONE;
    if (row->want == PLX__SILENT) {
        needs[row->held[READ] == NONE && row->held[WRITE] != NONE ? WRITE : READ] = OFF;
        return;
    }
    bool is_writer = row->want & PLX_WRITE && !(row->flags & READ_ONLY);
    if (is_writer)
        needs[row->flags & BROKEN ? READ : WRITE] = mode_of(row->want);
    if (row->want & PLX_READ || (row->flags & ENDED && awaits_end(row)))
        needs[READ] = mode_of(row->want);
    if (needs[READ] == NONE && (row->want & PLX_RDHUP || !is_writer))
        needs[READ] = CLEAR;
}

static bool is_kept(const struct row *row, const enum mode needs[FILTERS], int i)
{
    return needs[i] == (enum mode)row->held[i] && !(row->flags & remake_of[i]);
}

/* A change that changes nothing, and fails if the filters are gone: quirk c. */
static struct kevent check(const struct plx__queue *queue, const struct row *row)
{
    int i = row->held[READ] == NONE ? WRITE : READ;
    struct kevent event = change((uintptr_t)fd_of(queue, row), filter_of[i],
                                 row->held[i] == OFF ? EV_DISABLE : EV_ENABLE);
    event.udata = mark_of(row->token);
    return event;
}

/* The changes that bring a row to what it wants, at most ROW_CHANGES. */
static int plan(const struct plx__queue *queue, const struct row *row, struct kevent *changes)
{
    enum mode needs[FILTERS];
    uintptr_t fd = (uintptr_t)fd_of(queue, row);
    int count = 0;
    find_needs(row, needs);
    if (is_kept(row, needs, READ) && is_kept(row, needs, WRITE))
        return 0;
    for (int i = 0; i < FILTERS; i++) {
        if (!is_kept(row, needs, i) && row->held[i] != NONE)
            changes[count++] = change(fd, filter_of[i], EV_DELETE);
    }
    if (count == 0 && (row->held[READ] != NONE || row->held[WRITE] != NONE))
        changes[count++] = check(queue, row);
    for (int i = 0; i < FILTERS; i++) {
        if (is_kept(row, needs, i) || needs[i] == NONE)
            continue;
        changes[count] = change(fd, filter_of[i], flags_of[needs[i]]);
        changes[count++].udata = mark_of(row->token);
    }
    return count;
}

/* The changes were made. What a filter that is gone was about to tell is gone with it. */
static void commit(struct row *row)
{
    enum mode needs[FILTERS];
    find_needs(row, needs);
    for (int i = 0; i < FILTERS; i++) {
        if (!is_kept(row, needs, i))
            row->flags &= (uint16_t)~told_of[i];
        row->held[i] = (uint8_t)needs[i];
    }
    row->flags &= (uint16_t)~REMAKE;
}

/*
 * One of the changes of a row was refused. PLX_OK: its needs are others now. PLX_ERR_NOMEM: the
 * filter is missing. Any other code is final. The cause is in errno.
 */
static int judge(struct row *row, const struct kevent *refusal)
{
    bool is_write = refusal->filter == EVFILT_WRITE;
    errno = (int)refusal->data;
    if (is_write && (errno == EPIPE || (errno == EBADF && row->flags & PIPE))) {
        row->held[WRITE] = NONE;
        row->flags |= BROKEN;
        return PLX_OK;
    }
    if (errno == ENOMEM)
        row->held[is_write] = NONE;
    return plx__os_error();
}

/* Deletes what there may be of filters. Whose they are does not matter: they were made here. */
static void delete_filters(const struct plx__queue *queue, int fd)
{
    int cause = errno;
    struct kevent changes[FILTERS];
    for (int i = 0; i < FILTERS; i++)
        changes[i] = change((uintptr_t)fd, filter_of[i], EV_DELETE);
    bring(queue, changes, FILTERS);
    errno = cause;
}

static void lose(const struct plx__queue *queue, struct row *row)
{
    delete_filters(queue, fd_of(queue, row));
    row->held[READ] = row->held[WRITE] = NONE;
    row->flags |= LOST;
}

/* All refusals, since each says what the row has. A final one counts before a want of memory. */
static int judge_all(struct row *row, const struct kevent *receipts, int count)
{
    int code = PLX_OK;
    int cause = errno;
    for (int i = 0; i < count; i++) {
        int judged = is_failure(&receipts[i]) ? judge(row, &receipts[i]) : PLX_OK;
        if (judged < 0 && (code >= 0 || code == PLX_ERR_NOMEM)) {
            code = judged;
            cause = errno;
        }
    }
    errno = cause;
    return code;
}

/* Brings one row to what it wants, now. With PLX_ERR_NOMEM it may be half done. */
static int apply(struct plx__queue *queue, struct row *row)
{
    struct kevent changes[ROW_CHANGES];
    int count, code = PLX_OK;
    while (code >= 0 && (count = plan(queue, row, changes)) > 0) {
        count = bring(queue, changes, count);
        if (count < 0)
            return plx__os_error();
        commit(row);
        code = judge_all(row, changes, count);
    }
    if (code < 0 && code != PLX_ERR_NOMEM)
        lose(queue, row);
    return code;
}

/* --- Staged changes --- */

/* Takes rows off the list while there is room for their changes; returns how many changes. */
static int load(struct plx__queue *queue)
{
    int count = 0;
    queue->load = 0;
    while (queue->touched != LAST && queue->load < LOADED) {
        struct row *row = &queue->rows[queue->touched];
        queue->touched = row->next;
        row->next = UNTOUCHED;
        if (row->token.generation == 0 || row->flags & LOST)
            continue;
        int changes = plan(queue, row, queue->events + count);
        if (changes > 0)
            queue->loaded[queue->load++] = fd_of(queue, row);
        count += changes;
    }
    return count;
}

/* Either all were made, save for those that say otherwise, or none. */
static void unload(struct plx__queue *queue, bool is_made)
{
    for (int i = 0; i < queue->load; i++) {
        struct row *row = &queue->rows[queue->loaded[i]];
        if (is_made)
            commit(row);
        else
            touch(queue, row);
    }
    queue->load = 0;
}

/* A staged change was refused. PLX_ERR_NOMEM: it has to wait; any other refusal is told. */
static int take_refusal(struct plx__queue *queue, const struct kevent *refusal)
{
    struct row *row = row_at(queue, refusal->ident);
    if (!row || row->flags & LOST)
        return PLX_OK;
    int code = judge(row, refusal);
    if (code >= 0 || code == PLX_ERR_NOMEM) {
        touch(queue, row);
        return code;
    }
    lose(queue, row);
    if (row->want != PLX__SILENT) { /* who is silent hears of it with the next modify */
        row->flags |= UNTOLD;
        queue->untold++;
    }
    return PLX_OK;
}

static int take_refusals(struct plx__queue *queue, int count)
{
    int code = PLX_OK;
    for (int i = 0; i < count; i++) {
        if (is_failure(&queue->events[i]) && take_refusal(queue, &queue->events[i]) < 0)
            code = PLX_ERR_NOMEM;
    }
    if (code < 0)
        errno = ENOMEM;
    return code;
}

/* Brings the loaded changes to the kernel, without a look at what is ready. */
static int flush_load(struct plx__queue *queue, int changes)
{
    int count = bring(queue, queue->events, changes);
    int code = count < 0 ? plx__os_error() : PLX_OK;
    unload(queue, count >= 0);
    return code < 0 ? code : take_refusals(queue, count);
}

static int flush(struct plx__queue *queue)
{
    int code = PLX_OK;
    while (code >= 0 && queue->touched != LAST) {
        int changes = load(queue);
        if (changes > 0)
            code = flush_load(queue, changes);
    }
    return code;
}

/* --- Opening and closing --- */

enum { IDENT_WAKE = 1, IDENT_SHOWN = 2, IDENT_ALARM = 1 };

static struct kevent trigger(uintptr_t ident)
{
    struct kevent event = change(ident, EVFILT_USER, 0);
    event.fflags = NOTE_TRIGGER;
    return event;
}

static void close_one(int fd)
{
    if (fd >= 0)
        CALLS.close(fd);
}

/* The cause of a failure outlives the cleaning up after it. */
static void close_kernel(const struct kernel *kernel)
{
    int cause = errno;
    if (kernel->owner == getpid())
        close_one(kernel->kq);
    close_one(kernel->wake_read);
    close_one(kernel->wake_write);
    errno = cause;
}

static int set_flags(int fd, int status)
{
    if (CALLS.control(fd, F_SETFD, FD_CLOEXEC) < 0 ||
        (status && CALLS.control(fd, F_SETFL, status) < 0))
        return plx__os_error();
    return PLX_OK;
}

static int open_pipe(struct plx__queue *queue)
{
    int ends[2];
    if (CALLS.pipe(ends) < 0)
        return plx__os_error();
    queue->kernel.wake_read = ends[0];
    queue->kernel.wake_write = ends[1];
    int code = set_flags(ends[0], O_NONBLOCK);
    if (code >= 0)
        code = set_flags(ends[1], O_NONBLOCK);
    struct kevent add = change((uintptr_t)ends[0], EVFILT_READ, EV_ADD | EV_CLEAR);
    if (code >= 0 && CALLS.kevent(queue->kernel.kq, &add, 1, NULL, 0, NULL) < 0)
        code = plx__os_error();
    return code;
}

/* Does the kernel say that it does not know this filter? */
static bool is_unknown(int cause)
{
    return cause == EINVAL || cause == ENOSYS || cause == EOPNOTSUPP;
}

static int open_wake(struct plx__queue *queue)
{
    struct kevent add = change(IDENT_WAKE, EVFILT_USER, EV_ADD | EV_CLEAR);
    if (CALLS.kevent(queue->kernel.kq, &add, 1, NULL, 0, NULL) == 0)
        return PLX_OK;
    return is_unknown(errno) ? open_pipe(queue) : plx__os_error();
}

static int open_kernel(struct plx__queue *queue)
{
    queue->kernel =
        (struct kernel){.owner = getpid(), .wake_read = -1, .wake_write = -1, .alarm = PLX__NEVER};
    queue->kernel.kq = CALLS.create();
    if (queue->kernel.kq < 0)
        return plx__os_error();
    int code = set_flags(queue->kernel.kq, 0);
    if (code >= 0)
        code = open_wake(queue);
    return code;
}

static bool kq_is_available(void)
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

static int kq_open(struct plx__queue **ret_queue, const plx_allocator *allocator, uint32_t capacity)
{
    struct plx__queue *queue = plx__alloc_zeroed(allocator, sizeof *queue);
    if (!queue)
        return PLX_ERR_NOMEM;
    queue->allocator = allocator;
    queue->touched = LAST;
    queue->old.kq = -1;
    int code = open_kernel(queue);
    /* The lowest free number is given out first, so those to come begin near the queue's own. */
    if (code >= 0)
        code = reserve(queue, (uint32_t)queue->kernel.kq + UNWATCHED + capacity);
    if (code < 0) {
        close_kernel(&queue->kernel);
        free_queue(queue);
        return code;
    }
    *ret_queue = queue;
    return PLX_OK;
}

static void kq_close(struct plx__queue *queue)
{
    close_kernel(&queue->kernel);
    free_queue(queue);
}

/* --- Targets --- */

static bool is_own(const struct plx__queue *queue, int fd)
{
    return fd == queue->kernel.kq || fd == queue->kernel.wake_read ||
           fd == queue->kernel.wake_write;
}

static int identify(int fd, mode_t *ret_type)
{
    struct stat file;
    if (CALLS.identify(fd, &file) < 0)
        return plx__os_error();
    *ret_type = file.st_mode & S_IFMT;
    return PLX_OK;
}

/* Files and directories are refused (quirk i), save for those that are only a path: they are open
   for nothing, and poll(2) does not know them either. */
static int refuse_file(int fd)
{
#ifdef O_PATH
    if (CALLS.control(fd, F_GETFL) & O_PATH) {
        errno = EBADF;
        return PLX_ERR_BADHANDLE;
    }
#endif
    (void)fd;
    return PLX_ERR_NOSUPPORT;
}

static uint16_t kind_of(int fd, mode_t type)
{
    if (type != S_IFIFO)
        return type == S_IFSOCK ? SOCKET : 0;
    return (CALLS.control(fd, F_GETFL) & O_ACCMODE) == O_RDONLY ? PIPE | READ_ONLY : PIPE;
}

/* Are the filters of this row still there? Those that were refused for want of memory are made. */
static int probe(struct plx__queue *queue, struct row *row)
{
    if (row->flags & LOST)
        return PLX_ERR_NOTFOUND;
    if (row->held[READ] == NONE && row->held[WRITE] == NONE)
        return apply(queue, row);
    struct kevent event = check(queue, row);
    if (bring(queue, &event, 1) < 0)
        return plx__os_error();
    if (!is_failure(&event))
        return PLX_OK;
    errno = (int)event.data;
    return plx__os_error();
}

static void forget(struct plx__queue *queue, struct row *row)
{
    if (row->flags & UNTOLD)
        queue->untold--;
    *row = (struct row){.next = row->next};
}

/* A device that the kernel cannot watch is taken for always ready, but a terminal is not. */
static int refuse_add(struct plx__queue *queue, struct row *row, mode_t type, int code)
{
    int fd = fd_of(queue, row);
    if (!(row->flags & LOST))
        delete_filters(queue, fd);
    forget(queue, row);
    if (type == S_IFCHR && code != PLX_ERR_NOMEM && code != PLX_ERR_BADHANDLE) {
        int cause = errno;
        if (!isatty(fd))
            code = PLX_ERR_NOSUPPORT;
        errno = cause;
    }
    return code;
}

static int add_new(struct plx__queue *queue, const struct plx__target *target, uint32_t want,
                   mode_t type)
{
    struct row *row = &queue->rows[target->fd];
    forget(queue, row);
    row->token = plx__slot_token(&target->slot);
    row->want = (uint16_t)want;
    row->flags = kind_of(target->fd, type);
    int code = apply(queue, row);
    return code < 0 ? refuse_add(queue, row, type, code) : PLX_OK;
}

/*
 * Takes a target over into a renewed queue, which is the same one in its own process. What the
 * kernel refuses is another file, which has got the number of a watched one.
 */
static int add_again(struct plx__queue *queue, struct row *row, uint32_t want)
{
    row->want = (uint16_t)want;
    row->flags |= REMAKE;
    if (queue->renewal == RENEWAL_FORKED)
        row->held[READ] = row->held[WRITE] = NONE;
    int code = apply(queue, row);
    return code < 0 && code != PLX_ERR_NOMEM ? PLX_ERR_NOTFOUND : code;
}

static int kq_add(struct plx__queue *queue, struct plx__target *target, uint32_t want)
{
    mode_t type = 0;
    if (is_own(queue, target->fd))
        return PLX_ERR_INVALID; /* a context cannot watch itself */
    int code = identify(target->fd, &type);
    if (code < 0)
        return code;
    if (type == S_IFREG || type == S_IFDIR || type == S_IFBLK)
        return refuse_file(target->fd);
    struct row *row = row_at(queue, (uintptr_t)target->fd);
    if (row && queue->renewal != RENEWAL_NONE)
        return add_again(queue, row, want);
    if (row && (code = probe(queue, row)) != PLX_ERR_NOTFOUND)
        return code < 0 ? code : PLX_ERR_EXISTS;
    code = reserve(queue, (uint32_t)target->fd + 1);
    return code < 0 ? code : add_new(queue, target, want, type);
}

static void kq_wake(struct plx__queue *queue)
{
    int cause = errno;
    struct kevent event = trigger(IDENT_WAKE);
    if (queue->kernel.wake_write >= 0) {
        ssize_t size = CALLS.write(queue->kernel.wake_write, "", 1);
        (void)size; /* EAGAIN: the pipe is full, and then it is readable as well */
    } else {
        CALLS.kevent(queue->kernel.kq, &event, 1, NULL, 0, NULL);
    }
    errno = cause;
}

/*
 * An outer loop is to see at once what is ready: there is no wait to bring the change. Where memory
 * is short, some of it may be made already: then all is made anew as it was, or by the next wait,
 * which the wake calls for.
 */
static int modify_now(struct plx__queue *queue, struct row *row, struct row before)
{
    int code = apply(queue, row);
    if (code != PLX_ERR_NOMEM)
        return code;
    row->token = before.token;
    row->want = before.want;
    row->flags |= REMAKE;
    if (apply(queue, row) == PLX_ERR_NOMEM) {
        touch(queue, row);
        kq_wake(queue);
    }
    errno = ENOMEM;
    return code;
}

static int kq_modify(struct plx__queue *queue, struct plx__target *target, uint32_t was,
                     uint32_t want)
{
    (void)was;
    struct row *row = row_of(queue, target);
    if (!row || row->flags & LOST) {
        errno = ENOENT;
        return PLX_ERR_NOTFOUND;
    }
    struct row before = *row;
    row->token = plx__slot_token(&target->slot);
    row->want = (uint16_t)want;
    row->flags &= (uint16_t) ~(TOLD_READ | TOLD_WRITE); /* what is ready now is to be told again */
    /* What EV_CLEAR has told is to be told again, and every filter carries the token. */
    if (row->held[READ] == CLEAR || row->held[WRITE] == CLEAR || !is_same(row->token, before.token))
        row->flags |= REMAKE;
    if (queue->kernel.is_nested)
        return modify_now(queue, row, before);
    touch(queue, row);
    return PLX_OK;
}

/* True also of one that was closed: no duplicate of it is reported (quirk c). */
static bool kq_remove(struct plx__queue *queue, struct plx__target *target)
{
    struct row *row = row_of(queue, target);
    if (row) {
        if (!(row->flags & LOST))
            delete_filters(queue, target->fd);
        forget(queue, row);
    }
    return true;
}

static int kq_holds(struct plx__queue *queue, struct plx__target *target)
{
    struct row *row = row_of(queue, target);
    return row ? probe(queue, row) : PLX_ERR_NOTFOUND;
}

/* --- What poll(2) says --- */

static uint32_t kq_look(struct plx__queue *queue, const struct plx__target *target, uint32_t want)
{
    (void)queue;
    struct pollfd entry = {.fd = target->fd, .events = plx__poll_asks(want)};
    return plx__poll_now(CALLS.look, &entry, 1) > 0 ? plx__poll_facts(entry.revents) : 0;
}

/* --- Waiting: events become records --- */

static struct plx__record *new_record(struct plx__queue *queue, struct plx__token token, int look)
{
    queue->looks[queue->count].fd = look;
    struct plx__record *record = &queue->records[queue->count++];
    *record = (struct plx__record){.token = token};
    return record;
}

static int record_of(struct plx__queue *queue, struct row *row)
{
    if (row->record >= queue->count || !is_same(queue->records[row->record].token, row->token)) {
        row->record = (uint16_t)queue->count;
        new_record(queue, row->token, ~fd_of(queue, row));
    }
    return row->record;
}

/* Rows that were lost. Hardly ever are there any, so nobody keeps a list of them. */
static void tell_lost(struct plx__queue *queue)
{
    for (uint32_t i = 0; queue->untold > 0 && i < queue->row_count; i++) {
        struct row *row = &queue->rows[i];
        if (!(row->flags & UNTOLD))
            continue;
        if (queue->count == queue->capacity)
            return;
        new_record(queue, row->token, NOBODY)->events = PLX__GONE;
        row->flags &= (uint16_t)~UNTOLD;
        queue->untold--;
    }
}

static bool take_wake(struct plx__queue *queue)
{
    char bytes[64];
    while (queue->kernel.wake_read >= 0 &&
           CALLS.read(queue->kernel.wake_read, bytes, sizeof bytes) == (ssize_t)sizeof bytes)
        continue;
    if (queue->saw_wake)
        return false;
    queue->saw_wake = true;
    new_record(queue, no_token, NOBODY);
    return true;
}

static uint32_t facts_of(const struct row *row, const struct kevent *event)
{
    uint32_t facts = event->filter == EVFILT_WRITE ? PLX_WRITE : PLX_READ;
    if (!(event->flags & EV_EOF))
        return facts & row->want;
    if (facts == PLX_READ && row->flags & SOCKET)
        facts |= PLX_RDHUP;
    if (row->flags & BROKEN || (facts == PLX_WRITE && row->flags & PIPE))
        facts |= PLX_ERROR;
    if (event->fflags != 0)
        facts |= PLX_ERROR | PLX_HUP;
    return facts;
}

/* Clause B6. */
static uint32_t facts_asked(const struct row *row)
{
    return (row->want & PLX__DATA_EVENTS) | PLX_ERROR | PLX_HUP;
}

/* What the last record of a full batch has to say may be cut in two; see is_in_doubt(). */
static bool has_two(const struct row *row)
{
    return row->held[READ] != NONE && row->held[WRITE] != NONE;
}

/* To the end of the queue. There a filter that is level is already; one with EV_CLEAR is made anew,
   because it may be news that it tells. */
static void put_off(struct plx__queue *queue, struct row *row, int filter)
{
    if (row->held[filter] != CLEAR)
        return;
    row->flags |= remake_of[filter];
    touch(queue, row);
}

/*
 * It was told before it came out, with its sibling in a full batch. To tell it again would be a
 * turn too many while others wait.
 */
static bool was_told(struct plx__queue *queue, struct row *row, const struct kevent *event)
{
    int i = event->filter == EVFILT_WRITE ? WRITE : READ;
    bool was = row->flags & told_of[i];
    row->flags &= (uint16_t)~told_of[i];
    if (!was || !queue->is_full)
        return false;
    if (queue->late_count < PLX__BATCH)
        queue->late[queue->late_count++] = fd_of(queue, row) * FILTERS + i;
    else
        put_off(queue, row, i);
    return true;
}

/* Nobody else is left, or there is no more room. */
static void tell_late(struct plx__queue *queue)
{
    for (int i = 0; i < queue->late_count; i++) {
        struct row *row = &queue->rows[queue->late[i] / FILTERS];
        int filter = queue->late[i] % FILTERS;
        if (queue->count == queue->capacity) {
            put_off(queue, row, filter);
            continue;
        }
        int index = record_of(queue, row);
        queue->records[index].events |= row->want & (filter == WRITE ? PLX_WRITE : PLX_READ);
        queue->looks[index].fd = fd_of(queue, row);
        queue->is_special = true;
    }
    queue->late_count = 0;
}

/* True if the event tells something that this wait did not know yet. */
static bool take_filter(struct plx__queue *queue, struct row *row, const struct kevent *event)
{
    if (was_told(queue, row, event))
        return true;
    uint32_t facts = facts_of(row, event);
    if (facts == 0) { /* data where only an end is of interest */
        if (row->flags & ENDED)
            touch(queue, row);
        row->flags &= (uint16_t)~ENDED; /* a FIFO has a writer again */
        return true;
    }
    int index = record_of(queue, row);
    if (index < queue->done)
        facts &= facts_asked(row);
    bool is_news = facts & ~queue->records[index].events;
    queue->records[index].events |= facts;
    if (event->flags & EV_EOF)
        queue->looks[index].fd = fd_of(queue, row);
    if (event->flags & EV_EOF || row->want & PLX_ONESHOT || has_two(row))
        queue->is_special = true;
    return is_news;
}

static bool take(struct plx__queue *queue, const struct kevent *event)
{
    if (event->filter == EVFILT_TIMER) {
        queue->saw_alarm = true;
        return true;
    }
    if (event->filter == EVFILT_USER || (int64_t)event->ident == (int64_t)queue->kernel.wake_read)
        return take_wake(queue);
    struct row *row = row_at(queue, event->ident);
    if (row && event->udata == mark_of(row->token))
        return take_filter(queue, row, event);
    /* Nobody's: no kernel does this, and it would come again and again. */
    delete_filters(queue, (int)event->ident);
    if (row) {
        row->held[READ] = row->held[WRITE] = NONE;
        touch(queue, row);
    }
    return true;
}

static bool is_in_doubt(const struct plx__queue *queue, const struct row *row, uint32_t facts)
{
    return has_two(row) && row->want & PLX__DATA_EVENTS & ~facts &&
           (queue->is_full || row->want & PLX_ONESHOT);
}

/* What poll(2) tells of a direction whose event is not among the `known` facts will come out of the
   queue as well. */
static void note_told(const struct plx__queue *queue, struct row *row, uint32_t known,
                      uint32_t facts)
{
    const uint32_t ends = PLX_ERROR | PLX_HUP;
    if (!queue->is_full || !has_two(row))
        return;
    if (facts & (PLX_READ | PLX_RDHUP | ends) && !(known & PLX_READ))
        row->flags |= TOLD_READ;
    if (facts & (PLX_WRITE | ends) && !(known & PLX_WRITE))
        row->flags |= TOLD_WRITE;
}

/* What poll(2) does not tell everywhere. All else it tells as it is by now. */
#define KEPT_FACTS (PLX_ERROR | PLX_HUP | (POLLRDHUP ? 0 : PLX_RDHUP))

/*
 * Asks poll(2) about ends, about the other direction of one-shots, which are told once, and about
 * the other direction of what came in a full batch, whose second event may not have fitted.
 */
static void resolve_doubts(struct plx__queue *queue)
{
    bool is_asked = false;
    for (int i = queue->done; i < queue->count; i++) {
        struct pollfd *look = &queue->looks[i];
        if (look->fd == NOBODY)
            continue;
        const struct row *row = &queue->rows[look->fd < 0 ? ~look->fd : look->fd];
        if (look->fd < 0 && is_in_doubt(queue, row, queue->records[i].events))
            look->fd = ~look->fd;
        look->events = plx__poll_asks(row->want);
        look->revents = 0;
        is_asked |= look->fd >= 0;
    }
    struct pollfd *first = queue->looks + queue->done;
    if (!is_asked || plx__poll_now(CALLS.look, first, (nfds_t)(queue->count - queue->done)) <= 0)
        return;
    for (int i = queue->done; i < queue->count; i++) {
        uint32_t *events = &queue->records[i].events;
        uint32_t facts = plx__poll_facts(queue->looks[i].revents);
        if (queue->looks[i].fd < 0 || facts == 0)
            continue;
        note_told(queue, &queue->rows[queue->looks[i].fd], *events, facts);
        *events = facts | (*events & KEPT_FACTS);
    }
}

/* The record of a row is final: what follows for its filters? */
static void end_record(struct plx__queue *queue, struct row *row, uint32_t facts)
{
    if (facts & (PLX_RDHUP | PLX_HUP | PLX_ERROR) && awaits_end(row)) {
        row->flags |= ENDED;
        touch(queue, row);
    }
    if (row->want & PLX_ONESHOT) {
        row->want = PLX__SILENT;
        touch(queue, row);
    }
}

/* Keeps the records that have something to tell (clause B6). False if there were others. */
static bool end_records(struct plx__queue *queue)
{
    int kept = queue->done;
    int count = queue->count;
    for (int i = queue->done; i < count; i++) {
        struct plx__record record = queue->records[i];
        int look = queue->looks[i].fd;
        if (look != NOBODY) {
            struct row *row = &queue->rows[look < 0 ? ~look : look];
            record.events &= facts_asked(row);
            if (record.events == 0)
                continue;
            end_record(queue, row, record.events);
            row->record = (uint16_t)kept;
        }
        queue->records[kept++] = record;
    }
    queue->count = queue->done = kept;
    return kept == count;
}

/* Brings the staged changes and takes up to `room` events; PLX_ERR_AGAIN: a change was refused. */
static int ask(struct plx__queue *queue, int room, const struct timespec *timeout)
{
    int changes = load(queue);
    while (changes > room || (changes > 0 && queue->touched != LAST)) {
        int code = flush_load(queue, changes);
        if (code < 0)
            return code;
        changes = load(queue);
    }
    const struct kevent *list = changes > 0 ? queue->events : NULL;
    int count = CALLS.kevent(queue->kernel.kq, list, changes, queue->events, room, timeout);
    bool is_made = count >= 0 || errno == EINTR; /* who is interrupted is in the sleep already */
    unload(queue, is_made);
    if (count < 0)
        return errno == EINTR ? 0 : plx__os_error();
    if (count == 0 || !(queue->events[0].flags & EV_ERROR))
        return count;
    int code = take_refusals(queue, count);
    return code < 0 ? code : PLX_ERR_AGAIN;
}

/*
 * The core takes a batch that is not full for all that there is, and filters of one descriptor
 * share a record. So as long as there is room and the last call was full, there is another one,
 * until it tells nothing new: everybody has had a turn then (clause B12).
 */
static int gather(struct plx__queue *queue, const struct timespec *timeout)
{
    bool is_news = true;
    while (is_news && queue->count < queue->capacity) {
        int room = queue->capacity - queue->count;
        int count = ask(queue, room, queue->count > 0 ? &no_time : timeout);
        if (count < 0 && count != PLX_ERR_AGAIN) {
            tell_late(queue);
            return count;
        }
        is_news = count < 0;
        queue->is_full = count == room;
        for (int i = 0; i < count; i++)
            is_news = take(queue, &queue->events[i]) || is_news;
        if (count >= 0 && count < room)
            is_news = false;
        tell_lost(queue);
    }
    tell_late(queue);
    return PLX_OK;
}

/* Until the records are final: of a full batch some may turn out to have nothing to tell. */
static int collect(struct plx__queue *queue, const struct timespec *timeout)
{
    for (;;) {
        int code = gather(queue, timeout);
        if (!queue->is_special)
            return code;
        resolve_doubts(queue);
        if (end_records(queue) || code < 0 || !queue->is_full)
            return code;
        timeout = &no_time;
    }
}

/* Makes the queue readable in the eyes of an outer loop. */
static void show(struct plx__queue *queue)
{
    struct kevent changes[] = {change(IDENT_SHOWN, EVFILT_USER, EV_ADD), trigger(IDENT_SHOWN)};
    bring(queue, changes, 2);
    queue->kernel.is_shown = true;
}

/* Our own wait is not to see it: it would end every sleep. */
static void begin_nested(struct plx__queue *queue)
{
    struct kevent hide = change(IDENT_SHOWN, EVFILT_USER, EV_DELETE);
    if (queue->kernel.is_shown)
        bring(queue, &hide, 1);
}

static void set_alarm(struct plx__queue *queue);

/* What the wait has taken out of the queue, and what it has staged, shows again. For want of memory
   the next wait has to see to that. */
static void end_nested(struct plx__queue *queue)
{
    int cause = errno;
    if (flush(queue) < 0)
        kq_wake(queue);
    if (queue->kernel.is_shown || queue->saw_wake)
        show(queue);
    if (queue->saw_alarm)
        set_alarm(queue);
    errno = cause;
}

static int kq_wait(struct plx__queue *queue, struct plx__record *records, int capacity,
                   plx_duration timeout)
{
    struct timespec left = {.tv_sec = (time_t)(timeout / PLX_SECONDS(1)),
                            .tv_nsec = (long)(timeout % PLX_SECONDS(1))};
    queue->records = records;
    queue->capacity = capacity;
    queue->count = queue->done = 0;
    queue->is_full = queue->is_special = queue->saw_wake = queue->saw_alarm = false;
    if (queue->kernel.is_nested)
        begin_nested(queue);
    tell_lost(queue);
    int code = collect(queue, timeout < 0 ? NULL : &left);
    if (queue->kernel.is_nested)
        end_nested(queue);
    return queue->count > 0 ? queue->count : code;
}

/* --- Nesting, renewing --- */

/* In its own process there is nothing to renew: there are no ghosts (quirk c). */
static int kq_renew(struct plx__queue *queue, bool is_forked)
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
    return PLX_OK;
}

static void kq_settle(struct plx__queue *queue, bool keep_fresh)
{
    if (queue->renewal == RENEWAL_FORKED) {
        struct kernel lost = keep_fresh ? queue->old : queue->kernel;
        if (!keep_fresh)
            queue->kernel = queue->old;
        close_kernel(&lost);
        queue->old.kq = -1;
    }
    queue->renewal = RENEWAL_NONE;
}

/* The queue itself can be watched. */
static int kq_nest(struct plx__queue *queue)
{
    if (queue->kernel.wake_read >= 0)
        return PLX_ERR_NOSUPPORT; /* quirk j */
    int code = flush(queue);
    if (code < 0)
        return code;
    queue->kernel.is_nested = true;
    return queue->kernel.kq;
}

/*
 * Until it is turned off, a wake shows as well once a wait has taken it. Off makes the filter of
 * the wake anew, because one that is merely reset leaves the queue readable; what comes between the
 * two is swallowed, as the core expects.
 */
static void kq_raise(struct plx__queue *queue, bool on)
{
    int cause = errno;
    struct kevent changes[] = {change(IDENT_SHOWN, EVFILT_USER, EV_DELETE),
                               change(IDENT_WAKE, EVFILT_USER, EV_DELETE),
                               change(IDENT_WAKE, EVFILT_USER, EV_ADD | EV_CLEAR)};
    if (on) {
        show(queue);
    } else {
        bring(queue, changes, 3);
        queue->kernel.is_shown = false;
        if (queue->touched != LAST) /* memory was short: a wait has to try again */
            kq_wake(queue);
    }
    errno = cause;
}

/* The longest timer that every kernel takes. One that rings early is set again by the wait. */
#define LONGEST_ALARM PLX_SECONDS(86400)

/* Deletes first: a second EV_ADD does not move it on DragonFly, nor takes back that it rang. */
static void set_alarm(struct plx__queue *queue)
{
    struct kevent changes[] = {change(IDENT_ALARM, EVFILT_TIMER, EV_DELETE),
                               change(IDENT_ALARM, EVFILT_TIMER, EV_ADD | EV_ONESHOT)};
    bool is_set = queue->kernel.alarm != PLX__NEVER;
    if (is_set) {
        int64_t left = plx__remaining(queue->kernel.alarm, plx__os_now());
        left = left > LONGEST_ALARM ? LONGEST_ALARM : left;
        changes[1].fflags = NOTE_NSECONDS;
        changes[1].data = left > 0 ? plx__round_up(left, ALARM_UNIT) : 1; /* NetBSD refuses 0 */
    }
    bring(queue, changes, is_set ? 2 : 1);
}

static void kq_alarm(struct plx__queue *queue, int64_t deadline)
{
    int cause = errno;
    queue->kernel.alarm = deadline;
    set_alarm(queue);
    errno = cause;
}

const struct plx__backend plx__backend_kqueue = {
    .id = PLX_BACKEND_KQUEUE,
    .name = "kqueue",
    .supports = PLX_READ | PLX_WRITE | PLX_RDHUP | PLX__MODES,
    .is_level_on_file = false,
    .is_remembered = true,
    .is_available = kq_is_available,
    .open = kq_open,
    .close = kq_close,
    .add = kq_add,
    .modify = kq_modify,
    .remove = kq_remove,
    .holds = kq_holds,
    .wait = kq_wait,
    .look = kq_look,
    .wake = kq_wake,
    .renew = kq_renew,
    .settle = kq_settle,
    .nest = kq_nest,
    .raise = kq_raise,
    .alarm = kq_alarm,
};
