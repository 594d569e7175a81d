"""`python -m haloforge.sft`: supervised fine-tuning of a model folder on prompts with answers, LoRA or full.

The same trainer as RAFT's update, in a Ray actor. Writes `<output>/final_model` and `<output>/metrics.jsonl`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from haloforge import config as schema
from haloforge import paths
from haloforge.config import SftConfig
from haloforge.errors import BadInput
from haloforge.terminal import errors_shown, show, terminable

log = logging.getLogger("haloforge")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def train(
    config: Annotated[str | None, typer.Option(help="YAML file; flags win over it")] = None,
    data: Annotated[str | None, typer.Option(help="JSONL: prompt and completion, or text, per line")] = None,
    model: Annotated[str | None, typer.Option(help="base model folder")] = None,
    output: Annotated[str | None, typer.Option(help="output folder (models/sft)")] = None,
    epochs: Annotated[int | None, typer.Option(help="passes over the data (3)")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="any key: training.learning_rate=2e-4")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="tracebacks and debug logs")] = False,
) -> None:
    """Fine-tune a model on prompts with answers."""
    typed: dict[str, Any] = {
        "data.train_file": data,
        "model.name": model,
        "training.output_dir": output,
        "training.num_train_epochs": epochs,
    }
    with errors_shown(debug):
        settings = {key: value for key, value in typed.items() if value is not None}
        settings |= dict(schema.parse_setting(text) for text in set_ or [])
        file = paths.find_config(config) if config else None
        run_command(schema.load(SftConfig, file, settings))


def run_command(config: SftConfig) -> None:
    """Check the input, train, and say where the model is."""
    from haloforge.models import lasting, require_model
    from haloforge.preparation import require_packages
    from haloforge.training.sft import read_rows

    require_packages("torch", "transformers", "peft", "trl")
    needed = {"model.name (--model)": config.model.name, "data.train_file (--data)": config.data.train_file}
    if missing := [name for name, value in needed.items() if not value]:
        raise BadInput(f"{' and '.join(missing)} missing")
    assert config.model.name is not None
    assert config.data.train_file is not None
    base = Path(lasting(str(require_model(paths.find_input(config.model.name, "model")))))
    rows = read_rows(paths.find_input(config.data.train_file, "training data"))
    output = paths.output(config.training.output_dir)
    output.mkdir(parents=True, exist_ok=True)
    asyncio.run(drive(config, base, rows, output))
    show(f"model: {output / 'final_model'}", f"metrics: {output / 'metrics.jsonl'}")


async def drive(config: SftConfig, base: Path, rows: list[Any], output: Path) -> None:
    """Bring up Ray, train in an actor, and write the metrics as they arrive."""
    from actors.cluster import connect
    from actors.trainer import train_in_actor
    from haloforge.training.learner import LearnerSettings
    from haloforge.training.plan import UpdatePlan
    from haloforge.training.sft import SftJob

    training = config.training
    job = SftJob(
        settings=LearnerSettings(
            model_dir=str(base),
            method=config.method,
            lora_r=config.lora.r,
            lora_alpha=config.lora.alpha,
            lora_dropout=config.lora.dropout,
            lora_target_modules=config.lora.target_modules,
            dtype="bfloat16" if training.bf16 else "float32",
            attn_implementation=config.model.attn_implementation,
            gradient_checkpointing=training.gradient_checkpointing,
            trust_remote_code=config.model.trust_remote_code,
            threads=os.cpu_count(),
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
            seed=config.seed,
        ),
        validation_split=config.data.validation_split,
        max_tokens=config.data.max_seq_length,
        system_prompt=config.system_prompt,
    )
    with (output / "metrics.jsonl").open("w", encoding="utf-8") as metrics:

        def on_log(row: dict[str, float]) -> None:
            metrics.write(json.dumps(row) + "\n")
            metrics.flush()
            log.info("step %d: %s", row["step"], ", ".join(f"{k} {v:.4g}" for k, v in row.items() if k != "step"))

        with connect(output.name, config.cluster) as cluster, terminable():
            node = cluster.node(config.placement.trainer_node, "placement.trainer_node", cluster.here)
            report = await train_in_actor(cluster, node, job, output / "final_model", on_log)
    if report.too_long:
        log.warning("%d rows are longer than %d tokens and were left out", report.too_long, config.data.max_seq_length)


if __name__ == "__main__":
    app()
