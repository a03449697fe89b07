/* SPDX-License-Identifier: MIT */
/* desk.c: counting what leaves the library, and running cases. */
#include "desk.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backends/epoll.h"
#include "backends/poll.h"
#include "src/os/process.h"
#include "tests/platform/closing.h"

enum call {
    CREATE,
    ADD,
    MOD,
    DEL,
    EPOLL_WAIT,
    EPOLL_PWAIT2,
    PPOLL,
    POLL,
    EVENTFD,
    TIMERFD,
    SETTIME,
    READ,
    WRITE,
    PIDFD,
    WAITID,
    PROBE,
    SIGACTION,
    SIGMASK,
    GETPID,
    KILL,
    CLOSE,
    FCNTL,
    FSTAT,
    CLOCK,
    KEVENT,
    ASSOCIATE,
    DISSOCIATE,
    SEND,
    GET,
    COUNTED
};

static const char *case_name = ""; /* of the one that runs */

static const char *const count_names[COUNTED] = {
    "create",    "add",       "mod",        "del",  "epoll_wait", "epoll_pwait2", "ppoll",  "poll",
    "eventfd",   "timerfd",   "settime",    "read", "write",      "pidfd",        "waitid", "probe",
    "sigaction", "sigmask",   "getpid",     "kill", "close",      "fcntl",        "fstat",  "clock",
    "kevent",    "associate", "dissociate", "send", "get"};

static int counts[COUNTED];
static bool is_counting;
static void (*sleep_handler)(void *);
static void *sleep_argument;

static void count(enum call what)
{
    if (is_counting)
        counts[what]++;
}

/* --- The clock --- */

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

static int (*read_clock)(clockid_t, struct timespec *) = __real_clock_gettime;
static struct timespec held_time;

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    count(CLOCK);
    return read_clock(clock, time);
}

static int read_held_clock(clockid_t clock, struct timespec *time)
{
    (void)clock;
    *time = held_time;
    return 0;
}

void desk_hold_clock(void)
{
    __real_clock_gettime(CLOCK_MONOTONIC, &held_time);
    read_clock = read_held_clock;
}

/* --- The kernel --- */

/* The tables as they were. */
static struct plx__epoll_calls epoll_calls;
static struct plx__poll_calls poll_calls;
static struct plx__process_calls process_calls;

static void before_sleep(void)
{
    void (*handler)(void *) = sleep_handler;
    sleep_handler = NULL;
    read_clock = __real_clock_gettime;
    if (handler)
        handler(sleep_argument);
}

void desk_before_sleep(void)
{
    before_sleep();
}

void desk_count(enum counted what)
{
    static const enum call calls[] = {
        [COUNT_CREATE] = CREATE,       [COUNT_KEVENT] = KEVENT,
        [COUNT_POLL] = POLL,           [COUNT_SETTIME] = SETTIME,
        [COUNT_ASSOCIATE] = ASSOCIATE, [COUNT_DISSOCIATE] = DISSOCIATE,
        [COUNT_SEND] = SEND,           [COUNT_GET] = GET};
    count(calls[what]);
}

void desk_on_sleep(void (*handler)(void *), void *argument)
{
    sleep_handler = handler;
    sleep_argument = argument;
}

static int counted_create(int flags)
{
    count(CREATE);
    return epoll_calls.create(flags);
}

static int counted_control(int queue, int operation, int fd, struct epoll_event *event)
{
    count(operation == EPOLL_CTL_ADD ? ADD : operation == EPOLL_CTL_MOD ? MOD : DEL);
    return epoll_calls.control(queue, operation, fd, event);
}

static int counted_wait(int queue, struct epoll_event *events, int capacity, int milliseconds)
{
    count(EPOLL_WAIT);
    if (milliseconds != 0)
        before_sleep();
    return epoll_calls.wait(queue, events, capacity, milliseconds);
}

