# SPDX-License-Identifier: MIT
# Both libraries as a user builds them, once for all parts that look at them.
# shellcheck shell=bash disable=SC2154

library=$work/library

builds() {
    cmake -S "$top" -B "$library" -D CMAKE_INSTALL_LIBDIR=lib -D POLLUX_BUILD_TESTS=OFF \
        -D POLLUX_BUILD_EXAMPLES=OFF &&
        cmake --build "$library" -j 2
}

build_library() {
    [ -d "$library" ] || check 'library builds' builds
    [ -e "$library/libpollux.a" ]
}
