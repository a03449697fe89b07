/* SPDX-License-Identifier: MIT */
/*
 * A program as small as they come, C and C++: each backend that works here waits for a pipe once;
 * on Windows, where nobody can, for a notify.
 */
#include <stdio.h>
#ifndef _WIN32
#include <unistd.h>
#endif
#include <pollux.h>

#ifdef _WIN32
static int waits(plx_backend backend)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    plx_context *context;
    plx_watcher *watcher, *ready[1];
    int count = -1;

    options.backend = backend;
    if (plx_context_create(&context, &options) < 0)
        return 0;
    if (plx_context_add(context, plx_notify(), PLX_NOTIFY, NULL, &watcher) == PLX_OK &&
        plx_watcher_notify(watcher) == PLX_OK)
        count = plx_context_wait(context, ready, 1, PLX_SECONDS(10));
    plx_context_destroy(context);
    return count == 1;
}
#else

static int waits(plx_backend backend)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    plx_context *context;
    plx_watcher *ready[1];
    int ends[2], count = -1;

    options.backend = backend;
    if (pipe(ends) < 0 || write(ends[1], "x", 1) != 1)
        return 0;
    if (plx_context_create(&context, &options) < 0)
        return 0;
    if (plx_context_add(context, plx_fd(ends[0]), PLX_READ, ends, NULL) == PLX_OK)
        count = plx_context_wait(context, ready, 1, PLX_SECONDS(10));
    int good = count == 1 && plx_watcher_triggered(ready[0]) == PLX_READ &&
               plx_watcher_data(ready[0]) == ends;
    plx_context_destroy(context);
    close(ends[0]);
    close(ends[1]);
    return good;
}
#endif

/* Prints the names of the backends, best first, one a line. */
int main(void)
{
    plx_backend list[8];
    int count = plx_backend_list(list, 8);
    int good = count > 0 && plx_version() == PLX_VERSION;

    for (int i = 0; i < count; i++) {
        puts(plx_backend_name(list[i]));
        good = good && waits(list[i]);
    }
    return good ? 0 : 1;
}
