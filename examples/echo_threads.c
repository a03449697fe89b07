/* SPDX-License-Identifier: MIT */
/*
 * echo_threads: the echo server on several threads. For the finer points of serving one connection
 * see echo_server.c; this is about threads.
 *
 *     echo_threads [--threads N] [[ADDRESS] PORT]
 *
 * Each thread has a context of its own, and a listening socket of its own on the same port
 * (SO_REUSEPORT): the kernel deals out the clients. Nothing is shared but one number per thread, so
 * that there is no lock anywhere. What threads have to say to each other they post:
 *
 *   - The kernel deals by hash, not by load. A thread that has more clients than another hands the
 *     next one over: it posts the connection to the context of the other.
 *   - A signal comes to the main thread, which posts to all the others to accept no more. When each
 *     has posted back that it does not, nothing can be handed over any more, and they are told to
 *     end. So nobody ever posts to a context that is gone.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pollux.h>

enum {
    MOST_THREADS = 256,
    BUFFER_SIZE = 16 * 1024, /* per connection */
    ACCEPT_SHARE = 64,       /* connections accepted before the others have their turn */
    SLACK = 4 /* so many more than another a thread may have: handing over costs, too */
};

/* How long accepting rests when there is no descriptor left, if no connection closes sooner. */
#define ACCEPT_PAUSE PLX_MS(100)

/* One that was accepted here, and is served here or by another thread. */
struct connection {
    struct worker *worker;
    plx_watcher *watcher;
    struct connection *next;
    struct connection **link; /* what points to it in the list of its worker */
    int fd;
    size_t begin; /* what was read and not sent back yet */
    size_t end;
    unsigned char bytes[BUFFER_SIZE];
};

struct worker {
    /* Any thread looks at this one to find who has fewest. The others are in no hurry to agree. */
    _Alignas(64) atomic_size_t load;

    /* Everything else belongs to the thread of this worker while it runs, and to main afterwards.
     */
    _Alignas(64) pthread_t thread;
    plx_context *context;
    plx_watcher *listener; /* NULL: it accepts no more */
    plx_watcher *accept_again;
    int listener_fd;
    struct connection *connections;
    uint64_t accepted;
    uint64_t handed_over;
    uint64_t failed;
    uint64_t echoed;
    size_t open_at_end;
    bool has_ended;
};

static struct {
    plx_context *context; /* of the main thread: signals, and what workers report */
    struct worker *workers;
    size_t count;
    size_t stopped; /* how many accept no more */
    bool is_stopping;
} server;

_Noreturn static void fail(int status, const char *subject, const char *reason)
{
    fprintf(stderr, "echo_threads: %s: %s\n", subject, reason);
    exit(status);
}

/*
 * For what can fail for want of memory alone, or because this program is wrong. A server that lost
 * one of its threads would go on half dead: it ends as a whole instead.
 */
static void must(int code, const char *subject)
{
    if (code < 0)
        fail(1, subject, plx_error_text(code));
}

/* --- A connection ----------------------------------------------------------------------------- */

static void drop(struct connection *connection)
{
    struct worker *worker = connection->worker;

    *connection->link = connection->next;
    if (connection->next != NULL)
        connection->next->link = connection->link;
    atomic_fetch_sub(&worker->load, 1);
    plx_context_close(worker->context, connection->fd);
    free(connection);
    if (worker->listener != NULL) /* free if it was accepting */
        must(plx_watcher_modify(worker->listener, PLX_READ), "listener");
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* False: it is over, and everything was sent back. */
static bool receive(struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->bytes, sizeof(connection->bytes), 0);

    if (got < 0 && would_block())
        return true;
    connection->worker->failed += got < 0;
    connection->begin = 0;
    connection->end = got > 0 ? (size_t)got : 0;
    return got > 0;
}

static bool send_back(struct connection *connection)
{
    size_t size = connection->end - connection->begin;
    ssize_t sent = send(connection->fd, connection->bytes + connection->begin, size, MSG_NOSIGNAL);

    if (sent < 0 && would_block())
        return true;
    connection->worker->failed += sent < 0;
    connection->worker->echoed += sent > 0 ? (uint64_t)sent : 0;
    connection->begin += sent > 0 ? (size_t)sent : 0;
    return sent >= 0;
}

