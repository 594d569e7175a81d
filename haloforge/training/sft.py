"""Supervised fine-tuning on a file of rows, by the same learner, rendering and loop as the RAFT update.

A row is {"prompt", "completion"}: loss on the completion and its end token; or {"text"}: loss on every token.
Other keys are ignored. Nothing is truncated: a row longer than `max_tokens` is left out and counted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import floor
from pathlib import Path
from typing import Any

from haloforge.errors import BadInput
from haloforge.models import context_length
from haloforge.records import TrainingExample
from haloforge.rendering import render_completion, render_prompt
from haloforge.training.learner import Learner, LearnerSettings, LogRow, UpdateReport
from haloforge.training.plan import UpdatePlan

FINAL_MODEL = "final_model"


@dataclass(frozen=True, slots=True)
class SftRow:
    """One row of the data: `prompt` None means that all of `completion` is plain text to learn."""

    prompt: str | None
    completion: str


@dataclass(frozen=True, slots=True)
class SftReport:
    """What an SFT did; `eval_loss` is None where nothing was held out."""

    model_dir: str
    """Folder of the full model or adapter that was written."""
    update: UpdateReport
    train_rows: int
    eval_rows: int
    too_long: int
    eval_loss: float | None


def read_rows(file: str | Path) -> list[SftRow]:
    """Rows of a JSONL file.

    Raises:
        BadInput: the file is missing or empty, or a line (named) is no JSON object with the fields of a row.
    """
    path = Path(file)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise BadInput(f"cannot read training data {path}: {e}") from e
    rows = [_row(line, f"{path}, line {n}") for n, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise BadInput(f"training data {path} has no rows")
    return rows


def run_sft(
    settings: LearnerSettings,
    rows: Sequence[SftRow],
    plan: UpdatePlan,
    out_dir: str | Path,
    *,
    validation_split: float = 0.0,
    max_tokens: int | None = None,
    system_prompt: str | None = None,
    on_log: Callable[[LogRow], None] | None = None,
) -> SftReport:
    """Train on the rows and write `<out_dir>/final_model`: a full model (method full) or an adapter (lora).

    validation_split: share of the prompts (floor) whose rows are all held out, chosen by a hash of prompt and seed.
    max_tokens: longest row in tokens; None takes the model's context length. `plan.min_steps` holds here too.

    Raises:
        BadInput: the model folder is none, or no row is left to train on.
        LossNotFinite: the loss became NaN or infinite.
    """
    learner = Learner(settings)
    limit = max_tokens or context_length(settings.model_dir)
    train_rows, eval_rows = split_rows(rows, validation_split, plan.seed)
    train = list(_examples(learner.tokenizer, train_rows, system_prompt, limit))
    held_out = list(_examples(learner.tokenizer, eval_rows, system_prompt, limit))
    if not train:
        raise BadInput(
            f"of {len(rows)} rows none is left to train on: {len(eval_rows)} are held out (validation_split "
            f"{validation_split}) and the others are longer than {limit} tokens"
        )
    out = Path(out_dir) / FINAL_MODEL
    update = learner.update(train, plan, out, on_log, held_out)
    return SftReport(
        model_dir=str(out),
        update=update,
        train_rows=len(train),
        eval_rows=len(held_out),
        too_long=len(rows) - len(train) - len(held_out),
        eval_loss=update.held_out_loss,
    )


def split_rows(rows: Sequence[SftRow], share: float, seed: int) -> tuple[list[SftRow], list[SftRow]]:
    """(to train on, held out): rows of one prompt stay together, so that no held-out prompt is ever trained on."""
    keys = sorted({_key(row) for row in rows}, key=lambda k: hashlib.sha256(f"{seed}\0{k}".encode()).digest())
    held_out = set(keys[: floor(share * len(keys))])
    return [r for r in rows if _key(r) not in held_out], [r for r in rows if _key(r) in held_out]


def _key(row: SftRow) -> str:
    return row.completion if row.prompt is None else row.prompt


def _row(line: str, where: str) -> SftRow:
    try:
        data: Any = json.loads(line)
    except ValueError as e:
        raise BadInput(f"{where} is not JSON: {e}") from e
    if isinstance(data, dict):
        prompt, completion, text = (data.get(k) for k in ("prompt", "completion", "text"))
        if isinstance(prompt, str) and isinstance(completion, str):
            return SftRow(prompt, completion)
        if isinstance(text, str) and text:
            return SftRow(None, text)
    raise BadInput(f'{where} is not a row: it needs the texts "prompt" and "completion", or "text"')


def _examples(
    tokenizer: Any, rows: Sequence[SftRow], system_prompt: str | None, limit: int | None
) -> Iterator[TrainingExample]:
    for i, row in enumerate(rows):
        completion = render_completion(tokenizer, row.completion)
        if row.prompt is None:
            # The first token has nothing in front of it to be predicted from.
            prompt, completion = completion[:1], completion[1:]
        else:
            prompt = render_prompt(tokenizer, row.prompt, system_prompt)
        if completion and (limit is None or len(prompt) + len(completion) <= limit):
            yield TrainingExample(str(i), tuple(prompt), tuple(completion))


@dataclass(frozen=True, slots=True)
class SftJob:
    """Everything that one SFT needs, to be run in another process."""

    settings: LearnerSettings
    rows: Sequence[SftRow]
    plan: UpdatePlan
    validation_split: float = 0.0
    max_tokens: int | None = None
    system_prompt: str | None = None

    def run(self, out_dir: str | Path, on_log: Callable[[LogRow], None] | None = None) -> SftReport:
        return run_sft(
            self.settings,
            self.rows,
            self.plan,
            out_dir,
            validation_split=self.validation_split,
            max_tokens=self.max_tokens,
            system_prompt=self.system_prompt,
            on_log=on_log,
        )
