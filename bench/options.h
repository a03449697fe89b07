/* SPDX-License-Identifier: MIT */
/* options.h: options of the form `--name N` or `--name N,N...`, in a table. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>

/* The table ends with a NULL name. */
struct option_number {
    const char *name;
    long *value; /* holds the default */
    long least;
    long most;
    int *listed; /* a list is allowed: how many values it has; there is room for as many as below */
};

#define OPTIONS_MOST_LISTED 16

/* False if the table has no such option; ends the process where the value is no such number. */
bool options_take(const struct option_number *options, const char *name, const char *value);

#endif
