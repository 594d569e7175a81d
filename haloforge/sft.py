"""`python -m haloforge.sft`: supervised fine-tuning of a model on prompts with answers, LoRA or full.

The same trainer as RAFT's update, in a Ray actor. Writes checkpoints, `final_model`, `metrics.jsonl` and `logs/` into
the output folder; the same command again goes on where it stood. See docs/SFT.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from haloforge import config as schema
from haloforge import output_folder, paths
from haloforge.config import Resolved, SftConfig
from haloforge.errors import BadInput
from haloforge.terminal import errors_shown, show, terminable
from haloforge.watching.progress import log_file, seen_by_a_person, ticking, told
from haloforge.watching.stages import Several, Stage

if TYPE_CHECKING:
    from haloforge.models import StartPoint
    from haloforge.sft_folder import SftFolder
    from haloforge.training.sft import SftJob, SftRow

log = logging.getLogger("haloforge")

FEW_STEPS = 8
"""Below so many optimizer steps a training is warned of; RAFT's cycles take at least as many."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def train(
    config: Annotated[str | None, typer.Option(help="YAML file; flags win over it")] = None,
    data: Annotated[str | None, typer.Option(help="JSONL: prompt and completion, or text, per line")] = None,
    model: Annotated[str | None, typer.Option(help="model folder, or an adapter folder to continue")] = None,
    output: Annotated[str | None, typer.Option(help="output folder (models/sft)")] = None,
    epochs: Annotated[int | None, typer.Option(help="passes over the data (3)")] = None,
    resume: Annotated[str | None, typer.Option(help="checkpoint folder to go on from (the newest whole one)")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="any key: training.learning_rate=2e-4")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="move an earlier output folder aside and start anew")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="check everything, say what would be trained, start nothing")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="only warnings, errors and the result")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="tracebacks and debug logs")] = False,
) -> None:
    """Fine-tune a model on prompts with answers."""
    typed: dict[str, Any] = {
        "data.train_file": data,
        "model.name": model,
        "training.output_dir": output,
        "training.num_train_epochs": epochs,
    }
    with errors_shown(debug, quiet):
        settings = {key: value for key, value in typed.items() if value is not None}
        settings |= dict(schema.parse_setting(text) for text in set_ or [])
        checkpoint = find_checkpoint(resume, fresh) if resume else None
        if checkpoint is not None:
            settings.setdefault("training.output_dir", str(checkpoint.parent))
        found = output_folder.resolved(SftConfig, config, settings, lambda c: c.training.output_dir, fresh)
        run_command(found, checkpoint, fresh, dry_run, quiet)


def find_checkpoint(name: str, fresh: bool) -> Path:
    """The folder that --resume names: as an input is found, else where outputs go."""
    if fresh:
        raise BadInput(
            "--fresh moves the output folder aside, with the checkpoint that --resume names: type one of them"
        )
    there = paths.output(name)
    return there if there.exists() else paths.find_input(name, "checkpoint (--resume)")


@dataclass(frozen=True)
class Prepared:
    """The checked inputs of an SFT."""

    start: StartPoint
    rows: Sequence[SftRow]

    def identity(self, config: SftConfig) -> dict[str, Any]:
        """What makes this training the one it is."""
        data = hashlib.sha256(repr([(row.prompt, row.completion) for row in self.rows]).encode()).hexdigest()[:16]
        return {**schema.sft_identity(config), "start_digest": self.start.digest, "data_digest": data}


def prepare(config: SftConfig) -> Prepared:
    """Read and check the inputs. Raises BadInput or MissingTool, worded for who must act."""
    from haloforge.models import resolve_start_point
    from haloforge.preparation import require_packages
    from haloforge.training.sft import read_rows

    require_packages("torch", "transformers", "peft", "trl", "tensorboard")
    needed = {"model.name (--model)": config.model.name, "data.train_file (--data)": config.data.train_file}
    if missing := [name for name, value in needed.items() if not value]:
        raise BadInput(
            f"{' and '.join(missing)} missing: type them, or name them in the config. Defaults of the rest: output "
            f"{config.training.output_dir}, epochs {config.training.num_train_epochs}, method {config.method}"
        )
    assert config.model.name is not None
    assert config.data.train_file is not None
    start = resolve_start_point(paths.find_input(config.model.name, "model"))
    if start.adapter_dir and config.method == "full":
        raise BadInput(
            f"{start.adapter_dir} is an adapter, which method full cannot train: use method lora, or a full model"
        )
    return Prepared(start.lasting(), read_rows(paths.find_input(config.data.train_file, "training data")))


