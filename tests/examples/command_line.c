/* SPDX-License-Identifier: MIT */
/*
 * command_line.c: what echo_server is told, and what it answers.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pollux.h>

#include "child.h"
#include "stories.h"
#include "stream.h"
#include "tap.h"
#include "words.h"

static void tell_bad_options(const char *echo_server)
{
    static const struct {
        const char *options;
        const char *reason;
    } bad[] = {
        {"--nonsense", "usage:"},
        {"--backend", "usage:"},
        {"--backend nonsense", "nonsense: no backend has that name"},
        {"--backend wsapoll", "wsapoll: "},
        {"--backend poll --edge", "poll: this backend has no edge-triggered mode"},
        {"--edge --oneshot", "choose one"},
        {"70000", "70000: a port is"},
        {"-1", "usage:"},
        {"12x", "12x: a port is"},
        {"localhost 0", "localhost: not an IPv4 or IPv6 address"},
        {"1.2.3.4.5 0", "1.2.3.4.5: not an IPv4 or IPv6 address"},
        {"127.0.0.1 0 0", "usage:"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        tap_result(program_ends(echo_server, bad[i].options, 2, bad[i].reason),
                   "echo_server/options/%s", bad[i].options);
    setenv("POLLUX_BACKEND", "nonsense", 1);
    tap_result(program_ends(echo_server, "", 2, "POLLUX_BACKEND: "),
               "echo_server/options/POLLUX_BACKEND=nonsense");
    unsetenv("POLLUX_BACKEND");
}

static bool help_is_no_error(const char *echo_server)
{
    char line[256];
    struct words words;
    struct child child;
    struct ending ending;

    snprintf(line, sizeof(line), "%s --help", echo_server);
    words_split(&words, line);
    CHECK(child_start(&child, words.list, 0));
    ending = child_end(&child, 0);
    CHECK(ending.status == 0);
    CHECK(strstr(ending.out, "usage:") != NULL);
    return true;
}

static int port_of(const struct echo_server *server)
{
    return atoi(strrchr(server->line, ':') + 1);
}

static bool taken_port_is_refused(const char *echo_server)
{
    struct words none;
    struct echo_server server;
    char port[16];
    bool refused;

    words_split(&none, "");
    CHECK(echo_server_start(&server, echo_server, none.list, 0));
    snprintf(port, sizeof(port), "%d", port_of(&server));
    refused = program_ends(echo_server, port, 1, "127.0.0.1: ");
    CHECK(child_end(&server.child, SIGTERM).status == 0);
    return refused;
}

/* The line says where it listens, and a client is served there. */
static bool listens_on(const char *echo_server, const char *options, const char *line)
{
    struct words words;
    struct echo_server server;
    struct stream stream = {.seed = 10};
    bool served;

    words_split(&words, options);
    CHECK(echo_server_start(&server, echo_server, words.list, 0));
    stream.fd = echo_server_connect(&server);
    served = stream.fd >= 0 && stream_exchange(&stream, 100000);
    close(stream.fd);
    CHECK(child_end(&server.child, SIGTERM).status == 0);
    CHECK(served);
    CHECK_SAY(strncmp(server.line, line, strlen(line)) == 0, "\"%s\"", server.line);
    return true;
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool here = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;

    if (fd >= 0)
        close(fd);
    return here;
}

static void tell_addresses(const char *echo_server)
{
    tap_result(listens_on(echo_server, "", "listening on 127.0.0.1:"),
               "echo_server/listens/by_default");
    tap_result(listens_on(echo_server, "0", "listening on 127.0.0.1:"),
               "echo_server/listens/port_alone");
    tap_result(listens_on(echo_server, "127.0.0.2 0", "listening on 127.0.0.2:"),
               "echo_server/listens/address_and_port");
    tap_result(listens_on(echo_server, "--backend auto", "listening on 127.0.0.1:"),
               "echo_server/listens/backend_auto");
    if (has_ipv6())
        tap_result(listens_on(echo_server, "::1 0", "listening on [::1]:"),
                   "echo_server/listens/ipv6");
    else
        tap_skip("this system has no ::1", "echo_server/listens/ipv6");
}

/* Three clients come, one resets, one is still there when the signal comes. */
static bool last_words(const char *echo_server, int signo)
{
    struct words none;
    struct echo_server server;
    struct ending ending;
    struct stream left = {.seed = 11};
    struct stream reset = {.seed = 12};
    struct stream stays = {.seed = 13};

    words_split(&none, "");
    CHECK(echo_server_start(&server, echo_server, none.list, 0));
    left.fd = echo_server_connect(&server);
    CHECK(stream_exchange(&left, 1000));
    CHECK(shutdown(left.fd, SHUT_WR) == 0);
    CHECK(stream_at_end(&left));
    reset.fd = echo_server_connect(&server);
    CHECK(stream_exchange(&reset, 100));
    stream_reset(&reset);
    stays.fd = echo_server_connect(&server);
    CHECK(stream_exchange(&stays, 10));
    ending = child_end(&server.child, signo);
    CHECK(stream_at_end(&stays));
    close(stays.fd);
    close(left.fd);
    CHECK_SAY(ending.status == 0, "status %d", ending.status);
    CHECK_SAY(strcmp(ending.out, "accepted 3, failed 1, open at the end 1, echoed 1110 bytes\n") ==
                  0,
              "\"%s\"", ending.out);
    return true;
}

/* Nobody is waited for: not for clients who never read, and who have left their answers here. */
static bool ends_with_work_left(const char *echo_server)
{
    enum { CLIENTS = 50 };
    struct words none;
    struct echo_server server;
    struct ending ending;
    struct stream clients[CLIENTS];

    words_split(&none, "");
    CHECK(echo_server_start(&server, echo_server, none.list, 0));
    for (uint32_t i = 0; i < CLIENTS; i++) {
        clients[i] = (struct stream){.fd = echo_server_connect_small(&server), .seed = i};
        CHECK(clients[i].fd >= 0 && stream_exchange(&clients[i], 1));
        CHECK(stream_send_unread(&clients[i], 1000000, 2));
    }
    ending = child_end(&server.child, SIGTERM);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i].fd);
    CHECK_SAY(ending.status == 0, "status %d, \"%s\"", ending.status, ending.err);
    CHECK_SAY(strstr(ending.out, "accepted 50, failed 0, open at the end 50, ") == ending.out,
              "\"%s\"", ending.out);
    return true;
}

void tell_command_line(const char *echo_server)
{
    tell_bad_options(echo_server);
    tap_result(help_is_no_error(echo_server), "echo_server/options/--help");
    tap_result(taken_port_is_refused(echo_server), "echo_server/listens/taken_port");
    tell_addresses(echo_server);
    tap_result(last_words(echo_server, SIGTERM), "echo_server/ends/SIGTERM");
    tap_result(last_words(echo_server, SIGINT), "echo_server/ends/SIGINT");
    tap_result(ends_with_work_left(echo_server), "echo_server/ends/with_work_left");
}
