/* SPDX-License-Identifier: MIT */
/*
 * raw_uring.c: the limit of completions: a bare io_uring of one thread, with multishot accept,
 * multishot receive into a ring of provided buffers, and one wait for each batch.
 *
 * Buffers are sent from where they were received into and then given back: all that a connection
 * keeps in one send, and one send at a time, as two under way may overtake each other. A connection
 * that keeps many buffers is not received from until it has sent them. The sockets block: the ring
 * waits for those that do not go on, where it would hand EAGAIN to the user of one that does not
 * block.
 *
 * The buffers are small, so that they stay in the caches.
 */
#include "echo.h"
#include "peer.h"
#include "raw.h"

#include <liburing.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENTRIES     4096
#define COMPLETIONS 32768
#define BUFFERS     4096
#define BUFFER_SIZE 2048
#define GROUP       0
#define MOST_KEPT   32
#define MOST_PIECES 32
#define NONE        UINT32_MAX

/* What a completion is of: the low bits of its user data, beside the connection. */
enum operation { ACCEPT, RECEIVE, SEND, CANCEL };

#define OPERATION_MASK UINT64_C(3)

/* Buffers that wait to be sent form a list: each names the next. */
struct connection {
    int fd;
    bool receiving;
    bool cancelling;
    bool sending;
    bool ending;
    bool starved;
    uint32_t first;
    uint32_t last;
    unsigned kept;
    unsigned sent; /* bytes, from the first on */
    struct connection *next_starved;
    struct msghdr message;
    struct iovec pieces[MOST_PIECES];
};

static struct io_uring ring;
static struct io_uring_buf_ring *provided;
static char buffers[BUFFERS][BUFFER_SIZE];
static uint32_t next_buffer[BUFFERS];
static unsigned filled[BUFFERS];
static struct connection *starved;
static bool returned; /* a buffer came back since the starved were looked at */

static void give_back(uint32_t buffer)
{
    io_uring_buf_ring_add(provided, buffers[buffer], BUFFER_SIZE, (unsigned short)buffer,
                          io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(provided, 1);
    returned = true;
}

static int provide_buffers(void)
{
    size_t size = BUFFERS * sizeof(struct io_uring_buf);
    provided = aligned_alloc(4096, size);
    if (!provided)
        return -ENOMEM;
    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)provided, .ring_entries = BUFFERS, .bgid = GROUP};
    int status = io_uring_register_buf_ring(&ring, &registration, 0);
    if (status < 0)
        return status;
    io_uring_buf_ring_init(provided);
    for (uint32_t i = 0; i < BUFFERS; i++)
        give_back(i);
    return 0;
}

/* 0, or a negative errno. */
static int open_ring(void)
{
    struct io_uring_params parameters = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                                  IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                         .cq_entries = COMPLETIONS};
    int status = io_uring_queue_init_params(ENTRIES, &ring, &parameters);
    if (status < 0)
        return status;
    io_uring_register_ring_fd(&ring);
    return provide_buffers();
}

static void uring_close(void)
{
    io_uring_queue_exit(&ring);
    free(provided);
}

static int uring_open(void)
{
    return open_ring() < 0 ? -1 : 0;
}

static const char *uring_refused(void)
{
    static char reason[128];
    int status = open_ring();
    if (status == 0) {
        uring_close();
        return NULL;
    }
    snprintf(reason, sizeof(reason), "this kernel refuses the ring: %s", strerror(-status));
    return reason;
}

/* A full queue is handed over first. */
static struct io_uring_sqe *next_entry(void)
{
    for (;;) {
        struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
        if (entry)
            return entry;
        echo_require(io_uring_submit(&ring) >= 0, "io_uring_submit");
    }
}

/* After everything else: preparing an entry clears the user data in some releases of liburing. */
static void name(struct io_uring_sqe *entry, struct connection *connection,
                 enum operation operation)
{
    io_uring_sqe_set_data64(entry, (uintptr_t)connection | operation);
}

static void accept_more(int listener)
{
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_multishot_accept(entry, listener, NULL, NULL, SOCK_CLOEXEC);
    name(entry, NULL, ACCEPT);
}

