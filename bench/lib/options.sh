# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC1090,SC2015,SC2034,SC2154
# options.sh: what bench/run was asked for. Whatever is wrong is said before anything is installed.

usage() {
    cat <<'END'
usage: bench/run [OPTION]...

Installs what is missing (Debian packages, as root or with sudo), builds into build/bench, compares
pollux with libuv, libev, libevent and the bare system calls, and writes tables and a page.

  --quick          the short form, under two minutes after the build (this is the default)
  --full           every workload, every size, many blocks; says beforehand how long
  --minutes N      as many blocks as end within N minutes, at least one, in either form
  --blocks N       so many blocks of every workload, instead of what the form would run
  --only WORKLOAD  that workload alone; may be repeated
  --peer NAME      that competitor alone; may be repeated
  --libuv PREFIX   the libuv installed there, instead of the system's
  --seed N         the seed of the random order
  --out FILE       where the results go, a JSON line for each trial; the tables and the page beside
                   it as .md and .html. A file that is there already is continued
  --list           the workloads and the competitors
  --help           this text

Ctrl-C ends it early; what was done is kept and reported.
Environment: POLLUX_SETUP=skip installs nothing. POLLUX_BENCH_PROGRAMS=DIR builds nothing and takes
the programs there; POLLUX_BENCH_WORKLOADS=DIR takes the workloads there.
END
}

bad_usage() {
    {
        echo "bench/run: $1"
        echo "bench/run --help shows the options"
    } >&2
    exit 2
}

contains() {
    local word=$1 other
    shift
    for other in "$@"; do
        [ "$word" != "$other" ] || return 0
    done
    return 1
}

# A member of a workload's description that need not be there: about WORKLOAD MEMBER DEFAULT
about() {
    local name=${1}_$2
    echo "${!name:-$3}"
}

load_workloads() {
    local workload question
    [ -r "$workloads_in/list" ] || bad_usage "there is no list of workloads in $workloads_in"
    mapfile -t workloads <"$workloads_in/list"
    for workload in "${workloads[@]}"; do
        [ -r "$workloads_in/$workload.sh" ] || bad_usage "$workloads_in/$workload.sh is missing"
        . "$workloads_in/$workload.sh"
        question=$(about "$workload" question '')
        [ -n "$question" ] || bad_usage "$workloads_in/$workload.sh asks no question"
    done
}

# A competitor is a file that says its name, so they are known before anything is built.
known_peers() {
    sed -n 's/^ *\.name *= "\(.*\)",$/\1/p' bench/peers/*.c
}

list() {
    local workload form
    echo 'Workloads:'
    for workload in "${workloads[@]}"; do
        form='quick, full'
        [ "$(about "$workload" quick yes)" = yes ] || form='full'
        printf '  %-13s %-12s %s\n' "$workload" "$form" "$(about "$workload" question '')"
    done
    echo 'Competitors:'
    known_peers | sed 's/^/  /'
}

read_number() {
    [[ $2 =~ ^[0-9]{1,9}$ ]] && [ "$((10#$2))" -ge "$3" ] || bad_usage "$1 wants a number, not '$2'"
    number=$((10#$2))
}

read_option() {
    local names
    case $1 in
    --only)
        contains "$2" "${workloads[@]}" || bad_usage "no workload is called '$2'; --list shows them"
        contains "$2" "${only[@]}" || only+=("$2")
        ;;
    --peer)
        mapfile -t names < <(known_peers)
        contains "$2" "${names[@]}" || bad_usage "no competitor is called '$2'; --list shows them"
        peers+=("$2")
        ;;
    --blocks) read_number "$1" "$2" 1; blocks=$number ;;
    --minutes) read_number "$1" "$2" 1; minutes=$number ;;
    --seed) read_number "$1" "$2" 0; seed=$number ;;
    --libuv) libuv=$(absolute "$2") ;;
    --out) out=$(absolute "$2") ;;
    esac
}

absolute() {
    case $1 in
    /*) echo "$1" ;;
    *) echo "$caller/$1" ;;
    esac
}

read_options() {
    form=
    blocks=
    minutes=
    libuv=
    out=
    seed=$((RANDOM * 32768 + RANDOM))
    only=()
    peers=()
    while [ $# -gt 0 ]; do
        case $1 in
        --quick | --full)
            [ "${form:-${1#--}}" = "${1#--}" ] || bad_usage 'it is either --quick or --full'
            form=${1#--}
            ;;
        --list) list; exit 0 ;;
        -h | --help) usage; exit 0 ;;
        --only | --peer | --blocks | --minutes | --seed | --libuv | --out)
            [ $# -gt 1 ] && [ -n "$2" ] || bad_usage "$1 wants a value"
            read_option "$1" "$2"
            shift
            ;;
        *) bad_usage "unknown option '$1'" ;;
        esac
        shift
    done
    [ -z "$blocks" ] || [ -z "$minutes" ] || bad_usage 'it is either --blocks or --minutes'
    [ -z "$libuv" ] || find_libuv
}

# A given libuv is known by its pkg-config file; without one nobody could say what was linked.
find_libuv() {
    local folder
    for folder in "$libuv"/lib/pkgconfig "$libuv"/lib/*/pkgconfig "$libuv"/lib64/pkgconfig; do
        [ -r "$folder/libuv.pc" ] || continue
        libuv_pkgconfig=$folder
        return
    done
    bad_usage "there is no lib/pkgconfig/libuv.pc below $libuv"
}

# The workloads of this run: those that were named, or those of the form.
select_workloads() {
    local workload
    not_run=()
    [ ${#only[@]} -eq 0 ] || {
        for workload in "${workloads[@]}"; do
            contains "$workload" "${only[@]}" || not_run+=("$workload")
        done
        return
    }
    for workload in "${workloads[@]}"; do
        if [ "$form" = full ] || [ "$(about "$workload" quick yes)" = yes ]; then
            only+=("$workload")
        else
            not_run+=("$workload")
        fi
    done
}
