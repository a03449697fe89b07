/* SPDX-License-Identifier: MIT */
/* custom.c: handles with functions of their own: what they are asked, when, and how often. */
#include <stddef.h>

#include "cases.h"

/* An object that keeps book of every question. */
struct gadget {
    plx_socket fd;
    bool valid;
    bool buffered;
    int asked_valid;
    int asked_fd;
    int asked_buffered;
    int cleaned;
    plx_context *context; /* to be called back from inside, where a case wants to try that */
    plx_watcher *timer;   /* to be removed by cleanup, where a case wants to try that */
    int inner_code;
};

static plx_socket gadget_fd(void *object)
{
    struct gadget *gadget = object;

    gadget->asked_fd++;
    return gadget->fd;
}

static bool gadget_is_valid(void *object)
{
    struct gadget *gadget = object;

    gadget->asked_valid++;
    return gadget->valid;
}

static bool gadget_has_buffered(void *object)
{
    struct gadget *gadget = object;
    plx_watcher *ready[1];

    gadget->asked_buffered++;
    if (gadget->context)
        gadget->inner_code = plx_context_wait(gadget->context, ready, 1, 0);
    return gadget->buffered;
}

static void gadget_cleanup(void *object)
{
    struct gadget *gadget = object;

    gadget->cleaned++;
    if (gadget->timer)
        gadget->inner_code = plx_watcher_remove(gadget->timer);
}

static const plx_handle_ops gadget_ops = {sizeof(plx_handle_ops), gadget_fd, gadget_is_valid,
                                          gadget_has_buffered, gadget_cleanup};

static struct gadget gadget_of(plx_socket fd)
{
    struct gadget gadget = {fd, true, false, 0, 0, 0, 0, NULL, NULL, 0};

    return gadget;
}

static plx_watcher *watch_gadget(struct scene *scene, struct gadget *gadget, uint32_t events)
{
    plx_watcher *watcher = NULL;

    CHECK_OK(
        plx_context_add(scene->context, plx_custom(&gadget_ops, gadget), events, NULL, &watcher));
    return watcher;
}

/* Gadgets live in their case, and cleanup wants them: the watchers go before the case returns. */
static void end(struct scene *scene)
{
    plx_context_destroy(scene->context);
    scene->context = NULL;
}

void custom_is_asked_once_at_add(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    struct gadget gadget = gadget_of(ends.here);
    plx_watcher *watcher = watch_gadget(scene, &gadget, PLX_READ);
    plx_handle handle = plx_watcher_handle(watcher);

    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_OK(plx_watcher_modify(watcher, PLX_WRITE));
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    CHECK_EQUAL(gadget.asked_valid, 1);
    CHECK_EQUAL(gadget.asked_fd, 1);
    CHECK_EQUAL(handle.kind, PLX_HANDLE_CUSTOM);
    CHECK(handle.as.custom.ops == &gadget_ops && handle.as.custom.object == &gadget);
    CHECK(plx_context_find(scene->context, ends.here) == watcher);
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_QUIET(scene);
    CHECK_EQUAL(gadget.cleaned, 1);
    end(scene);
}

void custom_needs_only_a_descriptor(struct scene *scene)
{
    const plx_handle_ops bare = {sizeof(plx_handle_ops), gadget_fd, NULL, NULL, NULL};
    struct ends ends = stream_pair(scene);
    struct gadget gadget = gadget_of(ends.here);
    plx_watcher *watcher = NULL;

    CHECK_OK(plx_context_add(scene->context, plx_custom(&bare, &gadget), PLX_READ, NULL, &watcher));
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_QUIET(scene);
    end(scene);
}

/* A table from a release that knew less: what lies beyond its size is not looked at. */
void custom_short_table(struct scene *scene)
{
    plx_handle_ops ops = gadget_ops;
    struct gadget gadget = gadget_of(stream_pair(scene).here);
    plx_watcher *watcher = NULL;

    ops.size = offsetof(plx_handle_ops, is_valid);
    gadget.valid = false;
    gadget.buffered = true;
    CHECK_OK(plx_context_add(scene->context, plx_custom(&ops, &gadget), PLX_READ, NULL, &watcher));
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_QUIET(scene);
    CHECK_EQUAL(gadget.asked_valid + gadget.asked_buffered + gadget.cleaned, 0);
    end(scene);
}

