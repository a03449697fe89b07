# Timers that nobody waits for in vain: what do they cost?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
timers_question='timers: moved, pushed back, started, stopped, expired'
timers_metrics='
move_ns   ns less processor time for a move to a random deadline
again_ns  ns less processor time for a push-back
start_ns  ns less processor time for a start
stop_ns   ns less processor time for a stop
expire_ns ns less processor time for an expiry
'
timers_blocks=20
timers_milliseconds=900

timers_peers() { "$programs/bench_timers" --list; }

timers_trial() {
    local count
    for count in 10000 100000; do
        "$programs/bench_timers" --peer "$peer" --timers $count --moves 100000 --repetitions 1 \
            "${client_cpu[@]}" --tag "$tag,\"cell\":\"timers=$count\"" || return
    done
}
