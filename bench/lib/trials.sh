# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC1090,SC2015,SC2034,SC2154
# trials.sh: runs the plan, shows the time left, and writes a line for whatever happened.

milliseconds_since() {
    echo $(((${EPOCHREALTIME/./} - $1) / 1000))
}

# What is left of the guess, corrected by how the guess did so far; or what --minutes leaves.
seconds_left() {
    local elapsed left
    elapsed=$(milliseconds_since "$started")
    left=$((weight - weight_done))
    [ "$weight_done" -eq 0 ] || left=$((left * elapsed / weight_done))
    [ -z "$minutes" ] || left=$((minutes * 60000 - elapsed))
    left=$(((left + 999) / 1000))
    echo $((left > 0 ? left : 0))
}

show_progress() {
    local text=$1 left place
    left=$(seconds_left)
    place=$((attempted + 1))
    [ -n "$minutes" ] || place+=/$trials
    printf -v text '[%s] %-46s %d:%02d left' "$place" "$text" $((left / 60)) $((left % 60))
    if [ -t 1 ]; then
        printf '\r%-78s' "$text"
    else
        echo "$text"
    fi
}

# Runs the trial once and leaves its lines in `lines`.
attempt_trial() {
    local workload=$1 block=$2 peer=$3 copy=$4 attempt=$5 tag status
    tag="\"type\":\"trial\",\"run\":\"$run\",\"block\":$block,\"order\":$attempted,\"copy\":$copy"
    tag+=",\"attempt\":$attempt,\"seed\":$seed,\"time\":$EPOCHSECONDS"
    guard_begin
    lines=$("${workload}_trial" 2>"$scratch/errors")
    status=$?
    guard_end
    [ "$(about "$workload" repeated yes)" = yes ] || disturbed=false
    cat "$scratch/errors" >>"$log"
    [ $status -eq 0 ] && [ -n "$lines" ]
}

# The guard's words go behind each line, in front of its closing brace.
keep_lines() {
    local line type=$1
    while read -r line; do
        [ "$type" = trial ] || line=${line/\"type\":\"trial\"/\"type\":\"$type\"}
        echo "${line%\}},\"foreign\":$foreign,\"disturbed\":$disturbed}"
    done <<<"$lines" >>"$out"
}

# Repeats must not make a quick look a long one; a full run has the time.
quick_repeats_milliseconds=30000

may_repeat() {
    [ "$1" -lt 3 ] && ! $interrupted || return
    [ "$form" = full ] || [ "$repeats_milliseconds" -lt $quick_repeats_milliseconds ]
}

# A disturbed attempt is made again, at most twice; the last one counts, whatever came out. Which one
# counts must never depend on its result.
run_trial() {
    local attempt lines foreign disturbed
    for attempt in 1 2 3; do
        attempt_trial "$@" $attempt || break
        if ! $disturbed || ! may_repeat $attempt; then
            keep_lines trial
            finished=$((finished + 1))
            ! $disturbed || kept_disturbed=$((kept_disturbed + 1))
            return
        fi
        keep_lines repeated
        repeated=$((repeated + 1))
        repeats_milliseconds=$((repeats_milliseconds + $(milliseconds_since "$guard_time")))
    done
    ! $interrupted || return
    failures=$((failures + 1))
    failed_line "$1" "$3" "$2" "$(tail -n 1 "$scratch/errors")" >>"$out"
    printf '%s%s with %s failed; see %s\n' "$newline" "$1" "$3" "$log"
}

run_round() {
    local entry workload block peer copy of
    for entry in "${plan[@]}"; do
        read -r workload block peer copy <<<"$entry"
        of=" of ${target[$workload]}"
        [ -z "$minutes" ] || of=
        show_progress "block $block$of: $workload, $peer"
        run_trial "$workload" "$block" "$peer" "$copy"
        attempted=$((attempted + 1))
        weight_done=$((weight_done + $(trial_milliseconds "$workload")))
        ! $interrupted || return
    done
}

# Would another round as long as the last one end in time?
time_for_another() {
    [ -n "$minutes" ] || return 0
    [ $(($(milliseconds_since "$started") + $1)) -le $((minutes * 60000)) ]
}

run_rounds() {
    local round=0 begin length=0 plan
    while [ $round -eq 0 ] || time_for_another "$length"; do
        round=$((round + 1))
        plan_round $round
        [ ${#plan[@]} -gt 0 ] || break
        begin=${EPOCHREALTIME/./}
        run_round
        length=$(milliseconds_since "$begin")
        ! $interrupted || break
    done
}

run_all() {
    interrupted=false
    attempted=0
    finished=0
    failures=0
    repeated=0
    repeats_milliseconds=0
    kept_disturbed=0
    weight_done=0
    newline=
    [ ! -t 1 ] || newline=$'\n'
    trap 'interrupted=true' INT TERM
    started=${EPOCHREALTIME/./}
    run_rounds
    trap - INT TERM
    [ ! -t 1 ] || printf '\r%-78s\r' ''
    echo "$(($(milliseconds_since "$started") / 1000)) s for $finished trials;" \
        "$repeated were disturbed by other work and repeated, $kept_disturbed stayed disturbed"
}
