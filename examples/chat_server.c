/* SPDX-License-Identifier: MIT */
/*
 * chat_server: every line that a guest says goes to all guests, on one thread, with callbacks.
 *
 *     chat_server [--idle SECONDS] [[ADDRESS] PORT]
 *
 * Guests come with any program that sends lines, for example nc. Who says nothing for so long (300
 * s; fractions are fine) is sent away, and so is who does not read. `/shout TEXT` goes to a worker,
 * a process of its own that is started again when it dies.
 *
 * Three rules keep the program simple:
 *
 *   - Nothing blocks. What the kernel does not take at once waits in a buffer of fixed size, and
 *     PLX_WRITE is watched just as long as there is something in it.
 *   - A guest is freed in callbacks of its own only. Who wants it gone from elsewhere, for example
 *     in the middle of a message to everybody, cuts the connection, and the end of it is reported
 *     as every end is.
 *   - Nobody asks whether it is time to end. Whatever is finished removes its watchers, and
 *     plx_context_run() returns when none is left.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pollux.h>

enum {
    LINE_SIZE = 1024,         /* the longest line, its end included */
    UNSENT_LIMIT = 64 * 1024, /* what is kept for somebody who does not read */
    ACCEPT_SHARE = 64         /* guests welcomed before the others have their turn */
};

#define ACCEPT_PAUSE   PLX_MS(100)    /* accepting rests when we are out of descriptors */
#define LAST_WORDS     PLX_SECONDS(2) /* for a guest to hear the last words, for the worker to end */
#define SHORTEST_PAUSE PLX_MS(100)    /* before a worker is started again, and each time twice it */
#define LONGEST_PAUSE  PLX_SECONDS(30)

/* One end of a conversation in lines, with a guest or with the worker. */
struct line_stream {
    plx_watcher *watcher;
    int fd;
    bool is_over; /* the other side has said all it had to say */
    size_t received;
    size_t unsent;
    char in[LINE_SIZE];
    char out[UNSENT_LIMIT];
};

struct guest {
    struct line_stream stream;
    plx_watcher *quiet; /* fires when it said nothing for too long, or heard its last words */
    unsigned number;
    bool is_leaving; /* it hears its last words, and is not listened to */
    struct guest *next;
    struct guest **link; /* what points to it in the list */
};

/* `process` is NULL while there is none, and stream.fd is -1 while we cannot talk to it. */
struct worker {
    struct line_stream stream;
    plx_watcher *process;
    plx_watcher *clock; /* time to start it, or, when we end, to do without it */
    plx_duration pause; /* after its next death */
    pid_t pid;
};

static struct {
    const char *program;
    plx_context *context;
    plx_watcher *listener;
    plx_watcher *accept_again;
    int listener_fd;
    plx_duration idle;
    unsigned guests_ever;
    bool is_ending;
    struct guest *guests;
    struct worker worker;
} chat;

_Noreturn static void fail(int status, const char *subject, const char *reason)
{
    fprintf(stderr, "chat_server: %s: %s\n", subject, reason);
    exit(status);
}

/* For what can fail for want of memory alone, or because this program is wrong. */
static void must(int code, const char *subject)
{
    if (code < 0)
        fail(1, subject, plx_error_text(code));
}

/* --- Lines ------------------------------------------------------------------------------------ */

static void stream_open(struct line_stream *stream, int fd)
{
    stream->fd = fd;
    stream->is_over = false;
    stream->received = 0;
    stream->unsent = 0;
}

/* The other side is not worth another byte. It will be reported, with an end of file to read. */
static void stream_cut(struct line_stream *stream)
{
    stream->unsent = 0;
    shutdown(stream->fd, SHUT_RDWR);
}

/* Sends what the kernel takes now. */
static void stream_flush(struct line_stream *stream)
{
    ssize_t sent;

    if (stream->unsent == 0)
        return;
    sent = send(stream->fd, stream->out, stream->unsent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
        stream->unsent -= (size_t)sent;
        memmove(stream->out, stream->out + sent, stream->unsent);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        stream_cut(stream);
    }
}

