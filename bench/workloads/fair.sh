# A few connections flood the server: how long do a thousand quiet ones wait, and the timers?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
fair_question='A few connections flood the server: how long do a thousand quiet ones wait, and the timers?'
fair_metrics='
p99_ns       ns    less 99 of 100 quiet answers come within
timer_p99_ns ns    less 99 of 100 timers of a millisecond are late by at most
p50_ns       ns    -    half of the quiet answers come within
timer_p50_ns ns    -    half of the timers are late by at most
timer_early  share -    timers that fired before their time
late_p99_ns  ns    -    delay of the client itself, within the first number
flood_bytes_per_second bytes - flooded in a second
'
fair_limit=raw_epoll
fair_quick=no
fair_blocks=30
fair_milliseconds=4500

fair_peers() { "$programs/bench_echo_server" --list-ticks; }

# Without floods as well: what they add is the answer.
fair_trial() {
    local floods
    for floods in 0 4; do
        "$programs/bench_fair_client" --floods $floods --measure 1500 --seed $((seed + block)) \
            "${client_cpu[@]}" --tag "$tag" -- \
            "$programs/bench_echo_server" --peer "$peer" "${server_cpu[@]}" || return
    done
}
