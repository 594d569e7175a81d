"""Everything that can be wrong with a run is found here, before anything expensive starts.

Reads the inputs, checks the tools and returns what the run is made of. Not here: CPUs and GPUs of the
cluster (actors.placement), for which Ray must be up.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import random
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from haloforge import paths
from haloforge.config import RaftConfig, VerifierBlock
from haloforge.data.practice.build import Practice
from haloforge.data.practice.languages import PYTHON, PYTHON_FORGING, C, Language
from haloforge.errors import BadInput, MissingTool
from haloforge.models import StartPoint, context_length, resolve_start_point
from haloforge.records import Prompt
from haloforge.seeds import derive
from haloforge.tasks.prompts import prompt_row, read_prompts
from haloforge.verdicts.cache import VerdictCache, verdict_cache
from haloforge.verifiers import check_ready

log = logging.getLogger("haloforge")

PRACTICE: dict[str, Language] = {
    paths.BUILTIN + "practice/": C,
    paths.BUILTIN + "practice_python/": PYTHON,
    paths.BUILTIN + "practice_forging/": PYTHON_FORGING,
}
"""What is built in: the demo's own data and base, by what its corpus is in."""
DEFAULT_CONTEXT = 4096
"""Tokens, where a model's config names no limit."""


@dataclass(frozen=True)
class Prepared:
    """The checked inputs of a run."""

    output: Path
    prompts: dict[str, Prompt]
    held_out: dict[str, dict[str, Prompt]]
    practice: Practice | None
    """The demo's own data and base, where the config names them."""
    start: StartPoint | None
    """None: the practice base, which is built once Ray runs."""
    control_of: Path | None
    """The run folder whose count of kept samples the control copies."""

    @property
    def model_dir(self) -> str:
        """The base model's folder; of the practice base the untrained one, which has its size and its tokenizer."""
        if self.start is None:
            assert self.practice is not None
            return str(self.practice.folder / "random")
        return self.start.base_dir

    @property
    def every_prompt(self) -> list[Prompt]:
        """Those trained on and those held out."""
        return [*self.prompts.values(), *(p for group in self.held_out.values() for p in group.values())]

    @cached_property
    def start_digest(self) -> str:
        """What the run starts from: the practice base's recipe, or the model's and adapter's files."""
        if self.start is None:
            assert self.practice is not None
            return self.practice.digest
        return self.start.digest

    @cached_property
    def prompts_digest(self) -> str:
        digest = hashlib.sha256()
        for group in (self.prompts, *self.held_out.values()):
            for prompt in sorted(group.values(), key=lambda p: p.id):
                digest.update(repr(sorted(prompt_row(prompt).items())).encode())
            digest.update(b"\0")
        return digest.hexdigest()


def prepare(config: RaftConfig) -> Prepared:
    """Check the config's files and tools. Raises BadInput or MissingTool, worded for who must act."""
    require_packages("torch", "transformers", "peft", "trl", "vllm", "tensorboard")
    needed = {"model or sft_checkpoint": config.start_point, "prompts": config.prompts}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise BadInput(
            f"{' and '.join(missing)} missing: name them in the config or with --model / --checkpoint and --prompts. "
            f"Otherwise this would run with verifier {config.verifier.type}, cycles {config.raft.num_cycles}, "
            f"output {config.output_dir}, lr_decay {config.raft.lr_decay}"
        )
    assert config.start_point is not None
    assert config.prompts is not None
    language = _practice_language(config)
    practice = Practice(paths.home(), language=language) if language else None
    if practice is not None:
        try:
            practice.write_data()
        except OSError as e:
            raise BadInput(f"cannot write to HALOFORGE_HOME ({paths.home()}): {e.strerror}; set it elsewhere") from e
    prompts = _read(config.prompts, "prompts", practice)
    held_out = _held_out(config, prompts, practice)
    taken = {p.text for group in held_out.values() for p in group.values()}
    trained = {id_: p for id_, p in prompts.items() if p.text not in taken}
    if len(trained) < len(prompts):
        log.info("%d of %d prompts are held out and not trained on", len(prompts) - len(trained), len(prompts))
    prompts = trained
    if not prompts:
        raise BadInput("no prompts are left to train on once the held-out ones are taken away; add prompts")
    start = None
    if not config.start_point.startswith(paths.BUILTIN):
        base = config.model.name if config.sft_checkpoint and config.model.name else None
        start = resolve_start_point(
            paths.find_input(config.start_point, "model"), paths.find_input(base, "model") if base else None
        )
        start = start.lasting()
    control_of = paths.find_input(config.raft.control_of, "run") if config.raft.control_of else None
    prepared = Prepared(paths.output(config.output_dir), prompts, held_out, practice, start, control_of)
    check_ready(config.verifier.type, verifier_arguments(config), prepared.every_prompt)
    check_lengths(config, prepared.model_dir, prepared.every_prompt)
    return prepared