/* Reading until the end was read, writing while there is something to write: never neither. */
static void stream_watch(struct line_stream *stream)
{
    uint32_t events = (stream->is_over ? 0 : PLX_READ) | (stream->unsent > 0 ? PLX_WRITE : 0);

    must(plx_watcher_modify(stream->watcher, events), "stream");
}

/* Says all of it or nothing. False: it did not fit. */
static bool stream_say(struct line_stream *stream, const char *text, size_t size)
{
    if (size > sizeof(stream->out) - stream->unsent)
        return false;
    memcpy(stream->out + stream->unsent, text, size);
    stream->unsent += size;
    stream_flush(stream);
    stream_watch(stream);
    return true;
}

/* One read, so that nobody keeps the others waiting. What is still there is reported again. */
static void stream_receive(struct line_stream *stream)
{
    size_t room = sizeof(stream->in) - stream->received;
    ssize_t got = recv(stream->fd, stream->in + stream->received, room, MSG_DONTWAIT);

    if (got > 0)
        stream->received += (size_t)got;
    else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        stream->is_over = true;
}

/*
 * Takes the next line into `line`, as a string without its end. False: there is no whole one. What
 * one guest says goes to the terminals of others, who should not be at the mercy of its escapes.
 */
static bool stream_line(struct line_stream *stream, char line[LINE_SIZE])
{
    char *end = memchr(stream->in, '\n', stream->received);
    size_t size;

    if (end == NULL)
        return false;
    size = (size_t)(end - stream->in);
    for (size_t i = 0; i < size; i++)
        line[i] = iscntrl((unsigned char)stream->in[i]) ? ' ' : stream->in[i];
    line[size > 0 && end[-1] == '\r' ? size - 1 : size] = '\0';
    stream->received -= size + 1;
    memmove(stream->in, end + 1, stream->received);
    return true;
}

/* A line is begun that does not fit. */
static bool stream_is_full(const struct line_stream *stream)
{
    return stream->received == sizeof(stream->in);
}

/* --- Guests ----------------------------------------------------------------------------------- */

/* Who reads too slowly for all that is said here has to go: the others do not wait, nor do we. */
static void tell(struct guest *guest, const char *text, size_t size)
{
    if (!guest->is_leaving && !stream_say(&guest->stream, text, size))
        stream_cut(&guest->stream);
}

__attribute__((format(printf, 2, 3))) static void tell_one(struct guest *guest, const char *format,
                                                           ...)
{
    char text[LINE_SIZE + 64];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    tell(guest, text, (size_t)size);
}

__attribute__((format(printf, 1, 2))) static void tell_all(const char *format, ...)
{
    char text[LINE_SIZE + 64];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (struct guest *guest = chat.guests; guest != NULL; guest = guest->next)
        tell(guest, text, (size_t)size);
}

/*
 * From here on it hears what was said before, and is gone when it hung up, or LAST_WORDS later. It
 * is called back as soon as it can hear something, or else now, if it has heard everything.
 */
static void dismiss(struct guest *guest)
{
    guest->is_leaving = true;
    must(plx_watcher_again(guest->quiet, LAST_WORDS), "last words");
    must(plx_watcher_modify(guest->stream.watcher, PLX_WRITE), "last words");
}

/* In callbacks of this guest only. Both watchers are silent from now on, also in this batch. */
static void drop(struct guest *guest)
{
    *guest->link = guest->next;
    if (guest->next != NULL)
        guest->next->link = guest->link;
    must(plx_watcher_remove(guest->quiet), "guest");
    plx_context_close(chat.context, guest->stream.fd);
    free(guest);
    if (!chat.is_ending)
        must(plx_watcher_modify(chat.listener, PLX_READ),
             "listener"); /* free if it was accepting */
}

/*
 * How everything ends that is done for a guest. Of one that leaves we close our half first: a close
 * with unread lines would be a reset, and that can take away what it has not read yet.
 */
