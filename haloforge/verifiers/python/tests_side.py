"""The tests' side: the answer as its tests see it, through a wire.

Plain data arrives as exact builtin types. Everything else arrives as a *reference*: it has attributes, can be called,
entered and turned into text, and belongs to a class; what a test could compare or compute with it is refused, because
the answer's own process would have to say what comes out. A refusal fails the run for good, whatever the tests do
with the exception: `Solution.failure` stays.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

from haloforge.verifiers.python.wire import MUTABLE, Broken, Gone, Reader, Unplain, Wire, base_of, encode

GONE = "gone"
REFUSED = "refused"
BROKEN = "broken"
_MOST_NESTED = 60
"""Callbacks within callbacks; each takes a few frames of the interpreter's stack."""
_MOST_CLASSES = 1000
_LONGEST_NAME = 200
_LONGEST_LABEL = 200
_OURS_ALONE = (SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, StopAsyncIteration)
"""They would end a loop, a generator or the run itself in the tests' process instead of failing a test."""
_WITH_EXCEPTIONS = frozenset((
    "json.decoder", "decimal", "zlib", "struct", "binascii", "_csv", "re", "sre_constants", "statistics",
    "dataclasses", "configparser", "queue", "_queue", "ipaddress", "zoneinfo", "copy", "shutil", "subprocess",
    "graphlib", "tomllib", "asyncio.exceptions", "sqlite3", "urllib.error", "xml.etree.ElementTree",
))  # fmt: skip
"""Modules whose exceptions keep their class; those of test frameworks never do: one of them skips a test."""
_JUDGING = frozenset((
    "startswith", "endswith", "issubset", "issuperset", "isdisjoint", "isdigit", "isalpha", "isupper", "islower",
    "isnumeric", "isspace", "isalnum", "isidentifier", "is_integer", "casefold", "symmetric_difference", "isdecimal",
    "isprintable", "isascii", "istitle", "difference",
))  # fmt: skip
"""What tests ask of plain data; in the place of plain data an object of the answer could say yes to all."""
_DUNDERS = frozenset(("__doc__", "__name__", "__qualname__", "__version__", "__author__"))


class Refused(BaseException):
    """The run has failed for good. No subclass of Exception: tests may expect those."""


