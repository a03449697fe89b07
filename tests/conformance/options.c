/* SPDX-License-Identifier: MIT */
/* options.c: making contexts: backends by number, name and environment; sizes; memory. */
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

#define VARIABLE "POLLUX_BACKEND"
#define BACKENDS 8

static const plx_backend all_backends[] = {PLX_BACKEND_AUTO,        PLX_BACKEND_POLL,
                                           PLX_BACKEND_EPOLL,       PLX_BACKEND_KQUEUE,
                                           PLX_BACKEND_EVENT_PORTS, PLX_BACKEND_WSAPOLL};

static const char *const all_names[] = {"auto",   "poll",        "epoll",
                                        "kqueue", "event_ports", "wsapoll"};

/* The backend of a context made with these options, or what create says. */
static int backend_made(const plx_context_options *options)
{
    plx_context *context = NULL;
    int code = plx_context_create(&context, options);

    if (code == PLX_OK)
        code = (int)plx_context_backend(context);
    else
        CHECK(context == NULL);
    plx_context_destroy(context);
    return code;
}

static int backend_made_by_number(int backend)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;

    options.backend = (plx_backend)backend;
    return backend_made(&options);
}

/* What this machine does with no wish at all. */
static int backend_by_default(void)
{
    environment_set(VARIABLE, NULL);
    return backend_made(NULL);
}

static plx_backend some_missing_backend(void)
{
    for (size_t i = 1; i < COUNT_OF(all_backends); i++) {
        if (!plx_backend_is_available(all_backends[i]))
            return all_backends[i];
    }
    return PLX_BACKEND_NONE;
}

void options_backend_is_the_one_asked_for(struct scene *scene)
{
    CHECK_EQUAL(plx_context_backend(scene->context), scene->backend);
    CHECK_EQUAL(backend_made_by_number((int)scene->backend), scene->backend);
}

void options_default_is_the_best(struct scene *scene)
{
    plx_backend best = PLX_BACKEND_NONE;

    (void)scene;
    CHECK(plx_backend_list(&best, 1) >= 1);
    CHECK_EQUAL(backend_by_default(), best);
    CHECK_EQUAL(backend_made_by_number(PLX_BACKEND_AUTO), best);
}

void options_unknown_backends_are_refused(struct scene *scene)
{
    (void)scene;
    CHECK_CODE(backend_made_by_number(PLX_BACKEND_NONE), PLX_ERR_INVALID);
    CHECK(backend_made_by_number(99) < 0);
    CHECK(backend_made_by_number(-3) < 0);
    CHECK_CODE(backend_made_by_number((int)some_missing_backend()), PLX_ERR_UNAVAILABLE);
}

void options_environment_decides_for_auto(struct scene *scene)
{
    environment_set(VARIABLE, plx_backend_name(scene->backend));
    CHECK_EQUAL(backend_made(NULL), scene->backend);
    CHECK_EQUAL(backend_made_by_number(PLX_BACKEND_AUTO), scene->backend);
    CHECK(plx_backend_is_available(PLX_BACKEND_AUTO));
    environment_set(VARIABLE, NULL);
}

void options_environment_does_not_overrule(struct scene *scene)
{
    environment_set(VARIABLE, "no such thing");
    CHECK_EQUAL(backend_made_by_number((int)scene->backend), scene->backend);
    environment_set(VARIABLE, NULL);
}

void options_environment_empty_is_unset(struct scene *scene)
{
    int best = backend_by_default();

    (void)scene;
    environment_set(VARIABLE, "");
    CHECK_EQUAL(backend_made(NULL), best);
    environment_set(VARIABLE, "auto");
    CHECK_EQUAL(backend_made(NULL), best);
    environment_set(VARIABLE, NULL);
}

void options_environment_with_a_wrong_name(struct scene *scene)
{
    static const char *const names[] = {"no such thing", "EPOLL", " poll", "poll ", "none"};

    (void)scene;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        environment_set(VARIABLE, names[i]);
        CHECK_CODE(backend_made(NULL), PLX_ERR_UNAVAILABLE);
    }
    environment_set(VARIABLE, plx_backend_name(some_missing_backend()));
    CHECK_CODE(backend_made(NULL), PLX_ERR_UNAVAILABLE);
    environment_set(VARIABLE, NULL);
}

/* A caller that knew fewer fields: what lies beyond his size is not looked at. */
void options_of_an_older_release(struct scene *scene)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    plx_allocator poison = {NULL, NULL};

    options.backend = PLX_BACKEND_NONE;
    options.allocator = &poison;
    options.size = offsetof(plx_context_options, backend);
    CHECK_EQUAL(backend_made(&options), backend_by_default());
    options.backend = scene->backend;
    options.size = offsetof(plx_context_options, capacity_hint);
    CHECK_EQUAL(backend_made(&options), scene->backend);
    options.capacity_hint = 10;
    options.size = offsetof(plx_context_options, allocator);
    CHECK_EQUAL(backend_made(&options), scene->backend);
}

