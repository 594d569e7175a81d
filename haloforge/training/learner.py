"""One model in memory that learns from sampled token ids, update by update, and scores tokens.

The base stays resident and frozen (method lora) or is itself trained in float32 (method full). Every update has a
fresh optimizer, so that a learner which starts from a written folder goes on exactly as one that never stopped.
Not here: what is trained on, and where the folders travel.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from haloforge.errors import BadInput, LossNotFinite
from haloforge.models import is_complete_adapter, require_model
from haloforge.records import TrainingExample
from haloforge.rendering import load_tokenizer
from haloforge.training.checkpoints import Course
from haloforge.training.folders import write_adapter, write_model, written_aside
from haloforge.training.plan import UpdatePlan, batch_order, plan_steps

if TYPE_CHECKING:
    import torch

# Threads that wait must sleep: spinning ones, on cores that others use too, slow torch down many times over.
# Read when torch is loaded, so it counts only where this module comes first.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

SCORING_LOGITS = 2**26
"""Logits (tokens × vocabulary) of one scoring batch, 256 MiB in float32."""

MEASURED = 512
"""Examples, evenly spread, on which an update's loss before and after is measured; all where there are fewer."""

LogRow = dict[str, float]


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """What is loaded, and how. `lora_*` counts only where an adapter is started afresh."""

    model_dir: str
    base_name: str | None = None
    """The base's path as adapters record it, where the model is loaded from a copy; None: model_dir."""
    method: Literal["lora", "full"] = "lora"
    lora_r: int = 16
    lora_alpha: float = 32
    lora_dropout: float = 0.0
    lora_target_modules: tuple[str, ...] | None = None
    """Names of the modules that get an adapter; None: every linear layer except the output head."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Of the frozen base (lora), or of the folder that is written and of the matrix products (full)."""
    served_dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    """Of the engine that serves the adapter, for scoring as "served"."""
    attn_implementation: str | None = None
    """None: sdpa, else eager where the model has no sdpa (said in `Learner.notices`). A name is obeyed."""
    gradient_checkpointing: bool | Literal["auto"] = False
    """Recompute activations instead of storing them: less memory, more time. auto: on a GPU only."""
    trust_remote_code: bool = False
    gpu_memory_bytes: int | None = None
    """What this process may take of its GPU: beyond it torch raises, where unified memory would freeze the machine."""
    threads: int | None = None
    """CPU threads of torch in this process; None leaves torch's own choice."""
    seed: int = 0
    """Of a fresh adapter's weights."""


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What one update did. Losses are mean negative log-likelihoods per completion token, in nats."""

    optimizer_steps: int
    epochs: int
    loss_before: float
    """On the examples trained on (at most MEASURED of them)."""
    loss_after: float
    held_out_loss: float | None
    """After training, on the held-out examples; None where there are none."""
    weight_change: float
    """L2 norm of the change of all trained weights ÷ their L2 norm before."""
    samples: int
    tokens: int
    """Completion tokens of the examples, once."""
    seconds: float
    learning_rate: float
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """Natural-log probabilities at T = 1, per sequence and completion token, in the order asked."""

    logprobs: tuple[tuple[float, ...], ...]
    entropy: float
    """Mean over those tokens of the entropy of the whole vocabulary's distribution, in nats."""
    rounding: float = 0.0
    """Root mean square over those tokens of what rounding the logits can do to them, in nats; as "served" only."""

    @property
    def mean_loss(self) -> float:
        """Mean negative log-likelihood per token, in nats."""
        return -sum(map(sum, self.logprobs)) / sum(map(len, self.logprobs))


def rounding_variance(logits: Any, table: Any, targets: Any, dtype: str) -> Any:
    """Variance (K,) of each token's log-probability where two programs round every logit to `dtype` by themselves.

    Each logit is then off by up to half of its unit in the last place, twice. logits, table (their log-softmax):
    (K, V) float32; targets: (K,). The derivative of a log-probability is 1 − p for its own logit and −p for the others.
    """
    import torch

    bits = {"bfloat16": 8, "float16": 11, "float32": 24}[dtype]
    unit = torch.ldexp(torch.ones_like(logits), torch.frexp(logits).exponent - bits)
    slope = table.exp()
    rows = torch.arange(len(targets), device=targets.device)
    slope[rows, targets] = 1 - slope[rows, targets]
    return 2 * ((slope * unit / 2) ** 2).sum(dim=-1)


