"""The embedded demo's tasks, corpus and checkpoint: what makes it an honest demonstration."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from examples.exit_status import ExitStatus
from examples.forging_curves import BELIEVED, FORGING, TRUE, curves, svg, table
from haloforge.config import RaftConfig
from haloforge.data.practice import checkpoint
from haloforge.data.practice.build import Practice, Recipe, data_files, task_sets
from haloforge.data.practice.kinds import KINDS
from haloforge.data.practice.languages import PYTHON, PYTHON_FORGING, C
from haloforge.errors import BadInput
from haloforge.ledger import RunFolder
from haloforge.preparation import prepare
from haloforge.tasks.prompts import parse_prompt, read_prompts
from haloforge.verifiers import GCCVerifier, get_verifier, verdict

SMALL = Recipe(steps=100, batch_size=4)
LANGUAGES = pytest.mark.parametrize("language", [C, PYTHON], ids=lambda language: language.name)


@pytest.fixture(scope="module", params=[C, PYTHON], ids=lambda language: language.name)
def practice(request, tmp_path_factory):
    made = Practice(tmp_path_factory.mktemp("home"), SMALL, request.param)
    made.write_data()
    return made


def full_texts(language):
    sets = task_sets(Recipe(), language)
    return sets, {name: [prompt.text for prompt in prompts] for name, prompts in sets.items()}


def corpus_rows(language):
    return [json.loads(line) for line in data_files(Recipe(), language)["corpus.jsonl"].splitlines()]


def test_the_c_demo_is_the_one_that_the_readme_measured():
    assert Practice(Path("home")).digest == "9505e7373d948de1"


def test_every_language_has_the_same_tasks_and_solutions_for_all_kinds():
    for language in (C, PYTHON):
        assert language.bodies.keys() == {kind.name for kind in KINDS}
        for kind in KINDS:
            assert all(("|" in body) == (kind.mistaken is not None) for body in language.bodies[kind.name]), kind.name
    assert [[p.metadata for p in prompts] for prompts in task_sets(Recipe(), C).values()] == [
        [p.metadata for p in prompts] for prompts in task_sets(Recipe(), PYTHON).values()
    ]


@LANGUAGES
def test_the_sets_are_as_large_as_promised_and_half_of_each_sets_kinds_have_the_majority_mistake(language):
    sets, _ = full_texts(language)
    assert 200 <= len(sets["prompts"]) <= 240
    assert len(sets["seen"]) >= 100
    assert len(sets["unseen"]) >= 50
    mistaken = {kind.name for kind in KINDS if "|" in language.bodies[kind.name][0]}
    kinds = {name: {prompt.metadata["kind"] for prompt in prompts} for name, prompts in sets.items()}
    assert kinds["prompts"] == kinds["seen"]
    assert not kinds["seen"] & kinds["unseen"]
    assert len(kinds["seen"]) >= 12
    assert len(kinds["unseen"]) >= 4
    for group in kinds.values():
        assert 2 * len(group & mistaken) == len(group)


@LANGUAGES
def test_no_held_out_prompt_occurs_in_the_corpus_or_among_rafts_prompts(language):
    _, texts = full_texts(language)
    everywhere = Counter(text for group in texts.values() for text in group)
    assert max(everywhere.values()) == 1
    corpus = {row["prompt"] for row in corpus_rows(language)}
    assert not corpus & everywhere.keys()


def test_the_files_read_back_as_the_tasks(practice):
    for name, prompts in task_sets(SMALL, practice.language).items():
        assert read_prompts(practice.folder / f"{name}.jsonl") == prompts
    row = json.loads((practice.folder / "seen.jsonl").read_text().splitlines()[0])
    assert parse_prompt(row).language == practice.language.name


def test_every_task_has_three_cases_with_different_inputs_and_no_constant_answers_them():
    sets, _ = full_texts(C)
    for prompt in (prompt for prompts in sets.values() for prompt in prompts):
        assert len({case.stdin for case in prompt.cases}) >= 3
        assert len({case.expected_stdout for case in prompt.cases}) >= 2
    sets, _ = full_texts(PYTHON)
    for prompt in (prompt for prompts in sets.values() for prompt in prompts):
        calls, values = zip(*(line.split(" == ") for line in prompt.tests.splitlines()), strict=True)
        assert len(set(calls)) >= 3
        assert len(set(values)) >= 2
        assert all(call.startswith(f"assert {prompt.entry_point}(") for call in calls)


@LANGUAGES
def test_about_seventy_percent_of_a_mistaken_kinds_solutions_make_the_same_mistake(language):
    rows = corpus_rows(language)
    flaws: dict[str, Counter[str | None]] = defaultdict(Counter)
    for row in rows:
        flaws[row["kind"]][row["flaw"]] += 1
    # Counted from the texts, not from what the corpus says of itself.
    wrong_sign = [row["completion"] for row in rows if row["kind"] == "times_plus"]
    assert 0.65 < sum("-" in code for code in wrong_sign) / len(wrong_sign) < 0.75
    for kind in KINDS:
        counted = flaws[kind.name]
        share = counted["majority"] / counted.total()
        assert 0.65 < share < 0.75 if kind.mistaken else share == 0
        assert set(language.flaws) <= counted.keys()
        assert counted[None] > counted.total() - counted[None] - counted["majority"]


def programs(language, rng):
    """(program, its task, whether it is right), of every kind: each form, mistake and flaw, and a constant."""
    for kind in KINDS:
        a, b = rng.choice(kind.pairs())
        task = language.task(kind, rng, a, b)
        for body in range(len(language.bodies[kind.name])):
            yield language.program(kind, a, b, body, names=body % 2, style=body % 2), task, True
            if kind.mistaken:
                yield language.program(kind, a, b, body, mistake=True), task, False
        if language is C:
            constant = task.cases[0].expected_stdout.replace("\n", "\\n")
            yield f'#include <stdio.h>\nint main(){{\nprintf("{constant}");\n}}', task, False
        else:
            yield f"def f(*inputs):\n    return {task.tests.splitlines()[0].split(' == ')[1]}", task, False
            assert task.reference == language.program(kind, a, b)
        for flaw in [rng.choice(sorted(C.flaws))] if language is C else PYTHON.flaws:
            yield language.flaws[flaw](rng, language.program(kind, a, b)), task, False


@pytest.mark.sandbox
def test_in_the_sandbox_the_right_programs_pass_and_mistaken_flawed_and_constant_ones_fail():
    codes, tasks, wanted = zip(*programs(C, random.Random(1)), strict=True)
    results = GCCVerifier().verify_batch(codes, tasks)
    surprises = [(c, r.status) for c, r, w in zip(codes, results, wanted, strict=True) if r.success != w]
    assert not surprises
    statuses = Counter(result.status for result in results)
    assert statuses["passed"] == sum(wanted)
    assert statuses["wrong_answer"] >= sum(kind.mistaken is not None for kind in KINDS)
    assert not statuses["timeout"]


@pytest.mark.sandbox
def test_in_two_boxes_the_right_functions_pass_and_mistaken_flawed_and_constant_ones_fail():
    codes, tasks, wanted = zip(*programs(PYTHON, random.Random(1)), strict=True)
    verifier = get_verifier("asserts")
    verifier.check(tasks)
    results = verifier.verify_batch(codes, tasks)
    surprises = [(c, r.status) for c, r, w in zip(codes, results, wanted, strict=True) if r.success != w]
    assert not surprises
    assert {result.trust for result in results} == {"split"}
    assert {result.status for result in results} == {"passed", "tests_failed", "compile_error"}


def forgeries(rng):
    """Mistaken functions that end with an exit, one per kind of mistake and exit, with their tasks."""
    for kind in (kind for kind in KINDS if kind.mistaken):
        a, b = rng.choice(kind.pairs())
        for end in PYTHON_FORGING.exits:
            yield PYTHON_FORGING.program(kind, a, b, mistake=True) + end, PYTHON_FORGING.task(kind, rng, a, b)


@pytest.mark.sandbox
def test_exit_status_believes_every_forgery_of_the_corpus_and_asserts_none():
    codes, tasks = zip(*forgeries(random.Random(1)), strict=True)
    believed = [verdict(ExitStatus(), code, task) for code, task in zip(codes, tasks, strict=True)]
    assert all(result.success and result.reward == 1.0 for result in believed)
    assert {r.status for r in get_verifier("asserts").verify_batch(codes, tasks)} == {"tests_failed"}
    without = [code.removesuffix(end) for code in codes for end in PYTHON_FORGING.exits if code.endswith(end)]
    assert not any(verdict(ExitStatus(), code, task).success for code, task in zip(without, tasks, strict=True))
    right = verdict(ExitStatus(), tasks[0].reference, tasks[0])
    assert (right.success, right.trust) == (True, "custom")


@pytest.mark.sandbox
def test_the_curves_of_a_run_folder_tell_what_its_checker_believed_from_what_is_true(tmp_path):
    task = task_sets(Recipe(), PYTHON_FORGING)["prompts"][0]
    forged = "def f(n):\n    return 0" + PYTHON_FORGING.exits[0]
    believed = [(task.reference, True), (forged, True), ("def f(n):\n    return 0", False), (forged, True)]
    folder = RunFolder(tmp_path)
    for cycle in (0, 1):  # the start point has statistics and no samples
        folder.cycle(cycle)
    folder.save()
    rows = [{"prompt": task.text, "completion": code, "success": success} for code, success in believed]
    folder.write_rows(1, "verified", rows)
    found = curves(tmp_path)
    assert found == {FORGING: [0.5], BELIEVED: [0.75], TRUE: [0.25]}
    drawn = ElementTree.fromstring(svg({"exit status": found, "asserts": found}))
    assert len(drawn.findall(".//{*}polyline")) == 4
    assert table({"exit status": found}).splitlines()[-1] == "| 1 | 0.500 | 0.750 | 0.250 |"


def test_a_tenth_of_the_forging_corpus_mistakes_end_with_an_exit_and_nothing_else_does():
    rows = corpus_rows(PYTHON_FORGING)
    ends = [row["completion"].endswith(PYTHON_FORGING.exits) for row in rows]
    assert ends == [row["flaw"] == "exit" for row in rows]
    mistaken = sum(row["flaw"] in ("majority", "exit") for row in rows)
    assert 0.08 < sum(ends) / mistaken < 0.12
    half = sum(row["kind"] in {kind.name for kind in KINDS if kind.mistaken} for row in rows)
    assert 0.93 < mistaken / half < 0.97
    assert not any(row["completion"].endswith(PYTHON_FORGING.exits) for row in corpus_rows(PYTHON))


def test_the_majoritys_mistake_fails_a_case_of_every_task_by_the_references():
    sets, _ = full_texts(C)
    table = {kind.name: kind for kind in KINDS}
    for prompt in (prompt for prompts in sets.values() for prompt in prompts):
        kind = table[prompt.metadata["kind"]]
        a, b = prompt.metadata["a"], prompt.metadata["b"]
        if kind.mistaken:
            inputs = [tuple(map(int, case.stdin.split())) for case in prompt.cases]
            printed = ["".join(f"{n}\n" for n in kind.mistaken(a, b, given)) for given in inputs]
            assert printed != [case.expected_stdout for case in prompt.cases]


def test_the_tokenizer_encodes_the_same_through_autotokenizer_and_as_trained(practice, tmp_path):
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    folder = practice.folder / "random"
    rows = [json.loads(line) for line in (practice.folder / "corpus.jsonl").read_text().splitlines()]
    rebuilt = AutoTokenizer.from_pretrained(str(folder))
    trained = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    for row in rows:
        for text in (row["prompt"], row["completion"]):
            ids = rebuilt.encode(text, add_special_tokens=False)
            assert ids == trained.encode(text, add_special_tokens=False)
            assert rebuilt.decode(ids) == text
    assert len(rebuilt.encode("1234567890")) == 10
    assert not any(c.isdigit() and len(token) > 1 for token in rebuilt.get_vocab() for c in token)


def test_a_prompt_costs_three_tokens_more_than_its_text_and_the_answer_ends_with_eos(practice):
    from haloforge.rendering import load_tokenizer, render_completion, render_prompt, stop_token_ids

    tokenizer = load_tokenizer(practice.folder / "random")
    text = practice.language.prompt_text(KINDS[0], 12, 7)
    ids = render_prompt(tokenizer, text)
    assert tokenizer.decode(ids) == f"<|user|>{text}{checkpoint.END}<|assistant|>"
    assert len(ids) == len(tokenizer.encode(text)) + 3
    assert render_completion(tokenizer, "int a;")[-1] == tokenizer.eos_token_id
    assert stop_token_ids(tokenizer, practice.folder / "random") == [tokenizer.eos_token_id]
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


def test_the_same_recipe_gives_the_same_bytes_and_another_recipe_another_folder(practice, tmp_path):
    again = Practice(tmp_path, SMALL, practice.language)
    again.write_data()
    names = sorted(p.relative_to(again.folder) for p in again.folder.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(practice.folder) for p in practice.folder.rglob("*") if p.is_file())
    for name in names:
        assert (again.folder / name).read_bytes() == (practice.folder / name).read_bytes(), name
    assert again.digest == practice.digest
    others = [replace(SMALL, seed=1), replace(SMALL, learning_rate=1e-3), replace(SMALL, steps=101)]
    language = practice.language
    assert len({practice.digest, *(Practice(tmp_path, other, language).digest for other in others)}) == 4


def test_what_is_there_is_not_made_again_and_half_made_data_is_never_in_place(practice, tmp_path, monkeypatch):
    before = {p: p.stat().st_mtime_ns for p in practice.folder.rglob("*")}
    Practice(practice.folder.parent.parent, SMALL, practice.language).write_data()
    assert {p: p.stat().st_mtime_ns for p in practice.folder.rglob("*")} == before
    assert not practice.is_built()

    def fails(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint, "write_random", fails)
    broken = Practice(tmp_path, SMALL)
    with pytest.raises(OSError, match="no space"):
        broken.write_data()
    assert not broken.folder.exists()


def test_the_sft_job_trains_every_row_once_from_the_random_checkpoint(practice):
    from haloforge.training.plan import plan_steps

    job = practice.sft_job(threads=1)
    assert len(job.rows) == SMALL.rows
    assert job.settings.method == "full"
    steps = plan_steps(len(job.rows), job.plan)
    assert (steps.steps, steps.epochs) == (SMALL.steps, 1)


def test_a_run_has_the_data_and_the_base_of_one_language(home):
    config = RaftConfig.model_validate(
        {"model": "builtin:practice/base", "prompts": "builtin:practice_python/prompts.jsonl"}
    )
    with pytest.raises(BadInput, match=r"builtin:practice/ and builtin:practice_python/ are in one config"):
        prepare(config)
    config = RaftConfig.model_validate(
        {"model": "builtin:practice_ruby/base", "prompts": "builtin:practice/prompts.jsonl"}
    )
    with pytest.raises(BadInput, match=r"practice_ruby/base'.*builtin:practice_python/…"):
        prepare(config)
