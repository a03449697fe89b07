# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
timers_question='timers: started, moved, pushed back, stopped, expired: ns of CPU'
timers_repeated=yes
timers_milliseconds=900

timers_peers() { "$programs/bench_timers" --list; }

timers_trial() {
    local count
    for count in 10000 100000; do
        "$programs/bench_timers" --peer "$peer" --timers $count --moves 100000 --repetitions 1 \
            "${client_cpu[@]}" --tag "$tag" || return
    done
}
