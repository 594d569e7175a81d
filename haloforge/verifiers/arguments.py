"""What a verifier's constructor takes, read from its signature, and whether what somebody typed fits it."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from haloforge.errors import BadInput

_KINDS = {
    bool: ("true or false", ()),
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    str: ("a text", (str,)),
    types.NoneType: ("nothing", (types.NoneType,)),
}


def arguments_of(kind: type) -> dict[str, inspect.Parameter]:
    """Name → parameter of all that a class's constructor takes, with what it passes on to those above it; annotations
    are types. A parameter that a class fills in by itself is not among them."""
    found: dict[str, inspect.Parameter] = {}
    for one in kind.__mro__:
        if "__init__" not in one.__dict__ or one is object:
            continue
        made_by = one.__dict__["__init__"]
        hints = typing.get_type_hints(made_by) if one.__module__.startswith("haloforge.") else {}
        parameters = list(inspect.signature(made_by).parameters.values())[1:]
        for p in parameters:
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
                found.setdefault(p.name, p.replace(annotation=hints.get(p.name, Any)))
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            break
    return found


def fitted(verifier: str, kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` as the constructor wants it: numbers that YAML reads as texts (`1e-3`) are numbers.

    Raises:
        BadInput: a value of another type, with what is wanted.
    """
    taken = arguments_of(kind)
    fitting = {}
    for name, value in given.items():
        hint = taken[name].annotation if name in taken else Any
        value = _number(value, hint)
        if not _fits(value, hint):
            raise BadInput(f"verifier {verifier}: {name} is {value!r}; wanted is {wanted(hint)}")
        fitting[name] = value
    return fitting


def _number(value: Any, hint: Any) -> Any:
    choices = set(_choices(hint))
    if isinstance(value, str) and choices & {int, float} and str not in choices:
        try:
            value = float(value)
        except ValueError:
            return value
    if isinstance(value, float) and int in choices and value.is_integer():
        return int(value)
    return value


def _choices(hint: Any) -> Iterator[Any]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        for one in typing.get_args(hint):
            yield from _choices(one)
    else:
        yield hint


def _fits(value: Any, hint: Any) -> bool:
    return any(_fits_one(value, one) for one in _choices(hint))


def _fits_one(value: Any, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if hint is Any:
        return True
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if isinstance(value, bool) or hint is bool:  # a bool is an int in Python
        return hint is bool and isinstance(value, bool)
    if hint in _KINDS:
        return isinstance(value, _KINDS[hint][1])
    if origin is Sequence:  # a text is a sequence in Python
        (each,) = typing.get_args(hint)
        plain = each in _KINDS  # of others the constructor says which one is wrong, and how
        return (
            isinstance(value, Sequence) and not isinstance(value, str) and all(_fits(v, each) for v in value if plain)
        )
    return isinstance(value, origin or hint)


def wanted(hint: Any) -> str:
    """In words what a parameter takes; None, where it is the default, is not said."""
    return " or ".join(dict.fromkeys(filter(None, (_word(one) for one in _choices(hint) if one is not types.NoneType))))


def _word(hint: Any) -> str:
    if hint in _KINDS:
        return _KINDS[hint][0]
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(typing.get_args(hint))
    if typing.get_origin(hint) is Sequence:
        (each,) = typing.get_args(hint)
        return f"a list, each {wanted(each)}"
    return "an object with keys and values" if typing.get_origin(hint) is Mapping else ""
