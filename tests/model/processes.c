/* SPDX-License-Identifier: MIT */
/* processes.c: children that finish when they are told to. */
#include "sources.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal.h"
#include "run.h"
#include "src/os/process.h"

/* Far above the numbers of the world, which are watched even after they were closed. */
#define LEAST_COMMAND 1900

static struct plx__process_calls real;
static bool is_able; /* this kernel has descriptors of processes */
static bool has_descriptors;

static int must(int result, const char *call)
{
    if (result < 0)
        journal_fail("children: %s failed", call);
    return result;
}

static int open_process(int pid)
{
    if (!has_descriptors) {
        errno = ENOSYS;
        return -1;
    }
    return faults_refuse_descriptor() ? -1 : real.open(pid);
}

void processes_install(void)
{
    real = plx__process_calls;
    int descriptor = real.open(getpid());
    is_able = descriptor >= 0;
    if (is_able)
        close(descriptor);
    plx__process_calls.open = open_process;
}

void processes_choose(struct run *run)
{
    has_descriptors = is_able && !dice_one_in(&run->dice, 3);
    run->sources.is_indirect = !has_descriptors;
}

/* --- Children --- */

static struct child *free_place(struct run *run)
{
    for (int i = 0; i < CHILD_ROOM; i++) {
        struct child *child = &run->children[i];
        bool is_used = child->pid != 0 && !child->is_gone;
        for (int k = 0; k < run->sources.count; k++)
            is_used |= run->sources.list[k].child == child;
        if (!is_used)
            return child;
    }
    return NULL;
}

static struct child *any_child(struct run *run)
{
    struct child *child = &run->children[dice_roll(&run->dice, CHILD_ROOM)];
    return child->pid != 0 ? child : NULL;
}

/*
 * What it got by the fork would keep the world's files open; all of that is close-on-exec. And what
 * looks after the memory of this program would look into the end of the child as well.
 */
_Noreturn static void live(int commands)
{
    must(dup2(commands, STDIN_FILENO), "dup2");
    execl("/bin/sh", "sh", "-c", "read -r status && exit \"$status\"", (char *)NULL);
    _exit(255);
}

/* Nothing of the world's may happen before the child has let go of it: the pipe tells. */
static void wait_for_letting_go(int reader, int writer)
{
    char byte;
    close(writer);
    must((int)read(reader, &byte, 1), "read"); /* until nobody has the other end */
    close(reader);
}

static void start(struct run *run)
{
    struct child *child = free_place(run);
    int commands[2], held[2];
    if (!child)
        return;
    must(pipe2(commands, O_CLOEXEC), "pipe");
    must(pipe2(held, O_CLOEXEC), "pipe");
    int command = must(fcntl(commands[1], F_DUPFD_CLOEXEC, LEAST_COMMAND), "F_DUPFD");
    pid_t pid = must(fork(), "fork");
    if (pid == 0)
        live(commands[0]);
    wait_for_letting_go(held[0], held[1]);
    close(commands[0]);
    close(commands[1]);
    *child = (struct child){.pid = pid, .command = command};
    run->strangers++;
    journal_note("start process %d", pid);
}

/* Until it can be collected, which is later than its last words. */
static void finish(struct run *run, struct child *child)
{
    int status = (int)dice_roll(&run->dice, 200);
    siginfo_t info;
    bool is_killed = dice_one_in(&run->dice, 3);
    journal_note("finish process %lld", (long long)child->pid);
    if (is_killed)
        kill((pid_t)child->pid, SIGKILL);
    else
        must(dprintf(child->command, "%d\n", status), "write");
    must(waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT), "waitid");
    close(child->command);
    run->strangers--;
    child->status = is_killed ? SIGKILL : status << 8;
    child->is_over = true;
    run->sources.is_stirred |= run->sources.is_indirect;
}

/* The library must have left that to us. */
static void collect(struct child *child)
{
    int status;
    journal_note("collect process %lld", (long long)child->pid);
    if (waitpid((pid_t)child->pid, &status, 0) != child->pid || status != child->status)
        journal_fail("a child could not be collected as it should be");
    child->is_gone = true;
}

void processes_close(struct run *run)
{
    for (int i = 0; i < CHILD_ROOM; i++) {
        struct child *child = &run->children[i];
        if (child->pid == 0 || child->is_parent || child->is_gone)
            continue;
        if (!child->is_over)
            finish(run, child);
        collect(child);
    }
}

void processes_fork(struct run *run)
{
    for (int i = 0; i < CHILD_ROOM; i++)
        run->children[i].is_parent |= run->children[i].pid != 0;
    for (int i = 0; i < run->sources.count; i++) {
        struct source *source = &run->sources.list[i];
        source->is_doubtful = source->kind == PLX_HANDLE_PROCESS && source->code == PLX_ERR_AGAIN &&
                              run->sources.is_indirect;
    }
}

/* --- What can happen --- */

static int code_of_add(const struct run *run, const struct child *child)
{
    if (child->is_gone)
        return PLX_ERR_NOTFOUND;
    return run->sources.is_indirect && child->is_parent ? PLX_ERR_NOSUPPORT : PLX_OK;
}

static void add(struct run *run)
{
    char name[32];
    struct child *child = any_child(run);
    if (!child)
        return;
    snprintf(name, sizeof name, "process %lld", (long long)child->pid);
    int want = code_of_add(run, child);
    struct source *source = source_add(run, plx_process(child->pid), name, want);
    if (!source)
        return;
    source->child = child;
    source->code = PLX_ERR_AGAIN;
    run->sources.is_stirred |= run->sources.is_indirect;
    run_forget_evicted(run);
    source_compare(run, source);
}

static void refuse(struct run *run)
{
    static const int64_t wrong[] = {0, -1, INT64_MIN};
    int64_t pid = wrong[dice_roll(&run->dice, 3)];
    bool is_absent = dice_one_in(&run->dice, 2);
    source_add(run, plx_process(is_absent ? INT64_MAX : pid), "process, wrongly",
               is_absent ? PLX_ERR_NOTFOUND : PLX_ERR_INVALID);
}

/* Whoever watches it and has not reported it comes too late for its status. */
static void change(struct run *run)
{
    struct child *child = any_child(run);
    if (!child || child->is_parent || child->is_gone)
        return;
    if (!child->is_over)
        finish(run, child);
    else
        collect(child);
}

void operate_process(struct run *run)
{
    switch (dice_roll(&run->dice, 12)) {
    case 0:
    case 1:
        start(run);
        break;
    case 2:
        refuse(run);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        add(run);
        break;
    default:
        change(run);
        break;
    }
}
