"""`msvc`: C and C++ by Microsoft's cl on a Windows machine, over ssh.

The system's own OpenSSH client does the talking: it knows the user's ssh config, agents, jump hosts and host keys, and
keeps one connection for all samples (ControlMaster). A sample crosses as a file, over SFTP; no command line that the
other machine sees has a word of it. That machine is no sandbox: with `run` it runs the sample as the ssh user.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from haloforge import records as r
from haloforge.errors import BadInput, MissingTool, SandboxFault
from haloforge.records import Prompt, VerifyResult
from haloforge.source.assemble import SOURCES, Program, assemble
from haloforge.source.detect import known_language
from haloforge.source.extract import foreign_fences
from haloforge.tasks import compare
from haloforge.verifiers import rewards
from haloforge.verifiers.base import Verifier, printable, wall_limit_s
from haloforge.verifiers.languages.gnu import has_main
from haloforge.verifiers.rewards import RewardLevel

LANGUAGES = ("c", "cpp", "cpp-windows")
FLAGS = ("/nologo", "/EHsc", "/O2", "/MT", "/W3")
CONNECT_S, TRANSFER_S = 10, 30
"""Seconds by the clock for a connection, and for a file or a removal."""
IDLE_S = 60
"""Seconds after which a connection that nobody uses ends by itself, also when we were killed."""
MOST_SAID = 1 << 20
MOST_PRINTED = 16 << 20
"""Bytes that cl and a program may say."""
GOOD_S = 60
"""Seconds for which cl is believed to work after it has compiled the smallest program."""
STALE_S = 24 * 3600
"""Age of a folder that another machine made and nobody can still use."""
_WORD = re.compile(r"[/-]?[\w.:+=-]+", re.ASCII)
_SAID = re.compile(r"(?P<kind>(?:fatal )?error|warning) (?P<code>(?:C|LNK|D|CVT|RC)\d{4})\s*:", re.ASCII)
"""cl's and link's words, in whatever language the rest of the line is."""
_BLAMES_THE_TOOLCHAIN = re.compile(r"(?:C1034|C1083|C1902|C1510|C2859|LNK1101|LNK1104|LNK1158|LNK1171|LNK1181|D\d{4})$")
"""Codes that also come from an environment that is not set up."""
_SMALLEST = "#include <cstdio>\nint main() { return 0; }\n"
_OURS = re.compile(r"haloforge-(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-(?P<started>\d+)-(?P<made>\d+)-\d+")
_numbers = itertools.count()


class SshFault(SandboxFault):
    """The connection or the other machine failed, not the sample."""


@dataclass
class _Said:
    """What one command ended with."""

    code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False
    too_much: bool = False


@dataclass
class _Trial:
    task: Prompt
    program: Program
    language: str
    folder: str = ""
    status: str = ""
    details: str = ""
    error: str | None = None
    passed: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)

    def end(self, status: str, details: str, error: str | None = None) -> None:
        self.status, self.details, self.error = status, details, error


class RemoteMSVCVerifier(Verifier):
    """Compiles with `cl /nologo /EHsc /O2 /MT /W3`; runs stdin/stdout cases only with `run`."""

    name = "msvc"

    def __init__(
        self,
        host: str = "",
        user: str = "",
        ssh_key: str | None = None,
        port: int = 22,
        *,
        max_workers: int = 8,
        known_hosts: str | None = None,
        run: bool = False,
        run_after_compile: bool = False,
        check_only: bool = False,
        warnings: Literal["ignore", "penalise"] = "ignore",
        timeout: float = 60.0,
        flags: Sequence[str] = (),
        setup: str = "",
        **common: Any,
    ) -> None:
        """
        Args:
            host: name or address of the Windows machine, or a name of the user's ssh config.
            user: there; "": as ssh's config says.
            ssh_key: private key file on each verifier's node, without a passphrase or in an agent; None: ssh's own.
            known_hosts: file with the machine's host key; None: ssh's own (~/.ssh/known_hosts).
            run: also run programs there, as that user, without a sandbox: for machines that may be lost.
            run_after_compile: another name of `run`.
            check_only: cl only parses (/Zs).
            warnings: "ignore", or "penalise".
            timeout: seconds by the clock for cl.
            flags: more of cl's flags, such as /std:c++20, or libraries.
            setup: text in front of cl, for the remote shell, such as `call C:\\path\\vcvars64.bat >nul &&`.
            common: see Verifier.

        Raises:
            BadInput: a name, port, flag or combination that cannot be.
        """
        super().__init__(max_workers, **common)
        if not re.fullmatch(r"\w[\w.:%-]*", host, re.ASCII):
            raise BadInput(f"verifier msvc: host is {host!r}; wanted is a name or address (verifier.args.host, --host)")
        if user and not re.fullmatch(r"\w[\w.@\\-]*", user):
            raise BadInput(f"verifier msvc: user is {user!r}; wanted is a user's name (verifier.args.user, --user)")
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
            raise BadInput(f"verifier msvc: port is {port!r}; wanted is a number from 1 to 65535")
        if isinstance(flags, str) or not all(isinstance(flag, str) and _WORD.fullmatch(flag) for flag in flags):
            raise BadInput(f"verifier msvc: flags is {flags!r}; wanted is a list of single words such as /std:c++20")
        if warnings not in ("ignore", "penalise"):
            raise BadInput(f"warnings is {warnings!r}; wanted is ignore or penalise")
        if not isinstance(timeout, int | float) or not 0 < timeout < float("inf"):
            raise BadInput(f"verifier msvc: timeout is {timeout!r}; wanted is a number of seconds above 0")
        self.run_programs = run or run_after_compile
        if check_only and self.run_programs:
            raise BadInput("check_only runs nothing, so run has no effect; leave one of them out")
        self.max_workers = min(self.max_workers, 8)  # sshd allows ten sessions per connection
        self.host, self.user, self.port = host, user, port
        self.ssh_key = os.path.expanduser(ssh_key) if ssh_key else None
        self.known_hosts = os.path.expanduser(known_hosts) if known_hosts else None
        self.check_only, self.warn = check_only, warnings == "penalise"
        self.timeout, self.flags, self.setup = timeout, tuple(flags), tuple(filter(None, [setup.strip()]))
        self._connecting = threading.Lock()
        self._scratch: Path | None = None
        self._socket: Path | None = None
        self._good_at = float("-inf")
        self._left: set[str] = set()
        """Folders there that could not be removed yet."""

    @property
    def level(self) -> str:
        return "remote"

    def check(self, prompts: Sequence[Prompt]) -> None:
        for prompt in prompts:
            if reason := self._refusal(prompt):
                raise BadInput(f"verifier msvc cannot judge prompt {prompt.id!r}, which has {reason}")
            self.required_tools(prompt.language or "any")

    def _refusal(self, task: Prompt) -> str:
        if task.tests_kind not in ("stdio", "compile_only"):
            return f"tests_kind {task.tests_kind}"
        if task.checker:
            return "a checker"
        if task.has_checks and not self.run_programs:
            return (
                f"test cases: it only compiles, unless verifier.args has run: true (as {self.user or 'the user'} there)"
            )
        reasons = (compare.unusable(case.expected_stdout, self._rule(task)) for case in task.cases)
        return next((f"cases whose {reason}" for reason in reasons if reason), "") or (
            "a regular expression to compare with" if task.cases and self._rule(task).kind == "regex" else ""
        )

    @staticmethod
    def _rule(task: Prompt) -> compare.Rule:
        return compare.rule(task.compare, task.validator_flags)

    def required_tools(self, language: str) -> tuple[str, ...]:
        if language != "any" and known_language(language) not in LANGUAGES:
            raise BadInput(f"verifier msvc cannot judge {language}; it knows {', '.join(LANGUAGES)}")
        paths = [shutil.which(tool) for tool in ("ssh", "sftp")]
        if None in paths:
            raise MissingTool("the verifier msvc needs ssh and sftp, absent on this node; install openssh-client there")
        return tuple(path for path in paths if path)

    def prepare(self, languages: Sequence[str] = ()) -> str:
        """See Verifier.prepare; connects, and has the smallest program compiled."""
        for language in languages or ("cpp",):
            self.required_tools(language)
        for what, file in (("ssh_key", self.ssh_key), ("known_hosts", self.known_hosts)):
            if file and not (os.path.isfile(file) and os.access(file, os.R_OK)):
                raise MissingTool(f"verifier msvc: {what} {file} is not a file that can be read on this node")
        try:
            self._check_toolchain()
        except SshFault as e:
            raise MissingTool(f"verifier msvc: {e}") from e
        return self.level

    def judge(self, code: str, task: Prompt | None, as_it_stands: bool) -> VerifyResult:
        task = task or Prompt(id="", text="")
        program = assemble(code, task, as_it_stands=as_it_stands)
        named = task.names_language
        foreign = "" if as_it_stands else foreign_fences(code, LANGUAGES)
        language = program.language if program.language in LANGUAGES else "cpp"  # a guess is no reason not to judge
        trial = _Trial(task, program, language)
        trial.metadata |= {"language": language, "compiler": "cl", "host": self.host}
        if not program.code.strip():
            trial.end(r.NO_CODE, "the answer has no code")
        elif named and known_language(task.language) not in LANGUAGES:
            trial.end(r.UNKNOWN, f"verifier msvc cannot judge {task.language}; it knows {', '.join(LANGUAGES)}")
        elif foreign and named:
            trial.end(r.NO_CODE, f"the answer has code in {foreign} only; wanted is {language}")
        elif foreign:
            trial.end(r.UNKNOWN, f"verifier msvc cannot judge {foreign}; it knows {', '.join(LANGUAGES)}")
        elif reason := self._refusal(task):
            trial.end(r.UNKNOWN, f"verifier msvc has no way to run {reason}")
        else:
            self._compile_and_run(trial)
        return self._result(trial)

    def _compile_and_run(self, trial: _Trial, again: bool = False) -> None:
        trial.folder = self._put({SOURCES[trial.language]: trial.program.code})
        try:
            linked = has_main(trial.program.code)
            said = self._cl(trial.folder, SOURCES[trial.language], linked)
            lines = self._lines(said, trial.folder)
            errors = [line for line, kind, _ in lines if "error" in kind]
            warned = [line for line, kind, _ in lines if kind == "warning"]
            if said.timed_out:
                trial.end(r.COMPILE_ERROR, f"the compiler took more than {self.timeout:g} s")
                trial.metadata["ended_by"] = "wall_limit"
            elif said.code != 0 and not errors:
                raise SshFault(f"cl does not work on {self.host}: {_shown(said) or f'exit code {said.code}'}; {_SETUP}")
            elif said.code != 0:
                trial.end(r.COMPILE_ERROR, "does not compile", printable("\n".join(errors)))
            else:
                trial.metadata["warnings"] = bool(warned) and self.warn
                trial.error = printable("\n".join(warned)) if warned and self.warn else None
                self._after_build(trial, linked)
        finally:
            self._remove(trial.folder)
        if trial.status != r.COMPILE_ERROR or again:
            return
        blamed = any(_BLAMES_THE_TOOLCHAIN.match(code) for _, kind, code in lines if "error" in kind)
        if said.timed_out or (blamed and time.monotonic() - self._good_at > GOOD_S):
            self._check_toolchain()  # it works, so it was the sample, or a fault that has passed
            self._compile_and_run(trial, again=True)

    def _after_build(self, trial: _Trial, linked: bool) -> None:
        task = trial.task
        if self.check_only:
            trial.metadata["check_only"] = True
            trial.end(r.COMPILED, "types checked only: neither built nor run", trial.error)
        elif not self.run_programs:
            trial.end(r.COMPILED, "built by cl", trial.error)
        elif not linked and task.has_checks:
            trial.end(r.RUNTIME_ERROR, "the code has no main, so no case could be run")
        elif not task.has_checks:
            trial.end(r.COMPILED, "built by cl", trial.error)
            if linked:
                status, details, _ = self._run(trial, b"")
                trial.end(status or r.COMPILED, details or "built by cl, and ran to a good end", trial.error)
                trial.metadata["ran"] = not status
        else:
            self._run_cases(trial)

    def _run_cases(self, trial: _Trial) -> None:
        count = len(trial.task.cases)
        for number, case in enumerate(trial.task.cases, start=1):
            status, details, stdout = self._run(trial, case.stdin.encode("utf-8", "surrogateescape"))
            if not status and not compare.matches(case.expected_stdout, stdout, self._rule(trial.task)):
                status = r.WRONG_ANSWER
                details = f"printed {printable(stdout, 60)!r}, expected {printable(case.expected_stdout, 60)!r}"
            if not status:
                trial.passed += 1
            elif not trial.status:
                trial.end(status, f"case {number} of {count}: {details}")
            if status == r.TIMEOUT:
                break
        if not trial.status:
            trial.end(r.PASSED, f"{trial.passed} of {count} cases")

    def _run(self, trial: _Trial, stdin: bytes) -> tuple[str, str, bytes]:
        """One run there: its failing status ("" where it ended well), what to say of it, its stdout."""
        limit_s = wall_limit_s(trial.task.time_limit_s or self.cpu_s)
        for _ in range(2):  # by the clock, so a time-out gets a second look
            said = self._there(f"cmd /c {trial.folder}\\{trial.folder}.exe", limit_s, stdin, MOST_PRINTED)
            if said.timed_out or said.too_much:
                self._there(f"taskkill /f /im {trial.folder}.exe", TRANSFER_S)
            if not said.timed_out:
                break
        stdout = said.stdout.replace(b"\r\n", b"\n")
        if said.timed_out:
            trial.metadata["ended_by"] = "wall_limit"
            return r.TIMEOUT, f"did not end within {limit_s:g} s by the clock", stdout
        if said.too_much:
            return r.OUTPUT_LIMIT, f"wrote more than {MOST_PRINTED >> 20} MB", stdout
        if said.code:
            # ssh hands on the lowest byte of Windows' exit codes: 5 is also an access violation.
            more = f": {printable(said.stderr, 100)}" if said.stderr.strip() else ""
            return r.RUNTIME_ERROR, f"ended with exit code {said.code} (mod 256){more}", stdout
        return "", "", stdout

    def _result(self, trial: _Trial) -> VerifyResult:
        total = len(trial.task.cases) if self.run_programs else 0
        reward = rewards.gcc(trial.status, trial.passed, total)
        if trial.status == r.COMPILED and trial.metadata.get("warnings"):
            reward = RewardLevel.COMPILE_WARNINGS.value
        elif trial.status == r.COMPILED and trial.metadata.get("ran"):
            reward = RewardLevel.RUNS_NO_CRASH.value
        return VerifyResult(
            success=trial.status in (r.PASSED, r.COMPILED),
            reward=reward,
            details=trial.details,
            error=trial.error,
            metadata=trial.metadata,
            status=trial.status,
            passed=trial.passed,
            total=total,
            level=self.level if trial.folder else "",
            trust="remote" if trial.folder else "",
            code=trial.program.code,
        )

    # What happens on the other machine. Every word of a command is ours: it means the same in cmd and in PowerShell.

    def _check_toolchain(self) -> None:
        """Raises SshFault where the smallest program does not compile there."""
        folder = self._put({"main.cpp": _SMALLEST})
        try:
            said = self._cl(folder, "main.cpp", True)
        finally:
            self._remove(folder)
        if said.timed_out:
            raise SshFault(f"cl on {self.host} took more than {self.timeout:g} s for the smallest program")
        if said.code:
            raise SshFault(f"cl does not work on {self.host}: {_shown(said) or f'exit code {said.code}'}; {_SETUP}")
        self._good_at = time.monotonic()

    def _cl(self, folder: str, source: str, linked: bool) -> _Said:
        kind = ["/Zs"] if self.check_only else [f"/Fo{folder}/main.obj"]
        kind += [f"/Fe{folder}/{folder}.exe"] if linked and not self.check_only else []
        kind += ["/c"] if not linked and not self.check_only else []
        return self._there(
            " ".join([*self.setup, "cl", *FLAGS, *kind, f"{folder}/{source}", *self.flags]), self.timeout
        )

    @staticmethod
    def _lines(said: _Said, folder: str) -> list[tuple[str, str, str]]:
        """(line, kind, code) of what cl and link complain of; our folder's name is left out."""
        text = (
            (said.stdout + said.stderr).decode("utf-8", "replace").replace(f"{folder}/", "").replace(f"{folder}\\", "")
        )
        found = ((line.strip(), _SAID.search(line)) for line in text.replace(folder, "main").splitlines())
        return [(line, match["kind"], match["code"]) for line, match in found if match]

    def _put(self, files: dict[str, str]) -> str:
        """Make a folder there with `files`; returns its name."""
        self._connected()
        assert self._scratch is not None
        for name in tuple(self._left):
            self._remove(name)
        folder = f"haloforge-{_machine()}-{os.getpid()}-{_started('self')}-{int(time.time())}-{next(_numbers)}"
        with tempfile.TemporaryDirectory(dir=self._scratch) as here:
            for name, text in files.items():
                (Path(here) / name).write_bytes(text.encode("utf-8", "replace"))
            puts = "".join(f"put {name} {folder}/{name}\n" for name in files)
            try:
                self._sftp(f"mkdir {folder}\n{puts}", here)
            except SshFault:
                self._left.add(folder)
                raise
        return folder

    def _remove(self, folder: str) -> None:
        """Or remember to; nothing is raised."""
        self._left.add(folder)
        with contextlib.suppress(SshFault):
            said = self._there(f"cmd /c rmdir /s /q {folder}", TRANSFER_S)
            if not said.code and not said.stderr.strip():
                self._left.discard(folder)

    def _sftp(self, batch: str, here: str | Path) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        said = _captured(["sftp", "-q", *self._options(), "-b", "-", host], batch.encode(), TRANSFER_S, MOST_SAID, here)
        if said.code or said.timed_out:
            self._lost()
            raise SshFault(f"sftp to {self.host}: {_shown(said) or 'no answer'}")
        return said.stdout.decode("utf-8", "replace")

    def _there(self, command: str, limit_s: float, stdin: bytes = b"", most: int = MOST_SAID) -> _Said:
        """Run a command on the other machine. Raises SshFault where the connection fails."""
        said = _captured(["ssh", *self._options(), "-T", self.host, command], stdin, limit_s, most)
        # 255 is ssh's own word for a fault, but a program may end with it too.
        if said.code == 255 and not said.too_much and not self._alive():
            self._lost()
            raise SshFault(f"the connection to {self.host} broke: {_shown(said) or 'without a word'}")
        return said

    def _options(self, master: bool = False) -> list[str]:
        settings = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "ConnectTimeout": CONNECT_S,
            "ServerAliveInterval": 5,
            "ServerAliveCountMax": 3,
            "ForwardAgent": "no",
            "ForwardX11": "no",
            "ClearAllForwardings": "yes",
            "PermitLocalCommand": "no",
            "LogLevel": "ERROR",
            "Port": self.port,
            "ControlMaster": "yes" if master else "no",
            "ControlPath": self._socket,
            "ControlPersist": IDLE_S,
        }
        if self.user:
            settings["User"] = self.user
        if self.known_hosts:
            settings["UserKnownHostsFile"] = f'"{self.known_hosts}"'
        key = ["-i", self.ssh_key, "-o", "IdentitiesOnly=yes"] if self.ssh_key else []
        return [*key, *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]

    def _connected(self) -> None:
        """Have a connection. Raises SshFault. A new one removes what broken ones left there."""
        with self._connecting:
            if self._socket is not None and self._socket.exists():
                return
            if self._scratch is None:
                base = tempfile.gettempdir()
                base = base if len(base) < 50 else "/tmp"  # a socket's path has 107 bytes, and ssh adds 17
                self._scratch = Path(tempfile.mkdtemp(prefix="haloforge-ssh-", dir=base))
                self._ended = weakref.finalize(self, _end, self._scratch, self.host)
            for left in (2, 1, 0):
                self._socket = self._scratch / f"c{next(_numbers)}"
                # To a file: the connection goes on in the background and holds what it was given.
                with tempfile.TemporaryFile(dir=self._scratch) as words:
                    master = ["ssh", *self._options(master=True), "-N", self.host]
                    said = _waited(master, words, 2 * CONNECT_S)
                if said.code == 0:
                    break
                self._socket = None
                text = _shown(said) or f"no answer within {2 * CONNECT_S} s"
                final = re.search(r"Permission denied|[Hh]ost key|Bad configuration|Could not resolve", text)
                if final or not left:
                    as_user = f"{self.user}@{self.host}" if self.user else self.host
                    raise SshFault(f"ssh to {as_user}, port {self.port}: {text}; {self._remedy(text)}")
                time.sleep(random.uniform(0.2, 1.0))  # many verifiers at once: sshd refuses some
        names = self._sftp("ls -1\n", self._scratch).split()
        for name in names:
            if (found := _OURS.fullmatch(name.rpartition("/")[2])) and _stale(found):
                self._remove(found[0])

    def _remedy(self, text: str) -> str:
        if "Permission denied" in text:
            return f"give the key that it accepts (ssh_key is {self.ssh_key}) and the right user"
        if re.search(r"[Hh]ost key", text):
            file = self.known_hosts or "~/.ssh/known_hosts"
            return (
                f"compare its key with what `ssh-keyscan -p {self.port} {self.host}` says, and add that to {file} on "
                "every node that verifies"
            )
        return "see that the machine is up, and host and port are right"

    def _alive(self) -> bool:
        if self._socket is None or not self._socket.exists():
            return False
        argv = ["ssh", "-O", "check", "-o", f"ControlPath={self._socket}", self.host]
        if _captured(argv, b"", CONNECT_S, MOST_SAID).code:
            return False
        return not _captured(["ssh", *self._options(), "-T", self.host, "cmd /c ver"], b"", CONNECT_S, MOST_SAID).code

    def _lost(self) -> None:
        """The next sample makes a new connection."""
        if self._socket is not None:
            _exit(self._socket, self.host)
            self._socket.unlink(missing_ok=True)
            self._socket = None

    def cleanup(self) -> None:
        for name in tuple(self._left) if self._socket else ():
            self._remove(name)
        if self._scratch is not None:
            self._ended()
            self._scratch = self._socket = None