static void settle(struct guest *guest)
{
    struct line_stream *stream = &guest->stream;

    if (guest->is_leaving && stream->unsent == 0) {
        if (stream->is_over) {
            drop(guest);
            return;
        }
        shutdown(stream->fd, SHUT_WR);
    }
    stream_watch(stream);
}

static void ask_worker(struct guest *guest, const char *text);

static void hear(struct guest *guest, const char *line)
{
    must(plx_watcher_again(guest->quiet, chat.idle), "idle");
    if (strncmp(line, "/shout ", 7) == 0)
        ask_worker(guest, line + 7);
    else if (line[0] != '\0')
        tell_all("guest %u: %s\n", guest->number, line);
}

static void listen_to(struct guest *guest)
{
    char line[LINE_SIZE];

    while (!guest->is_leaving && stream_line(&guest->stream, line))
        hear(guest, line);
    if (guest->is_leaving)
        guest->stream.received = 0;
    else if (stream_is_full(&guest->stream)) {
        tell_one(guest, "* that line is too long, goodbye\n");
        dismiss(guest);
    } else if (guest->stream.is_over) {
        dismiss(guest);
        tell_all("* guest %u left\n", guest->number);
    }
}

static void on_guest(plx_watcher *watcher, uint32_t triggered, void *data)
{
    struct guest *guest = data;

    (void)watcher;
    stream_flush(&guest->stream);
    if (triggered & PLX_READ && !guest->stream.is_over) {
        stream_receive(&guest->stream);
        listen_to(guest);
    }
    settle(guest);
}

static void on_quiet(plx_watcher *watcher, uint32_t triggered, void *data)
{
    struct guest *guest = data;

    (void)watcher;
    (void)triggered;
    if (guest->is_leaving) { /* it had its time to hear the last words */
        drop(guest);
        return;
    }
    tell_one(guest, "* you said nothing for too long, goodbye\n");
    dismiss(guest);
    tell_all("* guest %u fell asleep\n", guest->number);
}

static int watch_guest(struct guest *guest, int fd)
{
    int code;

    stream_open(&guest->stream, fd);
    code = plx_context_on(chat.context, plx_timer(chat.idle, 0), PLX_TIMER, on_quiet, guest,
                          &guest->quiet);
    if (code < 0)
        return code;
    code =
        plx_context_on(chat.context, plx_fd(fd), PLX_READ, on_guest, guest, &guest->stream.watcher);
    if (code < 0)
        plx_watcher_remove(guest->quiet);
    return code;
}

/*
 * Takes over the descriptor, whatever happens. The memory is not cleared: pages of the buffers that
 * are never written to cost nothing.
 */
static void welcome(int fd)
{
    struct guest *guest = malloc(sizeof(*guest));
    int code = guest == NULL ? PLX_ERR_NOMEM : watch_guest(guest, fd);

    if (code < 0) {
        fprintf(stderr, "chat_server: a guest: %s\n", plx_error_text(code));
        free(guest);
        close(fd);
        return;
    }
    guest->is_leaving = false;
    guest->number = ++chat.guests_ever;
    guest->next = chat.guests;
    guest->link = &chat.guests;
    if (chat.guests != NULL)
        chat.guests->link = &guest->next;
    chat.guests = guest;
    tell_one(guest, "* you are guest %u\n", guest->number);
    tell_all("* guest %u came\n", guest->number);
}

/*
 * Out of descriptors or memory, with guests in the backlog that would keep the listener ready, and
 * us busy for nothing: it is not watched until a guest left, or, as the shortage can be another
 * program's, for a moment.
 */
static void pause_accepting(void)
{
    must(plx_watcher_modify(chat.listener, PLX_ERROR), "listener");
    must(plx_watcher_again(chat.accept_again, ACCEPT_PAUSE), "listener");
}

static void on_accept_again(plx_watcher *watcher, uint32_t triggered, void *data)
{
    (void)watcher;
    (void)triggered;
    (void)data;
    must(plx_watcher_modify(chat.listener, PLX_READ), "listener");
}

