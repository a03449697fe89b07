# Many descriptors are watched, some are ready, nothing is read: what does a report in a batch cost?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
dispatch_question='the cost of one report in a batch, nothing read'
dispatch_metrics='
cpu_ns  ns less processor time for a report
wall_ns ns -    elapsed time for a report
'
dispatch_limit=raw_epoll
dispatch_headline=watchers=10000,active=1000
dispatch_blocks=60
dispatch_milliseconds=400
dispatch_descriptors=10200

dispatch_peers() { "$programs/bench_dispatch" --list; }

dispatch_trial() {
    local cell watchers active
    for cell in "100 100" "10000 100" "10000 1000"; do
        read -r watchers active <<<"$cell"
        "$programs/bench_dispatch" --peer "$peer" --watchers "$watchers" --active "$active" \
            --events 40000 --repetitions 5 "${client_cpu[@]}" \
            --tag "$tag,\"cell\":\"watchers=$watchers,active=$active\"" || return
    done
}
