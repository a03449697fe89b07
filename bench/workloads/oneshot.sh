# What does a report cost that disarms its descriptor, which the handler arms again?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
oneshot_question='What does a report cost that disarms its descriptor, which the handler arms again?'
oneshot_metrics='cpu_ns ns less CPU for a report and its re-arming
wall_ns ns - wall time'
oneshot_limit=raw_epoll
oneshot_headline=watchers=1000,active=1000
oneshot_quick=no
oneshot_blocks=40
oneshot_milliseconds=300
oneshot_milliseconds_full=600
oneshot_descriptors=1100

oneshot_peers() { "$programs/bench_dispatch" --list; }

oneshot_trial() {
    local active
    for active in 1 1000; do
        "$programs/bench_dispatch" --peer "$peer" --watchers 1000 --active $active --once 1 \
            --events 20000 --repetitions 5 --limit 50 "${client_cpu[@]}" --tag "$tag" || return
    done
}
