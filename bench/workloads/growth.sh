# How do the costs grow with the number of descriptors and of timers?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
growth_question='How do the costs grow with the number of descriptors and of timers?'
growth_metrics='
cpu_ns    ns    less processor time for a report, or for a pass with one
add_ns    ns    less begin to watch
remove_ns ns    less end
move_ns   ns    less move a timer
start_ns  ns    less start a timer
stop_ns   ns    less stop a timer
expire_ns ns    less expire and report a timer
bytes     bytes less of the heap for each
'
growth_limit=
growth_quick=no
growth_blocks=20
growth_milliseconds=9000
growth_descriptors=19200

# Who has neither descriptors nor timers has nothing that could grow.
growth_peers() { "$programs/bench_memory" --list | without_changelist | without_callbacks; }

# growth_of KIND PROGRAM OPTION...: the line of a program, as a point of the curve KIND.
growth_of() {
    local kind=$1 program=$2
    shift 2
    if ! "$programs/bench_$program" --list | grep -q "^$peer "; then return 0; fi
    "$programs/bench_$program" --peer "$peer" "$@" "${client_cpu[@]}" --tag "$tag" |
        sed -E 's/"workload":"[a-z]*","cell":"[^"]*"/"workload":"growth","cell":"'"$kind"'"/'
}

growth_trial() {
    local count
    for count in 100 300 1000 3000 10000 19000; do
        growth_of "of=reports,count=$count" dispatch --watchers $count --active $((count / 10)) \
            --events 20000 --repetitions 3 --limit 30 &&
            growth_of "of=passes,count=$count" dispatch --watchers $count --active 1 \
                --events 10000 --repetitions 3 --limit 30 &&
            growth_of "of=registrations,count=$count" register --descriptors $count \
                --churns 500 --repetitions 1 &&
            growth_of "of=descriptors,count=$count" memory --descriptors $count || return
    done
    for count in 100 1000 10000 100000 1000000; do
        growth_of "of=timers,count=$count" timers --timers $count --moves 50000 --repetitions 1 \
            --seed "$seed" || return
    done
}
