/* SPDX-License-Identifier: MIT */
/* signals.c: who has a signal, and how often it was delivered. */
#include "sources.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "helper.h"
#include "journal.h"
#include "run.h"

#define WATCHED 4

/* One that may be watched. */
struct number {
    int signo;
    int watchers;
    bool is_librarys;        /* the handler in place */
    struct sigaction before; /* the test's own: in place, or to come back */
    unsigned expected;       /* deliveries to the test's own handler */
};

static struct number numbers[WATCHED];
static volatile sig_atomic_t delivered[NSIG];

static struct number *find(int signo)
{
    struct number *number = numbers;
    while (number->signo != signo)
        number++;
    return number;
}

/* --- Dispositions --- */

static void on_signal(int signo)
{
    delivered[signo]++;
}

static void on_signal_with_details(int signo, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    delivered[signo]++;
}

static bool is_mine(const struct sigaction *action)
{
    return action->sa_flags & SA_SIGINFO
               ? action->sa_sigaction == on_signal_with_details
               : action->sa_handler == on_signal || action->sa_handler == SIG_IGN;
}

static bool is_same(const struct sigaction *a, const struct sigaction *b)
{
    bool is_alike = a->sa_flags == b->sa_flags && a->sa_handler == b->sa_handler;
    for (int signo = 1; signo < NSIG; signo++)
        is_alike &= sigismember(&a->sa_mask, signo) == sigismember(&b->sa_mask, signo);
    return is_alike;
}

/* What is in place is as sigaction() gives it back, which adds a flag of its own. */
static void set_own(struct number *number, unsigned choice)
{
    struct sigaction action = {.sa_flags = 0};
    sigemptyset(&action.sa_mask);
    if (choice == 0) {
        action.sa_handler = SIG_IGN;
    } else if (choice == 1) {
        action.sa_handler = on_signal;
        action.sa_flags = SA_RESTART | SA_NODEFER;
    } else {
        action.sa_sigaction = on_signal_with_details;
        action.sa_flags = SA_SIGINFO;
        sigaddset(&action.sa_mask, SIGHUP);
    }
    sigaction(number->signo, &action, NULL);
    sigaction(number->signo, NULL, &number->before);
    number->is_librarys = false;
}

void signals_open(void)
{
    const int watched[WATCHED] = {SIGUSR1, SIGUSR2, SIGWINCH, SIGRTMIN + 1};
    for (unsigned i = 0; i < WATCHED; i++) {
        numbers[i] = (struct number){.signo = watched[i]};
        delivered[watched[i]] = 0;
        set_own(&numbers[i], i % 3);
    }
}

void signals_close(void)
{
    for (int i = 0; i < WATCHED; i++)
        signal(numbers[i].signo, SIG_IGN);
}

void signal_enter(int signo)
{
    struct number *number = find(signo);
    number->watchers++;
    number->is_librarys = true;
}

void signal_leave(int signo)
{
    struct number *number = find(signo);
    if (--number->watchers == 0)
        number->is_librarys = false;
}

void signals_fork(void)
{
    for (int i = 0; i < WATCHED; i++)
        numbers[i].is_librarys = false;
}

void signals_resume(struct run *run)
{
    for (int i = 0; i < WATCHED; i++)
        numbers[i].is_librarys = numbers[i].watchers > 0;
    for (int i = 0; i < run->sources.count; i++)
        run->sources.list[i].pending = 0;
}

void signals_check(void)
{
    for (int i = 0; i < WATCHED; i++) {
        const struct number *number = &numbers[i];
        struct sigaction present;
        sigaction(number->signo, NULL, &present);
        if (is_mine(&present) == number->is_librarys)
            journal_fail("signal %d has %s handler", number->signo,
                         number->is_librarys ? "the test's own" : "the library's");
        if (!number->is_librarys && !is_same(&present, &number->before))
            journal_fail("signal %d did not get its disposition back as it was", number->signo);
        if ((unsigned)delivered[number->signo] != number->expected)
            journal_fail("signal %d came to the handler from before %d times, not %u",
                         number->signo, (int)delivered[number->signo], number->expected);
    }
}

/* --- Deliveries --- */

static void raise_one(void *object)
{
    errno = ELIBBAD;
    raise(*(int *)object);
    if (errno != ELIBBAD)
        journal_fail("a delivery changed errno");
}

void signal_raise(struct run *run, bool is_in_wait)
{
    struct number *number = &numbers[dice_roll(&run->dice, WATCHED)];
    if (dice_one_in(&run->dice, 6))
        helper_do(raise_one, &number->signo);
    else
        raise_one(&number->signo);
    journal_result(" signal %d", number->signo);
    if (!number->is_librarys) {
        number->expected += number->before.sa_handler != SIG_IGN;
        return;
    }
    run->sources.is_stirred = true;
    for (int i = 0; i < run->sources.count; i++) {
        struct source *source = &run->sources.list[i];
        if (source->kind != PLX_HANDLE_SIGNAL || source->signo != number->signo)
            continue;
        source->pending++;
        source->fresh += is_in_wait;
    }
}

/* --- What can happen --- */

static void add(struct run *run)
{
    int signo = numbers[dice_roll(&run->dice, WATCHED)].signo;
    struct source *source = source_add(run, plx_signal(signo), strsignal(signo), PLX_OK);
    if (!source)
        return;
    source->signo = signo;
    signal_enter(signo);
    source_compare(run, source);
}

static void refuse(struct run *run)
{
    static const int wrong[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, 0, -1, NSIG};
    int signo = wrong[dice_roll(&run->dice, sizeof wrong / sizeof wrong[0])];
    source_add(run, plx_signal(signo), "signal, wrongly", PLX_ERR_INVALID);
}

/* Somebody else's handler, in the place of the library's perhaps. */
static void set_disposition(struct run *run)
{
    struct number *number = &numbers[dice_roll(&run->dice, WATCHED)];
    journal_note("set the disposition of signal %d", number->signo);
    set_own(number, dice_roll(&run->dice, 3));
}

void operate_signal(struct run *run)
{
    switch (dice_roll(&run->dice, 12)) {
    case 0:
    case 1:
    case 2:
        add(run);
        break;
    case 3:
        refuse(run);
        break;
    case 4:
        set_disposition(run);
        break;
    default:
        journal_note("raise");
        for (unsigned left = 1 + dice_roll(&run->dice, 4); left > 0; left--)
            signal_raise(run, false);
        break;
    }
    signals_check();
}
