# SPDX-License-Identifier: MIT
# Backends of other systems over kernels that are played on this one, for tests. They are in the
# static library alone, and a build that has one is not to be installed.
set(pollux_plays FALSE)

if(POLLUX_WITH_LIBKQUEUE)
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(LIBKQUEUE REQUIRED IMPORTED_TARGET libkqueue)
    set(pollux_kqueue PkgConfig::LIBKQUEUE)
elseif(POLLUX_WITH_KQUEUE_SHIM AND POLLUX_BUILD_TESTS)
    set(pollux_kqueue pollux_kqueue_shim)
endif()

if(pollux_kqueue)
    set(pollux_plays TRUE)
    target_sources(pollux_static PRIVATE backends/kqueue.c)
    target_compile_definitions(pollux_static PRIVATE POLLUX_PLAYS_KQUEUE)
    # Ends of processes as well, in a build of its own: others count the calls of Linux.
    if(POLLUX_PLAY_PROCESSES)
        get_target_property(sources pollux_static SOURCES)
        list(FILTER sources EXCLUDE REGEX "process_linux")
        set_target_properties(pollux_static PROPERTIES SOURCES "${sources}")
        target_sources(pollux_static PRIVATE src/os/process_kqueue.c)
    endif()
    # For all to see: the shim's options for the linker are not passed on otherwise.
    target_link_libraries(pollux_static PUBLIC ${pollux_kqueue})
endif()

set(pollux_event_ports FALSE)
if(POLLUX_WITH_EVENT_PORTS_SHIM AND POLLUX_BUILD_TESTS)
    set(pollux_event_ports TRUE)
    set(pollux_plays TRUE)
    target_sources(pollux_static PRIVATE backends/event_ports.c)
    target_compile_definitions(pollux_static PRIVATE POLLUX_PLAYS_EVENT_PORTS)
    target_link_libraries(pollux_static PUBLIC pollux_event_ports_shim)
endif()
