"""What crosses between the tests' box and the answer's: length-prefixed JSON that holds nothing but plain data.

Exact builtin types keep their type, subclasses of them cross as that type, iterators as what they give. Anything else
is up to the two sides, which know references. A reader trusts nothing: what is not as this module writes it is Broken.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import json
import socket
import types
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

MOST_BYTES = 16 << 20
MOST_DEEP = 100
MOST_ITEMS = 10_000
"""Of an iterator; what it would give behind them does not cross."""
_LONGEST_INT_BITS = 4000
"""In decimal; readers of JSON refuse more than 4300 digits."""

Special = Callable[[Any, int], Any]
"""(value, depth) → JSON of what is not plain, and back."""


class Broken(Exception):
    """What came is no message of ours."""


class Gone(Exception):
    """The other side has ended."""


class Unplain(Exception):
    """A value that cannot cross."""


class Wire:
    """One end of a connected stream socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self.nan = False
        """Whether the last message received has a NaN."""

    def send(self, message: Any) -> None:
        """Raises Unplain where the message is too much, Gone."""
        data = _to_json(message).encode("ascii")
        if len(data) > MOST_BYTES:
            raise Unplain(f"a value of {len(data) >> 20} MiB; at most {MOST_BYTES >> 20} cross")
        try:
            self._sock.sendall(len(data).to_bytes(4, "big") + data)
        except OSError as e:
            raise Gone(str(e)) from None

    def receive(self) -> dict[str, Any]:
        """The next message. Raises Broken, Gone."""
        length = int.from_bytes(self._read(4), "big")
        if length > MOST_BYTES:
            raise Broken(f"a message of {length} bytes; at most {MOST_BYTES} are read")
        data = self._read(length)
        self.nan = False
        try:
            message = json.loads(data, parse_constant=self._constant)
        except (ValueError, RecursionError) as e:
            raise Broken(f"no JSON: {e}") from None
        if type(message) is not dict:
            raise Broken("a message that is no object")
        return message

    def _constant(self, name: str) -> float:
        self.nan = self.nan or name == "NaN"
        return float(name.replace("inity", ""))

    def quiet(self) -> bool:
        """Whether the other side has said nothing that was not read."""
        try:
            return not self._buffer and not self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError as e:
            raise Gone(str(e)) from None

    def _read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            try:
                part = self._sock.recv(max(1 << 16, count - len(self._buffer)))
            except OSError as e:
                raise Gone(str(e)) from None
            if not part:
                raise Gone("end of file")
            self._buffer += part
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data


_to_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


# ---- writing ---------------------------------------------------------------------------------------------

_SCALARS = frozenset((type(None), bool, float, str))
_SIMPLE = _SCALARS | {int}
_FACTORIES = {kind.__name__: kind for kind in (int, float, str, list, dict, set, tuple, bool)}
_VIEWS = {type({}.keys()): "keys", type({}.values()): "values", type({}.items()): "items"}
_SOME: tuple[Any, ...] = ([], (), "", b"", {}, set(), range(0), {}.values(), {}.items(), reversed([]))
_ITERATORS: tuple[type, ...] = (
    types.GeneratorType, map, filter, zip, enumerate, reversed, islice, type(reversed({})),
    *(type(iter(x)) for x in _SOME),
)  # fmt: skip
MUTABLE = (list, dict, set, bytearray, collections.deque)


def encode(value: Any, special: Special, depth: int = 0) -> Any:
    """JSON of a value; `special` writes what is not plain. Raises Unplain, and what an iterator's owner raises."""
    kind: Any = type(value)
    if kind in _SCALARS:
        return value
    if kind is int:
        return value if value.bit_length() < _LONGEST_INT_BITS else {"z": hex(value)}
    if depth >= MOST_DEEP:
        raise Unplain(f"a value nested deeper than {MOST_DEEP}")
    if kind is list:
        return value[:] if _all_simple(value) else [encode(x, special, depth + 1) for x in value]
    writer = _WRITERS.get(kind)
    if writer:
        return writer(value, special, depth + 1)
    if isinstance(value, datetime.tzinfo | enum.Enum):
        return special(value, depth)
    if isinstance(value, tuple) and (fields := _fields(value)) is not None:
        return {"n": [kind.__name__, fields, _items(tuple.__iter__(value), special, depth + 1)]}
    if kind in _VIEWS:
        return {"v": [_VIEWS[kind], _items(value, special, depth + 1)]}
    if isinstance(value, _ITERATORS) or type(value).__module__ == "itertools":
        return {"i": [_items(islice(value, MOST_ITEMS + 1), special, depth + 1)]}
    return special(value, depth)


def _all_simple(values: list[Any]) -> bool:
    return _SIMPLE.issuperset(map(type, values)) and not any(
        x.bit_length() >= _LONGEST_INT_BITS for x in values if type(x) is int
    )


def base_of(value: Any) -> Any:
    """The value as the plain type that its type is a subclass of; itself where there is none."""
    if not isinstance(value, enum.Enum):
        for base in _AS_BASE:
            if isinstance(value, base):
                return _AS_BASE[base](value)
    return value