class Solution:
    """The answer. `failure` is why the run counts as failed whatever the tests say; None while it does not."""

    def __init__(self, wire: Wire, expected: Mapping[str, Sequence[str]] | None = None) -> None:
        """
        Args:
            expected: label → kinds of values that came for it from the reference solution; what else comes fails.
        """
        self.wire = wire
        self.expected = {label: frozenset(kinds) for label, kinds in (expected or {}).items()}
        self.failure: str | None = None
        self.reason = ""
        """GONE | REFUSED | BROKEN where there is a failure."""
        self.kinds: dict[str, set[str]] = {}
        self.syntax_error: str | None = None
        self.out_of_memory = False
        """Whether a MemoryError came."""
        self.reader = Reader(self._read_special, _JUDGING)
        self.reader.too_long = self._too_long  # type: ignore[method-assign]
        self.label = ""
        """Of the value that is being read."""
        self.found: set[str] = set()
        self.callables: list[Callable[..., Any]] = []
        self.numbers: dict[int, int] = {}
        self.classes: dict[tuple[str, bool], type] = {}
        self.exceptions: dict[str, type[Exception]] = {}
        self.looked_up = ""
        """The attribute that is being read, whose name a class goes by."""
        self.nested = 0

    def fail(self, why: str, reason: str = REFUSED) -> NoReturn:
        if self.failure is None:
            self.failure, self.reason = why, reason
        raise Refused(self.failure)

    # -- requests --

    def load(self) -> None:
        """Run the answer's module. Raises what it raises."""
        self._asked({"op": "load"}, "import", ())

    def get(self, number: int, name: str, label: str) -> Any:
        return self._asked({"op": "get", "r": number, "n": name}, label, (), name)

    def asked_of(self, number: int, name: str, label: str) -> Any:
        """An attribute of what came for `label`."""
        if name in _JUDGING and not self.expected.get(label, frozenset()) & {"object", "class"}:
            self.fail(f"the tests ask {name} of an object of the answer ({label}); only plain data may be asked")
        return self.get(number, name, _longer(label, f".{name}"))

    def assign(self, number: int, name: str, value: Any) -> None:
        self._asked({"op": "set", "r": number, "n": name, "v": self._sent(value)}, f"set {name}", ())

    def delete(self, number: int, name: str) -> None:
        self._asked({"op": "del", "r": number, "n": name}, f"del {name}", ())

    def call(self, number: int, label: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        request = {
            "op": "call", "r": number, "a": [self._sent(x) for x in arguments],
            "k": {name: self._sent(x) for name, x in keywords.items()},
        }  # fmt: skip
        return self._asked(request, _longer(label, "()"), (arguments, keywords))

    def text(self, number: int, label: str, how: str) -> str:
        value = self._asked({"op": "text", "r": number, "how": how}, f"{how}({label})", ())
        if type(value) is not str:
            self.fail("a text that is none", BROKEN)
        return value

    def enter(self, number: int, label: str) -> Any:
        return self._asked({"op": "enter", "r": number}, f"with {label}", ())

    def leave(self, number: int, label: str, error: BaseException | None) -> None:
        told = self._told(error) if error else None
        if error is None:
            self._asked({"op": "leave", "r": number, "x": told}, f"end of with {label}", ())
        else:  # whatever the answer makes of it, the test's own error goes on
            with contextlib.suppress(Exception):
                self._asked({"op": "leave", "r": number, "x": told}, f"end of with {label}", ())

    def _asked(self, request: dict[str, Any], label: str, changeable: tuple[Any, ...], name: str = "") -> Any:
        if self.failure is not None:
            raise Refused(self.failure)
        try:
            if not self.wire.quiet():
                raise Broken("it says what nobody has asked")
            self.wire.send(request)
            answer = self._received()
            while "cb" in answer:
                self.wire.send(self._called_back(answer, label))
                answer = self._received()
            self.label = label
            if "m" in answer:
                self._change(answer["m"], changeable)
            if "same" in answer and "x" not in answer and (mine := _argument(answer["same"], changeable)) is not None:
                self._compare(label, set())
                return mine
            if "x" in answer:
                if type(answer.get("syntax")) is str:
                    self.syntax_error = answer["syntax"]
                error = self._value({"X": answer["x"]}, f"error of {label}")
            else:
                return self._value(answer["v"], label, name)
        except Gone:
            self.fail("the answer's process has ended before the tests did", GONE)
        except (Broken, KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError, MemoryError) as e:
            self.fail(f"the answer's process did not answer as agreed: {e}", BROKEN)
        except Unplain as e:
            self.fail(f"the tests hand the answer {e}, and only plain data and functions cross")
        raise error

    def _received(self) -> dict[str, Any]:
        answer = self.wire.receive()
        for name, stream in (("o", sys.stdout), ("e", sys.stderr)):
            if type(text := answer.get(name)) is str:
                stream.write(text)
        return answer

    def _value(self, json_value: Any, label: str, name: str = "") -> Any:
        """A value from the wire, seen under `label`; `name`: of an attribute that is being looked up."""
        self.label, self.found, self.looked_up = label, set(), name
        self.reader.nan = False
        tag = next(iter(json_value)) if type(json_value) is dict and len(json_value) == 1 else ""
        if tag in ("a", "ax", "ai"):
            inner = json_value[tag]
            awaited: Any = self._exception(inner) if tag == "ax" else self.reader.read(inner)
            value = _async_iterator(awaited) if tag == "ai" else _awaitable(awaited, tag == "ax")
            self.found.add("awaitable")
        else:
            value = self.reader.read(json_value)
        if self.reader.nan or self.wire.nan:
            self.found.add("NaN")
        self._compare(label, self.found)
        return value

    def _compare(self, label: str, found: set[str]) -> None:
        self.kinds.setdefault(label, set()).update(found or {"plain"})
        allowed = self.expected.get(label)
        if allowed is not None and (more := found - allowed):
            what = sorted(more)[0]
            self.fail(f"{label} gave {what if what == 'NaN' else f'an {what}'}, where a right answer gives none")

    def _called_back(self, answer: dict[str, Any], label: str) -> dict[str, Any]:
        number, arguments, keywords = answer["cb"], answer["a"], answer["k"]
        if type(number) is not int or not 0 <= number < len(self.callables) or type(arguments) is not list:
            raise Broken("a call of a function that was never handed over")
        if self.nested >= _MOST_NESTED:
            raise Broken(f"more than {_MOST_NESTED} calls within each other")
        given = [self._value(x, f"{label} calling back") for x in arguments]
        named = {str(name): self._value(x, f"{label} calling back") for name, x in keywords.items()}
        self.nested += 1
        try:
            value = self.callables[number](*given, **named)
        except AssertionError as e:  # the answer must not swallow it
            if self.failure is None:
                self.failure, self.reason = f"a check in a function handed to the answer failed: {e}", "check"
            raise Refused(self.failure) from e
        except Exception as e:
            return {"x": self._told(e)}
        finally:
            self.nested -= 1
        return {"v": self._sent(value)}

    # -- values from there --

    def _read_special(self, value: dict[str, Any], depth: int) -> Any:
        ((tag, inner),) = value.items()
        if tag == "X":
            self.found.add("exception")
            return self._exception(inner)
        if tag != "r":
            raise Broken(f"a value with the tag {tag!r}")
        number, what, family, callable_too = inner
        if type(number) is not int or type(what) is not str:
            raise Broken("a reference that is none")
        label = self.label
        if what == "module":
            self.fail(f"the tests ask for the module {label} of the answer; modules do not cross")
        self.found.add(what if what in ("function", "class") else "object")
        if what == "function":
            return Function(self, number, label)
        name = self.looked_up if what == "class" and self.looked_up and not depth else _name(family[0])
        if what == "class" and self._builtin_base(family):
            error_class = self._exception_class(family, name)
            if issubclass(AssertionError, error_class):  # `except solution.MyError` must not catch what a check raises
                return type(name, (RuntimeError,), {"__module__": "solution"})
            return error_class
        kind = self._class(name, _names(family), bool(callable_too))
        if what == "class":
            type.__setattr__(kind, _OF_CLASS, (self, number, label))
            return kind
        return Class.made(kind, self, number, label)

    def _class(self, name: str, names: frozenset[str], callable_too: bool) -> type:
        """The one class that stands for the answer's class of that name."""
        key = (name, callable_too)
        if key not in self.classes:
            if len(self.classes) >= _MOST_CLASSES:
                raise Broken(f"more than {_MOST_CLASSES} classes")
            base = CallableObject if callable_too else Object
            self.classes[key] = Class.make(name, base, self, names | {name})
        return self.classes[key]

    def _builtin_base(self, family: list[Any], depth: int = 0) -> type | None:
        """The first builtin exception that a family has."""
        if depth > 30:
            raise Broken("a class with too many bases")
        found = getattr(builtins, _name(family[0]), None)
        if isinstance(found, type) and issubclass(found, BaseException):
            return found
        return next((one for base in family[2] if (one := self._builtin_base(base, depth + 1))), None)

    def _exception_class(self, family: list[Any], name: str = "", depth: int = 0) -> type[Exception]:
        """The class that stands for an exception of the answer's: builtins are themselves, others are made once."""
        own, module, bases = family
        if own != name and isinstance(getattr(builtins, _name(own), None), type):
            name = own  # another name for a builtin one
        name = name or own
        if depth > 30 or len(self.exceptions) > _MOST_CLASSES:
            raise Broken("a class with too many bases")
        found = getattr(builtins, name, None)
        if isinstance(found, type) and issubclass(found, BaseException):
            if issubclass(found, Exception) and found not in _OURS_ALONE:
                return found
        elif name in self.exceptions:
            return self.exceptions[name]
        elif type(module) is str and module in _WITH_EXCEPTIONS:
            found = getattr(sys.modules.get(module), name, None)
            if isinstance(found, type) and issubclass(found, Exception):
                return found
        above: list[type[Exception]] = []
        for base in bases:
            if self._builtin_base(base):
                made = self._exception_class(base, depth=depth + 1)
                if not any(issubclass(other, made) for other in above):
                    above = [other for other in above if not issubclass(made, other)] + [made]
        if isinstance(found, type) or not above:
            above = [RuntimeError]
        if name not in self.exceptions:
            try:
                self.exceptions[name] = type(name, tuple(above), {"__str__": _said, "__module__": "solution"})
            except TypeError:  # bases that do not go together
                self.exceptions[name] = type(name, (above[0],), {"__str__": _said, "__module__": "solution"})
            self.exceptions[name].__init__ = _initialised  # type: ignore[method-assign]
        return self.exceptions[name]

    def _exception(self, told: dict[str, Any]) -> Exception:
        """An exception of the answer's."""
        kind = self._exception_class(told["f"])
        self.out_of_memory = self.out_of_memory or kind is MemoryError
        said = told.get("s")
        if type(said) is not str:
            raise Broken("an exception without a text")
        arguments = self.reader.read(told["a"]) if told.get("a") is not None else (said,)
        if type(arguments) is not tuple:
            raise Broken("an exception's arguments that are none")
        try:
            error = kind(*arguments)
        except Exception:  # a builtin that wants others
            error = type(kind.__name__, (Exception,), {"__str__": _said})(*arguments)
        if told.get("d"):
            attributes = self.reader.read(told["d"])
            for name, value in attributes.items() if type(attributes) is dict else ():
                if (
                    type(name) is str
                    and name.isidentifier()
                    and name[0] != "_"
                    and not hasattr(Exception, name)
                    and name not in _JUDGING
                ):
                    with contextlib.suppress(AttributeError, TypeError):
                        setattr(error, name, value)
        with contextlib.suppress(AttributeError):
            error._said = said  # type: ignore[attr-defined]
        return error

    def _change(self, changes: Any, changeable: tuple[Any, ...]) -> None:
        """Do in our arguments what the call did in its own."""
        if not changeable:
            raise Broken("changes of arguments that were never given")
        arguments, keywords = changeable
        for where, now in changes:
            mine = arguments[where] if type(where) is int and where >= 0 else keywords[where]
            _become(mine, self._value(now, f"argument of {self.label}"))

    def _too_long(self) -> None:
        self.fail("an iterator of the answer gives more than 10,000 items")

    # -- values to there --

    def _sent(self, value: Any) -> Any:
        return encode(value, self._write_special)

    def _write_special(self, value: Any, depth: int) -> Any:
        if isinstance(value, Reference):
            return {"R": _held(value)[1]}
        if isinstance(value, Class):
            return {"R": _held(value)[1]}
        if isinstance(value, _NAMED) and (path := _path(value)):
            return {"G": path}  # a function of the tests' process would run there with whatever the answer gives it
        if isinstance(value, type) and issubclass(value, BaseException) and value.__name__ in self.exceptions:
            return {"G": ["solution", value.__name__]}
        if isinstance(value, BaseException):
            return {"X": self._told(value)}
        base = base_of(value)
        if base is not value:
            return encode(base, self._write_special, depth)
        if callable(value):
            if id(value) not in self.numbers:
                self.numbers[id(value)] = len(self.callables)
                self.callables.append(value)  # kept, so that no other gets its id
            return {"cb": self.numbers[id(value)]}
        raise Unplain(f"an object of the class {type(value).__name__}")

    def _told(self, error: BaseException) -> dict[str, Any]:
        try:
            arguments = encode(error.args, self._write_special)
        except Unplain:
            arguments = None
        return {"f": _family(type(error)), "a": arguments}


def _argument(where: Any, changeable: tuple[Any, ...]) -> Any:
    """The argument that a call gave back, so that tests see that it is the same; None where it has no such type."""
    mine = changeable[type(where) is str][where] if changeable else None
    return mine if type(mine) in MUTABLE else None


def _longer(label: str, more: str) -> str:
    """The label of what comes from there; a walk along a list does not make it longer and longer."""
    return label + more if len(label) < _LONGEST_LABEL else label


def _family(kind: type) -> list[Any]:
    return [kind.__name__, kind.__module__, [_family(base) for base in kind.__bases__ if base is not object]]


def _name(value: Any) -> str:
    if type(value) is not str or not value.isidentifier() or len(value) > _LONGEST_NAME:
        raise Broken("a class whose name is none")
    return value


def _names(family: list[Any], depth: int = 0) -> frozenset[str]:
    if depth > 30:
        raise Broken("a class with too many bases")
    return frozenset((_name(family[0]),)).union(*(_names(base, depth + 1) for base in family[2]))


_NAMED = (type, types.BuiltinFunctionType, types.MethodDescriptorType, types.FunctionType)


def _path(value: Any) -> list[str] | None:
    """[module, name] of something of the standard library that the other side has too."""
    module = getattr(value, "__module__", None) or getattr(getattr(value, "__objclass__", None), "__module__", "")
    if (
        not isinstance(module, str)
        or module.partition(".")[0] not in sys.stdlib_module_names
        or module not in sys.modules
    ):
        return None
    found: Any = sys.modules[module]
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return [module, value.__qualname__] if found is value else None


def _become(mine: Any, now: Any) -> None:
    """Make `mine` equal to `now`, in place as far as it goes."""
    if isinstance(mine, list) and type(now) is list:
        mine[:] = _kept(mine, now)
    elif isinstance(mine, tuple) and isinstance(now, tuple):
        for old, new in zip(mine, now, strict=False):
            _become(old, new)
    elif isinstance(mine, dict) and isinstance(now, dict):
        values = {key: _kept([mine[key]], [value])[0] if key in mine else value for key, value in now.items()}
        mine.clear()
        mine.update(values)
    elif isinstance(mine, set) and type(now) is set:
        mine.intersection_update(now)
        mine.update(now)
    elif isinstance(mine, bytearray) and type(now) is bytearray:
        mine[:] = now
    elif isinstance(mine, MUTABLE[4]) and isinstance(now, MUTABLE[4]):
        mine.clear()
        mine.extend(now)


def _kept(old: list[Any], new: list[Any]) -> list[Any]:
    """`new`, with the containers of `old` where they stand, changed."""
    result = list(new)
    for at, (mine, now) in enumerate(zip(old, new, strict=False)):
        if type(mine) is type(now) and isinstance(mine, (*MUTABLE, tuple)):
            _become(mine, now)
            if not isinstance(mine, tuple) or mine == now:
                result[at] = mine
    return result


async def _awaitable(value: Any, fails: bool) -> Any:
    if fails:
        raise value
    return value


async def _async_iterator(values: list[Any]) -> Any:
    for value in values:
        yield value


def _said(self: BaseException) -> str:
    return getattr(self, "_said", None) or Exception.__str__(self)


def _initialised(self: BaseException, *arguments: Any) -> None:
    self.args = arguments


# ---- references ------------------------------------------------------------------------------------------

_REFUSED = """
eq ne lt le gt ge bool hash len length_hint contains iter next reversed getitem setitem delitem add sub mul matmul
truediv floordiv mod divmod pow lshift rshift and xor or radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow
rlshift rrshift rand rxor ror iadd isub imul imatmul itruediv ifloordiv imod ipow ilshift irshift iand ixor ior neg pos
abs invert int float complex index round trunc floor ceil bytes fspath copy deepcopy reduce reduce_ex getstate await
aiter anext aenter aexit instancecheck subclasscheck dir sizeof
"""
_WORDS = {"eq": "==", "ne": "!=", "bool": "the truth of", "hash": "the hash of", "len": "the length of", "iter": "loop"}


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refuse(self: Any, *_: Any) -> NoReturn:
        solution, _number, label = _held(self)
        what = _WORDS.get(name, name)
        solution.fail(f"the tests use {what!r} on an object of the answer ({label}); only plain data can be compared")

    return refuse


_SLOT = "_held"
_OF_CLASS = "_held_by_class"


def _held(reference: Any) -> tuple[Solution, int, str]:
    """Its solution, number and label."""
    held: tuple[Solution, int, str]
    if isinstance(reference, Class):
        held = type.__getattribute__(reference, _OF_CLASS)
    else:
        held = object.__getattribute__(reference, _SLOT)
    return held


_REFUSED_DUNDERS = frozenset(f"__{name}__" for name in _REFUSED.split()) - {"__eq__", "__ne__", "__hash__", "__dir__"}


class Kind(type):
    """Of the references' classes. Abstract classes look for methods in `__mro__`, and find none that we refuse."""

    def __getattribute__(cls, name: str) -> Any:
        found = type.__getattribute__(cls, name)
        if name != "__mro__":
            return found
        return (_Called if any("__call__" in vars(base) for base in found) else _Entered, object)


class _Entered:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class _Called(_Entered):
    __enter__, __exit__ = _Entered.__enter__, _Entered.__exit__

    def __call__(self) -> None: ...


class Reference(metaclass=Kind):
    """Something of the answer's that is no plain data. Each crossing makes a new one: `is` says nothing."""

    __slots__ = (_SLOT, "__weakref__")

    def __getattribute__(self, name: str) -> Any:
        if name in _REFUSED_DUNDERS:  # hasattr(result, "__iter__")
            _refusing(name.strip("_"))(self)
        return object.__getattribute__(self, name)

    def __init__(self, solution: Solution, number: int, label: str) -> None:
        object.__setattr__(self, _SLOT, (solution, number, label))

    def __getattr__(self, name: str) -> Any:
        solution, number, label = _held(self)
        if (name.startswith("__") and name not in _DUNDERS) or name.startswith("_pytest"):
            raise AttributeError(name)
        return solution.asked_of(number, name, label)

    def __setattr__(self, name: str, value: Any) -> None:
        solution, number, _ = _held(self)
        solution.assign(number, name, value)

    def __delattr__(self, name: str) -> None:
        solution, number, _ = _held(self)
        solution.delete(number, name)

    def __str__(self) -> str:
        return _held(self)[0].text(*_held(self)[1:], "str")

    def __repr__(self) -> str:
        return _held(self)[0].text(*_held(self)[1:], "repr")

    def __format__(self, how: str) -> str:
        return _held(self)[0].text(*_held(self)[1:], how or "str")

    def __enter__(self) -> Any:
        solution, number, label = _held(self)
        return solution.enter(number, label)

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        solution, number, label = _held(self)
        solution.leave(number, label, error)


for _dunder in _REFUSED.split():
    setattr(Reference, f"__{_dunder}__", _refusing(_dunder))


class Function(Reference):
    __slots__ = ()

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        solution, number, label = _held(self)
        return solution.call(number, label, arguments, keywords)


class Class(Kind):
    """The classes that stand for those of the answer."""

    _making: ClassVar[bool] = False

    @staticmethod
    def make(name: str, base: type, solution: Solution, names: frozenset[str]) -> type:
        Class._making = True
        try:
            made = Class(name, (base,), {"__slots__": (), "__module__": "solution"})
        finally:
            Class._making = False
        type.__setattr__(made, "_names", names)
        type.__setattr__(made, _OF_CLASS, (solution, -1, name))
        return made

    def __new__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any], **_: Any) -> Class:
        if not Class._making:
            held = next((base for base in bases if isinstance(base, Class)), None)
            if held is not None:
                _held(held)[0].fail(f"the tests derive a class from {held.__name__} of the answer")
        return super().__new__(cls, name, bases, members)

    @staticmethod
    def made(kind: type, solution: Solution, number: int, label: str) -> Any:
        reference: Any = object.__new__(kind)
        object.__setattr__(reference, _SLOT, (solution, number, label))
        return reference

    def __call__(cls, *arguments: Any, **keywords: Any) -> Any:
        solution, number, label = _held(cls)
        return solution.call(number, label, arguments, keywords)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") or name.startswith("_pytest"):
            raise AttributeError(name)
        solution, number, label = _held(cls)
        own_name = label.rpartition(".")[2]
        if own_name[:1].isupper() and not own_name.isupper() and "(" not in label:  # `Words`, and no constant
            return solution.get(number, name, f"{label}.{name}")
        return solution.asked_of(number, name, label)

    def __getattribute__(cls, name: str) -> Any:
        if name.startswith("__") or name == "mro":
            return Kind.__getattribute__(cls, name)
        return type(cls).__getattr__(cls, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        solution, number, _ = _held(cls)
        solution.assign(number, name, value)

    def __delattr__(cls, name: str) -> None:
        solution, number, _ = _held(cls)
        solution.delete(number, name)

    def __instancecheck__(cls, instance: Any) -> bool:
        return Class.__subclasscheck__(cls, type(instance))

    def __subclasscheck__(cls, other: Any) -> bool:
        return isinstance(other, Class) and cls.__name__ in type.__getattribute__(other, "_names")


for _dunder in ("bool", "len", "contains", "iter", "getitem", "lt", "le", "gt", "ge", "add", "sub", "reversed"):
    setattr(Class, f"__{_dunder}__", _refusing(_dunder))


class Object(Reference):
    __slots__ = ()


class CallableObject(Object):
    __slots__ = ()

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        solution, number, label = _held(self)
        return solution.call(number, label, arguments, keywords)


# ---- the module ------------------------------------------------------------------------------------------


class SolutionModule(types.ModuleType):
    """The answer's module, as tests import it. Modules that it imported are not to be had."""

    def __init__(self, name: str, solution: Solution, public: Sequence[str]) -> None:
        super().__init__(name)
        self.__dict__["_solution"] = solution
        self.__dict__["_public"] = public

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return [each for each in self.__dict__["_public"] if hasattr(self, each)]
        if name.startswith("__") or name.startswith("_pytest"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return self.__dict__["_solution"].get(0, name, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)
        else:
            self.__dict__["_solution"].assign(0, name, value)

    def __delattr__(self, name: str) -> None:
        self.__dict__["_solution"].delete(0, name)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the answer's module under the names that the tests import it by."""

    def __init__(self, solution: Solution, names: Sequence[str], public: Sequence[str]) -> None:
        self.solution, self.names, self.public = solution, names, public

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(fullname, self) if fullname in self.names else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return SolutionModule(spec.name, self.solution, self.public)

    def exec_module(self, module: types.ModuleType) -> None:
        """It has run already."""


@contextlib.contextmanager
def importable(solution: Solution, names: Sequence[str], public: Sequence[str]) -> Iterator[None]:
    """While it lasts, `import NAME` gives the answer for each of `names`; `public`: what `import *` takes."""
    finder = Finder(solution, names, public)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
