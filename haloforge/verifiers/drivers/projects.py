"""Project folders: a runner of ours in place of the one that the task's command names."""

from __future__ import annotations

import shlex

from haloforge.source.assemble import Program
from haloforge.verifiers.drivers import Driven, NotDriven, Secret, cargo, go_project

RUNNERS = {("cargo", "test"): cargo.drive, ("go", "test"): go_project.drive}
"""First words of a command → (program, the other words, secret) → Driven."""


def drive(program: Program, secret: Secret) -> Driven:
    """The project with our driver, by `program.cmd`.

    Raises:
        NotDriven: no runner knows the command, or this one not all of it.
    """
    try:
        words = shlex.split(program.cmd)
    except ValueError as e:
        raise NotDriven(f"cmd {program.cmd!r} is no command line: {e}") from e
    runner = RUNNERS.get((words[0], words[1])) if len(words) > 1 else None
    if runner is None:
        known = ", ".join(" ".join(start) for start in RUNNERS)
        raise NotDriven(f"cmd is {program.cmd!r}; projects are judged in place of: {known}")
    return runner(program, words[2:], secret)