class Learner:
    """Train, score and write one model.

    Raises:
        BadInput: `model_dir` is no complete model with a tokenizer.
    """

    def __init__(self, settings: LearnerSettings) -> None:
        import torch
        from transformers.utils import logging

        logging.disable_progress_bar()
        require_model(Path(settings.model_dir))
        self.settings = settings
        self.notices: list[str] = []
        self._take_threads()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device.type == "cuda" and settings.gpu_memory_bytes is not None:
            total = torch.cuda.get_device_properties(self.device).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, settings.gpu_memory_bytes / total))
        self.tokenizer: Any = load_tokenizer(settings.model_dir, settings.trust_remote_code)
        self._base: Any = self._load_base()
        self._model: Any = self._base
        self._previous: dict[str, torch.Tensor] | None = None
        if settings.method == "lora":
            self.start_adapter(None)

    # ── adapters ────────────────────────────────────────────────────────────────────────────────────────────────

    def start_adapter(self, folder: str | Path | None) -> None:
        """Continue the adapter in `folder`, or start a fresh one (None), which is the same for the same seed.

        Raises:
            BadInput: the folder holds no complete LoRA adapter, or one that does not fit the base.
        """
        import torch
        from peft import LoraConfig, PeftModel, get_peft_model

        assert self.settings.method == "lora", "method full has no adapter"
        if folder is not None and not is_complete_adapter(folder):
            raise BadInput(f"{folder} is not a complete adapter: train or copy it again")
        if self._model is not self._base:
            self._base = self._model.unload()
        s = self.settings
        if folder is None:
            config = LoraConfig(
                r=s.lora_r,
                lora_alpha=s.lora_alpha,  # type: ignore[arg-type, unused-ignore]
                lora_dropout=s.lora_dropout,
                target_modules=list(s.lora_target_modules) if s.lora_target_modules else "all-linear",
                task_type="CAUSAL_LM",
            )
            with torch.random.fork_rng():
                torch.manual_seed(s.seed)
                try:
                    self._model = get_peft_model(self._base, config)
                except ValueError as e:
                    raise BadInput(f"lora.target_modules do not fit {s.model_dir}: {e}") from e
        else:
            try:
                self._model = PeftModel.from_pretrained(self._base, str(folder), is_trainable=True)
            except (ValueError, RuntimeError, KeyError) as e:
                raise BadInput(f"adapter {folder} does not fit base {s.model_dir}: {e}") from e
        self._model.to(self.device)
        self._previous = None

    def restore(self, current: str | Path | None, previous: str | Path | None) -> None:
        """Take a run up again: the adapter to continue, and the one before it, for scoring."""
        self.start_adapter(previous)
        before = self._trained()
        self.start_adapter(current)
        self._previous = before

    def save(self, out_dir: str | Path) -> None:
        """Write what is there now: a plain adapter (lora) or a full model, whole or not at all."""
        with written_aside(Path(out_dir)) as folder:
            self._write(folder, self.settings.dtype)

    def adapter_tensors(self) -> dict[str, torch.Tensor]:
        """The current adapter as PEFT names and stores it: float32 CPU copies."""
        from peft import get_peft_model_state_dict

        assert self.settings.method == "lora", "method full has no adapter"
        state = get_peft_model_state_dict(self._model, save_embedding_layers=False)
        return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}

    # ── learning ────────────────────────────────────────────────────────────────────────────────────────────────

    def update(
        self,
        examples: Sequence[TrainingExample],
        plan: UpdatePlan,
        out_dir: str | Path,
        on_log: Callable[[LogRow], None] | None = None,
        held_out: Sequence[TrainingExample] = (),
        course: Course | None = None,
    ) -> UpdateReport:
        """Train on the examples' completion tokens and write the folder `out_dir`, whole or not at all.

        The folder is a plain PEFT adapter (lora) or a full model with the base's tokenizer (full). The same examples,
        plan and start give the same bytes. on_log gets rows of step, epoch and train_loss + learning_rate, and
        eval_loss at each epoch's end where `held_out` has examples. The weights before are kept for scoring (lora).
        With a course, rows also have steps, all there will be; checkpoints are written, measurements follow its cadence
        (the start point's comes first), and the weights of the lowest eval_loss are kept in the end. With its `resume`,
        the training goes on from there, to the same bytes as if it had never been interrupted (on a CPU).

        Raises:
            LossNotFinite: a loss was NaN or infinite; the learner is then as it was, and nothing is written.
        """
        from haloforge.training.fitting import fit

        assert examples, "nothing to train on"
        assert all(e.prompt_token_ids and e.token_ids for e in examples), "an example lacks its prompt or its tokens"
        self._take_threads()
        started = time.monotonic()
        steps = plan_steps(len(examples), plan)
        measured = examples[:: -(-len(examples) // MEASURED)]
        loss_before = self._finite(self.score(measured).mean_loss, "before training")
        before = self._trained()
        lengths = [len(e.prompt_token_ids) + len(e.token_ids) for e in examples]

        def measure() -> float:
            return self._finite(self.score(held_out).mean_loss, "on the held-out rows")

        if course and held_out and not course.resume:
            course.measured.add(0, measure())
            if on_log is not None:
                on_log({"step": 0, "epoch": 0.0, "eval_loss": course.measured.rows[-1][1], "steps": steps.steps})
        try:
            taken = fit(
                self._model,
                self.tokenizer,
                examples,
                batch_order(lengths, steps, plan.seed),
                plan,
                steps,
                packed=self.device.type != "cpu" if plan.packing == "auto" else plan.packing,
                autocast=self._autocast,
                on_log=on_log,
                evaluate=measure if held_out else None,
                course=course,
                write_weights=lambda folder: self._write(folder, "float32"),
            )
            self._round_masters()
            loss_after = self._finite(self.score(measured).mean_loss, "after training")
        except LossNotFinite:
            self._put(before)
            raise
        held_out_loss = None
        if held_out:
            # Without rounding, the weights are to the bit those that were measured.
            known = course.measured.best if course and not self._autocast else None
            held_out_loss = known[1] if known else measure()
        if course is None and on_log is not None and held_out_loss is not None:
            on_log({"step": steps.steps, "epoch": steps.epochs, "eval_loss": held_out_loss})
        weight_change = self._change_since(before)
        if self.settings.method == "lora":
            self._previous = before
        self.save(out_dir)
        return UpdateReport(
            optimizer_steps=taken,
            epochs=steps.epochs,
            loss_before=loss_before,
            loss_after=loss_after,
            held_out_loss=held_out_loss,
            weight_change=weight_change,
            samples=len(examples),
            tokens=sum(len(e.token_ids) for e in examples),
            seconds=time.monotonic() - started,
            learning_rate=plan.learning_rate,
            notices=steps.notices,
        )

    def score(
        self,
        sequences: Sequence[TrainingExample],
        adapter: Literal["current", "served", "previous", "none"] = "current",
    ) -> Scores:
        """Log-probabilities of the completion tokens under the current adapter, the same rounded to the engine's dtype
        ("served"), the one before the last update ("previous"; the current one where there was none), or the bare
        base ("none"). As "served" it also says what rounding the logits to the engine's dtype can do (`rounding`).
        """
        import torch

        from haloforge.training.fitting import collate, completion_logits

        assert adapter == "current" or self.settings.method == "lora", "method full keeps only its current weights"
        self._take_threads()
        logprobs: list[tuple[float, ...]] = [()] * len(sequences)
        entropy = rounding = 0.0
        was_training = self._model.training
        self._model.eval()
        try:
            with torch.no_grad(), self._serving(adapter), self._precision():
                for indices in self._scoring_batches(sequences):
                    chosen = [sequences[i] for i in indices]
                    batch = collate(chosen, self.tokenizer.pad_token_id, packed=False)
                    logits, targets = completion_logits(
                        self._model, {name: tensor.to(self.device) for name, tensor in batch.items()}
                    )
                    table = logits.log_softmax(dim=-1)
                    entropy -= float((table.exp() * table).nan_to_num(0.0).sum())
                    if adapter == "served":
                        rounding += float(rounding_variance(logits, table, targets, self.settings.served_dtype).sum())
                    flat = table.gather(-1, targets[:, None])[:, 0].tolist()
                    for i in indices:
                        n = len(sequences[i].token_ids)
                        logprobs[i], flat = tuple(flat[:n]), flat[n:]
        finally:
            self._model.train(was_training)
        tokens = sum(map(len, logprobs))
        return Scores(tuple(logprobs), entropy / max(tokens, 1), (rounding / max(tokens, 1)) ** 0.5)

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _take_threads(self) -> None:
        import torch

        if self.settings.threads is not None and torch.get_num_threads() != self.settings.threads:
            torch.set_num_threads(self.settings.threads)

    def _load_base(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        s = self.settings
        dtype = torch.float32 if s.method == "full" else getattr(torch, s.dtype)

        def load(attention: str) -> Any:
            return AutoModelForCausalLM.from_pretrained(
                s.model_dir, dtype=dtype, attn_implementation=attention, trust_remote_code=s.trust_remote_code
            )

        try:
            model = load(s.attn_implementation or "sdpa")
        except ImportError as e:
            raise BadInput(f"attn_implementation {s.attn_implementation} needs a package that is absent: {e}") from e
        except ValueError as e:
            if "attention" not in str(e):
                raise BadInput(f"{s.model_dir} does not load as a causal language model: {e}") from e
            if s.attn_implementation:
                raise BadInput(f"attn_implementation {s.attn_implementation} does not serve {s.model_dir}: {e}") from e
            model = load("eager")
            self.notices.append(f"{s.model_dir} has no sdpa attention: eager is used")
        except OSError as e:
            raise BadInput(f"{s.model_dir} does not load as a model: {e}") from e
        model.requires_grad_(s.method == "full")
        if self.device.type != "cpu" if s.gradient_checkpointing == "auto" else s.gradient_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        return model.to(self.device).eval()

    @property
    def _autocast(self) -> bool:
        """BF16 matrix products over float32 masters; a frozen BF16 base computes in BF16 by itself."""
        return self.settings.method == "full" and self.settings.dtype == "bfloat16"

    def _precision(self) -> Any:
        import torch

        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._autocast)

    def _write(self, folder: Path, dtype: str) -> None:
        """dtype: of a full model's weights; an adapter's are float32."""
        s = self.settings
        if s.method == "lora":
            write_adapter(self._model, folder, s.base_name or s.model_dir)
        else:
            write_model(self._model, folder, s.model_dir, dtype)

    def _weights(self) -> Iterator[tuple[str, Any]]:
        return ((name, p) for name, p in self._model.named_parameters() if p.requires_grad)

    def _trained(self) -> dict[str, torch.Tensor]:
        return {name: p.detach().clone() for name, p in self._weights()}

    def _put(self, tensors: dict[str, torch.Tensor]) -> None:
        for name, p in self._weights():
            p.data.copy_(tensors[name])

    def _change_since(self, before: dict[str, torch.Tensor]) -> float:
        moved = sum(float((p.detach() - before[name]).double().square().sum()) for name, p in self._weights())
        size = sum(float(t.double().square().sum()) for t in before.values())
        return float((moved / size) ** 0.5)

    @contextmanager
    def _serving(self, adapter: str) -> Iterator[None]:
        if adapter == "none":
            with self._model.disable_adapter():
                yield
        elif adapter == "served" or (adapter == "previous" and self._previous is not None):
            current = self._trained()
            if adapter == "served":
                self._put({name: self._rounded(tensor) for name, tensor in current.items()})
            else:
                assert self._previous is not None
                self._put(self._previous)
            try:
                yield
            finally:
                self._put(current)
        else:
            yield

    def _rounded(self, tensor: torch.Tensor) -> torch.Tensor:
        import torch

        return tensor.to(getattr(torch, self.settings.served_dtype)).to(tensor.dtype)

    def _scoring_batches(self, sequences: Sequence[TrainingExample]) -> Iterator[list[int]]:
        """Indices in batches of like length whose logits stay below SCORING_LOGITS (one sequence at the least)."""
        limit = SCORING_LOGITS // self._model.config.get_text_config().vocab_size
        batch: list[int] = []
        # The padded width also bounds the activations, so it is what is counted.
        for i in sorted(range(len(sequences)), key=lambda i: self._length(sequences[i])):
            if batch and (len(batch) + 1) * self._length(sequences[i]) > min(limit, 8192):
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch

    @staticmethod
    def _length(e: TrainingExample) -> int:
        return len(e.prompt_token_ids) + len(e.token_ids)

    @staticmethod
    def _finite(loss: float, when: str) -> float:
        if not abs(loss) < float("inf"):
            raise LossNotFinite(f"loss {when} is {loss}: lower training.learning_rate, or check the start checkpoint")
        return loss

    def _round_masters(self) -> None:
        """Full training goes on from what it writes; else a resumed run would differ from an undisturbed one."""
        if self._autocast:
            import torch

            for _, p in self._weights():
                p.data.copy_(p.data.to(torch.bfloat16))
