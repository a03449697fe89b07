/* SPDX-License-Identifier: MIT */
/*
 * echo_server: sends back whatever it receives, to thousands of clients, on one thread.
 *
 *     echo_server [--edge | --oneshot] [--backend NAME] [[ADDRESS] PORT]
 *
 * One rule keeps order, and keeps memory small: a connection is read only when all that it sent
 * before has gone back. What a short write leaves over is kept, and the connection then waits for
 * PLX_WRITE alone. From there TCP does the rest: a client that does not read fills its own receive
 * buffer, then our send buffer, then our receive buffer, and in the end has to wait itself. Half
 * close needs no code either: the end of file is read last, when everything was sent.
 *
 * What is kept has a bound of 64 KiB per connection, and of KEPT_BUFFERS times that in all. When
 * all these buffers are taken nobody is shut out: see echo_from_kernel().
 *
 * The three modes differ in one place, watch(): what has to be said before the next report comes.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <pollux.h>

enum {
    BATCH = 256,             /* reports taken with one wait */
    BUFFER_SIZE = 64 * 1024, /* one read */
    KEPT_BUFFERS = 64,       /* 4 MiB in all for those who do not read */
    ACCEPT_SHARE = 64,       /* connections accepted before the others have their turn */
    EDGE_SHARE = 8,          /* reads of one edge-triggered connection before the others' turn */
    STOP_SIGNALS = 2         /* the signals that end the server */
};

/* How long accepting rests when there is no descriptor left, if no connection closes sooner. */
#define ACCEPT_PAUSE PLX_MS(100)

/* What a short write left over. The kernel gives memory to those that were used at least once. */
struct kept {
    size_t begin;
    size_t end;
    unsigned char bytes[BUFFER_SIZE];
};

/* All that an idle connection costs us, beside its watcher. */
struct connection {
    plx_watcher *watcher;
    struct kept *unsent; /* NULL: everything was sent back */
    int fd;
};

struct server {
    plx_context *context;
    plx_watcher *listener;
    int listener_fd;
    bool is_stopping;          /* SIGINT or SIGTERM came */
    uint32_t mode;             /* 0 (level), PLX_EDGE or PLX_ONESHOT */
    plx_duration paused_until; /* 0: accepting */

    uint64_t accepted;
    uint64_t failed; /* ended by an error, not by an end of file */
    uint64_t echoed; /* bytes */

    unsigned char buffer[BUFFER_SIZE]; /* every connection is read into this one */
    struct kept *free_kept[KEPT_BUFFERS];
    size_t free_count;
    struct kept kept[KEPT_BUFFERS];
};

/* What one round of work on a connection came to. */
enum outcome {
    MORE,     /* it went on, and there may be more */
    DRAINED,  /* nothing left to read for now */
    STUCK,    /* the client has to read before we can send */
    FINISHED, /* end of file, and everything was sent back */
    BROKEN    /* reset or another error */
};

struct settings {
    uint32_t mode;
    plx_backend backend;
    const char *address;
    const char *port;
};

static struct server server;

/*
 * Says what to report next. Level: a change, often none, which then costs nothing. One-shot: the
 * watcher is silent until it is told. Edge: a drained socket will report itself; one that was left
 * before the end would not, and modify makes it report what is there.
 */
static int watch(plx_watcher *watcher, uint32_t events, bool drained)
{
    events |= server.mode;
    if (server.mode == PLX_EDGE && drained && events == plx_watcher_events(watcher))
        return PLX_OK;
    return plx_watcher_modify(watcher, events);
}

static plx_duration now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return PLX_SECONDS(time.tv_sec) + PLX_NS(time.tv_nsec);
}

/*
 * Out of descriptors or memory. The connections that wait in the backlog would keep the listener
 * ready, and us busy for nothing: it is left unwatched until a connection closes, or, as the
 * shortage can be another program's, for a moment.
 */
static void pause_accepting(void)
{
    server.paused_until = now() + ACCEPT_PAUSE;
    plx_watcher_modify(server.listener, PLX_ERROR);
}

