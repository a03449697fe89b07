# What do timers cost that nobody waits for in vain?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
timers_question='What do timers cost that nobody waits for in vain?'
timers_metrics='move_ns ns less move to a random deadline
again_ns ns less push back by the idle timeout
start_ns ns less start
stop_ns ns less stop
expire_ns ns less expire and report
nothing_ns ns - the loop, with a call that does nothing
clock_ns ns - a reading of the clock'
timers_limit=raw_wheel
timers_headline=timers=100000
timers_blocks=40
timers_milliseconds=450
timers_milliseconds_full=3600

timers_peers() { "$programs/bench_timers" --list; }

timers_trial() {
    local count sizes=(100000)
    [ "$form" = quick ] || sizes=(1000 10000 100000 1000000)
    for count in "${sizes[@]}"; do
        "$programs/bench_timers" --peer "$peer" --timers "$count" --moves 100000 --repetitions 1 \
            "${client_cpu[@]}" --tag "$tag" --seed "$seed" || return
    done
}
