/* SPDX-License-Identifier: MIT */
/*
 * process.c: the exit of a process as a watcher.
 *
 * Where the kernel has descriptors for processes (Linux 5.3) the watcher is one of such a
 * descriptor, which it owns: an exit costs the same whatever the number of children. Older kernels
 * tell of children alone, by SIGCHLD, and without saying reliably whose: each delivery is then a
 * question for each child. Either way the child is never collected (waitid with WNOWAIT).
 */
#include "src/sources/process.h"

#include "src/core/descriptor.h"
#include "src/os/process.h"
#include "src/sources/sources.h"

#include <signal.h>

struct process {
    struct plx__subscriber subscriber; /* used without a descriptor only */
    int64_t pid;
    int code;   /* PLX_OK once the status is known, or why it is not */
    int status; /* as waitpid() tells it */
    bool has_descriptor;
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

/* The number is new and ours: whoever is watched under it was closed. */
static int enter_descriptor(struct plx_context *context, struct plx_watcher **watcher, int fd)
{
    (*watcher)->target.fd = fd;
    to_process(*watcher)->has_descriptor = true;
    int code = plx__descriptor_enter(context, watcher, true);
    if (code < 0)
        plx__os_close(fd);
    return code;
}

/* It may have finished already, before anybody listened for SIGCHLD: so it is asked once. */
static int enter_by_signal(struct plx_context *context, struct plx_watcher *watcher)
{
    int status;
    if (plx__process_status(to_process(watcher)->pid, -1, &status) == PLX_ERR_NOTFOUND)
        return PLX_ERR_NOSUPPORT; /* not our child: nobody would tell */
    int code = plx__subscriber_open(context, watcher, SIGCHLD);
    if (code >= 0)
        plx__raise(context, plx__raised(watcher));
    return code;
}

static int start(struct plx_context *context, struct plx_watcher **watcher,
                 const plx_handle *handle)
{
    struct process *process = to_process(*watcher);
    process->pid = handle->as.pid;
    process->code = PLX_ERR_AGAIN;
    int fd = plx__process_open(process->pid);
    if (fd >= 0)
        return enter_descriptor(context, watcher, fd);
    return fd == PLX_ERR_NOSUPPORT ? enter_by_signal(context, *watcher) : fd;
}

static int change(struct plx_context *context, struct plx_watcher *watcher)
{
    if (to_process(watcher)->has_descriptor)
        return plx__descriptor_change(context, watcher);
    if (to_process(watcher)->code != PLX_ERR_AGAIN)
        plx__raise(context, plx__raised(watcher)); /* what is over is ready for good */
    plx__raised_arm(context, plx__raised(watcher));
    return PLX_OK;
}

static void mute(struct plx_context *context, struct plx_watcher *watcher)
{
    if (to_process(watcher)->has_descriptor)
        plx__descriptor_mute(context, watcher);
    else
        plx__ready_leave(context, watcher);
}

static void stop(struct plx_context *context, struct plx_watcher *watcher)
{
    if (!to_process(watcher)->has_descriptor) {
        plx__subscriber_close(context, watcher);
        return;
    }
    plx__descriptor_leave(context, watcher);
    plx__os_close(watcher->target.fd);
}

/*
 * What was found out first is kept: later the child may be collected. Without a descriptor, and in
 * a forked child, it may be a sibling, which is nobody's to ask: of that one nothing is known.
 */
uint32_t plx__process_finish(struct plx_watcher *watcher)
{
    struct process *process = to_process(watcher);
    if (process->code == PLX_ERR_AGAIN) {
        int fd = process->has_descriptor ? watcher->target.fd : -1;
        int code = plx__process_status(process->pid, fd, &process->status);
        bool is_sibling = code == PLX_ERR_NOTFOUND && fd < 0 && plx__process_exists(process->pid);
        process->code = is_sibling ? PLX_ERR_AGAIN : code;
    }
    return process->code == PLX_ERR_AGAIN ? 0 : PLX_PROCESS;
}

static uint32_t report(struct plx_context *context, struct plx_watcher *watcher)
{
    plx__subscriber_take(context, watcher);
    return plx__process_finish(watcher);
}

static int resume(struct plx_context *context, struct plx_watcher *watcher)
{
    int code = plx__subscriber_resume(context, watcher);
    if (code >= 0 && to_process(watcher)->code != PLX_ERR_AGAIN)
        plx__raise(context, plx__raised(watcher));
    return code;
}

static bool reopen(struct plx_watcher *watcher)
{
    return to_process(watcher)->has_descriptor &&
           plx__process_reopen(to_process(watcher)->pid, watcher->target.fd);
}

/* In a child that was not told, its number may be somebody else's. */
static void release(struct plx_watcher *watcher)
{
    if (!to_process(watcher)->has_descriptor)
        plx__subscriber_release(watcher);
    else if (plx__process_is_inherited || !plx__is_forked(plx__watcher_owner(watcher)))
        plx__os_close(watcher->target.fd);
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
    .mute = mute,
    .stop = stop,
    .report = report,
    .handle = handle_of,
    .resume = resume,
    .reopen = reopen,
    .release = release,
};

int plx_watcher_exit_status(const plx_watcher *watcher, int *ret_status)
{
    if (!watcher || !ret_status || plx__watcher_kind(watcher) != PLX__KIND_PROCESS)
        return PLX_ERR_INVALID;
    if (plx__is_forked(plx__watcher_owner(watcher)))
        return PLX_ERR_FORKED;
    const struct process *process = (const struct process *)watcher;
    if (process->code == PLX_OK)
        *ret_status = process->status;
    return process->code;
}