static void resume_accepting(void)
{
    server.paused_until = 0;
    plx_watcher_modify(server.listener, PLX_READ | server.mode);
}

static plx_duration time_to_resume(void)
{
    plx_duration left;

    if (server.paused_until == 0)
        return PLX_FOREVER;
    left = server.paused_until - now();
    return left > 0 ? left : 0;
}

static void keep(struct connection *connection, const unsigned char *bytes, size_t size)
{
    struct kept *kept = server.free_kept[--server.free_count];

    kept->begin = 0;
    kept->end = size;
    memcpy(kept->bytes, bytes, size);
    connection->unsent = kept;
}

static void release_kept(struct connection *connection)
{
    server.free_kept[server.free_count++] = connection->unsent;
    connection->unsent = NULL;
}

static void drop(struct connection *connection)
{
    if (connection->unsent)
        release_kept(connection);
    plx_context_close(server.context, connection->fd);
    free(connection);
    if (server.paused_until != 0)
        resume_accepting();
}

/*
 * Sends what it can. Returns how much, 0 if the kernel takes nothing now, -1 after an error. A
 * short write says as much as EAGAIN: the send buffer is full, and PLX_WRITE will come, also under
 * EDGE.
 */
static ssize_t send_some(int fd, const unsigned char *bytes, size_t size)
{
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (sent > 0)
        server.echoed += (uint64_t)sent;
    return sent;
}

/* Why a read brought nothing. */
static enum outcome nothing_read(ssize_t received)
{
    if (received == 0)
        return FINISHED;
    return errno == EAGAIN || errno == EWOULDBLOCK ? DRAINED : BROKEN;
}

/* Goes on with what an earlier short write left over. */
static enum outcome send_kept(struct connection *connection)
{
    struct kept *kept = connection->unsent;
    ssize_t sent = send_some(connection->fd, kept->bytes + kept->begin, kept->end - kept->begin);

    if (sent < 0)
        return BROKEN;
    kept->begin += (size_t)sent;
    if (kept->begin < kept->end)
        return STUCK;
    release_kept(connection);
    return MORE;
}

/* The usual case: one read, one write. */
static enum outcome echo(struct connection *connection)
{
    ssize_t received = recv(connection->fd, server.buffer, sizeof(server.buffer), 0);
    ssize_t sent;

    if (received <= 0)
        return nothing_read(received);
    sent = send_some(connection->fd, server.buffer, (size_t)received);
    if (sent < 0)
        return BROKEN;
    if (sent == received)
        return MORE;
    keep(connection, server.buffer + sent, (size_t)(received - sent));
    return STUCK;
}

/*
 * When slow clients have taken all buffers, the others are served without any: look at the data,
 * send what goes, and take out of the kernel just that much. What could not be sent stays where it
 * is. It costs one more system call, and some copying, only for as long as buffers are short.
 */
static enum outcome echo_from_kernel(struct connection *connection)
{
    ssize_t seen = recv(connection->fd, server.buffer, sizeof(server.buffer), MSG_PEEK);
    ssize_t sent;

    if (seen <= 0)
        return nothing_read(seen);
    sent = send_some(connection->fd, server.buffer, (size_t)seen);
    if (sent < 0)
        return BROKEN;
    if (sent > 0 && recv(connection->fd, server.buffer, (size_t)sent, 0) != sent)
        return BROKEN;
    return sent == seen ? MORE : STUCK;
}

static enum outcome work(struct connection *connection)
{
    if (connection->unsent)
        return send_kept(connection);
    return server.free_count > 0 ? echo(connection) : echo_from_kernel(connection);
}

/*
 * Which events were reported does not matter: work() finds out by trying, and each system call
 * that it makes is one that the report promised, or the one that must say EAGAIN under PLX_EDGE.
 */
