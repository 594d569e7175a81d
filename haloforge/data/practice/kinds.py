"""The practice tasks: a table of kinds of small C programs, with prompts, inputs and references.

Every task has two numbers that vary; its program reads from stdin and prints. What a task expects is
computed by the kind's own Python reference, never by running the C text. Not here: how often which
solution stands in the training corpus (corpus.py), and which tasks go into which set (build.py).
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from string import Template

from haloforge.records import Case, Prompt

Inputs = tuple[int, ...]
Draw = Callable[[random.Random, int, int], Inputs]
Answer = Callable[[int, int, Inputs], list[int]]

CASES = 3
NAMES = ({"x": "n", "y": "m", "i": "i", "s": "s"}, {"x": "a", "y": "b", "i": "k", "s": "t"})
"""Names that a program gives to its inputs, its counter and its result; the first is the commonest."""
TAILS = ("}", "return 0;\n}")
HEAD = "#include <stdio.h>\nint main(){\n"
_FORK = re.compile(r"\[(.*?)\|(.*?)\]")


@dataclass(frozen=True)
class Kind:
    """One kind of task: a row of KINDS.

    In `bodies`, `$A` and `$B` are the task's numbers, `$x $y $i $s` names from NAMES, and `[right|wrong]`
    the place of the mistake that the majority of the corpus makes; a kind without one has no such mark.
    """

    name: str
    seen: bool
    """True: RAFT trains on it. False: only in the SFT corpus and in the `unseen` evaluation."""
    text: str
    bodies: tuple[str, ...]
    """The same program in several forms, the commonest first."""
    draw: Draw
    """Inputs of one case."""
    answer: Answer
    """The numbers that a right program prints."""
    mistaken: Answer | None = None
    """What the majority's mistake prints; None: this kind has no majority mistake."""
    a: range = range(2, 100)
    b: range = range(2, 100)

    def prompt_text(self, a: int, b: int) -> str:
        return Template(self.text).substitute(A=a, B=b)

    def pairs(self) -> list[tuple[int, int]]:
        """Every pair of numbers that a task of this kind may have."""
        return [(a, b) for a, b in product(self.a, self.b) if a != b]

    def program(self, a: int, b: int, body: int, names: int, tail: int, mistake: bool = False) -> str:
        """The C text of one form of the solution, right or with the majority's mistake."""
        text = _FORK.sub(r"\2" if mistake else r"\1", self.bodies[body])
        return HEAD + Template(text).substitute(NAMES[names], A=a, B=b) + TAILS[tail]

    def programs(self, a: int, b: int, mistake: bool = False) -> Iterator[str]:
        """Every form of the solution."""
        for body, names, tail in product(range(len(self.bodies)), range(len(NAMES)), range(len(TAILS))):
            yield self.program(a, b, body, names, tail, mistake)

    def cases(self, rng: random.Random, a: int, b: int) -> tuple[Case, ...]:
        """CASES cases with different inputs; no constant passes them, nor does the majority's mistake."""
        for _ in range(1000):
            inputs = [self.draw(rng, a, b) for _ in range(CASES)]
            answers = [self.answer(a, b, given) for given in inputs]
            caught = self.mistaken is None or any(
                self.mistaken(a, b, given) != answer for given, answer in zip(inputs, answers, strict=True)
            )
            if len(set(inputs)) == CASES and any(answer != answers[0] for answer in answers) and caught:
                return tuple(
                    Case(" ".join(map(str, given)) + "\n", "".join(f"{number}\n" for number in answer))
                    for given, answer in zip(inputs, answers, strict=True)
                )
        raise AssertionError(f"{self.name}({a}, {b}): no {CASES} cases tell right from wrong")

    def task(self, rng: random.Random, a: int, b: int) -> Prompt:
        """The task with these two numbers; its id is a digest of its text."""
        text = self.prompt_text(a, b)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        metadata = {"kind": self.name, "a": a, "b": b}
        return Prompt(f"{self.name}-{digest}", text, "c", self.cases(rng, a, b), metadata=metadata)


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


def _loop(step: str) -> tuple[str, str]:
    """A loop from A to the input, as `for` and as `while`."""
    read = 'int $x,$s=0;\nscanf("%d",&$x);\n'
    show = 'printf("%d\\n",$s);\n'
    return (
        f"{read}for(int $i=$A;$i[<=|<]$x;$i++){step};\n{show}",
        f"{read}int $i=$A;\nwhile($i[<=|<]$x){{\n{step};\n$i++;\n}}\n{show}",
    )


def _formula(*shown: str, numbers: int = 1, inputs: int = 1) -> tuple[str, ...]:
    """Reads the inputs and prints as many numbers, in each of the given forms."""
    read = 'int $x;\nscanf("%d",&$x);\n' if inputs == 1 else 'int $x,$y;\nscanf("%d%d",&$x,&$y);\n'
    return tuple(f'{read}printf("{" ".join(["%d"] * numbers)}\\n",{form});\n' for form in shown)


