/* SPDX-License-Identifier: MIT */
/* closing.h: for programs that replace close() themselves: the shims have to hear of it. */
#ifndef PLATFORM_CLOSING_H
#define PLATFORM_CLOSING_H

/* NULL where the shim is not linked. */
void kqueue_shim_closing(int fd) __attribute__((weak));
void port_shim_closing(int fd) __attribute__((weak));
void kqueue_shim_duplicated(int from, int to) __attribute__((weak));

static inline void shims_closing(int fd)
{
    if (kqueue_shim_closing)
        kqueue_shim_closing(fd);
    if (port_shim_closing)
        port_shim_closing(fd);
}

#endif
