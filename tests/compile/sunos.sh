# SPDX-License-Identifier: MIT
# sunos.sh: the backend event_ports as illumos and as Solaris would compile it. No headers of theirs
# are to be had, so it is the header of the shim, and what Solaris lacks is taken away.
# shellcheck shell=bash disable=SC2154

# Neither timers that are descriptors nor half closes.
hide_from_solaris() {
    mkdir -p "$work/solaris/sys" && : >"$work/solaris/sys/timerfd.h" &&
        printf '#pragma GCC system_header\n#include_next <poll.h>\n#undef POLLRDHUP\n' >"$work/solaris/poll.h"
}

compiles_event_ports() {
    local compiler=$1
    shift
    "$compiler" -std=c11 -O2 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -D_GNU_SOURCE "$@" \
        -I"$top/include" -I"$top" -I"$top/tests/platform/event_ports/include" \
        -c -o "$work/event_ports.o" "$top/backends/event_ports.c"
}

# What is not there is not called.
needs_no_timerfd() {
    nothing "$(nm -u "$work/event_ports.o" | grep timerfd)"
}

hide_from_solaris
for compiler in gcc clang; do
    if ! command -v "$compiler" >/dev/null; then
        skip "sunos/event ports are compiled by $compiler" "there is no $compiler"
        continue
    fi
    check "sunos/event ports are compiled by $compiler, as on illumos" compiles_event_ports "$compiler"
    check "sunos/event ports are compiled by $compiler, as on Solaris" \
        compiles_event_ports "$compiler" -I"$work/solaris" &&
        check "sunos/event ports on Solaris need no timerfd ($compiler)" needs_no_timerfd
done
