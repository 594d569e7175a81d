"""The practice tasks: a table of kinds of small programs, with words, inputs and references.

Every task has two numbers that vary; its program gets inputs and gives numbers. What a task expects is computed by the
kind's own reference here, never by running a solution's text. Not here: the solutions, and how a language asks and
checks (languages.py), how often which solution stands in the training corpus (corpus.py), and which tasks go into which
set (build.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

Inputs = tuple[int, ...]
Draw = Callable[[random.Random, int, int], Inputs]
Answer = Callable[[int, int, Inputs], list[int]]

CASES = 3


@dataclass(frozen=True)
class Kind:
    """One kind of task: a row of KINDS."""

    name: str
    seen: bool
    """True: RAFT trains on it. False: only in the SFT corpus and in the `unseen` evaluation."""
    inputs: str
    """The inputs in words; `numbers` are a count and as many numbers."""
    text: str
    """What to do with them: `$A` and `$B` are the task's numbers, `$print` and `$Print` the language's word for it."""
    draw: Draw
    """Inputs of one case."""
    answer: Answer
    """The numbers that a right program gives."""
    mistaken: Answer | None = None
    """What the majority's mistake gives; None: this kind has no majority mistake."""
    gives_list: bool = False
    """How many numbers the answer has depends on the inputs."""
    a: range = range(2, 100)
    b: range = range(2, 100)

    def pairs(self) -> list[tuple[int, int]]:
        """Every pair of numbers that a task of this kind may have."""
        return [(a, b) for a, b in product(self.a, self.b) if a != b]

    def cases(self, rng: random.Random, a: int, b: int) -> list[tuple[Inputs, list[int]]]:
        """CASES different inputs with their answers; no constant passes them, nor does the majority's mistake."""
        for _ in range(1000):
            inputs = [self.draw(rng, a, b) for _ in range(CASES)]
            answers = [self.answer(a, b, given) for given in inputs]
            caught = self.mistaken is None or any(
                self.mistaken(a, b, given) != answer for given, answer in zip(inputs, answers, strict=True)
            )
            if len(set(inputs)) == CASES and any(answer != answers[0] for answer in answers) and caught:
                return list(zip(inputs, answers, strict=True))
        raise AssertionError(f"{self.name}({a}, {b}): no {CASES} cases tell right from wrong")


def _upto(rng: random.Random, a: int, b: int) -> Inputs:
    """An n a little above a, often a whole number of steps of b, where a loop's last round counts."""
    return (a + rng.choice((b, b * rng.randint(1, 3), rng.randint(1, 60))),)


def _any(rng: random.Random, a: int, b: int) -> Inputs:
    return (rng.randint(1, 400),)


def _signed(rng: random.Random, a: int, b: int) -> Inputs:
    return (rng.randint(-40, 40),)


def _around_a(rng: random.Random, a: int, b: int) -> Inputs:
    return (rng.choice((a, rng.randint(1, a), rng.randint(a, 150))),)


def _two(rng: random.Random, a: int, b: int) -> Inputs:
    return (rng.randint(1, 40), rng.randint(1, 40))


def _few(rng: random.Random, a: int, b: int) -> Inputs:
    return (rng.randint(1, 6),)


def _list_around_b(rng: random.Random, a: int, b: int) -> Inputs:
    numbers = [rng.choice((rng.randint(1, b), b + rng.randint(0, 50))) for _ in range(rng.randint(3, 6))]
    return (len(numbers), *numbers)


KINDS: tuple[Kind, ...] = (
    # Seen, and the majority makes the same mistake.
    Kind(
        "sum_of_products",
        True,
        "n",
        "For each i from $A to n add i times $B, and $print the sum.",
        _upto,
        lambda a, b, v: [sum(i * b for i in range(a, v[0] + 1))],
        lambda a, b, v: [sum(i * b for i in range(a, v[0]))],
    ),
    Kind(
        "count_multiples",
        True,
        "n",
        "Count the numbers from $A to n that $B divides.",
        lambda rng, a, b: ((a // b + rng.randint(1, 4)) * b + rng.choice((0, 0, 1)),),
        lambda a, b, v: [v[0] // b - (a - 1) // b],
        lambda a, b, v: [(v[0] - 1) // b - (a - 1) // b],
        b=range(2, 30),
    ),
    Kind(
        "steps",
        True,
        "n",
        "$Print the numbers from $A up to n in steps of $B.",
        _upto,
        lambda a, b, v: list(range(a, v[0] + 1, b)),
        lambda a, b, v: list(range(a, v[0], b)),
        gives_list=True,
    ),
    Kind(
        "at_least_else",
        True,
        "x",
        "If it is at least $A $print x, else $print $B.",
        _around_a,
        lambda a, b, v: [v[0] if v[0] >= a else b],
        lambda a, b, v: [v[0] if v[0] > a else b],
    ),
    Kind(
        "times_plus",
        True,
        "x",
        "Multiply it by $A, add $B, and $print the result.",
        _any,
        lambda a, b, v: [v[0] * a + b],
        lambda a, b, v: [v[0] * a - b],
    ),
    Kind(
        "plus_times",
        True,
        "x",
        "Add $A, multiply all by $B, and $print the result.",
        _any,
        lambda a, b, v: [(v[0] + a) * b],
        lambda a, b, v: [v[0] + a * b],
    ),
    # Seen, and the majority is right.
    Kind(
        "quotient_remainder",
        True,
        "x",
        "$Print x divided by $A and its remainder by $B.",
        _any,
        lambda a, b, v: [v[0] // a, v[0] % b],
    ),
    Kind(
        "weighted_difference",
        True,
        "x and y",
        "$Print $A times x minus $B times y.",
        _two,
        lambda a, b, v: [a * v[0] - b * v[1]],
    ),
    Kind(
        "by_sign",
        True,
        "x",
        "$Print $A if it is negative, else $B.",
        _signed,
        lambda a, b, v: [a if v[0] < 0 else b],
    ),
    Kind(
        "larger",
        True,
        "x",
        "$Print the larger of x and $A, then $B.",
        _around_a,
        lambda a, b, v: [max(v[0], a), b],
    ),
    Kind(
        "repeat",
        True,
        "n",
        "$Print $A n times, then $B.",
        _few,
        lambda a, b, v: [a] * v[0] + [b],
        gives_list=True,
    ),
    Kind(
        "add_small",
        True,
        "numbers",
        "Start at $A and add those below $B.",
        _list_around_b,
        lambda a, b, v: [a + sum(number for number in v[1:] if number < b)],
    ),
    # Unseen, and the majority makes the same mistake.
    Kind(
        "sum_of_remainders",
        False,
        "n",
        "For each i from $A to n add i modulo $B, and $print the sum.",
        lambda rng, a, b: (a + rng.randint(1, 60),),
        lambda a, b, v: [sum(i % b for i in range(a, v[0] + 1))],
        lambda a, b, v: [sum(i % b for i in range(a, v[0]))],
    ),
    Kind(
        "at_least_or_zero",
        False,
        "x",
        "If it is at least $A $print $B, else $print 0.",
        _around_a,
        lambda a, b, v: [b if v[0] >= a else 0],
        lambda a, b, v: [b if v[0] > a else 0],
    ),
    # Unseen, and the majority is right.
    Kind(
        "two_remainders",
        False,
        "x",
        "$Print its remainder by $A and its remainder by $B.",
        _any,
        lambda a, b, v: [v[0] % a, v[0] % b],
    ),
    Kind(
        "smaller",
        False,
        "x",
        "$Print the smaller of x and $A, then $B.",
        _around_a,
        lambda a, b, v: [min(v[0], a), b],
    ),
)