/* It is read only when all that it sent before has gone back: order, and bounded memory. */
static void on_connection(plx_watcher *watcher, uint32_t triggered, void *data)
{
    struct connection *connection = data;
    bool goes_on = connection->begin < connection->end || receive(connection);

    (void)triggered;
    if (goes_on && connection->begin < connection->end)
        goes_on = send_back(connection);
    if (goes_on)
        must(
            plx_watcher_modify(watcher, connection->begin < connection->end ? PLX_WRITE : PLX_READ),
            "connection");
    else
        drop(connection);
}

/* --- Who serves it ---------------------------------------------------------------------------- */

/* On the thread that serves it from now on, whoever accepted it. */
static void serve(struct connection *connection)
{
    struct worker *worker = connection->worker;
    int code = plx_context_on(worker->context, plx_fd(connection->fd), PLX_READ, on_connection,
                              connection, &connection->watcher);

    if (code < 0) {
        fprintf(stderr, "echo_threads: a connection: %s\n", plx_error_text(code));
        worker->failed++;
        atomic_fetch_sub(&worker->load, 1);
        close(connection->fd);
        free(connection);
        return;
    }
    connection->next = worker->connections;
    connection->link = &worker->connections;
    if (worker->connections != NULL)
        worker->connections->link = &connection->next;
    worker->connections = connection;
}

/* The task that hands over. What was written before post is seen by whom it is posted to. */
static void take_over(plx_context *context, void *data)
{
    (void)context;
    serve(data);
}

/* The numbers may have changed before they are used; then a connection is where it is not best. */
static struct worker *least_loaded(struct worker *here)
{
    struct worker *least = here;

    for (size_t i = 0; i < server.count; i++)
        if (atomic_load(&server.workers[i].load) < atomic_load(&least->load))
            least = &server.workers[i];
    return atomic_load(&least->load) + SLACK < atomic_load(&here->load) ? least : here;
}

