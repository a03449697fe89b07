/* SPDX-License-Identifier: MIT */
/*
 * chat_example.c: the chat server with guests who talk, sleep, do not read and leave, with a worker
 * that is killed, and with the signal that ends it. All of it on each backend.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <pollux.h>

#include "child.h"
#include "stories.h"
#include "tap.h"
#include "words.h"

enum { LINE = 1024 }; /* the longest that the server takes, its end included */

struct chat {
    struct echo_server server;
    pid_t worker;
};

static int64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* --- A guest is a connection and reads as slowly as it gets: there are few of them --------------
 */

static bool say(int fd, const char *text)
{
    size_t size = strlen(text);

    CHECK_SAY(send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size, "%s", strerror(errno));
    return true;
}

/* 1: a line. 0: the end. -1: nothing came in time, or a reset. */
static int next_line(int fd, char *line, size_t size)
{
    size_t length = 0;
    ssize_t got;

    while ((got = recv(fd, line + length, 1, 0)) == 1 && line[length] != '\n' && length < size - 1)
        length++;
    line[length] = '\0';
    return got == 1 ? 1 : got == 0 && length == 0 ? 0 : -1;
}

/* The next line is this one. */
static bool hears_next(int fd, const char *expected)
{
    char line[LINE + 64];

    CHECK_SAY(next_line(fd, line, sizeof(line)) == 1, "no \"%s\"", expected);
    CHECK_SAY(strcmp(line, expected) == 0, "\"%s\" instead of \"%s\"", line, expected);
    return true;
}

/* Sooner or later comes this line. */
static bool hears(int fd, const char *expected)
{
    char line[LINE + 64] = "";

    while (strcmp(line, expected) != 0)
        CHECK_SAY(next_line(fd, line, sizeof(line)) == 1, "no \"%s\", last \"%s\"", expected, line);
    return true;
}

static bool hears_the_end(int fd)
{
    char line[LINE + 64];
    int result;

    do
        result = next_line(fd, line, sizeof(line));
    while (result > 0);
    CHECK_SAY(result == 0, "%s", strerror(errno));
    close(fd);
    return true;
}

static bool enter(const struct chat *chat, int *fd, unsigned number)
{
    char greeting[64];

    *fd = echo_server_connect(&chat->server);
    CHECK(*fd >= 0);
    snprintf(greeting, sizeof(greeting), "* you are guest %u", number);
    CHECK(hears_next(*fd, greeting));
    snprintf(greeting, sizeof(greeting), "* guest %u came", number);
    return hears_next(*fd, greeting);
}

/* --- The server ------------------------------------------------------------------------------- */

/* Waits for the line in which it tells of its new worker. */
static bool expect_worker(struct chat *chat)
{
    char line[128];

    CHECK(child_read_line(&chat->server.child, line, sizeof(line)));
    CHECK_SAY(strncmp(line, "worker ", 7) == 0 && strstr(line, " is here") != NULL, "\"%s\"", line);
    chat->worker = (pid_t)strtol(line + 7, NULL, 10);
    return true;
}

static bool open_chat(struct chat *chat, const char *chat_server, const char *options)
{
    struct words words;

    words_split(&words, options);
    CHECK(echo_server_start(&chat->server, chat_server, words.list, 0));
    return expect_worker(chat);
}

static bool ended_well(const struct chat *chat, const struct ending *ending, unsigned guests)
{
    char last[64];

    snprintf(last, sizeof(last), "welcomed %u guests\n", guests);
    CHECK_SAY(ending->status == 0, "status %d, \"%s\"", ending->status, ending->err);
    CHECK_SAY(ending->err[0] == '\0', "\"%s\"", ending->err);
    CHECK_SAY(strstr(ending->out, last) != NULL, "\"%s\"", ending->out);
    CHECK(kill(chat->worker, 0) < 0 && errno == ESRCH);
    return true;
}

static bool close_chat(struct chat *chat, unsigned guests)
{
    struct ending ending = child_end(&chat->server.child, SIGTERM);

    return ended_well(chat, &ending, guests);
}

/* --- Stories ---------------------------------------------------------------------------------- */

static bool everybody_hears_everybody(const char *chat_server)
{
    struct chat chat;
    int guest[3];

    CHECK(open_chat(&chat, chat_server, ""));
    for (unsigned i = 0; i < 3; i++)
        CHECK(enter(&chat, &guest[i], i + 1));
    CHECK(hears_next(guest[0], "* guest 2 came"));
    CHECK(hears_next(guest[0], "* guest 3 came"));
    CHECK(hears_next(guest[1], "* guest 3 came"));
    CHECK(say(guest[0], "one\n\nand") && hears_next(guest[0], "guest 1: one"));
    CHECK(say(guest[1], "two\r\n") && hears(guest[1], "guest 2: two"));
    CHECK(say(guest[0], " more\n") && hears(guest[0], "guest 1: and more"));
    CHECK(hears_next(guest[2], "guest 1: one"));
    CHECK(hears_next(guest[2], "guest 2: two"));
    CHECK(hears_next(guest[2], "guest 1: and more"));
    close(guest[1]);
    CHECK(hears_next(guest[2], "* guest 2 left"));
    close(guest[0]);
    close(guest[2]);
    return close_chat(&chat, 3);
}

