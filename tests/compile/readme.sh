# SPDX-License-Identifier: MIT
# What a reader of the README sees is what is in the tree.
# shellcheck shell=bash disable=SC2154

# The first block of C in a Markdown file.
first_c_block() {
    awk '/^```c$/ { inside = 1; next } /^```$/ && inside { exit } inside' "$1"
}

# Links in the text of $1 to files of the tree that are not there.
dead_links() {
    [ -s "$top/$1" ] || echo "$1 is not there"
    grep -o '](\([^)#]*\)' "$top/$1" | sed 's/^](//' | grep -v '^https\?:' |
        while read -r path; do
            [ -e "$top/$path" ] || echo "$1: $path"
        done
}

check 'readme/example' same "$(cat "$top/examples/wait.c")" "$(first_c_block "$top/README.md")"
for text in README.md ARCHITECTURE.md CONTRIBUTING.md; do
    check "readme/links of $text" nothing "$(dead_links "$text")"
done
