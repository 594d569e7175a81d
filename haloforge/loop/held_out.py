"""Evaluate: held-out figures of what is served, which cycle is the best by them, and whether going on is worth it."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from haloforge import metrics, seeds
from haloforge.config import RaftEarlyStoppingBlock
from haloforge.ledger import RunFolder
from haloforge.loop.ports import Run, log
from haloforge.loop.sampling import EVALUATION_FILES, TRAINING_FILES, generate_and_verify
from haloforge.records import INFRA_ERROR, UNKNOWN, SampleRequest

FEW_PROMPTS = 8
"""Below so many held-out prompts the last cycle is taken as the best."""
MANY_UNKNOWN = 0.1
"""Share of a cycle's samples whose verdict is `unknown` from which on a person should look why."""
_CASE = re.compile(r"^case \d+ of \d+: ")


async def evaluate(run: Run, cycle: int) -> None:
    """Held-out greedy and pass@1 of what is served now; all sets in one pass."""
    entry = run.folder.cycle(cycle)
    last = cycle == run.config.raft.num_cycles
    due = cycle == 0 or last or cycle % run.config.evaluation.every == 0
    if due and run.held_out and "eval" not in entry:
        prompts = {p.id: p for prompts in run.held_out.values() for p in prompts.values()}
        start = time.monotonic()
        stage = run.stage("evaluate", cycle, total=len(prompts) * len(temperatures(run, cycle)))
        judged, _ = await generate_and_verify(run, stage, evaluation_requests(run, cycle), prompts, EVALUATION_FILES)
        entry["eval"] = {
            name: metrics.evaluation([j for j in judged if j.sample.prompt_id in members], members)
            for name, members in run.held_out.items()
        }
        entry.setdefault("seconds", {})["evaluate"] = time.monotonic() - start
        log.info(
            "cycle %d held out: %s",
            cycle,
            "; ".join(f"{n} greedy {e['greedy']:.3f}, pass@1 {e['pass_at_1']:.3f}" for n, e in entry["eval"].items()),
        )
    entry["complete"] = True
    run.folder.save()
    run.progress.cycle(entry)


def evaluation_requests(run: Run, cycle: int) -> Iterator[SampleRequest]:
    """Per held-out prompt one greedy answer, then samples at T = 1.0 and, for the start point, at others."""
    for prompts in run.held_out.values():
        for prompt in prompts.values():
            for index, temperature in enumerate(temperatures(run, cycle)):
                yield SampleRequest(
                    id=f"{cycle}/eval/{prompt.id}/{index}",
                    prompt=prompt,
                    cycle=cycle,
                    index=index,
                    seed=seeds.derive(run.config.seed, "evaluate", cycle, prompt.id, index),
                    temperature=temperature,
                    max_new_tokens=run.config.generation.max_new_tokens,
                )


def temperatures(run: Run, cycle: int) -> list[float]:
    """Of a held-out prompt's answers."""
    settings = run.config.evaluation
    others = settings.base_temperatures if cycle == 0 else ()
    return [0.0] + [t for t in (1.0, *others) for _ in range(settings.samples)]


def choose_best(run: Run) -> None:
    """Record the best cycle by the first held-out set (greedy, then pass@1) and link final_model to it."""
    done = [e for e in run.folder.statistics["cycles"] if e["cycle"] == 0 or e.get("complete")]
    best = done[-1]["cycle"]
    first = next(iter(run.held_out), None)
    if first is not None and len(run.held_out[first]) >= FEW_PROMPTS:
        measured = [e for e in done if "eval" in e]
        figures = {e["cycle"]: e["eval"][first] for e in measured}
        score = {c: (f.get("greedy", 0.0), f.get("pass_at_1", 0.0)) for c, f in figures.items()}
        best = max(score, key=lambda c: (*score[c], -c))
    run.folder.statistics["best_cycle"] = best
    target = run.adapter(best)
    if target is None:
        log.warning("no cycle has beaten the start point on the held-out prompts, so final_model is the start point")
        target = Path(run.folder.statistics["run"]["base"])
    run.folder.link("final_model", target)
    run.folder.save()


def stops_early(folder: RunFolder, rule: RaftEarlyStoppingBlock, cycle: int) -> bool:
    """Whether the run ends after `cycle`: too many measured cycles without a new best greedy rate of the first set."""
    if not rule.enabled:
        return False
    best, without = float("-inf"), 0
    for number, greedy in _greedy_by_cycle(folder):
        if number > cycle:
            break
        if greedy >= best + rule.min_delta or best == float("-inf"):
            best, without = greedy, 0
        else:
            without += 1
    if without >= rule.patience:
        log.info(
            "early stopping after cycle %d: held-out greedy has not risen by %g above %.3f in %d measured cycles",
            *(cycle, rule.min_delta, best, without),
        )
        return True
    return False


def warn_of_trouble(folder: RunFolder, cycle: int) -> None:
    """Say (and record) where many samples went unjudged, entropy has halved since cycle 1, or the held-out greedy rate
    fell twice running."""
    warnings = list(_many_unknown(folder, cycle))
    first, now = (folder.cycle(c).get("entropy") for c in (1, cycle))
    if cycle > 1 and first and now is not None and now < 0.5 * first:
        warnings.append(
            f"entropy fell from {first:.3f} nats in cycle 1 to {now:.3f}: the model's answers are getting alike; "
            "fewer cycles, a lower training.learning_rate or a higher generation.temperature may help"
        )
    last = [greedy for number, greedy in _greedy_by_cycle(folder) if number <= cycle][-3:]
    if len(last) == 3 and last[0] > last[1] > last[2]:
        warnings.append(
            f"held-out greedy fell twice running ({last[0]:.3f}, {last[1]:.3f}, {last[2]:.3f}): the run may be past "
            "its best; final_model stays the best cycle's"
        )
    if warnings:
        folder.cycle(cycle)["warnings"] = warnings
        folder.save()
    for text in warnings:
        log.warning("Cycle %d: %s", cycle, text)


def _many_unknown(folder: RunFolder, cycle: int) -> Iterator[str]:
    rows = [row for row in folder.rows(cycle, TRAINING_FILES[1]).read() if row["status"] != INFRA_ERROR]
    # "case 3 of 9: …" is one reason, whichever case it was.
    reasons = Counter(_CASE.sub("", row.get("details", "")) for row in rows if row["status"] == UNKNOWN)
    unknown = reasons.total()
    if unknown > MANY_UNKNOWN * len(rows):
        (reason, count), *_ = reasons.most_common(1)
        yield (
            f"{unknown} of {len(rows)} samples are unknown, so they are in no rate and never trained on; the commonest "
            f"reason ({count}): {reason}"
        )


def _greedy_by_cycle(folder: RunFolder) -> list[tuple[int, float]]:
    """(cycle, greedy rate of the first held-out set) of every measured cycle."""
    measured = [(e["cycle"], next(iter(e["eval"].values()))) for e in folder.statistics["cycles"] if e.get("eval")]
    return [(cycle, figures["greedy"]) for cycle, figures in measured if "greedy" in figures]
