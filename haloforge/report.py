"""What a run says at its end: one row per cycle, the best cycle, where everything is. rich, imported late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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
    if _sets(statistics):
        lines.append("± is half of a 95% interval over the held-out prompts; pass@1 is at T = 1.0")
    return lines


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
