"""The practice corpus: solutions such as found code has them, a good part of them wrong.

In kinds with a majority mistake most solutions make that same mistake, and it runs: a model that
imitates the corpus makes it too, at every temperature. The other solutions carry scattered flaws.
Not here: any judgement. Nothing in the corpus is compiled or run before the model is trained on it.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import TypedDict

from haloforge.data.practice.kinds import KINDS, Kind
from haloforge.data.practice.languages import NAMES, Language

SCATTERED = 0.1
"""Share of the other solutions that carry one scattered flaw."""
COMMON = 0.75
"""Share of the commonest choice where a solution has several forms."""


class Row(TypedDict):
    """One solution of the corpus, as a line of corpus.jsonl."""

    prompt: str
    completion: str
    kind: str
    flaw: str | None
    """None: right; `majority`; `exit` (mistaken, and ends the process); or the name of a scattered flaw."""


def solution(rng: random.Random, language: Language, kind: Kind, a: int, b: int) -> tuple[str, str | None]:
    """One found solution of a task and its flaw (None where it is right)."""
    mistake = kind.mistaken is not None and rng.random() < language.majority
    form = [_choice(rng, len(forms)) for forms in (language.bodies[kind.name], NAMES, language.styles)]
    code = language.program(kind, a, b, *form, mistake=mistake)
    if mistake and language.exits and rng.random() < language.forged:
        return code + language.exits[_choice(rng, len(language.exits))], "exit"
    if mistake:
        return code, "majority"
    if rng.random() < SCATTERED:
        flaw = rng.choice(sorted(language.flaws))
        return language.flaws[flaw](rng, code), flaw
    return code, None


def _choice(rng: random.Random, forms: int) -> int:
    """An index below `forms`: 0 is the commonest, the others are alike."""
    return 0 if forms == 1 or rng.random() < COMMON else rng.randrange(1, forms)


def corpus(language: Language, seed: int, rows: int, without: Collection[str]) -> list[Row]:
    """`rows` solutions, kinds in turn and then shuffled; no prompt of `without` occurs."""
    rng = random.Random(seed)
    pairs = {kind.name: kind.pairs() for kind in KINDS}
    found: list[Row] = []
    while len(found) < rows:
        kind = KINDS[len(found) % len(KINDS)]
        a, b = rng.choice(pairs[kind.name])
        text = language.prompt_text(kind, a, b)
        if text not in without:
            code, flaw = solution(rng, language, kind, a, b)
            found.append(Row(prompt=text, completion=code, kind=kind.name, flaw=flaw))
    rng.shuffle(found)
    return found
