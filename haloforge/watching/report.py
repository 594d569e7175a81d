"""What a run says at its end: one row per cycle, the best cycle, where everything is. rich, imported late."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haloforge import paths

if TYPE_CHECKING:
    from rich.table import Table

STAGES = ("generate", "verify", "train", "swap", "evaluate")


def columns(statistics: dict[str, Any]) -> list[str]:
    sets = _sets(statistics)
    held_out = [f"{name} {what}" for name in sets for what in ("greedy", "pass@1")]
    return ["cycle", "pass rate", "compiles", *held_out, "kept", "distinct", *(f"{stage} s" for stage in STAGES)]


def cells(statistics: dict[str, Any]) -> list[list[str]]:
    """One list of texts per cycle, in the order of `columns`; – where a cycle has no such figure."""
    rows = []
    for entry in statistics["cycles"]:
        row = [str(entry["cycle"]), _share(entry.get("pass_rate")), _share(entry.get("compile_rate"))]
        for name in _sets(statistics):
            figures = entry.get("eval", {}).get(name, {})
            for what in ("greedy", "pass_at_1"):
                row.append(_share(figures.get(what), figures.get(f"{what}_ci")))
        row += [_count(entry.get("kept")), _count(entry.get("distinct_solutions"))]
        row += [_seconds(entry.get("seconds", {}).get(stage)) for stage in STAGES]
        rows.append(row)
    return rows


def table(statistics: dict[str, Any]) -> Table:
    from rich.table import Table

    made = Table(title=None, pad_edge=False)
    for name in columns(statistics):
        made.add_column(name, justify="right", overflow="fold")
    for row in cells(statistics):
        made.add_row(*row)
    return made


def markdown(statistics: dict[str, Any]) -> str:
    lines = [columns(statistics), ["--:"] * len(columns(statistics)), *cells(statistics)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def notes(statistics: dict[str, Any]) -> list[str]:
    """Lines under the table: the start point at other temperatures, and what the columns mean."""
    lines = []
    for name in _sets(statistics):
        figures = statistics["cycles"][0].get("eval", {}).get(name, {})
        others = ", ".join(f"T = {t}: {_share(v)}" for t, v in figures.get("temperatures", {}).items())
        if others:
            lines.append(f"start point on {name} ({figures['prompts']} prompts) at other temperatures: {others}")
    if len(statistics["cycles"]) > 1:
        lines.append("kept: samples trained on; distinct: different right programs among all samples of the cycle")
    if _sets(statistics):
        lines.append("± is half of a 95% interval over the held-out prompts; pass@1 is at T = 1.0")
    return lines


def ending(statistics: dict[str, Any], folder: Path, finished: bool = True) -> list[Any]:
    """The table, what is best, where everything is, and what to type next; printed at a run's end and by status."""
    lines: list[Any] = [table(statistics), *notes(statistics)]
    best = statistics["best_cycle"]
    if best is not None:
        model = folder / "final_model"
        adapter = f" (LoRA adapter of {statistics['run']['base']})" if (model / "adapter_config.json").exists() else ""
        lines.append(f"best cycle: {best}; its model: {model}{adapter}")
    lines.append(f"run folder: {folder}")
    if finished and statistics["cycles"]:
        cycles = statistics["cycles"][-1]["cycle"]
        lines.append(f"two more cycles: {program('raft')} --output {paths.shown(folder)} --cycles {cycles + 2}")
    else:
        lines.append(f"go on: {program('raft')} --output {paths.shown(folder)}")
    if best is not None:
        lines.append(f"curves: tensorboard --logdir {paths.shown(folder)}")
    return lines


def program(command: str) -> str:
    """How a user calls a command here: by the script where that is how this one was called, else by the module."""
    by_script = Path(sys.argv[0]).name in ("haloforge", "halo-forge")
    return f"haloforge {command} train" if by_script else f"python -m haloforge.{command}"


def one_line(status: dict[str, Any]) -> str:
    """An actor's status(): what it is doing, then its figures."""
    figures = {k: v for k, v in status.items() if k != "doing" and v not in (None, [], {})}
    return ", ".join([status["doing"], *(f"{k} {_figure(v)}" for k, v in figures.items())])


def _figure(value: Any) -> str:
    if isinstance(value, dict):
        return f"({', '.join(f'{name} {_figure(v)}' for name, v in value.items())})"
    if isinstance(value, list):
        return " ".join(map(_figure, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _sets(statistics: dict[str, Any]) -> Sequence[str]:
    return next((list(entry["eval"]) for entry in statistics["cycles"] if "eval" in entry), [])


def _share(value: float | None, half: float | None = None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if half is None else f"{value:.3f} ±{half:.3f}"


def _count(value: int | None) -> str:
    return "–" if value is None else str(value)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}" if value < 1 else f"{value:.1f}"
