"""The run folder: what a kill leaves behind is readable, and two writers never meet."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from haloforge.errors import BadInput
from haloforge.ledger import Rows, RunFolder, sample_from, sample_row, verdict_from, verdict_row
from tests.fakes import judged


def test_a_torn_last_line_is_dropped_and_the_next_row_follows_the_whole_ones(tmp_path):
    file = tmp_path / "rows.jsonl"
    whole = [{"id": "a", "n": 1}, {"id": "b", "text": "ü\n"}]
    text = "".join(json.dumps(row) + "\n" for row in whole)
    for torn in ('{"id": "c", "n"', '{"id": "c", "n": 3}', '{"id": "c", "n\n', "\x00\x00\n"):
        file.write_text(text + torn)
        rows = Rows(file)
        assert list(rows.read()) == whole
        rows.append({"id": "d"})
        rows.close()
        assert [row["id"] for row in Rows(file).read()] == ["a", "b", "d"]


def test_every_appended_row_is_on_disk_at_once(tmp_path):
    rows = Rows(tmp_path / "rows.jsonl")
    for n in range(5):
        rows.append({"id": n})
        assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == n + 1


def test_samples_and_verdicts_survive_the_round_trip_through_their_rows():
    one = judged("p", 3)
    assert sample_from(json.loads(json.dumps(sample_row(one.sample, "text")))) == one.sample
    assert verdict_from(json.loads(json.dumps(verdict_row(one.sample, "text", one.result)))) == one.result


def test_verdict_rows_carry_the_documented_names():
    row = verdict_row(judged("p", 0).sample, "the prompt", judged("p", 0).result)
    documented = {"id", "status", "reward", "success", "details", "error", "passed", "total", "cpu_s", "wall_s"}
    assert documented | {"level", "trust", "cached", "prompt", "completion"} <= set(row)


def test_a_second_driver_is_refused_with_the_first_ones_pid(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.open()
    code = (
        "import sys; from pathlib import Path; from haloforge.ledger import RunFolder; "
        "RunFolder(Path(sys.argv[1])).open()"
    )
    second = subprocess.run([sys.executable, "-c", code, str(folder.path)], capture_output=True, text=True)
    assert "BadInput" in second.stderr
    assert f"pid {os.getpid()}" in second.stderr
    folder.close()
    assert subprocess.run([sys.executable, "-c", code, str(folder.path)]).returncode == 0


def test_an_output_folder_that_cannot_be_made_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="output_dir"):
        RunFolder(tmp_path / "file" / "run").open()


def test_statistics_are_read_back_and_cycles_stay_in_order(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.open()
    for n in (2, 0, 1):
        folder.cycle(n)["kept"] = n
    folder.save()
    folder.close()
    again = RunFolder(tmp_path / "run")
    again.open()
    assert [(e["cycle"], e["kept"]) for e in again.statistics["cycles"]] == [(0, 0), (1, 1), (2, 2)]


def test_fresh_moves_the_earlier_run_aside_with_all_its_files(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert folder.set_aside() is None
    folder.open()
    folder.statistics["run"]["identity"] = {"seed": 1}
    folder.save()
    folder.close()
    folder = RunFolder(tmp_path / "run")
    writing = RunFolder(folder.path)
    writing.open()
    with pytest.raises(BadInput, match="being written"):
        folder.set_aside()
    writing.close()
    aside = folder.set_aside()
    assert aside is not None
    assert (aside / "raft_statistics.json").exists()
    assert not folder.path.exists()
    folder.open()
    assert folder.statistics["run"] == {}, "the new run is still the earlier one"


def test_final_model_can_be_pointed_elsewhere_again(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.open()
    for n in (1, 2):
        folder.final(n).mkdir()
        (folder.final(n) / "n").write_text(str(n))
        folder.link("final_model", folder.final(n))
        assert (folder.path / "final_model" / "n").read_text() == str(n)