/* Takes over the descriptor, whatever happens. */
static void welcome(struct worker *here, int fd)
{
    struct connection *connection = malloc(sizeof(*connection));
    struct worker *worker = least_loaded(here);
    int on = 1;

    here->accepted++;
    if (connection == NULL) {
        here->failed++;
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection->fd = fd;
    connection->begin = 0;
    connection->end = 0;
    connection->worker = worker;
    atomic_fetch_add(&worker->load, 1); /* at once, for others who are about to choose */
    if (worker != here && plx_context_post(worker->context, take_over, connection) == PLX_OK) {
        here->handed_over++;
        return;
    }
    if (worker != here) { /* no memory for the message: then it is served here */
        atomic_fetch_sub(&worker->load, 1);
        atomic_fetch_add(&here->load, 1);
        connection->worker = here;
    }
    serve(connection);
}

/*
 * Out of descriptors or memory, with clients in the backlog that would keep the listener ready: it
 * is not watched until a connection closes, or, as another thread may have closed one, for a
 * moment.
 */
static void pause_accepting(struct worker *worker)
{
    must(plx_watcher_modify(worker->listener, PLX_ERROR), "listener");
    must(plx_watcher_again(worker->accept_again, ACCEPT_PAUSE), "listener");
}

static void on_accept_again(plx_watcher *watcher, uint32_t triggered, void *data)
{
    struct worker *worker = data;

    (void)watcher;
    (void)triggered;
    must(plx_watcher_modify(worker->listener, PLX_READ), "listener");
}

static void on_listener(plx_watcher *watcher, uint32_t triggered, void *data)
{
    struct worker *worker = data;

    (void)watcher;
    (void)triggered;
    for (int i = 0; i < ACCEPT_SHARE; i++) {
        int fd = accept4(worker->listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            welcome(worker, fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != ECONNABORTED && errno != EPROTO && errno != EINTR) {
            pause_accepting(worker);
            return;
        }
    }
}

/* --- The end, in the order in which it happens ------------------------------------------------ */

static void on_stopped(plx_context *context, void *data);

/*
 * 2. On each worker: accepts no more, so it hands over no more, and says so. Who is in the backlog
 * now is turned away, as if it came a moment later.
 */
static void stop_accepting(plx_context *context, void *data)
{
    struct worker *worker = data;

    must(plx_watcher_remove(worker->accept_again), "listener");
    plx_context_close(context, worker->listener_fd);
    worker->listener = NULL; /* its watcher is valid until the next wait, and no longer */
    must(plx_context_post(server.context, on_stopped, worker), "post");
}

/* 4. On each worker, behind everything that was handed over to it. */
static void end(plx_context *context, void *data)
{
    struct worker *worker = data;

    (void)context;
    worker->open_at_end = atomic_load(&worker->load);
    while (worker->connections != NULL)
        drop(worker->connections);
    worker->has_ended = true;
}

/* 3. On the main thread. */
static void on_stopped(plx_context *context, void *data)
{
    (void)data;
    if (++server.stopped < server.count)
        return;
    for (size_t i = 0; i < server.count; i++)
        must(plx_context_post(server.workers[i].context, end, &server.workers[i]), "post");
    plx_context_stop(context);
}

/* 1. On the main thread. */
static void on_stop_signal(plx_watcher *watcher, uint32_t triggered, void *data)
{
    (void)watcher;
    (void)triggered;
    (void)data;
    if (server.is_stopping)
        return;
    server.is_stopping = true;
    for (size_t i = 0; i < server.count; i++)
        must(plx_context_post(server.workers[i].context, stop_accepting, &server.workers[i]),
             "post");
}

/* --- The threads ------------------------------------------------------------------------------ */

/*
 * Turns, and not plx_context_run(), which would return as soon as there is nothing to watch: so it
 * is with a worker that accepts no more and has no connection, to whom others may hand over one
 * yet.
 */
static void *run(void *data)
{
    struct worker *worker = data;

    while (!worker->has_ended)
        must(plx_context_turn(worker->context, PLX_FOREVER), "turn");
    return NULL;
}

/* By the main thread, before there are others: starting a thread hands its context over. */
static void open_worker(struct worker *worker, int listener_fd)
{
    worker->listener_fd = listener_fd;
    must(plx_context_create(&worker->context, NULL), "context");
    must(plx_context_on(worker->context, plx_fd(listener_fd), PLX_READ, on_listener, worker,
                        &worker->listener),
         "listener");
    must(plx_context_on(worker->context, plx_timer(PLX_FOREVER, 0), PLX_TIMER, on_accept_again,
                        worker, &worker->accept_again),
         "listener");
}

static void start_workers(void)
{
    for (size_t i = 0; i < server.count; i++) {
        struct worker *worker = &server.workers[i];
        int error = pthread_create(&worker->thread, NULL, run, worker);

        if (error != 0)
            fail(1, "thread", strerror(error));
    }
}

/* The end of a thread hands its context back. */
static void join_workers(void)
{
    for (size_t i = 0; i < server.count; i++) {
        int error = pthread_join(server.workers[i].thread, NULL);

        if (error != 0)
            fail(1, "thread", strerror(error));
        plx_context_destroy(server.workers[i].context);
    }
}

static void report(void)
{
    struct worker all = {.accepted = 0};

    for (size_t i = 0; i < server.count; i++) {
        const struct worker *worker = &server.workers[i];

        printf("thread %zu: accepted %" PRIu64 ", handed over %" PRIu64 ", open at the end %zu\n",
               i, worker->accepted, worker->handed_over, worker->open_at_end);
        all.accepted += worker->accepted;
        all.failed += worker->failed;
        all.open_at_end += worker->open_at_end;
        all.echoed += worker->echoed;
    }
    printf("accepted %" PRIu64 ", failed %" PRIu64 ", open at the end %zu, echoed %" PRIu64
           " bytes\n",
           all.accepted, all.failed, all.open_at_end, all.echoed);
    fflush(stdout);
}

/* --- The command line and the address --------------------------------------------------------- */

struct settings {
    size_t threads;
    const char *host;
    const char *port;
};

struct address {
    struct sockaddr_storage storage;
    socklen_t size;
};

_Noreturn static void usage(FILE *stream, int status)
{
    fputs("usage: echo_threads [--threads N] [[ADDRESS] PORT]\n"
          "Sends back what it receives. The default is a thread for each processor, 127.0.0.1 and\n"
          "port 0, any free port.\n",
          stream);
    exit(status);
}

static size_t default_threads(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (processors < 1)
        return 1;
    return processors < MOST_THREADS ? (size_t)processors : MOST_THREADS;
}

static int parse_number(const char *text, int least, int most, const char *what)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);

    if (end == text || *end != '\0' || number < least || number > most)
        fail(2, text, what);
    return (int)number;
}

