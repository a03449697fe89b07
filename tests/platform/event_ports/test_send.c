/* SPDX-License-Identifier: MIT */
/* test_send.c: events of the user, and the alert mode. */
#include <errno.h>
#include <unistd.h>

#include "kit.h"

static int mark;

/* port_send(3C) */
static bool sent_event_has_its_data(void)
{
    int port = new_port();
    port_event_t event;
    CHECK(port_send(port, 0x40000001, &mark) == 0);
    CHECK(ask(port, &event, 1) == 1);
    CHECK(event.portev_source == PORT_SOURCE_USER && event.portev_events == 0x40000001);
    CHECK(event.portev_object == 0 && event.portev_user == &mark);
    return true;
}

/* port_send() of the kernel joins nothing: two calls are two events. */
static bool sent_events_are_not_joined(void)
{
    int port = new_port();
    port_event_t events[3];
    CHECK(port_send(port, 1, &mark) == 0 && port_send(port, 1, &mark) == 0);
    CHECK(ask(port, events, 3) == 2);
    return true;
}

/* Delivered events leave their place to others, in this port and elsewhere. */
static bool sent_events_never_run_out(void)
{
    port_event_t events[512];
    for (int i = 0; i < 300; i++) {
        int port = new_port();
        for (int j = 0; j < 512; j++)
            CHECK(port_send(port, 1, NULL) == 0);
        if (i & 1)
            CHECK(ask(port, events, 512) == 512);
        drop(port);
    }
    return true;
}

/* port_send(3C), EAGAIN; the limit is that of the moment in which the port was made. */
static bool full_port_is_eagain(void)
{
    struct port_traits narrow = port_shim_illumos;
    port_event_t events[3];
    narrow.limit = 2;
    port_shim_play(&narrow);
    int port = new_port();
    port_shim_play(&port_shim_illumos);
    CHECK(port_send(port, 1, NULL) == 0 && port_send(port, 2, NULL) == 0);
    errno = 0;
    CHECK(port_send(port, 3, NULL) == -1 && errno == EAGAIN);
    CHECK(ask(port, events, 3) == 2);
    CHECK(port_send(port, 4, NULL) == 0);
    return true;
}

/* port_sendn(3C): the errors are filled in if there is one. */
static bool list_of_ports_says_which_failed(void)
{
    struct pair pipe = new_pipe();
    int first = new_port(), closed = new_port(), last = new_port();
    int ports[] = {first, closed, pipe.here, last};
    int errors[] = {-1, -1, -1, -1};
    port_event_t event;
    drop(closed);
    CHECK(port_sendn(ports, errors, 4, 7, &mark) == 2);
    CHECK(errors[0] == 0 && errors[1] == EBADF && errors[2] == EBADFD && errors[3] == 0);
    CHECK(ask(first, &event, 1) == 1 && event.portev_events == 7 && event.portev_user == &mark);
    CHECK(ask(last, &event, 1) == 1);
    return true;
}

static bool list_without_errors_leaves_them_alone(void)
{
    int ports[] = {new_port(), new_port()};
    int errors[] = {-1, -1};
    CHECK(port_sendn(ports, errors, 2, 7, NULL) == 2);
    CHECK(errors[0] == -1 && errors[1] == -1);
    errno = 0;
    CHECK(port_sendn(ports, errors, 0, 7, NULL) == -1 && errno == EINVAL);
    return true;
}

/* port_alert(3C): everybody gets the alert, at once and each time, and nothing else. */
static bool alert_is_given_until_it_ends(void)
{
    int port = new_port();
    port_event_t events[2];
    uint_t count = 2;
    port_send(port, 1, NULL);
    CHECK(port_alert(port, PORT_ALERT_SET, 9, &mark) == 0);
    for (int i = 0; i < 2; i++, count = 2) {
        CHECK(port_getn(port, events, 2, &count, NULL) == 0 && count == 1);
        CHECK(events[0].portev_source == PORT_SOURCE_ALERT && events[0].portev_events == 9);
        CHECK(events[0].portev_user == &mark && events[0].portev_object == 0);
    }
    CHECK(port_alert(port, PORT_ALERT_SET, 0, NULL) == 0);
    CHECK(ask(port, events, 2) == 1 && events[0].portev_source == PORT_SOURCE_USER);
    return true;
}

/* port_alert(3C), EBUSY and EINVAL. */
static bool alert_is_replaced_by_set_alone(void)
{
    int port = new_port();
    port_event_t event;
    CHECK(port_alert(port, PORT_ALERT_UPDATE, 1, NULL) == 0);
    CHECK(port_alert(port, PORT_ALERT_UPDATE, 2, NULL) == -1 && errno == EBUSY);
    CHECK(ask(port, &event, 1) == 1 && event.portev_events == 1);
    CHECK(port_alert(port, PORT_ALERT_SET, 3, NULL) == 0);
    CHECK(ask(port, &event, 1) == 1 && event.portev_events == 3);
    CHECK(port_alert(port, PORT_ALERT_INVALID, 4, NULL) == -1 && errno == EINVAL);
    return true;
}

/* port_poll() counts the queue, to which an alert does not belong. */
static bool alert_does_not_show(void)
{
    int port = new_port();
    port_alert(port, PORT_ALERT_SET, 1, NULL);
    CHECK(!shows(port));
    port_send(port, 1, NULL);
    CHECK(shows(port));
    return true;
}

/* port_getn(): the number is asked for before the alert is looked at. */
static bool number_is_told_in_spite_of_an_alert(void)
{
    int port = new_port();
    uint_t count = 0;
    port_alert(port, PORT_ALERT_SET, 1, NULL);
    CHECK(port_getn(port, NULL, 0, &count, NULL) == 0 && count == 0);
    return true;
}

const struct fact facts_of_sending[] = {
    FACT(sent_event_has_its_data),
    FACT(sent_events_are_not_joined),
    FACT(sent_events_never_run_out),
    FACT(full_port_is_eagain),
    FACT(list_of_ports_says_which_failed),
    FACT(list_without_errors_leaves_them_alone),
    FACT(alert_is_given_until_it_ends),
    FACT(alert_is_replaced_by_set_alone),
    FACT(alert_does_not_show),
    FACT(number_is_told_in_spite_of_an_alert),
    FACTS_END,
};
