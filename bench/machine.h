/* SPDX-License-Identifier: MIT */
/* machine.h: what the programs of the benchmark ask of the system they run on. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

uint64_t machine_clock(clockid_t clock);

/* Lets the process open as many descriptors as it may ever; returns how many that is. */
uint64_t machine_raise_descriptor_limit(void);

/* Binds the calling thread to one processor; false where that processor does not exist. */
bool machine_pin(int cpu);

/* Anonymous memory of a process in KiB; 0 if it cannot be read. */
uint64_t machine_anonymous_kib(int pid);

/* A whole number of an option; ends the process with status 2 and a message if it is none. */
long machine_number(const char *option, const char *text, long least, long most);

#endif
