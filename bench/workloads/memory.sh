# How much memory do an idle descriptor and a timer take, everything included?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
memory_question='How much memory do an idle descriptor and a timer take, everything included?'
memory_metrics='
bytes          bytes less of the heap, malloc included
resident_bytes bytes -    of memory that was touched
left_bytes     bytes -    of the heap, once all were stopped
'
memory_limit=
memory_repeated=no
memory_milliseconds=500
memory_milliseconds_full=2500
memory_descriptors=19200

memory_peers() { "$programs/bench_memory" --list; }

memory_trial() {
    local count sizes=(10000) timers=(100000)
    [ "$form" = quick ] || sizes=(100 1000 10000 19000)
    [ "$form" = quick ] || timers=(1000 100000 1000000)
    for count in "${sizes[@]}"; do
        "$programs/bench_memory" --peer "$peer" --descriptors "$count" --tag "$tag" || return
    done
    for count in "${timers[@]}"; do
        "$programs/bench_memory" --peer "$peer" --timers "$count" --tag "$tag" || return
    done
}
