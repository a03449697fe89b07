/* SPDX-License-Identifier: MIT */
/*
 * unit: the unit tests. Each runs in a process of its own, which some of them count on, and prints
 * one line of TAP.
 */
#include <stdlib.h>

#include "suites.h"

int main(void)
{
    SRunner *runner = srunner_create(error_suite());
    srunner_add_suite(runner, duration_suite());
    srunner_add_suite(runner, ring_suite());
    srunner_add_suite(runner, alloc_suite());
    srunner_add_suite(runner, slot_table_suite());
    srunner_add_suite(runner, tags_suite());
    srunner_add_suite(runner, descriptor_map_suite());
    srunner_add_suite(runner, timer_queue_suite());
    srunner_add_suite(runner, normalise_suite());
    srunner_add_suite(runner, guard_suite());
    srunner_add_suite(runner, signals_suite());
    srunner_add_suite(runner, process_suite());
    srunner_add_suite(runner, backend_suite());
    srunner_add_suite(runner, queue_suite());
    srunner_add_suite(runner, ghost_suite());
    srunner_add_suite(runner, wake_suite());
    srunner_add_suite(runner, process_watch_suite());
    srunner_add_suite(runner, arrival_suite());
    srunner_add_suite(runner, traps_suite());
#ifdef UNIT_HAS_KQUEUE_SHIM
    srunner_add_suite(runner, kqueue_suite());
#endif
#ifdef POLLUX_PLAYS_EVENT_PORTS
    srunner_add_suite(runner, event_ports_suite());
#endif

    srunner_set_fork_status(runner, CK_FORK);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
