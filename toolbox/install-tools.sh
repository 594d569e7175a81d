#!/bin/sh
# Install the system tools that haloforge needs and this machine lacks: gcc, g++,
# util-linux (setpriv, prlimit) and Python's venv module. Knows Debian/Ubuntu (apt-get) and Fedora (dnf).
# With --languages also what the other compiled languages need: clang, mingw-w64, Rust, Go, mono, mold to link fast, and
# the ssh client, by which cl on a Windows machine is reached.
# Safe to repeat. Without the rights to install it prints the command to run and exits 1.
set -eu

python=${PYTHON:-python3}
family=none
command -v dnf >/dev/null 2>&1 && family=dnf
command -v apt-get >/dev/null 2>&1 && family=apt

# missing PACKAGE-ON-DEBIAN PACKAGE-ON-FEDORA: note what to install.
wanted=
missing() {
    if [ "$family" = dnf ]; then wanted="$wanted $2"; else wanted="$wanted $1"; fi
}
has_package() { dpkg -s "$1" >/dev/null 2>&1; }
has() { command -v "$1" >/dev/null 2>&1; }

has gcc || missing gcc gcc
has g++ || missing g++ gcc-c++
{ has setpriv && has prlimit; } || missing util-linux util-linux
[ -e /usr/include/stdio.h ] || missing libc6-dev glibc-devel
"$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || missing python3-venv python3

if [ "${1:-}" = --languages ]; then
    # Where Debian's rustc is too old for today's edition there is a newer one beside it.
    rust=rustc cargo=cargo
    if [ "$family" = apt ] && [ "$(id -u)" = 0 ] && ! apt-cache show rustc >/dev/null 2>&1; then
        apt-get update >/dev/null 2>&1 || true  # a fresh image has no lists, and does not know what there is
    fi
    if [ "$family" = apt ] && apt-cache show rustc-web >/dev/null 2>&1; then
        rust=rustc-web cargo=cargo-web
    fi
    has clang || missing clang clang
    has x86_64-w64-mingw32-g++ || missing "gcc-mingw-w64-x86-64 g++-mingw-w64-x86-64" "mingw64-gcc mingw64-gcc-c++"
    [ -x /usr/bin/rustc ] || missing "$rust" rust
    [ -x /usr/bin/cargo ] || missing "$cargo" cargo
    has go || missing golang golang
    has mcs || missing mono-mcs mono-devel
    [ "$family" = apt ] && { has_package libmono-system-numerics4.0-cil || missing libmono-system-numerics4.0-cil ""; }
    has mold || missing mold mold
    { has ssh && has sftp; } || missing openssh-client openssh-clients
fi

if [ -z "$wanted" ]; then
    echo "install-tools: nothing to do"
    exit 0
fi

case $family in
    apt) install="apt-get install -y --no-install-recommends$wanted" ;;
    dnf) install="dnf install -y$wanted" ;;
    *)
        echo "install-tools: neither apt-get nor dnf here; install with this system's own tool:$wanted" >&2
        exit 1
        ;;
esac

if [ "$(id -u)" = 0 ]; then
    as_root=
elif has sudo && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "install-tools: missing:$wanted. Without the rights to install; run this, then repeat:" >&2
    echo "    sudo $install" >&2
    exit 1
fi

echo "install-tools: $install"
if [ "$family" = apt ]; then
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    $as_root $install >/dev/null 2>&1 || { $as_root apt-get update && $as_root $install; }
else
    # shellcheck disable=SC2086
    $as_root $install
fi
