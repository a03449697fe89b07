/* SPDX-License-Identifier: MIT */
/*
 * wait_example.c: the example of the wait API prints several files, whoever is first.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "stories.h"
#include "tap.h"

static bool says(int fd, const char *text)
{
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* A pipe, which the child opens by the name that it has in this process. */
static bool open_pipe(int ends[2], char *path, size_t size)
{
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    snprintf(path, size, "/proc/%ld/fd/%d", (long)getpid(), ends[0]);
    return true;
}

static bool prints_whoever_is_first(const char *wait)
{
    char program[512];
    char paths[2][64];
    char *arguments[] = {program, paths[0], paths[1], NULL};
    char text[8] = "";
    int first[2];
    int second[2];
    struct child child;
    struct ending ending;

    snprintf(program, sizeof(program), "%s", wait);
    CHECK(open_pipe(first, paths[0], sizeof(paths[0])));
    CHECK(open_pipe(second, paths[1], sizeof(paths[1])));
    CHECK(child_start(&child, arguments, 0));
    CHECK(says(second[1], "second\n"));
    CHECK(read(child.out, text, 7) == 7 && strcmp(text, "second\n") == 0);
    CHECK(says(first[1], "first\n"));
    close(second[1]);
    close(first[1]);
    ending = child_end(&child, 0);
    close(first[0]);
    close(second[0]);
    CHECK_SAY(ending.status == 0, "status %d, \"%s\"", ending.status, ending.err);
    CHECK_SAY(strcmp(ending.out, "first\n") == 0, "\"%s\"", ending.out);
    return true;
}

static bool missing_file_is_an_error(const char *wait)
{
    char program[512];
    char path[] = "/nonexistent/file";
    char *arguments[] = {program, path, NULL};
    struct child child;
    struct ending ending;

    snprintf(program, sizeof(program), "%s", wait);
    CHECK(child_start(&child, arguments, 0));
    ending = child_end(&child, 0);
    CHECK_SAY(ending.status == 1, "status %d", ending.status);
    CHECK_SAY(strncmp(ending.err, "wait: ", 6) == 0, "\"%s\"", ending.err);
    return true;
}

void tell_wait(const char *wait)
{
    tap_result(prints_whoever_is_first(wait), "wait/prints_whoever_is_first");
    tap_result(missing_file_is_an_error(wait), "wait/missing_file_is_an_error");
}
