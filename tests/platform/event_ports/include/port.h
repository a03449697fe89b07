/* SPDX-License-Identifier: MIT */
/*
 * port.h: what a program needs of the header of this name, with the layout and the numbers of
 * illumos, for programs on Linux that are linked with the shim beside it. See event_ports_shim.h
 * for what the shim plays and what it cannot.
 */
#ifndef EVENT_PORTS_SHIM_PORT_H
#define EVENT_PORTS_SHIM_PORT_H

#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct timespec;

/* Of <sys/types.h> there. */
typedef unsigned int uint_t;
typedef unsigned short ushort_t;

#define PORT_SOURCE_AIO   1
#define PORT_SOURCE_TIMER 2
#define PORT_SOURCE_USER  3
#define PORT_SOURCE_FD    4
#define PORT_SOURCE_ALERT 5
#define PORT_SOURCE_MQ    6
#define PORT_SOURCE_FILE  7

#define PORT_ALERT_SET     0x01
#define PORT_ALERT_UPDATE  0x02
#define PORT_ALERT_INVALID (PORT_ALERT_SET | PORT_ALERT_UPDATE)

typedef struct port_event {
    int portev_events;
    ushort_t portev_source;
    ushort_t portev_pad;
    uintptr_t portev_object;
    void *portev_user;
} port_event_t;

typedef struct port_notify {
    int portnfy_port;
    void *portnfy_user;
} port_notify_t;

int port_create(void);
int port_associate(int port, int source, uintptr_t object, int events, void *user);
int port_dissociate(int port, int source, uintptr_t object);
int port_send(int port, int events, void *user);
int port_sendn(int ports[], int errors[], uint_t count, int events, void *user);
int port_alert(int port, int flags, int events, void *user);

/* The manual has the timeout const, the header has not. */
int port_get(int port, port_event_t *event, struct timespec *timeout);
int port_getn(int port, port_event_t list[], uint_t max, uint_t *nget, struct timespec *timeout);

#ifdef __cplusplus
}
#endif

#endif
