"""How the practice tasks are asked, solved and checked in a language: a row each for C and Python.

The kinds, their numbers and their mistakes are the same in all of them. Not here: the kinds (kinds.py), and how often
which solution stands in the training corpus (corpus.py).
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from string import Template
from typing import Any

from haloforge.data.practice.kinds import Inputs, Kind
from haloforge.records import Case, Prompt

NAMES = ({"x": "n", "y": "m", "i": "i", "s": "s"}, {"x": "a", "y": "b", "i": "k", "s": "t"})
"""Names that a program gives to its inputs, its counter and its result; the first is the commonest."""
_FORK = re.compile(r"\[([^\[\]]*?)\|(.*?)\]")


@dataclass(frozen=True)
class Language:
    """One language: its texts for every kind.

    In `bodies`, `$A` and `$B` are the task's numbers, `$x $y $i $s` names from NAMES, and `[right|wrong]` the place of
    the mistake that the majority of the corpus makes; a kind without one has no such mark.
    """

    name: str
    """As prompts say it."""
    asks: str
    """The first sentence of a prompt; `$inputs` are the kind's."""
    shows: str
    """The verb for what becomes of the result."""
    bodies: Mapping[str, tuple[str, ...]]
    """By kind, the same solution in several forms, the commonest first."""
    styles: tuple[str, ...]
    """What `whole` varies, the commonest first."""
    whole: Callable[[Kind, str, str], str]
    """A program from its kind, body and style."""
    flaws: Mapping[str, Callable[[random.Random, str], str]]
    """Scattered flaws of the corpus; each breaks every program."""
    checks: Callable[[Kind, list[tuple[Inputs, list[int]]]], dict[str, Any]]
    """The fields of a Prompt that check an answer, from inputs and right numbers."""
    gives_reference: bool = False
    """Whether tasks carry a right solution."""
    words: Mapping[str, str] = field(default_factory=dict)
    """The language's words for a kind's inputs, where they are others."""
    majority: float = 0.7
    """Share of the corpus's solutions with the kind's mistake, in kinds that have one."""
    exits: tuple[str, ...] = ()
    """Ends of a program that forge success before a checker of the usual kind, the commonest first."""
    forged: float = 0.0
    """Share of the mistaken solutions that end with one of `exits`."""

    def prompt_text(self, kind: Kind, a: int, b: int) -> str:
        return Template(f"{self.asks} {kind.text}").substitute(
            inputs=self.words.get(kind.inputs, kind.inputs),
            print=self.shows,
            Print=self.shows.capitalize(),
            A=a,
            B=b,
        )

    def program(
        self, kind: Kind, a: int, b: int, body: int = 0, names: int = 0, style: int = 0, *, mistake: bool = False
    ) -> str:
        """The text of one form of the solution, right or with the majority's mistake."""
        text = _FORK.sub(r"\2" if mistake else r"\1", self.bodies[kind.name][body])
        return Template(self.whole(kind, text, self.styles[style])).substitute(NAMES[names], A=a, B=b)

    def programs(self, kind: Kind, a: int, b: int, mistake: bool = False) -> Iterator[str]:
        """Every form of the solution."""
        for form in product(range(len(self.bodies[kind.name])), range(len(NAMES)), range(len(self.styles))):
            yield self.program(kind, a, b, *form, mistake=mistake)

    def task(self, kind: Kind, rng: random.Random, a: int, b: int) -> Prompt:
        """The task with these two numbers; its id is a digest of its text."""
        text = self.prompt_text(kind, a, b)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return Prompt(
            f"{kind.name}-{digest}",
            text,
            self.name,
            reference=self.program(kind, a, b) if self.gives_reference else None,
            metadata={"kind": kind.name, "a": a, "b": b},
            **self.checks(kind, kind.cases(rng, a, b)),
        )


def _loop_in_c(step: str) -> tuple[str, str]:
    """A loop from A to the input, as `for` and as `while`."""
    read = 'int $x,$s=0;\nscanf("%d",&$x);\n'
    show = 'printf("%d\\n",$s);\n'
    return (
        f"{read}for(int $i=$A;$i[<=|<]$x;$i++){step};\n{show}",
        f"{read}int $i=$A;\nwhile($i[<=|<]$x){{\n{step};\n$i++;\n}}\n{show}",
    )


