"""The seccomp filter of a box: a BPF program made here, for x86-64 only.

It closes what namespaces leave open: memory that no limit counts (memfd, System V), new namespaces,
other address families, ptrace and the kernel's rarer doors. A denied call returns an error; a call
of another architecture kills. On other machines `program()` is None and the level's notes say so.
"""

from __future__ import annotations

import platform
import struct

_LOAD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_NR, _ARCH, _ARG0 = 0, 4, 16  # offsets in struct seccomp_data
_X86_64 = 0xC000003E
_X32_BIT = 0x40000000

_NEW_NAMESPACES = 0x7E020080  # CLONE_NEW{TIME,NS,CGROUP,UTS,IPC,USER,PID,NET}
_CLONE, _CLONE3, _SOCKET, _SOCKETPAIR, _PRLIMIT = 56, 435, 41, 53, 302
_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6: all end inside the box's own network

DENIED = {
    # memory that neither RLIMIT_AS nor a tmpfs size counts
    "memfd_create": 319, "memfd_secret": 447, "shmget": 29, "msgget": 68, "semget": 64,
    # other processes
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
    "pidfd_getfd": 438, "process_madvise": 440, "process_mrelease": 448,
    # namespaces, mounts, roots
    "unshare": 272, "setns": 308, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "mount_setattr": 442, "name_to_handle_at": 303, "open_by_handle_at": 304, "fanotify_init": 300,
    # the kernel itself
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425, "io_uring_enter": 426,
    "io_uring_register": 427, "init_module": 175, "finit_module": 313, "delete_module": 176,
    "kexec_load": 246, "kexec_file_load": 320, "reboot": 169, "swapon": 167, "swapoff": 168, "acct": 163,
    "quotactl": 179, "quotactl_fd": 443, "syslog": 103, "add_key": 248, "request_key": 249, "keyctl": 250,
    "modify_ldt": 154, "uselib": 134, "lookup_dcookie": 212, "vhangup": 153, "personality": 135,
}  # fmt: skip
"""Calls that return EPERM, with their x86-64 numbers."""

_Instruction = tuple[int, int, int, int]


def program() -> bytes | None:
    """The filter as an array of struct sock_filter, or None where this architecture has none."""
    if platform.machine() != "x86_64":
        return None
    code: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_JEQ, 1, 0, _X86_64),
        (_RET, 0, 0, _KILL),
        (_LOAD, 0, 0, _NR),
        (_JGE, 0, 1, _X32_BIT),
        (_RET, 0, 0, _KILL),
    ]
    for number in sorted(DENIED.values()):
        code += [(_JEQ, 0, 1, number), (_RET, 0, 0, _ERRNO | _EPERM)]
    # clone3 hides its flags in memory; glibc falls back to clone.
    code += [(_JEQ, 0, 1, _CLONE3), (_RET, 0, 0, _ERRNO | _ENOSYS)]
    code += _with_argument(_CLONE, [(_JSET, 0, 1, _NEW_NAMESPACES), (_RET, 0, 0, _ERRNO | _EPERM)])
    # prlimit on another process would let a sample starve its box-init, which has the same uid.
    code += _with_argument(_PRLIMIT, [(_JEQ, 1, 0, 0), (_RET, 0, 0, _ERRNO | _EPERM)])
    for call in (_SOCKET, _SOCKETPAIR):
        skip = [(_JEQ, len(_FAMILIES) - i, 0, family) for i, family in enumerate(_FAMILIES)]
        code += _with_argument(call, [*skip, (_RET, 0, 0, _ERRNO | _EAFNOSUPPORT)])
    code.append((_RET, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _with_argument(call: int, body: list[_Instruction]) -> list[_Instruction]:
    """Run `body` on the first argument of `call`; where the body falls through, the call is allowed."""
    return [(_JEQ, 0, len(body) + 2, call), (_LOAD, 0, 0, _ARG0), *body, (_RET, 0, 0, _ALLOW)]
