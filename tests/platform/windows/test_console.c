/* SPDX-License-Identifier: MIT */
/*
 * test_console.c: Ctrl-C of a console, which is SIGINT. What a watcher of a signal owes on every
 * system is in tests/conformance/signals.c, which needs POSIX signals.
 */
#include <signal.h>
#include <stdatomic.h>

#include "rig.h"

static atomic_int heard_before; /* by a handler of the program's own */

static BOOL WINAPI hear(DWORD event)
{
    (void)event;
    atomic_fetch_add(&heard_before, 1);
    return TRUE;
}

/*
 * A console of its own, where events are heard by this process alone. Windows asks the handler that
 * came last first: the library's, which comes with the first watcher.
 */
static void open_console(void)
{
    static bool is_open;

    if (!is_open) {
        FreeConsole();
        is_open = AllocConsole() && SetConsoleCtrlHandler(hear, TRUE);
    }
    if (!is_open)
        check_skip("no console is to be had");
    atomic_store(&heard_before, 0);
    CHECK(SetConsoleCtrlHandler(NULL, FALSE)); /* Ctrl-C may be ignored from birth on */
}

static void press_ctrl_c(void)
{
    CHECK(GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0));
}

static plx_watcher *watch_signal(plx_context *context, int signo, uint32_t mode)
{
    plx_watcher *watcher = NULL;

    CHECK_OK(plx_context_add(context, plx_signal(signo), PLX_SIGNAL | mode, NULL, &watcher));
    return watcher;
}

void console_ctrl_c_is_a_signal(struct rig *rig)
{
    plx_watcher *watcher;

    open_console();
    watcher = watch_signal(rig->scene->context, SIGINT, 0);
    watch_signal(rig->scene->context, SIGBREAK, 0);
    watch_signal(rig->scene->context, SIGTERM, 0);
    EXPECT_QUIET(rig->scene);
    for (int i = 0; i < 3; i++) {
        press_ctrl_c();
        EXPECT_REPORT(rig->scene, watcher, PLX_SIGNAL);
        CHECK_EQUAL(plx_watcher_count(watcher), 1);
    }
    EXPECT_QUIET(rig->scene);
    CHECK_EQUAL(atomic_load(&heard_before), 0);
}

static void press_when_asleep(void *argument)
{
    (void)argument;
    until_asleep(0);
    GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0);
}

void console_ctrl_c_ends_a_sleep(struct rig *rig)
{
    plx_watcher *watcher;
    struct thread *thread;

    open_console();
    watcher = watch_signal(rig->scene->context, SIGINT, 0);
    thread = thread_start(press_when_asleep, NULL);
    CHECK_EQUAL(wait_for(rig->scene, PLX_FOREVER), 1);
    CHECK(rig->scene->ready[0] == watcher);
    thread_join(thread);
}

void console_every_context_hears_it(struct rig *rig)
{
    plx_context *other;
    plx_watcher *here, *there, *ready[1];

    open_console();
    other = another_context(rig->scene);
    here = watch_signal(rig->scene->context, SIGINT, 0);
    there = watch_signal(other, SIGINT, PLX_ONESHOT);
    press_ctrl_c();
    EXPECT_REPORT(rig->scene, here, PLX_SIGNAL);
    CHECK_EQUAL(plx_context_wait(other, ready, 1, PATIENCE), 1);
    CHECK(ready[0] == there);
    press_ctrl_c();
    EXPECT_REPORT(rig->scene, here, PLX_SIGNAL);
    CHECK_EQUAL(plx_context_wait(other, ready, 1, SHORT_WHILE), 0);
    plx_context_destroy(other);
}

/* While nobody watches it, the program's own handler hears it. */
void console_handler_of_before_comes_back(struct rig *rig)
{
    plx_duration deadline = now() + PATIENCE;
    plx_watcher *watcher;

    open_console();
    watcher = watch_signal(rig->scene->context, SIGINT, 0);
    press_ctrl_c();
    EXPECT_REPORT(rig->scene, watcher, PLX_SIGNAL);
    CHECK_EQUAL(atomic_load(&heard_before), 0);
    CHECK_OK(plx_watcher_remove(watcher));
    watch_signal(rig->scene->context, SIGTERM, 0); /* another one is of no interest */
    press_ctrl_c();
    while (atomic_load(&heard_before) == 0)
        CHECK(now() < deadline);
    EXPECT_QUIET(rig->scene);
}

static atomic_bool stop_pressing;

static void press_again_and_again(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop_pressing)) {
        GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0);
        Sleep(1);
    }
}

/* Windows may hold a lock of its own while it calls a handler, and when one is set. */
void console_watchers_come_and_go_amid_events(struct rig *rig)
{
    struct thread *thread;

    open_console();
    atomic_store(&stop_pressing, false);
    thread = thread_start(press_again_and_again, NULL);
    for (int i = 0; i < 3000; i++)
        CHECK_OK(plx_watcher_remove(watch_signal(rig->scene->context, SIGINT, 0)));
    atomic_store(&stop_pressing, true);
    thread_join(thread);
    look(rig->scene);
    EXPECT_QUIET(rig->scene);
}

void console_numbers_that_are_refused(struct rig *rig)
{
    static const int refused[] = {-1, 0, 1, SIGILL, SIGFPE, SIGSEGV, SIGABRT, NSIG, 1000};

    for (size_t i = 0; i < COUNT_OF(refused); i++)
        CHECK_CODE(
            plx_context_add(rig->scene->context, plx_signal(refused[i]), PLX_SIGNAL, NULL, NULL),
            PLX_ERR_INVALID);
    CHECK_EQUAL(plx_context_count(rig->scene->context), 0);
}
