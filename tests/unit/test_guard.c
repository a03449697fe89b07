/* SPDX-License-Identifier: MIT */
/*
 * test_guard.c: a context knows whether this process made it, without asking the kernel.
 *
 * What happens in a child is told by its exit status, since Check listens to the test's own process
 * alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pollux.h>

#include "src/os/os.h"
#include "suites.h"

typedef bool story(void *argument);

static bool succeeded(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool in_child(story *tell, void *argument)
{
    pid_t child = fork();
    if (child == 0)
        _exit(tell(argument) ? 0 : 1);
    return child > 0 && succeeded(child);
}

/* As in_child(), but behind the back of the C library: no handler of pthread_atfork() runs. */
static bool in_bare_child(story *tell, void *argument)
{
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(tell(argument) ? 0 : 1);
    return child > 0 && succeeded(child);
}

/* A stamp as a context keeps it. */
struct mark {
    const plx__guard *guard;
    uint32_t stamp;
};

static struct mark mark_now(void)
{
    struct mark mark;
    mark.guard = plx__os_guard(&mark.stamp);
    return mark;
}

static bool is_forked(const struct mark *mark)
{
    return plx__os_is_forked(mark->guard, mark->stamp);
}

static bool tell_is_forked(void *argument)
{
    return is_forked(argument);
}

START_TEST(a_process_has_one_stamp)
{
    struct mark first = mark_now(), second = mark_now();
    ck_assert_ptr_nonnull(first.guard);
    ck_assert_ptr_eq(first.guard, second.guard);
    ck_assert_uint_eq(first.stamp, second.stamp);
    ck_assert_uint_ne(first.stamp, 0);
    ck_assert(!is_forked(&first));
}
END_TEST

START_TEST(a_child_knows_from_its_first_instruction)
{
    struct mark mark = mark_now();
    ck_assert(in_bare_child(tell_is_forked, &mark));
    ck_assert(in_child(tell_is_forked, &mark));
    ck_assert(!is_forked(&mark)); /* and the parent has noticed nothing */
}
END_TEST

static bool takes_another_stamp(void *argument)
{
    const struct mark *parent = argument;
    struct mark own = mark_now();
    return own.guard && own.stamp != parent->stamp && !is_forked(&own) && is_forked(parent);
}

START_TEST(a_child_takes_a_stamp_of_its_own)
{
    struct mark mark = mark_now();
    ck_assert(in_bare_child(takes_another_stamp, &mark));
    ck_assert(in_child(takes_another_stamp, &mark));
    ck_assert(!is_forked(&mark));
    ck_assert_uint_eq(mark_now().stamp, mark.stamp);
}
END_TEST

enum { GENERATIONS = 12 };

/* The stamps of a process and its ancestors, the oldest first. */
struct line {
    struct mark marks[GENERATIONS];
    unsigned count;
};

/* Every process of the line finds each ancestor's stamp stale, whether it takes its own or not. */
static bool goes_on(void *argument)
{
    struct line *line = argument;
    for (unsigned i = 0; i < line->count; i++) {
        if (!is_forked(&line->marks[i]))
            return false;
    }
    struct mark own = mark_now();
    for (unsigned i = 0; i < line->count; i++) {
        if (own.stamp == line->marks[i].stamp || !is_forked(&line->marks[i]))
            return false;
    }
    line->marks[line->count++] = own;
    return line->count == GENERATIONS || (in_child(goes_on, line) && !is_forked(&own));
}

START_TEST(a_long_line_of_descendants_shares_no_stamp)
{
    struct line line = {.count = 0};
    ck_assert(goes_on(&line));
}
END_TEST

static bool forks_at_once(void *argument)
{
    return in_child(tell_is_forked, argument) && in_bare_child(tell_is_forked, argument);
}

