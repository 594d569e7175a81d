"""The seccomp filter of a box: a BPF program made here, for x86-64 only.

It closes what namespaces leave open: memory that no limit counts (memfd, System V), new namespaces, other address
families, ptrace, changed limits and the kernel's rarer doors. Where the host's processes and files are in sight it
also closes sockets and what Landlock does not govern. A denied call returns an error; a call of another architecture
kills. On other machines `program()` is None and the level's notes say so.
"""

from __future__ import annotations

import os
import struct

_LOAD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_NR, _ARCH, _ARG0, _ARG1, _ARG2 = 0, 4, 16, 24, 32  # offsets in struct seccomp_data
_HIGH = 4  # the upper half of an argument lies behind the lower one
_X86_64 = 0xC000003E
_X32_BIT = 0x40000000

_NEW_NAMESPACES = 0x7E020080  # CLONE_NEW{TIME,NS,CGROUP,UTS,IPC,USER,PID,NET}
_CLONE, _CLONE3, _SOCKET, _SOCKETPAIR, _PRLIMIT = 56, 435, 41, 53, 302
_SOCK_DGRAM = 2  # a bit that stream and sequential-packet sockets do not have
FAMILIES = (1, 2, 10)
"""AF_UNIX, AF_INET, AF_INET6: all end inside the box's own network."""

DENIED = {
    # memory that neither RLIMIT_AS nor a tmpfs size counts
    "memfd_create": 319, "memfd_secret": 447, "shmget": 29, "msgget": 68, "semget": 64,
    "shmat": 30, "shmctl": 31, "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "semop": 65, "semctl": 66, "semtimedop": 220,
    # limits: those in force are the right ones
    "setrlimit": 160,
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

SHARED_HOST = {
    "mq_open": 240, "mq_unlink": 241, "connect": 42, "bind": 49, "ioprio_set": 251,
    "inotify_init": 253, "inotify_init1": 294,
}  # fmt: skip
"""More that is denied where the host's network, message queues, processes and files are in sight."""
OWN_PROCESS_ONLY = {
    "sched_setaffinity": 203, "sched_setparam": 142, "sched_setattr": 314,
}  # fmt: skip
_SETSCHEDULER = 144
SHARED_UID = {
    "chmod": 90, "fchmodat": 268, "fchmodat2": 452,
    "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260, "file_setattr": 469,
    "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "setxattrat": 463,
    "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "removexattrat": 466,
    "utime": 132, "utimes": 235, "futimesat": 261, "utimensat": 280,
}  # fmt: skip
"""Denied where files of the same owner are in sight: Landlock does not govern modes, times and attributes."""
_FCHMOD = 91
_SETPRIORITY = 141

_Instruction = tuple[int, int, int, int]
_REFUSE = (_RET, 0, 0, _ERRNO | _EPERM)


def program(
    families: tuple[int, ...] = FAMILIES, *, shared_host: bool = False, shared_uid: bool = False
) -> bytes | None:
    """The filter as an array of struct sock_filter, or None where this architecture has none.

    Args:
        families: those that socket() may ask for.
        shared_host: no namespaces stand between the sample and the host.
        shared_uid: moreover the sample has the user id of other processes and files.
    """
    if os.uname().machine != "x86_64":
        return None
    denied = {**DENIED, **(SHARED_HOST if shared_host else {}), **(SHARED_UID if shared_uid else {})}
    code: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_JEQ, 1, 0, _X86_64),
        (_RET, 0, 0, _KILL),
        (_LOAD, 0, 0, _NR),
        (_JGE, 0, 1, _X32_BIT),
        (_RET, 0, 0, _KILL),
    ]
    for number in sorted(denied.values()):
        code += [(_JEQ, 0, 1, number), _REFUSE]
    if shared_uid:  # mold makes what it wrote executable, and gives up where that is refused: not done, and no error
        code += [(_JEQ, 0, 1, _FCHMOD), (_RET, 0, 0, _ERRNO)]
    # clone3 hides its flags in memory; glibc falls back to clone.
    code += [(_JEQ, 0, 1, _CLONE3), (_RET, 0, 0, _ERRNO | _ENOSYS)]
    code += _of(_CLONE, [(_LOAD, 0, 0, _ARG0), (_JSET, 0, 1, _NEW_NAMESPACES), _REFUSE])
    # Limits may be read, one's own; box-init sets its soft limits from outside and the sample inherits them.
    code += _of(_PRLIMIT, _zero(_ARG0, _ARG2, _ARG2 + _HIGH))
    code += _of(_SOCKET, _one_of(_ARG0, families))
    # A connected pair cannot be turned to another address; a pair of datagram sockets can.
    no_datagrams = [(_LOAD, 0, 0, _ARG1), (_JSET, 0, 1, _SOCK_DGRAM), _REFUSE] if shared_host else []
    code += _of(_SOCKETPAIR, [*_one_of(_ARG0, FAMILIES), *no_datagrams])
    if shared_host:
        code += _of(_SETPRIORITY, _zero(_ARG0, _ARG1))
        for number in OWN_PROCESS_ONLY.values():
            code += _of(number, _zero(_ARG0))
        # mono makes its own threads ordinary ones, names them, and complains on stdout where that is refused: for
        # SCHED_OTHER it is not done, and no error.
        ordinary = [(_LOAD, 0, 0, _ARG1), (_JEQ, 0, 1, 0), (_RET, 0, 0, _ERRNO), _REFUSE]
        code += _of(_SETSCHEDULER, [(_LOAD, 0, 0, _ARG0), (_JEQ, len(ordinary), 0, 0), *ordinary])
    code.append((_RET, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _of(call: int, body: list[_Instruction]) -> list[_Instruction]:
    """Run `body` for `call`; where the body falls through, the call is allowed."""
    return [(_JEQ, 0, len(body) + 1, call), *body, (_RET, 0, 0, _ALLOW)]


def _zero(*words: int) -> list[_Instruction]:
    return [step for word in words for step in ((_LOAD, 0, 0, word), (_JEQ, 1, 0, 0), _REFUSE)]


def _one_of(word: int, values: tuple[int, ...]) -> list[_Instruction]:
    tests = [(_JEQ, len(values) - i, 0, value) for i, value in enumerate(values)]
    return [(_LOAD, 0, 0, word), *tests, (_RET, 0, 0, _ERRNO | _EAFNOSUPPORT)]
