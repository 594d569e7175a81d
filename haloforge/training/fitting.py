"""Fit a model's trainable weights to token ids: TRL's SFTTrainer with our batches and a leaner loss.

What is ours and why: the batches hold exactly the given ids (nothing is tokenised, truncated or packed by TRL, whose
batch sizes count packs); logits are computed at completion positions only, and no per-step metrics, which makes a
step of a small model as fast as a loop by hand (benchmarks/bench_training.py); where those logits would be large, TRL's
own tiled loss is used. A training with a course writes checkpoints and is taken up from one by the Trainer's own means,
with our weight files. Imports torch and TRL: import this module late.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # TRL reports every trainer it builds, else

import torch
from datasets import Dataset
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer

from haloforge.errors import BadInput, LossNotFinite
from haloforge.records import TrainingExample
from haloforge.training.checkpoints import Course, path_of, step_of, write_progress
from haloforge.training.measuring import due

if TYPE_CHECKING:
    from haloforge.training.plan import StepPlan, UpdatePlan

IGNORED = -100
DENSE_LOGITS_LIMIT = 2**28
"""Logits (labels × vocabulary) up to which they are computed at once, 1 GiB in float32; above, TRL's tiled loss."""


def collate(examples: Sequence[TrainingExample], pad_id: int, packed: bool) -> dict[str, torch.Tensor]:
    """One batch. Prompts and padding carry no loss; the number of labels is the number of completion tokens.

    Padded: input_ids, labels (B, T) int64. No attention mask: padding is on the right and attention is causal, so
    no token ever sees it. Packed: input_ids, labels, position_ids (1, sum of lengths) int64; positions that restart
    at 0 and no mask are what keeps samples from attending to each other (with use_cache=False).
    """
    rows = [[*e.prompt_token_ids, *e.token_ids] for e in examples]
    labels = [[IGNORED] * len(e.prompt_token_ids) + list(e.token_ids) for e in examples]
    if packed:
        batch = {
            "input_ids": torch.tensor([[id for row in rows for id in row]]),
            "labels": torch.tensor([[label for row in labels for label in row]]),
            "position_ids": torch.tensor([[i for row in rows for i in range(len(row))]]),
        }
    else:
        width = max(map(len, rows))
        batch = {
            "input_ids": torch.tensor([row + [pad_id] * (width - len(row)) for row in rows]),
            "labels": torch.tensor([row + [IGNORED] * (width - len(row)) for row in labels]),
        }
    sampled = sum(len(e.token_ids) for e in examples)
    counted = int((batch["labels"] != IGNORED).sum())
    assert counted == sampled, f"{counted} labels for {sampled} completion tokens"
    return batch


