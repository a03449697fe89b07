/* SPDX-License-Identifier: MIT */
#include "src/os/process_wait.h"

#include <windows.h>

#include <pollux/error.h>

#include "src/os/os.h"

static int open_failed(void)
{
    /* This is how OpenProcess() says that there is no such number. */
    if (GetLastError() == ERROR_INVALID_PARAMETER)
        return PLX_ERR_NOTFOUND;
    return plx__os_error();
}

/* On a thread of the system's pool. */
static void CALLBACK call_back(void *wait, BOOLEAN timed_out)
{
    (void)timed_out;
    ((struct plx__process_wait *)wait)->finished(wait);
}

int plx__process_wait_open(struct plx__process_wait *wait, int64_t pid)
{
    if (pid <= 0)
        return PLX_ERR_INVALID;
    if (pid > UINT32_MAX)
        return PLX_ERR_NOTFOUND;
    wait->process = OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)pid);
    if (!wait->process)
        return open_failed();
    /* Not in the wait thread: Wine 8 fails in UnregisterWaitEx() while a call is about to begin
     * there. */
    if (RegisterWaitForSingleObject(&wait->registration, wait->process, call_back, wait, INFINITE,
                                    WT_EXECUTEONLYONCE))
        return PLX_OK;
    int code = plx__os_error();
    CloseHandle(wait->process);
    return code;
}

void plx__process_wait_close(struct plx__process_wait *wait)
{
    UnregisterWaitEx(wait->registration, INVALID_HANDLE_VALUE); /* waits for a call that is on */
    CloseHandle(wait->process);
}

int plx__process_wait_status(const struct plx__process_wait *wait, int *ret_status)
{
    DWORD status;
    if (!GetExitCodeProcess(wait->process, &status))
        return plx__os_error();
    *ret_status = (int)status;
    return PLX_OK;
}
