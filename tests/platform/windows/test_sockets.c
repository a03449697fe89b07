/* SPDX-License-Identifier: MIT */
/* test_sockets.c: a SOCKET is 64 bits wide, and no small number. */
#include "rig.h"

/* They differ in their upper halves alone. As an int they would be one, and some of them negative.
 */
static plx_socket wide(size_t number)
{
    return (plx_socket)((number + 1) * (number + 1) * 7919) << 32 | 0x80000104;
}

void sockets_of_any_number_are_told_apart(struct rig *rig)
{
    struct plx__target *targets[3];

    rig_queue(rig, 8);
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        kernel_play(wide(i), 0);
        targets[i] = rig_add(rig, wide(i), PLX_READ);
    }
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        kernel_play(wide(i), POLLRDNORM);
        CHECK_EVENTS(rig_facts(rig, targets[i]), PLX_READ);
        kernel_play(wide(i), 0);
    }
}

void sockets_of_any_number_are_watchers(struct rig *rig)
{
    plx_context *context = rig->scene->context;
    plx_watcher *watchers[KERNEL_PLAYED], *ready[4];

    for (size_t i = 0; i < COUNT_OF(watchers); i++) {
        kernel_play(wide(i), 0);
        CHECK_OK(plx_context_add(context, plx_fd(wide(i)), PLX_READ, NULL, &watchers[i]));
        CHECK_CODE(plx_context_add(context, plx_fd(wide(i)), PLX_READ, NULL, NULL), PLX_ERR_EXISTS);
    }
    for (size_t i = 0; i < COUNT_OF(watchers); i++) {
        CHECK(plx_context_find(context, wide(i)) == watchers[i]);
        CHECK(plx_context_find(context, wide(i) & 0xFFFFFFFF) == NULL);
        CHECK(plx_watcher_handle(watchers[i]).as.fd == wide(i));
        kernel_play(wide(i), POLLRDNORM);
        CHECK_EQUAL(plx_context_wait(context, ready, 4, 0), 1);
        CHECK(ready[0] == watchers[i]);
        CHECK_OK(plx_watcher_remove(watchers[i]));
        CHECK(plx_context_find(context, wide(i)) == NULL);
    }
}

/* The table of sockets: whoever is in it is found, and nobody else. */
void sockets_by_the_thousand_come_and_go(struct rig *rig)
{
    enum { COUNT = 1000 };
    static plx_socket fds[COUNT];
    static plx_watcher *watchers[COUNT];
    plx_context *context = rig->scene->context;

    ready_descriptors(rig->scene, fds, COUNT);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            if (!watchers[i])
                CHECK_OK(plx_context_add(context, plx_fd(fds[i]), PLX_READ, NULL, &watchers[i]));
        }
        for (int i = 0; i < COUNT; i++) {
            CHECK(plx_context_find(context, fds[i]) == watchers[i]);
            CHECK(plx_context_find(context, fds[i] + 1) == NULL);
        }
        for (int i = round; i < COUNT; i += round + 1) {
            CHECK_OK(plx_watcher_remove(watchers[i]));
            watchers[i] = NULL;
            CHECK(plx_context_find(context, fds[i]) == NULL);
        }
    }
}

void other_handles_are_no_sockets(struct rig *rig)
{
    HANDLE event = CreateEventW(NULL, TRUE, TRUE, NULL);
    const HANDLE others[] = {event, GetStdHandle(STD_OUTPUT_HANDLE)};

    rig_queue(rig, 8);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct plx__target *target = rig_target(rig, (plx_socket)others[i]);

        CHECK_CODE(rig->backend->add(rig->queue, target, PLX_READ), PLX_ERR_NOSUPPORT);
    }
    CloseHandle(event);
    CHECK_CODE(rig->backend->add(rig->queue, rig_target(rig, (plx_socket)event), PLX_READ),
               PLX_ERR_BADHANDLE);
}