void options_of_a_newer_release(struct scene *scene)
{
    struct {
        plx_context_options known;
        unsigned char unknown[24];
    } options = {PLX_CONTEXT_OPTIONS_INIT, {0}};

    options.known.size = sizeof options;
    options.known.backend = scene->backend;
    CHECK_EQUAL(backend_made(&options.known), scene->backend);
    for (size_t i = 0; i < sizeof options.unknown; i++) {
        options.unknown[i] = 1;
        CHECK_CODE(backend_made(&options.known), PLX_ERR_INVALID);
        options.unknown[i] = 0;
    }
}

void options_capacity_hint(struct scene *scene)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    plx_context *context = NULL;
    plx_watcher *watcher = NULL, *ready[1];
    struct ends ends = stream_pair(scene);

    options.backend = scene->backend;
    options.capacity_hint = 5000;
    CHECK_OK(plx_context_create(&context, &options));
    CHECK_OK(plx_context_add(context, plx_fd(ends.here), PLX_WRITE, NULL, &watcher));
    CHECK_EQUAL(plx_context_wait(context, ready, 1, PATIENCE), 1);
    CHECK(ready[0] == watcher);
    plx_context_destroy(context);
    options.capacity_hint = SIZE_MAX;
    CHECK_CODE(backend_made(&options), PLX_ERR_NOMEM);
}

/* Every block begins with its size, so that what the library says it was can be checked. */
struct ledger {
    size_t calls;
    size_t blocks;
    size_t wrong_sizes;
    bool refuses;
};

union block {
    size_t size;
    max_align_t align;
};

static void *ledger_resize(void *state, void *block, size_t old_size, size_t new_size)
{
    struct ledger *ledger = state;
    union block *head = block ? (union block *)block - 1 : NULL, *next;

    ledger->calls++;
    ledger->wrong_sizes += old_size != (head ? head->size : 0);
    if (new_size == 0) {
        ledger->blocks -= head != NULL;
        free(head);
        return NULL;
    }
    if (ledger->refuses || new_size > SIZE_MAX / 2)
        return NULL;
    next = realloc(head, sizeof *next + new_size);
    if (!next)
        return NULL;
    ledger->blocks += head == NULL;
    next->size = new_size;
    return next + 1;
}

static plx_context *context_with(struct scene *scene, struct ledger *ledger)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    plx_allocator allocator = {ledger_resize, ledger};
    plx_context *context = NULL;

    options.backend = scene->backend;
    options.allocator = &allocator;
    CHECK_OK(plx_context_create(&context, &options));
    memset(&allocator, 0xff, sizeof allocator);
    return context;
}

void options_allocator_gets_everything_back(struct scene *scene)
{
    struct ledger ledger = {0, 0, 0, false};
    plx_context *context = context_with(scene, &ledger);
    plx_socket fds[200];
    plx_watcher *ready[200];

    CHECK(ledger.blocks > 0);
    ready_descriptors(scene, fds, COUNT_OF(fds));
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        CHECK_OK(plx_context_add(context, plx_fd(fds[i]), PLX_READ, NULL, NULL));
    CHECK_EQUAL(plx_context_wait(context, ready, (int)COUNT_OF(ready), PATIENCE), COUNT_OF(fds));
    for (size_t i = 0; i < COUNT_OF(fds); i += 2)
        CHECK_OK(plx_watcher_remove(ready[i]));
    CHECK_EQUAL(plx_context_wait(context, ready, 1, PATIENCE), 1);
    plx_context_destroy(context);
    CHECK_EQUAL(ledger.blocks, 0);
    CHECK_EQUAL(ledger.wrong_sizes, 0);
}

/* Two rounds of the same: what the first one needed is there for the second. */
void options_allocator_rests_in_the_steady_state(struct scene *scene)
{
    struct ledger ledger = {0, 0, 0, false};
    plx_context *context = context_with(scene, &ledger);
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher = NULL, *ready[8];
    size_t before = 0;

    for (int round = 0; round < 100; round++) {
        if (round == 2)
            before = ledger.calls;
        CHECK_OK(plx_context_add(context, plx_fd(ends.here), PLX_WRITE, NULL, &watcher));
        CHECK_EQUAL(plx_context_wait(context, ready, 8, PATIENCE), 1);
        CHECK_OK(plx_watcher_modify(watcher, PLX_READ | PLX_ONESHOT));
        CHECK_EQUAL(plx_context_wait(context, ready, 8, 0), 0);
        CHECK_OK(plx_watcher_remove(watcher));
    }
    CHECK_EQUAL(ledger.calls, before);
    plx_context_destroy(context);
    CHECK_EQUAL(ledger.blocks, 0);
}

