/* SPDX-License-Identifier: MIT */
/* test_closing.c: two shims in one program, and one close() for both. */
#include <poll.h>
#include <port.h>
#include <stdint.h>
#include <sys/event.h>
#include <unistd.h>

#include "event_ports_shim.h"
#include "kqueue_shim.h"
#include "tap.h"

static bool both_hear_of_a_close(void)
{
    int port = port_create(), queue = kqueue(), ends[2];
    struct kevent change;
    CHECK(port >= 0 && queue >= 0 && pipe(ends) == 0);
    EV_SET(&change, ends[0], EVFILT_READ, EV_ADD, 0, 0, NULL);
    CHECK(kevent(queue, &change, 1, NULL, 0, NULL) == 0);
    CHECK(port_associate(port, PORT_SOURCE_FD, (uintptr_t)ends[0], POLLIN, NULL) == 0);
    CHECK(kqueue_shim_notes(queue) == 1 && port_shim_associated(port) == 1);
    CHECK(dup2(ends[1], ends[0]) == ends[0]);
    CHECK(kqueue_shim_notes(queue) == 0 && port_shim_associated(port) == 0);
    CHECK(port_associate(port, PORT_SOURCE_FD, (uintptr_t)queue, POLLIN, NULL) == 0);
    close(queue);
    CHECK(kqueue_shim_notes(queue) == -1 && port_shim_associated(port) == 0);
    close(port);
    CHECK(port_shim_associated(port) == -1);
    close(ends[0]);
    close(ends[1]);
    return true;
}

int main(void)
{
    tap_result(both_hear_of_a_close(), "both_hear_of_a_close");
    return tap_end();
}
