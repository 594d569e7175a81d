"""A stand-in for a Windows machine with MSVC: a real OpenSSH server on 127.0.0.1, and `cl`, `cmd` and `taskkill` in it.

`python windows_host.py HOME` is what that server runs for each session. It knows only commands made of plain words,
as they mean the same in cmd and PowerShell, and refuses any other: so a sample's text in a command line is noticed.
`cl` is x86_64-w64-mingw32-g++ whose words are put into cl's form; programs that are run are built by g++ besides,
since nothing here runs Windows' own.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PLAIN = re.compile(r"[\w .:/\\+=-]+", re.ASCII)
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin") or ""
SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")


@dataclass(frozen=True)
class WindowsHost:
    folder: Path
    """Keys, the server's log, and `home`, the folder in which sessions begin."""
    port: int
    pid: int

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def arguments(self) -> dict[str, object]:
        """Of a verifier that uses it."""
        return {
            "host": "127.0.0.1",
            "user": pwd.getpwuid(os.geteuid()).pw_name,
            "ssh_key": str(self.folder / "key"),
            "port": self.port,
            "known_hosts": str(self.folder / "known_hosts"),
        }

    def commands(self) -> list[str]:
        """All that sessions were asked to run, in their order."""
        log = self.folder / "commands"
        return log.read_text().splitlines() if log.exists() else []

    def logins(self) -> int:
        return (self.folder / "log").read_text(errors="replace").count("Accepted publickey")

    def fault(self, what: str) -> None:
        """Let cl fail from now on: absent | environment | hangs; "": no more."""
        (self.folder / "fault").write_text(what)

    def left(self) -> list[str]:
        """What lies in the home."""
        return sorted(path.name for path in self.home.iterdir())


def why_not() -> str:
    """Why there can be none here; "" where there can."""
    if not SSHD:
        return "sshd is absent (openssh-server)"
    if not any(map(os.path.exists, SFTP_SERVERS)):
        return "sftp-server is absent (openssh-sftp-server)"
    absent = [tool for tool in ("ssh", "sftp", "ssh-keygen", "x86_64-w64-mingw32-g++", "g++") if not shutil.which(tool)]
    return f"{', '.join(absent)} is absent" if absent else ""


@contextmanager
def windows_host(folder: Path) -> Iterator[WindowsHost]:
    """Keys of its own, a free port; gone with everything in it at the end."""
    (folder / "home").mkdir(parents=True)
    for name in ("key", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "authorized").write_text((folder / "key.pub").read_text())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kind, key, *_ = (folder / "host_key.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    server = next(path for path in SFTP_SERVERS if os.path.exists(path))
    settings = {
        "ListenAddress": "127.0.0.1", "Port": port, "HostKey": folder / "host_key", "PidFile": "none",
        "AuthorizedKeysFile": folder / "authorized", "StrictModes": "no", "UsePAM": "no",
        "PasswordAuthentication": "no", "KbdInteractiveAuthentication": "no", "PermitRootLogin": "yes",
        "Subsystem": f"sftp {server}", "ForceCommand": f"{sys.executable} {__file__} {folder}", "LogLevel": "INFO",
    }  # fmt: skip
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd shuts itself in before anybody is known
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stdout=log, stderr=log)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield WindowsHost(folder, port, process.pid)
    finally:
        process.terminate()
        process.wait(10)
        subprocess.run(["pkill", "-KILL", "-f", f"^{folder}/home/"], check=False)  # what a failed test left running


def session(folder: Path, command: str) -> int:
    """One session: what a Windows machine would do with that command."""
    os.chdir(folder / "home")
    if command in SFTP_SERVERS:
        os.execv(command, [command])
    with (folder / "commands").open("a") as log:
        log.write(command + "\n")
    if not PLAIN.fullmatch(command):
        print(f"refused: {command!r} has more than plain words", file=sys.stderr)
        return 1
    program, *words = command.split(" ")
    if program == "cl":
        return cl(folder, words)
    if program == "taskkill":  # /f /im NAME
        return subprocess.run(["pkill", "-KILL", "-f", f"^/.*/{re.escape(words[2])}$"], check=False).returncode
    assert (program, words[0]) == ("cmd", "/c"), command
    if words[1] == "ver":
        return 0
    if words[1] == "rmdir":  # /s /q FOLDER
        assert words[2:4] == ["/s", "/q"], command
        try:
            shutil.rmtree(words[4])
        except OSError as e:
            print(e, file=sys.stderr)
            return 2
        return 0
    file = Path(words[1].replace("\\", "/")).absolute()
    return subprocess.run([file], check=False).returncode & 0xFF


def cl(folder: Path, words: list[str]) -> int:
    """The compiler, as far as the verifier asks for it, in cl's words."""
    fault = (folder / "fault").read_text() if (folder / "fault").exists() else ""
    if fault == "absent":
        print("'cl' is not recognized as an internal or external command,", file=sys.stderr)
        return 1
    if fault == "hangs":
        time.sleep(10)
    assert words[:5] == ["/nologo", "/EHsc", "/O2", "/MT", "/W3"], words
    source = next(word for word in words if not word.startswith(("/", "-")) and word.endswith((".c", ".cpp")))
    given = {word[:3]: word[3:] for word in words}
    print(Path(source).name)
    if fault == "environment":
        print(f"{source}(1): fatal error C1034: cstdio: no include path set")
        return 2
    windows = "x86_64-w64-mingw32-gcc" if source.endswith(".c") else "x86_64-w64-mingw32-g++"
    if "/Zs" in given:
        how = ["-fsyntax-only"]
    elif "/c" in given:
        how = ["-c", "-o", given["/Fo"]]
    else:
        how = ["-o", given["/Fe"]]
    done = subprocess.run([windows, "-Wall", *how, source], capture_output=True, text=True, check=False)
    for line in done.stderr.splitlines():
        if found := re.match(r"(.*?):(\d+):(?:\d+:)? (fatal error|error|warning): (.*)", line):
            code = {"fatal error": "C1083", "error": "C2065", "warning": "C4101"}[found[3]]
            print(f"{found[1]}({found[2]}): {found[3]} {code}: {found[4]}")
        elif "undefined reference" in line:
            entry = "WinMain" in line
            print("LINK : fatal error LNK1561: entry point must be defined" if entry
                  else f"main.obj : error LNK2019: unresolved external symbol {line.rpartition(' ')[2]}")  # fmt: skip
    if done.returncode == 0 and "/Fe" in given:
        native = windows.rpartition("-")[2]
        subprocess.run([native, "-w", "-o", given["/Fe"], source], check=False, capture_output=True)
    return 2 if done.returncode else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(session(Path(sys.argv[1]), os.environ["SSH_ORIGINAL_COMMAND"]))
