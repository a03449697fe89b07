/* SPDX-License-Identifier: MIT */
/*
 * test_server.c: windows_server_test ECHO_SERVER. The example serves, and ends well when somebody
 * presses Ctrl-C.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <winsock2.h>
#include <ws2tcpip.h>

#include "check.h"
#include "system.h"

enum { CLIENTS = 20 };

/* The server, at a console of its own that it shares with this process, and what it prints. */
struct server {
    HANDLE process;
    HANDLE output;
    char text[512];
};

static void start(struct server *server, const char *path)
{
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    STARTUPINFOA startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION made;
    char command[MAX_PATH + 2];
    HANDLE write_end;

    CHECK(CreatePipe(&server->output, &write_end, &inherited, 0));
    CHECK(SetHandleInformation(server->output, HANDLE_FLAG_INHERIT, 0));
    startup.hStdOutput = startup.hStdError = write_end;
    snprintf(command, sizeof command, "\"%s\"", path);
    FreeConsole();
    CHECK(AllocConsole());                     /* nobody else is at it */
    CHECK(SetConsoleCtrlHandler(NULL, FALSE)); /* or Ctrl-C is nothing, if a parent has it so */
    CHECK(CreateProcessA(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &made));
    CloseHandle(made.hThread);
    CloseHandle(write_end);
    server->process = made.hProcess;
}

/* Up to the end of a line. */
static void read_line(struct server *server)
{
    size_t size = 0;
    DWORD more;

    while (size + 1 < sizeof server->text &&
           ReadFile(server->output, server->text + size, 1, &more, NULL) && more == 1 &&
           server->text[size] != '\n')
        size++;
    server->text[size] = '\0';
}

static unsigned short port_of(const struct server *server)
{
    const char *colon = strrchr(server->text, ':');

    CHECK(colon != NULL);
    return (unsigned short)atoi(colon + 1);
}

static SOCKET expect_echo(unsigned short port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    SOCKET client = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    char heard[5] = "";

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(client, (const struct sockaddr *)&address, sizeof address) == 0);
    CHECK_EQUAL(send(client, "echo", 4, 0), 4);
    CHECK_EQUAL(recv(client, heard, 4, MSG_WAITALL), 4);
    CHECK(strcmp(heard, "echo") == 0);
    return client;
}

/* It reaches every process of the console, this one included. */
static BOOL WINAPI hear(DWORD event)
{
    return event == CTRL_C_EVENT;
}

/* Most clients are still there when it ends, and one has gone. */
static void interrupt_a_server(void *path)
{
    struct server server;
    unsigned short port;
    DWORD status;

    CHECK(SetConsoleCtrlHandler(hear, TRUE));
    start(&server, path);
    read_line(&server);
    port = port_of(&server);
    for (int i = 0; i < CLIENTS; i++)
        expect_echo(port);
    closesocket(expect_echo(port));
    CHECK(GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0));
    read_line(&server);
    CHECK(strncmp(server.text, "accepted 21, failed 0, open at the end 2", 40) == 0);
    CHECK(strstr(server.text, "echoed 84 bytes") != NULL);
    CHECK(WaitForSingleObject(server.process, 10000) == WAIT_OBJECT_0);
    CHECK(GetExitCodeProcess(server.process, &status));
    CHECK_EQUAL(status, 0);
}

int main(int argc, char **argv)
{
    enum outcome outcome;

    if (argc != 2) {
        fputs("usage: windows_server_test ECHO_SERVER\n", stderr);
        return 2;
    }
    system_prepare();
    outcome = check_run(interrupt_a_server, argv[1]);
    printf("%sok 1 - server_ends_well_when_interrupted\n1..1\n", outcome == FAILED ? "not " : "");
    return outcome == FAILED;
}
