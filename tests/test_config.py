"""The schema: flags over YAML over defaults, numbers as people write them, unknown keys named."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from haloforge import config, paths
from haloforge.config import RaftConfig, SftConfig, reference
from haloforge.errors import BadInput


def yaml(tmp_path, text):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    return file


def test_a_number_in_yaml_1_2_form_is_a_number(tmp_path):
    file = yaml(tmp_path, "training: {learning_rate: 5e-5}\n")
    assert config.load(RaftConfig, file).training.learning_rate == 0.00005
    assert config.load(SftConfig, yaml(tmp_path, "training: {learning_rate: 2e-4}\n")).training.learning_rate == 0.0002


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("training: {learning_rat: 1.0e-4}", "did you mean 'training.learning_rate'"),
        ("generaton: {temperature: 1}", "did you mean 'generation'"),
        ("training: {learning_rate: fast}", "training.learning_rate"),
        ("raft: {reward_threshold: 3}", "raft.reward_threshold"),
        ("raft: {samples_per_prompt: 0}", "raft.samples_per_prompt"),
        ("- a list", "keys and values"),
        ("a: b: c", "not valid YAML"),
        ("raft: {control_of: runs/x}", "selection: uniform"),
        ("seed: 1\nraft: {num_cycles: 2}\nseed: 3\n", "key 'seed' stands twice, in line 1 and in line 3"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path, text, named):
    with pytest.raises(BadInput) as error:
        config.load(RaftConfig, yaml(tmp_path, text))
    assert named in str(error.value)
    assert "c.yaml" in str(error.value)


def test_a_typed_value_beats_the_yaml_and_the_yaml_beats_the_default(tmp_path):
    file = yaml(tmp_path, "raft: {num_cycles: 2, samples_per_prompt: 6}\nmodel: some/base\n")
    loaded = config.load(RaftConfig, file, {"raft.num_cycles": 9, "model.trust_remote_code": True})
    assert (loaded.raft.num_cycles, loaded.raft.samples_per_prompt, loaded.raft.keep_top_percent) == (9, 6, 0.5)
    assert (loaded.model.name, loaded.model.trust_remote_code) == ("some/base", True)


def test_set_reads_its_value_as_yaml_and_refuses_what_has_no_value():
    assert config.parse_setting("lora.target_modules=[q_proj]") == ("lora.target_modules", ["q_proj"])
    with pytest.raises(BadInput, match="key=value"):
        config.parse_setting("lora.r")


def test_the_documented_defaults_hold():
    c = RaftConfig()
    assert (c.raft.num_cycles, c.raft.samples_per_prompt, c.raft.lr_decay) == (5, 8, 0.85)
    assert (c.raft.reward_threshold, c.raft.keep_top_percent, c.raft.max_kept_per_prompt) == (0.5, 0.5, 4)
    assert (c.generation.max_new_tokens, c.generation.temperature, c.generation.batch_size) == (1024, 0.7, 8)
    assert (c.training.epochs, c.training.batch_size, c.training.gradient_accumulation_steps) == (1, 2, 16)
    assert (c.training.learning_rate, c.training.min_steps) == (5e-5, 8)
    assert (c.verifier.type, c.output_dir) == ("gcc", "models/raft")
    assert (c.evaluation.holdout, c.evaluation.samples, c.evaluation.every) == (0.05, 4, 1)


def test_only_what_makes_a_run_another_one_is_in_its_identity():
    base = config.identity(RaftConfig())
    free = {"raft": {"num_cycles": 99}, "generation": {"batch_size": 3}, "verifiers": {"count": 7}}
    assert config.identity(RaftConfig.model_validate(free)) == base
    for other in ({"seed": 1}, {"raft": {"keep_top_percent": 1}}, {"training": {"epochs": 2}}, {"model": "x"}):
        assert config.differences(base, config.identity(RaftConfig.model_validate(other))), other


def test_differences_name_the_leaf_and_both_values():
    assert config.differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}) == ["a.c: 2 → 3"]


@pytest.mark.parametrize("file", sorted(paths.shipped().glob("*.yaml")), ids=lambda f: f.name)
def test_every_shipped_config_loads(file):
    kind = SftConfig if file.name.startswith("sft") else RaftConfig
    assert config.load(kind, file) != kind()


def test_inputs_are_looked_for_in_the_documented_places(tmp_path, monkeypatch, home):
    monkeypatch.chdir(tmp_path)
    home.mkdir()
    (home / "p.jsonl").write_text("{}")
    assert paths.find_input("p.jsonl", "prompts") == home / "p.jsonl"
    (tmp_path / "p.jsonl").write_text("{}")
    assert paths.find_input("p.jsonl", "prompts") == tmp_path / "p.jsonl"
    with pytest.raises(BadInput) as error:
        paths.find_input("q.jsonl", "prompts")
    assert str(tmp_path / "q.jsonl") in str(error.value)
    assert str(home / "q.jsonl") in str(error.value)


def test_outputs_of_a_job_outlive_its_working_directory(tmp_path, monkeypatch, home):
    monkeypatch.chdir(tmp_path)
    assert paths.output("runs/demo") == tmp_path / "runs/demo"
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    assert paths.output("runs/demo") == home / "runs/demo"
    assert paths.output("/abs/run") == paths.Path("/abs/run")


def test_a_shipped_config_is_found_by_its_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("demo.yaml", "configs/demo.yaml"):
        assert paths.find_config(name).name == "demo.yaml"
    with pytest.raises(BadInput, match=r"demo\.yaml"):
        paths.find_config("dmeo.yaml")


def test_layers_are_laid_over_each_other_and_every_value_knows_its_source(tmp_path):
    file = yaml(tmp_path, "verifier: gcc\nraft: {num_cycles: 2, keep_top_percent: 0.25}\nhardware: {env: {A: b}}\n")
    found = config.resolve(
        RaftConfig,
        [
            config.Layer("run folder", {"raft.num_cycles": 9, "raft.lr_decay": 0.5, "hardware.env": {"C": "d"}}),
            config.read_file(file),
            config.Layer("typed", {"raft.keep_top_percent": 0.75}),
        ],
    )
    c = found.config
    assert (c.raft.num_cycles, c.raft.lr_decay, c.raft.keep_top_percent) == (2, 0.5, 0.75)
    assert c.hardware.env == {"A": "b"}, "a mapping of the user's own is replaced as a whole"
    told = {line.split(": ")[0]: line.rpartition("  # ")[2] for line in config.described(found)}
    assert told["raft.num_cycles"] == told["verifier.type"] == str(file)
    assert (told["raft.lr_decay"], told["raft.keep_top_percent"], told["seed"]) == ("run folder", "typed", "default")
    assert len(config.described(found, defaults=False)) == 5


def test_what_a_run_was_started_with_comes_back_from_its_dump_and_nothing_else():
    given = {"model": {"name": "m"}, "raft": {"num_cycles": 7}, "evaluation": {"prompts": {"a": "b"}}}
    dumped = RaftConfig.model_validate(given).model_dump(mode="json")
    assert config.changed(RaftConfig, dumped) == {
        "model.name": "m",
        "raft.num_cycles": 7,
        "evaluation.prompts": {"a": "b"},
    }


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("base_model: x", "did you mean 'model'"),
        ("threshold: 0.5", "did you mean 'raft.reward_threshold'"),
        ("keep: 0.5", "did you mean 'raft.keep_top_percent'"),
        ("samples: 4", "did you mean 'raft.samples_per_prompt'"),
        ("generation: {temperature_start: 1.0}", "temperature_start and temperature_end belong together"),
        ("placement: {mode: sleep}", "placement.mode"),
    ],
)
def test_keys_of_other_systems_are_told_where_they_went(tmp_path, text, named):
    with pytest.raises(BadInput) as error:
        config.load(RaftConfig, yaml(tmp_path, text))
    assert named in str(error.value)


def test_the_reference_is_what_the_schemas_say():
    page = (paths.Path(__file__).parent.parent / "docs/CONFIG.md").read_text()
    assert page == reference.reference(), "run: python -m haloforge.config.reference > docs/CONFIG.md"
    for kind in (RaftConfig, SftConfig):
        for key in set(config.known_keys(kind)) - {k.rpartition(".")[0] for k in config.known_keys(kind)}:
            assert f"| `{key}`" in page
    bare = [line for line in page.splitlines() if line.startswith("| `") and line.split(" | ")[3].strip(" |") == ""]
    assert bare == [], "every key says what it does"


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "haloforge.cli", *arguments], capture_output=True, text=True)


def test_config_show_validate_and_schema_answer(tmp_path):
    shown = run("config", "show", "--config", "demo.yaml", "--set", "seed=9")
    assert "seed: 9  # --set" in shown.stdout
    assert 'verifier.type: "execution"  # ' in shown.stdout
    copied = yaml(tmp_path, shown.stdout)
    assert config.load(RaftConfig, copied) == config.load(RaftConfig, paths.find_config("demo.yaml"), {"seed": 9})
    copied.write_text("verifier: exection\n")
    assert "'exection'; did you mean 'execution'?" in run("config", "validate", str(copied)).stderr
    good = yaml(tmp_path, "training: {per_device_train_batch_size: 4}\n")
    assert "ok (sft)" in run("config", "validate", str(good)).stdout
    good.write_text("data: {train_fil: x}\n")
    refused = run("config", "validate", str(good), "demo.yaml")
    assert refused.returncode == 2
    assert "did you mean 'data.train_file'" in refused.stderr
    assert "demo.yaml: ok (raft)" in refused.stdout
    assert json.loads(run("config", "schema", "raft").stdout)["properties"]["raft"]
    assert run("config", "schema", "rafd").returncode == 2