START_TEST(a_grandchild_knows_although_its_parent_took_no_stamp)
{
    struct mark mark = mark_now();
    ck_assert(in_child(forks_at_once, &mark));
    ck_assert(in_bare_child(tell_is_forked, &mark));
    ck_assert(!is_forked(&mark));
}
END_TEST

enum { RACERS = 4 };

static void *take_stamp(void *result)
{
    *(struct mark *)result = mark_now();
    return NULL;
}

static bool racers_agree(void *argument)
{
    (void)argument;
    pthread_t threads[RACERS];
    struct mark marks[RACERS];
    for (int i = 0; i < RACERS; i++) {
        if (pthread_create(&threads[i], NULL, take_stamp, &marks[i]) != 0)
            return false;
    }
    bool is_same = true;
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        is_same &= marks[i].guard && marks[i].guard == marks[0].guard &&
                   marks[i].stamp == marks[0].stamp && marks[i].stamp != 0;
    }
    return is_same;
}

START_TEST(threads_that_race_for_the_stamp_get_the_same)
{
    for (int round = 0; round < 50; round++)
        ck_assert(in_child(racers_agree, NULL));
}
END_TEST

/* --- An older kernel, and what comes in between --- */

int __real_madvise(void *address, size_t size, int advice);
int __wrap_madvise(void *address, size_t size, int advice);
int __real_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));

static bool is_old_kernel;
static bool is_out_of_memory;
static int refusals;
static int registrations;
static void *first_page;

/* Called once, where another thread might run. */
static void (*before_wiping)(void);
static void (*after_registering)(void);

static void call_once(void (**hook)(void))
{
    void (*function)(void) = *hook;
    *hook = NULL;
    if (function)
        function();
}

/* The linker puts these in the place of libc's. */
int __wrap_madvise(void *address, size_t size, int advice)
{
    if (advice != MADV_WIPEONFORK)
        return __real_madvise(address, size, advice);
    first_page = first_page ? first_page : address;
    call_once(&before_wiping);
    if (!is_old_kernel)
        return __real_madvise(address, size, advice);
    refusals++;
    errno = EINVAL;
    return -1;
}

int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    if (is_out_of_memory)
        return ENOMEM;
    registrations++;
    int cause = __real_pthread_atfork(prepare, parent, child);
    call_once(&after_registering);
    return cause;
}

/* The kernel can advise on mapped memory only. */
static bool is_mapped(void *page)
{
    return __real_madvise(page, 1, MADV_NORMAL) == 0;
}

/* The page is made once: this and what follows have to be the first to ask for it in a process. */
START_TEST(without_a_page_that_is_wiped_a_handler_does_it)
{
    registrations = 0; /* of others, before main() */
    is_old_kernel = true;
    struct mark mark = mark_now();
    ck_assert_ptr_nonnull(mark.guard);
    ck_assert_int_eq(refusals, 1);
    ck_assert_int_eq(registrations, 1);
    ck_assert(in_child(tell_is_forked, &mark));
    ck_assert(in_child(takes_another_stamp, &mark));
    ck_assert(in_child(forks_at_once, &mark));
    ck_assert(!is_forked(&mark));
}
END_TEST

/* What a thread finds that runs while another one makes the page. */
static struct mark mark_between;
static bool is_known_between;

static void mark_and_fork(void)
{
    mark_between = mark_now();
    is_known_between = in_child(tell_is_forked, &mark_between) &&
                       (is_old_kernel || in_bare_child(tell_is_forked, &mark_between));
}

/* The page of who comes second is used by nobody, and stays with nobody. */
static void check_race(void)
{
    registrations = 0;
    before_wiping = mark_and_fork;
    struct mark mark = mark_now();
    ck_assert_ptr_nonnull(mark.guard);
    ck_assert(is_known_between);
    ck_assert_ptr_eq(mark.guard, mark_between.guard);
    ck_assert_uint_eq(mark.stamp, mark_between.stamp);
    ck_assert_ptr_ne(mark.guard, first_page);
    ck_assert(!is_mapped(first_page));
    ck_assert(in_child(tell_is_forked, &mark));
}

