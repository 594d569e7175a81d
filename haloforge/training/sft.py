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
from haloforge.training.checkpoints import Course, read_measurements
from haloforge.training.learner import Learner, LearnerSettings, LogRow, UpdateReport
from haloforge.training.measuring import Cadence, Measurements
from haloforge.training.plan import UpdatePlan

FINAL_MODEL = "final_model"
WANTED = 'a row is {"prompt": text, "completion": text} or {"text": text}'


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
    """Of the model that was written."""
    start_eval_loss: float | None = None
    """Before training; None without a cadence."""
    best_step: int | None = None
    """Optimizer step of the weights that were written; None: the last."""
    stopped_early: bool = False
    """eval_loss had stopped falling; this may have been at the last step too."""
    notices: tuple[str, ...] = ()


def read_rows(file: str | Path) -> list[SftRow]:
    """Rows of a JSONL file.

    Raises:
        BadInput: the file is missing or empty, or a line (named) is no JSON object with the fields of a row.
    """
    path = Path(file)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # a row may hold other line separators
    except OSError as e:
        raise BadInput(f"cannot read training data {path}: {e.strerror}; give a JSONL file (data.train_file)") from e
    except UnicodeDecodeError as e:
        raise BadInput(f"training data {path} is not UTF-8 at byte {e.start}; convert it") from e
    rows = [_row(line, f"{path}, line {n}") for n, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise BadInput(f"training data {path} has no rows; {WANTED}")
    return rows


@dataclass(frozen=True, slots=True)
class SftJob:
    """Everything that one SFT needs, to be run in another process. `plan.min_steps` holds here too."""

    settings: LearnerSettings
    rows: Sequence[SftRow]
    plan: UpdatePlan
    validation_split: float = 0.0
    """Share of the prompts (floor) whose rows are all held out, chosen by a hash of prompt and seed."""
    max_tokens: int | None = None
    """Longest row in tokens; None takes the model's context length."""
    system_prompt: str | None = None
    adapter_dir: str | None = None
    """The adapter to continue (lora); None: a fresh one."""
    cadence: Cadence | None = None
    """Measurements, checkpoints and the early end; None: no checkpoints, all steps, eval_loss at each epoch's end."""


def run_sft(
    job: SftJob,
    out_dir: str | Path,
    on_log: Callable[[LogRow], None] | None = None,
    *,
    resume: str | Path | None = None,
    best: str | Path | None = None,
    on_checkpoint: Callable[[Path], None] | None = None,
    on_start: Callable[[Course], None] | None = None,
) -> SftReport:
    """Train on the rows and write `<out_dir>/final_model`: a full model (method full) or an adapter (lora).

    With a cadence, `<out_dir>/checkpoint-N` besides, each handed to on_checkpoint when it is whole; `resume` is such a
    folder of the same job, from which it goes on, and `best` the one with the lowest eval_loss, where it is another.
    on_start gets the course, which tells at any time which checkpoint is the best.

    Raises:
        BadInput: the model folder is none, or no row is left to train on.
        LossNotFinite: the loss became NaN or infinite.
    """
    learner = Learner(job.settings)
    if job.adapter_dir:
        learner.start_adapter(job.adapter_dir)
    limit = job.max_tokens or context_length(job.settings.model_dir)
    train_rows, eval_rows = split_rows(job.rows, job.validation_split, job.plan.seed)
    train = list(_examples(learner.tokenizer, train_rows, job.system_prompt, limit))
    held_out = list(_examples(learner.tokenizer, eval_rows, job.system_prompt, limit))
    if not train:
        raise BadInput(
            f"of {len(job.rows)} rows none is left to train on: {len(eval_rows)} are held out (data.validation_split "
            f"{job.validation_split}) and the others are longer than {limit} tokens; raise data.max_seq_length, or "
            "give shorter rows"
        )
    course = None
    if job.cadence is not None:
        checkpoint = Path(resume) if resume else None
        course = Course(
            job.cadence,
            Path(out_dir),
            read_measurements(checkpoint) if checkpoint else Measurements(),
            resume=checkpoint,
            best=Path(best) if best else checkpoint,
            on_checkpoint=on_checkpoint,
        )
        if on_start is not None:
            on_start(course)
    out = Path(out_dir) / FINAL_MODEL
    update = learner.update(train, job.plan, out, on_log, held_out, course)
    return SftReport(
        model_dir=str(out),
        update=update,
        train_rows=len(train),
        eval_rows=len(held_out),
        too_long=len(job.rows) - len(train) - len(held_out),
        eval_loss=update.held_out_loss,
        start_eval_loss=course.measured.start if course else None,
        best_step=course.measured.best[0] if course and course.measured.best else None,
        stopped_early=course is not None and course.measured.exhausted(course.cadence),
        notices=tuple(learner.notices),
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
        raise BadInput(f"{where} is not JSON: {e}; {WANTED}") from e
    if not isinstance(data, dict):
        raise BadInput(f"{where} is {_named(data)}, not an object; {WANTED}")
    fields = {key: data[key] for key in ("prompt", "completion", "text") if key in data}
    if wrong := [f'"{key}" is {_named(value)}' for key, value in fields.items() if not isinstance(value, str)]:
        raise BadInput(f"{where}: {', '.join(wrong)}, not a text; {WANTED}")
    if {"prompt", "completion"} <= fields.keys():
        return SftRow(fields["prompt"], fields["completion"])
    if fields.get("text"):
        return SftRow(None, fields["text"])
    has = ", ".join(f'"{key}"' for key in data) or "nothing"
    raise BadInput(f"{where} is not a row: it has {has}; {WANTED}")


def _named(value: Any) -> str:
    kinds = {list: "a list", dict: "an object", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(value), "a text" if isinstance(value, str) else "null")


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