static void expect_refused(struct scene *scene, struct gadget *gadget, uint32_t events, int code)
{
    plx_watcher *watcher = NULL;

    CHECK_CODE(
        plx_context_add(scene->context, plx_custom(&gadget_ops, gadget), events, NULL, &watcher),
        code);
    CHECK(watcher == NULL);
    EXPECT_QUIET(scene);
    CHECK_EQUAL(gadget->cleaned, 0);
}

void custom_refused_stays_the_callers(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    struct gadget invalid = gadget_of(ends.here), empty = gadget_of(PLX_BAD_SOCKET);
    struct gadget closed = gadget_of(closed_number(scene)), good = gadget_of(ends.here);

    invalid.valid = false;
    expect_refused(scene, &invalid, PLX_READ, PLX_ERR_BADHANDLE);
    expect_refused(scene, &empty, PLX_READ, PLX_ERR_BADHANDLE);
    expect_refused(scene, &closed, PLX_READ, PLX_ERR_BADHANDLE);
    expect_refused(scene, &good, 0, PLX_ERR_INVALID);
    expect_refused(scene, &good, PLX_TIMER, PLX_ERR_INVALID);
    watch(scene, ends.here, PLX_READ);
    expect_refused(scene, &good, PLX_READ, PLX_ERR_EXISTS);
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    end(scene);
}

void custom_cleanup_waits_for_the_next_wait(struct scene *scene)
{
    struct gadget gadget = gadget_of(stream_pair(scene).here);
    plx_watcher *watcher = watch_gadget(scene, &gadget, PLX_WRITE);

    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    CHECK_OK(plx_watcher_remove(watcher));
    CHECK_EQUAL(gadget.cleaned, 0);
    look(scene);
    CHECK_EQUAL(gadget.cleaned, 1);
    look(scene);
    CHECK_EQUAL(gadget.cleaned, 1);
    end(scene);
}

void custom_cleanup_after_close(struct scene *scene)
{
    struct gadget gadget = gadget_of(stream_pair(scene).here);

    watch_gadget(scene, &gadget, PLX_READ);
    scene_forget(scene, gadget.fd);
    CHECK_OK(plx_context_close(scene->context, gadget.fd));
    CHECK_EQUAL(gadget.cleaned, 0);
    look(scene);
    CHECK_EQUAL(gadget.cleaned, 1);
    end(scene);
}

void custom_cleanup_in_destroy(struct scene *scene)
{
    plx_context *context = another_context(scene);
    struct gadget active = gadget_of(stream_pair(scene).here);
    struct gadget removed = gadget_of(stream_pair(scene).here);
    plx_watcher *watcher = NULL;

    CHECK_OK(plx_context_add(context, plx_custom(&gadget_ops, &active), PLX_READ, NULL, NULL));
    CHECK_OK(plx_context_add(context, plx_custom(&gadget_ops, &removed), PLX_READ, NULL, &watcher));
    CHECK_OK(plx_watcher_remove(watcher));
    plx_context_destroy(context);
    CHECK_EQUAL(active.cleaned, 1);
    CHECK_EQUAL(removed.cleaned, 1);
    end(scene);
}

void custom_cleanup_once_for_each_add(struct scene *scene)
{
    struct gadget gadget = gadget_of(stream_pair(scene).here);

    for (int i = 0; i < 3; i++)
        CHECK_OK(plx_watcher_remove(watch_gadget(scene, &gadget, PLX_READ)));
    look(scene);
    CHECK_EQUAL(gadget.cleaned, 3);
    end(scene);
}

