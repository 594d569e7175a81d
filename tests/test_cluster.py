"""Joining a cluster: what is refused, what travels, and what the scripts do without one."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from actors import cluster, travel
from actors.base_models import ModelStore, file_sizes
from actors.cluster import check_answers, check_port_free, connect
from actors.folders import read_folder
from actors.travel import check_size, files_that_travel
from haloforge import config as schema
from haloforge.config import ClusterBlock, RaftConfig
from haloforge.errors import BadInput
from haloforge.models import fingerprint, lasting

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted((ROOT / "cluster").glob("*.sh"))


@pytest.fixture
def listening():
    """Ports of listeners: one that answers as a web server does, one that never says anything."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]

    def answer() -> None:
        connection, _ = servers[0].accept()
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()

    threading.Thread(target=answer, daemon=True).start()
    yield [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_an_address_that_does_not_answer_is_refused_in_seconds_with_what_to_do(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    port, start = free_port(), time.monotonic()
    with (
        pytest.raises(BadInput, match=rf"127\.0\.0\.1:{port} \(cluster.address\).*head.sh"),
        connect("refused", ClusterBlock(address=f"127.0.0.1:{port}")),
    ):
        pass
    assert time.monotonic() - start < 15


@pytest.mark.parametrize("address", ["http://10.0.0.1:8265", "10.0.0.1", "10.0.0.1:ray", "ray://10.0.0.1:10001"])
def test_an_address_of_another_shape_is_told_which_is_wanted(address):
    with pytest.raises(BadInput, match=r"RAY_ADDRESS is .*wanted is host:port"):
        check_answers(address, "RAY_ADDRESS")


def test_a_port_that_is_not_rays_is_told_from_one_that_is(listening, monkeypatch):
    web, silent = listening
    with pytest.raises(BadInput, match=r"not Ray's own port.*not the dashboard's"):
        check_answers(f"127.0.0.1:{web}", "cluster.address")
    monkeypatch.setattr(cluster, "CONNECT_S", 0.3)
    with pytest.raises(BadInput, match="no Ray cluster answers"):
        check_answers(f"127.0.0.1:{silent}", "cluster.address")


def test_a_dashboard_port_in_use_is_refused_by_its_number_before_ray_starts(listening, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    check_port_free(free_port())
    with (
        pytest.raises(BadInput, match=rf"cluster.dashboard_port {listening[0]} "),
        connect("refused", ClusterBlock(dashboard_port=listening[0])),
    ):
        pass


def test_environments_models_and_runs_never_travel(tmp_path):
    for name in (".gitignore", ".rayignore"):
        shutil.copy(ROOT / name, tmp_path)
    there = ("haloforge/a.py", "configs/b.yaml", "prompts.jsonl")
    kept_back = (".venv/lib/x.so", "venv/lib/x.so", "models/m/w.safetensors", "runs/r/rows.jsonl", "a/__pycache__/x")
    for name in (*there, *kept_back):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = {str(path.relative_to(tmp_path)) for path in files_that_travel(tmp_path)}
    assert found == {*there, ".gitignore", ".rayignore"}


def test_this_checkout_travels_small():
    found = files_that_travel(ROOT)
    assert ROOT / "haloforge/raft.py" in found
    assert sum(found.values()) < 5 * travel.MIB, "something large is in none of .gitignore and .rayignore"


def test_too_much_to_travel_is_refused_with_the_largest_files(tmp_path, monkeypatch):
    monkeypatch.setattr("ray._private.runtime_env.packaging.GCS_STORAGE_MAX_SIZE", 3 * travel.MIB)
    (tmp_path / "weights.bin").write_bytes(bytes(4 * travel.MIB))
    (tmp_path / "small.py").write_text("")
    with pytest.raises(BadInput, match=r"at most 3 MiB.*\n  4\.0 MiB  .*weights\.bin"):
        check_size([tmp_path])
    assert check_size([tmp_path], excludes=["*.bin"]) == "1 files, 0.0 MiB"


def model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "qwen2"}')
    (folder / "model.safetensors").write_bytes(os.urandom(1000))
    return folder


def test_a_model_is_found_where_it_is_or_received_whole_and_then_found(tmp_path, home):
    here = model(tmp_path / "here")
    store = ModelStore(fingerprint(here), file_sizes(here))
    assert store.find(str(here)) == str(here), "a node that sees the driver's folder needs no copy"
    assert store.find(str(tmp_path / "elsewhere")) is None
    store.expect()
    for piece in read_folder(here):
        store.receive(piece)
        assert store.find(str(tmp_path / "elsewhere")) is None, "half a model is none"
    there = Path(store.finish())
    assert there == home / "cache/models" / fingerprint(here)
    assert (there / "model.safetensors").read_bytes() == (here / "model.safetensors").read_bytes()
    assert store.find(str(tmp_path / "elsewhere")) == str(there)
    assert [p.name for p in there.parent.iterdir()] == [there.name]
    (there / "model.safetensors").write_bytes(b"cut off")
    assert store.find(str(tmp_path / "elsewhere")) is None


def test_a_model_that_did_not_arrive_whole_is_not_put_in_place(tmp_path, home):
    here = model(tmp_path / "here")
    store = ModelStore(fingerprint(here), file_sizes(here))
    store.expect()
    store.receive(next(read_folder(here)))
    with pytest.raises(OSError, match="did not arrive whole"):
        store.finish()
    assert list((home / "cache/models").iterdir()) == []


def test_a_model_that_came_with_a_job_is_kept_where_it_stays(tmp_path, home, monkeypatch):
    in_copy, outside = model(tmp_path / "copy/mine/base"), model(tmp_path / "outside")
    monkeypatch.chdir(tmp_path / "copy")
    assert lasting(str(in_copy)) == str(in_copy), "outside a job everything stays"
    job = {"runtime_env": {"working_dir": "gcs://_ray_pkg_1.zip"}}
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps(job))
    kept = Path(lasting(str(in_copy)))
    assert kept == home / "cache/models" / fingerprint(in_copy)
    assert file_sizes(kept) == file_sizes(in_copy)
    assert lasting("mine/base") == str(kept)
    assert lasting(str(outside)) == str(outside)
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps({"runtime_env": {}}))
    assert lasting(str(in_copy)) == str(in_copy), "without --working-dir the folder is the user's own"


