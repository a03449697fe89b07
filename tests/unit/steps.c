/* SPDX-License-Identifier: MIT */
/*
 * steps.c: see steps.h.
 */
#include "steps.h"

#include <stdbool.h>

struct steps steps;

void steps_pass(void)
{
    static bool is_intruding;

    if (is_intruding || steps.before == 0 || --steps.before > 0)
        return;
    is_intruding = true;
    steps.intrude();
    is_intruding = false;
}
