# What does one report cost in a batch, when nothing is read?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
dispatch_question='What does one report cost in a batch, when nothing is read?'
dispatch_metrics='cpu_ns ns less CPU for a report
wall_ns ns - wall time for a report'
dispatch_limit=raw_epoll
dispatch_headline=watchers=10000,active=1000
dispatch_blocks=60
dispatch_milliseconds=250
dispatch_milliseconds_full=900
dispatch_descriptors=10100

# without PEER REASON: a list of competitors in which that one is left out.
without() {
    awk -v name="$1" -v reason="$2" '$1 == name { print "! " name " " reason; next } { print }'
}

without_changelist() {
    without libevent_changelist 'it differs from libevent only where registrations change'
}

without_callbacks() {
    without pollux_callbacks 'it differs from pollux only where something is reported'
}

dispatch_peers() { "$programs/bench_dispatch" --list | without_changelist; }

dispatch_cells() {
    if [ "$form" = quick ]; then
        printf '%s\n' '100 100' '10000 1000'
    else
        printf '%s\n' '100 10' '100 100' '1000 100' '1000 1000' '10000 100' '10000 1000' \
            '10000 10000'
    fi
}

dispatch_trial() {
    local watchers active
    while read -r watchers active; do
        "$programs/bench_dispatch" --peer "$peer" --watchers "$watchers" --active "$active" \
            --events 40000 --repetitions 5 --limit 50 "${client_cpu[@]}" --tag "$tag" || return
    done < <(dispatch_cells)
}
