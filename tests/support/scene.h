/* SPDX-License-Identifier: MIT */
/*
 * scene.h: what every case starts from: an empty context on the backend under test, and a list of
 * descriptors that are closed afterwards.
 */
#ifndef SUPPORT_SCENE_H
#define SUPPORT_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pollux.h>

#include "check.h"
#include "tolerance.h"

#define SCENE_CAPACITY 64

/* Longer than any report takes to arrive, shorter than the time limit of a case. */
#define PATIENCE PLX_SECONDS(10)

/* Long enough for a report that should not come. */
#define SHORT_WHILE PLX_MS(10)

struct scene {
    plx_backend backend;
    plx_context *context;
    plx_watcher *ready[SCENE_CAPACITY];
    int count; /* of the last wait */
    plx_socket *kept;
    size_t kept_count;
    size_t kept_room;
};

void scene_open(struct scene *scene, plx_backend backend);
void scene_close(struct scene *scene);

/* The scene closes the descriptor at the end; after forget it is somebody else's business. */
plx_socket scene_keep(struct scene *scene, plx_socket fd);
void scene_forget(struct scene *scene, plx_socket fd);

/* Another empty context on the same backend; the case destroys it. */
plx_context *another_context(const struct scene *scene);

plx_watcher *watch(struct scene *scene, plx_socket fd, uint32_t events);

/* One wait with room for all; the number of reports. */
int wait_for(struct scene *scene, plx_duration timeout);
int look(struct scene *scene);

/* Was the watcher in the last wait? */
bool was_reported(const struct scene *scene, const plx_watcher *watcher);

/* The descriptor of the scene's context for an outer loop to watch; skips where there is none. */
plx_socket nested(struct scene *scene);

void skip_without_edge(const struct scene *scene);
void skip_without_pri(const struct scene *scene);
void skip_without_nesting(const struct scene *scene);

void expect_report(const char *file, int line, struct scene *scene, const plx_watcher *watcher,
                   uint32_t want, uint32_t optional);
void expect_sleep(const char *file, int line, struct scene *scene, plx_duration duration);

/* The next wait reports this watcher alone, with exactly these events. */
#define EXPECT_REPORT(scene, watcher, want)                                                        \
    expect_report(__FILE__, __LINE__, (scene), (watcher), (want), 0)
#define EXPECT_REPORT_WITH(scene, watcher, want, optional)                                         \
    expect_report(__FILE__, __LINE__, (scene), (watcher), (want), (optional))

/* The same of one whose peer has hung up. */
#define EXPECT_HANGUP(scene, watcher, want)                                                        \
    EXPECT_REPORT_WITH(scene, watcher, (want) | PLX_HUP,                                           \
                       tolerance_bits(T2_HANGUP, (scene)->backend))

/* The next wait reports nothing and lasts as long as it was told to. */
#define EXPECT_QUIET(scene) expect_sleep(__FILE__, __LINE__, (scene), SHORT_WHILE)

/* The same, long enough to see that it sleeps and does not burn the processor. */
#define EXPECT_NO_SPIN(scene) expect_sleep(__FILE__, __LINE__, (scene), PLX_MS(120))

#endif
