/* SPDX-License-Identifier: MIT */
/*
 * model.h: the reference. What a context has to say, told as simply as possible: a list of
 * registrations, and rules that are read off the documentation and not off the library.
 *
 * The model is right about a wait if every report is one that it forecasts, and everything that it
 * is certain of is reported unless the caller had no room for it.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <pollux.h>

#include "custom.h"
#include "world.h"

#define MODEL_ROOM    64
#define MODEL_RETIRED 512

/* Waits that a ready watcher may have to stand back for others. */
#define MODEL_PATIENCE 300

/* The registration of one descriptor. */
struct registration {
    plx_watcher *watcher;
    void *data;
    struct object *object; /* NULL: a plain descriptor */
    int number;
    struct file *file; /* what the number named when it was added */
    uint32_t serial;   /* of that file */
    bool is_plain;     /* that file is always ready */
    bool is_counter;   /* that file is an eventfd */
    uint32_t events;
    uint32_t triggered; /* its last report */
    unsigned missed;    /* waits that were too small for it since it became ready */
    bool is_armed;      /* not muted */
    bool is_called;     /* it has a callback */
    bool is_muffled;    /* muted, but the kernel can only be told to say ERROR and HUP once more */
    bool is_due;        /* its object is to be asked for buffered bytes */

    /* Under PLX_EDGE: what is ready since that version of the file has not been told. */
    uint32_t told;
    bool is_fresh; /* nothing was told since it was added or modified */
    int extra;     /* so often may it be told again although nothing has changed */

    /* Its number was closed under it (tolerance T6), which epoll cannot see. */
    bool is_lost;
    bool may_tell;   /* it may report ERROR for that */
    bool is_obscure; /* the kernel may know it by another file by now */
};

/* Once a descriptor is closed and its watcher removed, a duplicate leaves this in the kernel. */
struct ghost {
    int number;
    struct file *file;
    uint32_t serial;
};

struct model {
    const struct world *world;
    plx_backend backend;
    bool is_by_number; /* poll: whatever file has the number now is watched */
    bool is_split; /* kqueue: under PLX_EDGE each direction may be told by itself, and once more */
    bool is_close_final; /* kqueue: what was closed says nothing more, whatever duplicate lives */
    bool is_woken;
    bool is_nested;

    struct registration registrations[MODEL_ROOM];
    int count;
    struct registration retired[MODEL_RETIRED]; /* removed since the last wait */
    int retired_count;
    struct ghost ghosts[MODEL_ROOM];
    int ghost_count;
};

/* What the next wait has to say about a registration. */
enum certainty { SILENT, POSSIBLE, CERTAIN };

struct forecast {
    enum certainty certainty;
    uint32_t least; /* the events if there is a report, at least and at most */
    uint32_t most;
    bool is_whole; /* with room to spare it is the most */
};

void model_open(struct model *model, const struct world *world, plx_backend backend);

/* --- Questions --- */

struct registration *model_find(struct model *model, int number);
struct registration *model_find_watcher(struct model *model, const plx_watcher *watcher);
struct forecast model_forecast(const struct model *model, const struct registration *registration);

/* How many the next wait may, or must, report. */
int model_ready(const struct model *model, enum certainty at_least);

/* May the kernel report what nobody watches any more? The library drops that, and rebuilds. */
bool model_is_haunted(const struct model *model);

/* May the nested descriptor be readable for nothing? */
bool model_may_show_nothing(const struct model *model);

/* Is its object to be asked for bytes in the next wait? */
bool model_is_to_be_asked(const struct registration *registration);

/* The right code of each call; where two are right, `got` if it is one of them. */
int model_events_code(const struct model *model, uint32_t events);
int model_add_code(struct model *model, int number, const struct object *object, uint32_t events,
                   int got);

/* --- What happened --- */

/* Returns the new registration. One that had the number before is retired. */
struct registration *model_add(struct model *model, int number, struct object *object,
                               uint32_t events, void *data);
void model_modify(struct registration *registration, uint32_t events);
void model_remove(struct model *model, struct registration *registration);

/* A second add or a modify was refused: that may have made the kernel look again. */
void model_refuse(const struct model *model, struct registration *registration);

/* Something else than a descriptor was watched: its watcher can be asked until the next wait. */
void model_retire(struct model *model, plx_watcher *watcher, void *data);

/* It was ready, and nobody was there to be called. */
void model_mute(struct registration *registration);

/* A number is about to be closed without the context. */
void model_lose(struct model *model, int number);

/* The library has tried to make a new kernel queue. `is_done`: and uses it now, without ghosts. */
void model_rebuild(struct model *model, bool is_done);

void model_report(const struct model *model, struct registration *registration, uint32_t events);

/* It was not reported, although there was room. */
void model_pass_over(const struct model *model, struct registration *registration);

#endif