/* It may not, and is easily written: a connection that takes its idle timeout along. */
void custom_cleanup_that_removes_a_timer(struct scene *scene)
{
    struct ends ends = stream_pair(scene), busy = stream_pair(scene);
    struct gadget gadget = gadget_of(ends.here);
    plx_watcher *watcher = watch_gadget(scene, &gadget, PLX_READ);
    plx_watcher *reader = watch(scene, busy.here, PLX_READ);

    CHECK_OK(plx_context_add(scene->context, plx_timer(PLX_SECONDS(3600), 0), PLX_TIMER, NULL,
                             &gadget.timer));
    CHECK_OK(plx_watcher_remove(watcher));
    say(&busy);
    EXPECT_REPORT(scene, reader, PLX_READ);
    CHECK_EQUAL(gadget.cleaned, 1);
    CHECK_OK(gadget.inner_code);
    CHECK(!plx_watcher_is_active(gadget.timer));
    EXPECT_REPORT(scene, reader, PLX_READ);
    EXPECT_REPORT(scene, reader, PLX_READ);
    CHECK_EQUAL(plx_context_count(scene->context), 1);
    end(scene);
}

void custom_cleanup_of_a_retired_watcher(struct scene *scene)
{
    struct ends first = stream_pair(scene), second = stream_pair(scene);
    struct gadget gadget = gadget_of(first.here);

    if (!tolerance_notices_reuse(scene->backend))
        check_skip("the backend cannot tell that a number was reused");
    watch_gadget(scene, &gadget, PLX_READ);
    move_to(scene, second.here, first.here);
    watch(scene, first.here, PLX_READ);
    look(scene);
    CHECK_EQUAL(gadget.cleaned, 1);
    end(scene);
}

void buffered_is_reported_at_once(struct scene *scene)
{
    struct gadget gadget = gadget_of(stream_pair(scene).here);
    plx_watcher *watcher;

    gadget.buffered = true;
    watcher = watch_gadget(scene, &gadget, PLX_READ);
    CHECK_EQUAL(wait_for(scene, PLX_FOREVER), 1);
    CHECK(scene->ready[0] == watcher);
    CHECK_EVENTS(plx_watcher_triggered(watcher), PLX_READ);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    gadget.buffered = false;
    EXPECT_QUIET(scene);
    end(scene);
}

void buffered_merges_with_the_descriptor(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    struct gadget gadget = gadget_of(ends.here);
    plx_watcher *watcher;

    gadget.buffered = true;
    watcher = watch_gadget(scene, &gadget, PLX_READ | PLX_WRITE | PLX_RDHUP);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_WRITE);
    there_hangs_up(scene, &ends);
    EXPECT_HANGUP(scene, watcher, PLX_READ | PLX_WRITE | PLX_RDHUP);
    end(scene);
}

void buffered_question_follows_add_modify_and_report(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    struct gadget gadget = gadget_of(ends.here);
    plx_watcher *watcher = watch_gadget(scene, &gadget, PLX_READ);

    EXPECT_QUIET(scene);
    CHECK_EQUAL(gadget.asked_buffered, 1);
    EXPECT_QUIET(scene);
    CHECK_EQUAL(gadget.asked_buffered, 1);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_QUIET(scene);
    CHECK_EQUAL(gadget.asked_buffered, 2);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_EQUAL(gadget.asked_buffered, 2);
    drain(ends.here);
    EXPECT_QUIET(scene);
    CHECK_EQUAL(gadget.asked_buffered, 3);
    EXPECT_QUIET(scene);
    CHECK_EQUAL(gadget.asked_buffered, 3);
    end(scene);
}

void buffered_filled_later_needs_modify(struct scene *scene)
{
    struct gadget gadget = gadget_of(stream_pair(scene).here);
    plx_watcher *watcher = watch_gadget(scene, &gadget, PLX_READ);

    EXPECT_QUIET(scene);
    gadget.buffered = true;
    EXPECT_QUIET(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_REPORT(scene, watcher, PLX_READ);
    end(scene);
}

/* Reading from the descriptor filled the object's own buffer, as TLS does with a large record. */
void buffered_after_a_report_of_the_descriptor(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    struct gadget gadget = gadget_of(ends.here);
    plx_watcher *watcher = watch_gadget(scene, &gadget, PLX_READ);

    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    drain(ends.here);
    gadget.buffered = true;
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    gadget.buffered = false;
    EXPECT_QUIET(scene);
    end(scene);
}

void buffered_is_no_matter_of_writers_and_edges(struct scene *scene)
{
    struct gadget gadget = gadget_of(stream_pair(scene).here);
    plx_watcher *watcher;

    gadget.buffered = true;
    watcher = watch_gadget(scene, &gadget, PLX_WRITE);
    EXPECT_REPORT(scene, watcher, PLX_WRITE);
    CHECK_OK(plx_watcher_modify(watcher, PLX_ERROR));
    EXPECT_QUIET(scene);
    if (!tolerance_refuses_edge(scene->backend)) {
        CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_EDGE));
        EXPECT_QUIET(scene);
    }
    CHECK_EQUAL(gadget.asked_buffered, 0);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ));
    EXPECT_REPORT(scene, watcher, PLX_READ);
    end(scene);
}

