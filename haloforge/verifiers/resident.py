"""mcs, kept running: mono takes three times as long to start it and to translate its code as it takes to compile.

It stands in a box of its own, without network, and sees what is compiled: a sample, its tests and our driver, whose
names and key are new for each build. It sees neither inputs nor expected outputs, and never runs what it compiled. Only
a program that it compiled counts: else the caller compiles the usual way, so what one sample does to it is no other
sample's `compile_error`.
"""

from __future__ import annotations

import queue
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from haloforge import sandbox
from haloforge.errors import MissingTool, SandboxFault
from haloforge.sandbox import MIB, Box, Limits
from haloforge.verifiers.toolchain import tool_path

INPUTS = 200
"""Programs after which a compiler is started anew."""
ANSWER_S = 5.0
"""Seconds by the clock for one program."""
MOST_BYTES = 16 * MIB
_ALWAYS = Limits(cpu_s=1e6, wall_s=1e6, memory_bytes=1024 * MIB, disk_bytes=64 * MIB, processes=64)
_FIRST_SLOT = 32
"""Boxes of samples have the numbers below, of up to so many workers and stages."""


@dataclass(frozen=True, slots=True)
class Compiled:
    name: str
    program: bytes
    """The assembly, and what the file is called."""
    cpu_s: float


class ResidentCompilers:
    """One per program that is compiled at the same time; safe to share between threads."""

    def __init__(self, level: str, slot: int = 0) -> None:
        """
        Args:
            level: of the sandbox.
            slot: the first number of the verifier's own boxes.
        """
        self._level = level
        self._numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(_FIRST_SLOT):
            self._numbers.put(_FIRST_SLOT + (slot + number) % _FIRST_SLOT)
        self._idle: queue.SimpleQueue[_Resident] = queue.SimpleQueue()

    def compile(self, arguments: Sequence[str], files: Mapping[str, str]) -> Compiled | None:
        """Run mcs with `arguments` on `files`; None where they don't compile, or anything else went wrong.

        Args:
            arguments: one of them is -out:FILE.
        """
        try:
            resident = self._idle.get_nowait()
        except queue.Empty:
            resident = _Resident(self._level, self._numbers.get())
        try:
            answer = resident.ask(arguments, files)
        except (SandboxFault, MissingTool):
            resident.end()
            self._numbers.put(resident.slot)
            return None
        self._idle.put(resident)
        return answer

    def close(self) -> None:
        """End those that are idle."""
        while not self._idle.empty():
            resident = self._idle.get()
            resident.end()
            self._numbers.put(resident.slot)


class _Resident:
    def __init__(self, level: str, slot: int) -> None:
        self.level, self.slot = level, slot
        self._box: Box | None = None
        self._asked = 0

    def ask(self, arguments: Sequence[str], files: Mapping[str, str]) -> Compiled | None:
        result = next(word for word in arguments if word.startswith("-out:")).removeprefix("-out:")
        if self._box is None or self._asked >= INPUTS:
            self._start()
        assert self._box is not None
        self._asked += 1
        fields = [str(len(arguments)), *arguments, result, *(part for item in files.items() for part in item)]
        answer = self._box.ask(b"".join(map(_field, fields)), ANSWER_S, MOST_BYTES)
        return Compiled(result, answer[4:], int.from_bytes(answer[:4], "big") / 1e6) if len(answer) > 4 else None

    def end(self) -> None:
        box, self._box = self._box, None
        if box is not None:
            box.close()

    def _start(self) -> None:
        self.end()
        box = sandbox.box({"server.exe": _server(self.level)}, _ALWAYS, level=self.level, slot=self.slot, talks=True)
        self._box, self._asked = box.__enter__(), 0
        box.start([tool_path("mono"), "server.exe", _mcs()], _ALWAYS)


def _field(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return len(data).to_bytes(4, "big") + data


@cache
def _mcs() -> str:
    """The assembly that the script `mcs` starts."""
    found = re.search(r"/\S+/mcs\.exe", Path(tool_path("mcs")).read_text(errors="replace"))
    if not found:
        raise MissingTool("mcs is not the script that starts mono's mcs.exe")
    return found[0]


@cache
def _server(level: str) -> bytes:
    """The program that asks mcs again and again, compiled."""
    with sandbox.box({"server.cs": _SERVER}, Limits(memory_bytes=1024 * MIB), level=level, slot=_FIRST_SLOT) as box:
        built = box.run([tool_path("mcs"), "-out:server.exe", "server.cs"])
        if not built.ok:
            raise SandboxFault(f"mcs does not compile its own server: {built.stderr[-200:].decode(errors='replace')}")
        return box.run(["/bin/cat", "server.exe"]).stdout


_SERVER = """using System;
using System.Diagnostics;
using System.IO;
using System.Reflection;
using System.Text;

static class Server
{
    static Stream input = Console.OpenStandardInput();

    static byte[] Bytes(Stream from, int count)
    {
        var data = new byte[count];
        for (int at = 0; at < count;)
        {
            int more = from.Read(data, at, count - at);
            if (more <= 0) Environment.Exit(0);
            at += more;
        }
        return data;
    }

    static int Number(Stream from)
    {
        var b = Bytes(from, 4);
        return b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
    }

    static string Text(Stream from) { return Encoding.UTF8.GetString(Bytes(from, Number(from))); }

    static void Put(Stream to, int n)
    {
        to.Write(new byte[] { (byte)(n >> 24), (byte)(n >> 16), (byte)(n >> 8), (byte)n }, 0, 4);
    }

    static void Main(string[] given)
    {
        var compile = Assembly.LoadFrom(given[0]).GetType("Mono.CSharp.CompilerCallableEntryPoint")
            .GetMethod("InvokeCompiler");
        var output = Console.OpenStandardOutput();
        Console.SetOut(TextWriter.Null);
        var self = Process.GetCurrentProcess();
        var spent = self.TotalProcessorTime;
        for (;;)
        {
            var message = new MemoryStream(Bytes(input, Number(input)));
            var arguments = new string[int.Parse(Text(message))];
            for (int i = 0; i < arguments.Length; i++) arguments[i] = Text(message);
            var result = Text(message);
            while (message.Position < message.Length)
            {
                var name = Text(message);
                var folder = Path.GetDirectoryName(name);
                if (folder != "") Directory.CreateDirectory(folder);
                File.WriteAllText(name, Text(message), new UTF8Encoding(false));
            }
            bool ok = (bool)compile.Invoke(null, new object[] { arguments, TextWriter.Null });
            var program = ok ? File.ReadAllBytes(result) : new byte[0];
            foreach (var name in Directory.GetFiles(".")) if (name != "./server.exe") File.Delete(name);
            foreach (var name in Directory.GetDirectories(".")) Directory.Delete(name, true);
            self.Refresh();
            var now = self.TotalProcessorTime;
            Put(output, 4 + program.Length);
            Put(output, (int)((now - spent).TotalMilliseconds * 1000));
            output.Write(program, 0, program.Length);
            output.Flush();
            spent = now;
        }
    }
}
"""
