# SPDX-License-Identifier: MIT
# windows.sh: what a user of Windows gets, with MinGW: both libraries installed, found by CMake, and
# run under Wine (tests/wine). A missing compiler is a skip, and with CI=true a failure.
# shellcheck shell=bash disable=SC2154

windows=$work/windows
mingw=x86_64-w64-mingw32

with_mingw() {
    cmake -D CMAKE_TOOLCHAIN_FILE="$top/cmake/mingw.cmake" -D CMAKE_INSTALL_LIBDIR=lib "$@"
}

installs_for_windows() {
    with_mingw -S "$top" -B "$windows/build" -D POLLUX_WERROR=ON -D POLLUX_BUILD_TESTS=OFF \
        -D POLLUX_BUILD_EXAMPLES=OFF &&
        cmake --build "$windows/build" -j 2 &&
        cmake --install "$windows/build" --prefix "$windows/installed"
}

dll_exports() {
    $mingw-objdump -p "$1" | sed -n '/^\[Ordinal\/Name Pointer\]/,/^$/s/.*\] //p' | sed 1d | sort
}

dll_needs() {
    $mingw-objdump -p "$1" | sed -n 's/.*DLL Name: //p' | sort -f
}

# find_package KIND: the consumer is built on the installed pollux, and waits.
finds_on_windows() {
    local kind=$1 build=$windows/$1
    with_mingw -S "$here/find_package" -B "$build" -D KIND="$kind" \
        -D CMAKE_PREFIX_PATH="$windows/installed" &&
        cmake --build "$build" &&
        { [ "$kind" = static ] || cp "$windows/installed/bin/libpollux.dll" "$build"; } &&
        same "$kind" "$(dll_needs "$build/consumer.exe" | grep -q pollux && echo shared || echo static)" &&
        same wsapoll "$("$top/tests/wine" "$build/consumer.exe" | tr -d '\r')"
}

check_windows() {
    if ! command -v $mingw-gcc >/dev/null; then
        if [ "${CI:-}" = true ]; then
            check 'windows: MinGW is there' false
        else
            skip 'windows' 'MinGW is not installed'
        fi
        return
    fi
    local dll=$windows/installed/bin/libpollux.dll
    check 'windows: installs' installs_for_windows || return
    check 'windows: exports' same "$(declared_functions)" "$(dll_exports "$dll")"
    check 'windows: needs the system only' same $'KERNEL32.dll\nmsvcrt.dll\nWS2_32.dll' \
        "$(dll_needs "$dll")"
    check 'windows: find_package static' finds_on_windows static
    check 'windows: find_package shared' finds_on_windows shared
}

check_windows
