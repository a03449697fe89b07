# SPDX-License-Identifier: MIT
# Both libraries as a user builds them, once for all parts that look at them; and what is in them.
# shellcheck shell=bash disable=SC2154

library=$work/library

builds() {
    cmake -S "$top" -B "$library" -D CMAKE_INSTALL_LIBDIR=lib -D POLLUX_BUILD_TESTS=OFF \
        -D POLLUX_BUILD_EXAMPLES=OFF &&
        cmake --build "$library" -j 2
}

declared_functions() {
    cat "$top"/include/pollux/*.h | sed -n 's/^PLX_API .*\(plx_[a-z0-9_]*\)(.*/\1/p' | sort
}

build_library() {
    [ -d "$library" ] || check 'library builds' builds
    [ -e "$library/libpollux.a" ]
}
