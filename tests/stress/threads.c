/* SPDX-License-Identifier: MIT */
/*
 * threads: what other threads and signal handlers may do to a context while its owner works.
 *
 * Meant for the thread sanitizer as much as for its own checks. Nothing here sleeps to wait for
 * somebody: a wake is answered by a wait that ends, and one that is not answered within PATIENCE
 * was lost. What fails ends the program, because other threads are still at work in what would have
 * to be cleaned up. Prints TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pollux.h>

#include "tap.h"

enum { THREADS = 4, PATIENCE = 30, STORY_PATIENCE = 90 };

/* --- Random numbers, the same for the same seed --- */

static uint64_t first_seed;

static uint32_t below(uint64_t *state, uint32_t end)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*state >> 33) % end;
}

static void choose_seed(void)
{
    const char *given = getenv("POLLUX_SEED");
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    first_seed = given ? strtoull(given, NULL, 10) : (uint64_t)now.tv_nsec;
    tap_note("POLLUX_SEED=%" PRIu64, first_seed);
}

/* For a moment. */
static void be_busy(uint32_t steps)
{
    for (; steps > 0; steps--)
        atomic_signal_fence(memory_order_seq_cst);
}

/* --- Failure and patience --- */

static const char *backend_name;
static const char *story_name;

/* In any thread; the first one that fails tells. */
_Noreturn static void give_up(void)
{
    static atomic_flag is_told = ATOMIC_FLAG_INIT;

    while (atomic_flag_test_and_set(&is_told))
        pause();
    tap_result(false, "%s: %s", backend_name, story_name);
    tap_end();
    fflush(stdout);
    _exit(EXIT_FAILURE);
}

/* A check for any thread, with the numbers that explain it. */
#define MUST_SAY(condition, ...)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            tap_note("%s:%d: %s", __FILE__, __LINE__, #condition);                                 \
            tap_note(__VA_ARGS__);                                                                 \
            give_up();                                                                             \
        }                                                                                          \
    } while (0)

#define MUST(condition) MUST_SAY(condition, "it does not hold")

static time_t seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Looks on until a counter moves. */
static void await_change(const atomic_uint *counter, unsigned before, const char *what)
{
    time_t end = seconds_now() + PATIENCE;

    while (atomic_load(counter) == before) {
        sched_yield();
        MUST_SAY(seconds_now() <= end, "%s", what);
    }
}

/* The same, where the moment matters: at first without giving way. */
static void await_reach(const atomic_uint *counter, unsigned value, const char *what)
{
    time_t end = 0;

    for (unsigned looks = 0; atomic_load(counter) < value; looks++) {
        if (looks < 1000)
            continue;
        sched_yield();
        end = end > 0 ? end : seconds_now() + PATIENCE;
        MUST_SAY(seconds_now() <= end, "%s", what);
    }
}

/* --- Threads --- */

struct crew {
    pthread_t threads[THREADS];
    int count;
};

static void crew_start(struct crew *crew, int count, void *(*work)(void *), void *argument)
{
    for (crew->count = 0; crew->count < count; crew->count++)
        MUST(pthread_create(&crew->threads[crew->count], NULL, work, argument) == 0);
}

static void crew_join(struct crew *crew)
{
    for (int i = 0; i < crew->count; i++)
        pthread_join(crew->threads[i], NULL);
}

/* --- A context, and those who wake it --- */

struct scene {
    plx_context *context;
    atomic_uint ended;  /* waits of the owner that have ended */
    atomic_uint wakes;  /* calls of wake, counted before they are made */
    atomic_uint active; /* wakers that are not done */
    atomic_uint seeds;
    unsigned rounds;      /* of each waker */
    atomic_uint asked;    /* wakes that the owner asked for, */
    atomic_uint answered; /* and those that were made */
};

static void scene_open(struct scene *scene, plx_backend backend)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;

    *scene = (struct scene){.context = NULL};
    options.backend = backend;
    MUST(plx_context_create(&scene->context, &options) == PLX_OK);
}

static void scene_wake(struct scene *scene)
{
    atomic_fetch_add(&scene->wakes, 1);
    MUST(plx_context_wake(scene->context) == PLX_OK);
}

/* Each wake waits for its answer, and the next one comes at another moment of the owner's round. */
static void *keep_waking(void *argument)
{
    struct scene *scene = argument;
    uint64_t random = first_seed + atomic_fetch_add(&scene->seeds, 1);

    for (unsigned i = 0; i < scene->rounds; i++) {
        unsigned before = atomic_load(&scene->ended);

        be_busy(below(&random, 1u << below(&random, 16))); /* another order of size each time */
        scene_wake(scene);
        await_change(&scene->ended, before, "a wake was lost");
    }
    atomic_fetch_sub(&scene->active, 1);
    scene_wake(scene); /* so that the owner sees it */
    return NULL;
}

static void wakers_start(struct scene *scene, struct crew *crew, int count, unsigned rounds)
{
    scene->rounds = rounds;
    atomic_store(&scene->active, (unsigned)count);
    crew_start(crew, count, keep_waking, scene);
}

static bool is_awaited(struct scene *scene)
{
    return atomic_load(&scene->active) > 0;
}

/* One wait; whoever wanted it to end is told. */
static int scene_wait(struct scene *scene, plx_watcher **ready, int capacity, plx_duration timeout)
{
    int count = plx_context_wait(scene->context, ready, capacity, timeout);

    atomic_fetch_add(&scene->ended, 1);
    return count;
}

/* --- Stories: wakes --- */

/* One waker, no descriptors: each wake ends one wait, and nothing else does. */
static void one_wake_ends_one_wait(plx_backend backend)
{
    struct scene scene;
    struct crew crew;
    plx_watcher *ready[1];

    scene_open(&scene, backend);
    wakers_start(&scene, &crew, 1, 20000);
    while (is_awaited(&scene))
        MUST(scene_wait(&scene, ready, 1, PLX_FOREVER) == 0);
    crew_join(&crew);
    /* The last wake, which came after `active` fell, may not have been needed. */
    MUST_SAY(atomic_load(&scene.wakes) - atomic_load(&scene.ended) <= 1, "%u wakes, %u waits",
             atomic_load(&scene.wakes), atomic_load(&scene.ended));
    plx_context_destroy(scene.context);
}

