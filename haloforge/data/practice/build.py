"""The recipe of the demo's practice data and base model, and where the result is kept.

`Practice.write_data` makes everything but the base: prompt sets, corpus, tokenizer and a randomly initialised
checkpoint. The base is then trained from that checkpoint by the ordinary SFT stage (`Practice.sft_job`).
Everything lies in a folder named after the recipe's digest. Not here: the training itself, and Ray.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from haloforge.data.practice import checkpoint
from haloforge.data.practice.corpus import Row, corpus
from haloforge.data.practice.kinds import KINDS
from haloforge.data.practice.languages import C, Language
from haloforge.records import Prompt
from haloforge.seeds import derive
from haloforge.tasks.prompts import prompt_row

if TYPE_CHECKING:
    from haloforge.training.sft import SftJob

TOKENIZER_ROWS = 4000
"""Rows of the corpus that the tokenizer is trained on: enough for every word of every kind."""


@dataclass(frozen=True)
class Recipe:
    """What the practice data and base are made from; any change makes another folder."""

    seed: int = 0
    prompts_per_kind: int = 20
    """RAFT's training prompts, for each seen kind."""
    seen_per_kind: int = 10
    """Held-out tasks of each seen kind."""
    unseen_per_kind: int = 15
    """Held-out tasks of each unseen kind."""
    steps: int = 1600
    """Optimizer steps of the base; the corpus has steps × batch_size rows, each seen once."""
    batch_size: int = 8
    learning_rate: float = 1.5e-3
    warmup_ratio: float = 0.05

    @property
    def rows(self) -> int:
        return self.steps * self.batch_size


def task_sets(recipe: Recipe, language: Language = C) -> dict[str, list[Prompt]]:
    """RAFT's `prompts`, and the held-out `seen` and `unseen`; no task is in two of them."""
    sets: dict[str, list[Prompt]] = {"prompts": [], "seen": [], "unseen": []}
    for kind in KINDS:
        rng = random.Random(derive(recipe.seed, "tasks", kind.name))
        shares = (
            {"prompts": recipe.prompts_per_kind, "seen": recipe.seen_per_kind}
            if kind.seen
            else {"unseen": recipe.unseen_per_kind}
        )
        pairs = iter(rng.sample(kind.pairs(), sum(shares.values())))
        for name, count in shares.items():
            sets[name] += [language.task(kind, rng, *next(pairs)) for _ in range(count)]
    return sets


def data_files(recipe: Recipe, language: Language = C) -> dict[str, str]:
    """The texts of the JSONL files by name; no prompt of a task set occurs in the corpus."""
    sets = task_sets(recipe, language)
    taken = {prompt.text for prompts in sets.values() for prompt in prompts}
    rows = corpus(language, derive(recipe.seed, "corpus"), recipe.rows, without=taken)
    texts = {f"{name}.jsonl": _lines([prompt_row(prompt) for prompt in prompts]) for name, prompts in sets.items()}
    return {**texts, "corpus.jsonl": _lines(rows)}


class Practice:
    """The practice data and base of a language under `home`/practice, made once per recipe."""

    def __init__(self, home: Path, recipe: Recipe | None = None, language: Language = C) -> None:
        self.recipe = recipe or Recipe()
        self.language = language
        self.files = data_files(self.recipe, language)
        self.folder = home / "practice" / self.digest

    @property
    def base(self) -> Path:
        """Where the trained base belongs; a folder here is complete, because it is renamed into place."""
        return self.folder / "base"

    def is_built(self) -> bool:
        return (self.base / "config.json").is_file()

    @cached_property
    def record(self) -> dict[str, object]:
        """All that the base depends on, as it stands in recipe.json."""
        return {
            **asdict(self.recipe),
            "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in self.files.items()},
            "shape": checkpoint.SHAPE,
            "chat_template": checkpoint.CHAT_TEMPLATE,
            "vocabulary": checkpoint.VOCABULARY,
            "tokenizer_rows": TOKENIZER_ROWS,
        }

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.record, sort_keys=True).encode()).hexdigest()[:16]

    def write_data(self) -> None:
        """Write the prompt sets, the corpus and the random checkpoint, where they are not there yet.

        Seconds; the folder is written aside and renamed, so it is whole or absent.
        """
        if self.folder.is_dir():
            return
        aside = self.folder.with_name(f".{self.digest}.{os.getpid()}")
        shutil.rmtree(aside, ignore_errors=True)
        (aside / "random").mkdir(parents=True)
        for name, text in self.files.items():
            (aside / name).write_text(text, encoding="utf-8")
        (aside / "recipe.json").write_text(json.dumps(self.record, indent=2) + "\n", encoding="utf-8")
        rows = [json.loads(line) for line in self.files["corpus.jsonl"].splitlines()[:TOKENIZER_ROWS]]
        checkpoint.write_tokenizer(rows, aside / "random")
        checkpoint.write_random(aside / "random", derive(self.recipe.seed, "weights"))
        try:
            aside.rename(self.folder)
        except OSError:  # another process was faster, with the same bytes
            shutil.rmtree(aside)
            if not self.folder.is_dir():
                raise

    def sft_job(self, threads: int | None = None) -> SftJob:
        """The training of the base: every weight, float32, each row of the corpus once. `write_data` comes first."""
        from haloforge.training.learner import LearnerSettings
        from haloforge.training.plan import UpdatePlan
        from haloforge.training.sft import SftJob, read_rows

        recipe = self.recipe
        return SftJob(
            settings=LearnerSettings(
                model_dir=str(self.folder / "random"),
                method="full",
                dtype="float32",
                gradient_checkpointing=False,
                threads=threads,
                seed=recipe.seed,
            ),
            rows=read_rows(self.folder / "corpus.jsonl"),
            plan=UpdatePlan(
                learning_rate=recipe.learning_rate,
                batch_size=recipe.batch_size,
                warmup_ratio=recipe.warmup_ratio,
                scheduler="cosine",
                seed=recipe.seed,
            ),
        )


def _lines(rows: list[dict[str, object]] | list[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
