"""The answer's side: runs the answer as a module and does what the tests' side asks of it, one request at a time.

Everything in this process is the answer's: it may lie, and nothing that it says is believed beyond being data.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import linecache
import os
import socket
import sys
import types
from collections.abc import Callable
from typing import Any

from haloforge.verifiers.python.wire import MUTABLE, Broken, Gone, Reader, Unplain, Wire, base_of, encode

MOST_PRINTED = 1 << 20
"""Characters of stdout, and of stderr, that one request brings back."""
_MOST_TEXT = 2000
_FUNCTIONS = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodDescriptorType,
    types.MethodWrapperType, types.WrapperDescriptorType, types.ClassMethodDescriptorType,
)  # fmt: skip


def main(argument: bytes, channel: int = 3) -> None:
    """Serve until the other side hangs up.

    Args:
        argument: JSON {"code", "path": where a traceback says the code is, "modules": names the answer goes by}.
        channel: descriptor of the connected stream socket.
    """
    spec = json.loads(argument)
    wire = Wire(socket.socket(fileno=channel))
    with contextlib.suppress(Gone):
        Serving(wire, spec["code"], spec["path"], spec["modules"]).serve()
    os._exit(0)  # the tests are over; threads of the answer need not be waited for


class Serving:
    def __init__(self, wire: Wire, code: str, path: str, modules: list[str]) -> None:
        self.wire = wire
        self.code, self.path, self.modules = code, path, modules
        self.module = types.ModuleType(modules[0])
        self.module.__file__ = path
        self.objects: dict[int, Any] = {0: self.module}
        self.ids: dict[int, int] = {}
        self.callbacks: dict[int, Callable[..., Any]] = {}
        self.reader = Reader(self._read_special)
        self.out, self.err = io.StringIO(), io.StringIO()

    def serve(self) -> None:
        while True:
            self._do(self.wire.receive())

    def _do(self, request: dict[str, Any]) -> None:
        """One request, answered."""
        shown = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self.out, self.err
        answer: dict[str, Any] = {}
        try:
            answer = {"v": _OPERATIONS[request["op"]](self, request, answer), **answer}
        except Gone:
            raise
        except BaseException as e:
            answer = {**answer, "x": self._exception(e)}
        finally:
            sys.stdout, sys.stderr = shown
        self._send(answer)

    def _send(self, answer: dict[str, Any]) -> None:
        for name, stream in (("o", self.out), ("e", self.err)):
            if text := stream.getvalue():
                answer[name] = text[:MOST_PRINTED]
                stream.seek(0)
                stream.truncate()
        try:
            self.wire.send(answer)
        except (Unplain, ValueError, TypeError, RecursionError) as e:
            self.wire.send({"x": self._exception(e)})

    # -- requests --

    def load(self, request: dict[str, Any], answer: dict[str, Any]) -> Any:
        for name in self.modules:
            sys.modules[name] = self.module
        linecache.cache[self.path] = (len(self.code), None, self.code.splitlines(True), self.path)
        try:
            code = compile(self.code, self.path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
            answer["syntax"] = f"{type(e).__name__}: {e}"[:_MOST_TEXT]
            raise
        exec(code, self.module.__dict__)
        return None

    def get(self, request: dict[str, Any], answer: dict[str, Any]) -> Any:
        return self._written(getattr(self.objects[request["r"]], request["n"]))

    def set(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        setattr(self.objects[request["r"]], request["n"], self.reader.read(request["v"]))

    def delete(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        delattr(self.objects[request["r"]], request["n"])

    def call(self, request: dict[str, Any], answer: dict[str, Any]) -> Any:
        function = self.objects[request["r"]]
        sent, named = request["a"], request["k"]
        changeable = any(type(x) in (list, dict) for x in (*sent, *named.values()))
        before = json.dumps([sent, named]) if changeable else ""  # reading takes the JSON apart
        arguments = [self.reader.read(x) for x in sent]
        keywords = {name: self.reader.read(x) for name, x in named.items()}
        try:
            value = function(*arguments, **keywords)
            for where, given in (*enumerate(arguments), *keywords.items()):
                if value is given and type(value) in MUTABLE:
                    answer["same"] = where
            if isinstance(value, types.CoroutineType):
                return self._awaited(value, "a")
            if isinstance(value, types.AsyncGeneratorType):
                return self._awaited(_collected(value), "ai")
            plain_base = isinstance(function, type) and type(value) is function
            return self._special(value, 0) if plain_base and not hasattr(function, "_fields") else self._written(value)
        finally:
            if before:
                self._changes(before, arguments, keywords, answer)

    def _changes(self, before: str, arguments: list[Any], keywords: dict[str, Any], answer: dict[str, Any]) -> None:
        """What the call changed in place in its arguments."""
        sent, named = json.loads(before)
        after: list[tuple[Any, Any, Any]] = [(at, x, sent[at]) for at, x in enumerate(arguments)]
        after += [(name, x, named[name]) for name, x in keywords.items()]
        changed = []
        for where, value, was in after:
            if isinstance(value, (*MUTABLE, tuple)) and encode(value, self._as_it_came) != was:
                changed.append([where, self._written(value)])
        if changed:
            answer["m"] = changed

    def text(self, request: dict[str, Any], answer: dict[str, Any]) -> str:
        how, value = request["how"], self.objects[request["r"]]
        return str.__str__(str(value) if how == "str" else repr(value) if how == "repr" else format(value, how))

    def enter(self, request: dict[str, Any], answer: dict[str, Any]) -> Any:
        value = self.objects[request["r"]]
        return self._written(type(value).__enter__(value))

    def leave(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        value, error = self.objects[request["r"]], self._raised(request["x"]) if request["x"] else None
        type(value).__exit__(value, type(error) if error else None, error, None)

    # -- values --

    def _written(self, value: Any) -> Any:
        return encode(value, self._special_or_base, 0)

    def _special_or_base(self, value: Any, depth: int) -> Any:
        base = base_of(value)
        return self._special(value, depth) if base is value else encode(base, self._special_or_base, depth)

    def _special(self, value: Any, depth: int) -> Any:
        if isinstance(value, BaseException):
            return {"X": self._exception(value)}
        if isinstance(value, types.ModuleType):
            return {"r": [0, "module", [], False]}
        if isinstance(value, type):
            return {"r": [self._id(value), "class", self._family(value), hasattr(value, "__call__")]}  # noqa: B004
        if isinstance(value, _FUNCTIONS):
            return {"r": [self._id(value), "function", [], True]}
        return {"r": [self._id(value), "object", self._family(type(value)), callable(value)]}

    def _as_it_came(self, value: Any, depth: int) -> Any:
        """As the tests' side wrote it, where it did."""
        if id(value) in self.ids:
            return {"R": self.ids[id(value)]}
        number = next((n for n, function in self.callbacks.items() if function is value), None)
        return self._special_or_base(value, depth) if number is None else {"cb": number}

    def _id(self, value: Any) -> int:
        if id(value) not in self.ids:
            self.ids[id(value)] = number = len(self.objects)
            self.objects[number] = value  # kept, so that no other gets its id
        return self.ids[id(value)]

    def _family(self, kind: type) -> list[Any]:
        """[name, module, families of the bases]."""
        return [kind.__name__, kind.__module__, [self._family(base) for base in kind.__bases__ if base is not object]]

    def _read_special(self, value: dict[str, Any], depth: int) -> Any:
        ((tag, inner),) = value.items()
        if tag == "R":
            return self.objects[inner]
        if tag == "cb":
            return self._callback(inner)
        if tag == "G":
            found: Any = __import__(inner[0], fromlist=["*"])
            for name in inner[1].split("."):
                found = getattr(found, name)
            return found
        if tag == "X":
            return self._raised(inner)
        raise Broken(f"a value with the tag {tag!r}")

    def _callback(self, number: int) -> Callable[..., Any]:
        if number in self.callbacks:
            return self.callbacks[number]

        def of_the_tests(*arguments: Any, **keywords: Any) -> Any:
            arguments_json = [self._written(x) for x in arguments]
            self._send({"cb": number, "a": arguments_json, "k": {k: self._written(v) for k, v in keywords.items()}})
            while "op" in (answer := self.wire.receive()):
                self._do(answer)
            if "x" in answer:
                raise self._raised(answer["x"])
            return self.reader.read(answer["v"])

        self.callbacks[number] = of_the_tests
        return of_the_tests

    def _exception(self, error: BaseException) -> dict[str, Any]:
        told: dict[str, Any] = {"f": self._family(type(error))}
        for name, value in (("a", error.args), ("d", {k: v for k, v in vars(error).items() if k[:1] != "_"})):
            try:
                told[name] = encode(value, self._not_in_an_exception)
            except Exception:
                told[name] = None
        try:
            told["s"] = str.__str__(str(error))[:_MOST_TEXT]
        except Exception:
            told["s"] = ""
        return told

    def _not_in_an_exception(self, value: Any, depth: int) -> Any:
        base = base_of(value)
        if base is value:
            raise Unplain(type(value).__name__)
        return encode(base, self._not_in_an_exception, depth)

    def _raised(self, told: dict[str, Any]) -> BaseException:
        """An exception of the tests' side."""
        name, _, bases = told["f"]
        while not isinstance(kind := vars(self.module).get(name, getattr(builtins, name, None)), type):
            name, _, bases = bases[0] if bases else ("Exception", "", [])
        return kind(*(self.reader.read(told["a"]) if told["a"] else ()))

    def _awaited(self, coroutine: Any, tag: str) -> Any:
        import asyncio

        try:
            return {tag: self._written(asyncio.run(coroutine))}
        except Gone:
            raise
        except BaseException as e:
            return {"ax": self._exception(e)}


async def _collected(values: Any) -> list[Any]:
    return [value async for value in values]


_OPERATIONS: dict[str, Callable[[Serving, dict[str, Any], dict[str, Any]], Any]] = {
    "load": Serving.load, "get": Serving.get, "set": Serving.set, "del": Serving.delete, "call": Serving.call,
    "text": Serving.text, "enter": Serving.enter, "leave": Serving.leave,
}  # fmt: skip
