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
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pollux.h>

#include "examples/sockets.h"

enum {
    BATCH = 256,             /* reports taken with one wait */
    BUFFER_SIZE = 64 * 1024, /* one read */
    KEPT_BUFFERS = 64,       /* 4 MiB in all for those who do not read */
    ACCEPT_SHARE = 64,       /* connections accepted before the others have their turn */
    EDGE_SHARE = 8           /* reads of one edge-triggered connection before the others' turn */
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
    struct connection *next;
    struct connection **link; /* what points here */
    plx_socket fd;
};

struct server {
    plx_context *context;
    plx_watcher *listener;
    plx_watcher *pause; /* a timer */
    plx_socket listener_fd;
    bool is_stopping; /* SIGINT or SIGTERM came */
    bool is_paused;   /* not accepting */
    uint32_t mode;    /* 0 (level), PLX_EDGE or PLX_ONESHOT */
    struct connection *connections;

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

/*
 * Out of descriptors or memory. The connections that wait in the backlog would keep the listener
 * ready, and us busy for nothing: it is left unwatched until a connection closes, or, as the
 * shortage can be another program's, for a moment.
 */
static void pause_accepting(void)
{
    server.is_paused = true;
    plx_watcher_modify(server.listener, PLX_ERROR);
    plx_watcher_again(server.pause, ACCEPT_PAUSE);
}

static void resume_accepting(void)
{
    server.is_paused = false;
    plx_watcher_modify(server.listener, PLX_READ | server.mode);
    plx_watcher_again(server.pause, PLX_FOREVER);
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
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    free(connection);
    if (server.is_paused)
        resume_accepting();
}

/*
 * Sends what it can. Returns how much, 0 if the kernel takes nothing now, -1 after an error. A
 * short write says as much as EAGAIN: the send buffer is full, and PLX_WRITE will come, also under
 * EDGE.
 */
static ptrdiff_t send_some(plx_socket fd, const unsigned char *bytes, size_t size)
{
    ptrdiff_t sent = socket_send(fd, bytes, size);

    if (sent < 0 && socket_would_block())
        return 0;
    if (sent > 0)
        server.echoed += (uint64_t)sent;
    return sent;
}

/* Why a read brought nothing. */
static enum outcome nothing_read(ptrdiff_t received)
{
    if (received == 0)
        return FINISHED;
    return socket_would_block() ? DRAINED : BROKEN;
}

/* Goes on with what an earlier short write left over. */
static enum outcome send_kept(struct connection *connection)
{
    struct kept *kept = connection->unsent;
    ptrdiff_t sent = send_some(connection->fd, kept->bytes + kept->begin, kept->end - kept->begin);

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
    ptrdiff_t received = socket_receive(connection->fd, server.buffer, sizeof(server.buffer), 0);
    ptrdiff_t sent;

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
    ptrdiff_t seen = socket_receive(connection->fd, server.buffer, sizeof(server.buffer), MSG_PEEK);
    ptrdiff_t sent;

    if (seen <= 0)
        return nothing_read(seen);
    sent = send_some(connection->fd, server.buffer, (size_t)seen);
    if (sent < 0)
        return BROKEN;
    if (sent > 0 && socket_receive(connection->fd, server.buffer, (size_t)sent, 0) != sent)
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

static void enlist(struct connection *connection)
{
    connection->next = server.connections;
    connection->link = &server.connections;
    if (connection->next)
        connection->next->link = &connection->next;
    server.connections = connection;
}

/* Takes over the descriptor, whatever happens. */
static void welcome(plx_socket fd)
{
    struct connection *connection = malloc(sizeof(*connection));

    server.accepted++;
    if (connection != NULL) {
        *connection = (struct connection){.fd = fd};
        socket_do_not_delay(fd);
        if (plx_context_add(server.context, plx_fd(fd), PLX_READ | server.mode, connection,
                            &connection->watcher) == PLX_OK) {
            enlist(connection);
            return;
        }
        free(connection);
    }
    server.failed++;
    socket_close(fd);
}

static void accept_connections(void)
{
    bool drained = false;

    for (int i = 0; i < ACCEPT_SHARE && !drained; i++) {
        plx_socket fd = socket_accept(server.listener_fd);

        if (fd != PLX_BAD_SOCKET) {
            welcome(fd);
        } else if (socket_would_block()) {
            drained = true;
        } else if (!socket_lost_client()) {
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
    else if (watcher == server.pause)
        resume_accepting();
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
        int count = plx_context_wait(server.context, ready, BATCH, PLX_FOREVER);

        if (count < 0)
            return count;
        for (int i = 0; i < count; i++)
            handle(ready[i]);
    }
    return PLX_OK;
}

/* The watchers of the signals stay, so that a second one while we are at it does no harm. */
static size_t close_all(void)
{
    size_t open = 0;

    plx_context_close(server.context, server.listener_fd);
    server.is_paused = false;
    for (; server.connections != NULL; open++)
        drop(server.connections);
    return open;
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
    plx_socket fd = socket_open(address->ai_family);

    if (fd == PLX_BAD_SOCKET || !socket_claim_address(fd) ||
        bind(fd, address->ai_addr, (socklen_t)address->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
        fail(1, settings->address, socket_reason());
    freeaddrinfo(address);
    server.listener_fd = fd;
}

static void watch_listener(void)
{
    int code = plx_context_add(server.context, plx_fd(server.listener_fd), PLX_READ | server.mode,
                               NULL, &server.listener);

    if (code == PLX_OK)
        code = plx_context_add(server.context, plx_timer(PLX_FOREVER, 0), PLX_TIMER, NULL,
                               &server.pause);
    if (code < 0)
        fail(1, "cannot watch the listener", plx_error_text(code));
}

/*
 * A signal is an event like others: no handler, no flag, nothing to be careful about. While it has
 * a watcher it ends nobody. On Windows these are Ctrl-C, and the end of the console.
 */
static void watch_stop_signals(void)
{
    int code = plx_context_add(server.context, plx_signal(SIGINT), PLX_SIGNAL, NULL, NULL);

    if (code == PLX_OK)
        code = plx_context_add(server.context, plx_signal(SIGTERM), PLX_SIGNAL, NULL, NULL);
    if (code < 0)
        fail(1, "cannot watch signals", plx_error_text(code));
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
        fail(1, "getsockname", socket_reason());
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
