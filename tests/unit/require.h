/* SPDX-License-Identifier: MIT */
/*
 * require.h: a check for helpers and inner loops. The ck_assert family notes every place it passes,
 * which costs a system call and shows the helper's file in place of the test's.
 */
#ifndef UNIT_REQUIRE_H
#define UNIT_REQUIRE_H

#include <check.h>

#define REQUIRE(condition) ((condition) ? (void)0 : ck_abort_msg("not so: %s", #condition))

#endif
