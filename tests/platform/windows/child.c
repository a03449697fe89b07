/* SPDX-License-Identifier: MIT */
/* child.c: see child.h. */
#include "child.h"

#include <stdio.h>

#include "check.h"

struct child child_make(int status)
{
    char program[MAX_PATH], line[2 * MAX_PATH];
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION made;

    CHECK(GetModuleFileNameA(NULL, program, sizeof program) < sizeof program);
    snprintf(line, sizeof line, "\"%s\" " CHILD_OPTION " %d", program, status);
    CHECK(CreateProcessA(program, line, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, NULL, &start,
                         &made));
    return (struct child){made.hProcess, made.hThread, made.dwProcessId};
}

void child_run(const struct child *child)
{
    CHECK(ResumeThread(child->thread) == 1);
}

void child_wait(const struct child *child)
{
    CHECK(WaitForSingleObject(child->process, 20000) == WAIT_OBJECT_0);
}

void child_forget(const struct child *child)
{
    TerminateProcess(child->process, 0);
    child_wait(child);
    CloseHandle(child->thread);
    CloseHandle(child->process);
}