_SETUP = "make cl work in a plain ssh session there, or give verifier.args.setup (docs/VERIFIERS.md)"


def _end(scratch: Path, host: str) -> None:
    for path in scratch.glob("c*"):
        _exit(path, host)
    shutil.rmtree(scratch, ignore_errors=True)


def _exit(control: Path, host: str) -> None:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={control}", host], capture_output=True, timeout=5)


def _shown(said: _Said) -> str:
    return printable(said.stderr) or printable(said.stdout)


def _waited(argv: Sequence[str], words: IO[bytes], limit_s: float) -> _Said:
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=words, stderr=words, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return _Said(-1, b"", b"", timed_out=True)
    except OSError as e:
        raise SshFault(f"cannot start {argv[0]}: {e}") from e
    words.seek(0)
    return _Said(done.returncode, b"", words.read(MOST_SAID))


def _captured(argv: Sequence[str], stdin: bytes, limit_s: float, most: int, cwd: str | Path = "/") -> _Said:
    """Run a local command with bounds on what it says and takes. Raises SshFault where it cannot be started."""
    said = _Said(0, b"", b"")
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        try:
            process = subprocess.Popen(argv, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd)
        except OSError as e:
            raise SshFault(f"cannot start {argv[0]}: {e}") from e

    def read(name: str, pipe: IO[bytes]) -> None:
        with pipe:
            setattr(said, name, pipe.read(most))
            if pipe.read(1):
                said.too_much = True
                process.kill()

    streams = (("stdout", process.stdout), ("stderr", process.stderr))
    readers = [threading.Thread(target=read, args=stream, daemon=True) for stream in streams]
    for reader in readers:
        reader.start()
    try:
        said.code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        said.timed_out, said.code = True, -1
    for reader in readers:
        reader.join(5)
    return said


def _machine() -> str:
    """Names this machine, or this container of it: pids mean something inside only."""
    whole = f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    return hashlib.sha256(whole.encode()).hexdigest()[:8]


def _started(pid: str) -> str:
    """When the process began, in the kernel's clock; "" where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _stale(found: re.Match[str]) -> bool:
    """Whether nobody uses a folder there any more."""
    if found["machine"] == _machine():
        return _started(found["pid"]) != found["started"]
    return time.time() - int(found["made"]) > STALE_S