void options_allocator_that_refuses(struct scene *scene)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;
    struct ledger ledger = {0, 0, 0, true};
    plx_allocator allocator = {ledger_resize, &ledger};
    size_t before = open_descriptors();

    options.backend = scene->backend;
    options.allocator = &allocator;
    CHECK_CODE(backend_made(&options), PLX_ERR_NOMEM);
    CHECK(ledger.calls > 0);
    CHECK_EQUAL(ledger.blocks, 0);
    CHECK_EQUAL(open_descriptors(), before);
}

void options_out_of_memory_in_add(struct scene *scene)
{
    struct ledger ledger = {0, 0, 0, false};
    plx_context *context = context_with(scene, &ledger);
    plx_socket fds[300];
    plx_watcher *ready[COUNT_OF(fds)];
    size_t added = 0;
    int code = PLX_OK;

    ready_descriptors(scene, fds, COUNT_OF(fds));
    ledger.refuses = true;
    while (added < COUNT_OF(fds) && code == PLX_OK) {
        code = plx_context_add(context, plx_fd(fds[added]), PLX_READ, NULL, NULL);
        added += code == PLX_OK;
    }
    CHECK_CODE(code, PLX_ERR_NOMEM);
    CHECK_EQUAL(plx_context_count(context), added);
    CHECK(plx_context_find(context, fds[added]) == NULL);
    ledger.refuses = false;
    for (; added < COUNT_OF(fds); added++)
        CHECK_OK(plx_context_add(context, plx_fd(fds[added]), PLX_READ, NULL, NULL));
    CHECK_EQUAL(plx_context_wait(context, ready, (int)COUNT_OF(ready), PATIENCE), added);
    plx_context_destroy(context);
    CHECK_EQUAL(ledger.blocks, 0);
}

void options_out_of_descriptors(struct scene *scene)
{
    struct ends ends = stream_pair(scene);
    plx_watcher *watcher;
    int code;

    use_up_descriptors(scene);
    code = backend_made_by_number((int)scene->backend);
    CHECK_CODE(code, PLX_ERR_TOOBIG);
    CHECK(plx_backend_is_available(scene->backend));
    watcher = watch(scene, ends.here, PLX_READ);
    say(&ends);
    EXPECT_REPORT(scene, watcher, PLX_READ);
    CHECK_OK(plx_watcher_remove(watcher));
    EXPECT_QUIET(scene);
    give_back_descriptors(scene);
    CHECK_EQUAL(backend_made_by_number((int)scene->backend), scene->backend);
}

void backends_list(struct scene *scene)
{
    plx_backend list[BACKENDS], one[2] = {PLX_BACKEND_NONE, PLX_BACKEND_NONE};
    int count = plx_backend_list(NULL, 0);
    bool found = false;

    CHECK(count >= 1 && count <= BACKENDS);
    CHECK_EQUAL(plx_backend_list(list, BACKENDS), count);
    for (int i = 0; i < count; i++) {
        found = found || list[i] == scene->backend;
        CHECK(list[i] >= 0 && plx_backend_is_available(list[i]));
        for (int j = 0; j < i; j++)
            CHECK(list[i] != list[j]);
    }
    CHECK(found);
    CHECK_EQUAL(plx_backend_list(one, 1), count);
    CHECK(one[0] == list[0] && one[1] == PLX_BACKEND_NONE);
    CHECK_CODE(plx_backend_list(NULL, 1), PLX_ERR_INVALID);
    CHECK_CODE(plx_backend_list(list, -1), PLX_ERR_INVALID);
    CHECK_CODE(plx_backend_list(list, INT_MIN), PLX_ERR_INVALID);
}

/* poll comes after the mechanisms that scale, where there are any. */
void backends_best_first(struct scene *scene)
{
    plx_backend list[BACKENDS];
    int count = plx_backend_list(list, BACKENDS);

    (void)scene;
    for (int i = 0; i + 1 < count; i++)
        CHECK(list[i] != PLX_BACKEND_POLL && list[i] != PLX_BACKEND_WSAPOLL);
}

void backends_availability(struct scene *scene)
{
    CHECK(plx_backend_is_available(scene->backend));
    CHECK(plx_backend_is_available(PLX_BACKEND_AUTO));
    CHECK(!plx_backend_is_available(PLX_BACKEND_NONE));
    CHECK(!plx_backend_is_available((plx_backend)99));
    CHECK(!plx_backend_is_available((plx_backend)-3));
}

