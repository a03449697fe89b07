# SPDX-License-Identifier: MIT
# docs/kernels names the test of each quirk: the tests are there, and no quirk is without one.
# shellcheck shell=bash disable=SC2016,SC2154

# The names of all tests: Check's and its suites', those in tables of cases, those that are printed,
# and functions, which the rest is.
test_names() {
    (cd "$1" && grep -rhoE \
        -e '^START_TEST\([a-z0-9_]+' -e '^(FLAGGED_)?CASE\([a-z0-9_]+' -e '^ +\{"[a-z0-9_]+",' \
        -e 'suite_create\("[a-z0-9_]+"' -e '"%sok 1 - [a-z0-9_]+' \
        -e '^(static )?(bool|void|int) [a-z0-9_]+\([^)]*\)$' \
        --include='*.c' --include='*.def' . |
        sed -E 's/\([^(]*\)$//; s/^.*[^a-z0-9_]([a-z0-9_]+)[^a-z0-9_]*$/\1/' | sort -u)
}

# Prints `line: cell` for the last column of each table in $1 that says which test shows a quirk.
shown_by() {
    awk -F '|' '
        !/^\|/ { inside = 0; next }
        inside && !/^\|[-| ]*$/ { print FNR ":" $(NF - 1) }
        $(NF - 1) ~ /^ *(shown by|test|tests) *$/ { inside = 1 }' "$1"
}

# A name in backticks is that of a test, where * is anything, or a path of the tree at $1.
is_there() {
    local name=${2//\*/[a-z0-9_]*}
    case $2 in
    */*) [ -e "$1/$2" ] ;;
    *) grep -qxE "$name" <<<"$3" ;;
    esac
}

# Prints what is wrong in docs/kernels of the tree at $1. A quirk without a test says why.
wrong_tests() {
    local file line cell name names
    names=$(test_names "$1/tests")
    for file in "$1"/docs/kernels/*.md; do
        while IFS=: read -r line cell; do
            grep -qE '`|not (shown|played|seen): .' <<<"$cell" || echo "${file##*/}:$line: no test"
            while read -r name; do
                is_there "$1" "$name" "$names" || echo "${file##*/}:$line: $name"
            done < <(grep -o '`[^`]*`' <<<"$cell" | tr -d '`')
        done < <(shown_by "$file")
    done
}

# The same on a tree that names what is not there: a test of this test.
finds_missing_tests() {
    local tree=$work/kernels
    mkdir -p "$tree/docs/kernels" "$tree/tests/unit"
    printf '%s\n' 'START_TEST(it_works)' 'static bool that_too(void)' '    {"a_case", a_case},' \
        '    it_is_called(now);' >"$tree/tests/unit/test.c"
    printf '%s\n' '| quirk | shown by |' '|---|---|' '| a | `it_works`, `that_*` |' \
        '| b | `it_worked`, `a_case` |' '| c | sometimes |' '| d | not shown: no such kernel |' \
        '| e | `tests/unit`, `tests/none` |' '| f | `it_is_called` |' 'text with `another_name`' \
        '| who | what |' '|---|---|' '| g | `nobody` |' >"$tree/docs/kernels/some.md"
    same 'some.md:4: it_worked
some.md:5: no test
some.md:7: tests/none
some.md:8: it_is_called' "$(wrong_tests "$tree")"
}

check 'kernels/a missing test is noticed' finds_missing_tests
check 'kernels/each quirk has a test that is there' nothing "$(wrong_tests "$top")"