static bool half_close_gets_the_rest(const char *chat_server)
{
    struct chat chat;
    int guest;

    CHECK(open_chat(&chat, chat_server, ""));
    CHECK(enter(&chat, &guest, 1));
    CHECK(say(guest, "one\ntwo\n") && shutdown(guest, SHUT_WR) == 0);
    CHECK(hears_next(guest, "guest 1: one"));
    CHECK(hears_next(guest, "guest 1: two"));
    CHECK(hears_the_end(guest));
    return close_chat(&chat, 1);
}

/* Without an upper time: the silent one goes sooner or later, the talking one is still there. */
static bool who_talks_may_stay(const char *chat_server)
{
    const struct timespec moment = {.tv_nsec = 20000000};
    struct chat chat;
    int64_t came_at;
    int talks;
    int sleeps;
    char line[128] = "";

    CHECK(open_chat(&chat, chat_server, "--idle 2"));
    CHECK(enter(&chat, &talks, 1));
    came_at = now_ns();
    CHECK(enter(&chat, &sleeps, 2));
    while (strcmp(line, "* guest 2 fell asleep") != 0) {
        CHECK(say(talks, "still here\n"));
        nanosleep(&moment, NULL); /* for the machine's sake: without it all goes as well */
        CHECK_SAY(next_line(talks, line, sizeof(line)) == 1, "after \"%s\"", line);
    }
    CHECK(now_ns() - came_at >= 2000000000);
    CHECK(hears(sleeps, "* you said nothing for too long, goodbye"));
    CHECK(hears_the_end(sleeps));
    CHECK(say(talks, "good night\n") && hears(talks, "guest 1: good night"));
    close(talks);
    return close_chat(&chat, 2);
}

static bool idle_takes_fractions(const char *chat_server)
{
    struct chat chat;
    int guest;

    CHECK(open_chat(&chat, chat_server, "--idle 0.02"));
    CHECK(enter(&chat, &guest, 1));
    CHECK(hears_next(guest, "* you said nothing for too long, goodbye"));
    CHECK(hears_the_end(guest));
    return close_chat(&chat, 1);
}

/* `prefix` and so many letters, and the line feed. */
static void compose(char *text, const char *prefix, char letter, size_t size)
{
    size_t begun = strlen(prefix);

    memcpy(text, prefix, begun);
    memset(text + begun, letter, size - begun - 1);
    memcpy(text + size - 1, "\n", 2);
}

/* The talker says a long line, and hears it behind all that was said before. */
static bool talk_once(int talks, const char *gone, bool *ret_gone)
{
    char text[LINE + 1];
    char line[LINE + 64];

    compose(text, "", 'x', LINE);
    CHECK(say(talks, text));
    do {
        CHECK(next_line(talks, line, sizeof(line)) == 1);
        *ret_gone |= strcmp(line, gone) == 0;
    } while (line[0] == '*');
    return true;
}

/* How many lines a guest who does not read lets pass before it has to go. */
static bool count_until_cut(const struct chat *chat, int talks, int *ret_lines)
{
    enum { BEYOND_ALL_BUFFERS = 20000 };
    int slow = echo_server_connect_small(&chat->server);
    bool is_gone = false;

    CHECK(slow >= 0 && hears(talks, "* guest 2 came"));
    for (*ret_lines = 0; !is_gone && *ret_lines < BEYOND_ALL_BUFFERS; ++*ret_lines)
        CHECK(talk_once(talks, "* guest 2 left", &is_gone));
    close(slow);
    CHECK(is_gone);
    return true;
}

/* Nobody waits for the one who does not read, and what is kept for it has a bound. */
static bool who_does_not_read_has_to_go(const char *chat_server)
{
    struct chat chat;
    int talks;
    int lines;

    CHECK(open_chat(&chat, chat_server, ""));
    CHECK(enter(&chat, &talks, 1));
    CHECK(count_until_cut(&chat, talks, &lines));
    close(talks);
    return close_chat(&chat, 2);
}

/* So many lines are said before it reads. 1: it has heard them all. 0: it was cut. */
static int reads_late(const struct chat *chat, int talks, int lines)
{
    char line[LINE + 64];
    int slow = echo_server_connect_small(&chat->server);
    int heard = 0;
    int result = 1;
    bool ignored = false;

    if (slow < 0)
        return -1;
    for (int i = 0; i < lines; i++)
        if (!talk_once(talks, "", &ignored))
            return -1;
    while (heard < lines && (result = next_line(slow, line, sizeof(line))) == 1)
        heard += line[0] == 'g';
    close(slow);
    return result;
}

