/* SPDX-License-Identifier: MIT */
/*
 * libuv.c: see libuv.h.
 *
 * The loop is as uv_loop_init makes it: none of the options of uv_loop_configure concerns readiness
 * or timers (they block a signal for profilers, measure idle time, or let a thread of the kernel
 * spin for file operations).
 */
#include "libuv.h"

#include "echo.h"

uv_loop_t libuv_loop;

int libuv_open(void)
{
    return uv_loop_init(&libuv_loop);
}

/* The only thing left in it may be handles that wait for their close callback. */
void libuv_close(void)
{
    uv_run(&libuv_loop, UV_RUN_NOWAIT);
    uv_loop_close(&libuv_loop);
}

void libuv_turn(void)
{
    uv_run(&libuv_loop, UV_RUN_NOWAIT);
}

static uv_timer_t tick;

static void on_tick(uv_timer_t *timer);

/* The time of the loop is that of the start of its pass; a timer counts from then. */
static void start_tick(void)
{
    echo_tick_started();
    uv_update_time(&libuv_loop);
    uv_timer_start(&tick, on_tick, ECHO_TICK_MS, 0);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
    echo_tick_fired();
    start_tick();
}

void libuv_start_tick(void)
{
    if (!echo_extras.ticks)
        return;
    uv_timer_init(&libuv_loop, &tick);
    start_tick();
}
