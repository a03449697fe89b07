/* SPDX-License-Identifier: MIT */
/*
 * kinds.c: the only file that names all kinds of watchers.
 */
#include "src/core/descriptor.h"
#include "src/sources/sources.h"

const struct plx__kind_ops *const plx__kinds[PLX__KINDS] = {
    [PLX__KIND_FD] = &plx__kind_fd,         [PLX__KIND_WIDE] = &plx__kind_wide,
    [PLX__KIND_TIMER] = &plx__kind_timer,   [PLX__KIND_NOTIFY] = &plx__kind_notify,
    [PLX__KIND_SIGNAL] = &plx__kind_signal, [PLX__KIND_PROCESS] = &plx__kind_process,
};
