"""Imports point down, and heavy packages stay out of what must be quick."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MEANS = """
budgets code_digest config hardware leash ledger metrics models output_folder paths proof sandbox seeds selection
source tasks terminal verdicts versions watching
"""
WORK = "data generation loop preparation rendering sft_folder training verification verifiers"
COMMANDS = "__main__ cli config_cli doctor raft sft verify_cli"
LAYERS = {
    "haloforge.records": 0,
    "haloforge.errors": 0,
    "haloforge.interrupts": 0,
    **dict.fromkeys((f"haloforge.{name}" for name in MEANS.split()), 1),
    **dict.fromkeys((f"haloforge.{name}" for name in WORK.split()), 2),
    "actors": 3,
    **dict.fromkeys((f"haloforge.{name}" for name in COMMANDS.split()), 4),
}
HEAVY = {"torch", "vllm", "ray", "transformers", "peft", "trl", "datasets", "tokenizers", "safetensors", "numpy"}


def modules():
    for package in ("haloforge", "actors"):
        for file in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            if name != "haloforge":
                yield name, ast.parse(file.read_text())


def layer(name):
    parts = name.split(".")
    return next((LAYERS[".".join(parts[:n])] for n in (2, 1) if ".".join(parts[:n]) in LAYERS), None)


def imports(tree, top_only=False):
    """Names imported by a module; those under TYPE_CHECKING are left out."""
    nodes = tree.body if top_only else [n for n in ast.walk(tree)]
    hidden = {
        id(n)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for n in ast.walk(block)
    }
    for node in nodes:
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_has_a_layer():
    assert [name for name, _ in modules() if layer(name) is None] == []


def test_imports_point_down():
    wrong = [
        f"{name} (layer {layer(name)}) imports {target} (layer {layer(target)})"
        for name, tree in modules()
        for target in imports(tree)
        if target.split(".")[0] in ("haloforge", "actors") and (layer(target) or 0) > layer(name)
    ]
    assert wrong == []


def test_ray_is_only_in_actors_and_heavy_packages_only_in_the_work_layer():
    wrong = []
    for name, tree in modules():
        for target in imports(tree):
            package = target.split(".")[0]
            if package == "ray" and layer(name) != 3:
                wrong.append(f"{name} imports ray")
            elif package in HEAVY - {"ray"} and layer(name) != 2:
                wrong.append(f"{name} imports {package}")
    assert wrong == []


def test_words_need_only_the_standard_library():
    for name, tree in modules():
        if layer(name) == 0:
            assert {t.split(".")[0] for t in imports(tree)} <= sys.stdlib_module_names | {"haloforge"}


@pytest.mark.parametrize(
    "statement",
    ["import haloforge", "import haloforge.verifiers", "import haloforge.cli", "import actors"],
)
def test_what_must_be_quick_pulls_in_nothing_heavy(statement):
    code = f"import sys; {statement}; print([m for m in {sorted(HEAVY)!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
