# Requests come at a fixed rate to 10 000 connections with idle timeouts: how late are the answers?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
tail_question='Requests come at a fixed rate to 10 000 connections with idle timeouts: how late are the answers?'
tail_metrics='
p99_ns      ns  less 99 of 100 answers come within
p999_ns     ns  less 999 of 1000 come within
p90_ns      ns  -    90 of 100 come within
p50_ns      ns  -    half of them come within
max_ns      ns  -    the latest
late_p99_ns ns  -    of this, the delay of the client itself: 99 of 100 were sent within
server_cpu_ns      ns  - processor time of the server for a request
offered_per_second 1/s - requests
'
tail_limit=raw_epoll
tail_quick=no
tail_blocks=30
tail_milliseconds=6500
tail_descriptors=10200

# Cost that grows with all connections would set the rate, at which nobody else has anything to do.
tail_peers() {
    "$programs/bench_echo_server" --list-idle |
        without pollux_poll 'poll looks at all connections each time, and would set the rate'
}

# The better of two looks: a neighbour can only make it look slow.
tail_capacity_of() {
    "$programs/bench_echo_client" --connections 10000 --active 10000,10000 --warmup 200 \
        --measure 400 "${client_cpu[@]}" -- \
        "$programs/bench_echo_server" --peer "$1" "${server_cpu[@]}" |
        sed -n 's/.*"requests_per_second":\([0-9]*\).*/\1/p' | sort -n | tail -n 1
}

# What the slowest can do, measured once for a result file: all rates are shares of it.
tail_capacity() {
    local name least one
    least=$(sed -n '/"workload":"tail"/s/.*"capacity":\([0-9]*\).*/\1/p' "$out" | head -n 1)
    [ -n "$least" ] || least=$(cat "$scratch/tail_capacity" 2>/dev/null)
    if [ -z "$least" ]; then
        while read -r name _; do
            [ "$name" != '!' ] || continue
            one=$(tail_capacity_of "$name") && [ -n "$one" ] || return
            [ -n "$least" ] && [ "$one" -ge "$least" ] || least=$one
        done < <(tail_peers)
        echo "$least" >"$scratch/tail_capacity"
    fi
    echo "$least"
}

tail_trial() {
    local capacity
    capacity=$(tail_capacity) && [ -n "$capacity" ] || return
    "$programs/bench_tail_client" --connections 10000 --percent 30,60,80 \
        --rate $((capacity * 30 / 100)),$((capacity * 60 / 100)),$((capacity * 80 / 100)) \
        --warmup 300 --measure 1200 --seed $((seed + block)) "${client_cpu[@]}" \
        --tag "$tag,\"capacity\":$capacity" -- \
        "$programs/bench_echo_server" --peer "$peer" --idle 30 "${server_cpu[@]}"
}
