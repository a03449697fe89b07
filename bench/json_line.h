/* SPDX-License-Identifier: MIT */
/*
 * json_line.h: reads members of a line such as {"peer":"libev","active":100}.
 *
 * One object a line, nothing nested, no escapes but \" and \\ in strings: what the programs of the
 * benchmark write. Members may come in any order and be missing.
 */
#ifndef BENCH_JSON_LINE_H
#define BENCH_JSON_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* The text of a string member, cut to fit; false if there is no such member. */
bool json_string(const char *line, const char *name, char *text, size_t size);

/* The value of a number; false if there is none. */
bool json_number(const char *line, const char *name, double *value);

#endif