static void on_listener(plx_watcher *watcher, uint32_t triggered, void *data)
{
    (void)watcher;
    (void)triggered;
    (void)data;
    for (int i = 0; i < ACCEPT_SHARE; i++) {
        int fd = accept4(chat.listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            welcome(fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != ECONNABORTED && errno != EPROTO && errno != EINTR) {
            pause_accepting();
            return;
        }
    }
}

/* --- The worker ------------------------------------------------------------------------------- */

/*
 * What the worker does: a line comes in, and goes out in capitals. A process of its own may block,
 * and may die, without harm to anybody. It ends with its input, so that it does not outlive us.
 */
static int work(void)
{
    char line[LINE_SIZE + 32];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        for (char *c = line; *c != '\0'; c++)
            *c = (char)toupper((unsigned char)*c);
        if (fputs(line, stdout) == EOF || fflush(stdout) == EOF)
            return 1;
    }
    return 0;
}

/*
 * Every question names the guest, as does its answer: nothing is to be remembered until then. What
 * is under way when the worker dies is lost. The answer has to be a line that fits, too.
 */
static void ask_worker(struct guest *guest, const char *text)
{
    char question[LINE_SIZE];
    int size = snprintf(question, sizeof(question), "%u %s\n", guest->number, text);

    if (size >= LINE_SIZE)
        tell_one(guest, "* that is too long to shout\n");
    else if (chat.worker.stream.fd < 0 || !stream_say(&chat.worker.stream, question, (size_t)size))
        tell_one(guest, "* nobody can shout for you now\n");
}

static void hang_up(struct worker *worker)
{
    if (worker->stream.fd < 0)
        return;
    plx_context_close(chat.context, worker->stream.fd);
    worker->stream.fd = -1;
}

static void on_answer(plx_watcher *watcher, uint32_t triggered, void *data)
{
    struct worker *worker = data;
    char line[LINE_SIZE];

    (void)watcher;
    stream_flush(&worker->stream);
    if (triggered & PLX_READ)
        stream_receive(&worker->stream);
    while (stream_line(&worker->stream, line)) {
        char *text = strchr(line, ' ');

        worker->pause = SHORTEST_PAUSE; /* it does its work: earlier deaths are forgotten */
        if (text != NULL)
            tell_all("guest %lu shouts:%s\n", strtoul(line, NULL, 10), text);
    }
    if (worker->stream.is_over || stream_is_full(&worker->stream)) {
        hang_up(worker);
        kill(worker->pid, SIGKILL); /* most often it is dead; not collected, it keeps its number */
        return;
    }
    stream_watch(&worker->stream);
}

/* The pause grows, so that a worker which dies at once does not keep the machine busy. */
static void try_again_later(struct worker *worker)
{
    printf("the next worker comes in %.1f s\n", (double)worker->pause / 1e9);
    must(plx_watcher_again(worker->clock, worker->pause), "worker");
    worker->pause = worker->pause < LONGEST_PAUSE / 2 ? 2 * worker->pause : LONGEST_PAUSE;
}

static void on_worker_exit(plx_watcher *watcher, uint32_t triggered, void *data)
{
    struct worker *worker = data;
    int status = 0;

    (void)triggered;
    must(plx_watcher_remove(watcher), "worker");
    worker->process = NULL;
    hang_up(worker);
    waitpid(worker->pid, &status, 0); /* it has finished: this does not block */
    if (WIFSIGNALED(status))
        printf("worker %ld was ended by signal %d\n", (long)worker->pid, WTERMSIG(status));
    else
        printf("worker %ld ended with status %d\n", (long)worker->pid, WEXITSTATUS(status));
    if (chat.is_ending)
        must(plx_watcher_remove(worker->clock), "worker");
    else
        try_again_later(worker);
}

/*
 * This program again, with one end of the connection as its input and output. Everything else is
 * close-on-exec, ours and the library's. A group of its own keeps the signals of a terminal away:
 * Ctrl-C is for us, and the worker hears of it from us.
 */
