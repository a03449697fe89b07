/* SPDX-License-Identifier: MIT */
/*
 * stories.h: what the programs in examples/ promise.
 */
#ifndef POLLUX_TESTS_STORIES_H
#define POLLUX_TESTS_STORIES_H

/* echo_server once per mode and backend, with clients of every kind. */
void tell_serving(const char *echo_server);

/* Its options, its address, its port and its last words. */
void tell_command_line(const char *echo_server);

/* The example of the wait API. */
void tell_wait(const char *wait);

/* The example of timers. */
void tell_timers(const char *timers);

/* The chat server on each backend: guests, its worker, its end. */
void tell_chat(const char *chat_server);

/* The echo server with several threads. */
void tell_threads(const char *echo_threads);

#endif
