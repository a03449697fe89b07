# SPDX-License-Identifier: MIT
function(pollux_library target kind)
    add_library(${target} ${kind} ${pollux_sources})
    pollux_build_flags(${target})
    target_include_directories(${target}
        PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>
        PRIVATE ${PROJECT_SOURCE_DIR})
    target_compile_definitions(${target} PRIVATE POLLUX_BUILDING $<$<BOOL:${POLLUX_STRESS}>:POLLUX_STRESS>)
    if(UNIX AND NOT APPLE)
        target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    endif()
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME pollux VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endfunction()
