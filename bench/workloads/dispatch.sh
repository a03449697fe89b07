# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
dispatch_question='the cost of one report in a batch, nothing read: ns'
dispatch_repeated=yes
dispatch_milliseconds=400

dispatch_peers() { "$programs/bench_dispatch" --list; }

dispatch_trial() {
    local cell watchers active
    for cell in "100 100" "$connections 100" "$connections $((connections / 10))"; do
        read -r watchers active <<<"$cell"
        "$programs/bench_dispatch" --peer "$peer" --watchers "$watchers" --active "$active" \
            --events 40000 --repetitions 5 "${client_cpu[@]}" --tag "$tag" || return
    done
}
