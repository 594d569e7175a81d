"""The file system that every box of a zygote sees: toolchains, read-only, in a root of a few mounts.

A copy of it is made for each box, and copies cost by the number of mounts, so it is small and built once.
Seen: /usr, /bin and /lib of the host, some files of /etc that compilers ask for, this Python's own folder, and
what the caller adds. Not seen: homes, /etc otherwise, /var, /run, /sys, other devices.
"""

from __future__ import annotations

import _socket
import os

from haloforge.sandbox import kernel

HOST_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
HOST_FILES = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/mono")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_LINKS = (("/proc/self/fd", "/dev/fd"), ("fd/0", "/dev/stdin"), ("fd/1", "/dev/stdout"), ("fd/2", "/dev/stderr"))
_STAGE = "/tmp"
"""Any folder: a file system is mounted over it, in a namespace that nobody else sees."""


def visible(more: tuple[str, ...]) -> list[str]:
    """What is bound read-only: the host's toolchain folders that are here, and `more`; none that lies in another.

    Raises:
        FileNotFoundError: one of `more` is absent.
    """
    for path in more:
        os.stat(path)
    paths = {path for path in (*HOST_FOLDERS, *HOST_FILES) if os.path.exists(path) and not os.path.islink(path)}
    paths.update(more)
    return sorted(path for path in paths if not any(path.startswith(other + "/") for other in paths))


def enter_namespaces(root: bool) -> None:
    """Leave the host's namespaces, all but the pid namespace, which every box has its own of.

    An ordinary user gets the right to do so from a user namespace, in which it keeps its own number.
    """
    flags = kernel.NEWNS | kernel.NEWNET | kernel.NEWIPC | kernel.NEWUTS
    if root:
        kernel.unshare(flags)
    else:
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(flags | kernel.NEWUSER)
        for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as f:
                f.write(line)
    try:  # noqa: SIM105
        kernel.unshare(kernel.NEWCGROUP)
    except OSError:
        pass  # a kernel without cgroups has none to hide
    _socket.sethostname("box")


def build(more: tuple[str, ...], root: bool) -> None:
    """Make the root and move into it. Nothing of the old one can be reached afterwards."""
    bound = [(path, os.path.realpath(path)) for path in visible(more)]
    links = [(os.readlink(path), path) for path in HOST_FOLDERS if os.path.islink(path)]
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", _STAGE, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,nr_inodes=1k,mode=755")
    os.chdir(_STAGE)
    os.mkdir("old")
    os.mkdir("new")
    kernel.pivot_root(".", "old")
    os.chdir("/")
    kernel.mount("new", "/new", None, kernel.MS_BIND)
    for folder in ("proc", "dev", "work", "tmp"):
        os.mkdir(f"/new/{folder}", 0o755)
    for path, source in bound:
        _bind(f"/old{source}", f"/new{path}")
        kernel.close_mount(f"/new{path}")
    for device in DEVICES:
        _bind(f"/old{device}", f"/new{device}")
    for target, path in (*links, *_LINKS):
        os.symlink(target, f"/new{path}")
    if not root:
        # In a user namespace the kernel mounts a new /proc only where a whole one is seen already.
        kernel.mount("/old/proc", "/new/proc", None, kernel.MS_BIND | kernel.MS_REC)
    os.chdir("/new")
    kernel.pivot_root(".", ".")  # the old root now lies upon the new one
    kernel.unmount(".")
    os.chdir("/")
    flags = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("none", "/", None, flags)


def make_mount_point(path: str, folder: bool) -> None:
    os.makedirs(path if folder else os.path.dirname(path), 0o755, exist_ok=True)
    if not folder:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))


def _bind(source: str, target: str) -> None:
    make_mount_point(target, os.path.isdir(source))
    kernel.mount(source, target, None, kernel.MS_BIND | kernel.MS_REC)
