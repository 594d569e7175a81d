"""Select and train: which samples are kept, and the LoRA update on them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

from haloforge import seeds
from haloforge.ledger import RunFolder, verdict_row
from haloforge.loop.ports import REPORT, Run, log
from haloforge.loop.sampling import training_example
from haloforge.loop.swapping import measure_noise
from haloforge.records import Judged
from haloforge.selection import select, select_uniform

MIN_LEARNING_RATE = 1e-6
IN_STATISTICS = (
    *("trained", "optimizer_steps", "epochs", "loss_before", "loss_after"),
    *("weight_change", "learning_rate", "notices"),
)
"""What raft_statistics.json takes over from an update's report."""


def keep(run: Run, cycle: int, judged: Sequence[Judged]) -> list[Judged]:
    """What the cycle trains on, written to cycle_N_kept.jsonl."""
    raft, seed = run.config.raft, seeds.derive(run.config.seed, "select", cycle)
    kept = select(judged, run.prompts, raft, seed)
    if raft.selection == "uniform":
        kept = select_uniform(judged, count_to_copy(run, cycle, len(kept)), seed)
    if len(kept) < raft.min_samples:
        log.warning(
            "Cycle %d: only %d samples are eligible, fewer than raft.min_samples %d; nothing else is trained on",
            *(cycle, len(kept), raft.min_samples),
        )
    rows = [verdict_row(j.sample, run.prompts[j.sample.prompt_id].text, j.result) for j in kept]
    run.folder.write_rows(cycle, "kept", rows)
    distinct = len({(j.sample.prompt_id, j.result.code) for j in kept})
    run.folder.cycle(cycle).update(kept=len(kept), kept_distinct=distinct, selection=raft.selection)
    run.folder.save()
    return kept


def count_to_copy(run: Run, cycle: int, own: int) -> int:
    """How many samples the control keeps: as many as the run it is the control of, else as many as would pass."""
    if run.control_of is None:
        return own
    return sum(1 for _ in RunFolder(run.control_of).rows(cycle, "kept").read())


async def train(run: Run, cycle: int, kept: Sequence[Judged]) -> None:
    """The LoRA update on the kept samples' own tokens; with none, the cycle ends with its start adapter."""
    entry = run.folder.cycle(cycle)
    training = run.config.training
    rate = max(MIN_LEARNING_RATE, training.learning_rate * run.config.raft.lr_decay ** (cycle - 1))
    await measure_noise(run, cycle)
    if not kept:
        log.warning("Cycle %d: nothing was eligible, so nothing is trained", cycle)
    examples = [training_example(j.sample) for j in kept]
    afresh = run.config.raft.restart_each_cycle and bool(kept)
    start = time.monotonic()
    with run.progress.during(run.stage("train", cycle, unit="steps")) as stage:

        def on_log(row: Mapping[str, float]) -> None:
            stage.take_row(row)
            run.progress.row(cycle, row)

        if afresh:
            await run.learner.restore(run.start_adapter, None)
        seed = seeds.derive(run.config.seed, "train", cycle)
        await run.learner.update(examples, rate, seed, cycle, run.folder.final(cycle), on_log)
        if afresh:  # what was served until now is what the proof tells the new adapter from
            await run.learner.restore(run.folder.final(cycle), run.adapter(cycle - 1))
    entry.setdefault("seconds", {})["train"] = time.monotonic() - start
    record_update(run, cycle)
    if kept:
        log.info(
            "cycle %d: trained on %d samples, %d steps, loss %.4f → %.4f",
            *(cycle, len(kept), entry["optimizer_steps"], entry["loss_before"], entry["loss_after"]),
        )
    for notice in entry.get("notices", ()):
        log.info("cycle %d: %s", cycle, notice)


def record_update(run: Run, cycle: int) -> None:
    """Copy the update's report, which lies with its adapter, into the statistics."""
    report = json.loads((run.folder.final(cycle) / REPORT).read_text(encoding="utf-8"))
    entry = run.folder.cycle(cycle)
    entry.setdefault("seconds", {}).setdefault("train", report.get("seconds", 0.0))
    entry.update({name: report[name] for name in IN_STATISTICS if name in report})
    run.folder.save()
    run.progress.trained(cycle, report.get("log", []))