def _items(values: Any, special: Special, depth: int) -> list[Any]:
    return [encode(value, special, depth) for value in values]


def _pairs(values: dict[Any, Any], special: Special, depth: int) -> list[Any]:
    return [encode(part, special, depth) for pair in values.items() for part in pair]


def _fields(value: tuple[Any, ...]) -> list[str] | None:
    fields = getattr(type(value), "_fields", None)
    if isinstance(fields, tuple) and len(fields) == len(value) and all(type(name) is str for name in fields):
        return list(fields)
    return None


def _dict(value: dict[Any, Any], special: Special, depth: int) -> Any:
    if set(map(type, value)) == {str} and _all_simple(list(value.values())):
        return {"o": value}
    return {"d": _pairs(value, special, depth)}


def _default(value: collections.defaultdict[Any, Any], special: Special, depth: int) -> Any:
    made = next((name for name, kind in _FACTORIES.items() if kind is value.default_factory), None)
    return {"D": [made, _pairs(value, special, depth)]}


_WRITERS: dict[type, Callable[[Any, Special, int], Any]] = {
    tuple: lambda v, s, d: {"t": _items(v, s, d)},
    dict: _dict,
    set: lambda v, s, d: {"s": _items(v, s, d)},
    frozenset: lambda v, s, d: {"f": _items(v, s, d)},
    bytes: lambda v, s, d: {"b": v.hex()},
    bytearray: lambda v, s, d: {"B": v.hex()},
    complex: lambda v, s, d: {"c": [v.real, v.imag]},
    range: lambda v, s, d: {"g": [encode(x, s, d) for x in (v.start, v.stop, v.step)]},
    collections.Counter: lambda v, s, d: {"C": _pairs(v, s, d)},
    collections.OrderedDict: lambda v, s, d: {"O": _pairs(v, s, d)},
    collections.defaultdict: _default,
    collections.deque: lambda v, s, d: {"q": [v.maxlen, _items(v, s, d)]},
    fractions.Fraction: lambda v, s, d: {"F": [encode(x, s, d) for x in (v.numerator, v.denominator)]},
    decimal.Decimal: lambda v, s, d: {"M": str(v)},
    datetime.datetime: lambda v, s, d: {"T": v.isoformat()},
    datetime.date: lambda v, s, d: {"Y": v.isoformat()},
    datetime.time: lambda v, s, d: {"h": v.isoformat()},
    datetime.timedelta: lambda v, s, d: {"l": [v.days, v.seconds, v.microseconds]},
    type(NotImplemented): lambda v, s, d: {"S": "NotImplemented"},
    type(...): lambda v, s, d: {"S": "Ellipsis"},
}
_AS_BASE: dict[type, Callable[[Any], Any]] = {
    int: lambda v: int.__new__(int, v),
    float: lambda v: float.__new__(float, v),
    str: lambda v: str.__new__(str, v),
    bytes: lambda v: bytes.__new__(bytes, v),
    list: lambda v: [*list.__iter__(v)],
    tuple: lambda v: (*tuple.__iter__(v),),
    collections.Counter: lambda v: collections.Counter(dict(dict.items(v))),
    collections.OrderedDict: lambda v: collections.OrderedDict(collections.OrderedDict.items(v)),
    dict: lambda v: dict(dict.items(v)),
    set: lambda v: {*set.__iter__(v)},
    frozenset: lambda v: frozenset(frozenset.__iter__(v)),
    bytearray: lambda v: bytearray(bytes(memoryview(v))),
    collections.deque: lambda v: collections.deque(collections.deque.__iter__(v)),
    complex: lambda v: complex(v.real, v.imag),
    fractions.Fraction: lambda v: fractions.Fraction(v.numerator, v.denominator),
    decimal.Decimal: lambda v: decimal.Decimal(decimal.Decimal.__str__(v)),
}


# ---- reading ---------------------------------------------------------------------------------------------