static void no_wake_of_many_is_lost(plx_backend backend)
{
    struct scene scene;
    struct crew crew;
    plx_watcher *ready[4];

    scene_open(&scene, backend);
    wakers_start(&scene, &crew, THREADS, 6000);
    for (unsigned i = 0; is_awaited(&scene); i++)
        MUST(scene_wait(&scene, ready, 4, i % 8 ? PLX_FOREVER : PLX_SECONDS(1000)) == 0);
    crew_join(&crew);
    MUST(atomic_load(&scene.ended) <= atomic_load(&scene.wakes)); /* nothing else ends a wait */
    tap_note("%u wakes, %u waits", atomic_load(&scene.wakes), atomic_load(&scene.ended));
    plx_context_destroy(scene.context);
}

enum { TUBES = 8 };

/* A pipe that only the owner knows. */
struct tube {
    int ends[2];
    plx_watcher *watcher; /* NULL: not in the context */
    bool is_full;         /* there is a byte in it */
    bool is_seen;         /* it was reported */
};

static void tubes_open(struct tube *tubes)
{
    for (int i = 0; i < TUBES; i++) {
        tubes[i] = (struct tube){.watcher = NULL};
        MUST(pipe(tubes[i].ends) == 0);
    }
}

static void tubes_close(struct tube *tubes)
{
    for (int i = 0; i < TUBES; i++) {
        close(tubes[i].ends[0]);
        close(tubes[i].ends[1]);
    }
}

static void turn(struct tube *tube)
{
    char byte = 'x';

    if (tube->is_full)
        MUST(read(tube->ends[0], &byte, 1) == 1);
    else
        MUST(write(tube->ends[1], &byte, 1) == 1);
    tube->is_full = !tube->is_full;
}

static void watch(struct scene *scene, struct tube *tube, uint32_t events)
{
    if (tube->watcher)
        MUST(plx_watcher_modify(tube->watcher, events) == PLX_OK);
    else
        MUST(plx_context_add(scene->context, plx_fd(tube->ends[0]), events, tube, &tube->watcher) ==
             PLX_OK);
}

static void forget(struct tube *tube)
{
    if (tube->watcher)
        MUST(plx_watcher_remove(tube->watcher) == PLX_OK);
    tube->watcher = NULL;
}

/* Adds, modifies, removes, writes or reads. */
static void change_something(struct scene *scene, struct tube *tubes, uint64_t *random)
{
    struct tube *tube = &tubes[below(random, TUBES)];

    switch (below(random, 4)) {
    case 0:
        turn(tube);
        return;
    case 1:
        forget(tube);
        return;
    default:
        watch(scene, tube, below(random, 2) ? PLX_READ : PLX_READ | PLX_RDHUP);
    }
}

static int readable_watched(const struct tube *tubes)
{
    int count = 0;

    for (int i = 0; i < TUBES; i++)
        count += tubes[i].watcher && tubes[i].is_full;
    return count;
}

/* One wait, which gives nobody but those who are ready, and nobody twice. */
static int wait_once(struct scene *scene, struct tube *tubes, plx_duration timeout)
{
    plx_watcher *ready[TUBES];
    int count = scene_wait(scene, ready, TUBES, timeout);

    MUST_SAY(count >= 0, "%s", plx_error_name(count));
    for (int i = 0; i < TUBES; i++)
        tubes[i].is_seen = false;
    for (int i = 0; i < count; i++) {
        struct tube *tube = plx_watcher_data(ready[i]);

        MUST(plx_watcher_triggered(ready[i]) == PLX_READ);
        MUST(tube->watcher == ready[i] && tube->is_full && !tube->is_seen);
        tube->is_seen = true;
    }
    return count;
}

/* A wait gives all who are ready, however many wakes fall into it. */
static void wait_is_right(struct scene *scene, struct tube *tubes, plx_duration timeout)
{
    int ready = readable_watched(tubes);
    int count = wait_once(scene, tubes, timeout);

    MUST_SAY(count == ready, "%d of %d", count, ready);
}

static void wakes_do_not_disturb_the_owner(plx_backend backend)
{
    struct scene scene;
    struct tube tubes[TUBES];
    struct crew crew;
    uint64_t random = first_seed;

    scene_open(&scene, backend);
    tubes_open(tubes);
    wakers_start(&scene, &crew, THREADS, 3000);
    while (is_awaited(&scene)) {
        for (uint32_t changes = below(&random, 4); changes > 0; changes--)
            change_something(&scene, tubes, &random);
        wait_is_right(&scene, tubes, below(&random, 4) ? PLX_FOREVER : 0);
    }
    crew_join(&crew);
    plx_context_destroy(scene.context);
    tubes_close(tubes);
}

/* --- Stories: more than one thread at the door --- */

static void *wait_for_a_wake(void *argument)
{
    struct scene *scene = argument;
    plx_watcher *ready[1];
    int code;

    do { /* it may be the other one that is late */
        code = plx_context_wait(scene->context, ready, 1, PLX_FOREVER);
    } while (code == PLX_ERR_BUSY);
    atomic_store(&scene->ended, code == 0 ? 1 : 2);
    return NULL;
}

static void a_second_wait_is_busy(plx_backend backend)
{
    for (int round = 0; round < 100; round++) {
        struct scene scene;
        struct crew crew;
        plx_watcher *ready[1];
        int code = 0;

        scene_open(&scene, backend);
        crew_start(&crew, 1, wait_for_a_wake, &scene);
        while (code == 0) {
            sched_yield(); /* the door is to be free now and then */
            code = plx_context_wait(scene.context, ready, 1, 0);
        }
        MUST(code == PLX_ERR_BUSY);
        MUST(plx_context_wait(scene.context, ready, 1, PLX_FOREVER) == PLX_ERR_BUSY);
        MUST(atomic_load(&scene.ended) == 0); /* and the first one sleeps on */
        MUST(plx_context_wake(scene.context) == PLX_OK);
        crew_join(&crew);
        MUST(atomic_load(&scene.ended) == 1);
        MUST(plx_context_wait(scene.context, ready, 1, 0) == 0);
        plx_context_destroy(scene.context);
    }
}

