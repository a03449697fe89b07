/* SPDX-License-Identifier: MIT */
/*
 * situations.c: see situations.h.
 */
#include "situations.h"

#include <sys/socket.h>
#include <unistd.h>

#include "require.h"

static struct ends pipe_empty(void)
{
    return rig_pipe();
}

static struct ends pipe_data(void)
{
    return rig_readable_pipe();
}

static struct ends pipe_no_writer(void)
{
    struct ends ends = rig_pipe();
    close(ends.write);
    ends.write = -1;
    return ends;
}

static struct ends pipe_data_no_writer(void)
{
    struct ends ends = rig_readable_pipe();
    close(ends.write);
    ends.write = -1;
    return ends;
}

/* The end to look at is always `read`. */
static struct ends turned(struct ends ends)
{
    return (struct ends){.read = ends.write, .write = ends.read};
}

static struct ends pipe_room(void)
{
    return turned(rig_pipe());
}

static struct ends pipe_full(void)
{
    struct ends ends = turned(rig_pipe());
    rig_fill(ends.read);
    return ends;
}

static struct ends pipe_no_reader(void)
{
    struct ends ends = turned(rig_pipe());
    close(ends.write);
    ends.write = -1;
    return ends;
}

static struct ends pipe_full_no_reader(void)
{
    struct ends ends = pipe_full();
    close(ends.write);
    ends.write = -1;
    return ends;
}

static struct ends socket_idle(void)
{
    return rig_sockets();
}

static struct ends socket_half_closed(void)
{
    struct ends ends = rig_sockets();
    shutdown(ends.write, SHUT_WR);
    return ends;
}

static struct ends socket_full_half_closed(void)
{
    struct ends ends = socket_half_closed();
    rig_fill(ends.read);
    return ends;
}

static struct ends socket_closed(void)
{
    struct ends ends = rig_sockets();
    close(ends.write);
    ends.write = -1;
    return ends;
}

/* Closed with data that was never read: ERROR beside HUP. */
static struct ends socket_reset(void)
{
    struct ends ends = rig_sockets();
    REQUIRE(write(ends.read, "x", 1) == 1);
    close(ends.write);
    ends.write = -1;
    return ends;
}

situation *const situations[SITUATIONS] = {
    pipe_empty,   pipe_data,          pipe_no_writer,          pipe_data_no_writer,
    pipe_room,    pipe_full,          pipe_no_reader,          pipe_full_no_reader,
    socket_idle,  socket_half_closed, socket_full_half_closed, socket_closed,
    socket_reset,
};