static void receive_more(struct connection *connection)
{
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_recv_multishot(entry, connection->fd, NULL, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = GROUP;
    name(entry, connection, RECEIVE);
    connection->receiving = true;
}

static void stop_receiving(struct connection *connection)
{
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_cancel64(entry, (uintptr_t)connection | RECEIVE, 0);
    name(entry, NULL, CANCEL);
    connection->cancelling = true;
}

static void send_kept(struct connection *connection)
{
    struct io_uring_sqe *entry = next_entry();
    uint32_t buffer = connection->first;
    unsigned skipped = connection->sent;
    size_t count = connection->kept < MOST_PIECES ? connection->kept : MOST_PIECES;
    for (size_t i = 0; i < count; i++, buffer = next_buffer[buffer], skipped = 0)
        connection->pieces[i] = (struct iovec){.iov_base = buffers[buffer] + skipped,
                                               .iov_len = filled[buffer] - skipped};
    connection->message = (struct msghdr){.msg_iov = connection->pieces, .msg_iovlen = count};
    if (count == 1)
        io_uring_prep_send(entry, connection->fd, connection->pieces[0].iov_base,
                           connection->pieces[0].iov_len, MSG_NOSIGNAL);
    else
        io_uring_prep_sendmsg(entry, connection->fd, &connection->message, MSG_NOSIGNAL);
    name(entry, connection, SEND);
    connection->sending = true;
}

static void drop_first(struct connection *connection)
{
    uint32_t buffer = connection->first;
    connection->first = next_buffer[buffer];
    connection->kept--;
    give_back(buffer);
}

/* The end waits for what the kernel still has of the connection. */
static void go_on(struct connection *connection)
{
    if (connection->ending && connection->receiving && !connection->sending)
        shutdown(connection->fd, SHUT_RDWR);
    if (connection->ending && !connection->receiving && !connection->sending) {
        while (connection->kept > 0)
            drop_first(connection);
        close(connection->fd);
        free(connection);
    } else if (!connection->ending && !connection->sending && connection->kept > 0) {
        send_kept(connection);
    } else if (!connection->ending && !connection->receiving && connection->kept == 0 &&
               !connection->starved) {
        receive_more(connection);
    }
}

static void on_accepted(const struct io_uring_cqe *completion, int listener)
{
    int on = 1;
    if (completion->res >= 0) {
        struct connection *connection = echo_allocate(sizeof(*connection));
        *connection = (struct connection){.fd = completion->res, .first = NONE, .last = NONE};
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        receive_more(connection);
    }
    if (!(completion->flags & IORING_CQE_F_MORE))
        accept_more(listener);
}

static void keep(struct connection *connection, uint32_t buffer, unsigned size)
{
    filled[buffer] = size;
    if (connection->kept++ == 0)
        connection->first = buffer;
    else
        next_buffer[connection->last] = buffer;
    connection->last = buffer;
}

/* All buffers are with others: it is tried again when one came back. */
static void starve(struct connection *connection)
{
    connection->starved = true;
    connection->next_starved = starved;
    starved = connection;
}

static void on_received(struct connection *connection, const struct io_uring_cqe *completion)
{
    int status = completion->res;
    if (!(completion->flags & IORING_CQE_F_MORE))
        connection->receiving = connection->cancelling = false;
    if (status > 0)
        keep(connection, completion->flags >> IORING_CQE_BUFFER_SHIFT, (unsigned)status);
    else if (status == -ENOBUFS && connection->kept == 0)
        starve(connection);
    else if (status != -ENOBUFS && status != -ECANCELED)
        connection->ending = true;
    if (connection->kept > MOST_KEPT && connection->receiving && !connection->cancelling)
        stop_receiving(connection);
    go_on(connection);
}

static void on_sent(struct connection *connection, const struct io_uring_cqe *completion)
{
    connection->sending = false;
    if (completion->res < 0)
        connection->ending = true;
    else
        connection->sent += (unsigned)completion->res;
    while (!connection->ending && connection->kept > 0 &&
           connection->sent >= filled[connection->first]) {
        connection->sent -= filled[connection->first];
        drop_first(connection);
    }
    go_on(connection);
}

static void feed_starved(void)
{
    struct connection *connection = starved;
    if (!returned)
        return;
    starved = NULL;
    while (connection) {
        struct connection *next = connection->next_starved;
        connection->starved = false;
        go_on(connection);
        connection = next;
    }
    returned = false;
}

static void on_completion(const struct io_uring_cqe *completion, int listener)
{
    uint64_t data = completion->user_data;
    struct connection *connection = (struct connection *)(uintptr_t)(data & ~OPERATION_MASK);
    switch ((enum operation)(data & OPERATION_MASK)) {
    case ACCEPT:
        on_accepted(completion, listener);
        break;
    case RECEIVE:
        on_received(connection, completion);
        break;
    case SEND:
        on_sent(connection, completion);
        break;
    case CANCEL:
        break;
    }
}

static int uring_serve(int listener)
{
    accept_more(listener);
    for (;;) {
        struct io_uring_cqe *completion;
        unsigned head;
        unsigned count = 0;
        int status = io_uring_submit_and_wait(&ring, 1);
        if (status < 0 && status != -EINTR)
            return -1;
        io_uring_for_each_cqe(&ring, head, completion)
        {
            on_completion(completion, listener);
            count++;
        }
        io_uring_cq_advance(&ring, count);
        if (starved)
            feed_starved();
    }
}

extern const struct bench_peer bench_peer_raw_uring;
const struct bench_peer bench_peer_raw_uring = {
    .name = "raw_uring",
    .version = raw_kernel_version,
    .open = uring_open,
    .close = uring_close,
    .serve = uring_serve,
    .lacks = "it only serves, and without timers",
    .refused = uring_refused,
};
