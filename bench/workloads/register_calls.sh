# How many system calls does it take to begin, change and end the watching of a descriptor?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
register_calls_question='How many system calls does it take to begin, change and end the watching of a descriptor?'
register_calls_metrics='add_calls calls less begin to watch
widen_calls calls less also for writing
narrow_calls calls less for reading alone again
same_calls calls less the same again
pause_calls calls less stop and start, no pass of the loop
remove_calls calls less end
reuse_calls calls less open, watch, end and close
oneshot_calls calls less a one-shot report and its re-arming'
register_calls_limit=raw_epoll
register_calls_repeated=no
register_calls_quick=no
register_calls_milliseconds=1500
register_calls_tools=strace

register_calls_peers() { "$programs/bench_register" --list; }

# calls_between_marks WORKLOAD CELL COUNT OPERATIONS DRIVER: the line of results from what
# bench/marked_calls prints of so many operations, each done COUNT times.
calls_between_marks() {
    awk -v workload="$1" -v cell="$2" -v count="$3" -v operations="$4" -v tag="$tag" \
        -v peer="$peer" -v version="$("$programs/bench_$5" --list |
            awk -v peer="$peer" '$1 == peer { print $2 }')" '
        { calls[++n] = sprintf("\"%s_calls\":%.3f", $1, $2 / count) }
        END {
            if (n != operations) exit 1
            printf "{%s,\"workload\":\"%s\",\"cell\":\"%s\",", tag, workload, cell
            printf "\"peer\":\"%s\",\"version\":\"%s\"", peer, version
            for (i = 1; i <= n; i++) printf ",%s", calls[i]
            print "}"
        }'
}

# One pass of the loop belongs to each phase, so a thousand of them tell a thousandth of a call. The
# one-shots take ten passes, as changes may be made in the pass after.
register_calls_trial() {
    local count=1000
    {
        bench/marked_calls "$scratch/trace" "$programs/bench_register" --peer "$peer" \
            --descriptors $count --churns $count --repetitions 1 &&
            bench/marked_calls "$scratch/trace" "$programs/bench_dispatch" --peer "$peer" \
                --watchers 100 --active 100 --events $count --repetitions 1 --once 1
    } | calls_between_marks register_calls descriptors=$count $count 8 register
}
