/* SPDX-License-Identifier: MIT */
/*
 * suites.h: the suites, one for each file test_*.c.
 */
#ifndef UNIT_SUITES_H
#define UNIT_SUITES_H

#include <check.h>

Suite *alloc_suite(void);
Suite *arrival_suite(void);
Suite *backend_suite(void);
Suite *descriptor_map_suite(void);
Suite *duration_suite(void);
Suite *error_suite(void);
Suite *event_ports_suite(void); /* where they are played */
Suite *ghost_suite(void);
Suite *guard_suite(void);
Suite *kqueue_suite(void); /* where it is played */
Suite *normalise_suite(void);
Suite *process_suite(void);
Suite *process_watch_suite(void);
Suite *queue_suite(void);
Suite *ring_suite(void);
Suite *signals_suite(void);
Suite *slot_table_suite(void);
Suite *tags_suite(void);
Suite *timer_queue_suite(void);
Suite *traps_suite(void);
Suite *wake_suite(void);

#endif