/*
 * What the kernel did not take was kept, and goes out when there is room. How much the kernel takes
 * is for it to know: tried is a little less than what was too much, and less, until it is not.
 */
static bool who_reads_late_hears_all(const char *chat_server)
{
    struct chat chat;
    unsigned guests = 2;
    int result = 0;
    int talks;
    int lines;

    CHECK(open_chat(&chat, chat_server, ""));
    CHECK(enter(&chat, &talks, 1));
    CHECK(count_until_cut(&chat, talks, &lines));
    for (int less = 16; result == 0 && less < lines; less += 16) {
        result = reads_late(&chat, talks, lines - less);
        guests++;
    }
    CHECK_SAY(result == 1, "%d", result);
    close(talks);
    return close_chat(&chat, guests);
}

static bool lines_have_a_limit(const char *chat_server)
{
    char text[LINE + 16];
    char expected[LINE + 64];
    struct chat chat;
    int guest;

    CHECK(open_chat(&chat, chat_server, ""));
    CHECK(enter(&chat, &guest, 1));
    compose(text, "", 'x', LINE);
    CHECK(say(guest, text));
    snprintf(expected, sizeof(expected), "guest 1: %.*s", LINE - 1, text);
    CHECK(hears_next(guest, expected));
    compose(text, "", 'y', LINE + 1);
    CHECK(say(guest, text));
    CHECK(hears_next(guest, "* that line is too long, goodbye"));
    CHECK(hears_the_end(guest));
    return close_chat(&chat, 1);
}

static bool worker_shouts(const char *chat_server)
{
    char text[LINE + 16];
    struct chat chat;
    int first;
    int second;

    CHECK(open_chat(&chat, chat_server, ""));
    CHECK(enter(&chat, &first, 1) && enter(&chat, &second, 2));
    CHECK(say(first, "/shout hello there\n"));
    CHECK(hears_next(second, "guest 1 shouts: HELLO THERE"));
    for (size_t size = LINE - 8; size <= LINE;
         size++) { /* around the longest that the worker gets */
        compose(text, "/shout ", 'x', size);
        CHECK(say(second, text));
    }
    CHECK(hears(first, "guest 1 shouts: HELLO THERE"));
    CHECK(say(second, "/shout enough\n") && hears(first, "guest 2 shouts: ENOUGH"));
    close(first);
    close(second);
    return close_chat(&chat, 2);
}

static bool kill_worker(struct chat *chat, const char *pause)
{
    char line[128];
    char expected[128];

    CHECK(kill(chat->worker, SIGKILL) == 0);
    CHECK(child_read_line(&chat->server.child, line, sizeof(line)));
    snprintf(expected, sizeof(expected), "worker %ld was ended by signal 9", (long)chat->worker);
    CHECK_SAY(strcmp(line, expected) == 0, "\"%s\"", line);
    CHECK(child_read_line(&chat->server.child, line, sizeof(line)));
    CHECK_SAY(strstr(line, pause) != NULL, "\"%s\"", line);
    return true;
}

/* The pause grows as long as no worker has done anything. */
static bool worker_comes_again(const char *chat_server)
{
    struct chat chat;
    int first;
    int second;

    CHECK(open_chat(&chat, chat_server, ""));
    CHECK(enter(&chat, &first, 1) && enter(&chat, &second, 2));
    CHECK(kill_worker(&chat, "0.1 s"));
    CHECK(say(first, "what was that?\n") && hears(second, "guest 1: what was that?"));
    CHECK(expect_worker(&chat));
    CHECK(kill_worker(&chat, "0.2 s"));
    CHECK(expect_worker(&chat));
    CHECK(kill_worker(&chat, "0.4 s"));
    CHECK(say(first, "/shout anybody there\n")); /* perhaps: the next one may be here already */
    CHECK(expect_worker(&chat));
    CHECK(say(first, "/shout again\n") && hears(second, "guest 1 shouts: AGAIN"));
    CHECK(kill_worker(&chat, "0.1 s"));
    close(first);
    close(second);
    return close_chat(&chat, 2);
}

