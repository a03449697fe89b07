# SPDX-License-Identifier: MIT
# Each public header is the first and only include of a file, in both languages and compilers.
# shellcheck shell=bash disable=SC2154

header_flags=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$top/include")

compiles_alone() {
    local header=$1 language=$2
    shift 2
    echo "#include <$header>" | "$@" "${header_flags[@]}" -x "$language" -
}

check_header() {
    local header=$1
    check "headers/$header/gcc" compiles_alone "$header" c gcc -std=c11
    check "headers/$header/clang" compiles_alone "$header" c clang -std=c11
    check "headers/$header/g++" compiles_alone "$header" c++ g++ -std=c++17
    check "headers/$header/clang++" compiles_alone "$header" c++ clang++ -std=c++17
}

cd "$top/include" || exit
for header in *.h pollux/*.h; do
    check_header "$header"
done
cd "$top" || exit