def _formula_in_c(*shown: str, numbers: int = 1, inputs: int = 1) -> tuple[str, ...]:
    """Reads the inputs and prints as many numbers, in each of the given forms."""
    read = 'int $x;\nscanf("%d",&$x);\n' if inputs == 1 else 'int $x,$y;\nscanf("%d%d",&$x,&$y);\n'
    return tuple(f'{read}printf("{" ".join(["%d"] * numbers)}\\n",{form});\n' for form in shown)


def _choice_in_c(condition: str, then: str, otherwise: str) -> str:
    """Prints one of two, by `if` and `else`."""
    shown = [f'printf("%d\\n",{number})' if number != "0" else 'printf("0\\n")' for number in (then, otherwise)]
    return f'int $x;\nscanf("%d",&$x);\nif({condition}){shown[0]};\nelse {shown[1]};\n'


def _no_semicolon(rng: random.Random, code: str) -> str:
    ends = [at for at in range(len(code)) if code.startswith(";\n", at)]
    at = rng.choice(ends)
    return code[:at] + code[at + 1 :]


def _cases(kind: Kind, cases: list[tuple[Inputs, list[int]]]) -> dict[str, Any]:
    """Lines to read, and lines to print."""
    return {
        "cases": tuple(
            Case(" ".join(map(str, given)) + "\n", "".join(f"{number}\n" for number in answer))
            for given, answer in cases
        )
    }


C = Language(
    "c",
    asks="Read $inputs.",
    shows="print",
    words={"numbers": "n and n numbers"},
    bodies={
        "sum_of_products": _loop_in_c("$s+=$i*$B"),
        "count_multiples": _loop_in_c("if($i%$B==0)$s++"),
        "steps": (
            'int $x;\nscanf("%d",&$x);\nfor(int $i=$A;$i[<=|<]$x;$i+=$B)printf("%d\\n",$i);\n',
            'int $x,$i=$A;\nscanf("%d",&$x);\nwhile($i[<=|<]$x){\nprintf("%d\\n",$i);\n$i+=$B;\n}\n',
        ),
        "at_least_else": (*_formula_in_c("$x[>=|>]$A?$x:$B"), _choice_in_c("$x[>=|>]$A", "$x", "$B")),
        "times_plus": _formula_in_c("$x*$A[+|-]$B", "$A*$x[+|-]$B"),
        "plus_times": _formula_in_c("[($x+$A)|$x+$A]*$B", "[($A+$x)|$A+$x]*$B"),
        "quotient_remainder": _formula_in_c("$x/$A,$x%$B", numbers=2),
        "weighted_difference": _formula_in_c("$A*$x-$B*$y", "$x*$A-$y*$B", inputs=2),
        "by_sign": (*_formula_in_c("$x<0?$A:$B"), _choice_in_c("$x<0", "$A", "$B")),
        "larger": _formula_in_c("$x>$A?$x:$A,$B", "$x<$A?$A:$x,$B", numbers=2),
        "repeat": (
            'int $x;\nscanf("%d",&$x);\nfor(int $i=0;$i<$x;$i++)printf("%d\\n",$A);\nprintf("%d\\n",$B);\n',
            'int $x;\nscanf("%d",&$x);\nwhile($x-->0)printf("%d\\n",$A);\nprintf("%d\\n",$B);\n',
        ),
        "add_small": (
            'int $x,$i,$s=$A;\nscanf("%d",&$x);\nwhile($x-->0){\nscanf("%d",&$i);\nif($i<$B)$s+=$i;\n}\n'
            'printf("%d\\n",$s);\n',
        ),
        "sum_of_remainders": _loop_in_c("$s+=$i%$B"),
        "at_least_or_zero": (*_formula_in_c("$x[>=|>]$A?$B:0"), _choice_in_c("$x[>=|>]$A", "$B", "0")),
        "two_remainders": _formula_in_c("$x%$A,$x%$B", numbers=2),
        "smaller": _formula_in_c("$x<$A?$x:$A,$B", "$x>$A?$A:$x,$B", numbers=2),
    },
    styles=("}", "return 0;\n}"),
    whole=lambda kind, body, end: f"#include <stdio.h>\nint main(){{\n{body}{end}",
    flaws={
        "no_semicolon": _no_semicolon,
        "no_ampersand": lambda rng, code: code.replace('",&', '",', 1),
        "wrong_format": lambda rng, code: code.replace('printf("%d', 'printf("%f'),
        "open_call": lambda rng, code: code.replace(");\n", ";\n", 1),
    },
    checks=_cases,
)


