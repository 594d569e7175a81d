#!/bin/sh
# Install the system tools that haloforge needs and this machine lacks: gcc, g++,
# util-linux (setpriv, prlimit) and Python's venv module. Knows Debian/Ubuntu (apt-get) and Fedora (dnf).
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
has() { command -v "$1" >/dev/null 2>&1; }

has gcc || missing gcc gcc
has g++ || missing g++ gcc-c++
{ has setpriv && has prlimit; } || missing util-linux util-linux
[ -e /usr/include/stdio.h ] || missing libc6-dev glibc-devel
"$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || missing python3-venv python3

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
