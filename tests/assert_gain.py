"""Assert from its statistics that the demo learned: `python -m tests.assert_gain runs/demo`."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def gains(statistics: dict) -> dict[str, float]:
    """What is promised of the demo, from the numbers in raft_statistics.json."""
    first, last = statistics["cycles"][0]["eval"]["seen"], statistics["cycles"][-1]["eval"]["seen"]
    return {
        "base greedy": first["greedy"],
        "greedy gain": last["greedy"] - first["greedy"],
        "pass@1 gain": last["pass_at_1"] - first["pass_at_1"],
        "largest time-out share": max(e["timeout_share"] or 0.0 for e in statistics["cycles"][1:]),
    }


def failures(statistics: dict) -> list[str]:
    found = gains(statistics)
    wanted = [
        ("three cycles", [e["cycle"] for e in statistics["cycles"]] == [0, 1, 2, 3]),
        ("base greedy ≤ 0.6", found["base greedy"] <= 0.6),
        ("greedy on seen kinds +0.30", found["greedy gain"] >= 0.30),
        ("pass@1 on seen kinds +0.15", found["pass@1 gain"] >= 0.15),
        ("time-outs at most a third of verifying", found["largest time-out share"] <= 1 / 3),
        ("every swap proved", all(e["swap"]["proof"]["exact"] for e in statistics["cycles"][1:])),
        ("at least 100 seen and 50 unseen tasks", statistics["cycles"][0]["eval"]["seen"]["prompts"] >= 100
         and statistics["cycles"][0]["eval"]["unseen"]["prompts"] >= 50),
    ]  # fmt: skip
    return [name for name, holds in wanted if not holds]


def main() -> None:
    statistics = json.loads((Path(sys.argv[1]) / "raft_statistics.json").read_text())
    for name, value in gains(statistics).items():
        print(f"{name}: {value:.3f}")
    missing = failures(statistics)
    print(f"{7 - len(missing)} passed, {len(missing)} failed")
    if missing:
        sys.exit(f"the demo does not show: {'; '.join(missing)}")


if __name__ == "__main__":
    main()