def run_command(
    found: Resolved[SftConfig], checkpoint: Path | None, fresh: bool, dry_run: bool, quiet: bool = False
) -> None:
    """Everything between the typed line and the exit code 0; all else is raised."""
    from haloforge.sft_folder import LOG_FILE, SftFolder
    from haloforge.training.checkpoints import require_whole
    from haloforge.versions import versions

    config = found.config
    folder = SftFolder(paths.output(config.training.output_dir))
    if checkpoint is not None and checkpoint.resolve().parent != folder.path.resolve():
        raise BadInput(
            f"--resume {checkpoint} is not in the output folder {folder.path}: leave --output out, or type "
            f"--output {checkpoint.parent}"
        )
    prepared = prepare(config)
    if dry_run:
        folder.require_place()
        return show_plan(found, prepared, folder, checkpoint, fresh)
    if fresh and (aside := folder.set_aside()):
        log.info("--fresh: the earlier output folder is now %s", aside)
    folder.open()
    try:
        with log_file(folder.path / LOG_FILE):
            log.info("output folder: %s", folder.path)
            folder.begin(prepared.identity(config), config.model_dump(mode="json"), versions())
            if checkpoint is not None:
                require_whole(checkpoint)
            if folder.complete:
                log.info("%s is complete: nothing is left to train (--fresh starts anew)", folder.path)
            else:
                asyncio.run(drive(config, prepared, folder, checkpoint, quiet))
    finally:
        folder.close()
    show_end(folder)


async def drive(
    config: SftConfig, prepared: Prepared, folder: SftFolder, checkpoint: Path | None, quiet: bool = False
) -> None:
    """Bring up Ray, train in an actor, and write what it sends as it comes; a signal ends it in order."""
    from actors.cluster import connect
    from actors.sft import choose_place, train_in_actor
    from haloforge.sft_folder import METRICS_KEYS

    with (
        told(Several(*seen_by_a_person(quiet))) as progress,
        connect(folder.path.name, config.cluster) as cluster,
        terminable(),
    ):
        place = choose_place(
            cluster, config.placement.mode != "cpu", config.placement.trainer_node, config.hardware.env
        )
        log.info("training on %s, %s", place.node, "1 GPU" if place.gpus else f"{place.threads} CPUs")
        taken_up = folder.take_up(checkpoint)
        if taken_up is not None:
            log.info("going on from %s", taken_up.checkpoint)

        def on_checkpoint(arrived: Path) -> None:
            folder.on_checkpoint(arrived, config.training.save_total_limit)
            log.info("checkpoint: %s", arrived)

        def on_log(row: dict[str, float]) -> None:
            folder.on_log(row)
            stage.take_row(row)
            said = ", ".join(f"{name} {row[name]:.4g}" for name in METRICS_KEYS[1:] if name in row)
            log.info("step %d: %s", row["step"], said)

        async with ticking(progress):
            with progress.during(Stage("train", unit="steps")) as stage:
                report = await train_in_actor(
                    cluster,
                    place,
                    sft_job(config, prepared.start, prepared.rows, place.threads),
                    folder.final_model,
                    on_log,
                    resume=taken_up.checkpoint if taken_up else None,
                    best=taken_up.best if taken_up else None,
                    on_checkpoint=on_checkpoint,
                )
    folder.finish(report)
    if (steps := report.update.optimizer_steps) < FEW_STEPS:
        log.warning(
            "only %d optimizer steps, which move little: lower gradient_accumulation_steps or raise the epochs",
            steps,
        )
    if report.too_long:
        log.warning("%d rows are longer than %d tokens and were left out", report.too_long, config.data.max_seq_length)
    if config.data.validation_split and not report.eval_rows:
        log.warning(
            "data.validation_split %g of these prompts is none: no eval_loss, no early end, and the last weights are "
            "the final model",
            config.data.validation_split,
        )
    for notice in (*report.notices, *report.update.notices):
        log.info("%s", notice)


