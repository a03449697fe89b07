/* SPDX-License-Identifier: MIT */
/* notifies.c: raised here, in a signal handler, or by another thread. */
#include "sources.h"

#include <errno.h>
#include <signal.h>

#include "helper.h"
#include "journal.h"
#include "run.h"

/* The signal whose handler raises a notify. The library never hears of it. */
#define MESSENGER SIGURG

static struct {
    plx_watcher *watcher;
    int code;
} errand;

/* errno is nobody's business but the caller's. */
static void do_errand(void *unused)
{
    (void)unused;
    errno = ELIBBAD;
    errand.code = plx_watcher_notify(errand.watcher);
    if (errno != ELIBBAD)
        journal_fail("notify changed errno");
}

static void on_messenger(int signo)
{
    (void)signo;
    do_errand(NULL);
}

static void send_messenger(void *unused)
{
    (void)unused;
    raise(MESSENGER);
}

void notifies_install(void)
{
    signal(MESSENGER, on_messenger);
}

void notify_raise(struct run *run, struct source *notify, bool is_in_wait)
{
    void (*deed)(void *) = dice_one_in(&run->dice, 3) ? send_messenger : do_errand;
    errand.watcher = notify->watcher;
    if (dice_one_in(&run->dice, 6))
        helper_do(deed, NULL);
    else
        deed(NULL);
    if (errand.code != PLX_OK)
        journal_fail("notify gave %s", plx_error_name(errand.code));
    notify->is_news |= is_in_wait && !notify->is_up;
    notify->is_up = true;
    run->sources.is_stirred = true;
}

static void clear(struct source *notify)
{
    journal_note("clear");
    if (plx_watcher_clear(notify->watcher) != PLX_OK)
        journal_fail("clear failed");
    notify->is_up = false;
}

void notifies_clear(struct run *run)
{
    for (int i = 0; i < run->sources.count; i++) {
        if (run->sources.list[i].kind == PLX_HANDLE_NOTIFY)
            clear(&run->sources.list[i]);
    }
}

void operate_notify(struct run *run)
{
    struct source *notify = source_any(run, PLX_HANDLE_NOTIFY);
    switch (notify ? dice_roll(&run->dice, 8) : 0) {
    case 0:
    case 1:
        notify = source_add(run, plx_notify(), "notify", PLX_OK);
        break;
    case 2:
    case 3:
    case 4:
        clear(notify);
        break;
    default:
        journal_note("notify");
        notify_raise(run, notify, false);
        break;
    }
    if (notify)
        source_compare(run, notify);
}
