"""What a person sees of a run: the live line, the log lines, progress.json, and `haloforge status` of its folder."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from haloforge.cli import app
from haloforge.errors import BadInput, RunStopped
from haloforge.ledger import RunFolder
from haloforge.watching import progress, report, status
from haloforge.watching.progress import LiveLine, LogLines, ProgressFile, clock_time, log_file, ticking, told
from haloforge.watching.stages import Progress, Several, Stage
from tests.fakes import CutOff, FakeSampler
from tests.test_loop import make_run, play


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Told(Progress):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple] = []

    def begin(self, stage):
        self.said.append(("begin", stage.name, stage.cycle, stage.total))

    def end(self, stage):
        self.said.append(("end", stage.name, stage.cycle, stage.done))

    def row(self, cycle, row):
        self.said.append(("row", cycle, row["step"]))

    def trained(self, cycle, rows):
        self.said.append(("trained", cycle, len(rows)))

    def cycle(self, entry):
        self.said.append(("cycle", entry["cycle"], bool(entry.get("complete"))))


def verifying(clock: Clock) -> Stage:
    """Of 40 samples 10 were there; then, in 5 s, 12 more were drawn and 10 verified."""
    stage = Stage("generate & verify", 2, 3, total=40, done=10, cached=10, drawn=10, solved=4, clock=clock)
    clock.now += 5
    stage.drawn, stage.done, stage.tokens, stage.solved = 22, 20, 500, 9
    return stage


def test_rate_and_eta_leave_out_what_was_there_before():
    stage = verifying(Clock())
    assert stage.rate == pytest.approx(10 / 5)
    assert stage.eta_s == pytest.approx(20 / 2)
    assert stage.record()["tokens_per_s"] == pytest.approx(100)


def test_a_stage_that_has_ended_stands_still():
    clock = Clock()
    with Progress().during(verifying(clock)) as stage:
        pass
    clock.now += 100
    assert stage.seconds == pytest.approx(5)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3599, "59:59"), (36061, "10:01:01")])
def test_times_are_minutes_and_seconds_then_hours(seconds, text):
    assert clock_time(seconds) == text


def on_screen(written: str) -> list[str]:
    """The rows of a terminal after these bytes, of which only line feeds, ESC[1A (up) and ESC[2K (erase) move it."""
    rows, at = [""], 0
    for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)", written):
        if part == "\n":
            at += 1
            rows += [""] * (at == len(rows))
        elif part == "\x1b[1A":
            at -= 1
        elif part == "\x1b[2K":
            rows[at] = ""
        elif part and not part.startswith("\x1b") and part != "\r":
            rows[at] += part
    return [row.rstrip() for row in rows if row.strip()]


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (
            120,
            "cycle 2/3 · generate & verify ━━━━━━       verified 20/40, ETA 0:10, solved 9 (45%), drawn 22, "
            "2.0 samples/s, 100 token…",
        ),
        (100, "cycle 2/3 · generate & verify ━━━━━━       verified 20/40, ETA 0:10, solved 9 (45%), drawn 22, 2.0 …"),
        (70, "cycle 2/3 · generate & verify verified 20/40, ETA 0:10, solved 9 (45%…"),
    ],
)  # fmt: skip
def test_in_a_terminal_there_is_one_line_which_goes_when_the_stage_ends(width, line):
    clock, screen = Clock(), io.StringIO()
    shown = LiveLine(Console(file=screen, force_terminal=True, width=width, height=20, color_system=None))
    with shown.during(verifying(clock)) as stage:
        shown.tick()
        assert on_screen(screen.getvalue()) == [line]
        stage.done, stage.solved = 40, 29
        shown.tick()
        (now,) = on_screen(screen.getvalue())
        assert "verified 40/40, solved 29" in now
    assert on_screen(screen.getvalue()) == []
    with shown.during(Stage("train", 2, 3, unit="steps", clock=clock)) as stage:
        stage.take_row({"step": 3, "steps": 12, "train_loss": 0.51236})
        clock.now += 6
        shown.tick()
        assert re.search(r"train .*step 3/12, ETA 0:18, loss 0.5124, 0.5 steps/s", on_screen(screen.getvalue())[0])


def test_an_error_takes_the_live_line_away():
    screen = io.StringIO()
    shown = LiveLine(Console(file=screen, force_terminal=True, width=80, height=20))
    with pytest.raises(CutOff), told(shown), shown.during(Stage("train", 1)):
        raise CutOff
    assert on_screen(screen.getvalue()) == []


def test_elsewhere_lines_come_first_last_and_every_ten_seconds(caplog):
    caplog.set_level(logging.DEBUG, "haloforge")
    clock = Clock()
    lines = LogLines(clock=clock)
    with lines.during(Stage("generate & verify", 1, 3, total=100, clock=clock)) as stage:
        for _ in range(45):
            clock.now += 1
            stage.done += 2
            stage.drawn += 2
            lines.tick()
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "cycle 1/3 · generate & verify: 100 samples"
    assert [re.findall(r"verified (\d+)/100", line) for line in said[1:]] == [["20"], ["40"], ["60"], ["80"], ["90"]]
    assert said[1] == (
        "cycle 1/3 · generate & verify: verified 20/100, ETA 0:40, solved 0 (0%), drawn 20, 2.0 samples/s, 0:10"
    )
    assert {record.levelno for record in caplog.records} == {logging.INFO}


@pytest.mark.parametrize(("terminal", "quiet", "kinds"), [
    (True, False, ["LiveLine", "LogLines 10"]), (False, False, ["LogLines 20"]),
    (True, True, ["LogLines 10"]), (False, True, ["LogLines 10"]),
])  # fmt: skip
def test_a_live_line_only_in_a_terminal_and_neither_with_quiet(monkeypatch, terminal, quiet, kinds):
    monkeypatch.setattr("sys.stderr", Terminal() if terminal else io.StringIO())
    monkeypatch.setenv("TERM", "xterm")
    found = progress.seen_by_a_person(quiet)
    assert [f"{type(p).__name__} {getattr(p, '_level', '')}".strip() for p in found] == kinds


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_loop_tells_every_stage_with_its_counts(tmp_path):
    heard = Told()
    run = make_run(tmp_path / "run", num_cycles=1)
    run.progress = heard
    statistics = play(run)
    kept = statistics["cycles"][1]["kept"]
    rows = [("row", 1, n + 1) for n in range(kept)]
    assert heard.said == [
        ("begin", "evaluate", 0, 12), ("end", "evaluate", 0, 12), ("cycle", 0, True),
        ("begin", "generate & verify", 1, 40), ("end", "generate & verify", 1, 40), ("cycle", 0, True),
        ("begin", "train", 1, None), *rows, ("end", "train", 1, kept), ("trained", 1, kept),
        ("begin", "swap & prove", 1, None), ("end", "swap & prove", 1, 0),
        ("begin", "evaluate", 1, 12), ("end", "evaluate", 1, 12), ("cycle", 1, True),
    ]  # fmt: skip


def test_a_resumed_stage_begins_with_what_is_there(tmp_path):
    sampler = FakeSampler()
    sampler.fail_after = 12 + 17  # the evaluation's, then some of the cycle's
    with pytest.raises(CutOff):
        play(make_run(tmp_path / "run", sampler))
    run = make_run(tmp_path / "run", num_cycles=1)
    folder = tmp_path / "run"
    drawn, verified = (len((folder / f"cycle_1_{n}.jsonl").read_text().splitlines()) for n in ("samples", "verified"))
    counts: list[tuple[int, int, int]] = []

    class Counting(Progress):
        def begin(self, stage):
            counts.append((stage.drawn, stage.done, stage.cached))

    run.progress = Counting()
    play(run)
    assert counts[0] == (drawn, verified, verified)
    assert 0 < drawn < 40


def test_progress_json_is_whole_whenever_it_is_read(tmp_path, monkeypatch):
    clock = Clock()
    file = ProgressFile(tmp_path, clock)
    read = lambda: json.loads((tmp_path / "progress.json").read_text())  # noqa: E731
    assert (read()["state"], read()["pid"], read()["host"]) == ("running", os.getpid(), socket.gethostname())
    file.facts["dashboard"] = "http://there"
    with file.during(Stage("train", 1, 3, unit="steps", total=10)) as stage:
        stage.done = 4
        file.tick()
        assert read()["stage"]["done"] == 0, "not rewritten more often than every two seconds"
        clock.now += 2
        with (tmp_path / "progress.json").open() as opened_before:
            file.tick()
            assert json.load(opened_before)["stage"]["done"] == 0, "who reads while it is rewritten reads the old one"
        assert (read()["stage"]["done"], read()["dashboard"]) == (4, "http://there")
        stage.done = 5
        clock.now += 2
        written = Path.write_text

        def half(path, text, **kwargs):
            written(path, text[:20], **kwargs)
            raise CutOff

        monkeypatch.setattr(Path, "write_text", half)
        with pytest.raises(CutOff):
            file.tick()
        assert read()["stage"]["done"] == 4, "a write that is cut off leaves the file before it"
        monkeypatch.undo()
    file.close("nothing was kept")
    assert (read()["state"], read()["how"]) == ("stopped", "nothing was kept")


def test_what_ended_a_run_is_told_in_one_line(tmp_path):
    file = ProgressFile(tmp_path)
    with pytest.raises(ExceptionGroup), told(file):
        raise ExceptionGroup("tasks", [RunStopped("nothing was kept\nsecond line")])
    assert json.loads((tmp_path / "progress.json").read_text())["how"] == "nothing was kept"
    with pytest.raises(asyncio.CancelledError), told(file):
        raise asyncio.CancelledError
    assert json.loads((tmp_path / "progress.json").read_text())["how"] == "interrupted"
    with told(file):
        pass
    assert json.loads((tmp_path / "progress.json").read_text())["state"] == "finished"


def test_it_ticks_while_the_block_runs(monkeypatch):
    monkeypatch.setattr(progress, "TICK_S", 0.001)
    ticks = 0

    class Counting(Progress):
        def tick(self):
            nonlocal ticks
            ticks += 1

    async def play():
        async with ticking(Several(Counting(), Counting())):
            await asyncio.sleep(0.05)

    asyncio.run(play())
    assert ticks >= 4
    assert ticks % 2 == 0


def end(log):
    log.warning("second")
    raise CutOff


def test_the_log_file_has_everything_and_is_appended(tmp_path):
    log, file = logging.getLogger("haloforge"), tmp_path / "raft.log"
    log.setLevel(logging.DEBUG)
    with log_file(file):
        log.debug("first")
    with pytest.raises(CutOff), log_file(file):
        end(log)
    log.info("outside")
    text = file.read_text()
    assert re.search(r"DEBUG first\n.*WARNING second\n.*DEBUG ended by CutOff\nTraceback", text)
    assert "outside" not in text


# ── haloforge status ────────────────────────────────────────────────────────────────────────────────────────────────


def begun(path: Path, cycles: int = 3, sampler: FakeSampler | None = None):
    """A run that writes its config and progress.json as the driver does; ended by `sampler` or at its end."""
    run = make_run(path, sampler, num_cycles=cycles)
    run.folder.write_config(run.config.model_dump(mode="json"))
    run.progress = ProgressFile(path)
    with told(run.progress):
        play(run)


def test_status_of_a_run_that_is_cut_off_and_of_one_that_is_finished(tmp_path):
    sampler = FakeSampler()
    sampler.fail_after = 2 * 12 + 40 + 25  # in the second cycle's samples
    with pytest.raises(CutOff):
        begun(tmp_path / "run", sampler=sampler)
    found = status.read(tmp_path / "run")
    assert (found.state, found.cycle, found.cycles) == ("stopped", 2, 3)
    assert found.headline == "stopped in cycle 2 while in “generate & verify” (CutOff): the same command goes on"
    assert "ETA" not in "".join(found.lines())
    counted = {n: len((tmp_path / f"run/cycle_2_{n}.jsonl").read_text().splitlines()) for n in ("samples", "verified")}
    assert found.rows == counted
    begun(tmp_path / "run")
    found = status.read(tmp_path / "run")
    assert (found.state, found.headline, found.cycle) == ("finished", "finished", 3)


def test_status_of_a_running_run_names_its_holder_and_does_not_disturb_it(tmp_path):
    run = make_run(tmp_path / "run")
    run.folder.write_config(run.config.model_dump(mode="json"))
    file = ProgressFile(tmp_path / "run")
    file.facts["dashboard"] = "http://127.0.0.1:8265"
    with file.during(Stage("train", 1, 3, unit="steps", total=10)):
        found = status.read(tmp_path / "run")
        assert found.headline == f"running (pid {os.getpid()} on {socket.gethostname()})"
        assert "cycle 1/3 · train: step 0/10, 0:00" in found.lines()
        assert "dashboard: http://127.0.0.1:8265" in found.lines()
        with pytest.raises(BadInput, match="is being written"):
            RunFolder(tmp_path / "run").open()
    run.folder.close()
    assert status.read(tmp_path / "run").state == "stopped"


LOUD = "[bold red]x[/bold red] :bomb: \x1b]0;owned\x07 \x1b[2J \x9b31m \r\x08 \u202e \ud800"
"""What a sample, or a row's id, may say: markup, an emoji's name, and what moves a terminal."""


def only_text(written: str) -> bool:
    """Nothing but printable text, in which LOUD's markup and emoji stand as they were."""
    return all(ch.isprintable() or ch == "\n" for ch in written) and "[bold red]x[/bold red] :bomb: " in written


def test_status_shows_what_ended_a_run_as_text(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run")
    run.folder.write_config(run.config.model_dump(mode="json"))
    with pytest.raises(RunStopped), told(ProgressFile(tmp_path / "run")):
        raise RunStopped(f"100 of 100 samples could not be judged: {LOUD}")
    run.folder.close()
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["status", "run"])
    assert shown.exit_code == 0, shown.output
    assert only_text(shown.output), shown.output


def test_log_lines_and_errors_are_text_in_the_terminal_and_in_the_log_file(tmp_path):
    code = (
        "import sys; from haloforge.terminal import errors_shown, show, log; from haloforge.errors import RunStopped;"
        "from haloforge.watching.progress import log_file; from pathlib import Path;"
        "from haloforge.watching.stages import Stage; from haloforge.watching.progress import LiveLine;"
        "from rich.console import Console; loud = sys.argv[1].encode().decode('unicode_escape')\n"
        "with errors_shown(), log_file(Path('raft.log')):\n"
        "    log.warning('verifying %s: %s; trying again', loud, loud)\n"
        "    show(loud)\n"
        "    live = LiveLine(Console(stderr=True, force_terminal=True, color_system=None, width=150, height=20))\n"
        "    with live.during(Stage('verify', total=1)): log.warning('meanwhile: %s', loud)\n"
        "    raise RunStopped(loud)\n"
    )
    said = LOUD.encode("unicode_escape", "surrogatepass").decode()
    command = [sys.executable, "-c", code, said]
    environment = {**os.environ, "PYTHONPATH": str(Path(status.__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3, done.stderr
    assert only_text(done.stdout), done.stdout
    before, _, later = done.stderr.partition("trying again\n")
    live, _, last = later.partition("haloforge: error: ")
    assert only_text(before), before
    assert only_text(last), last
    above = next(row for row in on_screen(live) if "meanwhile" in row)
    assert only_text(above.replace("meanwhile: ", "")), above
    file = (tmp_path / "raft.log").read_text()
    assert only_text(file), file
    assert file.count("[bold red]") >= 3


def test_status_without_an_argument_takes_the_run_that_was_written_last(tmp_path, home, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with pytest.raises(BadInput, match=r"no run folder at .*here/models/\*.*home/runs"):
        status.find(None)
    for age, folder in enumerate((home / "runs/a", here / "models/raft", here / "runs/b")):
        folder.mkdir(parents=True)
        (folder / "resolved_config.yaml").write_text("{}")
        os.utime(folder / "resolved_config.yaml", (1000 - age, 1000 - age))
    (here / "runs/other").mkdir()
    assert status.find(None) == home / "runs/a"
    (here / "runs/b/progress.json").write_text("{}")
    assert status.find(None) == here / "runs/b"
    assert status.find("runs/a") == home / "runs/a"
    with pytest.raises(BadInput, match=r"'runs/c' not found; looked at .*here/runs/c, .*home/runs/c"):
        status.find("runs/c")
    with pytest.raises(BadInput, match="no run folder"):
        status.read(here / "runs/other")


def test_the_command_prints_the_state_and_the_table(tmp_path, monkeypatch):
    begun(tmp_path / "run", cycles=1)
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["status", "run"])
    assert shown.exit_code == 0, shown.output
    assert shown.output.splitlines()[:2] == ["run: finished", "log: run/raft.log"]
    for cell in (c for row in report.cells(status.read(tmp_path / "run").statistics) for c in row):
        assert cell.split()[0] in shown.output
    assert "--output run --cycles 3" in shown.output
    assert CliRunner().invoke(app, ["status", "absent"]).exit_code == 2


def test_an_actor_says_first_what_it_is_doing_then_its_figures():
    said = {
        "updates": 2,
        "doing": "train · cycle 3",
        "last": {"step": 4, "train_loss": 0.123456},
        "gpus": [],
        "x": None,
    }
    assert report.one_line(said) == "train · cycle 3, updates 2, last (step 4, train_loss 0.1235)"
    assert report.one_line({"doing": "idle", "gpus": [{"busy": 0.5}]}) == "idle, gpus (busy 0.5)"


def test_the_commands_at_the_end_are_the_ones_that_go_on(tmp_path, monkeypatch):
    begun(tmp_path / "run", cycles=2)
    statistics = status.read(tmp_path / "run").statistics
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["/venv/bin/haloforge"])
    lines = [line for line in report.ending(statistics, tmp_path / "run") if isinstance(line, str)]
    assert "two more cycles: haloforge raft train --output run --cycles 4" in lines
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr("sys.argv", ["/checkout/haloforge/raft.py"])
    lines = [line for line in report.ending(statistics, tmp_path / "run") if isinstance(line, str)]
    assert f"two more cycles: python -m haloforge.raft --output {tmp_path}/run --cycles 4" in lines