static void serve(struct connection *connection)
{
    enum outcome outcome = work(connection);

    if (server.mode == PLX_EDGE)
        for (int i = 1; i < EDGE_SHARE && outcome == MORE; i++)
            outcome = work(connection);

    if (outcome != FINISHED && outcome != BROKEN) {
        uint32_t events = outcome == STUCK ? PLX_WRITE : PLX_READ;

        if (watch(connection->watcher, events, outcome != MORE) == PLX_OK)
            return;
        outcome = BROKEN;
    }
    server.failed += outcome == BROKEN;
    drop(connection);
}

/* Takes over the descriptor, whatever happens. */
static void welcome(int fd)
{
    struct connection *connection = malloc(sizeof(*connection));
    int on = 1;

    server.accepted++;
    if (connection != NULL) {
        *connection = (struct connection){.fd = fd};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (plx_context_add(server.context, plx_fd(fd), PLX_READ | server.mode, connection,
                            &connection->watcher) == PLX_OK)
            return;
        free(connection);
    }
    server.failed++;
    close(fd);
}

static void accept_connections(void)
{
    bool drained = false;

    for (int i = 0; i < ACCEPT_SHARE && !drained; i++) {
        int fd = accept4(server.listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            welcome(fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            drained = true;
        } else if (errno != ECONNABORTED && errno != EPROTO) { /* these two: that client is gone */
            pause_accepting();
            return;
        }
    }
    watch(server.listener, PLX_READ, drained);
}

static void handle(plx_watcher *watcher)
{
    if (watcher == server.listener)
        accept_connections();
    else if (plx_watcher_triggered(watcher) == PLX_SIGNAL)
        server.is_stopping = true;
    else
        serve(plx_watcher_data(watcher));
}

/*
 * Until a signal asks to stop. Serving a connection closes that one at most, so that every entry of
 * a batch is good when its turn comes. Code that removes others' watchers in a batch asks
 * plx_watcher_triggered(), which is 0 once removed.
 */
static int run(void)
{
    plx_watcher *ready[BATCH];

    while (!server.is_stopping) {
        int count = plx_context_wait(server.context, ready, BATCH, time_to_resume());

        if (count < 0)
            return count;
        for (int i = 0; i < count; i++)
            handle(ready[i]);
        if (time_to_resume() == 0)
            resume_accepting();
    }
    return PLX_OK;
}

/*
 * The context knows all descriptors: no list of our own is needed to find those still open. The
 * watchers of the signals stay, so that a second one while we are at it does no harm.
 */
static size_t close_all(void)
{
    size_t open = 0;

    plx_context_close(server.context, server.listener_fd);
    for (int fd = 0; plx_context_count(server.context) > STOP_SIGNALS; fd++) {
        plx_watcher *watcher = plx_context_find(server.context, fd);

        if (watcher != NULL) {
            drop(plx_watcher_data(watcher));
            open++;
        }
    }
    return open;
}

/*
 * Thousands of connections need thousands of descriptors. The soft limit is low on many systems for
 * the sake of select(2); who does not use that may have all that is allowed.
 */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

_Noreturn static void fail(int status, const char *subject, const char *reason)
{
    fprintf(stderr, "echo_server: %s: %s\n", subject, reason);
    exit(status);
}

_Noreturn static void usage(FILE *stream, int status)
{
    fputs("usage: echo_server [--edge | --oneshot] [--backend NAME] [[ADDRESS] PORT]\n"
          "Sends back what it receives. The default is 127.0.0.1 and port 0, any free port.\n",
          stream);
    exit(status);
}

static void set_mode(struct settings *settings, uint32_t mode)
{
    if (settings->mode != 0 && settings->mode != mode)
        fail(2, "--edge and --oneshot", "choose one");
    settings->mode = mode;
}

static void set_backend(struct settings *settings, const char *name)
{
    settings->backend = plx_backend_from_name(name);
    if (settings->backend == PLX_BACKEND_NONE)
        fail(2, name, "no backend has that name");
}

static void set_port(struct settings *settings, const char *port)
{
    size_t length = strlen(port);

    if (length < 1 || length > 5 || strspn(port, "0123456789") != length || atoi(port) > 65535)
        fail(2, port, "a port is a number from 0 to 65535");
    settings->port = port;
}

static struct settings parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"edge", no_argument, NULL, 'e'},
        {"oneshot", no_argument, NULL, 'o'},
        {"backend", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct settings settings = {.backend = PLX_BACKEND_AUTO, .address = "127.0.0.1", .port = "0"};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'e')
            set_mode(&settings, PLX_EDGE);
        else if (option == 'o')
            set_mode(&settings, PLX_ONESHOT);
        else if (option == 'b')
            set_backend(&settings, optarg);
        else
            usage(option == 'h' ? stdout : stderr, option == 'h' ? 0 : 2);
    }
    if (argc - optind > 2)
        usage(stderr, 2);
    if (argc - optind == 2)
        settings.address = argv[optind++];
    if (argc - optind == 1)
        set_port(&settings, argv[optind]);
    return settings;
}