def test_the_config_for_two_machines_loads():
    found = schema.load(RaftConfig, ROOT / "configs/two_machines.yaml")
    assert found.verifiers.count is None
    assert found.placement.generator_node is None


# ── the scripts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def script(name: str, *arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHON": sys.executable, **environment}
    return subprocess.run(
        [str(ROOT / "cluster" / name), *arguments], env=variables, cwd=home, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_scripts_are_sound(file):
    check = ["shellcheck", "-x", "-P", str(ROOT)] if shutil.which("shellcheck") else ["bash", "-n"]
    done = subprocess.run([*check, str(file)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_token_joining_and_submitting_say_how_to_get_it(tmp_path):
    for name, argument in (("join.sh", "10.0.0.1"), ("submit.sh", "python")):
        done = script(name, argument, home=tmp_path)
        assert done.returncode == 2
        assert "no token here" in done.stderr
        assert "auth_token" in done.stderr


def test_joining_what_does_not_answer_says_so_before_anything_is_installed(tmp_path):
    done = script("join.sh", f"127.0.0.1:{free_port()}", home=tmp_path, RAY_AUTH_TOKEN="0" * 64)
    assert done.returncode == 2
    assert "nothing answers at 127.0.0.1" in done.stderr


def test_a_head_on_a_port_in_use_is_refused_by_its_number(tmp_path, listening):
    done = script("head.sh", "--node-ip-address=127.0.0.1", f"--port={listening[1]}", home=tmp_path)
    assert done.returncode == 2
    assert f"port {listening[1]} on 127.0.0.1 is in use" in done.stderr


def test_stop_ends_what_is_recorded_and_nothing_else(tmp_path):
    assert "nothing that" in script("stop.sh", home=tmp_path).stdout
    record = tmp_path / ".haloforge/cluster/ray.pid"
    record.parent.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as other, subprocess.Popen(["sleep", "60"]) as ours:
        record.write_text(f"{other.pid} 12345\n")  # the number of a process that has ended, given to another since
        assert "had ended already" in script("stop.sh", home=tmp_path).stdout
        assert other.poll() is None
        started = Path(f"/proc/{ours.pid}/stat").read_text().rpartition(") ")[2].split()[19]
        record.write_text(f"{ours.pid} {started}\n")
        assert "has ended" in script("stop.sh", home=tmp_path).stdout
        assert ours.wait(5) == -15
        assert other.poll() is None
        other.kill()
    assert not record.exists()