def completion_logits(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (K, V) float32 of the K labelled tokens in row order, and the tokens (K,).

    The rows are picked in front of the output head, so that scales and caps behind it stay the model's own.
    """
    targets = batch["labels"][:, 1:]
    wanted = targets != IGNORED

    def pick(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0][:, :-1][wanted].unsqueeze(0), *args[1:])

    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    hook = model.get_output_embeddings().register_forward_pre_hook(pick)
    try:
        logits = model(**inputs, use_cache=False).logits
    finally:
        hook.remove()
    return logits[0].float(), targets[wanted]


class _Trainer(SFTTrainer):
    loss_is_scaled_for_ga = True  # both losses below are divided by the tokens of the whole optimizer step
    write_weights: Callable[[Path], None]

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        assert output_dir is not None
        self.write_weights(Path(output_dir))

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """None: TRL's is a form for the hub."""

    def load_weights(self, checkpoint: Path) -> None:
        self._load_from_checkpoint(str(checkpoint))

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """A tied weight is stored once and so always missed once; anything else must not be."""
        once = {name for name, _ in self.model.named_parameters()}
        if wrong := sorted(once & {*load_result.missing_keys}) + list(load_result.unexpected_keys):
            raise BadInput(f"the checkpoint's weights are not this model's: {', '.join(wrong[:5])}")

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        labels = (inputs["labels"] != IGNORED).sum()
        if int(labels) * self.model.config.get_text_config().vocab_size > DENSE_LOGITS_LIMIT:
            if "position_ids" not in inputs:  # TRL counts its tokens by one of the two
                inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
            loss = super().compute_loss(model, inputs, False, num_items_in_batch)
        else:
            logits, targets = completion_logits(model, inputs)
            loss = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
            loss = loss / (labels if num_items_in_batch is None else num_items_in_batch)
        if not torch.isfinite(loss):
            raise LossNotFinite(
                f"loss is {loss.item()} at optimizer step {self.state.global_step + 1}: lower training.learning_rate, "
                "or check the start checkpoint"
            )
        return loss


class _Course(TrainerCallback):
    """Hands on the trainer's log lines as rows, measures, and says when a checkpoint or an early end is due.

    Without a course, eval_loss is measured between epochs and the caller measures the end.
    """

    def __init__(
        self,
        on_log: Callable[[dict[str, float]], None] | None,
        steps: StepPlan,
        evaluate: Callable[[], float] | None,
        course: Course | None,
    ) -> None:
        self.emit, self.steps, self.evaluate, self.course = on_log, steps, evaluate, course

    def _row(self, state: Any, **values: float) -> None:
        if self.emit is not None:
            epoch = round((state.epoch or 0.0) * self.steps.epochs, 4)
            steps = {"steps": self.steps.steps} if self.course else {}
            self.emit({"step": state.global_step, "epoch": epoch, **values, **steps})

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs:
            self._row(state, train_loss=float(logs["loss"]), learning_rate=float(logs["learning_rate"]))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        step, course = state.global_step, self.course
        if course is None:
            if self.evaluate is not None and step < self.steps.steps and due(step, None, self.steps):
                self._row(state, eval_loss=self.evaluate())
            return
        save = due(step, course.cadence.save_steps, self.steps)
        if self.evaluate is not None and due(step, course.cadence.eval_steps, self.steps):
            loss = self.evaluate()
            self._row(state, eval_loss=loss)
            save |= course.measured.add(step, loss)
            if course.measured.exhausted(course.cadence):
                control.should_training_stop = save = True
        if save:
            # A log row at each checkpoint: its mean then never spans the place where a resumed training begins.
            control.should_save = control.should_log = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        assert self.course is not None
        checkpoint = path_of(self.course.folder, state.global_step)
        write_progress(checkpoint, self.course.measured)
        best = self.course.measured.best
        if best and best[0] == state.global_step:
            self.course.best = checkpoint
        if self.course.on_checkpoint is not None:
            self.course.on_checkpoint(checkpoint)


def fit(
    model: Any,
    tokenizer: Any,
    examples: Sequence[TrainingExample],
    order: list[list[int]],
    plan: UpdatePlan,
    steps: StepPlan,
    *,
    packed: bool,
    autocast: bool,
    on_log: Callable[[dict[str, float]], None] | None = None,
    evaluate: Callable[[], float] | None = None,
    course: Course | None = None,
    write_weights: Callable[[Path], None] | None = None,
) -> int:
    """Train the model's trainable weights in place with a fresh optimizer; returns the optimizer steps taken.

    order: micro-batches as indices into `examples`, for all epochs (plan.batch_order). autocast: BF16 matrix products
    over float32 masters. on_log gets rows of step, epoch and train_loss + learning_rate, or eval_loss.
    course: checkpoints, whose weights `write_weights` writes; with its `resume`, weights, optimizer, schedule, random
    state and place in `order` are that checkpoint's. At the end the weights are those of its best checkpoint.

    Raises:
        LossNotFinite: a loss was NaN or infinite; the weights are then half-way and the caller restores them.
    """
    with tempfile.TemporaryDirectory(prefix="haloforge-fit-") as scratch, _left_as_found(model):
        args = SFTConfig(
            output_dir=str(course.folder) if course else scratch,
            max_steps=steps.steps,
            per_device_train_batch_size=1,  # a row of the data set is a whole micro-batch of samples
            gradient_accumulation_steps=steps.accumulation,
            learning_rate=plan.learning_rate,
            lr_scheduler_type="constant_with_warmup" if plan.scheduler == "constant" else plan.scheduler,
            warmup_steps=steps.warmup_steps,
            weight_decay=plan.weight_decay,
            max_grad_norm=plan.max_grad_norm,
            dataloader_num_workers=plan.dataloader_num_workers,
            dataloader_pin_memory=plan.dataloader_pin_memory and torch.cuda.is_available(),
            seed=plan.seed,
            data_seed=plan.seed,
            bf16=autocast,
            gradient_checkpointing=False,  # the learner switches it on in the model itself, once
            use_cpu=not torch.cuda.is_available(),
            train_sampling_strategy="sequential",
            remove_unused_columns=False,
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            logging_steps=plan.logging_steps,
            logging_nan_inf_filter=False,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = _Trainer(
            model=model,
            args=args,
            train_dataset=Dataset.from_dict({"batch": order}),
            data_collator=lambda rows: collate(
                [examples[i] for row in rows for i in row["batch"]], tokenizer.pad_token_id, packed
            ),
            processing_class=tokenizer,
            callbacks=[_Course(on_log, steps, evaluate, course)],
        )
        trainer.remove_callback(PrinterCallback)
        if course is None:
            trainer.train()
            taken = int(trainer.state.global_step)
        else:
            assert write_weights is not None
            trainer.write_weights = write_weights
            taken = _follow(trainer, course, steps)
    assert taken == steps.steps or (course and course.measured.exhausted(course.cadence)), f"{taken} of {steps.steps}"
    return taken


def _follow(trainer: _Trainer, course: Course, steps: StepPlan) -> int:
    """Train on to the course's end and take its best weights; returns the optimizer steps taken in all."""
    taken = step_of(course.resume) if course.resume else 0
    assert taken is not None
    if taken < steps.steps and not course.measured.exhausted(course.cadence):
        trainer.train(resume_from_checkpoint=str(course.resume) if course.resume else None)
        taken = int(trainer.state.global_step)
    elif course.resume is not None:
        trainer.load_weights(course.resume)
    best = course.measured.best
    if best and best[0] != taken:
        assert course.best is not None
        trainer.load_weights(course.best)
    return taken


@contextlib.contextmanager
def _left_as_found(model: Any) -> Iterator[None]:
    """Undo what TRL and accelerate hang on a model, which here outlives its trainer.

    TRL's patches of `forward` would pile up, and a model marked as prepared would get no autocast the next time.
    """
    owners = [model, model.get_base_model()] if hasattr(model, "get_base_model") else [model]
    names = ("forward", "_original_forward", "_is_accelerate_prepared")
    found = [(owner, name, owner.__dict__.get(name)) for owner in owners for name in names]
    try:
        yield
    finally:
        for owner, name, value in found:
            owner.__dict__.pop(name, None)
            if value is not None:
                owner.__dict__[name] = value