def longest(config: RaftConfig, model_dir: str) -> int:
    """Tokens of the longest sequence that the engine holds."""
    return config.generation.max_model_len or context_length(model_dir) or DEFAULT_CONTEXT


def check_lengths(config: RaftConfig, base_dir: str, prompts: Sequence[Prompt]) -> None:
    """Refuse prompts that leave no room for their answer in the model's context; one position is for scoring."""
    from haloforge.rendering import load_tokenizer, render_prompt

    generation, known = config.generation, context_length(base_dir)
    limit = longest(config, base_dir)
    if known and limit > known:
        raise BadInput(f"generation.max_model_len is {limit}; {base_dir} has a context of {known} tokens: lower it")
    tokenizer = load_tokenizer(base_dir, config.model.trust_remote_code)
    room = limit - 1 - generation.max_new_tokens
    if room < 1:
        raise BadInput(
            f"generation.max_new_tokens {generation.max_new_tokens} leaves no room for a prompt in a context of "
            f"{limit} tokens: lower it" + (" or raise generation.max_model_len" if not known or limit < known else "")
        )
    lengths = {p.id: len(render_prompt(tokenizer, p.text, generation.system_prompt)) for p in prompts}
    long = {id_: n for id_, n in lengths.items() if n > room}
    if long:
        first = ", ".join(f"{id_} ({n} tokens)" for id_, n in list(long.items())[:3])
        raise BadInput(
            f"{len(long)} of {len(lengths)} prompts are longer than the {room} tokens that a context of {limit} leaves "
            f"beside generation.max_new_tokens {generation.max_new_tokens}: {first}{', …' if len(long) > 3 else ''}; "
            "shorten or remove them, lower generation.max_new_tokens or raise generation.max_model_len"
        )


def warn_without_effect(config: RaftConfig, sources: Container[str], prompts: Iterable[Prompt]) -> None:
    """Say which values that somebody set can change nothing in this run."""
    raft = config.raft
    whole_only = not raft.partial_credit and any(p.has_checks for p in prompts)
    if "raft.reward_threshold" in sources and raft.reward_threshold < 1 and whole_only:
        log.warning(
            "raft.reward_threshold %g has no effect on prompts with tests: only what passes all of them is trained on; "
            "set raft.partial_credit: true to train on parts too",
            raft.reward_threshold,
        )
    if "raft.max_kept_per_prompt" in sources and raft.selection == "global":
        log.warning("raft.max_kept_per_prompt has no effect with raft.selection: global")
    if "generation.temperature" in sources and config.generation.temperature_start is not None:
        log.warning("generation.temperature has no effect beside temperature_start and temperature_end")
    if "evaluation.holdout" in sources and config.evaluation.prompts is not None:
        log.warning("evaluation.holdout has no effect where evaluation.prompts are given")


def require_packages(*names: str) -> None:
    """Raise MissingTool where the base install is all there is (enough for a verifier node, not for a run)."""
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    if absent:
        raise MissingTool(
            f"this needs {', '.join(absent)}, which this Python ({sys.executable}) lacks; in a checkout run "
            "`make setup` (CPU), else install the extra cuda or rocm"
        )


