# Many connections are held and some of them busy: what does an echo cost?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
echo_question='10 000 connections held, some of them busy with 64-byte messages'
echo_metrics='
server_cpu_ns       ns   less processor time of the server for a request
requests_per_second 1/s  -    requests
p50_ns              ns   -    p50
p99_ns              ns   -    p99
'
echo_limit=raw_epoll
echo_blocks=30
echo_milliseconds=3300
echo_descriptors=10200

echo_peers() { "$programs/bench_echo_server" --list; }

# One server, one set of connections, and all numbers of busy ones on it.
echo_trial() {
    "$programs/bench_echo_client" --connections 10000 --active 100,1000,10000 --warmup 100 \
        --measure 350 "${client_cpu[@]}" --tag "$tag" -- \
        "$programs/bench_echo_server" --peer "$peer" "${server_cpu[@]}" |
        sed -E 's/"connections":([0-9]+),"active":([0-9]+)/"cell":"connections=\1,active=\2",&/'
}
