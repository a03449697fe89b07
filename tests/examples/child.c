/* SPDX-License-Identifier: MIT */
/*
 * child.c: see child.h.
 */
#include "child.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

struct streams {
    int in; /* -1: that of this process */
    int out;
    int err;
};

_Noreturn static void become(char *const *arguments, const struct streams *streams,
                             unsigned descriptors)
{
    struct rlimit limit = {descriptors, descriptors};

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* no child outlives a test that was interrupted */
    signal(SIGPIPE, SIG_DFL);         /* what is ignored here would be ignored there */
    if (streams->in >= 0)
        dup2(streams->in, STDIN_FILENO);
    dup2(streams->out, STDOUT_FILENO);
    dup2(streams->err, STDERR_FILENO);
    if (descriptors > 0)
        setrlimit(RLIMIT_NOFILE, &limit);
    execv(arguments[0], arguments);
    dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

static bool start(struct child *child, char *const *arguments, int input, unsigned descriptors)
{
    int out[2];
    int err[2];

    if (pipe2(out, O_CLOEXEC) < 0)
        return false;
    if (pipe2(err, O_CLOEXEC) < 0) {
        close(out[0]);
        close(out[1]);
        return false;
    }
    child->pid = fork();
    if (child->pid == 0)
        become(arguments, &(struct streams){input, out[1], err[1]}, descriptors);
    close(out[1]);
    close(err[1]);
    child->out = out[0];
    child->err = err[0];
    return child->pid > 0;
}

bool child_start(struct child *child, char *const *arguments, unsigned descriptors)
{
    return start(child, arguments, -1, descriptors);
}

bool child_start_fed(struct child *child, char *const *arguments, int input)
{
    return start(child, arguments, input, 0);
}

/* Up to the end of file, or to a line feed. False: neither came in time. */
static bool read_text(int fd, char *text, size_t size, bool one_line)
{
    size_t length = 0;

    while (length < size - 1) {
        struct pollfd state = {.fd = fd, .events = POLLIN};
        ssize_t got = poll(&state, 1, PATIENCE_MS) == 1 ? read(fd, text + length, 1) : -1;

        if (got <= 0) {
            text[length] = '\0';
            return got == 0 && !one_line;
        }
        if (one_line && text[length] == '\n')
            break;
        length++;
    }
    text[length] = '\0';
    return true;
}

bool child_read_line(struct child *child, char *line, size_t size)
{
    return read_text(child->out, line, size, true);
}

struct ending child_end(struct child *child, int signo)
{
    struct ending ending = {.status = -1};
    int status;
    bool ended;

    if (signo != 0)
        kill(child->pid, signo);
    ended = read_text(child->out, ending.out, sizeof(ending.out), false) &&
            read_text(child->err, ending.err, sizeof(ending.err), false);
    if (!ended)
        kill(child->pid, SIGKILL);
    if (waitpid(child->pid, &status, 0) == child->pid && WIFEXITED(status))
        ending.status = WEXITSTATUS(status);
    close(child->out);
    close(child->err);
    return ending;
}

long child_rss_anon_kib(const struct child *child)
{
    char path[64];
    char line[256];
    long kib = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%ld/status", (long)child->pid);
    file = fopen(path, "re");
    while (file != NULL && kib < 0 && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtol(line + 8, NULL, 10);
    if (file != NULL)
        fclose(file);
    return kib;
}

bool child_memory_tells(void)
{
#ifdef POLLUX_MEMORY_IS_INFLATED
    return false;
#else
    return true;
#endif
}

long child_descriptors(const struct child *child, long limit)
{
    char path[64];
    long count = 0;
    DIR *directory;
    struct dirent *entry;

    snprintf(path, sizeof(path), "/proc/%ld/fd", (long)child->pid);
    directory = opendir(path);
    if (directory == NULL)
        return -1;
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) < limit;
    closedir(directory);
    return count;
}

int64_t child_cpu_ns(const struct child *child)
{
    clockid_t clock;
    struct timespec used;

    if (clock_getcpuclockid(child->pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return -1;
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

/* "127.0.0.1:80" or "[::1]:80" into a socket address. */
static bool parse_address(struct echo_server *server, char *text)
{
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&server->address;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&server->address;
    char *colon = strrchr(text, ':');
    long port = colon == NULL ? 0 : strtol(colon + 1, NULL, 10);

    memset(&server->address, 0, sizeof(server->address));
    if (port < 1 || port > 65535)
        return false;
    *colon = '\0';
    if (text[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        ipv6->sin6_family = AF_INET6;
        ipv6->sin6_port = htons((uint16_t)port);
        server->address_size = sizeof(*ipv6);
        return inet_pton(AF_INET6, text + 1, &ipv6->sin6_addr) == 1;
    }
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons((uint16_t)port);
    server->address_size = sizeof(*ipv4);
    return inet_pton(AF_INET, text, &ipv4->sin_addr) == 1;
}

static bool read_announcement(struct echo_server *server)
{
    static const char opening[] = "listening on ";
    char text[sizeof(server->line)];

    if (!read_text(server->child.out, server->line, sizeof(server->line), true) ||
        strncmp(server->line, opening, sizeof(opening) - 1) != 0)
        return false;
    memcpy(text, server->line, sizeof(text));
    return parse_address(server, text + sizeof(opening) - 1);
}

bool echo_server_start(struct echo_server *server, const char *path, char *const *options,
                       unsigned descriptors)
{
    char program[512];
    char *arguments[ARGUMENTS] = {program};

    snprintf(program, sizeof(program), "%s", path);
    for (int i = 0; i < ARGUMENTS - 2 && options[i] != NULL; i++)
        arguments[i + 1] = options[i];
    if (!child_start(&server->child, arguments, descriptors))
        return false;
    if (!read_announcement(server)) {
        struct ending ending = child_end(&server->child, SIGKILL);

        tap_note("the server said \"%s\" and \"%s\"", server->line, ending.err);
        return false;
    }
    return true;
}

/*
 * Before connect, as the window and the segment size are settled there. The peer's send buffer
 * grows with the segment size, which is 64 KiB on the loopback device: megabytes for one
 * connection.
 */
static void shrink(int fd)
{
    int receive_buffer = 4096;
    int segment = 1000;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
}

static int connect_with(const struct echo_server *server, bool small)
{
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    int fd = socket(server->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (small)
        shrink(fd);
    if (connect(fd, (const struct sockaddr *)&server->address, server->address_size) == 0)
        return fd;
    close(fd);
    return -1;
}

int echo_server_connect(const struct echo_server *server)
{
    return connect_with(server, false);
}

int echo_server_connect_small(const struct echo_server *server)
{
    return connect_with(server, true);
}
