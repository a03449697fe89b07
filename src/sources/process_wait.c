/* SPDX-License-Identifier: MIT */
/*
 * process_wait.c: the exit of a process as a watcher, where the system calls back: in the place of
 * process.c. The call raises the watcher as a notify does.
 */
#include "src/sources/process.h"

#include "src/os/process_wait.h"
#include "src/sources/sources.h"

struct process {
    struct plx__raised raised;
    struct plx__process_wait wait;
    int64_t pid;
    int code;   /* PLX_OK once the status is known, or why it is not */
    int status; /* what it gave to exit() */
};

static struct process *to_process(struct plx_watcher *watcher)
{
    return (struct process *)watcher;
}

plx_handle plx_process(int64_t pid)
{
    plx_handle handle = {.kind = PLX_HANDLE_PROCESS, .as.pid = pid};
    return handle;
}

/* On a thread of the system's. */
static void finished(struct plx__process_wait *wait)
{
    struct plx__raised *raised =
        (struct plx__raised *)((uintptr_t)wait - offsetof(struct process, wait));
    plx__raise(plx__watcher_owner(&raised->ringed.watcher), raised);
}

static int start(struct plx_context *context, struct plx_watcher **watcher,
                 const plx_handle *handle)
{
    struct process *process = to_process(*watcher);
    process->pid = handle->as.pid;
    process->code = PLX_ERR_AGAIN;
    process->wait.finished = finished;
    plx__raised_open(context, &process->raised);
    int code = plx__process_wait_open(&process->wait, process->pid);
    if (code < 0)
        plx__raised_close(context, &process->raised);
    return code;
}

uint32_t plx__process_finish(struct plx_watcher *watcher)
{
    struct process *process = to_process(watcher);
    if (process->code == PLX_ERR_AGAIN)
        process->code = plx__process_wait_status(&process->wait, &process->status);
    return PLX_PROCESS;
}

/* What is over is ready for good. */
static int change(struct plx_context *context, struct plx_watcher *watcher)
{
    if (to_process(watcher)->code != PLX_ERR_AGAIN)
        plx__raise(context, plx__raised(watcher));
    plx__raised_arm(context, plx__raised(watcher));
    return PLX_OK;
}

static void release(struct plx_watcher *watcher)
{
    plx__process_wait_close(&to_process(watcher)->wait);
}

static void stop(struct plx_context *context, struct plx_watcher *watcher)
{
    release(watcher);
    plx__raised_close(context, plx__raised(watcher));
}

static uint32_t report(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__lower(context, plx__raised(watcher));
    return plx__process_finish(watcher);
}

static plx_handle handle_of(const struct plx_watcher *watcher)
{
    return plx_process(((const struct process *)watcher)->pid);
}

const struct plx__kind_ops plx__kind_process = {
    .size = sizeof(struct process),
    .natural = PLX_PROCESS,
    .start = start,
    .change = change,
    .mute = plx__ready_leave,
    .stop = stop,
    .report = report,
    .handle = handle_of,
    .release = release,
};

int plx_watcher_exit_status(const plx_watcher *watcher, int *ret_status)
{
    if (!watcher || !ret_status || plx__watcher_kind(watcher) != PLX__KIND_PROCESS)
        return PLX_ERR_INVALID;
    const struct process *process = (const struct process *)watcher;
    if (process->code == PLX_OK)
        *ret_status = process->status;
    return process->code;
}