/* Everybody hears the last words, also who has said something that nobody read any more. */
static bool ends_with_a_word(const char *chat_server, int signo)
{
    struct chat chat;
    struct ending ending;
    int guest[3];

    CHECK(open_chat(&chat, chat_server, ""));
    for (unsigned i = 0; i < 3; i++)
        CHECK(enter(&chat, &guest[i], i + 1));
    CHECK(kill(chat.server.child.pid, SIGSTOP) == 0);
    CHECK(kill(chat.server.child.pid, signo) == 0);
    CHECK(say(guest[1], "wait!\n"));
    CHECK(kill(chat.server.child.pid, SIGCONT) == 0);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(hears(guest[i], "* the server ends, goodbye"));
        CHECK(hears_the_end(guest[i]));
    }
    ending = child_end(&chat.server.child, 0);
    return ended_well(&chat, &ending, 3);
}

/* It does not wait for ever for those who stay, and less long when it is asked twice. */
static bool ends_in_spite_of_guests(const char *chat_server, bool ask_twice)
{
    struct chat chat;
    struct ending ending;
    int guest[2];

    CHECK(open_chat(&chat, chat_server, ""));
    for (unsigned i = 0; i < 2; i++)
        CHECK(enter(&chat, &guest[i], i + 1));
    CHECK(kill(chat.server.child.pid, SIGTERM) == 0);
    CHECK(hears(guest[0], "* the server ends, goodbye"));
    ending = child_end(&chat.server.child, ask_twice ? SIGINT : 0);
    close(guest[0]);
    close(guest[1]);
    return ended_well(&chat, &ending, 2);
}

/* Those for whom there is no descriptor come in when others leave. */
static bool out_of_descriptors_it_goes_on(const char *chat_server)
{
    enum { FEW = 32, CLIENTS = 2 * FEW };
    struct words none;
    struct chat chat;
    int guest[CLIENTS];

    words_split(&none, "");
    CHECK(echo_server_start(&chat.server, chat_server, none.list, FEW));
    CHECK(expect_worker(&chat));
    for (int i = 0; i < CLIENTS; i++) {
        guest[i] = echo_server_connect(&chat.server);
        CHECK(guest[i] >= 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        char text[32];

        snprintf(text, sizeof(text), "* you are guest %d", i + 1);
        CHECK(hears_next(guest[i], text));
        close(guest[i]);
    }
    return close_chat(&chat, CLIENTS);
}

static bool sigterm_has_a_word(const char *chat_server)
{
    return ends_with_a_word(chat_server, SIGTERM);
}

static bool sigint_has_a_word(const char *chat_server)
{
    return ends_with_a_word(chat_server, SIGINT);
}

static bool does_not_wait_for_ever(const char *chat_server)
{
    return ends_in_spite_of_guests(chat_server, false);
}

static bool second_signal_hurries(const char *chat_server)
{
    return ends_in_spite_of_guests(chat_server, true);
}

static const struct {
    const char *name;
    bool (*tell)(const char *chat_server);
} stories[] = {
    {"everybody_hears_everybody", everybody_hears_everybody},
    {"half_close_gets_the_rest", half_close_gets_the_rest},
    {"who_talks_may_stay", who_talks_may_stay},
    {"idle_takes_fractions", idle_takes_fractions},
    {"who_does_not_read_has_to_go", who_does_not_read_has_to_go},
    {"who_reads_late_hears_all", who_reads_late_hears_all},
    {"lines_have_a_limit", lines_have_a_limit},
    {"worker_shouts", worker_shouts},
    {"worker_comes_again", worker_comes_again},
    {"sigterm_has_a_word", sigterm_has_a_word},
    {"sigint_has_a_word", sigint_has_a_word},
    {"does_not_wait_for_ever", does_not_wait_for_ever},
    {"second_signal_hurries", second_signal_hurries},
    {"out_of_descriptors_it_goes_on", out_of_descriptors_it_goes_on},
};

static void tell_bad_options(const char *chat_server)
{
    static const struct {
        const char *options;
        const char *reason;
    } bad[] = {
        {"--nonsense", "usage:"},       {"--idle", "usage:"},
        {"--idle 0", "0: a time is"},   {"--idle -1", "-1: a time is"},
        {"--idle 1s", "1s: a time is"}, {"--idle nan", "nan: a time is"},
        {"70000", "70000: a port is"},  {"localhost 0", "localhost: not an IPv4 or IPv6 address"},
        {"127.0.0.1 0 0", "usage:"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        tap_result(program_ends(chat_server, bad[i].options, 2, bad[i].reason),
                   "chat_server/options/%s", bad[i].options);
}

void tell_chat(const char *chat_server)
{
    plx_backend backends[8];
    int count = plx_backend_list(backends, 8);

    tell_bad_options(chat_server);
    for (int i = 0; i < count; i++) {
        const char *backend = plx_backend_name(backends[i]);

        setenv("POLLUX_BACKEND", backend, 1);
        for (size_t j = 0; j < sizeof(stories) / sizeof(stories[0]); j++)
            tap_result(stories[j].tell(chat_server), "chat_server/%s/%s", backend, stories[j].name);
    }
    unsetenv("POLLUX_BACKEND");
}
