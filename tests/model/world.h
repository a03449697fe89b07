/* SPDX-License-Identifier: MIT */
/*
 * world.h: files, the descriptors that name them, and what happens to both.
 *
 * What a file has to say is always asked of poll(2), after everything that may have changed it, so
 * that the model knows what is ready and what became ready when. Nothing is left under way: what
 * goes through TCP has arrived when an operation returns.
 *
 * Facts are in the words of pollux (PLX_READ for POLLIN and so on), but raw.
 */
#ifndef MODEL_WORLD_H
#define MODEL_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dice.h"

#define WORLD_FILES   64
#define WORLD_NUMBERS 48
#define WORLD_FACTS   8 /* the highest bit of a fact is that of PLX_PRI */

enum file_kind {
    FILE_NONE,
    FILE_UNIX,
    FILE_TCP,
    FILE_READER, /* of a pipe */
    FILE_WRITER,
    FILE_COUNTER, /* an eventfd */
    FILE_PLAIN    /* a regular file, a directory, /dev/null */
};

/* An open file, which several descriptors may name. */
struct file {
    enum file_kind kind;
    uint32_t serial; /* tells it from others that stood in its place */
    int references;
    struct file *peer; /* NULL: there is none, or it was closed */
    uint32_t facts;
    uint32_t version;            /* moves on with everything that happens to it */
    uint32_t rises[WORLD_FACTS]; /* the version in which each fact last became true */
    uint64_t sent;               /* bytes, over TCP */
    bool is_urgent;              /* urgent data was sent to it */
    bool is_shut;                /* its own writing half is */
    bool is_abrupt;              /* its last close is a reset */
    bool is_restless;            /* TCP in the act of closing: may be stirred at any time */
};

struct descriptor {
    int number;
    struct file *file;
};

struct world {
    struct file files[WORLD_FILES];
    struct descriptor numbers[WORLD_NUMBERS];
    int count;
    int listener;
    int last_closed; /* a number to come back to */
    uint32_t last_serial;
};

void world_open(struct world *world);
void world_close(struct world *world);

/* Opens something. False if there is no room. */
bool world_open_file(struct world *world, struct dice *dice);

/* Makes a second number for a file, or returns -1. */
int world_duplicate(struct world *world, struct dice *dice, int number);

/* The same, with that number if it is free, or else the next one. */
int world_duplicate_to(struct world *world, int number, int least);

/* Any open number, or -1. */
int world_any(const struct world *world, struct dice *dice);

/* What a number names, or NULL. */
struct file *world_file(const struct world *world, int number);

/* Any number of a file that has one. */
int world_number(const struct world *world, const struct file *file);

/* Is it still the file that had this serial? */
bool world_is_alive(const struct file *file, uint32_t serial);

const char *world_name(const struct file *file);

/* Closing takes two steps around whoever does it. */
void world_before_close(struct world *world, int number);
void world_after_close(struct world *world, int number);

void world_write(struct world *world, struct dice *dice, int number);
void world_fill(struct world *world, int number);
void world_read(struct world *world, struct dice *dice, int number);
void world_drain(struct world *world, int number);
void world_shut_down(struct world *world, int number);
void world_send_urgent(struct world *world, int number);
void world_take_urgent(struct world *world, int number);

/* The last close of it will be a reset. */
void world_make_abrupt(struct world *world, int number);

/* Which of these facts became true after that version, and still are? */
uint32_t world_risen(const struct file *file, uint32_t facts, uint32_t version);

/* Asks poll(2) about everything, and fails if anything moved by itself. */
void world_check_still(const struct world *world);

/* The descriptors of this process. */
int world_open_descriptors(void);

#endif
