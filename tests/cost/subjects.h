/* SPDX-License-Identifier: MIT */
/* subjects.h: what the program `turns` can do again and again, beside waiting for descriptors. */
#ifndef COST_SUBJECTS_H
#define COST_SUBJECTS_H

#include <pollux.h>

struct subject {
    const char *name;
    void (*prepare)(plx_context *context, int watchers);
    void (*step)(plx_context *context);
};

/* NULL: there is none of that name. */
const struct subject *subject_find(const char *name);

#endif
