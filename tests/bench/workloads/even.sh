# What does something cost that costs the same each time?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# Measures nothing: lines as a workload prints them, and what a test asks for by its environment.
even_question='what does something cost that costs the same each time?'
even_metrics='
cpu_ns ns less processor time for one; of "many" \ of them
'
even_limit=raw_epoll
even_milliseconds=20

even_peers() {
    echo 'raw_epoll 1'
    echo 'pollux 1'
    echo 'libev 4'
    echo '! libuv_poll it was "left" at \home'
}

even_trial() {
    local trials
    [ "${TEST_FAILS:-}" != "$peer" ] || {
        echo "$peer has had enough" >&2
        return 1
    }
    [ -z "${TEST_BUSY:-}" ] || sleep "$TEST_BUSY"
    # The shell that runs the plan is told to end while this trial is under way.
    trials=$(grep -c '"type":"trial"' "$out")
    [ "${TEST_ENDS_AFTER:-}" != "$trials" ] || kill -TERM $$
    printf '{%s,"workload":"even","cell":"size=1","peer":"%s","version":"1","cpu_ns":%d}\n' \
        "$tag" "$peer" $((100 + ${#peer}))
}