void buffered_oneshot_is_disarmed(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    struct gadget gadget = gadget_of(ends.here);
    plx_watcher *watcher;

    gadget.buffered = true;
    watcher = watch_gadget(scene, &gadget, PLX_READ | PLX_ONESHOT);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    EXPECT_QUIET(scene);
    say(&ends);
    EXPECT_NO_SPIN(scene);
    CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_WRITE | PLX_ONESHOT));
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_WRITE);
    EXPECT_QUIET(scene);
    end(scene);
}

void buffered_removed_is_not_asked(struct scene *scene)
{
    struct gadget gadget = gadget_of(stream_pair(scene).here);

    gadget.buffered = true;
    CHECK_OK(plx_watcher_remove(watch_gadget(scene, &gadget, PLX_READ)));
    EXPECT_QUIET(scene);
    CHECK_EQUAL(gadget.asked_buffered, 0);
    CHECK_EQUAL(gadget.cleaned, 1);
    end(scene);
}

void buffered_many_with_small_capacity(struct scene *scene)
{
    enum { GADGETS = 10 };
    struct gadget gadgets[GADGETS];
    plx_watcher *watchers[GADGETS];

    for (int i = 0; i < GADGETS; i++) {
        gadgets[i] = gadget_of(stream_pair(scene).here);
        gadgets[i].buffered = true;
        watchers[i] = watch_gadget(scene, &gadgets[i], PLX_READ);
    }
    for (int round = 0; round < 8; round++) {
        CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 3, PATIENCE), 3);
        for (int i = 0; i < 3; i++)
            plx_watcher_set_data(scene->ready[i], scene);
    }
    for (int i = 0; i < GADGETS; i++)
        CHECK(plx_watcher_data(watchers[i]) == scene);
    end(scene);
}

void buffered_oneshots_with_small_capacity(struct scene *scene)
{
    enum { GADGETS = 5 };
    struct gadget gadgets[GADGETS];

    for (int i = 0; i < GADGETS; i++) {
        gadgets[i] = gadget_of(stream_pair(scene).here);
        gadgets[i].buffered = true;
        watch_gadget(scene, &gadgets[i], PLX_READ | PLX_ONESHOT);
    }
    for (int i = 0; i < GADGETS; i++) {
        CHECK_EQUAL(plx_context_wait(scene->context, scene->ready, 1, PATIENCE), 1);
        CHECK(plx_watcher_data(scene->ready[0]) == NULL);
        plx_watcher_set_data(scene->ready[0], scene);
    }
    EXPECT_QUIET(scene);
    end(scene);
}

void buffered_over_a_file(struct scene *scene)
{
    struct gadget gadget = gadget_of(regular_file(scene));
    plx_watcher *watcher;

    gadget.buffered = true;
    watcher = watch_gadget(scene, &gadget, PLX_READ | PLX_WRITE);
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_WRITE);
    gadget.buffered = false;
    EXPECT_REPORT(scene, watcher, PLX_READ | PLX_WRITE);
    end(scene);
}

void buffered_function_may_not_wait(struct scene *scene)
{
    struct gadget gadget = gadget_of(stream_pair(scene).here);

    gadget.context = scene->context;
    watch_gadget(scene, &gadget, PLX_READ);
    EXPECT_QUIET(scene);
    CHECK_EQUAL(gadget.asked_buffered, 1);
    CHECK_CODE(gadget.inner_code, PLX_ERR_BUSY);
    end(scene);
}
