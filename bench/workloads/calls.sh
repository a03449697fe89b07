# What does the server ask of the kernel for a request?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
calls_question='What does the server ask of the kernel for a request?'
calls_metrics='
calls_per_request calls less system calls for a request
by_name           calls text which
'
calls_limit=raw_epoll
calls_repeated=no
calls_quick=no
calls_milliseconds=1500
calls_tools=strace

calls_peers() { "$programs/bench_echo_server" --list; }

calls_connections=1000
calls_active=100

# The calls of a server that answered so many requests, as lines `NAME COUNT`.
calls_of() {
    local counts=$scratch/strace
    "$programs/bench_echo_client" --connections $calls_connections --active $calls_active \
        --requests "$1" "${client_cpu[@]}" -- strace -c -f -o "$counts" \
        "$programs/bench_echo_server" --peer "$peer" "${server_cpu[@]}" >/dev/null || return
    awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { print $NF, $4 }' "$counts"
}

# What two lengths differ by has no start and no end in it.
calls_trial() {
    local short=2000 long=12000
    { calls_of $short | sed 's/$/ -1/' && calls_of $long | sed 's/$/ 1/'; } |
        LC_ALL=C sort | awk -v requests=$((long - short)) -v tag="$tag" -v peer="$peer" \
            -v cell="connections=$calls_connections,active=$calls_active" \
            -v version="$("$programs/bench_echo_server" --list |
                awk -v peer="$peer" '$1 == peer { print $2 }')" '
        { calls[$1] += $2 * $3; sum += $2 * $3; if (!seen[$1]++) names[++n] = $1 }
        END {
            if (sum <= 0) exit 1
            for (i = 1; i <= n; i++)
                if (calls[names[i]] / requests >= 0.002)
                    by_name = by_name sprintf("%s%s %.3f", by_name == "" ? "" : ", ", names[i],
                                              calls[names[i]] / requests)
            printf "{%s,\"workload\":\"calls\",\"cell\":\"%s\",\"peer\":\"%s\",", tag, cell, peer
            printf "\"version\":\"%s\",\"calls_per_request\":%.4f,", version, sum / requests
            printf "\"by_name\":\"%s\"}\n", by_name
        }'
}
