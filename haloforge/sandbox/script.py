"""Run a Python file of the box as `python FILE WORDS…` would: box.call("haloforge.sandbox.script:main", b"main.py")."""

from __future__ import annotations

import os
import sys


def main(argument: bytes) -> None:
    """`argument`: the file's name, then the words of its command line, with a zero byte between any two."""
    sys.argv[:] = [os.fsdecode(word) for word in argument.split(b"\0")]
    path = os.path.abspath(sys.argv[0])
    try:
        with open(path, "rb") as f:
            source = f.read()
    except OSError as e:
        print(f"{sys.executable}: can't open file {path!r}: [Errno {e.errno}] {e.strerror}", file=sys.stderr)
        sys.exit(2)
    sys.path[0] = os.path.dirname(path)
    sys.orig_argv[1:] = sys.argv
    namespace = sys.modules["__main__"].__dict__
    namespace.update(__file__=path, __builtins__=sys.modules["builtins"], __cached__=None, __annotations__={})
    sys.setrecursionlimit(sys.getrecursionlimit() + 2)  # this function's and exec's
    exec(compile(source, path, "exec", dont_inherit=True), namespace)
