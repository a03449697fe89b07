/* SPDX-License-Identifier: MIT */
/*
 * facts.h: what the tests of all shims share. A fact is a function that returns true if it holds.
 */
#ifndef PLATFORM_FACTS_H
#define PLATFORM_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "tap.h"

struct fact {
    const char *name;
    bool (*holds)(void);
};

#define FACT(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
#define FACTS_END                                                                                  \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }

/* A line of TAP for each, `begin` being called before. */
void tell(const struct fact *facts, void (*begin)(void));

/* Ends the program where the machine refuses what a test needs. */
void must(bool condition);

/* The descriptor is closed after the fact. */
int keep(int fd);
void drop(int fd); /* closes it now */

struct pair {
    int here;
    int there;
};

struct pair new_pipe(void); /* `here` reads */
struct pair new_unix_pair(void);

/* Is a descriptor readable in the eyes of poll(2)? */
bool shows(int fd);

void put(int fd, const char *text);
void empty(int fd); /* reads all there is */
void fill(int fd);  /* writes all that fits */

#endif
