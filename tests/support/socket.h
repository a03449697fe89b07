/* SPDX-License-Identifier: MIT */
/*
 * socket.h: descriptors for tests, and what one does to them.
 *
 * What is opened here is non-blocking, close-on-exec, on the loopback interface, and is closed
 * together with the scene. What a system lacks skips the case.
 */
#ifndef SUPPORT_SOCKET_H
#define SUPPORT_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include <pollux.h>

#include "scene.h"

/* Two ends: the case watches `here`; `there` is the peer. Of a pipe, `here` reads. */
struct ends {
    plx_socket here;
    plx_socket there;
};

struct ends stream_pair(struct scene *scene); /* the cheapest two-way pair the system has */
struct ends unix_pair(struct scene *scene);
struct ends tcp_pair(struct scene *scene);
struct ends udp_pair(struct scene *scene);
struct ends pipe_pair(struct scene *scene);
struct ends terminal_pair(struct scene *scene); /* `here` is the master */

plx_socket listen_socket(struct scene *scene);
plx_socket connect_to(struct scene *scene, plx_socket listener);
plx_socket refused_socket(struct scene *scene);
plx_socket regular_file(struct scene *scene);
plx_socket directory(struct scene *scene);
plx_socket null_device(struct scene *scene);
plx_socket path_only(struct scene *scene); /* open, yet nothing can be polled on it */

/* A regular file; where the system waits for sockets alone, one to read from and to write to. */
plx_socket always_ready(struct scene *scene);

/* A second number for the same file. */
plx_socket duplicate(struct scene *scene, plx_socket fd);

/* The same, with a number of 5 000 or more. */
plx_socket duplicate_far_off(struct scene *scene, plx_socket fd);

/* Leaves this process without a free descriptor, until they are given back. */
void use_up_descriptors(struct scene *scene);
void give_back_descriptors(struct scene *scene);

/* Makes `number` name what `fd` names, and closes `fd`. */
void move_to(struct scene *scene, plx_socket fd, plx_socket number);

/* A number that is not open. */
plx_socket closed_number(struct scene *scene);
bool is_open(plx_socket fd);

/* Writes a byte to `there` and returns once `here` can read it. */
void say(const struct ends *ends);
/* The same without a pair: a byte into `fd`. */
void put(plx_socket fd);
void put_urgent(const struct ends *ends);
/* Reads until nothing is left, and returns how much it was. */
size_t drain(plx_socket fd);
/* Reads exactly that much. */
void take(plx_socket fd, void *buffer, size_t size);
/* Writes until no more fits. */
void fill(plx_socket fd);

/* These return once `here` has noticed. */
void there_half_closes(const struct ends *ends);
void there_closes(struct scene *scene, struct ends *ends);
void there_resets(struct scene *scene, struct ends *ends);

/* The peer goes so that HUP is to be seen: of a stream_pair(), see EXPECT_HANGUP(). */
void there_hangs_up(struct scene *scene, struct ends *ends);

/* Collects SO_ERROR; 0 if there is none. */
int pending_error(plx_socket fd);

/* Returns once it can be read, asked of the system without pollux. */
void until_readable(plx_socket fd);

void half_close(plx_socket fd);
void close_descriptor(struct scene *scene, plx_socket fd);

/* Fills the array with different descriptors that all have something to read, or skips. */
void ready_descriptors(struct scene *scene, plx_socket *ret_fds, size_t count);

/* Is it ready to read, asked of the system without pollux? */
bool readable_now(plx_socket fd);

/* How many descriptors this process has, and how many of them an exec would inherit. */
size_t open_descriptors(void);
size_t inherited_descriptors(void);

/* A level-triggered queue of the system's own around one descriptor, where there is one. */
plx_socket system_queue(struct scene *scene, plx_socket inner);
bool system_queue_ready(plx_socket queue);

#endif