static int counted_wait_exactly(int queue, struct epoll_event *events, int capacity,
                                const struct timespec *timeout, const sigset_t *mask)
{
    count(EPOLL_PWAIT2);
    before_sleep();
    return epoll_calls.wait_exactly(queue, events, capacity, timeout, mask);
}

static int counted_ppoll(struct pollfd *entries, nfds_t size, const struct timespec *timeout,
                         const sigset_t *mask)
{
    count(PPOLL);
    if (!timeout || timeout->tv_sec != 0 || timeout->tv_nsec != 0)
        before_sleep();
    return poll_calls.wait(entries, size, timeout, mask);
}

static int counted_look(struct pollfd *entries, nfds_t size, int milliseconds)
{
    count(POLL);
    return epoll_calls.look(entries, size, milliseconds);
}

static int counted_eventfd(unsigned int value, int flags)
{
    count(EVENTFD);
    return eventfd(value, flags);
}

static int counted_open_wake(int ret_ends[2])
{
    count(EVENTFD);
    return poll_calls.open_wake(ret_ends);
}

static int counted_timerfd(int clock, int flags)
{
    count(TIMERFD);
    return timerfd_create(clock, flags);
}

static int counted_set_timer(int timer, int flags, const struct itimerspec *time,
                             struct itimerspec *old)
{
    count(SETTIME);
    return timerfd_settime(timer, flags, time, old);
}

static ssize_t counted_read(int fd, void *bytes, size_t size)
{
    count(READ);
    return read(fd, bytes, size);
}

static ssize_t counted_write(int fd, const void *bytes, size_t size)
{
    count(WRITE);
    return write(fd, bytes, size);
}

static int counted_pidfd(int pid)
{
    count(PIDFD);
    return process_calls.open(pid);
}

static int counted_waitid(int kind, int id, siginfo_t *ret_info)
{
    count(WAITID);
    return process_calls.look(kind, id, ret_info);
}

static int counted_probe(int pid)
{
    count(PROBE);
    return process_calls.probe(pid);
}

/* What has no table: the linker puts these in the place of libc's. */
int __real_close(int fd);
int __wrap_close(int fd);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __real_fstat(int fd, struct stat *status);
int __wrap_fstat(int fd, struct stat *status);
int __real_sigaction(int signo, const struct sigaction *action, struct sigaction *old);
int __wrap_sigaction(int signo, const struct sigaction *action, struct sigaction *old);
int __real_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
pid_t __real_getpid(void);
pid_t __wrap_getpid(void);
int __real_kill(pid_t pid, int signo);
int __wrap_kill(pid_t pid, int signo);

int __wrap_close(int fd)
{
    count(CLOSE);
    desk_pause();
    shims_closing(fd);
    desk_go_on();
    return __real_close(fd);
}

int __wrap_fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = command == F_GETFD || command == F_GETFL ? NULL : va_arg(arguments, void *);
    va_end(arguments);
    count(FCNTL);
    return __real_fcntl(fd, command, argument);
}

int __wrap_fstat(int fd, struct stat *status)
{
    count(FSTAT);
    return __real_fstat(fd, status);
}

int __wrap_sigaction(int signo, const struct sigaction *action, struct sigaction *old)
{
    count(SIGACTION);
    return __real_sigaction(signo, action, old);
}

int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    count(SIGMASK);
    return __real_pthread_sigmask(how, set, old);
}

pid_t __wrap_getpid(void)
{
    count(GETPID);
    return __real_getpid();
}

int __wrap_kill(pid_t pid, int signo)
{
    count(KILL);
    return __real_kill(pid, signo);
}

static bool was_counting;

void desk_pause(void)
{
    was_counting = is_counting;
    is_counting = false;
}

void desk_go_on(void)
{
    is_counting = was_counting;
}

