/* SPDX-License-Identifier: MIT */
/* arguments.c: bad input gets its code from the table, and changes nothing. */
#include <limits.h>

#include "cases.h"

/* No event at all, modes alone, unknown bits, and events of other kinds of handle. */
static const uint32_t bad_events[] = {
    0,
    PLX_ONESHOT,
    PLX_EDGE,
    PLX_ONESHOT | PLX_EDGE,
    PLX_TIMER,
    PLX_NOTIFY,
    PLX_SIGNAL,
    PLX_PROCESS,
    PLX_READ | PLX_TIMER,
    PLX_WRITE | PLX_PROCESS,
    UINT32_C(0x1000),
    PLX_READ | UINT32_C(0x1000),
    PLX_READ | UINT32_C(0x80000000),
    UINT32_MAX,
};

static const uint32_t good_events[] = {
    PLX_READ,
    PLX_WRITE,
    PLX_RDHUP,
    PLX_ERROR,
    PLX_HUP,
    PLX_ERROR | PLX_HUP,
    PLX_READ | PLX_WRITE | PLX_RDHUP | PLX_ERROR | PLX_HUP,
    PLX_ERROR | PLX_ONESHOT,
    PLX_RDHUP | PLX_ONESHOT,
    PLX_READ | PLX_WRITE | PLX_ONESHOT,
};

void arguments_add_refuses_bad_events(struct scene *scene)
{
    plx_socket fd = stream_pair(scene).here;
    plx_watcher *watcher = NULL;

    for (size_t i = 0; i < COUNT_OF(bad_events); i++)
        CHECK_CODE(plx_context_add(scene->context, plx_fd(fd), bad_events[i], NULL, &watcher),
                   PLX_ERR_INVALID);
    CHECK(watcher == NULL);
    CHECK_EQUAL(plx_context_count(scene->context), 0);
    CHECK(plx_context_find(scene->context, fd) == NULL);
    EXPECT_QUIET(scene);
}

void arguments_modify_refuses_bad_events(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = watch(scene, ends.here, PLX_READ);

    for (size_t i = 0; i < COUNT_OF(bad_events); i++)
        CHECK_CODE(plx_watcher_modify(watcher, bad_events[i]), PLX_ERR_INVALID);
    CHECK_EVENTS(plx_watcher_events(watcher), PLX_READ);
    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
}

void arguments_refused_modify_does_not_arm(struct scene *scene)
{
    plx_watcher *watcher = watch(scene, stream_pair(scene).here, PLX_WRITE | PLX_ONESHOT);

    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    CHECK_CODE(plx_watcher_modify(watcher, 0), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_modify(watcher, PLX_TIMER), PLX_ERR_INVALID);
    EXPECT_QUIET(scene);
}

void arguments_good_events_are_taken(struct scene *scene)
{
    plx_socket fd = stream_pair(scene).here;
    plx_watcher *watcher;

    for (size_t i = 0; i < COUNT_OF(good_events); i++) {
        watcher = watch(scene, fd, good_events[i]);
        CHECK_EVENTS(plx_watcher_events(watcher), good_events[i]);
        for (size_t j = 0; j < COUNT_OF(good_events); j++) {
            CHECK_OK(plx_watcher_modify(watcher, good_events[j]));
            CHECK_EVENTS(plx_watcher_events(watcher), good_events[j]);
            look(scene);
        }
        CHECK_OK(plx_watcher_remove(watcher));
    }
}

void arguments_urgent_data_or_refusal(struct scene *scene)
{
    bool refused = tolerance_refuses_pri(scene->backend);
    int code = refused ? PLX_ERR_NOSUPPORT : PLX_OK;
    plx_socket fd = stream_pair(scene).here;
    plx_watcher *watcher = watch(scene, fd, PLX_READ);

    CHECK(plx_backend_supports(scene->backend, PLX_PRI) == !refused);
    CHECK_CODE(plx_watcher_modify(watcher, PLX_PRI), code);
    CHECK_EVENTS(plx_watcher_events(watcher), refused ? PLX_READ : PLX_PRI);
    CHECK_CODE(plx_context_add(scene->context, plx_fd(stream_pair(scene).here), PLX_PRI | PLX_READ,
                               NULL, NULL),
               code);
    EXPECT_QUIET(scene);
}

void arguments_add_refuses_bad_descriptors(struct scene *scene)
{
    const plx_socket bad[] = {PLX_BAD_SOCKET,          (plx_socket)-2, (plx_socket)INT_MIN,
                              (plx_socket)INT_MAX - 1, 1 << 20,        closed_number(scene)};
    plx_watcher *watcher = NULL;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        CHECK_CODE(plx_context_add(scene->context, plx_fd(bad[i]), PLX_READ, NULL, &watcher),
                   PLX_ERR_BADHANDLE);
    CHECK(watcher == NULL);
    CHECK_EQUAL(plx_context_count(scene->context), 0);
    EXPECT_QUIET(scene);
}

