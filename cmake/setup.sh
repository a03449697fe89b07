# SPDX-License-Identifier: MIT
# setup.sh: installs what a script needs, for bench/run and tests/run, which source it.
#
#   need_packages PACKAGE...
#
# is silent when all Debian packages are there. Otherwise it says what it will install and does it,
# as root or with sudo. Where it cannot, it says what to do and ends the script with status 2.
# POLLUX_SETUP=skip in the environment trusts that the tools are there, wherever they came from.
# shellcheck shell=bash

# What each package is wanted for, in words that hold on every system.
package_purpose() {
    case $1 in
    build-essential) echo 'GCC with C++, make and the headers of the C library' ;;
    check) echo 'Check, the unit test library' ;;
    clang) echo 'Clang' ;;
    cmake) echo 'CMake 3.21 or newer' ;;
    gcc-mingw-w64-x86-64) echo 'GCC for 64-bit Windows: MinGW-w64' ;;
    gnuplot-nox) echo 'gnuplot 5' ;;
    libc6-dbg) echo 'debug symbols of the C library, for Valgrind' ;;
    libev-dev) echo 'libev and its header' ;;
    libevent-dev) echo 'libevent 2.1 and its headers' ;;
    liburing-dev) echo 'liburing and its headers' ;;
    libuv1-dev) echo 'libuv 1 and its headers' ;;
    pkg-config) echo 'pkg-config' ;;
    python3) echo 'Python 3' ;;
    strace) echo 'strace' ;;
    valgrind) echo 'Valgrind' ;;
    wine | wine64) echo 'Wine, for 64-bit programs' ;;
    w3m) echo 'w3m, which reads pages as text' ;;
    *) echo "$1" ;;
    esac
}

is_installed() {
    [[ $(dpkg-query -W -f='${Status}' "$1" 2>/dev/null) == *' ok installed' ]]
}

name_tools_and_exit() {
    local package
    {
        echo "${0##*/}: this is not a Debian system. It needs:"
        for package in "$@"; do
            echo "  - $(package_purpose "$package")"
        done
        echo "Install them, then run: POLLUX_SETUP=skip $0"
    } >&2
    exit 2
}

# Fills `as_root` with what to put before a command so that it runs as root.
# A sudo that wants a password can ask for it only on a terminal.
find_root() {
    as_root=()
    [ "$(id -u)" -eq 0 ] && return
    command -v sudo >/dev/null || return 1
    if [ -t 0 ]; then
        as_root=(sudo)
    else
        as_root=(sudo -n)
        sudo -n true 2>/dev/null
    fi
}

need_packages() {
    local package as_root missing=()
    [ "${POLLUX_SETUP:-}" = skip ] && return
    command -v apt-get >/dev/null || name_tools_and_exit "$@"
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return

    local apt=(apt-get -o DPkg::Lock::Timeout=600)
    if ! find_root; then
        {
            echo "${0##*/}: packages are missing, and neither root nor sudo is at hand. As root, run:"
            echo "apt-get update && ${apt[*]} install -y --no-install-recommends ${missing[*]}"
        } >&2
        exit 2
    fi
    echo "Installing from Debian: ${missing[*]}"
    # An unreachable source among several need not matter: the installation decides.
    "${as_root[@]}" "${apt[@]}" update || true
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; then
        echo "${0##*/}: the installation failed" >&2
        exit 2
    fi
}
