"""RAFT: generate → verify → select → train → swap → evaluate, cycle by cycle.

Reward-ranked fine-tuning after Dong et al. 2023 (arXiv:2304.06767), with a verifier as the reward.
Everything that is sampled or verified goes to the run folder at once, and every stage takes up what it
finds there. Not here: processes, devices, terminals.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from haloforge.config import RaftConfig
from haloforge.errors import RunStopped
from haloforge.ledger import RunFolder, sample_from, verdict_from
from haloforge.loop.held_out import choose_best, evaluate, stops_early, warn_of_trouble
from haloforge.loop.ports import REPORT, Judge, Learner, Run, Sampler, Scores, log
from haloforge.loop.sampling import EVALUATION_FILES, TRAINING_FILES, generate_and_verify_cycle
from haloforge.loop.swapping import swap
from haloforge.loop.update import keep, record_update, train
from haloforge.models import is_complete_adapter


async def run_raft(run: Run) -> dict[str, Any]:
    """All cycles, from wherever the run folder stands; returns the statistics."""
    for entry in run.folder.statistics["cycles"]:
        if entry.get("complete"):
            run.progress.cycle(entry)
    await bring_back(run)
    await evaluate(run, 0)
    for cycle in range(1, run.config.raft.num_cycles + 1):
        if not complete(run.folder, cycle):
            await run_cycle(run, cycle)
        if stops_early(run.folder, run.config.early_stopping, cycle):
            break
    return run.folder.statistics


def finished(folder: RunFolder, config: RaftConfig) -> bool:
    """Whether a run folder already holds all that a run with this config would make; says what is complete."""
    for cycle in range(1, config.raft.num_cycles + 1):
        if not complete(folder, cycle):
            return False
        log.info("Cycle %d already complete, skipping...", cycle)
        if stops_early(folder, config.early_stopping, cycle):
            break
    return True


async def run_cycle(run: Run, cycle: int) -> None:
    """One turn of the loop; a cycle whose adapter is in the run folder (and so was brought back) is only measured."""
    if not is_complete_adapter(run.folder.final(cycle)):
        judged = await generate_and_verify_cycle(run, cycle)
        kept = keep(run, cycle, judged)
        await train(run, cycle, kept)
        await swap(run, cycle)
    await evaluate(run, cycle)
    choose_best(run)
    warn_of_trouble(run.folder, cycle)
    stop_where_nothing_is_kept(run, cycle)


def complete(folder: RunFolder, cycle: int) -> bool:
    measured = any(entry["cycle"] == cycle and entry.get("complete") for entry in folder.statistics["cycles"])
    return measured and is_complete_adapter(folder.final(cycle))


async def bring_back(run: Run) -> None:
    """Serve and prove what the last finished training left, so that nothing is sampled from anything else."""
    last = 0
    while is_complete_adapter(run.folder.final(last + 1)):
        last += 1
    prompts = {p.id: p for group in (run.prompts, *run.held_out.values()) for p in group.values()}
    for cycle in range(last + 2):
        for names in (TRAINING_FILES, EVALUATION_FILES):
            verdicts = {row["id"]: verdict_from(row) for row in run.folder.rows(cycle, names[1]).read()}
            for row in run.folder.rows(cycle, names[0]).read():
                if row["id"] in verdicts and row["prompt_id"] in prompts:
                    run.cache.remember(row["completion"], prompts[row["prompt_id"]], verdicts[row["id"]])
    if last:
        record_update(run, last)
    await run.learner.restore(run.adapter(last), run.adapter(last - 1) if last else None)
    if last or run.start_adapter:
        await swap(run, last)


def stop_where_nothing_is_kept(run: Run, cycle: int) -> None:
    """Two cycles running without anything to train on end the run, with the commonest reason."""
    both = [run.folder.cycle(c) for c in (cycle - 1, cycle)]
    if cycle < 2 or any(entry.get("trained", True) for entry in both):
        return
    judged = [sample_from(row) for row in run.folder.rows(cycle, TRAINING_FILES[0]).read()]
    reasons = Counter(both[1]["statuses"]) + Counter(
        {f"finish reason {s.finish_reason}": 1 for s in judged if s.finish_reason != "stop"}
    )
    reason, count = reasons.most_common(1)[0]
    raise RunStopped(
        f"nothing was kept in cycles {cycle - 1} and {cycle}; the commonest outcome was {reason} "
        f"({count} of {len(judged)} samples). Look at {run.folder.path}/cycle_{cycle}_verified.jsonl; a stronger "
        "start model, easier prompts, more raft.samples_per_prompt or more generation.max_new_tokens may help"
    )


__all__ = ["REPORT", "Judge", "Learner", "Run", "Sampler", "Scores", "finished", "run_cycle", "run_raft"]