/* A handle that is asked in every wait, and so knows how many are inside. */
struct door {
    plx_context *context;
    int fd;
    atomic_int inside;
    atomic_uint crowded; /* times that somebody else was inside */
    atomic_uint passed;
    atomic_uint refused;
    atomic_uint wrong;
};

static plx_socket door_fd(void *object)
{
    return ((struct door *)object)->fd;
}

static bool door_is_asked(void *object)
{
    struct door *door = object;

    if (atomic_fetch_add(&door->inside, 1) > 0)
        atomic_fetch_add(&door->crowded, 1);
    sched_yield(); /* the others may try now */
    atomic_fetch_sub(&door->inside, 1);
    return true;
}

static void *push_at(void *argument)
{
    struct door *door = argument;
    plx_watcher *ready[1];

    for (int i = 0; i < 5000; i++) {
        int code = plx_context_wait(door->context, ready, 1, 0);

        if (code == 1)
            atomic_fetch_add(&door->passed, 1);
        else if (code == PLX_ERR_BUSY)
            atomic_fetch_add(&door->refused, 1);
        else
            atomic_fetch_add(&door->wrong, 1);
    }
    return NULL;
}

static void one_at_a_time_is_inside(plx_backend backend)
{
    static const plx_handle_ops ops = {
        .size = sizeof(ops), .get_fd = door_fd, .has_buffered = door_is_asked};
    struct door door = {.fd = -1};
    struct scene scene;
    struct crew crew;
    int ends[2];

    scene_open(&scene, backend);
    MUST(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    door.context = scene.context;
    door.fd = ends[0];
    MUST(plx_context_add(scene.context, plx_custom(&ops, &door), PLX_READ, NULL, NULL) == PLX_OK);
    crew_start(&crew, THREADS, push_at, &door);
    crew_join(&crew);
    tap_note("%u waits, %u refused", atomic_load(&door.passed), atomic_load(&door.refused));
    MUST(atomic_load(&door.crowded) == 0);
    MUST(atomic_load(&door.wrong) == 0);
    MUST(atomic_load(&door.passed) > 0);
    plx_context_destroy(scene.context);
    close(ends[0]);
    close(ends[1]);
}

/* --- Stories: contexts and hands --- */

struct lives {
    plx_backend backend;
    pthread_barrier_t start;
};

/* A context from create to destroy. */
static void live_once(plx_backend backend, int ends[2])
{
    struct scene scene;
    plx_watcher *ready[2];

    scene_open(&scene, backend);
    MUST(plx_context_add(scene.context, plx_fd(ends[0]), PLX_READ, NULL, NULL) == PLX_OK);
    MUST(plx_context_wait(scene.context, ready, 2, 0) == 1);
    MUST(plx_watcher_remove(ready[0]) == PLX_OK);
    MUST(plx_context_wake(scene.context) == PLX_OK);
    MUST(plx_context_wait(scene.context, ready, 2, PLX_FOREVER) == 0);
    plx_context_destroy(scene.context);
}

static void *live_often(void *argument)
{
    struct lives *lives = argument;
    int ends[2];

    MUST(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    pthread_barrier_wait(&lives->start);
    for (int i = 0; i < 1000; i++)
        live_once(lives->backend, ends);
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

/* The first of all stories: the very first contexts of the process are made at the same time. */
static void contexts_come_and_go_in_all_threads(plx_backend backend)
{
    struct lives lives = {.backend = backend};
    struct crew crew;

    MUST(pthread_barrier_init(&lives.start, NULL, THREADS) == 0);
    crew_start(&crew, THREADS, live_often, &lives);
    crew_join(&crew);
    pthread_barrier_destroy(&lives.start);
}

/* Moves the second half, removes a third of all, and counts what is due. */
static void time_once(plx_backend backend)
{
    enum { TIMERS = 60, DUE = TIMERS / 3 };
    struct scene scene;
    plx_watcher *timers[TIMERS], *ready[TIMERS];

    scene_open(&scene, backend);
    for (int i = 0; i < TIMERS; i++)
        MUST(plx_context_add(scene.context, plx_timer(PLX_SECONDS(3600), 0), PLX_TIMER, NULL,
                             &timers[i]) == PLX_OK);
    for (int i = TIMERS / 2; i < TIMERS; i++)
        MUST(plx_watcher_again(timers[i], 0) == PLX_OK);
    for (int i = 0; i < TIMERS; i += 3)
        MUST(plx_watcher_remove(timers[i]) == PLX_OK);
    for (int i = 0; i < TIMERS; i++)
        MUST(plx_watcher_is_active(timers[i]) == (i % 3 != 0));
    for (int taken = 0; taken < DUE;) {
        int count = plx_context_wait(scene.context, ready, TIMERS, 0);
        MUST(count > 0);
        for (int i = 0; i < count; i++)
            MUST(plx_watcher_context(ready[i]) == scene.context);
        taken += count;
    }
    MUST(plx_context_wait(scene.context, ready, TIMERS, 0) == 0);
    plx_context_destroy(scene.context);
}

static void *time_often(void *argument)
{
    struct lives *lives = argument;

    pthread_barrier_wait(&lives->start);
    for (int i = 0; i < 1000; i++)
        time_once(lives->backend);
    return NULL;
}

/* What finds them by their addresses is the same for all contexts. */
static void timers_come_and_go_in_all_threads(plx_backend backend)
{
    struct lives lives = {.backend = backend};
    struct crew crew;

    MUST(pthread_barrier_init(&lives.start, NULL, THREADS) == 0);
    crew_start(&crew, THREADS, time_often, &lives);
    crew_join(&crew);
    pthread_barrier_destroy(&lives.start);
}

/* One context for all; who has the lock owns it. */
struct shared {
    struct scene scene;
    pthread_mutex_t lock;
    plx_watcher *left; /* by the previous owner, for the next one to remove */
};

static void remove_left(struct shared *shared)
{
    if (shared->left)
        MUST(plx_watcher_remove(shared->left) == PLX_OK);
    shared->left = NULL;
}

static void own_once(struct shared *shared, int fd, bool leave)
{
    plx_watcher *mine, *ready[THREADS + 1];
    bool is_reported = false;

    remove_left(shared);
    MUST(plx_context_add(shared->scene.context, plx_fd(fd), PLX_READ, NULL, &mine) == PLX_OK);
    MUST(plx_watcher_modify(mine, PLX_READ | PLX_RDHUP) == PLX_OK);
    int count = plx_context_wait(shared->scene.context, ready, THREADS + 1, PLX_FOREVER);
    for (int i = 0; i < count; i++)
        is_reported |= ready[i] == mine;
    MUST(is_reported);
    if (leave)
        shared->left = mine;
    else
        MUST(plx_watcher_remove(mine) == PLX_OK);
}

static void *own_often(void *argument)
{
    struct shared *shared = argument;
    int ends[2];

    MUST(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    for (int i = 0; i < 3000; i++) {
        pthread_mutex_lock(&shared->lock);
        own_once(shared, ends[0], i % 3 == 0);
        pthread_mutex_unlock(&shared->lock);
    }
    pthread_mutex_lock(&shared->lock);
    remove_left(shared);
    pthread_mutex_unlock(&shared->lock);
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

static void a_context_goes_from_hand_to_hand(plx_backend backend)
{
    struct shared shared = {.left = NULL};
    struct crew crew;

    scene_open(&shared.scene, backend);
    MUST(pthread_mutex_init(&shared.lock, NULL) == 0);
    crew_start(&crew, THREADS, own_often, &shared);
    crew_join(&crew);
    pthread_mutex_destroy(&shared.lock);
    plx_context_destroy(shared.scene.context);
}

/* --- Stories: signal handlers --- */

static struct scene *_Atomic handler_scene;
static atomic_uint handled;
static atomic_uint spoilt; /* times that errno was changed */

static void wake_in_handler(int number)
{
    int cause = errno;

    (void)number;
    errno = EXDEV;
    scene_wake(atomic_load(&handler_scene));
    if (errno != EXDEV)
        atomic_fetch_add(&spoilt, 1);
    errno = cause;
    atomic_fetch_add(&handled, 1);
}

struct storm {
    struct scene *scene;
    pthread_t owner;
};

/* First one signal for each wait, then as many as there can be. */
static void *blow(void *argument)
{
    struct storm *storm = argument;

    for (unsigned i = 0; i < storm->scene->rounds; i++) {
        unsigned before = atomic_load(&storm->scene->ended);

        pthread_kill(storm->owner, SIGUSR1);
        await_change(&storm->scene->ended, before, "a wake from a signal handler was lost");
    }
    for (unsigned i = 0; i < 20 * storm->scene->rounds; i++)
        pthread_kill(storm->owner, SIGUSR1);
    atomic_fetch_sub(&storm->scene->active, 1);
    scene_wake(storm->scene);
    return NULL;
}

static void no_wake_of_a_signal_handler_is_lost(plx_backend backend)
{
    struct sigaction action = {.sa_handler = wake_in_handler}, before;
    struct scene scene;
    struct storm storm = {&scene, pthread_self()};
    struct crew crew;
    plx_watcher *ready[1];

    scene_open(&scene, backend);
    scene.rounds = 3000;
    atomic_store(&scene.active, 1);
    atomic_store(&handler_scene, &scene);
    atomic_store(&handled, 0);
    MUST(sigaction(SIGUSR1, &action, &before) == 0);
    crew_start(&crew, 1, blow, &storm);
    while (is_awaited(&scene))
        MUST(scene_wait(&scene, ready, 1, PLX_FOREVER) == 0);
    crew_join(&crew);
    MUST(sigaction(SIGUSR1, &before, NULL) == 0);
    tap_note("%u signals, %u waits", atomic_load(&handled), atomic_load(&scene.ended));
    MUST(atomic_load(&handled) >= scene.rounds);
    MUST(atomic_load(&spoilt) == 0);
    MUST(atomic_load(&scene.ended) <= atomic_load(&scene.wakes));
    plx_context_destroy(scene.context);
}

/* --- Stories: a fresh kernel queue --- */

/*
 * The duplicate trap: a descriptor that is closed and removed while a duplicate lives. Where the
 * kernel reports it all the same, the context needs a fresh queue. Returns the duplicate.
 */
static int make_ghost(struct scene *scene)
{
    int ends[2], duplicate;
    plx_watcher *watcher;

    MUST(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    MUST(plx_context_add(scene->context, plx_fd(ends[0]), PLX_READ, NULL, &watcher) == PLX_OK);
    duplicate = dup(ends[0]);
    MUST(duplicate >= 0);
    close(ends[0]);
    close(ends[1]);
    MUST(plx_watcher_remove(watcher) == PLX_OK);
    return duplicate;
}

/* Ghosts are never seen, others always are, and wakes get through. */
static void wakes_survive_a_fresh_queue(plx_backend backend)
{
    struct scene scene;
    struct tube tubes[TUBES];
    struct crew crew;
    uint64_t random = first_seed;
    unsigned ghosts = 0;

    scene_open(&scene, backend);
    tubes_open(tubes);
    wakers_start(&scene, &crew, THREADS, 3000);
    for (; is_awaited(&scene); ghosts++) {
        int ghost = make_ghost(&scene);

        change_something(&scene, tubes, &random);
        wait_is_right(&scene, tubes, below(&random, 4) ? PLX_FOREVER : 0);
        close(ghost);
    }
    crew_join(&crew);
    tap_note("%u ghosts, %u wakes", ghosts, atomic_load(&scene.wakes));
    plx_context_destroy(scene.context);
    tubes_close(tubes);
}

/* --- Stories: an outer loop --- */

/* Waits outside, for ever: whoever wakes watches that this ends. */
static void outer_wait(int fd)
{
    struct pollfd outer = {.fd = fd, .events = POLLIN};

    MUST(poll(&outer, 1, -1) == 1 && outer.revents == POLLIN);
}

static bool is_quiet(int fd)
{
    struct pollfd outer = {.fd = fd, .events = POLLIN};

    return poll(&outer, 1, 0) == 0;
}

/* A wake that was on its way while an earlier one was consumed may show once more. */
static void becomes_quiet(struct scene *scene, int fd)
{
    plx_watcher *ready[1];

    for (int extra = 0; extra < 2 && !is_quiet(fd); extra++)
        MUST(plx_context_wait(scene->context, ready, 1, 0) == 0);
    MUST(is_quiet(fd));
}

static void an_outer_loop_sees_every_wake(plx_backend backend)
{
    struct scene scene;
    struct crew crew;
    plx_watcher *ready[4];

    scene_open(&scene, backend);
    int fd = plx_context_fd(scene.context);
    MUST(fd >= 0 && is_quiet(fd));
    wakers_start(&scene, &crew, THREADS, 6000);
    while (is_awaited(&scene)) {
        outer_wait(fd);
        MUST(scene_wait(&scene, ready, 4, 0) == 0);
    }
    crew_join(&crew);
    tap_note("%u wakes, %u turns of the outer loop", atomic_load(&scene.wakes),
             atomic_load(&scene.ended));
    MUST(atomic_load(&scene.ended) <= atomic_load(&scene.wakes)); /* each shows once at most */
    becomes_quiet(&scene, fd);
    plx_context_destroy(scene.context);
}

/* One wake each time that the owner asks for one. */
static void *wake_when_asked(void *argument)
{
    struct scene *scene = argument;

    for (unsigned i = 0; i < scene->rounds; i++) {
        await_change(&scene->asked, i, "the owner does not ask");
        scene_wake(scene);
        atomic_fetch_add(&scene->answered, 1);
    }
    return NULL;
}

/*
 * A waker says that it comes, and then writes. An owner that is busy with waits of its own may see
 * the one without the other: the write then shows outside, but not for longer than one wait.
 */
static void a_late_wake_shows_once(plx_backend backend)
{
    struct scene scene;
    struct crew crew;
    plx_watcher *ready[1];

    scene_open(&scene, backend);
    int fd = plx_context_fd(scene.context);
    MUST(fd >= 0);
    scene.rounds = 10000;
    crew_start(&crew, 1, wake_when_asked, &scene);
    for (unsigned i = 0; i < scene.rounds; i++) {
        atomic_fetch_add(&scene.asked, 1);
        for (unsigned waits = 1; atomic_load(&scene.answered) == i; waits++) {
            MUST(plx_context_wait(scene.context, ready, 1, 0) == 0);
            if (waits % 32 == 0)
                sched_yield(); /* the waker may have no processor of its own */
        }
        becomes_quiet(&scene, fd);
    }
    crew_join(&crew);
    plx_context_destroy(scene.context);
}

static void an_outer_loop_sees_wakes_between_descriptors(plx_backend backend)
{
    struct scene scene;
    struct tube tubes[TUBES];
    struct crew crew;
    uint64_t random = first_seed;
    unsigned turns = 0, sights = 0;

    scene_open(&scene, backend);
    tubes_open(tubes);
    int fd = plx_context_fd(scene.context);
    MUST(fd >= 0);
    wakers_start(&scene, &crew, THREADS, 3000);
    for (; is_awaited(&scene); turns++) {
        change_something(&scene, tubes, &random);
        if (readable_watched(tubes) > 0)
            MUST(!is_quiet(fd));
        outer_wait(fd);
        sights += readable_watched(tubes) > 0;
        wait_is_right(&scene, tubes, 0);
    }
    crew_join(&crew);
    MUST(turns <= atomic_load(&scene.wakes) + sights);
    for (int i = 0; i < TUBES; i++)
        forget(&tubes[i]);
    becomes_quiet(&scene, fd);
    plx_context_destroy(scene.context);
    tubes_close(tubes);
}

/* What is ready outside the kernel shows and ceases to show, which is to swallow no wake. */
static void an_outer_loop_sees_wakes_beside_files(plx_backend backend)
{
    struct scene scene;
    struct crew crew;
    plx_watcher *ready[1], *file;
    unsigned turns = 0;
    int null = open("/dev/null", O_RDONLY);

    MUST(null >= 0);
    scene_open(&scene, backend);
    int fd = plx_context_fd(scene.context);
    MUST(fd >= 0);
    wakers_start(&scene, &crew, THREADS, 4000);
    for (; is_awaited(&scene); turns++) {
        MUST(plx_context_add(scene.context, plx_fd(null), PLX_READ, NULL, &file) == PLX_OK);
        outer_wait(fd); /* at the latest when a wake that is on its way has arrived */
        MUST(plx_watcher_remove(file) == PLX_OK);
        outer_wait(fd);
        MUST(scene_wait(&scene, ready, 1, 0) == 0);
    }
    crew_join(&crew);
    tap_note("%u wakes, %u turns of the outer loop", atomic_load(&scene.wakes), turns);
    /* A wake that falls into the removal may be told by both threads. */
    MUST(turns <= 2 * atomic_load(&scene.wakes));
    becomes_quiet(&scene, fd);
    plx_context_destroy(scene.context);
    close(null);
}

static void an_outer_loop_sees_wakes_through_fresh_queues(plx_backend backend)
{
    struct scene scene;
    struct crew crew;
    plx_watcher *ready[4];
    unsigned turns = 0, ghosts = 0;

    scene_open(&scene, backend);
    int fd = plx_context_fd(scene.context);
    MUST(fd >= 0);
    wakers_start(&scene, &crew, THREADS, 3000);
    while (is_awaited(&scene)) {
        int ghost = make_ghost(&scene);

        ghosts++;
        for (int i = 0; i < 3 && is_awaited(&scene); i++, turns++) {
            outer_wait(fd);
            MUST(scene_wait(&scene, ready, 4, 0) == 0);
        }
        MUST(plx_context_fd(scene.context) == fd);
        close(ghost);
    }
    crew_join(&crew);
    tap_note("%u wakes, %u ghosts, %u turns of the outer loop", atomic_load(&scene.wakes), ghosts,
             turns);
    MUST(turns <= atomic_load(&scene.wakes) + ghosts);
    becomes_quiet(&scene, fd);
    plx_context_destroy(scene.context);
}

/* --- Stories: notify, post, wake and stop at once --- */

enum { ERRANDS = 20000 };

struct member;

/* One task of a member; they run in the order of their places. */
struct errand {
    struct member *member;
    unsigned place;
};

/* A thread that raises a watcher of its own and posts tasks. */
struct member {
    struct guild *guild;
    pthread_mutex_t lock; /* a notify is not to overlap the removal of its watcher */
    plx_watcher *watcher;
    atomic_uint asked; /* counted before the watcher is raised, */
    atomic_uint seen;  /* and read after it was cleared */
    unsigned posted;
    atomic_uint ran;
    struct errand errands[ERRANDS];
};

struct guild {
    plx_context *context;
    atomic_uint active;
    unsigned rounds;
    uint64_t random; /* the owner's */
    unsigned renewed;
    struct member members[THREADS];
};

static struct guild guild;

static void be_noticed(plx_watcher *watcher, uint32_t triggered, void *data);

static void enrol(struct member *member)
{
    MUST(plx_context_on(member->guild->context, plx_notify(), PLX_NOTIFY, be_noticed, member,
                        &member->watcher) == PLX_OK);
}

/* What was raised and not told goes with the old watcher, and is seen all the same. */
static void renew(struct member *member)
{
    pthread_mutex_lock(&member->lock);
    MUST(plx_watcher_remove(member->watcher) == PLX_OK);
    MUST(plx_watcher_notify(member->watcher) == PLX_ERR_INACTIVE);
    enrol(member);
    pthread_mutex_unlock(&member->lock);
    member->guild->renewed++;
}

/* After the watcher was cleared or removed: who asked before that is not told of any more. */
static void note_asked(struct member *member)
{
    atomic_store(&member->seen, atomic_load(&member->asked));
}

static void be_noticed(plx_watcher *watcher, uint32_t triggered, void *data)
{
    struct member *member = data;

    MUST(triggered == PLX_NOTIFY && member->watcher == watcher);
    MUST(plx_watcher_clear(watcher) == PLX_OK);
    note_asked(member);
    if (below(&guild.random, 4) != 0)
        return;
    if (below(&guild.random, 2) == 0) /* or another one's, in the batch or on its way */
        member = &guild.members[below(&guild.random, THREADS)];
    renew(member);
    note_asked(member);
}

static void run_errand(plx_context *context, void *data)
{
    struct errand *errand = data;

    MUST(context == guild.context);
    MUST_SAY(errand->place == atomic_load(&errand->member->ran), "task %u runs as number %u",
             errand->place, atomic_load(&errand->member->ran));
    atomic_fetch_add(&errand->member->ran, 1);
}

static void call_on_owner(struct member *member, bool stays)
{
    unsigned asked = atomic_fetch_add(&member->asked, 1) + 1;

    pthread_mutex_lock(&member->lock);
    MUST(plx_watcher_notify(member->watcher) == PLX_OK);
    pthread_mutex_unlock(&member->lock);
    if (stays)
        await_reach(&member->seen, asked, "a notify was lost");
}

static void send_errand(struct member *member, bool stays)
{
    struct errand *errand = &member->errands[member->posted];

    *errand = (struct errand){member, member->posted++};
    MUST(plx_context_post(guild.context, run_errand, errand) == PLX_OK);
    if (stays)
        await_reach(&member->ran, member->posted, "a task was lost");
}

static void *be_active(void *argument)
{
    struct member *member = argument;
    uint64_t random = first_seed + (uint64_t)(member - guild.members) + 1;

    for (unsigned i = 0; i < guild.rounds; i++) {
        bool stays = below(&random, 8) == 0;

        switch (below(&random, 6)) {
        case 0:
            MUST(plx_context_wake(guild.context) == PLX_OK);
            break;
        case 1:
            plx_context_stop(guild.context);
            break;
        case 2:
        case 3:
            send_errand(member, stays);
            break;
        default:
            call_on_owner(member, stays);
        }
    }
    atomic_fetch_sub(&guild.active, 1);
    plx_context_stop(guild.context); /* so that the owner sees it */
    return NULL;
}

static void guild_open(plx_backend backend, unsigned rounds)
{
    plx_context_options options = PLX_CONTEXT_OPTIONS_INIT;

    guild.rounds = rounds;
    guild.random = first_seed;
    guild.renewed = 0;
    atomic_store(&guild.active, THREADS);
    options.backend = backend;
    MUST(plx_context_create(&guild.context, &options) == PLX_OK);
    for (int i = 0; i < THREADS; i++) {
        struct member *member = &guild.members[i];

        member->guild = &guild;
        member->posted = 0;
        atomic_store(&member->asked, 0);
        atomic_store(&member->seen, 0);
        atomic_store(&member->ran, 0);
        MUST(pthread_mutex_init(&member->lock, NULL) == 0);
        enrol(member);
    }
}

static void guild_start(struct crew *crew)
{
    for (crew->count = 0; crew->count < THREADS; crew->count++)
        MUST(pthread_create(&crew->threads[crew->count], NULL, be_active,
                            &guild.members[crew->count]) == 0);
}

/* Everybody is gone: what they left is done, and then there is nothing. */
static void guild_close(void)
{
    unsigned notified = 0, posted = 0;

    while (plx_context_turn(guild.context, 0) > 0)
        continue;
    for (int i = 0; i < THREADS; i++) {
        struct member *member = &guild.members[i];

        MUST(atomic_load(&member->seen) == atomic_load(&member->asked));
        MUST(atomic_load(&member->ran) == member->posted);
        pthread_mutex_destroy(&member->lock);
        notified += atomic_load(&member->asked);
        posted += member->posted;
    }
    tap_note("%u notifies, %u tasks, %u watchers anew", notified, posted, guild.renewed);
    plx_context_destroy(guild.context);
}

static void all_of_it_at_once(plx_backend backend)
{
    struct crew crew;
    unsigned runs = 0;

    guild_open(backend, ERRANDS);
    guild_start(&crew);
    for (; atomic_load(&guild.active) > 0; runs++)
        MUST(plx_context_run(guild.context) == PLX_OK);
    crew_join(&crew);
    tap_note("%u runs", runs);
    guild_close();
}

/* The same in turns and plain waits, which leave the tasks. */
static void all_of_it_between_waits(plx_backend backend)
{
    struct crew crew;
    plx_watcher *ready[2];

    guild_open(backend, ERRANDS / 2);
    guild_start(&crew);
    while (atomic_load(&guild.active) > 0) {
        MUST(plx_context_wait(guild.context, ready, 2, PLX_FOREVER) >= 0);
        MUST(plx_context_turn(guild.context, 0) >= 0);
    }
    crew_join(&crew);
    guild_close();
}

static void an_outer_loop_sees_all_of_it(plx_backend backend)
{
    struct crew crew;

    guild_open(backend, ERRANDS / 2);
    int fd = plx_context_fd(guild.context);
    MUST(fd >= 0);
    guild_start(&crew);
    while (atomic_load(&guild.active) > 0) {
        outer_wait(fd);
        MUST(plx_context_turn(guild.context, 0) >= 0);
    }
    crew_join(&crew);
    while (!is_quiet(fd))
        MUST(plx_context_turn(guild.context, 0) >= 0);
    guild_close();
}

/* --- Stories: messages --- */

enum { PARTS = 16, MESSAGES = 200000 };

/* Each part has a cache line of its own, so that a message takes a while to reach memory. */
struct part {
    _Alignas(64) atomic_uint number;
};

static struct {
    struct part parts[PARTS];
    plx_context *context;
    plx_watcher *watcher; /* NULL: messages are told by a wake, and not by a notify */
    atomic_uint asked;
    atomic_uint sent;
} mailbox;

static void raise_flag(void)
{
    MUST((mailbox.watcher ? plx_watcher_notify(mailbox.watcher)
                          : plx_context_wake(mailbox.context)) == PLX_OK);
}

static int wait_for_mail(plx_duration timeout)
{
    plx_watcher *ready[1];

    return plx_context_wait(mailbox.context, ready, 1, timeout);
}

static void lower_flag(void)
{
    if (mailbox.watcher)
        MUST(plx_watcher_clear(mailbox.watcher) == PLX_OK);
    else
        MUST(wait_for_mail(0) == 0);
}

static bool is_flag_up(void)
{
    return mailbox.watcher ? wait_for_mail(0) == 1 : wait_for_mail(PLX_FOREVER) == 0;
}

static void *keep_sending(void *argument)
{
    for (unsigned i = 1; i <= MESSAGES; i++) {
        await_reach(&mailbox.asked, i, "the owner does not go on");
        for (int part = 0; part < PARTS; part++)
            atomic_store_explicit(&mailbox.parts[part].number, i, memory_order_release);
        raise_flag();
        atomic_store(&mailbox.sent, i);
    }
    return argument;
}

/* Lowers it and then looks, when the next message may be on its way. */
static unsigned lower_and_look(uint64_t *random)
{
    be_busy(below(random, 2000));
    lower_flag();
    return atomic_load_explicit(&mailbox.parts[PARTS - 1].number, memory_order_acquire);
}

/* The flag is up already when a message comes: either that is seen by the look, or told. */
static void receive_all(void)
{
    struct crew crew;
    uint64_t random = first_seed;
    unsigned told = 0;

    crew_start(&crew, 1, keep_sending, NULL);
    for (unsigned i = 1; i <= MESSAGES; i++) {
        raise_flag();
        atomic_store(&mailbox.asked, i);
        unsigned seen = lower_and_look(&random);
        await_reach(&mailbox.sent, i, "the sender does not go on");
        for (int part = 0; part < PARTS; part++) /* takes the lines from the sender */
            MUST(atomic_load(&mailbox.parts[part].number) == i);
        if (seen == i)
            continue;
        told++;
        MUST_SAY(is_flag_up(), "message %u is lost", i);
    }
    crew_join(&crew);
    tap_note("%d messages, %u of them told", MESSAGES, told);
}

static void no_notify_that_crosses_a_clear_is_lost(plx_backend backend)
{
    struct scene scene;

    scene_open(&scene, backend);
    memset(&mailbox, 0, sizeof mailbox);
    mailbox.context = scene.context;
    MUST(plx_context_add(scene.context, plx_notify(), PLX_NOTIFY, NULL, &mailbox.watcher) ==
         PLX_OK);
    receive_all();
    plx_context_destroy(scene.context);
}

static void no_wake_that_crosses_a_wait_is_lost(plx_backend backend)
{
    struct scene scene;

    scene_open(&scene, backend);
    memset(&mailbox, 0, sizeof mailbox);
    mailbox.context = scene.context;
    receive_all();
    plx_context_destroy(scene.context);
}

/* --- Stories: stop --- */

static void *keep_stopping(void *argument)
{
    struct scene *scene = argument;

    for (unsigned i = 0; i < scene->rounds; i++) {
        await_change(&scene->asked, i, "a stop was lost");
        plx_context_stop(scene->context);
    }
    return NULL;
}

/* Each stop ends one run, whenever it comes. */
static void one_stop_ends_one_run(plx_backend backend)
{
    struct scene scene;
    struct crew crew;

    scene_open(&scene, backend);
    MUST(plx_context_add(scene.context, plx_notify(), PLX_NOTIFY, NULL, NULL) == PLX_OK);
    scene.rounds = 10000;
    crew_start(&crew, 1, keep_stopping, &scene);
    for (unsigned i = 0; i < scene.rounds; i++) {
        atomic_fetch_add(&scene.asked, 1);
        MUST(plx_context_run(scene.context) == PLX_OK);
    }
    crew_join(&crew);
    plx_context_destroy(scene.context);
}

/* --- Stories: four loops --- */

enum { HOPS = 20000 };

struct table {
    plx_context *seats[THREADS];
    plx_backend backend;
    atomic_uint taken;
    atomic_uint hops;
};

static void leave_table(plx_context *context, void *data)
{
    (void)data;
    plx_context_stop(context);
}

static void hand_on(plx_context *context, void *data)
{
    struct table *table = data;
    unsigned hop = atomic_fetch_add(&table->hops, 1);

    for (int i = 0; i < THREADS; i++) {
        if (hop == HOPS)
            MUST(plx_context_post(table->seats[i], leave_table, NULL) == PLX_OK);
        else if (hop < HOPS && table->seats[i] == context)
            MUST(plx_context_post(table->seats[(i + 1 + (int)hop % 3) % THREADS], hand_on, table) ==
                 PLX_OK);
    }
}

static void *sit_down(void *argument)
{
    struct table *table = argument;

    MUST(plx_context_run(table->seats[atomic_fetch_add(&table->taken, 1)]) == PLX_OK);
    return NULL;
}

/* Several things are on their way from loop to loop, and back to where they came from. */
static void loops_hand_to_each_other(plx_backend backend)
{
    struct table table = {.backend = backend};
    struct crew crew;

    for (int i = 0; i < THREADS; i++) {
        struct scene scene;

        scene_open(&scene, backend);
        table.seats[i] = scene.context;
        MUST(plx_context_add(scene.context, plx_notify(), PLX_NOTIFY, NULL, NULL) == PLX_OK);
    }
    for (int i = 0; i < THREADS - 1; i++)
        MUST(plx_context_post(table.seats[i], hand_on, &table) == PLX_OK);
    crew_start(&crew, THREADS, sit_down, &table);
    crew_join(&crew);
    MUST(atomic_load(&table.hops) > HOPS);
    for (int i = 0; i < THREADS; i++)
        plx_context_destroy(table.seats[i]);
}

/* --- All of it --- */

typedef void story(plx_backend backend);

static const struct {
    story *tell;
    const char *name;
    bool is_nested; /* where the backend can be nested */
} stories[] = {
    {contexts_come_and_go_in_all_threads, "contexts come and go in all threads", false},
    {timers_come_and_go_in_all_threads, "timers come and go in all threads", false},
    {one_wake_ends_one_wait, "one wake ends one wait", false},
    {no_wake_of_many_is_lost, "no wake of many is lost", false},
    {wakes_do_not_disturb_the_owner, "wakes do not disturb the owner", false},
    {a_second_wait_is_busy, "a second wait is BUSY", false},
    {one_at_a_time_is_inside, "one at a time is inside", false},
    {a_context_goes_from_hand_to_hand, "a context goes from hand to hand", false},
    {no_wake_of_a_signal_handler_is_lost, "no wake of a signal handler is lost", false},
    {wakes_survive_a_fresh_queue, "wakes survive a fresh queue", false},
    {all_of_it_at_once, "notify, post, wake and stop at once", false},
    {all_of_it_between_waits, "notify and post between waits", false},
    {no_notify_that_crosses_a_clear_is_lost, "no notify that crosses a clear is lost", false},
    {no_wake_that_crosses_a_wait_is_lost, "no wake that crosses a wait is lost", false},
    {one_stop_ends_one_run, "one stop ends one run", false},
    {loops_hand_to_each_other, "loops hand to each other", false},
    {an_outer_loop_sees_all_of_it, "an outer loop sees notifies and tasks", true},
    {an_outer_loop_sees_every_wake, "an outer loop sees every wake", true},
    {a_late_wake_shows_once, "a late wake shows once", true},
    {an_outer_loop_sees_wakes_between_descriptors, "an outer loop sees wakes between descriptors",
     true},
    {an_outer_loop_sees_wakes_beside_files, "an outer loop sees wakes beside files", true},
    {an_outer_loop_sees_wakes_through_fresh_queues, "an outer loop sees wakes through fresh queues",
     true},
};

/* Ends the program if the story does not. */
static void *keep_watch(void *argument)
{
    sem_t *is_over = argument;
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += STORY_PATIENCE;
    while (sem_timedwait(is_over, &end) < 0)
        MUST_SAY(errno == EINTR, "the story does not end");
    return NULL;
}

static void watch_over(story *tell, plx_backend backend)
{
    struct crew watch;
    sem_t is_over;

    MUST(sem_init(&is_over, 0, 0) == 0);
    crew_start(&watch, 1, keep_watch, &is_over);
    tell(backend);
    sem_post(&is_over);
    crew_join(&watch);
    sem_destroy(&is_over);
}

/* A queue that a context can be nested with is what poll(2) has not. */
static bool has_nesting(plx_backend backend)
{
    return backend != PLX_BACKEND_POLL && backend != PLX_BACKEND_WSAPOLL;
}

static void tell_all(plx_backend backend)
{
    for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
        if (stories[i].is_nested && !has_nesting(backend))
            continue;
        backend_name = plx_backend_name(backend);
        story_name = stories[i].name;
        watch_over(stories[i].tell, backend);
        tap_result(true, "%s: %s", backend_name, story_name);
    }
}

int main(void)
{
    plx_backend backends[8];
    int count = plx_backend_list(backends, 8);

    choose_seed();
    for (int i = 0; i < count && i < 8; i++)
        tell_all(backends[i]);
    return tap_end();
}
