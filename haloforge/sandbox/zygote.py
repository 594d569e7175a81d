"""A small process that makes boxes by cloning itself: interpreter started and root built once, not per sample.

Serves one owner and one box at a time, over a socket: a request with the box's descriptors, answered by its pid or the
reason why there is none; limits for its next runs; and ENDED when nothing of it lives any more. Ends with its owner,
however that ends.
"""

from __future__ import annotations

import _socket
import gc
import marshal
import os
import resource
import select
import sys
from _signal import SIG_IGN, SIG_SETMASK, SIGINT, SIGKILL, pthread_sigmask, signal

from haloforge.sandbox import calls, confine, init, kernel, roots, scratch
from haloforge.sandbox.protocol import ENDED, KILL, MOST_WORDS, NS, UP

TYPE_CHECKING = False  # importing typing would make every clone larger
if TYPE_CHECKING:
    from typing import NoReturn

_MOST_FDS = 6
_NEW = kernel.NEWPID | kernel.NEWNS | kernel.NEWIPC


def main() -> NoReturn:
    """argv: descriptor of the socket, which first brings pid of the owner, level, folder for boxes without namespaces,
    folders to show, and modules and packages to hold, or None."""
    sock = _socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(sock.fileno(), False)
    owner_pid, level, folder, shown, held = marshal.loads(sock.recv(MOST_WORDS))
    os.umask(0o022)
    pthread_sigmask(SIG_SETMASK, ())
    signal(SIGINT, SIG_IGN)
    root = os.geteuid() == 0
    try:
        owner = os.pidfd_open(owner_pid)
        if os.getppid() != owner_pid:
            os._exit(0)
        if held:
            calls.hold(*held)
        if level == NS:
            roots.enter_namespaces(root)
            roots.build(shown, root)
        else:
            confine.check(level)
            kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        template = init.Template(level, folder, shown, os.pidfd_open(os.getpid()))
        if held:
            os.environ.clear()
            os.environ.update(template.env, **calls.ONE_THREAD)
        gc.disable()
        gc.freeze()  # a collection in a child would copy every page
        sock.send(UP)
        while request := _request(sock, owner):
            _serve(sock, owner, template, *request)
    except OSError as e:
        try:  # noqa: SIM105
            sock.send(f"{e.filename or 'start'}: {e.strerror}".encode())
        except OSError:
            pass  # the owner is gone
    if folder:
        scratch.empty(folder)
        os.rmdir(folder)
    os._exit(0)


def _request(sock: _socket.socket, owner: int) -> tuple[tuple[int, int, int], list[int]] | None:
    """(uid, bytes and inodes of the disk) and the descriptors of the next box; None when the owner is gone."""
    while True:
        ready = _wait(sock.fileno(), owner)
        if owner in ready:
            return None
        data, ancillary, _, _ = sock.recvmsg(1 << 12, _socket.CMSG_SPACE(_MOST_FDS * 4), _socket.MSG_CMSG_CLOEXEC)
        if not data:
            return None
        fds = [fd for _, _, raw in ancillary for fd in memoryview(raw).cast("i")]
        if fds:  # else it came too late for the box that it was meant for
            return marshal.loads(data), fds


def _serve(
    sock: _socket.socket, owner: int, template: init.Template, wanted: tuple[int, int, int], fds: list[int]
) -> None:
    """One box from its clone to its end."""
    if template.spawn and template.root:
        # Our real user id becomes the box's (the effective one stays), which is what allows us to set its limits.
        os.setresgid(wanted[0], -1, -1)
        os.setresuid(wanted[0], -1, -1)
    try:
        pid = kernel.clone(_NEW if template.level == NS else 0)
    except OSError as e:
        for fd in fds:
            os.close(fd)
        sock.send(f"cannot clone a box: {e.strerror}".encode())
        return
    if pid == 0:
        sock.close()
        os.close(owner)
        init.main(template, wanted, fds)
    for fd in fds:
        os.close(fd)
    sock.send(b"%d" % pid)
    child = os.pidfd_open(pid)
    while child not in (ready := _wait(child, sock.fileno(), owner)):
        message = b"" if owner in ready else sock.recv(1 << 12)
        if message in (KILL, b""):
            os.kill(pid, SIGKILL)
            _wait(child)
        elif answer := _limit(pid, marshal.loads(message)):
            sock.send(answer)
    os.close(child)
    os.waitpid(pid, 0)
    if template.level != NS:
        scratch.end_children()
        scratch.empty(template.folder)
    sock.send(ENDED)


def _limit(pid: int, rlimits: list[tuple[int, int]]) -> bytes:
    """Set soft limits on the box's process 1, which runs inherit and the seccomp filter lets nobody raise."""
    try:
        for what, most in rlimits:
            ceiling = resource.prlimit(pid, what)[1]
            resource.prlimit(pid, what, (most if ceiling < 0 else min(most, ceiling), ceiling))
    except ProcessLookupError:
        return b""  # it has just ended, which will be told
    except OSError as e:
        return f"cannot set a limit: {e.strerror}".encode()
    return UP


def _wait(*fds: int) -> list[int]:
    poller = select.poll()
    for fd in fds:
        poller.register(fd, select.POLLIN)
    return [fd for fd, _ in poller.poll()]
