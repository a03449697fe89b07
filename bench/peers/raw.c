/* SPDX-License-Identifier: MIT */
/* raw.c: see raw.h. */
#include "raw.h"

#include <sys/utsname.h>

const char *raw_kernel_version(void)
{
    static struct utsname system;
    return uname(&system) == 0 ? system.release : "unknown";
}
