"""Seconds per optimizer step of the learner and of a minimal loop by hand: same model, same batches, one run.

    python -m benchmarks.bench_training [--threads 2] [--steps 60] [--rounds 3]

The model is the demo's size (about 2M parameters, float32, method full, 8 samples of 80 to 140 tokens a step). Rounds
alternate between the two; the ratio of their median steps is what the choice of TRL costs. Prints one JSON line last.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from haloforge.training import (
    Learner,
    LearnerSettings,
    UpdatePlan,
    plan_steps,
)  # before torch: it sets how threads wait
from haloforge.training.plan import batch_order

BATCH = 8
PLAN_LR = 1e-3


def build_examples(n: int) -> list[Any]:
    from haloforge.records import TrainingExample

    rng = random.Random(0)

    def ids(low: int, high: int) -> tuple[int, ...]:
        return tuple(rng.randrange(1, 1000) for _ in range(rng.randint(low, high)))

    return [TrainingExample(str(i), ids(25, 45), ids(55, 95)) for i in range(n)]


def steps_by_hand(base: Path, examples: list[Any], order: list[list[int]]) -> list[float]:
    """Seconds of each step of a plain loop: pad, forward, cross entropy at completions, AdamW."""
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PLAN_LR, weight_decay=0.0)
    seconds = []
    for indices in order:
        started = time.perf_counter()
        chosen = [examples[i] for i in indices]
        width = max(len(e.prompt_token_ids) + len(e.token_ids) for e in chosen)
        ids = torch.zeros(len(chosen), width, dtype=torch.long)
        labels = torch.full((len(chosen), width), -100)
        for row, e in enumerate(chosen):
            start, end = len(e.prompt_token_ids), len(e.prompt_token_ids) + len(e.token_ids)
            ids[row, :end] = torch.tensor(e.prompt_token_ids + e.token_ids)
            labels[row, start:end] = ids[row, start:end]
        wanted = labels[:, 1:] != -100
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1][wanted]
        loss = torch.nn.functional.cross_entropy(model.lm_head(hidden), labels[:, 1:][wanted])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - started)
    return seconds


def steps_by_learner(base: Path, examples: list[Any], order: list[list[int]], threads: int) -> list[float]:
    """Seconds between the ends of the learner's steps, everything between them included."""
    from haloforge.training.fitting import fit

    learner = Learner(LearnerSettings(str(base), method="full", dtype="float32", threads=threads))
    plan = UpdatePlan(PLAN_LR, batch_size=BATCH, min_steps=0, logging_steps=1)
    ends: list[float] = []
    fit(
        learner._model,
        learner.tokenizer,
        examples,
        order,
        plan,
        plan_steps(len(examples), plan),
        packed=False,
        autocast=False,
        on_log=lambda row: ends.append(time.perf_counter()),
    )
    return [b - a for a, b in itertools.pairwise(ends)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--steps", type=int, default=60, help="per round")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()

    import torch
    from transformers.utils import logging

    from tests.tiny_models import build_model

    logging.disable_progress_bar()
    torch.set_num_threads(args.threads)
    examples = build_examples(args.steps * BATCH)
    lengths = [len(e.prompt_token_ids) + len(e.token_ids) for e in examples]
    order = batch_order(lengths, plan_steps(len(examples), UpdatePlan(PLAN_LR, batch_size=BATCH, min_steps=0)), seed=0)
    hand: list[float] = []
    ours: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        base = build_model(
            Path(scratch) / "base", hidden=192, layers=4, intermediate=512, heads=4, kv_heads=2, vocab_size=1000
        )
        for _ in range(args.rounds):
            hand += steps_by_hand(base, examples, order)[3:]  # the first steps warm up
            ours += steps_by_learner(base, examples, order, args.threads)[3:]
    result = {
        "by_hand_step_s": round(statistics.median(hand), 4),
        "learner_step_s": round(statistics.median(ours), 4),
        "ratio": round(statistics.median(ours) / statistics.median(hand), 3),
        "threads": args.threads,
        "steps": len(ours),
    }
    print(f"by hand {result['by_hand_step_s']} s/step, learner {result['learner_step_s']} s/step, {result['ratio']} ×")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
