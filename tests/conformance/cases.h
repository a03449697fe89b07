/* SPDX-License-Identifier: MIT */
/* cases.h: every case by name, made from the one table in cases.def. */
#ifndef CONFORMANCE_CASES_H
#define CONFORMANCE_CASES_H

#include <pollux.h>

#include "check.h"
#include "scene.h"
#include "socket.h"
#include "system.h"
#include "tolerance.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

#define CASE(name)               void name(struct scene *scene);
#define FLAGGED_CASE(name, flag) void name(struct scene *scene);
#include "cases.def"
#undef CASE
#undef FLAGGED_CASE

#endif