def verifier_arguments(config: RaftConfig) -> dict[str, Any]:
    """What the verifier's constructor gets: the config's limits, then what the user typed under verifier.args."""
    block: VerifierBlock = config.verifier
    arguments = {
        "cpu_s": config.limits.cpu_s,
        "compile_cpu_s": config.limits.compile_cpu_s,
        "memory_mb": config.limits.memory_mb,
        "run_after_compile": block.run_after_compile,
        "warnings": block.warnings,
        "check_only": block.check_only,
        "mounts": block.mounts,
        "reference_multiple": config.limits.reference_multiple,
        "reference_floor_s": config.limits.reference_floor_s,
        "allow_weak": config.allow_weak,
    }
    if block.type != "chain":
        if block.stages or block.weights:
            raise BadInput(f"verifier.stages and verifier.weights are for type: chain, but the type is {block.type}")
        return {**arguments, **block.args}
    return {**arguments, "stages": block.stages, "weights": block.weights, **block.args}


def cache_of(config: RaftConfig, machines: Iterable[Mapping[str, Any] | None]) -> VerdictCache:
    """The run's verdict cache, with verifiers on these machines (`Verifier.fingerprint`)."""
    return verdict_cache(config.verifier.type, verifier_arguments(config), machines, config.verifiers.cache)


def _practice_language(config: RaftConfig) -> Language | None:
    """Which practice data the config names; None: none."""
    evaluation = config.evaluation.prompts
    held_out = evaluation.values() if isinstance(evaluation, dict) else [evaluation]
    named = [
        name for name in (config.start_point, config.prompts, *held_out) if name and name.startswith(paths.BUILTIN)
    ]
    for name in named:
        if not name.startswith(tuple(PRACTICE)):
            raise BadInput(f"{name!r}: what is built in is {' and '.join(f'{prefix}…' for prefix in PRACTICE)}")
    used = [prefix for prefix in PRACTICE if any(name.startswith(prefix) for name in named)]
    if len(used) > 1:
        raise BadInput(f"{' and '.join(used)} are in one config; a run has the data and the base of one language")
    return PRACTICE[used[0]] if used else None


def _read(path: str, what: str, practice: Practice | None) -> dict[str, Prompt]:
    if path.startswith(paths.BUILTIN):
        assert practice is not None
        prefix = next(prefix for prefix in PRACTICE if path.startswith(prefix))
        file = practice.folder / path.removeprefix(prefix)
        if not file.is_file():
            known = ", ".join(prefix + p.name for p in sorted(practice.folder.glob("*.jsonl")))
            raise BadInput(f"{what} {path!r} is not one of {known}")
    else:
        file = paths.find_input(path, what)
    return {prompt.id: prompt for prompt in read_prompts(file)}


def _held_out(
    config: RaftConfig, prompts: Mapping[str, Prompt], practice: Practice | None
) -> dict[str, dict[str, Prompt]]:
    asked = config.evaluation.prompts
    if isinstance(asked, str):
        asked = {"heldout": asked}
    if asked is not None:
        sets = {name: _read(path, f"evaluation prompts {name!r}", practice) for name, path in asked.items()}
        _check_distinct(sets)
        return sets
    ids = sorted(prompts)
    random.Random(derive(config.seed, "holdout")).shuffle(ids)
    share = ids[: int(config.evaluation.holdout * len(ids))]
    if not share:
        log.warning(
            "evaluation.holdout %g of %d prompts is not one prompt: nothing is evaluated, and the last cycle counts as "
            "the best; give evaluation.prompts or a larger share",
            *(config.evaluation.holdout, len(ids)),
        )
        return {}
    return {"heldout": {id_: prompts[id_] for id_ in sorted(share)}}


def _check_distinct(sets: Mapping[str, Mapping[str, Prompt]]) -> None:
    owner: dict[str, str] = {}
    for name, group in sets.items():
        for id_ in group:
            if id_ in owner:
                raise BadInput(
                    f"prompt {id_!r} is in two evaluation sets, {owner[id_]!r} and {name!r}; give them own ids"
                )
            owner[id_] = name
