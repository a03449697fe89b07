/* SPDX-License-Identifier: MIT */
/* scene.c: the stage of a case, and the two sentences most cases consist of. */
#include "scene.h"

#include <stdlib.h>

#include "socket.h"
#include "system.h"

void scene_open(struct scene *scene, plx_backend backend)
{
    scene->backend = backend;
    scene->context = NULL;
    scene->count = 0;
    scene->kept = NULL;
    scene->kept_count = 0;
    scene->kept_room = 0;
    scene->context = another_context(scene);
}

void scene_close(struct scene *scene)
{
    plx_context_destroy(scene->context);
    while (scene->kept_count > 0)
        close_descriptor(scene, scene->kept[scene->kept_count - 1]);
    free(scene->kept);
}

plx_socket scene_keep(struct scene *scene, plx_socket fd)
{
    if (scene->kept_count == scene->kept_room) {
        size_t room = scene->kept_room ? scene->kept_room * 2 : 16;
        plx_socket *kept = realloc(scene->kept, room * sizeof *kept);

        CHECK(kept != NULL);
        scene->kept = kept;
        scene->kept_room = room;
    }
    scene->kept[scene->kept_count++] = fd;
    return fd;
}

void scene_forget(struct scene *scene, plx_socket fd)
{
    for (size_t i = scene->kept_count; i-- > 0;) {
        if (scene->kept[i] == fd) {
            scene->kept[i] = scene->kept[--scene->kept_count];
            return;
        }
    }
}

plx_context *another_context(const struct scene *scene)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    plx_context *context = NULL;

    options.backend = scene->backend;
    CHECK_OK(plx_context_create(&context, &options));
    CHECK(context != NULL);
    return context;
}

plx_watcher *watch(struct scene *scene, plx_socket fd, uint32_t events)
{
    plx_watcher *watcher = NULL;

    CHECK_OK(plx_context_add(scene->context, plx_fd(fd), events, NULL, &watcher));
    CHECK(watcher != NULL);
    return watcher;
}

int wait_for(struct scene *scene, plx_duration timeout)
{
    scene->count = plx_context_wait(scene->context, scene->ready, SCENE_CAPACITY, timeout);
    if (scene->count < 0)
        check_failed(__FILE__, __LINE__, "wait gives %s", plx_error_name(scene->count));
    return scene->count;
}

int look(struct scene *scene)
{
    return wait_for(scene, 0);
}

bool was_reported(const struct scene *scene, const plx_watcher *watcher)
{
    for (int i = 0; i < scene->count; i++) {
        if (scene->ready[i] == watcher)
            return true;
    }
    return false;
}

void skip_without_edge(const struct scene *scene)
{
    if (tolerance_refuses_edge(scene->backend))
        check_skip("the backend refuses EDGE");
}

void skip_without_pri(const struct scene *scene)
{
    if (tolerance_refuses_pri(scene->backend))
        check_skip("the backend refuses PRI");
}

void skip_without_nesting(const struct scene *scene)
{
    if (tolerance_refuses_nesting(scene->backend))
        check_skip("the backend has no kernel object to nest");
}

plx_socket nested(struct scene *scene)
{
    int fd;

    skip_without_nesting(scene);
    fd = plx_context_fd(scene->context);
    CHECK(fd >= 0);
    return (plx_socket)fd;
}

void expect_report(const char *file, int line, struct scene *scene, const plx_watcher *watcher,
                   uint32_t want, uint32_t optional)
{
    int count = wait_for(scene, PATIENCE);

    if (count != 1)
        check_failed(file, line, "%d reports, not 1", count);
    if (scene->ready[0] != watcher)
        check_failed(file, line, "another watcher was reported");
    check_events(file, line, "the report", plx_watcher_triggered(watcher), want, optional);
}

/*
 * Does a long wait sleep? A thread that spins on a busy machine gets little processor time, but it
 * never waits either; one that naps and looks again and again does wait, but its time adds up.
 */
void expect_sleep(const char *file, int line, struct scene *scene, plx_duration duration)
{
    plx_duration started = now(), used = processor_time();
    long naps = times_slept();
    int count = wait_for(scene, duration);
    plx_duration lasted = now() - started;

    used = processor_time() - used;
    naps = times_slept() - naps;
    if (count != 0)
        check_failed(file, line, "%d reports, first 0x%x, where none was due", count,
                     (unsigned)plx_watcher_triggered(scene->ready[0]));
    if (lasted < duration)
        check_failed(file, line, "slept %lld ns of %lld", (long long)lasted, (long long)duration);
    if (duration >= PLX_MS(100) && (naps == 0 || used > duration / 2))
        check_failed(file, line, "burnt %lld ns of %lld, and slept %ld times", (long long)used,
                     (long long)duration, naps);
}
