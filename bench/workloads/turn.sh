# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
turn_question='a pass of the loop that finds one report: ns'
turn_repeated=yes
turn_milliseconds=250

turn_peers() { "$programs/bench_dispatch" --list; }

turn_trial() {
    local watchers
    for watchers in 100 "$connections"; do
        "$programs/bench_dispatch" --peer "$peer" --watchers "$watchers" --active 1 \
            --events 20000 --repetitions 5 "${client_cpu[@]}" --tag "$tag" || return
    done
}
