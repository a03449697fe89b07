# SPDX-License-Identifier: MIT
# tap.sh: a test is a command. `check NAME COMMAND...` runs it and shows what it prints if it
# fails; it then returns 1.
# shellcheck shell=bash

tests=0
failures=0

check() {
    local name=$1 output
    shift
    tests=$((tests + 1))
    if output=$("$@" 2>&1 </dev/null); then
        echo "ok $tests - $name"
    else
        echo "not ok $tests - $name"
        failures=$((failures + 1))
        [ -z "$output" ] || echo "# ${output//$'\n'/$'\n# '}"
        return 1
    fi
}

skip() {
    tests=$((tests + 1))
    echo "ok $tests - $1 # SKIP $2"
}

# The last line of a test script.
finish() {
    echo "1..$tests"
    exit $((failures > 0))
}

# Two texts are equal, line by line. Lines of the first alone show as <, of the second as >.
same() {
    diff <(echo "$1") <(echo "$2")
}

# A list of faults is empty.
nothing() {
    [ -z "$1" ] || { echo "$1"; return 1; }
}
