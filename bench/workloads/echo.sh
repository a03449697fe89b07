# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
echo_question='many connections held, some busy: server CPU, requests/s, latency'
echo_repeated=yes
echo_milliseconds=3300

echo_peers() { "$programs/bench_echo_server" --list; }

# One server, one set of connections, and all numbers of busy ones on it.
echo_trial() {
    "$programs/bench_echo_client" --connections "$connections" \
        --active "100,$((connections / 10)),$connections" --warmup 100 --measure 350 \
        "${client_cpu[@]}" --tag "$tag" -- \
        "$programs/bench_echo_server" --peer "$peer" "${server_cpu[@]}"
}