START_TEST(a_page_is_shown_to_others_when_it_is_wiped_on_fork)
{
    check_race();
    ck_assert_int_eq(registrations, 0);
}
END_TEST

START_TEST(who_is_second_registers_no_handler)
{
    is_old_kernel = true;
    check_race();
    ck_assert_int_eq(refusals, 2);
    ck_assert_int_eq(registrations, 1);
}
END_TEST

static bool takes_any_stamp(void *argument)
{
    (void)argument;
    struct mark own = mark_now();
    return own.guard && own.stamp != 0 && in_child(tell_is_forked, &own);
}

static void fork_without_page(void)
{
    is_known_between = in_child(takes_any_stamp, NULL);
}

START_TEST(a_handler_without_a_page_does_no_harm)
{
    is_old_kernel = true;
    after_registering = fork_without_page;
    struct mark mark = mark_now();
    ck_assert(is_known_between);
    ck_assert(in_child(tell_is_forked, &mark));
}
END_TEST

START_TEST(without_a_page_and_a_handler_there_is_no_guard)
{
    is_old_kernel = is_out_of_memory = true;
    for (int i = 0; i < 2; i++) {
        errno = 0;
        ck_assert_ptr_null(mark_now().guard);
        ck_assert_int_eq(errno, ENOMEM);
        ck_assert(!is_mapped(first_page));
    }
    is_out_of_memory = false;
    struct mark mark = mark_now();
    ck_assert_ptr_nonnull(mark.guard);
    ck_assert(in_child(tell_is_forked, &mark));
}
END_TEST

/* --- Contexts --- */

/* A context with a readable pipe in it. */
struct family {
    plx_context *context;
    plx_watcher *watcher;
    int ends[2];
};

static bool family_open(struct family *family, plx_backend backend)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    options.backend = backend;
    return pipe(family->ends) == 0 && write(family->ends[1], "x", 1) == 1 &&
           plx_context_create(&family->context, &options) == PLX_OK &&
           plx_context_add(family->context, plx_fd(family->ends[0]), PLX_READ, NULL,
                           &family->watcher) == PLX_OK;
}

static void family_close(struct family *family)
{
    plx_context_destroy(family->context);
    close(family->ends[0]);
    close(family->ends[1]);
}

static bool reports(struct family *family)
{
    plx_watcher *ready[4];
    return plx_context_wait(family->context, ready, 4, 0) == 1 && ready[0] == family->watcher;
}

static bool is_refused_everywhere(void *argument)
{
    struct family *family = argument;
    plx_watcher *ready[1];
    int fd = dup(family->ends[1]);
    return plx_context_wait(family->context, ready, 1, 0) == PLX_ERR_FORKED &&
           plx_context_add(family->context, plx_fd(fd), PLX_WRITE, NULL, NULL) == PLX_ERR_FORKED &&
           plx_watcher_modify(family->watcher, PLX_RDHUP) == PLX_ERR_FORKED &&
           plx_watcher_remove(family->watcher) == PLX_ERR_FORKED &&
           plx_context_wake(family->context) == PLX_ERR_FORKED &&
           plx_context_fd(family->context) == PLX_ERR_FORKED &&
           plx_context_close(family->context, fd) == PLX_ERR_FORKED && close(fd) < 0;
}

static bool makes_its_own(void *argument)
{
    struct family *parents = argument;
    struct family own;
    bool is_good = family_open(&own, plx_context_backend(parents->context)) && reports(&own) &&
                   is_refused_everywhere(parents) && !is_refused_everywhere(&own);
    family_close(&own);
    return is_good;
}

