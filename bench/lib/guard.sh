# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# guard.sh: who else used the processors during a trial?
#
# What all processors were busy, less what this shell and the processes it waited for used, is what
# others took, time stolen by a hypervisor included. Both come in clock ticks, so a few ticks mean
# nothing. A kernel that accounts interrupts apart counts some of the benchmark's own as foreign.

# The share of a processor that others may take, in percent, and the ticks that are not believed.
foreign_percent=10
foreign_ticks=3

# Sets `ticks`: busy so far, less our own.
read_foreign_ticks() {
    local user nice system irq softirq steal rest fields
    read -r _ user nice system _ _ irq softirq steal _ </proc/stat
    read -r rest </proc/$$/stat
    read -ra fields <<<"${rest##*) }" # from the state on: utime stime cutime cstime are 11 to 14
    ticks=$((user + nice + system + irq + softirq + steal))
    ticks=$((ticks - fields[11] - fields[12] - fields[13] - fields[14]))
}

guard_begin() {
    local ticks
    read_foreign_ticks
    guard_ticks=$ticks
    guard_time=${EPOCHREALTIME/./}
}

# Sets `foreign`, a share of one processor with three decimals, and `disturbed`.
guard_end() {
    local ticks elapsed used
    read_foreign_ticks
    elapsed=$(((${EPOCHREALTIME/./} - guard_time) / 1000 + 1))
    used=$(((ticks - guard_ticks) * 1000 / ticks_per_second)) # milliseconds
    [ $used -ge 0 ] || used=0
    printf -v foreign '%d.%03d' $((used / elapsed)) $((used * 1000 / elapsed % 1000))
    disturbed=false
    [ $((used * 100)) -le $((elapsed * foreign_percent + foreign_ticks * 100000 / ticks_per_second)) ] ||
        disturbed=true
}

ticks_per_second=$(getconf CLK_TCK)