void arguments_add_refuses_what_cannot_be_polled(struct scene *scene)
{
    int code = tolerance_sockets_alone(scene->backend) ? PLX_ERR_NOSUPPORT : PLX_ERR_BADHANDLE;

    CHECK_CODE(plx_context_add(scene->context, plx_fd(path_only(scene)), PLX_READ, NULL, NULL),
               code);
    EXPECT_QUIET(scene);
}

static plx_socket no_descriptor(void *object)
{
    (void)object;
    return PLX_BAD_SOCKET;
}

void arguments_add_refuses_malformed_handles(struct scene *scene)
{
    plx_handle_ops without_fd = {sizeof(plx_handle_ops), NULL, NULL, NULL, NULL};
    plx_handle_ops too_small = {sizeof(size_t), no_descriptor, NULL, NULL, NULL};
    plx_handle good = plx_fd(stream_pair(scene).here);
    plx_handle bad[] = {good,
                        good,
                        good,
                        plx_custom(NULL, scene),
                        plx_custom(&without_fd, scene),
                        plx_custom(&too_small, scene),
                        plx_watcher_handle(NULL)};

    bad[0].kind = 0;
    bad[1].kind = 77;
    bad[2].reserved = 1;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        CHECK_CODE(plx_context_add(scene->context, bad[i], PLX_READ, NULL, NULL), PLX_ERR_INVALID);
    CHECK_EQUAL(plx_context_count(scene->context), 0);
    EXPECT_QUIET(scene);
}

void arguments_wait_refuses_bad_ones(struct scene *scene)
{
    plx_context *context = scene->context;
    plx_watcher **ready = scene->ready;

    watch(scene, stream_pair(scene).here, PLX_WRITE | PLX_ONESHOT);
    CHECK_CODE(plx_context_wait(context, NULL, 1, 0), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_wait(context, ready, 0, 0), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_wait(context, ready, -1, 0), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_wait(context, ready, INT_MIN, 0), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_wait(context, ready, 1, -2), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_wait(context, ready, 1, PLX_MS(-1)), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_wait(context, ready, 1, INT64_MIN), PLX_ERR_INVALID);
    CHECK_EQUAL(wait_for(scene, PATIENCE), 1);
}

void arguments_null_context(struct scene *scene)
{
    plx_watcher *ready[1];
    plx_socket fd = stream_pair(scene).here;

    plx_context_destroy(NULL);
    CHECK_CODE(plx_context_create(NULL, NULL), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_add(NULL, plx_fd(fd), PLX_READ, NULL, NULL), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_wait(NULL, ready, 1, 0), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_wake(NULL), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_fd(NULL), PLX_ERR_INVALID);
    CHECK_CODE(plx_context_after_fork(NULL), PLX_ERR_INVALID);
    CHECK_EQUAL(plx_context_backend(NULL), PLX_BACKEND_NONE);
    CHECK_EQUAL(plx_context_count(NULL), 0);
    CHECK(plx_context_find(NULL, fd) == NULL);
}

void arguments_null_watcher(struct scene *scene)
{
    (void)scene;
    plx_watcher_set_data(NULL, scene);
    CHECK_CODE(plx_watcher_modify(NULL, PLX_READ), PLX_ERR_INVALID);
    CHECK_CODE(plx_watcher_remove(NULL), PLX_ERR_INVALID);
    CHECK(!plx_watcher_is_active(NULL));
    CHECK_EVENTS(plx_watcher_events(NULL), 0);
    CHECK_EVENTS(plx_watcher_triggered(NULL), 0);
    CHECK(plx_watcher_data(NULL) == NULL);
    CHECK(plx_watcher_context(NULL) == NULL);
    CHECK_EQUAL(plx_watcher_handle(NULL).kind, 0);
}

void arguments_constructors(struct scene *scene)
{
    static const plx_handle_ops ops = {sizeof(plx_handle_ops), no_descriptor, NULL, NULL, NULL};
    plx_handle descriptor = plx_fd(7), custom = plx_custom(&ops, scene);

    CHECK_EQUAL(descriptor.kind, PLX_HANDLE_FD);
    CHECK_EQUAL(descriptor.reserved, 0);
    CHECK_EQUAL(descriptor.as.fd, 7);
    CHECK_EQUAL(custom.kind, PLX_HANDLE_CUSTOM);
    CHECK_EQUAL(custom.reserved, 0);
    CHECK(custom.as.custom.ops == &ops && custom.as.custom.object == scene);
}
