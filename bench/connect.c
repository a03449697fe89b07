/* SPDX-License-Identifier: MIT */
/* connect.c: see connect.h. */
#include "connect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

/* So that no pair of addresses runs out of ports, which takes the kernel long to find out. */
#define SOURCE_ADDRESSES 64

int connect_socket(int index)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    /* The port is chosen at connect, per pair of addresses and not for all of them. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    struct sockaddr_in source = {.sin_family = AF_INET};
    uint32_t host = (uint32_t)(index % SOURCE_ADDRESSES);
    source.sin_addr.s_addr = htonl(UINT32_C(0x7f000101) + (host << 8));
    if (bind(fd, (struct sockaddr *)&source, sizeof(source)) == 0)
        return fd;
    close(fd);
    return -1;
}