class Reader:
    """Reads values; `special` reads the tags that this module does not know."""

    def __init__(self, special: Special, no_fields: frozenset[str] = frozenset()) -> None:
        """`no_fields`: names that no field of a named tuple has."""
        self.special, self.no_fields = special, no_fields
        self.nan = False
        """Whether a NaN came as something else than a float."""
        self.named: dict[tuple[str, ...], type] = {}
        """Name and fields → the tuple's type."""

    def read(self, json_value: Any) -> Any:
        """Raises Broken."""
        try:
            return self._read(json_value, 0)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError) as e:
            raise Broken(f"a value that does not read: {type(e).__name__}: {e}") from None

    def _read(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in _SIMPLE:
            return value
        if depth > MOST_DEEP + 1:
            raise Broken(f"a value nested deeper than {MOST_DEEP}")
        if kind is list:
            if not _SIMPLE.issuperset(map(type, value)):
                for at, item in enumerate(value):
                    value[at] = self._read(item, depth + 1)
            return value
        ((tag, inner),) = value.items()
        reader = _READERS.get(tag)
        if reader is None:
            return self.special(value, depth)
        return reader(self, inner, depth + 1)

    def _items(self, values: Any, depth: int) -> list[Any]:
        if type(values) is not list:
            raise Broken("a list that is none")
        return self._read(values, depth)

    def _pairs(self, values: Any, depth: int) -> list[tuple[Any, Any]]:
        flat = self._items(values, depth)
        if len(flat) % 2:
            raise Broken("a key without a value")
        return list(zip(flat[::2], flat[1::2], strict=True))

    def _plain_dict(self, value: Any, depth: int) -> dict[str, Any]:
        if type(value) is not dict or not _SIMPLE.issuperset(map(type, value.values())):
            raise Broken("a dict that is not as we write it")
        return value

    def _big(self, value: Any, depth: int) -> int:
        return int(value, 16)

    def _complex(self, value: Any, depth: int) -> complex:
        real, imaginary = value
        found = complex(float(real), float(imaginary))
        self.nan = self.nan or found != found
        return found

    def _range(self, value: Any, depth: int) -> range:
        return range(*(self._whole(x) for x in self._items(value, depth)))

    def _whole(self, value: Any) -> int:
        if type(value) is not int:
            raise Broken("a whole number that is none")
        return value

    def _default(self, value: Any, depth: int) -> Any:
        made, pairs = value
        factory: Any = None if made is None else _FACTORIES[made]
        return collections.defaultdict(factory, self._pairs(pairs, depth))

    def _deque(self, value: Any, depth: int) -> Any:
        most, items = value
        return collections.deque(self._items(items, depth), most if most is None else self._whole(most))

    def _fraction(self, value: Any, depth: int) -> fractions.Fraction:
        return fractions.Fraction(*(self._whole(x) for x in self._items(value, depth)))

    def _decimal(self, value: Any, depth: int) -> decimal.Decimal:
        if type(value) is not str:
            raise Broken("a Decimal that is none")
        found = decimal.Decimal(value)
        self.nan = self.nan or found.is_nan()
        return found

    def _named(self, value: Any, depth: int) -> Any:
        name, fields, items = value
        words = (name, *fields)
        if not all(type(word) is str and word.isidentifier() and len(word) < 200 for word in words) or len(words) > 256:
            raise Broken("a named tuple with other names than identifiers")
        if not self.no_fields.isdisjoint(words):  # a function in it would be asked in the place of plain data
            raise Broken("a named tuple that answers questions")
        if words not in self.named:
            if len(self.named) > 200:
                raise Broken("more than 200 kinds of named tuples")
            self.named[words] = collections.namedtuple(name, fields)
        return self.named[words](*self._items(items, depth))

    def _view(self, value: Any, depth: int) -> Any:
        kind, items = value
        found = self._items(items, depth)
        if kind == "keys":
            return dict.fromkeys(found).keys()
        if kind == "items":
            return dict(found).items()
        return dict(enumerate(found)).values()

    def _iterator(self, value: Any, depth: int) -> Iterator[Any]:
        (items,) = value
        found = self._items(items, depth)
        return self.iterator(found) if len(found) <= MOST_ITEMS else self.iterator(found[:MOST_ITEMS], self.too_long)

    def too_long(self) -> None:
        """Called when somebody asks an iterator for more than has crossed."""
        raise Broken(f"more than {MOST_ITEMS} items of an iterator")

    @staticmethod
    def iterator(items: list[Any], behind: Callable[[], None] | None = None) -> Iterator[Any]:
        """A generator of `items`, which then calls `behind`."""
        yield from items
        if behind:
            behind()


_SINGLES = {"NotImplemented": NotImplemented, "Ellipsis": ...}


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Broken("a text that is none")
    return value


_READERS: dict[str, Callable[[Reader, Any, int], Any]] = {
    "z": Reader._big,
    "t": lambda r, v, d: tuple(r._items(v, d)),
    "o": Reader._plain_dict,
    "d": lambda r, v, d: dict(r._pairs(v, d)),
    "s": lambda r, v, d: set(r._items(v, d)),
    "f": lambda r, v, d: frozenset(r._items(v, d)),
    "b": lambda r, v, d: bytes.fromhex(v),
    "B": lambda r, v, d: bytearray.fromhex(v),
    "c": Reader._complex,
    "g": Reader._range,
    "C": lambda r, v, d: collections.Counter(dict(r._pairs(v, d))),
    "O": lambda r, v, d: collections.OrderedDict(r._pairs(v, d)),
    "D": Reader._default,
    "q": Reader._deque,
    "F": Reader._fraction,
    "M": Reader._decimal,
    "T": lambda r, v, d: datetime.datetime.fromisoformat(_text(v)),
    "Y": lambda r, v, d: datetime.date.fromisoformat(_text(v)),
    "h": lambda r, v, d: datetime.time.fromisoformat(_text(v)),
    "l": lambda r, v, d: datetime.timedelta(*(r._whole(x) for x in r._items(v, d))),
    "n": Reader._named,
    "v": Reader._view,
    "i": Reader._iterator,
    "S": lambda r, v, d: _SINGLES[v],
}