static bool takes_over(void *argument)
{
    struct family *family = argument;
    bool is_good = plx_context_after_fork(family->context) == PLX_OK && reports(family) &&
                   plx_context_after_fork(family->context) == PLX_OK && reports(family) &&
                   in_child(is_refused_everywhere, family) && reports(family);
    family_close(family);
    return is_good;
}

static bool leaves_quietly(void *argument)
{
    struct family *family = argument;
    plx_context_destroy(family->context);
    return fcntl(family->ends[0], F_GETFD) >= 0;
}

static const plx_backend both[] = {PLX_BACKEND_EPOLL, PLX_BACKEND_POLL};

static void play(story *tell)
{
    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++) {
        struct family family;
        ck_assert(family_open(&family, both[i]));
        ck_assert(in_child(tell, &family));
        ck_assert(reports(&family));
        ck_assert(in_bare_child(is_refused_everywhere, &family));
        ck_assert(reports(&family));
        family_close(&family);
    }
}

START_TEST(a_child_is_refused_everywhere)
{
    play(is_refused_everywhere);
}
END_TEST

START_TEST(a_child_makes_a_context_of_its_own)
{
    play(makes_its_own);
}
END_TEST

START_TEST(a_child_takes_a_context_over)
{
    play(takes_over);
}
END_TEST

START_TEST(a_child_destroys_without_a_trace)
{
    play(leaves_quietly);
}
END_TEST

/* The case that getpid() caches and handlers get wrong: a signal handler in a newborn child. */
static bool wakes_in_vain(void *argument)
{
    struct family *family = argument;
    return plx_context_wake(family->context) == PLX_ERR_FORKED;
}

START_TEST(a_childs_wake_does_not_reach_the_parent)
{
    struct family family;
    plx_watcher *ready[1];
    ck_assert(family_open(&family, PLX_BACKEND_EPOLL));
    struct pollfd outer = {.fd = plx_context_fd(family.context), .events = POLLIN};
    ck_assert_int_ge(outer.fd, 0);
    ck_assert_int_eq(plx_watcher_remove(family.watcher), PLX_OK);
    ck_assert_int_eq(plx_context_wait(family.context, ready, 1, 0), 0);
    ck_assert(in_bare_child(wakes_in_vain, &family));
    ck_assert(in_child(wakes_in_vain, &family));
    ck_assert_int_eq(poll(&outer, 1, 0), 0);
    ck_assert_int_eq(plx_context_wake(family.context), PLX_OK);
    ck_assert_int_eq(poll(&outer, 1, 0), 1);
    family_close(&family);
}
END_TEST

Suite *guard_suite(void)
{
    Suite *suite = suite_create("guard");
    TCase *tests = tcase_create("guard");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_process_has_one_stamp);
    tcase_add_test(tests, a_child_knows_from_its_first_instruction);
    tcase_add_test(tests, a_child_takes_a_stamp_of_its_own);
    tcase_add_test(tests, a_long_line_of_descendants_shares_no_stamp);
    tcase_add_test(tests, a_grandchild_knows_although_its_parent_took_no_stamp);
    tcase_add_test(tests, threads_that_race_for_the_stamp_get_the_same);
    tcase_add_test(tests, without_a_page_that_is_wiped_a_handler_does_it);
    tcase_add_test(tests, a_page_is_shown_to_others_when_it_is_wiped_on_fork);
    tcase_add_test(tests, who_is_second_registers_no_handler);
    tcase_add_test(tests, a_handler_without_a_page_does_no_harm);
    tcase_add_test(tests, without_a_page_and_a_handler_there_is_no_guard);
    tcase_add_test(tests, a_child_is_refused_everywhere);
    tcase_add_test(tests, a_child_makes_a_context_of_its_own);
    tcase_add_test(tests, a_child_takes_a_context_over);
    tcase_add_test(tests, a_child_destroys_without_a_trace);
    tcase_add_test(tests, a_childs_wake_does_not_reach_the_parent);
    suite_add_tcase(suite, tests);
    return suite;
}
