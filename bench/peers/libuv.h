/* SPDX-License-Identifier: MIT */
/* libuv.h: the loop that both peers made of libuv use. */
#ifndef BENCH_LIBUV_H
#define BENCH_LIBUV_H

#include <uv.h>

extern uv_loop_t libuv_loop;

int libuv_open(void);
void libuv_close(void);
void libuv_turn(void);

/* Starts the timer of a millisecond, if the server has one. */
void libuv_start_tick(void);

#endif
