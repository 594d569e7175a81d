"""Whether a program's output is the expected one. Works on whole outputs, outside the box.

Two rule languages: `compare` words of our own (tokens by default, case-sensitive), and the flags of the
Kattis default validator (tokens, case ignored unless told), which win where a prompt has both. Tokens
are split at ASCII white space and compared as bytes. What an output costs here grows with its length and no faster,
and with the expected output's count of tokens, not its own. Not here: checkers, and `regex`, which can take for ever
and so runs in a box (haloforge/verifiers/checkers.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from haloforge.errors import BadInput

COMPARE_WORDS = (
    "tokens", "exact", "exact_lines", "stripped", "contains", "regex", "float", "float_tolerance X",
    "float_absolute_tolerance X",
)  # fmt: skip
MODES = {"exact": "stripped", "contains": "contains", "regex": "regex", "numeric": "float"}
"""Mode of the verifier `execution` → the word that it stands for."""
VALIDATOR_FLAGS = (
    "case_sensitive",
    "space_change_sensitive",
    "float_tolerance X",
    "float_relative_tolerance X",
    "float_absolute_tolerance X",
)
DEFAULT_TOLERANCE = 1e-6
"""Relative and absolute, of `compare: float`."""

_NUMBER = re.compile(rb"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?")
"""Nothing is tried twice: else a long run of digits that ends in a letter takes the square of its length."""
_SPACE_OR_WORD = re.compile(rb"[ \t-\r]+|[^ \t-\r]+")


@dataclass(frozen=True, slots=True)
class Rule:
    """How two outputs are compared."""

    kind: str = "tokens"
    """tokens | spaced (white space must match too) | exact | lines | stripped | contains | regex."""
    ignore_case: bool = False
    relative: float | None = None
    absolute: float | None = None
    """Tolerances for tokens that the expected output has as finite decimal numbers; None: none."""


@lru_cache(maxsize=256)
def rule(compare: str | None = None, validator_flags: str | None = None) -> Rule:
    """The rule of a prompt's two fields.

    Raises:
        BadInput: an unknown word, or a tolerance that is not a number ≥ 0.
    """
    if validator_flags is not None:
        return _kattis(validator_flags)
    match (compare or "tokens").split():
        case ["tokens"]:
            return Rule()
        case ["exact"]:
            return Rule("exact")
        case ["exact_lines"]:
            return Rule("lines")
        case ["stripped" | "contains" | "regex" as kind]:
            return Rule(kind)
        case ["float"]:
            return Rule(relative=DEFAULT_TOLERANCE, absolute=DEFAULT_TOLERANCE)
        case ["float_tolerance", value]:
            return Rule(relative=_tolerance(value), absolute=_tolerance(value))
        case ["float_absolute_tolerance", value]:
            return Rule(absolute=_tolerance(value))
    raise BadInput(f"compare is {compare!r}; known are {', '.join(COMPARE_WORDS)}")


def unusable(expected: str, by: Rule) -> str:
    """What is wrong with `expected` under that rule; "" where an output can be compared with it."""
    if by.kind == "contains" and not expected.strip():
        return "expected output is empty, which every output contains"
    if by.kind == "regex":
        try:
            re.compile(expected)
        except (re.error, OverflowError, RecursionError) as e:
            return f"expected output {expected[:60]!r} is no regular expression: {e}"
    return ""


def matches(expected: str, actual: bytes, by: Rule) -> bool:
    """Whether `actual`, a program's whole stdout, is `expected` under the rule `by`, which is not `regex`."""
    assert by.kind != "regex"
    want = expected.encode("utf-8", "surrogateescape")
    if want == actual:
        return True
    if by.kind == "exact":
        return False
    if by.kind == "stripped":
        return want.strip() == actual.strip()
    if by.kind == "contains":
        return want.strip() in actual
    if by.kind == "lines":
        lines = _lines(want)
        return lines == _lines(actual, len(lines))
    if by.kind == "spaced":
        wanted = _SPACE_OR_WORD.findall(want)
        got = [found[0] for found in islice(_SPACE_OR_WORD.finditer(actual), len(wanted) + 1)]
    else:
        wanted = want.split()
        got = actual.split(None, len(wanted))
    return len(wanted) == len(got) and all(_same(w, g, by) for w, g in zip(wanted, got, strict=True))


def _same(want: bytes, got: bytes, by: Rule) -> bool:
    if want == got:
        return True
    if (by.relative is not None or by.absolute is not None) and _NUMBER.fullmatch(want):
        if not _NUMBER.fullmatch(got):
            return False
        wanted, difference = float(want), abs(float(want) - float(got))
        return (by.absolute is not None and difference <= by.absolute) or (
            by.relative is not None and difference <= by.relative * abs(wanted) < float("inf")
        )
    return by.ignore_case and want.lower() == got.lower()


def _lines(text: bytes, most: int = -1) -> list[bytes]:
    """Lines without the white space at their ends; empty ones at the end of the text don't count.

    `most`: how many are split off; what is left is one more.
    """
    return [line.rstrip() for line in text.rstrip().split(b"\n", most)]


def _kattis(flags: str) -> Rule:
    kind, ignore_case = "tokens", True
    relative: float | None = None
    absolute: float | None = None
    words = iter(flags.split())
    for word in words:
        if word == "case_sensitive":
            ignore_case = False
        elif word == "space_change_sensitive":
            kind = "spaced"
        elif word == "float_tolerance":
            relative = absolute = _tolerance(next(words, ""))
        elif word == "float_relative_tolerance":
            relative = _tolerance(next(words, ""))
        elif word == "float_absolute_tolerance":
            absolute = _tolerance(next(words, ""))
        else:
            raise BadInput(f"validator_flags has {word!r}; known are {', '.join(VALIDATOR_FLAGS)}")
    return Rule(kind, ignore_case, relative, absolute)


def _tolerance(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise BadInput(f"a tolerance is {value!r}; wanted is a number ≥ 0")
    return number
