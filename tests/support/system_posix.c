/* SPDX-License-Identifier: MIT */
/* system_posix.c: system.h on POSIX, with Linux's way to see whether a thread sleeps. */
#include "system.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

struct thread {
    pthread_t id;
    void (*body)(void *);
    void *argument;
};

void system_prepare(void)
{
}

static plx_duration read_clock(clockid_t clock)
{
    struct timespec time;

    CHECK(clock_gettime(clock, &time) == 0);
    return PLX_SECONDS(time.tv_sec) + PLX_NS(time.tv_nsec);
}

plx_duration now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

plx_duration processor_time(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

#ifdef RUSAGE_THREAD
long times_slept(void)
{
    struct rusage usage;

    CHECK(getrusage(RUSAGE_THREAD, &usage) == 0);
    return usage.ru_nvcsw;
}
#else
long times_slept(void)
{
    static long calls;

    return ++calls;
}
#endif

static void *run_thread(void *argument)
{
    struct thread *thread = argument;

    thread->body(thread->argument);
    return NULL;
}

struct thread *thread_start(void (*body)(void *), void *argument)
{
    struct thread *thread = malloc(sizeof *thread);

    CHECK(thread != NULL);
    thread->body = body;
    thread->argument = argument;
    CHECK(pthread_create(&thread->id, NULL, run_thread, thread) == 0);
    return thread;
}

void thread_join(struct thread *thread)
{
    CHECK(pthread_join(thread->id, NULL) == 0);
    free(thread);
}

static void pause_briefly(void)
{
    const struct timespec millisecond = {0, 1000000};

    nanosleep(&millisecond, NULL);
}

#ifdef __linux__
long thread_self(void)
{
    return syscall(SYS_gettid);
}

static char thread_state(long thread)
{
    char path[64], line[512];
    char *parenthesis;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%ld/stat", thread);
    file = fopen(path, "r");
    if (!file)
        return '?';
    parenthesis = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    fclose(file);
    return parenthesis ? parenthesis[2] : '?';
}

void until_asleep(long thread)
{
    for (int i = 0; i < 2000; i++) {
        char state = thread_state(thread);

        if (state == 'S' || state == '?')
            return;
        pause_briefly();
    }
}
#else
long thread_self(void)
{
    return 0;
}

void until_asleep(long thread)
{
    (void)thread;
    for (int i = 0; i < 20; i++)
        pause_briefly();
}
#endif

void environment_set(const char *name, const char *value)
{
    CHECK((value ? setenv(name, value, 1) : unsetenv(name)) == 0);
}

static struct timeval timeval_of(plx_duration duration)
{
    struct timeval time;

    time.tv_sec = (time_t)(duration / PLX_SECONDS(1));
    time.tv_usec = (suseconds_t)(duration % PLX_SECONDS(1) / PLX_US(1));
    return time;
}

void alarm_start(plx_duration after, plx_duration every, void (*handler)(int), bool restart)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = restart ? SA_RESTART : 0;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    alarm_send(after, every);
}

void alarm_send(plx_duration after, plx_duration every)
{
    struct itimerval timer = {timeval_of(every), timeval_of(after)};

    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

void alarm_stop(void)
{
    struct itimerval never = {{0, 0}, {0, 0}};

    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(signal(SIGALRM, SIG_IGN) != SIG_ERR);
}

long child_start(check_body *body, void *argument)
{
    pid_t child;

    fflush(stdout);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        enum outcome outcome = check_run(body, argument);

        fflush(stdout);
        _exit(outcome == PASSED ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    return child;
}

void child_join(long child)
{
    int status = 0;

    CHECK(waitpid((pid_t)child, &status, 0) == (pid_t)child);
    CHECK(WIFEXITED(status));
    CHECK_EQUAL(WEXITSTATUS(status), EXIT_SUCCESS);
}

void in_child(check_body *body, void *argument)
{
    child_join(child_start(body, argument));
}
