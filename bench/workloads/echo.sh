# Many connections are held and some of them busy: what does an echo cost?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
echo_question='Many connections are held and some of them busy: what does an echo cost?'
echo_metrics='
server_cpu_ns       ns  less processor time of the server for a request
requests_per_second 1/s -    requests
p50_ns              ns  -    half of the echoes of this closed loop take at most
p99_ns              ns  -    99 of 100 take at most
'
echo_limit=raw_epoll
echo_headline=bytes=64,depth=1,connections=10000,active=100
echo_blocks=30
echo_milliseconds=1600
echo_milliseconds_full=8500
echo_descriptors=10200

# The quick form has time for those that a reader would choose between.
echo_peers() {
    local reason='it takes part in the full form'
    if [ "$form" = full ]; then
        "$programs/bench_echo_server" --list
    else
        "$programs/bench_echo_server" --list | without raw_edge "$reason" |
            without raw_uring "$reason" | without pollux_poll "$reason"
    fi
}

# echo_cells CONNECTIONS ACTIVE,... BYTES DEPTH: one server, one set of connections.
echo_cells() {
    "$programs/bench_echo_client" --connections "$1" --active "$2" --bytes "$3" --depth "$4" \
        --warmup 100 --measure 350 "${client_cpu[@]}" --tag "$tag" -- \
        "$programs/bench_echo_server" --peer "$peer" "${server_cpu[@]}"
}

echo_trial() {
    if [ "$form" = quick ]; then
        echo_cells 10000 100 64 1
        return
    fi
    echo_cells 100 100 64 1 && echo_cells 1000 1000 64 1 && echo_cells 10000 100,10000 64 1 &&
        echo_cells 1000 1000 64 16 && echo_cells 10000 100,10000 1024 1 &&
        echo_cells 1000 1000 1024 16
}
