# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2015,SC2154
# facts.sh: the lines of a result file that no trial writes: the machine, the workloads, who is left
# out. The report is made of the file alone, so all that it says about them stands here.

# A text as JSON has it. Of what is not text only ends of lines are kept: metrics are a row each.
quoted() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    printf '"%s"' "$(tr -d '\000-\037' <<<"$text")"
}

fact() {
    [ -z "$2" ] || printf ',"%s":%s' "$1" "$(quoted "$2")"
}

first_line() {
    [ -r "$1" ] && head -n 1 "$1"
}

cached() {
    sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt" 2>/dev/null
}

# Which slow-downs against attacks on the processor are on: they make system calls dear.
mitigations() {
    local file text all=
    for file in /sys/devices/system/cpu/vulnerabilities/*; do
        text=$(first_line "$file")
        [[ $text != Mitigation:* ]] || all+="; ${file##*/}: ${text#Mitigation: }"
    done
    echo "${all#; }"
}

virtual_machine() {
    local product
    grep -qw hypervisor /proc/cpuinfo || return
    product=$(first_line /sys/class/dmi/id/product_name)
    echo "yes${product:+, $product}"
}

# The versions say what is linked; the sums, which build of it.
libraries() {
    local name file
    for name in LIBUV LIBEV LIBEVENT LIBURING; do
        file=$(cached "${name}_LIBRARY")
        [ -r "$file" ] || continue
        printf '%s sha256 %.16s; ' "${file##*/}" "$(sha256sum "$file")"
    done | sed 's/; $//'
}

libuv_version() {
    sed -n 's/^Version: *//p' "$libuv_pkgconfig/libuv.pc"
}

compiler() {
    local path
    path=$(cached CMAKE_C_COMPILER)
    [ -z "$path" ] || "$path" --version | head -n 1
}

# What must not change while a file grows: blocks of two programs are not one run.
identity() {
    printf '%s|%s|%s|%s|%s' "$form" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
        "$(uname -sr)" "$revision" "${libuv:+libuv $(libuv_version)}"
}

machine_line() {
    printf '{"type":"machine","run":"%s"' "$run"
    fact form "$form"
    fact identity "$(identity)"
    fact processor "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
    fact processors "$(nproc)"
    fact memory "$(awk '/^MemTotal/ { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo)"
    fact 'virtual machine' "$(virtual_machine)"
    fact kernel "$(uname -srm)"
    fact clock "$(first_line /sys/devices/system/clocksource/clocksource0/current_clocksource)"
    fact governor "$(first_line /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor)"
    fact mitigations "$(mitigations)"
    fact descriptors "$(ulimit -n) of at most $(ulimit -Hn)"
    fact 'tcp buffers' "$(first_line /proc/sys/net/ipv4/tcp_rmem | tr '\t' ' ')"
    fact compiler "$(compiler)"
    fact flags "$(cached CMAKE_C_FLAGS_RELEASE | sed 's/$/; the other libraries as they came/')"
    fact libraries "$(libraries)"
    fact revision "$revision"
    fact date "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    fact seed "$seed"
    fact blocks "${blocks:-}"
    fact load "$(cut -d' ' -f1-3 /proc/loadavg)"
    fact command "$command"
    fact 'not run' "${not_run[*]}"
    echo '}'
}

workload_line() {
    local member
    printf '{"type":"workload","run":"%s","workload":"%s"' "$run" "$1"
    for member in question limit headline repeated metrics; do
        fact $member "$(about "$1" $member '')"
    done
    echo '}'
}

# Those of a workload that do not take part: `! PEER REASON...` in its list.
left_out_lines() {
    local mark peer reason
    while read -r mark peer reason; do
        [ "$mark" = '!' ] || continue
        printf '{"type":"left_out","run":"%s","workload":"%s","peer":"%s"' "$run" "$1" "$peer"
        fact reason "$reason"
        echo '}'
    done <<<"$2"
}

failed_line() {
    printf '{"type":"failed","run":"%s","workload":"%s","peer":"%s","block":%d' "$run" "$1" "$2" "$3"
    fact reason "$4"
    echo '}'
}
