/* SPDX-License-Identifier: MIT */
#include <pollux/version.h>

int plx_version(void)
{
    return PLX_VERSION;
}
