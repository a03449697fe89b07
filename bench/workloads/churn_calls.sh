# What does the server ask of the kernel for a connection that lives for one request?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
churn_calls_question='What does the server ask of the kernel for a connection that lives for one request?'
churn_calls_metrics='
calls_per_connection calls less system calls for a connection
by_name              calls text which
'
churn_calls_limit=raw_epoll
churn_calls_repeated=no
churn_calls_quick=no
churn_calls_milliseconds=2000
churn_calls_tools=strace

churn_calls_peers() { "$programs/bench_echo_server" --list; }

# One after another: how many a wait finds does not depend on the tracer then.
churn_calls_of() {
    "$programs/bench_churn_client" --connections "$1" "${client_cpu[@]}" -- \
        strace -c -f -o "$scratch/strace" \
        "$programs/bench_echo_server" --peer "$peer" "${server_cpu[@]}" >/dev/null || return
    calls_in "$scratch/strace"
}

churn_calls_trial() {
    local short=200 long=1200
    { churn_calls_of $short | sed 's/$/ -1/' && churn_calls_of $long | sed 's/$/ 1/'; } |
        calls_line churn_calls at_once=1 calls_per_connection $((long - short))
}