static void count_kernel_calls(void)
{
    epoll_calls = plx__epoll_calls;
    poll_calls = plx__poll_calls;
    process_calls = plx__process_calls;
    plx__epoll_calls = (struct plx__epoll_calls){
        .create = counted_create,
        .control = counted_control,
        .wait = counted_wait,
        .wait_exactly = counted_wait_exactly,
        .look = counted_look,
        .eventfd = counted_eventfd,
        .timerfd = counted_timerfd,
        .set_timer = counted_set_timer,
        .read = counted_read,
        .write = counted_write,
        .close = close,
    };
    plx__poll_calls = (struct plx__poll_calls){
        .wait = counted_ppoll,
        .open_wake = counted_open_wake,
        .read = counted_read,
        .write = counted_write,
        .close = close,
    };
    plx__process_calls = (struct plx__process_calls){
        .open = counted_pidfd,
        .look = counted_waitid,
        .probe = counted_probe,
    };
}

/* --- What an operation costs --- */

static void print_counts(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < COUNTED; i++) {
        if (counts[i] > 0)
            used += (size_t)snprintf(text + used, size - used, "%s%s=%d", used > 0 ? " " : "",
                                     count_names[i], counts[i]);
    }
}

static bool is_marking;

void desk_stop_marking(void)
{
    is_marking = false;
}

/* Goes nowhere; strace shows it. */
static void mark(const char *word, const char *text)
{
    char line[256];
    if (!is_marking)
        return;
    int size = snprintf(line, sizeof line, "%s %s", word, text);
    size = size < (int)sizeof line ? size : (int)sizeof line - 1;
    if (write(-1, line, (size_t)size) >= 0)
        abort();
}

void costs_start(const char *operation)
{
    memset(counts, 0, sizeof counts);
    mark("start", operation);
    is_counting = true;
}

void costs_stop(void)
{
    char text[256];
    is_counting = false;
    print_counts(text, sizeof text);
    mark("stop", text);
}

void desk_figure(const char *kind, const char *what, const char *format, ...)
{
    va_list values;
    if (!getenv("COST_FIGURES"))
        return;
    printf("# figure %s %s: %s: ", kind, case_name, what);
    va_start(values, format);
    vprintf(format, values);
    va_end(values);
    putchar('\n');
}

void costs_check(const char *file, int line, const struct desk *desk, const char *operation,
                 const char *on_epoll, const char *on_poll)
{
    char text[256];
    const char *want = IS_EPOLL(desk) ? on_epoll : on_poll;
    print_counts(text, sizeof text);
    if (strcmp(text, want) != 0)
        check_failed(file, line, "%s costs [%s], not [%s]", operation, text, want);
    desk_figure("calls", operation, "%s", *text ? text : "none");
}

/* --- Memory --- */

static void *resize(void *state, void *block, size_t old_size, size_t new_size)
{
    struct memory *memory = state;
    memory->bytes += new_size - old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    memory->allocations += new_size > old_size;
    void *resized = realloc(block, new_size);
    if (!resized)
        abort();
    return resized;
}

/* --- The desk --- */

void desk_open(struct desk *desk, size_t capacity_hint)
{
    plx_allocator allocator = {resize, &desk->memory};
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    options.backend = desk->backend;
    options.capacity_hint = capacity_hint;
    options.allocator = &allocator;
    CHECK_OK(plx_context_create(&desk->context, &options));
}

void desk_close(struct desk *desk)
{
    plx_context_destroy(desk->context);
    desk->context = NULL;
    CHECK_EQUAL(desk->memory.bytes, 0);
    while (desk->descriptor_count > 0) {
        int fd = desk->descriptors[--desk->descriptor_count];
        if (fd >= 0)
            close(fd);
    }
}

int desk_keep(struct desk *desk, int fd)
{
    CHECK(fd >= 0);
    CHECK(desk->descriptor_count < DESCRIPTORS);
    desk->descriptors[desk->descriptor_count++] = fd;
    return fd;
}

