# One descriptor of many is ready: what does a pass of the loop cost?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
turn_question='a pass of the loop that finds one report'
turn_metrics='
cpu_ns  ns less processor time for a turn
wall_ns ns -    elapsed time for a turn
'
turn_limit=raw_epoll
turn_headline=watchers=10000
turn_blocks=60
turn_milliseconds=250
turn_descriptors=10200

turn_peers() { "$programs/bench_dispatch" --list; }

turn_trial() {
    local watchers
    for watchers in 100 10000; do
        "$programs/bench_dispatch" --peer "$peer" --watchers "$watchers" --active 1 \
            --events 20000 --repetitions 5 "${client_cpu[@]}" \
            --tag "$tag,\"cell\":\"watchers=$watchers\"" || return
    done
}
