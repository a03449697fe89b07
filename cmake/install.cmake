# SPDX-License-Identifier: MIT
# Install rules: headers, both libraries, pollux.pc and the CMake package. What is installed may be
# moved as a whole, so nothing in it holds an absolute path.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pollux)

install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

# An export for each kind: a distribution may leave the static library out of its package.
foreach(kind static shared)
    install(TARGETS pollux_${kind} EXPORT pollux-${kind}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    install(EXPORT pollux-${kind} NAMESPACE pollux:: DESTINATION ${package_dir})
endforeach()

configure_package_config_file(cmake/pollux-config.cmake.in
    ${PROJECT_BINARY_DIR}/pollux-config.cmake
    INSTALL_DESTINATION ${package_dir}
    NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/pollux-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES
    ${PROJECT_BINARY_DIR}/pollux-config.cmake
    ${PROJECT_BINARY_DIR}/pollux-config-version.cmake
    DESTINATION ${package_dir})

# From the folder of pollux.pc back to the prefix, however deep the library folder is.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    set(pc_prefix ${CMAKE_INSTALL_PREFIX})
    set(pc_libdir ${CMAKE_INSTALL_FULL_LIBDIR})
    set(pc_includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
    file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
    string(REGEX REPLACE "/$" "" up "${up}")
    set(pc_prefix "\${pcfiledir}/${up}")
    set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
    set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(cmake/pollux.pc.in ${PROJECT_BINARY_DIR}/pollux.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pollux.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