static int spawn_worker(int fd, pid_t *ret_pid)
{
    char option[] = "--worker";
    char *program = strdup(chat.program);
    char *arguments[] = {program, option, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = program == NULL ? ENOMEM : 0;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
    if (error == 0)
        error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    if (error == 0)
        error = posix_spawnp(ret_pid, program, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(program);
    return error;
}

/* Talks to the worker at the other end of `fd`, and hears of its end. */
static int watch_worker(struct worker *worker, int fd)
{
    int code;

    stream_open(&worker->stream, fd);
    code = plx_context_on(chat.context, plx_process(worker->pid), PLX_PROCESS, on_worker_exit,
                          worker, &worker->process);
    if (code < 0)
        return code;
    code = plx_context_on(chat.context, plx_fd(fd), PLX_READ, on_answer, worker,
                          &worker->stream.watcher);
    if (code < 0)
        plx_watcher_remove(worker->process);
    return code;
}

static void discard_worker(struct worker *worker, int fd)
{
    kill(worker->pid, SIGKILL);
    waitpid(worker->pid, NULL, 0); /* as short as the way of a signal */
    close(fd);
    worker->process = NULL;
    worker->stream.fd = -1;
}

/* Returns 0 or why not, as errno has it or as a code. */
static const char *try_to_start(struct worker *worker)
{
    int ends[2];
    int error;
    int code;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return strerror(errno);
    error = spawn_worker(ends[1], &worker->pid);
    close(ends[1]); /* with the worker alone, so that its end is the end of file here */
    if (error != 0) {
        close(ends[0]);
        return strerror(error);
    }
    code = watch_worker(worker, ends[0]);
    if (code >= 0)
        return NULL;
    discard_worker(worker, ends[0]);
    return plx_error_text(code);
}

static void start_worker(struct worker *worker)
{
    const char *reason = try_to_start(worker);

    if (reason == NULL) {
        printf("worker %ld is here\n", (long)worker->pid);
        return;
    }
    fprintf(stderr, "chat_server: worker: %s\n", reason);
    try_again_later(worker);
}

static void on_clock(plx_watcher *watcher, uint32_t triggered, void *data)
{
    struct worker *worker = data;

    (void)watcher;
    (void)triggered;
    if (chat.is_ending)
        kill(worker->pid, SIGKILL); /* it was told, and had its time */
    else
        start_worker(worker);
}

/* The end of its input tells the worker to end. */
static void end_worker(struct worker *worker)
{
    hang_up(worker);
    if (worker->process != NULL)
        must(plx_watcher_again(worker->clock, LAST_WORDS), "worker");
    else
        must(plx_watcher_remove(worker->clock), "worker");
}

/* --- The server ------------------------------------------------------------------------------- */

/* Everybody hears of it, and has LAST_WORDS to do so. Who asks twice does not want to wait. */
static void on_stop_signal(plx_watcher *watcher, uint32_t triggered, void *data)
{
    (void)watcher;
    (void)triggered;
    (void)data;
    if (chat.is_ending) {
        plx_context_stop(chat.context);
        return;
    }
    chat.is_ending = true;
    must(plx_watcher_remove(chat.accept_again), "listener");
    plx_context_close(chat.context, chat.listener_fd);
    tell_all("* the server ends, goodbye\n");
    for (struct guest *guest = chat.guests; guest != NULL; guest = guest->next)
        if (!guest->is_leaving)
            dismiss(guest);
    end_worker(&chat.worker);
}

static void watch_signal(int signo)
{
    plx_watcher *watcher = NULL;

    must(
        plx_context_on(chat.context, plx_signal(signo), PLX_SIGNAL, on_stop_signal, NULL, &watcher),
        strsignal(signo));
    plx_watcher_set_background(watcher, true); /* that it may come is no reason to go on */
}

static void watch_all(void)
{
    plx_context *context = chat.context;

    must(plx_context_on(context, plx_fd(chat.listener_fd), PLX_READ, on_listener, NULL,
                        &chat.listener),
         "listener");
    must(plx_context_on(context, plx_timer(PLX_FOREVER, 0), PLX_TIMER, on_accept_again, NULL,
                        &chat.accept_again),
         "listener");
    must(plx_context_on(context, plx_timer(PLX_FOREVER, 0), PLX_TIMER, on_clock, &chat.worker,
                        &chat.worker.clock),
         "worker");
    watch_signal(SIGINT);
    watch_signal(SIGTERM);
}

/* Who is still here was impatient to be asked: nothing but memory and descriptors is left. */
static void drop_all(void)
{
    while (chat.guests != NULL)
        drop(chat.guests);
    if (chat.worker.process != NULL) {
        hang_up(&chat.worker);
        kill(chat.worker.pid, SIGKILL);
        waitpid(chat.worker.pid, NULL, 0);
    }
}

/* The soft limit is low for the sake of select(2); who does not use that may have all. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* --- The command line ------------------------------------------------------------------------- */

_Noreturn static void usage(FILE *stream, int status)
{
    fputs(
        "usage: chat_server [--idle SECONDS] [[ADDRESS] PORT]\n"
        "Says to all guests what one of them says. The default is 127.0.0.1 and port 0, any free\n"
        "port; who is silent for 300 seconds has to go.\n",
        stream);
    exit(status);
}

static plx_duration parse_idle(const char *text)
{
    char *end = NULL;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds >= 1e-3 && seconds <= 1e9))
        fail(2, text, "a time is a number of seconds from 0.001 to 1000000000");
    return (plx_duration)(seconds * 1e9);
}

