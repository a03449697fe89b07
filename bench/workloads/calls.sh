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

# What strace -c counted, as lines `NAME COUNT`.
calls_in() { awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { print $NF, $4 }' "$1"; }

# calls_line WORKLOAD CELL MEMBER DIFFERENCE: from lines `NAME COUNT SIGN` of two lengths, what these
# differ by, which has no start and no end in it.
calls_line() {
    LC_ALL=C sort | awk -v workload="$1" -v cell="$2" -v member="$3" -v difference="$4" -v tag="$tag" \
        -v peer="$peer" -v version="$(calls_version)" '
        { calls[$1] += $2 * $3; sum += $2 * $3; if (!seen[$1]++) names[++n] = $1 }
        END {
            if (sum <= 0) exit 1
            for (i = 1; i <= n; i++)
                if (calls[names[i]] / difference >= 0.002)
                    by_name = by_name sprintf("%s%s %.3f", by_name == "" ? "" : ", ", names[i],
                                              calls[names[i]] / difference)
            printf "{%s,\"workload\":\"%s\",\"cell\":\"%s\",", tag, workload, cell
            printf "\"peer\":\"%s\",\"version\":\"%s\",", peer, version
            printf "\"%s\":%.4f,\"by_name\":\"%s\"}\n", member, sum / difference, by_name
        }'
}

calls_version() {
    "$programs/bench_echo_server" --list | awk -v peer="$peer" '$1 == peer { print $2 }'
}

# The calls of a server that answered so many requests.
calls_of() {
    "$programs/bench_echo_client" --connections 1000 --active 100 --requests "$1" \
        "${client_cpu[@]}" -- strace -c -f -o "$scratch/strace" \
        "$programs/bench_echo_server" --peer "$peer" "${server_cpu[@]}" >/dev/null || return
    calls_in "$scratch/strace"
}

calls_trial() {
    local short=2000 long=12000
    { calls_of $short | sed 's/$/ -1/' && calls_of $long | sed 's/$/ 1/'; } |
        calls_line calls connections=1000,active=100 calls_per_request $((long - short))
}