void backends_names(struct scene *scene)
{
    static const char *const unknown[] = {"", "none", "EPOLL", "Poll", "epoll ", "pol", "polls"};

    (void)scene;
    for (size_t i = 0; i < COUNT_OF(all_backends); i++) {
        CHECK(strcmp(plx_backend_name(all_backends[i]), all_names[i]) == 0);
        CHECK_EQUAL(plx_backend_from_name(all_names[i]), all_backends[i]);
    }
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        CHECK_EQUAL(plx_backend_from_name(unknown[i]), PLX_BACKEND_NONE);
    CHECK_EQUAL(plx_backend_from_name(NULL), PLX_BACKEND_NONE);
    CHECK(strcmp(plx_backend_name(PLX_BACKEND_NONE), "none") == 0);
    CHECK(strcmp(plx_backend_name((plx_backend)99), "none") == 0);
}

void backends_support(struct scene *scene)
{
    plx_backend backend = scene->backend, missing = some_missing_backend();

    CHECK(plx_backend_supports(backend, 0));
    CHECK(plx_backend_supports(backend, PLX_READ | PLX_WRITE | PLX_RDHUP | PLX_ERROR | PLX_HUP));
    CHECK(plx_backend_supports(backend, PLX_READ | PLX_ONESHOT));
    CHECK(plx_backend_supports(backend, PLX_EDGE) != tolerance_refuses_edge(backend));
    CHECK(plx_backend_supports(backend, PLX_PRI) != tolerance_refuses_pri(backend));
    CHECK(plx_backend_supports(backend, PLX_TIMER | PLX_NOTIFY | PLX_ONESHOT));
    CHECK(plx_backend_supports(backend, PLX_SIGNAL | PLX_PROCESS));
    CHECK(!plx_backend_supports(backend, PLX_READ | UINT32_C(0x1000)));
    CHECK(!plx_backend_supports(missing, 0) && !plx_backend_supports(missing, PLX_READ));
    CHECK(!plx_backend_supports(PLX_BACKEND_NONE, 0));
    CHECK(!plx_backend_supports((plx_backend)99, PLX_READ));
}

void backends_support_of_auto(struct scene *scene)
{
    environment_set(VARIABLE, plx_backend_name(scene->backend));
    CHECK(plx_backend_supports(PLX_BACKEND_AUTO, PLX_EDGE) ==
          plx_backend_supports(scene->backend, PLX_EDGE));
    environment_set(VARIABLE, NULL);
    CHECK(plx_backend_supports(PLX_BACKEND_AUTO, PLX_EDGE) ==
          plx_backend_supports((plx_backend)backend_by_default(), PLX_EDGE));
    CHECK(plx_backend_supports(PLX_BACKEND_AUTO, PLX_READ | PLX_WRITE));
    CHECK(plx_backend_supports(PLX_BACKEND_AUTO, PLX_TIMER));
}

void backends_version(struct scene *scene)
{
    (void)scene;
    CHECK_EQUAL(plx_version(), PLX_VERSION);
}

static const struct {
    int code;
    const char *name;
} codes[] = {
    {0, "PLX_OK"},
    {-1, "PLX_ERR_SYSTEM"},
    {-2, "PLX_ERR_NOMEM"},
    {-3, "PLX_ERR_INVALID"},
    {-4, "PLX_ERR_EXISTS"},
    {-5, "PLX_ERR_NOTFOUND"},
    {-6, "PLX_ERR_TIMEOUT"},
    {-7, "PLX_ERR_INTERRUPTED"},
    {-8, "PLX_ERR_PERMISSION"},
    {-9, "PLX_ERR_TOOBIG"},
    {-10, "PLX_ERR_AGAIN"},
    {-11, "PLX_ERR_NOSUPPORT"},
    {-12, "PLX_ERR_INACTIVE"},
    {-13, "PLX_ERR_BADHANDLE"},
    {-14, "PLX_ERR_UNAVAILABLE"},
    {-15, "PLX_ERR_BUSY"},
    {-16, "PLX_ERR_FORKED"},
};

void errors_have_names_and_texts(struct scene *scene)
{
    (void)scene;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        CHECK(strcmp(plx_error_name(codes[i].code), codes[i].name) == 0);
        CHECK(strlen(plx_error_text(codes[i].code)) > 5);
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(plx_error_text(codes[i].code), plx_error_text(codes[j].code)) != 0);
    }
    CHECK(strcmp(plx_error_name(1), "PLX_OK") == 0);
    CHECK(strcmp(plx_error_name(INT_MAX), "PLX_OK") == 0);
    CHECK(strcmp(plx_error_name(-17), "PLX_ERR_UNKNOWN") == 0);
    CHECK(strcmp(plx_error_name(INT_MIN), "PLX_ERR_UNKNOWN") == 0);
    CHECK(plx_error_text(-17) != NULL && plx_error_text(INT_MIN) != NULL);
    CHECK(strcmp(plx_error_text(5), plx_error_text(0)) == 0);
}
