# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC1090,SC2015,SC2034,SC2154
# plan.sh: who runs when. A round is one block of every workload that wants another one; in a block
# every competitor runs once, in a new random order, and pollux twice, as a control.

# The same seed gives the same order with every shell.
next_random() {
    random=$(((random * 1103515245 + 12345) & 0x7fffffff))
    dice=$(((random >> 8) % $1))
}

shuffle() {
    local i other
    for ((i = ${#items[@]} - 1; i > 0; i--)); do
        next_random $((i + 1))
        other=${items[i]}
        items[i]=${items[dice]}
        items[dice]=$other
    done
}

# Fills `taking_part[WORKLOAD]` with `PEER:COPY...`. Who could take part and does not, is kept too.
find_competitors() {
    local workload lines name
    declare -gA taking_part=() peer_lines=()
    for workload in "${only[@]}"; do
        lines=$("${workload}_peers") || bad_usage "$workload does not know its competitors"
        peer_lines[$workload]=$lines
        while read -r name _; do
            [ -n "$name" ] && [ "$name" != '!' ] || continue
            [ ${#peers[@]} -eq 0 ] || contains "$name" "${peers[@]}" || continue
            taking_part[$workload]+="$name:0 "
            [ "$name" != pollux ] || [ "$(about "$workload" repeated yes)" = no ] ||
                taking_part[$workload]+="$name:1 "
        done <<<"$lines"
    done
    [ ${#taking_part[@]} -gt 0 ] ||
        bad_usage 'none of these competitors takes part in these workloads'
}

# Sets `target[WORKLOAD]`, the blocks that it shall have in all.
set_targets() {
    local workload wanted
    declare -gA target=()
    for workload in "${!taking_part[@]}"; do
        wanted=3
        [ "$form" != full ] || wanted=$(about "$workload" blocks 20)
        [ -z "$minutes" ] || wanted=1000000
        [ -z "$blocks" ] || wanted=$blocks
        [ "$(about "$workload" repeated yes)" = yes ] || wanted=1
        target[$workload]=$wanted
    done
}

# Sets `had[WORKLOAD]`, the complete blocks of the file that is continued. Half a block stays in the
# file, where what it has is compared, but it is made again as a whole: its other half would have
# been measured on another day. Counts without noise need no block: only who is missing is counted.
read_progress() {
    local kind workload run block peer copy entry key
    declare -gA had=() counted=()
    local -A seen=() blocks_seen=()
    while read -r kind workload run block peer copy; do
        [ "$kind" = trial ] || continue
        seen["$workload $run $block $peer:$copy"]=1
        blocks_seen["$workload $run $block"]=1
        counted["$workload $peer:$copy"]=1
    done <<<"$1"
    for key in "${!blocks_seen[@]}"; do
        workload=${key%% *}
        for entry in ${taking_part[$workload]:-}; do
            [ -n "${seen["$key $entry"]:-}" ] || continue 2
        done
        had[$workload]=$((${had[$workload]:-0} + 1))
    done
}

# The competitors of one workload that a block still has to run, in `items`.
block_items() {
    local entry
    items=()
    for entry in ${taking_part[$1]}; do
        [ "$(about "$1" repeated yes)" = no ] && [ -n "${counted["$1 $entry"]:-}" ] ||
            items+=("$entry")
    done
}

# Fills `plan` with the trials of the next round, as `WORKLOAD BLOCK PEER COPY`.
plan_round() {
    local workload block item items
    plan=()
    for workload in "${only[@]}"; do
        [ -n "${taking_part[$workload]:-}" ] || continue
        block=$((${had[$workload]:-0} + $1))
        [ $block -le "${target[$workload]}" ] || continue
        block_items "$workload"
        shuffle
        for item in "${items[@]}"; do
            plan+=("$workload $block ${item%:*} ${item#*:}")
        done
    done
}

trial_milliseconds() {
    local guess
    guess=$(about "$1" milliseconds 500)
    [ "$form" != full ] || guess=$(about "$1" milliseconds_full "$guess")
    echo "$guess"
}

# What all of the plan should take, in milliseconds, and how many trials it has.
weigh_all() {
    local workload left items
    weight=0
    trials=0
    for workload in "${!taking_part[@]}"; do
        left=$((target[$workload] - ${had[$workload]:-0}))
        [ $left -gt 0 ] || continue
        block_items "$workload"
        trials=$((trials + left * ${#items[@]}))
        weight=$((weight + left * ${#items[@]} * $(trial_milliseconds "$workload")))
    done
}
