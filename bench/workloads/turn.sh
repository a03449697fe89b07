# What does a pass of the loop cost that finds one report, or nothing?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2046,SC2154
turn_question='What does a pass of the loop cost that finds one report, or nothing?'
turn_metrics='cpu_ns ns less CPU for a pass
wall_ns ns - wall time for a pass'
turn_limit=raw_epoll
turn_headline=watchers=10000,active=1
turn_blocks=60
turn_milliseconds=250
turn_milliseconds_full=400
turn_descriptors=10100

turn_peers() { dispatch_peers; }

turn_trial() {
    local watchers
    for watchers in 100 10000; do
        "$programs/bench_dispatch" --peer "$peer" --watchers $watchers --active 1 \
            --events 20000 --repetitions 5 --limit 50 "${client_cpu[@]}" --tag "$tag" || return
    done
    turn_in_vain || return
    ! contains "$peer" $("$programs/bench_timers" --list | cut -d' ' -f1) ||
        turn_in_vain --timers 10000
}

# Nothing is ready, and no timer is due.
turn_in_vain() {
    "$programs/bench_dispatch" --peer "$peer" --watchers 100 --active 0 "$@" --events 20000 \
        --repetitions 5 --limit 50 "${client_cpu[@]}" --tag "$tag"
}