static struct settings parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"threads", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct settings settings = {default_threads(), "127.0.0.1", "0"};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option != 't')
            usage(option == 'h' ? stdout : stderr, option == 'h' ? 0 : 2);
        settings.threads =
            (size_t)parse_number(optarg, 1, MOST_THREADS, "there can be 1 to 256 threads");
    }
    if (argc - optind > 2)
        usage(stderr, 2);
    if (argc - optind == 2)
        settings.host = argv[optind++];
    if (argc > optind) {
        settings.port = argv[optind];
        parse_number(settings.port, 0, 65535, "a port is a number from 0 to 65535");
    }
    return settings;
}

/* Numbers only: a server should not wait for a name service to tell it its own address. */
static struct address resolve(const struct settings *settings)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    struct address address;

    if (getaddrinfo(settings->host, settings->port, &hints, &found) != 0)
        fail(2, settings->host, "not an IPv4 or IPv6 address");
    memset(&address, 0, sizeof(address));
    memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
    address.size = found->ai_addrlen;
    freeaddrinfo(found);
    return address;
}

/*
 * One of several at the same address. The first may leave the port to the kernel; `address` then
 * has it for the others. Only programs of one user can share a port.
 */
static int open_listener(struct address *address, const char *host)
{
    int on = 1;
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&address->storage, address->size) < 0 ||
        listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&address->storage, &address->size) < 0)
        fail(1, host, strerror(errno));
    return fd;
}

/* At once, as somebody waits for it. */
static void announce(const struct address *address)
{
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    int error = getnameinfo((const struct sockaddr *)&address->storage, address->size, host,
                            sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);

    if (error != 0)
        fail(1, "address", gai_strerror(error));
    printf(address->storage.ss_family == AF_INET6 ? "listening on [%s]:%s\n"
                                                  : "listening on %s:%s\n",
           host, port);
    fflush(stdout);
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

static void open_server(const struct settings *settings)
{
    struct address address = resolve(settings);

    server.count = settings->threads;
    server.workers = aligned_alloc(_Alignof(struct worker), server.count * sizeof(struct worker));
    if (server.workers == NULL)
        fail(1, "threads", strerror(ENOMEM));
    memset(server.workers, 0, server.count * sizeof(struct worker));
    for (size_t i = 0; i < server.count; i++)
        open_worker(&server.workers[i], open_listener(&address, settings->host));
    must(plx_context_create(&server.context, NULL), "context");
    must(plx_context_on(server.context, plx_signal(SIGINT), PLX_SIGNAL, on_stop_signal, NULL, NULL),
         "SIGINT");
    must(
        plx_context_on(server.context, plx_signal(SIGTERM), PLX_SIGNAL, on_stop_signal, NULL, NULL),
        "SIGTERM");
    announce(&address);
}

int main(int argc, char **argv)
{
    struct settings settings = parse(argc, argv);

    raise_descriptor_limit();
    open_server(&settings);
    start_workers();
    must(plx_context_run(server.context), "run");
    join_workers();
    report();
    plx_context_destroy(server.context); /* a signal that comes after this ends us at once */
    free(server.workers);
    return 0;
}
