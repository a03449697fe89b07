# SPDX-License-Identifier: MIT
# The ways into a user's program: installed and found by CMake or pkg-config, or as sources inside
# the user's build. Each builds the same tiny program and runs it.
# shellcheck shell=bash disable=SC2154

installed=$work/installed

# The tree is installed in one place and used in another.
installs() {
    cmake --install "$library" --prefix "$work/first" && mv "$work/first" "$installed"
}

# The kind of pollux in a program: what the dynamic linker is told, or else it must be inside.
linked_kind() {
    if readelf -d "$1" | grep -q 'NEEDED.*libpollux'; then
        echo shared
    else
        echo static
    fi
}

runs_with() {
    local program=$1 kind=$2
    LD_LIBRARY_PATH=$installed/lib "$program" && same "$kind" "$(linked_kind "$program")"
}

# project KIND NAME OPTION...: the project of that folder builds and gets this kind of library.
project() {
    local kind=$1 name=$2 build
    shift 2
    build=$(mktemp -d "$work/$name.XXXX")
    cmake -S "$here/$name" -B "$build" -D CMAKE_PREFIX_PATH="$installed" -D POLLUX_SOURCE="$top" \
        "$@" &&
        cmake --build "$build" -j 2 &&
        runs_with "$build/consumer" "$kind"
}

# with_pkg_config KIND COMPILER... [-- PKG-CONFIG-OPTION...]
with_pkg_config() {
    local kind=$1 compiler=() flags
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        compiler+=("$1")
        shift
    done
    flags=$(PKG_CONFIG_PATH=$installed/lib/pkgconfig pkg-config --cflags --libs "${@:2}" pollux) ||
        return
    # shellcheck disable=SC2086 # the flags are words
    "${compiler[@]}" "$here/consumer/consumer.c" -o "$work/program" $flags &&
        runs_with "$work/program" "$kind"
}

pc_version() {
    PKG_CONFIG_PATH=$installed/lib/pkgconfig pkg-config --modversion pollux
}

header_version() {
    sed -n 's/^#define PLX_VERSION_[A-Z]* \([0-9]*\)$/\1/p' "$top/include/pollux/version.h" |
        paste -s -d .
}

installed_files() {
    (cd "$installed" && find . ! -type d | sed 's/^\.\///' | sort)
}

# The release build adds a file of its own name to each export.
expected_files() {
    local version soversion
    version=$(header_version)
    soversion=${version%.*}
    {
        (cd "$top" && find include -name '*.h')
        printf 'lib/%s\n' libpollux.a libpollux.so "libpollux.so.$soversion" \
            "libpollux.so.$version" pkgconfig/pollux.pc
        printf 'lib/cmake/pollux/pollux-%s.cmake\n' config config-version shared shared-release \
            static static-release
    } | sort
}

names_no_build_folder() {
    ! grep -r -e "$work" -e "$top" "$installed/lib/cmake" "$installed/lib/pkgconfig"
}

# Only the user's own things are installed, tested and built.
keeps_out() {
    local build=$work/guest
    cmake -S "$here/add_subdirectory" -B "$build" -D POLLUX_SOURCE="$top" &&
        cmake --build "$build" -j 2 &&
        cmake --install "$build" --prefix "$build/installed" &&
        same bin/consumer "$(cd "$build/installed" && find . ! -type d | sed 's/^\.\///')" &&
        same 'Total Tests: 0' "$(cd "$build" && ctest -N | grep '^Total')" &&
        same libpollux.a "$(cd "$build/pollux" && find . -name 'libpollux*' | sed 's/^\.\///')" &&
        ! grep -E 'BUILD_SHARED_LIBS|POLLUX_BUILD_[A-Z]*:BOOL=(ON|1)' "$build/CMakeCache.txt"
}

refuses_another_version() {
    ! cmake -S "$here/find_package" -B "$work/another" -D CMAKE_PREFIX_PATH="$installed" \
        -D WANTED=99
}

check_packages() {
    build_library || return
    check 'packages/install' installs || return
    check 'packages/installed files' same "$(expected_files)" "$(installed_files)"
    check 'packages/installed files can be moved' names_no_build_folder
    check 'packages/find_package' project static find_package
    check 'packages/find_package of this version' project static find_package \
        -D WANTED="$(header_version)"
    check 'packages/find_package with BUILD_SHARED_LIBS' project shared find_package \
        -D BUILD_SHARED_LIBS=ON
    check 'packages/find_package shared' project shared find_package -D KIND=shared
    check 'packages/find_package static' project static find_package -D KIND=static \
        -D BUILD_SHARED_LIBS=ON
    check 'packages/find_package of another version' refuses_another_version
    check 'packages/pkg-config version' same "$(header_version)" "$(pc_version)"
    check 'packages/pkg-config' with_pkg_config shared gcc
    check 'packages/pkg-config from C++' with_pkg_config shared g++ -x c++
    check 'packages/pkg-config --static' with_pkg_config static gcc -static -- --static
    check 'packages/add_subdirectory' project static add_subdirectory
    check 'packages/add_subdirectory with BUILD_SHARED_LIBS' project shared add_subdirectory \
        -D BUILD_SHARED_LIBS=ON
    check 'packages/FetchContent' project static fetch_content
    check 'packages/FetchContent with BUILD_SHARED_LIBS' project shared fetch_content \
        -D BUILD_SHARED_LIBS=ON
    check 'packages/no tests, examples or install rules in the build of a user' keeps_out
}

check_packages
