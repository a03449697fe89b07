/* SPDX-License-Identifier: MIT */
/* libuv_stream.c: libuv the way its users write servers: uv_tcp_t, and uv_try_write before
 * uv_write. */
#include "echo.h"
#include "libuv.h"
#include "peer.h"

#include <stdlib.h>
#include <string.h>

/* Without idle timeouts a connection is its first member alone, and no more is allocated. */
struct connection {
    uv_tcp_t tcp;
    uv_timer_t timer;
    int handles; /* that libuv still has */
};

/* What uv_try_write did not take. */
struct rest {
    uv_write_t request;
    char bytes[];
};

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_one_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    if (--connection->handles == 0)
        free(connection);
}

static void end(uv_stream_t *stream)
{
    if (uv_is_closing((uv_handle_t *)stream))
        return;
    if (!echo_extras.idle_seconds) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    struct connection *connection = stream->data;
    uv_close((uv_handle_t *)&connection->tcp, on_one_closed);
    uv_close((uv_handle_t *)&connection->timer, on_one_closed);
}

static void on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(echo_buffer, sizeof(echo_buffer));
}

static void on_read(uv_stream_t *stream, ssize_t received, const uv_buf_t *buffer);

/* Only now is the connection read from again, as in the other servers. */
static void on_written(uv_write_t *request, int status)
{
    uv_stream_t *stream = request->handle;
    struct rest *rest = request->data;
    free(rest);
    if (uv_is_closing((uv_handle_t *)stream))
        return;
    if (status < 0 || uv_read_start(stream, on_buffer, on_read) < 0)
        end(stream);
}

static int write_rest(uv_stream_t *stream, const char *bytes, size_t size)
{
    struct rest *rest = echo_allocate(sizeof(*rest) + size);
    memcpy(rest->bytes, bytes, size);
    rest->request.data = rest;
    uv_buf_t buffer = uv_buf_init(rest->bytes, (unsigned)size);
    uv_read_stop(stream);
    int status = uv_write(&rest->request, stream, &buffer, 1, on_written);
    if (status < 0)
        free(rest);
    return status;
}

static int echo(uv_stream_t *stream, char *bytes, size_t size)
{
    uv_buf_t buffer = uv_buf_init(bytes, (unsigned)size);
    int sent = uv_try_write(stream, &buffer, 1);
    if (sent == (int)size)
        return 0;
    if (sent == UV_EAGAIN)
        sent = 0;
    return sent < 0 ? sent : write_rest(stream, bytes + sent, size - (size_t)sent);
}

static void on_read(uv_stream_t *stream, ssize_t received, const uv_buf_t *buffer)
{
    if (received == 0)
        return;
    if (echo_extras.idle_seconds)
        uv_timer_again(&((struct connection *)stream->data)->timer);
    if (received < 0 || echo(stream, buffer->base, (size_t)received) < 0)
        end(stream);
}

static void on_idle(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    end((uv_stream_t *)&connection->tcp);
}

/* uv_timer_again starts the period anew, and is the cheapest way to push a timer back. */
static void start_idle(struct connection *connection)
{
    uint64_t milliseconds = UINT64_C(1000) * echo_extras.idle_seconds;
    uv_timer_init(&libuv_loop, &connection->timer);
    connection->tcp.data = connection;
    connection->timer.data = connection;
    connection->handles = 2;
    uv_timer_start(&connection->timer, on_idle, milliseconds, milliseconds);
}

static void on_listener(uv_stream_t *listener, int status)
{
    if (status < 0)
        return;
    size_t size = echo_extras.idle_seconds ? sizeof(struct connection) : sizeof(uv_tcp_t);
    uv_tcp_t *tcp = echo_allocate(size);
    if (uv_tcp_init(&libuv_loop, tcp) < 0) {
        free(tcp);
        return;
    }
    if (echo_extras.idle_seconds)
        start_idle((struct connection *)tcp);
    uv_stream_t *stream = (uv_stream_t *)tcp;
    if (uv_accept(listener, stream) < 0 || uv_tcp_nodelay(tcp, 1) < 0 ||
        uv_read_start(stream, on_buffer, on_read) < 0)
        end(stream);
}

static int libuv_serve(int listener)
{
    static uv_tcp_t tcp;
    if (uv_tcp_init(&libuv_loop, &tcp) < 0)
        return -1;
    if (uv_tcp_open(&tcp, listener) < 0)
        return -1;
    if (uv_listen((uv_stream_t *)&tcp, ECHO_BACKLOG, on_listener) < 0)
        return -1;
    libuv_start_tick();
    uv_run(&libuv_loop, UV_RUN_DEFAULT);
    return -1;
}

extern const struct bench_peer bench_peer_libuv_stream;
const struct bench_peer bench_peer_libuv_stream = {
    .name = "libuv_stream",
    .version = uv_version_string,
    .open = libuv_open,
    .close = libuv_close,
    .turn = libuv_turn,
    .serve = libuv_serve,
    .serves = BENCH_SERVES_IDLE | BENCH_SERVES_TICK,
    .lacks = "streams read and write by themselves; libuv_poll stands for the rest of libuv",
};