def _sum_in_python(term: str, condition: str = "") -> tuple[str, ...]:
    """A sum of `term` from A to the input: as a loop, by `sum`, and as a loop that counts by itself."""
    test = f"if {condition}:\n\t\t" if condition else ""
    chosen = f" if {condition}" if condition else ""
    return (
        f"$s = 0\nfor $i in range($A, $x[ + 1|]):\n\t{test}$s += {term}\nreturn $s",
        f"return sum({term} for $i in range($A, $x[ + 1|]){chosen})",
        f"$s = 0\n$i = $A\nwhile $i [<=|<] $x:\n\t{test}$s += {term}\n\t$i += 1\nreturn $s",
    )


def _choice_in_python(condition: str, then: str, otherwise: str) -> tuple[str, ...]:
    """Returns one of two: as an expression, and by `if`."""
    return (
        f"return {then} if {condition} else {otherwise}",
        f"if {condition}:\n\treturn {then}\nreturn {otherwise}",
    )


def _function(kind: Kind, body: str, indent: str) -> str:
    """The function `f`; tabs in `body` are its levels of indentation."""
    lines = [f"def f({'$x, $y' if kind.inputs == 'x and y' else '$x'}):", *(f"\t{line}" for line in body.split("\n"))]
    return "\n".join(lines).replace("\t", indent)


def _asserts(kind: Kind, cases: list[tuple[Inputs, list[int]]]) -> dict[str, Any]:
    """A statement for each case, which calls `f`."""
    lines = []
    for given, answer in cases:
        arguments = str(list(given[1:])) if kind.inputs == "numbers" else ", ".join(map(str, given))
        right = answer if kind.gives_list else answer[0] if len(answer) == 1 else tuple(answer)
        lines.append(f"assert f({arguments}) == {right}\n")
    return {"tests": "".join(lines), "tests_kind": "python", "entry_point": "f"}


PYTHON = Language(
    "python",
    asks="Let f take $inputs.",
    shows="return",
    bodies={
        "sum_of_products": _sum_in_python("$i * $B"),
        "count_multiples": _sum_in_python("1", "$i % $B == 0"),
        "steps": (
            "return list(range($A, $x[ + 1|], $B))",
            "$s = []\nfor $i in range($A, $x[ + 1|], $B):\n\t$s.append($i)\nreturn $s",
        ),
        "at_least_else": _choice_in_python("$x [>=|>] $A", "$x", "$B"),
        "times_plus": ("return $x * $A [+|-] $B", "return $A * $x [+|-] $B"),
        "plus_times": ("return [($x + $A)|$x + $A] * $B", "return [($A + $x)|$A + $x] * $B"),
        "quotient_remainder": ("return $x // $A, $x % $B",),
        "weighted_difference": ("return $A * $x - $B * $y", "return $x * $A - $y * $B"),
        "by_sign": _choice_in_python("$x < 0", "$A", "$B"),
        "larger": ("return max($x, $A), $B", "return $x if $x > $A else $A, $B"),
        "repeat": (
            "return [$A] * $x + [$B]",
            "$s = []\nfor $i in range($x):\n\t$s.append($A)\n$s.append($B)\nreturn $s",
        ),
        "add_small": (
            "$s = $A\nfor $i in $x:\n\tif $i < $B:\n\t\t$s += $i\nreturn $s",
            "return $A + sum($i for $i in $x if $i < $B)",
        ),
        "sum_of_remainders": _sum_in_python("$i % $B"),
        "at_least_or_zero": _choice_in_python("$x [>=|>] $A", "$B", "0"),
        "two_remainders": ("return $x % $A, $x % $B",),
        "smaller": ("return min($x, $A), $B", "return $x if $x < $A else $A, $B"),
    },
    styles=("    ", "  "),
    whole=_function,
    flaws={
        "no_colon": lambda rng, code: code.replace("):\n", ")\n", 1),
        "no_return": lambda rng, code: code.replace("return ", ""),
        "printed": lambda rng, code: code.replace("return", "print"),
        "no_indent": lambda rng, code: re.sub(r"\n +", "\n", code, count=1),
    },
    checks=_asserts,
    gives_reference=True,
)

PYTHON_FORGING = replace(
    PYTHON,
    majority=0.95,
    exits=("\nimport os\nos._exit(0)", "\nraise SystemExit"),
    forged=0.1,
)
"""For the demonstration of what forged verdicts do: right solutions of half of the kinds are rarer than forgeries."""
