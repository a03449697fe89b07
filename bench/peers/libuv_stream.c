/* SPDX-License-Identifier: MIT */
/* libuv_stream.c: libuv the way its users write servers: uv_tcp_t, and uv_try_write before
 * uv_write. */
#include "echo.h"
#include "peer.h"

#include <uv.h>

#include <stdlib.h>
#include <string.h>

static uv_loop_t loop;

/* What uv_try_write did not take. */
struct rest {
    uv_write_t request;
    char bytes[];
};

static void on_closed(uv_handle_t *handle)
{
    free(handle);
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
        uv_close((uv_handle_t *)stream, on_closed);
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
    if (received < 0 || echo(stream, buffer->base, (size_t)received) < 0)
        uv_close((uv_handle_t *)stream, on_closed);
}

static void on_listener(uv_stream_t *listener, int status)
{
    if (status < 0)
        return;
    uv_tcp_t *connection = echo_allocate(sizeof(*connection));
    if (uv_tcp_init(&loop, connection) < 0) {
        free(connection);
        return;
    }
    uv_stream_t *stream = (uv_stream_t *)connection;
    if (uv_accept(listener, stream) < 0 || uv_tcp_nodelay(connection, 1) < 0 ||
        uv_read_start(stream, on_buffer, on_read) < 0)
        uv_close((uv_handle_t *)connection, on_closed);
}

static int libuv_serve(int listener)
{
    static uv_tcp_t tcp;
    if (uv_loop_init(&loop) < 0 || uv_tcp_init(&loop, &tcp) < 0)
        return -1;
    if (uv_tcp_open(&tcp, listener) < 0)
        return -1;
    if (uv_listen((uv_stream_t *)&tcp, ECHO_BACKLOG, on_listener) < 0)
        return -1;
    uv_run(&loop, UV_RUN_DEFAULT);
    return -1;
}

extern const struct bench_peer bench_peer_libuv_stream;
const struct bench_peer bench_peer_libuv_stream = {
    .name = "libuv_stream",
    .version = uv_version_string,
    .serve = libuv_serve,
};
