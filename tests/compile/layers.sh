# SPDX-License-Identifier: MIT
# The picture of ARCHITECTURE.md, checked: an include points down, never up or to the side.
#
#   src/loop -> src/core, src/sources -> backends/backend.h -> src/os -> src/base -> include
# shellcheck shell=bash disable=SC2154

c11_headers='assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp|signal'
c11_headers+='|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string'
c11_headers+='|tgmath|threads|time|uchar|wchar|wctype'

# May the file $1 include $2? A backend has at most one header of its own, which the table knows; it
# shares it with what it calls on one system, NAME_SYSTEM.c. The words of poll(2) are everybody's.
may_include() {
    case $1/$2 in
    include/*/include/*) ;;
    src/base/*/include/* | src/base/*/src/base/*) ;;
    src/os/*/include/* | src/os/*/src/base/* | src/os/*/src/os/*) ;;
    backends/*/include/* | backends/*/src/base/* | backends/*/src/os/*) ;;
    backends/*/backends/backend.h | backends/*.c/backends/poll_words.h | backends/table.c/backends/*) ;;
    backends/*) [ "${1%.[ch]}.h" = "$2" ] || [ "${1%_*.c}.h" = "$2" ] ;;
    src/core/*/include/* | src/core/*/src/base/* | src/core/*/src/os/* | src/core/*/src/core/*) ;;
    src/core/*/src/sources/*.h | src/core/*/backends/backend.h) ;;
    src/sources/*/include/* | src/sources/*/src/base/* | src/sources/*/src/os/*) ;;
    src/sources/*/src/core/* | src/sources/*/src/sources/* | src/sources/*/backends/backend.h) ;;
    src/loop/*/include/* | src/loop/*/src/base/* | src/loop/*/src/core/* | src/loop/*/src/loop/*) ;;
    examples/*/include/* | examples/*/examples/*) ;;
    *) return 1 ;;
    esac
}

# Where the system matters, headers of the system may be used; elsewhere those of C11 only.
may_use_system() {
    case $1 in
    src/os/*.c | examples/*) ;;
    backends/table.c | backends/backend.h) return 1 ;;
    backends/*) ;;
    *) return 1 ;;
    esac
}

# Prints `file header` for each include of the tree at $1; <pollux/...> as its path in the tree.
list_includes() {
    (cd "$1" && find include src backends examples -name '*.[ch]' -exec awk '
        /^[ \t]*#[ \t]*include/ {
            header = $0
            sub(/^[^<"]*/, "", header)
            sub(/[>"][^>"]*$/, "", header)
            if (header ~ /^<pollux/)
                header = "<include/" substr(header, 2)
            print FILENAME, (header ~ /^<include/) ? substr(header, 2) : header
        }' {} + | sort)
}

# Prints each include of the tree at $1 that the picture does not have.
wrong_includes() {
    local file header
    while read -r file header; do
        case $header in
        \<*)
            [[ ${header#<} =~ ^($c11_headers)\.h$ ]] || may_use_system "$file" ||
                echo "$file includes $header>, which is no header of C11"
            ;;
        *)
            header=${header#\"}
            [ -e "$1/$header" ] || echo "$file includes $header, which is not a path from the top"
            may_include "$file" "$header" || echo "$file includes $header"
            ;;
        esac
    done < <(list_includes "$1")
}

system_macros='_WIN|__MINGW|__CYGWIN|__linux|__gnu_linux|__ANDROID|__GLIBC|__unix|__APPLE__'
system_macros+='|__FreeBSD|__NetBSD|__OpenBSD|__DragonFly|__sun|__illumos|_AIX'

# Which system it is may be asked by choosing files and rows, not by lines of policy.
system_conditionals() {
    (cd "$1" && grep -rnE "^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)\b.*\b($system_macros)" \
        src/core src/sources src/loop src/base)
}

named_backends() {
    local file
    for file in "$1"/src/{core,sources,loop}/*.[ch]; do
        [ -e "$file" ] || continue
        gcc -fpreprocessed -dD -E -P "$file" | grep -v '^#include' |
            grep -iE 'epoll|kqueue|event_?port|wsapoll|BACKEND_POLL' | sed "s|^|${file#"$1/"}: |"
    done
}

# The same functions on a tree that does everything wrong: a test of this test.
make_crooked_tree() {
    local tree=$1
    mkdir -p "$tree"/{include/pollux,src/base,src/os,src/core,src/loop,backends,examples}
    touch "$tree"/src/core/context.h "$tree"/src/loop/loop.h "$tree"/backends/{backend,epoll,poll}.h "$tree"/src/os/os.h
    printf '#include "%s"\n' backends/epoll.h backends/poll.h >"$tree/backends/epoll.c"
    echo '#include "src/core/context.h"' >"$tree/backends/poll.c"
    echo '#include "src/core/context.h"' >"$tree/include/pollux/context.h"
    echo '#include "src/os/os.h"' >"$tree/src/base/list.c"
    echo '#include "backends/backend.h"' >"$tree/src/os/posix.c"
    printf '#include "%s"\n' backends/epoll.h os.h >"$tree/src/core/context.c"
    echo '#include <sys/epoll.h>' >"$tree/src/core/wait.c"
    echo '#include "src/loop/loop.h"' >"$tree/src/core/ready.c"
    echo '#include "src/os/os.h"' >"$tree/src/loop/loop.c"
    printf '#  ifdef __linux__\n#endif\nint epoll_is_best;\n' >"$tree/src/core/policy.c"
}

finds_crooked_tree() {
    local tree=$work/crooked wrong='backends/epoll.c includes backends/poll.h
backends/poll.c includes src/core/context.h
include/pollux/context.h includes src/core/context.h
src/base/list.c includes src/os/os.h
src/core/context.c includes backends/epoll.h
src/core/context.c includes os.h
src/core/context.c includes os.h, which is not a path from the top
src/core/ready.c includes src/loop/loop.h
src/core/wait.c includes <sys/epoll.h>, which is no header of C11
src/loop/loop.c includes src/os/os.h
src/os/posix.c includes backends/backend.h'
    make_crooked_tree "$tree"
    same "$wrong" "$(wrong_includes "$tree" | sort)" &&
        same 'src/core/policy.c:1:#  ifdef __linux__' "$(system_conditionals "$tree")" &&
        same 'src/core/policy.c: int epoll_is_best;' "$(named_backends "$tree")"
}

check 'layers/a crooked tree is noticed' finds_crooked_tree
check 'layers/includes point down' nothing "$(wrong_includes "$top")"
check 'layers/no system conditionals in policy' nothing "$(system_conditionals "$top")"
check 'layers/the core names no backend' nothing "$(named_backends "$top")"
