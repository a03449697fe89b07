# What does it cost to reach the loop from elsewhere: one object of many, from other threads, with tasks?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
wake_question='What does it cost to reach the loop from elsewhere: one object of many, from other threads, with tasks?'
wake_metrics='
cpu_ns  ns less processor time of all threads for a report, a send, a round trip, a task
wall_ns ns -    elapsed time for it
p50_ns  ns -    half of the round trips are at most
p99_ns  ns -    99 of 100 round trips are at most
sends_per_second   1/s - notified in a second
reports_per_second 1/s - reported in a second
'
wake_limit=raw_eventfd
wake_headline=kind=deliver,objects=10000
wake_blocks=20
wake_milliseconds=250
wake_milliseconds_full=3500
wake_descriptors=10100

wake_peers() { "$programs/bench_wake" --list; }

wake_one() {
    "$programs/bench_wake" --peer "$peer" "${client_cpu[@]}" --tag "$tag" --seed "$seed" "$@"
}

# The threads go to the other processor, if there is one.
wake_trial() {
    local count other=("${server_cpu[@]/--cpu/--other-cpu}")
    wake_one --deliveries 4000 --objects 10000 && wake_one --resends 1000000 || return
    if [ "$form" = quick ]; then
        wake_one --pummel 2 --milliseconds 100 "${other[@]}" &&
            wake_one --posting 2 --posts 50000 "${other[@]}"
        return
    fi
    wake_one --deliveries 100000 --objects 1 && wake_one --deliveries 50000 --objects 100 &&
        wake_one --round-trips 5000 || return
    [ ${#other[@]} -eq 0 ] || wake_one --round-trips 2000 "${other[@]}" || return
    for count in 1 2 4; do
        wake_one --pummel $count --milliseconds 200 "${other[@]}" &&
            wake_one --posting $count --posts $((200000 / count)) "${other[@]}" || return
    done
}
