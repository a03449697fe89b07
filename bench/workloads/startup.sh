# What does a loop cost before it does anything?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
startup_question='What does a loop cost before it does anything?'
startup_metrics='
cpu_ns      ns    less processor time to make, pass once and free; of a process up to its first pass
wall_ns     ns    -    elapsed time of that
descriptors count -    descriptors that a loop holds
bytes       bytes -    of the heap that a loop holds
'
startup_limit=raw_epoll
startup_quick=no
startup_blocks=20
startup_milliseconds=500

startup_peers() { "$programs/bench_startup" --list | without_changelist | without_callbacks; }

startup_trial() {
    "$programs/bench_startup" --peer "$peer" --loops 1000 --processes 20 "${client_cpu[@]}" \
        --tag "$tag"
}
