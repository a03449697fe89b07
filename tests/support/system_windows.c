/* SPDX-License-Identifier: MIT */
/* system_windows.c: system.h on Windows. There is no telling whether a thread sleeps. */
#include "system.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>

#include <winsock2.h>

struct thread {
    HANDLE handle;
    void (*body)(void *);
    void *argument;
};

/* What is printed is read by scripts that expect lines to end as they do elsewhere. */
void system_prepare(void)
{
    WSADATA data;

    CHECK(_setmode(_fileno(stdout), _O_BINARY) >= 0);
    CHECK(WSAStartup(MAKEWORD(2, 2), &data) == 0);
}

plx_duration now(void)
{
    LARGE_INTEGER ticks, frequency;

    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&frequency);
    return PLX_SECONDS(ticks.QuadPart / frequency.QuadPart) +
           PLX_SECONDS(ticks.QuadPart % frequency.QuadPart) / frequency.QuadPart;
}

static plx_duration duration_of(FILETIME time)
{
    ULARGE_INTEGER units = {.u = {time.dwLowDateTime, time.dwHighDateTime}};

    return PLX_NS(100) * (plx_duration)units.QuadPart;
}

plx_duration processor_time(void)
{
    FILETIME start, end, system, user;

    CHECK(GetThreadTimes(GetCurrentThread(), &start, &end, &system, &user));
    return duration_of(system) + duration_of(user);
}

long times_slept(void)
{
    static long calls;

    return ++calls;
}

static DWORD WINAPI run_thread(void *argument)
{
    struct thread *thread = argument;

    thread->body(thread->argument);
    return 0;
}

struct thread *thread_start(void (*body)(void *), void *argument)
{
    struct thread *thread = malloc(sizeof *thread);

    CHECK(thread != NULL);
    thread->body = body;
    thread->argument = argument;
    thread->handle = CreateThread(NULL, 0, run_thread, thread, 0, NULL);
    CHECK(thread->handle != NULL);
    return thread;
}

void thread_join(struct thread *thread)
{
    CHECK(WaitForSingleObject(thread->handle, INFINITE) == WAIT_OBJECT_0);
    CloseHandle(thread->handle);
    free(thread);
}

long thread_self(void)
{
    return 0;
}

void until_asleep(long thread)
{
    (void)thread;
    for (int i = 0; i < 10; i++)
        Sleep(1);
}

void environment_set(const char *name, const char *value)
{
    CHECK(_putenv_s(name, value ? value : "") == 0);
}
