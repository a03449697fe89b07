# How many system calls does it take to notify an object and to report it?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
wake_calls_question='How many system calls does it take to notify an object and to report it?'
wake_calls_metrics='
deliver_calls calls less notify one of a thousand and let the loop pass, on one thread
resend_calls  calls less notify what was notified and not reported yet
'
wake_calls_limit=raw_eventfd
wake_calls_repeated=no
wake_calls_quick=no
wake_calls_milliseconds=1500
wake_calls_descriptors=1100
wake_calls_tools=strace

wake_calls_peers() { "$programs/bench_wake" --list; }

wake_calls_trial() {
    local count=1000
    {
        bench/marked_calls "$scratch/trace" "$programs/bench_wake" --peer "$peer" \
            --objects 1000 --deliveries $count &&
            bench/marked_calls "$scratch/trace" "$programs/bench_wake" --peer "$peer" \
                --resends $count
    } | calls_between_marks wake_calls objects=1000 $count 2 wake
}
