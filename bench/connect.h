/* SPDX-License-Identifier: MIT */
/* connect.h: the sockets of all clients. */
#ifndef BENCH_CONNECT_H
#define BENCH_CONNECT_H

/*
 * A blocking socket with the options that every client has, bound to one of many addresses of this
 * machine. It ends with a reset, so that nothing lingers in TIME_WAIT. -1 on failure.
 */
int connect_socket(int index);

#endif