def sft_job(config: SftConfig, start: StartPoint, rows: Sequence[SftRow], threads: int) -> SftJob:
    """What the trainer gets: the config's settings in the trainer's words."""
    from haloforge.training.learner import LearnerSettings
    from haloforge.training.measuring import Cadence
    from haloforge.training.plan import UpdatePlan
    from haloforge.training.sft import SftJob

    training, stopping = config.training, config.early_stopping
    return SftJob(
        settings=LearnerSettings(
            model_dir=start.base_dir,
            method=config.method,
            lora_r=config.lora.r,
            lora_alpha=config.lora.alpha,
            lora_dropout=config.lora.dropout,
            lora_target_modules=config.lora.target_modules,
            dtype="bfloat16" if training.bf16 else "float32",
            attn_implementation=config.model.attn_implementation,
            gradient_checkpointing=training.gradient_checkpointing,
            trust_remote_code=config.model.trust_remote_code,
            threads=threads,
            seed=config.seed,
        ),
        rows=rows,
        plan=UpdatePlan(
            learning_rate=training.learning_rate,
            epochs=training.num_train_epochs,
            batch_size=training.per_device_train_batch_size,
            gradient_accumulation_steps=training.gradient_accumulation_steps,
            warmup_ratio=training.warmup_ratio,
            scheduler="cosine",
            min_steps=0,
            weight_decay=training.weight_decay,
            max_grad_norm=training.max_grad_norm,
            dataloader_num_workers=training.dataloader_num_workers,
            dataloader_pin_memory=training.dataloader_pin_memory,
            logging_steps=training.logging_steps,
            seed=config.seed,
        ),
        validation_split=config.data.validation_split,
        max_tokens=config.data.max_seq_length,
        system_prompt=config.system_prompt,
        adapter_dir=start.adapter_dir,
        cadence=Cadence(
            eval_steps=training.eval_steps,
            save_steps=training.save_steps,
            patience=stopping.patience if stopping.enabled else None,
            min_delta=stopping.min_delta,
        ),
    )


def show_plan(
    found: Resolved[SftConfig], prepared: Prepared, folder: SftFolder, checkpoint: Path | None, fresh: bool
) -> None:
    """What a run of this command would do."""
    from haloforge.training.checkpoints import require_whole
    from haloforge.training.plan import plan_steps
    from haloforge.training.sft import split_rows

    config = found.config
    if not fresh:
        folder.load()
        folder.require_begun_as(prepared.identity(config))
    from_ = None if fresh else require_whole(checkpoint) if checkpoint else folder.newest()
    job = sft_job(config, prepared.start, prepared.rows, 1)
    train_rows, eval_rows = split_rows(job.rows, job.validation_split, job.plan.seed)
    start = prepared.start
    show(
        "dry run: everything was checked but the cluster and the rows' lengths, and nothing was started",
        f"model: {start.base_dir}" + (f", with adapter {start.adapter_dir}" if start.adapter_dir else ""),
        f"rows: {len(train_rows)} to train on, {len(eval_rows)} held out (before any is found too long)",
        f"optimizer steps: {plan_steps(len(train_rows), job.plan).steps if train_rows else 0}, method {config.method}",
        f"output folder: {folder.path}"
        + (", complete" if folder.complete else f", from {from_.name}" if from_ else ""),
        "settings that are not defaults:",
        *(f"  {line}" for line in schema.described(found, defaults=False)),
    )


def show_end(folder: SftFolder) -> None:
    """What came out, where it is, and the next command to type."""
    found = folder.statistics
    if found["eval_loss"] is not None:
        best = f"step {found['best_step']} of {found['optimizer_steps']}"
        early = ", ended early" if found["stopped_early"] else ""
        show(f"eval_loss: {found['eval_loss_before']:.4f} before training → {found['eval_loss']:.4f} ({best}{early})")
        if found["eval_loss"] >= found["eval_loss_before"]:
            log.warning("the training did not lower eval_loss: look at the data and at training.learning_rate")
    show(
        f"model: {folder.final_model}",
        f"metrics: {folder.path / 'metrics.jsonl'}; tensorboard --logdir {folder.path / 'logs'}",
        f"next: haloforge raft train --checkpoint {folder.final_model} --prompts prompts.jsonl "
        "--output models/raft-sft",
    )


if __name__ == "__main__":
    app()