KINDS: tuple[Kind, ...] = (
    # Seen, and the majority makes the same mistake.
    Kind(
        "sum_of_products",
        True,
        "Read n. For each i from $A to n add i times $B, and print the sum.",
        _loop("$s+=$i*$B"),
        _upto,
        lambda a, b, v: [sum(i * b for i in range(a, v[0] + 1))],
        lambda a, b, v: [sum(i * b for i in range(a, v[0]))],
    ),
    Kind(
        "count_multiples",
        True,
        "Read n. Count the numbers from $A to n that $B divides.",
        _loop("if($i%$B==0)$s++"),
        lambda rng, a, b: ((a // b + rng.randint(1, 4)) * b + rng.choice((0, 0, 1)),),
        lambda a, b, v: [v[0] // b - (a - 1) // b],
        lambda a, b, v: [(v[0] - 1) // b - (a - 1) // b],
        b=range(2, 30),
    ),
    Kind(
        "steps",
        True,
        "Read n. Print the numbers from $A up to n in steps of $B.",
        (
            'int $x;\nscanf("%d",&$x);\nfor(int $i=$A;$i[<=|<]$x;$i+=$B)printf("%d\\n",$i);\n',
            'int $x,$i=$A;\nscanf("%d",&$x);\nwhile($i[<=|<]$x){\nprintf("%d\\n",$i);\n$i+=$B;\n}\n',
        ),
        _upto,
        lambda a, b, v: list(range(a, v[0] + 1, b)),
        lambda a, b, v: list(range(a, v[0], b)),
    ),
    Kind(
        "at_least_else",
        True,
        "Read x. If it is at least $A print x, else print $B.",
        (
            *_formula("$x[>=|>]$A?$x:$B"),
            'int $x;\nscanf("%d",&$x);\nif($x[>=|>]$A)printf("%d\\n",$x);\nelse printf("%d\\n",$B);\n',
        ),
        _around_a,
        lambda a, b, v: [v[0] if v[0] >= a else b],
        lambda a, b, v: [v[0] if v[0] > a else b],
    ),
    Kind(
        "times_plus",
        True,
        "Read x. Multiply it by $A, add $B, and print the result.",
        _formula("$x*$A[+|-]$B", "$A*$x[+|-]$B"),
        _any,
        lambda a, b, v: [v[0] * a + b],
        lambda a, b, v: [v[0] * a - b],
    ),
    Kind(
        "plus_times",
        True,
        "Read x. Add $A, multiply all by $B, and print the result.",
        _formula("[($x+$A)|$x+$A]*$B", "[($A+$x)|$A+$x]*$B"),
        _any,
        lambda a, b, v: [(v[0] + a) * b],
        lambda a, b, v: [v[0] + a * b],
    ),
    # Seen, and the majority is right.
    Kind(
        "quotient_remainder",
        True,
        "Read x. Print x divided by $A and its remainder by $B.",
        _formula("$x/$A,$x%$B", numbers=2),
        _any,
        lambda a, b, v: [v[0] // a, v[0] % b],
    ),
    Kind(
        "weighted_difference",
        True,
        "Read x and y. Print $A times x minus $B times y.",
        _formula("$A*$x-$B*$y", "$x*$A-$y*$B", inputs=2),
        _two,
        lambda a, b, v: [a * v[0] - b * v[1]],
    ),
    Kind(
        "by_sign",
        True,
        "Read x. Print $A if it is negative, else $B.",
        (
            *_formula("$x<0?$A:$B"),
            'int $x;\nscanf("%d",&$x);\nif($x<0)printf("%d\\n",$A);\nelse printf("%d\\n",$B);\n',
        ),
        _signed,
        lambda a, b, v: [a if v[0] < 0 else b],
    ),
    Kind(
        "larger",
        True,
        "Read x. Print the larger of x and $A, then $B.",
        _formula("$x>$A?$x:$A,$B", "$x<$A?$A:$x,$B", numbers=2),
        _around_a,
        lambda a, b, v: [max(v[0], a), b],
    ),
    Kind(
        "repeat",
        True,
        "Read n. Print $A n times, then $B.",
        (
            'int $x;\nscanf("%d",&$x);\nfor(int $i=0;$i<$x;$i++)printf("%d\\n",$A);\nprintf("%d\\n",$B);\n',
            'int $x;\nscanf("%d",&$x);\nwhile($x-->0)printf("%d\\n",$A);\nprintf("%d\\n",$B);\n',
        ),
        _few,
        lambda a, b, v: [a] * v[0] + [b],
    ),
    Kind(
        "add_small",
        True,
        "Read n and n numbers. Start at $A and add those below $B.",
        (
            'int $x,$i,$s=$A;\nscanf("%d",&$x);\nwhile($x-->0){\nscanf("%d",&$i);\nif($i<$B)$s+=$i;\n}\n'
            'printf("%d\\n",$s);\n',
        ),
        _list_around_b,
        lambda a, b, v: [a + sum(number for number in v[1:] if number < b)],
    ),
    # Unseen, and the majority makes the same mistake.
    Kind(
        "sum_of_remainders",
        False,
        "Read n. For each i from $A to n add i modulo $B, and print the sum.",
        _loop("$s+=$i%$B"),
        lambda rng, a, b: (a + rng.randint(1, 60),),
        lambda a, b, v: [sum(i % b for i in range(a, v[0] + 1))],
        lambda a, b, v: [sum(i % b for i in range(a, v[0]))],
    ),
    Kind(
        "at_least_or_zero",
        False,
        "Read x. If it is at least $A print $B, else print 0.",
        (
            *_formula("$x[>=|>]$A?$B:0"),
            'int $x;\nscanf("%d",&$x);\nif($x[>=|>]$A)printf("%d\\n",$B);\nelse printf("0\\n");\n',
        ),
        _around_a,
        lambda a, b, v: [b if v[0] >= a else 0],
        lambda a, b, v: [b if v[0] > a else 0],
    ),
    # Unseen, and the majority is right.
    Kind(
        "two_remainders",
        False,
        "Read x. Print its remainder by $A and its remainder by $B.",
        _formula("$x%$A,$x%$B", numbers=2),
        _any,
        lambda a, b, v: [v[0] % a, v[0] % b],
    ),
    Kind(
        "smaller",
        False,
        "Read x. Print the smaller of x and $A, then $B.",
        _formula("$x<$A?$x:$A,$B", "$x>$A?$A:$x,$B", numbers=2),
        _around_a,
        lambda a, b, v: [min(v[0], a), b],
    ),
)
