# What does it cost to begin, change and end the watching of a descriptor?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
register_question='What does it cost to begin, change and end the watching of a descriptor?'
register_metrics='add_ns ns less begin to watch
widen_ns ns less also for writing
narrow_ns ns less for reading alone again
same_ns ns less the same again
pause_ns ns less stop and start, one descriptor, no pass of the loop
remove_ns ns less end
reuse_ns ns less open, watch, end and close, the number used again'
register_limit=raw_epoll
register_blocks=40
register_milliseconds=350
register_milliseconds_full=1500
register_descriptors=19200

register_peers() { "$programs/bench_register" --list; }

register_trial() {
    local descriptors sizes=(1000)
    [ "$form" = quick ] || sizes=(1000 10000 19000)
    for descriptors in "${sizes[@]}"; do
        "$programs/bench_register" --peer "$peer" --descriptors "$descriptors" --churns 4000 \
            --repetitions 3 "${client_cpu[@]}" --tag "$tag" || return
    done
}
