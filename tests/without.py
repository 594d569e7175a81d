"""Start a command on a kernel that refuses what containers usually refuse: `without.py namespaces,landlock CMD …`.

A seccomp filter of our own, as docker's default profile has one; it is inherited and cannot be taken off.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

FILE = str(Path(__file__).resolve())
if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from haloforge.sandbox import filter as seccomp  # noqa: E402
from haloforge.sandbox import kernel  # noqa: E402

NAMESPACES = (272, 308, 165, 155, 442)  # unshare, setns, mount, pivot_root, mount_setattr
LANDLOCK = (444, 445, 446)


def program(what: str) -> bytes:
    calls = (*(NAMESPACES if "namespaces" in what else ()), *(LANDLOCK if "landlock" in what else ()))
    code = [(seccomp._LOAD, 0, 0, seccomp._NR)]
    for number in calls:
        code += [(seccomp._JEQ, 0, 1, number), seccomp._REFUSE]
    if "namespaces" in what:
        code += [(seccomp._JEQ, 0, 1, seccomp._CLONE3), (seccomp._RET, 0, 0, seccomp._ERRNO | seccomp._ENOSYS)]
        flags = [(seccomp._LOAD, 0, 0, seccomp._ARG0), (seccomp._JSET, 0, 1, seccomp._NEW_NAMESPACES), seccomp._REFUSE]
        code += seccomp._of(seccomp._CLONE, flags)
    code.append((seccomp._RET, 0, 0, seccomp._ALLOW))
    return b"".join(struct.pack("=HBBI", *step) for step in code)


if __name__ == "__main__":
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.install_filter(program(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
