# SPDX-License-Identifier: MIT
# What the linker sees: the functions marked PLX_API, and of the rest nothing that could clash.
# shellcheck shell=bash disable=SC2154

exported_symbols() {
    nm -D --defined-only --format=posix "$1" | cut -d ' ' -f 1 | sort
}

# A program that links the static library shares its name space with it.
foreign_globals() {
    nm -g --defined-only --format=posix "$1" | awk 'NF > 2 && $1 !~ /^plx_/ { print $1 }'
}

shared_object_name() {
    readelf -d "$1" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p'
}

needed_libraries() {
    readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

version_number() {
    sed -n "s/^#define PLX_VERSION_$1 //p" "$top/include/pollux/version.h"
}

check_exports() {
    local shared=$library/libpollux.so static=$library/libpollux.a
    build_library || return
    check 'exports/shared' same "$(declared_functions)" "$(exported_symbols "$shared")"
    check 'exports/static' nothing "$(foreign_globals "$static")"
    check 'exports/soname' same "libpollux.so.$(version_number MAJOR).$(version_number MINOR)" \
        "$(shared_object_name "$shared")"
    check 'exports/needs the C library only' same 'libc.so.6' "$(needed_libraries "$shared")"
}

check_exports
