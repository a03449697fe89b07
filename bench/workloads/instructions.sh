# How many instructions does a report take, in a batch and alone?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
instructions_question='How many instructions does a report take, in a batch and alone?'
instructions_metrics='
instructions        instructions less user space, for a report
instructions_inside instructions -    of these inside the library
'
instructions_limit=raw_epoll
instructions_headline=watchers=100,active=100
instructions_repeated=no
instructions_quick=no
instructions_milliseconds=4000
instructions_tools=valgrind

instructions_peers() { dispatch_peers; }

# instructions_of EVENTS WATCHERS ACTIVE [VALGRIND-OPTION]
instructions_of() {
    local counts=$scratch/callgrind
    valgrind -q --tool=callgrind --callgrind-out-file="$counts" "${@:4}" \
        "$programs/bench_dispatch" --peer "$peer" --watchers "$2" --active "$3" --events "$1" \
        --limit 1000000 --repetitions 1 >/dev/null || return
    awk '/^summary:/ { print $2 }' "$counts"
}

# What two lengths differ by, for one report. A length passes twice: the first is the warm-up.
instructions_per_event() {
    local short=2000 long=12000 first second
    first=$(instructions_of $short "$@") && second=$(instructions_of $long "$@") || return
    awk -v first="$first" -v second="$second" -v events=$((2 * (long - short))) \
        'BEGIN { printf "%.2f", (second - first) / events }'
}

# Where the caller asks, also what lies inside the library: the wait and all that it calls.
instructions_trial() {
    local cell watchers active all inside version
    version=$(dispatch_peers | awk -v peer="$peer" '$1 == peer { print $2 }')
    for cell in "100 100" "100 1"; do
        read -r watchers active <<<"$cell"
        all=$(instructions_per_event "$watchers" "$active") || return
        inside=
        if [ "$peer" = pollux ] || [ "$peer" = pollux_poll ]; then
            inside=$(instructions_per_event "$watchers" "$active" \
                --toggle-collect=plx_context_wait) || return
        fi
        printf '{%s,"workload":"instructions","cell":"watchers=%d,active=%d",' \
            "$tag" "$watchers" "$active"
        printf '"peer":"%s","version":"%s","instructions":%s%s}\n' "$peer" "$version" "$all" \
            "${inside:+,\"instructions_inside\":$inside}"
    done
}
