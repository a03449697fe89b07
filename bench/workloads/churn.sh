# What does a connection cost that lives for one request?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
churn_question='What does a connection cost that lives for one request?'
churn_metrics='
server_cpu_ns          ns  less processor time of the server for a connection
connections_per_second 1/s -    connections; here the client is the slower end
'
churn_limit=raw_epoll
churn_headline=at_once=100
churn_quick=no
churn_blocks=30
churn_milliseconds=1500

churn_peers() { "$programs/bench_echo_server" --list; }

churn_trial() {
    local at_once
    for at_once in 1 100; do
        "$programs/bench_churn_client" --at-once $at_once --measure 500 "${client_cpu[@]}" \
            --tag "$tag" -- \
            "$programs/bench_echo_server" --peer "$peer" "${server_cpu[@]}" || return
    done
}
