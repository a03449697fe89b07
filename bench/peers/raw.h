/* SPDX-License-Identifier: MIT */
/* raw.h: what the limits share: their version is that of the kernel. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

const char *raw_kernel_version(void);

#endif