static void open_context(const struct settings *settings)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    int code;

    options.backend = settings->backend;
    code = plx_context_create(&server.context, &options);
    if (code == PLX_ERR_UNAVAILABLE)
        fail(2,
             settings->backend == PLX_BACKEND_AUTO ? "POLLUX_BACKEND"
                                                   : plx_backend_name(settings->backend),
             plx_error_text(code));
    if (code < 0)
        fail(1, "context", plx_error_text(code));
    if (!plx_backend_supports(plx_context_backend(server.context), settings->mode))
        fail(2, plx_backend_name(plx_context_backend(server.context)),
             "this backend has no edge-triggered mode");
    server.mode = settings->mode;
}

/* Numbers only: a server should not wait for a name service to tell it its own address. */
static struct addrinfo *resolve(const struct settings *settings)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *address;

    if (getaddrinfo(settings->address, settings->port, &hints, &address) != 0)
        fail(2, settings->address, "not an IPv4 or IPv6 address");
    return address;
}

static void open_listener(const struct settings *settings)
{
    struct addrinfo *address = resolve(settings);
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
        fail(1, settings->address, strerror(errno));
    freeaddrinfo(address);
    server.listener_fd = fd;
}

static void watch_listener(void)
{
    int code = plx_context_add(server.context, plx_fd(server.listener_fd), PLX_READ | server.mode,
                               NULL, &server.listener);

    if (code < 0)
        fail(1, "cannot watch the listener", plx_error_text(code));
}

/*
 * A signal is an event like others: no handler, no flag, nothing to be careful about. While it has
 * a watcher it ends nobody.
 */
static void watch_stop_signals(void)
{
    static const int signals[STOP_SIGNALS] = {SIGINT, SIGTERM};

    for (int i = 0; i < STOP_SIGNALS; i++) {
        int code = plx_context_add(server.context, plx_signal(signals[i]), PLX_SIGNAL, NULL, NULL);

        if (code < 0)
            fail(1, strsignal(signals[i]), plx_error_text(code));
    }
}

/* The port may have been the kernel's choice: ask, and tell at once, as somebody waits for it. */
static void announce(void)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];

    if (getsockname(server.listener_fd, (struct sockaddr *)&address, &size) < 0 ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        fail(1, "getsockname", strerror(errno));
    printf(address.ss_family == AF_INET6 ? "listening on [%s]:%s\n" : "listening on %s:%s\n", host,
           port);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct settings settings = parse(argc, argv);
    size_t open;
    int code;

    while (server.free_count < KEPT_BUFFERS) {
        server.free_kept[server.free_count] = &server.kept[server.free_count];
        server.free_count++;
    }
    raise_descriptor_limit();
    open_context(&settings);
    open_listener(&settings);
    watch_listener();
    watch_stop_signals();
    announce();

    code = run();
    open = close_all();
    printf("accepted %" PRIu64 ", failed %" PRIu64 ", open at the end %zu, echoed %" PRIu64
           " bytes\n",
           server.accepted, server.failed, open, server.echoed);
    fflush(stdout);
    plx_context_destroy(server.context); /* a signal that comes after this ends us at once */
    if (code < 0)
        fail(1, "wait", plx_error_text(code));
    return 0;
}