static const char *parse_port(const char *port)
{
    size_t length = strlen(port);

    if (length < 1 || length > 5 || strspn(port, "0123456789") != length || atoi(port) > 65535)
        fail(2, port, "a port is a number from 0 to 65535");
    return port;
}

/* Numbers only: a server should not wait for a name service to tell it its own address. */
static int open_listener(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *address;
    int on = 1;
    int fd;

    if (getaddrinfo(host, port, &hints, &address) != 0)
        fail(2, host, "not an IPv4 or IPv6 address");
    fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
        fail(1, host, strerror(errno));
    freeaddrinfo(address);
    return fd;
}

/* The port may have been the kernel's choice: ask, and tell at once, as somebody waits for it. */
static void announce(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];

    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        fail(1, "getsockname", strerror(errno));
    printf(address.ss_family == AF_INET6 ? "listening on [%s]:%s\n" : "listening on %s:%s\n", host,
           port);
}

static void configure(int argc, char **argv)
{
    static const struct option options[] = {
        {"idle", required_argument, NULL, 'i'},
        {"worker", no_argument, NULL, 'w'}, /* between us: the server starts it so */
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *host = "127.0.0.1";
    int option;

    chat.idle = PLX_SECONDS(300);
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'i')
            chat.idle = parse_idle(optarg);
        else if (option == 'w')
            exit(work());
        else
            usage(option == 'h' ? stdout : stderr, option == 'h' ? 0 : 2);
    }
    if (argc - optind > 2)
        usage(stderr, 2);
    if (argc - optind == 2)
        host = argv[optind++];
    chat.listener_fd = open_listener(host, argc > optind ? parse_port(argv[optind]) : "0");
}

int main(int argc, char **argv)
{
    chat.program = argv[0];
    chat.worker.pause = SHORTEST_PAUSE;
    chat.worker.stream.fd = -1;
    configure(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line when it is true, also into a pipe */
    raise_descriptor_limit();
    must(plx_context_create(&chat.context, NULL), "context");
    watch_all();
    announce(chat.listener_fd);
    start_worker(&chat.worker);

    must(plx_context_run(chat.context), "run");
    drop_all();
    plx_context_destroy(chat.context);
    printf("welcomed %u guests\n", chat.guests_ever);
    return 0;
}
