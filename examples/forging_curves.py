"""What RAFT made of a checker that can be forged, and of one that cannot, from two run folders.

    python -m examples.forging_curves runs/forging-exit-status runs/forging-asserts docs/forging.svg

Every sample that the runs trained from is judged again by `asserts`. Prints a table and draws the curves.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from haloforge.data.practice.build import Recipe, task_sets
from haloforge.data.practice.languages import PYTHON_FORGING
from haloforge.ledger import RunFolder
from haloforge.verifiers import get_verifier

EXIT = re.compile(r"os\._exit|SystemExit")
"""The exits of PYTHON_FORGING."""
FORGING, BELIEVED, TRUE = "samples that forge", "pass rate as believed", "true pass rate"
WIDTH, HEIGHT, LEFT, TOP = 320, 190, 46, 34
COLOURS = ("#c0392b", "#2471a3")


def curves(run: Path) -> dict[str, list[float]]:
    """Per cycle, of the samples drawn in it: the shares FORGING, BELIEVED and TRUE."""
    tasks = {task.text: task for task in task_sets(Recipe(), PYTHON_FORGING)["prompts"]}
    verifier = get_verifier("asserts")
    folder = RunFolder(run)
    folder.load()
    found: dict[str, list[float]] = {FORGING: [], BELIEVED: [], TRUE: []}
    for entry in folder.statistics["cycles"]:
        rows = list(folder.rows(entry["cycle"], "verified").read())
        if not rows:
            continue
        answers = sorted({(row["prompt"], row["completion"]) for row in rows})
        judged = verifier.verify_batch([code for _, code in answers], [tasks[text] for text, _ in answers])
        right = {answer for answer, result in zip(answers, judged, strict=True) if result.success}
        found[FORGING].append(sum(bool(EXIT.search(row["completion"])) for row in rows) / len(rows))
        found[BELIEVED].append(sum(row["success"] for row in rows) / len(rows))
        found[TRUE].append(sum((row["prompt"], row["completion"]) in right for row in rows) / len(rows))
    verifier.cleanup()
    return found


def table(runs: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Markdown: a row per cycle, three columns per run."""
    shown = [(name, what) for name in runs for what in (FORGING, BELIEVED, TRUE)]
    columns = [runs[name][what] for name, what in shown]
    lines = [["cycle", *(f"{name}: {what}" for name, what in shown)], ["--:"] * (len(shown) + 1)]
    for n in range(max(map(len, columns))):
        lines.append([str(n + 1), *(f"{column[n]:.3f}" if n < len(column) else "–" for column in columns)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def svg(runs: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Two panels, FORGING and TRUE, with a line per run."""
    panels = [panel(runs, what, number) for number, what in enumerate((FORGING, TRUE))]
    key = [
        f'<text x="{LEFT + n * WIDTH}" y="{TOP + HEIGHT + 56}" fill="{COLOURS[n]}">— trained with {name}</text>'
        for n, name in enumerate(runs)
    ]
    size = f'width="{2 * WIDTH + 2 * LEFT}" height="{TOP + HEIGHT + 68}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12" fill="#333">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *panels, *key, "</svg>\n"])


def panel(runs: Mapping[str, Mapping[str, Sequence[float]]], what: str, number: int) -> str:
    left, cycles = LEFT + number * (WIDTH + LEFT), max(len(run[what]) for run in runs.values())

    def x(cycle: int) -> float:
        return left + (WIDTH - 20) * cycle / max(1, cycles - 1)

    def y(share: float) -> float:
        return TOP + HEIGHT * (1 - share)

    parts = [f'<text x="{left}" y="{TOP - 14}" font-weight="bold">{what}</text>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<path d="M{left} {y(share):.1f}H{left + WIDTH - 20}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    for cycle in range(cycles):
        parts.append(f'<text x="{x(cycle):.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{cycle + 1}</text>')
    parts.append(f'<text x="{x(0) + WIDTH / 2 - 10:.1f}" y="{TOP + HEIGHT + 34}" text-anchor="middle">cycle</text>')
    for run, colour in zip(runs.values(), COLOURS, strict=True):
        points = " ".join(f"{x(n):.1f},{y(share):.1f}" for n, share in enumerate(run[what]))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return "\n".join(parts)


def main() -> None:
    forged, sealed, out = map(Path, sys.argv[1:4])
    runs = {"exit status": curves(forged), "asserts": curves(sealed)}
    print(table(runs))
    out.write_text(svg(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
