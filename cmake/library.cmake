# SPDX-License-Identifier: MIT
# pollux_library(target kind): one of the two libraries, and its alias pollux::static or
# pollux::shared, which an installed pollux has too.
function(pollux_library target kind)
    add_library(${target} ${kind} ${pollux_sources})
    string(TOLOWER ${kind} name)
    add_library(pollux::${name} ALIAS ${target})
    pollux_build_flags(${target})
    target_include_directories(${target}
        PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
        PRIVATE ${PROJECT_SOURCE_DIR})
    target_compile_definitions(${target} PRIVATE
        POLLUX_BUILDING $<$<BOOL:${POLLUX_STRESS}>:POLLUX_STRESS>)
    target_compile_definitions(${target} PRIVATE ${pollux_system_definitions})
    target_link_libraries(${target} PRIVATE ${pollux_system_libraries})
    if(kind STREQUAL "SHARED")
        target_compile_definitions(${target} PUBLIC POLLUX_SHARED)
    endif()
    set_target_properties(${target} PROPERTIES
        EXPORT_NAME ${name} OUTPUT_NAME pollux VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
    # Inside another build only the library that is linked is built.
    if(NOT is_top AND NOT POLLUX_INSTALL)
        set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL TRUE)
    endif()
endfunction()
