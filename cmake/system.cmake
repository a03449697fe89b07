# SPDX-License-Identifier: MIT
# What is different on each system: files, definitions and libraries.
option(POLLUX_PLAIN_POLL "The poll backend of systems other than Linux, also on Linux: for tests" OFF)
option(POLLUX_SPARSE_DESCRIPTORS "Descriptors may be any number, as on Windows, where this is always on" OFF)

if(WIN32)
    set(POLLUX_SPARSE_DESCRIPTORS ON)
    set(pollux_system_sources
        src/os/process_windows.c
        src/os/signals_windows.c
        src/os/windows.c
        src/sources/process_wait.c
        backends/wsapoll.c)
    # Windows 10: what is older is not supported.
    set(pollux_system_definitions _WIN32_WINNT=0x0A00 WIN32_LEAN_AND_MEAN)
    set(pollux_system_libraries ws2_32)
    set(pollux_pc_libraries -lws2_32)
else()
    find_package(Threads REQUIRED)
    set(pollux_system_sources
        src/os/posix.c
        src/os/process.c
        src/os/signals.c
        src/sources/process.c
        backends/poll.c)
    if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NOT POLLUX_PLAIN_POLL)
        list(APPEND pollux_system_sources backends/poll_linux.c)
    else()
        list(APPEND pollux_system_sources backends/poll_posix.c)
    endif()
    if(APPLE OR CMAKE_SYSTEM_NAME MATCHES "BSD|DragonFly")
        list(APPEND pollux_system_sources src/os/process_kqueue.c backends/kqueue.c)
    elseif(CMAKE_SYSTEM_NAME STREQUAL "SunOS") # illumos and Solaris
        list(APPEND pollux_system_sources src/os/process_posix.c backends/event_ports.c)
    else()
        list(APPEND pollux_system_sources src/os/process_linux.c backends/epoll.c)
    endif()
    if(CMAKE_SYSTEM_NAME STREQUAL "SunOS")
        set(pollux_system_definitions __EXTENSIONS__ _POSIX_PTHREAD_SEMANTICS)
    elseif(NOT APPLE)
        set(pollux_system_definitions _GNU_SOURCE)
    endif()
    set(pollux_system_libraries Threads::Threads)
    set(pollux_pc_libraries ${CMAKE_THREAD_LIBS_INIT})
endif()

if(POLLUX_SPARSE_DESCRIPTORS)
    list(APPEND pollux_system_sources src/base/descriptor_hash.c)
else()
    list(APPEND pollux_system_sources src/base/descriptor_map.c)
endif()
