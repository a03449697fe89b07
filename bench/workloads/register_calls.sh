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

# One pass of the loop belongs to each phase, so a thousand of them tell a thousandth of a call.
register_calls_trial() {
    local count=1000
    {
        bench/marked_calls "$scratch/trace" "$programs/bench_register" --peer "$peer" \
            --descriptors $count --churns $count --repetitions 1 &&
            bench/marked_calls "$scratch/trace" "$programs/bench_dispatch" --peer "$peer" \
                --watchers $count --active $count --events $count --repetitions 1 --once 1
    } | awk -v tag="$tag" -v count=$count -v peer="$peer" -v version="$(version_of register)" '
        { calls[++n] = sprintf("\"%s_calls\":%.3f", $1 == "reports" ? "oneshot" : $1, $2 / count) }
        END {
            if (n != 8) exit 1
            printf "{%s,\"workload\":\"register_calls\",\"cell\":\"descriptors=%d\",", tag, count
            printf "\"peer\":\"%s\",\"version\":\"%s\"", peer, version
            for (i = 1; i <= n; i++) printf ",%s", calls[i]
            print "}"
        }'
}

# The version of the peer, as a driver lists it.
version_of() {
    "$programs/bench_$1" --list | awk -v peer="$peer" '$1 == peer { print $2 }'
}
