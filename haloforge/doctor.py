"""`haloforge doctor`: how strong the sandbox is on this node, what a better one lacks, what this one does not hold.

The level is found by running attacks (`haloforge.sandbox.level`), as in a run; settings are read only to explain it.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from haloforge import sandbox
from haloforge.errors import EXIT_BAD_INPUT, EXIT_DONE, MissingTool

_EVERYWHERE = (
    "kernel exploits: the kernel is shared; give samples that may be malicious a virtual machine per node",
    "side channels between processes on the same cores",
)
_NOT_HELD = {
    sandbox.NS: (
        *_EVERYWHERE,
        "CPU time of children that nobody waits for and that live for less than 20 ms; the wall limit ends them",
    ),
    sandbox.LANDLOCK: (
        *_EVERYWHERE,
        "names, sizes and modes of host files can be asked for (not their content), and running process ids",
        "the size of the box's folder is polled every 20 ms, so it can be overshot for a moment",
        "/proc, sockets of all kinds, chmod (as an ordinary user) are refused, also to honest programs",
        "as an ordinary user the limit on processes is shared with the user's other processes",
        "where box, zygote and owner are killed all at once, the sample's processes stay",
    ),
    sandbox.RLIMITS: ("everything but CPU time, memory, output and the network: samples read and write host files",),
}


def doctor() -> None:
    """Say how strong the sandbox is on this node, and which setting a better one lacks. Exit code 2: none holds."""
    who = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    print(f"node      {platform.node()}, Linux {platform.release()}, {platform.machine()}, as {who}")
    try:
        level = sandbox.level()
    except MissingTool as e:
        print(f"level     none: runs are refused here\nwhy       {e}")
        level = ""
    else:
        print(f"level     {level} (every canary attack was stopped)")
        for note in sandbox.notes(level):
            print(f"note      {note}")
    if level != sandbox.NS:
        for line in missing_for_ns():
            print(f"missing   {line}")
    if not level:
        for line in missing_for_landlock():
            print(f"missing   {line}")
    for line in _NOT_HELD.get(level, ()):
        print(f"not held  {line}")
    raise typer.Exit(EXIT_DONE if level else EXIT_BAD_INPUT)


def missing_for_ns() -> list[str]:
    """Settings of this node that speak against level ns, each with what to change."""
    rights = _needs_admin() if os.geteuid() == 0 else _needs_user_namespaces()
    found = [*rights, *_needs_everywhere()]
    return found or ["no setting that this command knows; the reason above names the call that was refused"]


def missing_for_landlock() -> list[str]:
    found = []
    abi = landlock_abi()
    if abi == 0:
        found.append("Landlock: off in this kernel (boot with lsm=landlock,…) or refused by the container's seccomp")
    elif abi < 6:
        found.append(f"Landlock ABI 6: this kernel has {abi}; Linux 6.12 has it")
    return found


def _needs_admin() -> Iterator[str]:
    if not int(_status("CapEff") or "0", 16) >> 21 & 1:
        yield (
            "CAP_SYS_ADMIN: root here is a container's; start it with --cap-add SYS_ADMIN "
            "--security-opt seccomp=unconfined, or run as an ordinary user where user namespaces are allowed"
        )


def _needs_user_namespaces() -> Iterator[str]:
    tests: tuple[tuple[str, Callable[[str], bool], str], ...] = (
        ("/proc/sys/user/max_user_namespaces", lambda v: v == "0", "sysctl user.max_user_namespaces=15000"),
        ("/proc/sys/kernel/unprivileged_userns_clone", lambda v: v == "0", "sysctl kernel.unprivileged_userns_clone=1"),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            lambda v: v == "1",
            "AppArmor restricts user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns=0, "
            "or a profile with `userns,` for this Python",
        ),
    )
    for path, refuses, remedy in tests:
        value = _read(path)
        if value is not None and refuses(value):
            yield f"user namespaces: {path} is {value}; {remedy}"
    if not os.path.exists("/proc/self/ns/user"):
        yield "user namespaces: this kernel was built without them (CONFIG_USER_NS)"


def _needs_everywhere() -> Iterator[str]:
    if _status("Seccomp") == "2":
        yield (
            "a seccomp profile is in force (a container's?), and the usual ones refuse namespaces and mounts: "
            "--security-opt seccomp=unconfined, in Kubernetes seccompProfile: Unconfined"
        )
    masked = masked_proc()
    if masked:
        yield (
            f"a whole /proc: the container masks {', '.join(masked[:3])}{' …' if len(masked) > 3 else ''}, and as an "
            "ordinary user a new /proc is then refused: --security-opt systempaths=unconfined, in Kubernetes "
            "procMount: Unmasked"
        )
    if (profile := _read("/proc/self/attr/current")) and profile not in ("unconfined", "kernel"):
        yield f"a security profile is in force ({profile}); where it denies mounts: --security-opt apparmor=unconfined"
    if _release() < (5, 12):
        yield f"Linux 5.12 (mount_setattr): this is {platform.release()}"


def masked_proc() -> list[str]:
    """Mounts that lie over parts of /proc."""
    return [point for line in (_read("/proc/self/mountinfo") or "").splitlines()
            if (point := line.split()[4]).startswith("/proc/")]  # fmt: skip


def landlock_abi() -> int:
    from haloforge.sandbox import kernel

    return kernel.landlock_abi()


def _release() -> tuple[int, int]:
    major, minor = platform.release().split(".")[:2]
    return int(major), int("".join(ch for ch in minor if ch.isdigit()) or 0)


def _status(field: str) -> str | None:
    lines = (_read("/proc/self/status") or "").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{field}:")), None)


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(errors="replace").strip("\0\n ")
    except OSError:
        return None
