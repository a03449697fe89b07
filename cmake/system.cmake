# SPDX-License-Identifier: MIT
# What is different on each system: files, definitions and libraries.
option(POLLUX_SPARSE_DESCRIPTORS "Descriptors may be any number, as on Windows" OFF)

find_package(Threads REQUIRED)
set(pollux_system_sources
    src/os/posix.c
    src/os/process.c
    src/os/signals.c
    src/sources/process.c
    backends/epoll.c
    backends/poll.c)
if(NOT APPLE)
    set(pollux_system_definitions _GNU_SOURCE)
endif()
set(pollux_system_libraries Threads::Threads)

if(POLLUX_SPARSE_DESCRIPTORS)
    list(APPEND pollux_system_sources src/base/descriptor_hash.c)
else()
    list(APPEND pollux_system_sources src/base/descriptor_map.c)
endif()
