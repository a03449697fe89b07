/* SPDX-License-Identifier: MIT */
/*
 * scenarios.c: short lives of a context, at most 60 public calls each. They are the same on every
 * backend but for what the list of tolerances allows.
 */
#include "runtime.h"
#include "scenarios.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tolerance.h"

#define EVERY_SEAT SEATS
#define A_MOMENT   PLX_US(200)

static void create(struct stage *stage)
{
    stage_create(stage, 0);
    stage_wait(stage, 1, 0);
    stage_destroy(stage);
    stage_create(stage, 200);
    stage_add(stage, 0, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

static void add(struct stage *stage)
{
    static const uint32_t masks[] = {
        PLX_READ, PLX_WRITE, PLX_READ | PLX_WRITE, PLX_WRITE | PLX_ONESHOT, PLX_READ | PLX_RDHUP,
        PLX_ERROR};
    stage_create(stage, 1);
    for (int i = 0; i < 18; i++)
        stage_add(stage, i, plx_fd(stage_event(stage, i % 2)), masks[i % 6], PLX_OK);
    stage_add(stage, 20, plx_fd(stage->seats[3].fd), PLX_READ, PLX_ERR_EXISTS);
    stage_add(stage, 20, plx_fd(-1), PLX_READ, PLX_ERR_BADHANDLE);
    int high = stage_keep(stage, fcntl(stage->seats[1].fd, F_DUPFD_CLOEXEC, 900));
    stage_add(stage, 20, plx_fd(high), PLX_READ, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    for (int i = 0; i < 18; i += 3)
        stage_remove(stage, i);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    for (int i = 0; i < 18; i += 3)
        stage_add(stage, i, plx_fd(stage_event(stage, true)), masks[i % 6], PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

/* Slabs, pages and arrays move while the crowd looks on. */
static void growth(struct stage *stage)
{
    stage_create(stage, 1);
    stage_crowd(stage, 55);
    for (int i = 0; i < 20; i++)
        stage_add(stage, i, plx_fd(stage_event(stage, i % 2)), PLX_READ, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_crowd(stage, 25);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

static void modify(struct stage *stage)
{
    stage_create(stage, 0);
    for (int i = 0; i < 4; i++)
        stage_add(stage, i, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_modify(stage, 0, PLX_WRITE, PLX_OK);
    stage_modify(stage, 1, PLX_READ | PLX_WRITE, PLX_OK);
    stage_modify(stage, 2, PLX_WRITE, PLX_OK);
    stage_modify(stage, 2, PLX_READ, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_modify(stage, 0, 0, PLX_ERR_INVALID);
    stage_modify(stage, 0, PLX_READ, PLX_OK);
    stage_modify(stage, 1, PLX_RDHUP, PLX_OK);
    stage_modify(stage, 3, PLX_ERROR | PLX_HUP, PLX_OK);
    stage_remove(stage, 2);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_modify(stage, 3, PLX_READ, PLX_OK);
    stage_remove(stage, 0);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_modify(stage, 1, PLX_WRITE, PLX_OK);
    stage_modify(stage, 3, PLX_WRITE, PLX_OK);
    stage_destroy(stage);
}

static void wait(struct stage *stage)
{
    stage_create(stage, 0);
    stage_wait(stage, 1, 0);
    stage_wait(stage, 1, A_MOMENT);
    for (int i = 0; i < 3; i++)
        stage_add(stage, i, plx_fd(stage_event(stage, false)), PLX_READ, PLX_OK);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_set_ready(stage->seats[0].fd, true);
    stage_wait(stage, EVERY_SEAT, PLX_FOREVER);
    stage_set_ready(stage->seats[1].fd, true);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_wait(stage, EVERY_SEAT, PLX_FOREVER);
    stage_set_ready(stage->seats[0].fd, false);
    stage_wait(stage, 1, PATIENCE);
    stage_wake(stage);
    stage_wait(stage, 1, PLX_FOREVER);
    stage_remove(stage, 1);
    stage_wake(stage);
    stage_wait(stage, EVERY_SEAT, PLX_FOREVER);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_destroy(stage);
}

static void wake_context(void *context)
{
    plx_context_wake(context);
}

/* A wake that finds the wait asleep writes to the kernel, and the kernel has to be cleared. */
static void wake(struct stage *stage)
{
    stage_create(stage, 0);
    stage_add(stage, 0, plx_fd(stage_event(stage, false)), PLX_READ, PLX_OK);
    for (int i = 0; i < 3; i++) {
        injector_on_sleep(wake_context, stage->context);
        stage_wait(stage, EVERY_SEAT, i == 0 ? PLX_FOREVER : PATIENCE);
        stage_wait(stage, EVERY_SEAT, A_MOMENT);
    }
    stage_set_ready(stage->seats[0].fd, true);
    injector_on_sleep(wake_context, stage->context);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_wake(stage);
    stage_wake(stage);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

static void oneshot(struct stage *stage)
{
    stage_create(stage, 0);
    for (int i = 0; i < 3; i++)
        stage_add(stage, i, plx_fd(stage_event(stage, true)), PLX_READ | PLX_ONESHOT, PLX_OK);
    stage_add(stage, 3, plx_fd(stage_event(stage, false)), PLX_READ | PLX_ONESHOT, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_modify(stage, 0, PLX_READ | PLX_ONESHOT, PLX_OK);
    stage_modify(stage, 1, PLX_READ | PLX_WRITE | PLX_ONESHOT, PLX_OK);
    stage_modify(stage, 3, PLX_READ | PLX_WRITE | PLX_ONESHOT, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_modify(stage, 2, PLX_READ, PLX_OK);
    stage_add(stage, 4, plx_fd(stage->seats[0].fd), PLX_READ, PLX_ERR_EXISTS);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_remove(stage, 0);
    stage_remove(stage, 2);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_destroy(stage);
}

static void edge(struct stage *stage)
{
    stage_create(stage, 0);
    int want = tolerance_refuses_edge(stage->backend) ? PLX_ERR_NOSUPPORT : PLX_OK;
    stage_add(stage, 0, plx_fd(stage_event(stage, true)), PLX_READ | PLX_EDGE, want);
    stage_add(stage, 1, plx_fd(stage_event(stage, false)), PLX_READ, PLX_OK);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_modify(stage, 1, PLX_WRITE | PLX_EDGE, want);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_modify(stage, 1, PLX_WRITE | PLX_EDGE, want);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_modify(stage, 1, PLX_READ, PLX_OK);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_destroy(stage);
}

/* Closed while a duplicate lives, and only then removed: epoll goes on reporting it. */
static void leave_ghost(struct stage *stage, int seat)
{
    int fd = stage->seats[seat].fd;
    stage_keep(stage, dup(fd));
    close(fd);
    stage_forget(stage, fd);
    stage_remove(stage, seat);
}

static void duplicate_trap(struct stage *stage)
{
    stage_create(stage, 0);
    for (int i = 0; i < 4; i++)
        stage_add(stage, i, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_add(stage, 4, plx_fd(stage_event(stage, true)), PLX_READ | PLX_ONESHOT, PLX_OK);
    stage_add(stage, 5, plx_fd(stage_event(stage, false)), PLX_READ | PLX_ONESHOT, PLX_OK);
    leave_ghost(stage, 0);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_set_ready(stage->seats[1].fd, false);
    stage_modify(stage, 2, PLX_WRITE, PLX_OK);
    stage_modify(stage, 4, PLX_READ | PLX_ONESHOT, PLX_OK);
    leave_ghost(stage, 3);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_add(stage, 0, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_remove(stage, 2);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_set_ready(stage->seats[0].fd, false);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_destroy(stage);
}

/* Nothing is ready but a ghost: the wait makes the queue anew and sleeps on. */
static void lone_ghost(struct stage *stage)
{
    stage_create(stage, 0);
    stage_add(stage, 0, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_add(stage, 1, plx_fd(stage_event(stage, false)), PLX_READ, PLX_OK);
    leave_ghost(stage, 0);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_wait(stage, EVERY_SEAT, 0);
    stage_set_ready(stage->seats[1].fd, true);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

/* The number was closed under its watcher and has come back: poll cannot tell. */
static void reused_number(struct stage *stage)
{
    stage_create(stage, 0);
    stage_add(stage, 0, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_add(stage, 1, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    int fd = stage->seats[0].fd;
    stage_keep(stage, dup(fd));
    CHECK(dup3(stage_event(stage, true), fd, O_CLOEXEC) == fd);
    bool is_noticed = tolerance_notices_reuse(stage->backend);
    if (is_noticed)
        stage->seats[0].watcher = NULL; /* to be retired by the add */
    stage_add(stage, 2, plx_fd(fd), PLX_READ, is_noticed ? PLX_OK : PLX_ERR_EXISTS);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

/* The number was closed and removed, and then the same file came back to it. */
static void returned_number(struct stage *stage)
{
    stage_create(stage, 0);
    stage_add(stage, 0, plx_fd(stage_event(stage, true)), PLX_READ | PLX_ONESHOT, PLX_OK);
    stage_add(stage, 1, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    int fd = stage->seats[0].fd;
    int other = stage_keep(stage, dup(fd));
    close(fd);
    stage_remove(stage, 0);
    CHECK(dup3(other, fd, O_CLOEXEC) == fd);
    stage_add(stage, 0, plx_fd(fd), PLX_READ, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_remove(stage, 0);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

static void live_as_child(struct stage *stage)
{
    plx_watcher *ready[1];
    CHECK_CODE(plx_context_wait(stage->context, ready, 1, 0), PLX_ERR_FORKED);
    CHECK_CODE(plx_watcher_modify(stage->seats[0].watcher, PLX_READ), PLX_ERR_FORKED);
    stage_after_fork(stage);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_add(stage, 4, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_modify(stage, 1, PLX_READ | PLX_WRITE, PLX_OK);
    stage_remove(stage, 0);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    injector_on_sleep(wake_context, stage->context);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

static void fork_and_go_on(struct stage *stage)
{
    stage_create(stage, 0);
    for (int i = 0; i < 3; i++)
        stage_add(stage, i, plx_fd(stage_event(stage, i % 2 == 0)), PLX_READ, PLX_OK);
    stage_add(stage, 3, plx_fd(stage_event(stage, true)), PLX_READ | PLX_ONESHOT, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_modify(stage, 3, PLX_READ | PLX_ONESHOT, PLX_OK);
    stage_in_child(stage, live_as_child);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_remove(stage, 0);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

/* The child is known by a handler that runs after fork, as on old kernels. */
static void fork_without_wipe(struct stage *stage)
{
    injector_forget_wipe();
    fork_and_go_on(stage);
}

static void fork_destroy(struct stage *stage)
{
    stage_create(stage, 0);
    stage_add(stage, 0, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_add(stage, 1, plx_fd(stage_event(stage, true)), PLX_READ | PLX_ONESHOT, PLX_OK);
    stage_in_child(stage, stage_destroy);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

static bool shows(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    CHECK(poll(&entry, 1, 0) >= 0);
    return entry.revents & POLLIN;
}

/*
 * The descriptor that plx_context_fd() gave shows what a wait would find, a refusal included; then
 * the undisturbed run may differ.
 */
static void note_shown(struct stage *stage, int fd)
{
    if (fd < 0)
        return;
    bool is_refused = stage->trial->refused_count > 0;
    bool is_vague = is_refused || stage->trial->is_owing;
    CHECK(shows(fd) || !is_refused);
    stage_note(stage, "shows %c", is_vague ? LOG_ANY : shows(fd) ? '1' : '0');
}

static int regular(struct stage *stage)
{
    return stage_keep(stage, memfd_create("regular", MFD_CLOEXEC));
}

static void nest(struct stage *stage)
{
    stage_create(stage, 0);
    for (int i = 0; i < 3; i++)
        stage_add(stage, i, plx_fd(stage_event(stage, i == 0)), PLX_READ, PLX_OK);
    stage_modify(stage, 0, PLX_RDHUP, PLX_OK);
    stage_wake(stage);
    int fd = stage_fd(stage);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    note_shown(stage, fd);
    stage_modify(stage, 0, PLX_READ, PLX_OK);
    note_shown(stage, fd);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_modify(stage, 0, PLX_RDHUP, PLX_OK);
    note_shown(stage, fd);
    stage_wake(stage);
    note_shown(stage, fd);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    note_shown(stage, fd);
    stage_add(stage, 3, plx_fd(regular(stage)), PLX_READ, PLX_OK);
    stage_modify(stage, 3, PLX_RDHUP, PLX_OK);
    note_shown(stage, fd);
    stage_modify(stage, 3, PLX_READ, PLX_OK);
    note_shown(stage, fd);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    note_shown(stage, fd);
    stage_remove(stage, 3);
    note_shown(stage, fd);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_destroy(stage);
}

/* The queue is made anew beneath the nested descriptor. */
static void nested_ghost(struct stage *stage)
{
    stage_create(stage, 0);
    int fd = stage_fd(stage);
    for (int i = 0; i < 2; i++)
        stage_add(stage, i, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    leave_ghost(stage, 0);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_set_ready(stage->seats[1].fd, false);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    note_shown(stage, fd);
    stage_set_ready(stage->seats[1].fd, true);
    note_shown(stage, fd);
    CHECK_EQUAL(stage_fd(stage), fd);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

static void nest_anew_as_child(struct stage *stage)
{
    stage_after_fork(stage);
    stage->is_nested = false;
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    int fd = stage_fd(stage);
    note_shown(stage, fd);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

static void nested_fork(struct stage *stage)
{
    stage_create(stage, 0);
    stage_add(stage, 0, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    int fd = stage_fd(stage);
    stage_in_child(stage, nest_anew_as_child);
    note_shown(stage, fd);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

/* --- Custom handles --- */

struct object {
    struct stage *stage;
    int fd;
    bool is_invalid;
    bool has_buffered;
};

static int get_fd(void *object)
{
    return ((struct object *)object)->fd;
}

static bool is_valid(void *object)
{
    return !((struct object *)object)->is_invalid;
}

static bool has_buffered(void *object)
{
    return ((struct object *)object)->has_buffered;
}

static void cleanup(void *object)
{
    ((struct object *)object)->stage->custom_cleaned++;
}

static const plx_handle_ops ops = {sizeof(plx_handle_ops), get_fd, is_valid, has_buffered, cleanup};

static void custom(struct stage *stage)
{
    struct object objects[4] = {{stage, stage_event(stage, true), false, true},
                                {stage, stage_event(stage, false), false, true},
                                {stage, stage_event(stage, false), false, false},
                                {stage, stage_event(stage, true), true, false}};
    stage_create(stage, 1);
    for (int i = 0; i < 4; i++)
        stage_add(stage, i, plx_custom(&ops, &objects[i]), PLX_READ,
                  i == 3 ? PLX_ERR_BADHANDLE : PLX_OK);
    stage_add(stage, 4, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    objects[0].has_buffered = false;
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_modify(stage, 1, PLX_READ | PLX_ONESHOT, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_remove(stage, 0);
    objects[2].has_buffered = true;
    stage_modify(stage, 2, PLX_READ | PLX_WRITE, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    objects[3].is_invalid = false;
    stage_add(stage, 0, plx_custom(&ops, &objects[3]), PLX_READ | PLX_ONESHOT, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_remove(stage, 0);
    stage_destroy(stage);
}

/* Reports from buffers take all the room: the kernel is asked about each of them alone. */
static void full_room(struct stage *stage)
{
    struct object objects[2] = {{stage, stage_event(stage, false), false, true},
                                {stage, stage_event(stage, false), false, true}};
    stage_create(stage, 0);
    stage_add(stage, 0, plx_custom(&ops, &objects[0]), PLX_READ | PLX_WRITE, PLX_OK);
    for (int i = 0; i < 4; i++)
        stage_wait(stage, 1, PATIENCE);
    for (int i = 0; i < 2; i++) {
        stage_modify(stage, 0, PLX_READ | PLX_WRITE | PLX_ONESHOT, PLX_OK);
        stage_wait(stage, 1, PATIENCE);
        stage_wait(stage, 1, A_MOMENT);
    }
    stage_modify(stage, 0, PLX_READ | PLX_WRITE, PLX_OK);
    stage_add(stage, 1, plx_custom(&ops, &objects[1]), PLX_READ | PLX_WRITE, PLX_OK);
    for (int i = 0; i < 4; i++)
        stage_wait(stage, 2, PATIENCE);
    for (int i = 0; i < 2; i++)
        stage_modify(stage, i, PLX_READ, PLX_OK);
    for (int i = 0; i < 2; i++)
        stage_wait(stage, 2, PATIENCE);
    stage_destroy(stage);
}

static void files(struct stage *stage)
{
    stage_create(stage, 1);
    stage_add(stage, 0, plx_fd(regular(stage)), PLX_READ, PLX_OK);
    stage_add(stage, 1, plx_fd(regular(stage)), PLX_READ | PLX_WRITE | PLX_ONESHOT, PLX_OK);
    stage_add(stage, 2, plx_fd(stage_keep(stage, open("/dev/null", O_RDWR | O_CLOEXEC))), PLX_WRITE,
              PLX_OK);
    stage_add(stage, 3, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_add(stage, 4, plx_fd(stage->seats[0].fd), PLX_READ, PLX_ERR_EXISTS);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_modify(stage, 1, PLX_READ | PLX_ONESHOT, PLX_OK);
    stage_modify(stage, 2, PLX_RDHUP, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_remove(stage, 0);
    stage_add(stage, 0, plx_fd(regular(stage)), PLX_READ, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_destroy(stage);
}

static void close_watched(struct stage *stage)
{
    stage_create(stage, 0);
    for (int i = 0; i < 3; i++)
        stage_add(stage, i, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_add(stage, 3, plx_fd(regular(stage)), PLX_READ, PLX_OK);
    stage_close(stage, stage->seats[0].fd, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_add(stage, 0, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_close(stage, stage_event(stage, true), PLX_OK);
    stage_close(stage, -1, PLX_ERR_BADHANDLE);
    stage_close(stage, stage->seats[3].fd, PLX_OK);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    stage_close(stage, stage->seats[1].fd, PLX_OK);
    stage_close(stage, stage->seats[2].fd, PLX_OK);
    stage_close(stage, stage->seats[0].fd, PLX_OK);
    stage_wait(stage, EVERY_SEAT, A_MOMENT);
    stage_destroy(stage);
}

/* Everything that can be left to destroy. */
static void destroy(struct stage *stage)
{
    struct object object = {stage, stage_event(stage, true), false, true};
    struct object other = {stage, stage_event(stage, true), false, true};
    stage_create(stage, 0);
    stage_add(stage, 0, plx_custom(&ops, &object), PLX_READ, PLX_OK);
    stage_add(stage, 1, plx_custom(&ops, &other), PLX_READ | PLX_ONESHOT, PLX_OK);
    stage_add(stage, 2, plx_fd(regular(stage)), PLX_READ, PLX_OK);
    stage_add(stage, 3, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_add(stage, 4, plx_fd(stage_event(stage, true)), PLX_READ, PLX_OK);
    stage_fd(stage);
    stage_wait(stage, EVERY_SEAT, PATIENCE);
    leave_ghost(stage, 3);
    stage_remove(stage, 0);
    stage_modify(stage, 4, PLX_WRITE, PLX_OK);
    stage_wake(stage);
    stage_destroy(stage);
}

const struct scenario scenarios[] = {
    {"create", create},
    {"add", add},
    {"growth", growth},
    {"modify", modify},
    {"wait", wait},
    {"wake", wake},
    {"oneshot", oneshot},
    {"edge", edge},
    {"duplicate_trap", duplicate_trap},
    {"lone_ghost", lone_ghost},
    {"reused_number", reused_number},
    {"returned_number", returned_number},
    {"fork", fork_and_go_on},
    {"fork_without_wipe", fork_without_wipe},
    {"fork_destroy", fork_destroy},
    {"nest", nest},
    {"nested_ghost", nested_ghost},
    {"nested_fork", nested_fork},
    {"custom", custom},
    {"full_room", full_room},
    {"files", files},
    {"close", close_watched},
    {"destroy", destroy},
    {"timers", scenario_timers},
    {"nested_timers", scenario_nested_timers},
    {"notify", scenario_notify},
    {"loop", scenario_loop},
    {"nested_loop", scenario_nested_loop},
    {"signals", scenario_signals},
    {"processes", scenario_processes},
    {"fork_runtime", scenario_fork_runtime},
};

const size_t scenario_count = COUNT_OF(scenarios);
