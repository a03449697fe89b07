/* SPDX-License-Identifier: MIT */
/* A cat that waits for all its files at once:  wait <(sleep 2; date) <(sleep 1; uptime) */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <pollux.h>

int main(int argc, char **argv)
{
    plx_context *context = NULL;
    plx_watcher *ready[16];
    char text[4096];
    int code = plx_context_create(&context, NULL);

    for (int i = 1; i < argc && code >= 0; i++)
        code = plx_context_add(context, plx_fd(open(argv[i], O_RDONLY)), PLX_READ, NULL, NULL);
    while (code >= 0 && plx_context_count(context) > 0) {
        code = plx_context_wait(context, ready, 16, PLX_FOREVER); /* how many are ready */
        for (int i = 0; i < code; i++) {
            plx_socket fd = plx_watcher_handle(ready[i]).as.fd;
            ssize_t size = read(fd, text, sizeof(text));
            if (size <= 0 || write(STDOUT_FILENO, text, (size_t)size) < 0)
                plx_context_close(context, fd); /* removes the watcher, then closes */
        }
    }
    if (code < 0)
        fprintf(stderr, "wait: %s\n", plx_error_text(code));
    plx_context_destroy(context);
    return code < 0;
}