int desk_event(struct desk *desk, bool is_ready)
{
    return desk_keep(desk, eventfd(is_ready, EFD_CLOEXEC | EFD_NONBLOCK));
}

int desk_file(struct desk *desk)
{
    return desk_keep(desk, memfd_create("file", MFD_CLOEXEC));
}

plx_watcher *desk_watch(struct desk *desk, plx_handle handle, uint32_t events)
{
    plx_watcher *watcher = NULL;
    CHECK_OK(plx_context_add(desk->context, handle, events, NULL, &watcher));
    return watcher;
}

plx_watcher *desk_add(struct desk *desk, int fd, uint32_t events)
{
    return desk_watch(desk, plx_fd(fd), events);
}

int desk_look(struct desk *desk)
{
    static plx_watcher *ready[ROOM];
    int count_ready = plx_context_wait(desk->context, ready, ROOM, 0);
    CHECK(count_ready >= 0);
    return count_ready;
}

void desk_need_descriptors(int count)
{
    if (desk_raise_limit(count) < count)
        check_skip("a process may not have that many descriptors");
}

int desk_raise_limit(int wanted)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlim_t room = (rlim_t)wanted < limit.rlim_max ? (rlim_t)wanted : limit.rlim_max;
    if (limit.rlim_cur < room) {
        limit.rlim_cur = room;
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    }
    return (int)room;
}

/* --- Cases --- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif

const char *desk_odd_build(void)
{
#if defined(POLLUX_STRESS)
    return "the hostile build has tables and batches of its own";
#elif defined(IS_SANITIZED)
    return "a sanitizer has memory and instructions of its own";
#else
    return NULL;
#endif
}

static struct desk the_desk;

static void perform(void *argument)
{
    const struct cost_case *test = argument;
    test->run(&the_desk);
}

/* A case that left early has not tidied up. */
static void tidy_up(void)
{
    is_counting = false;
    sleep_handler = NULL;
    plx_context_destroy(the_desk.context);
    while (the_desk.descriptor_count > 0)
        close(the_desk.descriptors[--the_desk.descriptor_count]);
}

static bool run_case(const struct cost_case *test, plx_backend backend, int number)
{
    struct cost_case copy = *test;
    char name[128];
    snprintf(name, sizeof name, "%s/%s", plx_backend_name(backend), test->name);
    is_marking = getenv("COST_MARKS") != NULL;
    mark("case", name);
    case_name = name;
    the_desk = (struct desk){.backend = backend};
    enum outcome outcome = check_run(perform, &copy);
    case_name = "";
    if (outcome != PASSED)
        tidy_up();
    printf("%sok %d - %s", outcome == FAILED ? "not " : "", number, name);
    if (outcome == SKIPPED)
        printf(" # SKIP %s", check_skip_reason());
    putchar('\n');
    fflush(stdout);
    return outcome != FAILED;
}

struct tally {
    int number;
    int failed;
};

static void run_group(const struct cost_group *group, plx_backend backend, struct tally *tally)
{
    bool has_column = backend == PLX_BACKEND_EPOLL || backend == PLX_BACKEND_POLL;
    if (group->played ? group->played != backend : !has_column)
        return;
    for (size_t i = 0; i < group->count; i++) {
        const struct cost_case *test = &group->cases[i];
        if (!test->is_epoll_only || backend == PLX_BACKEND_EPOLL)
            tally->failed += !run_case(test, backend, ++tally->number);
    }
}

int desk_run_cases(const struct cost_group *groups, size_t group_count)
{
    plx_backend backends[8];
    int backend_count = plx_backend_list(backends, COUNT_OF(backends));
    struct tally tally = {0, 0};
    count_kernel_calls();
    for (int i = 0; i < backend_count; i++) {
        for (size_t j = 0; j < group_count; j++)
            run_group(&groups[j], backends[i], &tally);
    }
    printf("1..%d\n", tally.number);
    return tally.failed > 0;
}
