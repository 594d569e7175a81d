"""A stratified part of the real programs with known verdicts; `make conformance` judges all."""

from __future__ import annotations

import pytest

from haloforge.verifiers import ClangVerifier
from haloforge.verifiers.toolchain import has_tool
from tests.conformance import COMPLETIONS, SETS, Judged, answer, data_folder, judge, part, rows
from tests.in_boxes import absent

pytestmark = pytest.mark.sandbox

MOST = 4
"""Rows per set, language and verdict."""
REWARDS = {"passed": 1.0, "compiled": 0.5, "wrong_answer": 0.7, "compile_error": 0.0}
"""Of the statuses not named here: 0.5."""


def chosen(name, most=MOST):
    folder = data_folder()
    if folder is None:
        pytest.skip("HALOFORGE_TEST_DATA is not set")
    known, _ = rows(folder, name)
    for language in {row["language"] for row in known}:
        if absent(language):
            pytest.skip(absent(language))
    return part(known, most)


def wrong(judged: list[Judged]):
    return [
        (one.row["id"], one.row["verdict"], one.result.status, one.result.details, one.result.error)
        for one in judged
        if not one.right or one.result.reward != REWARDS.get(one.result.status, 0.5) or one.result.level != "ns"
        if not one.excepted
    ]


@pytest.mark.parametrize("name", SETS)
def test_programs_get_the_status_that_their_set_names(name):
    taken = chosen(name)
    assert taken
    assert wrong(judge(taken)) == []


@pytest.mark.parametrize("name", COMPLETIONS)
def test_raw_answers_come_to_the_verdict_of_their_code(name):
    taken = chosen(name, most=8)
    assert taken
    assert wrong(judge(taken, "completion")) == []


@pytest.mark.skipif(not has_tool("clang++"), reason="clang++ is absent: toolbox/install-tools.sh --languages")
def test_every_program_with_cases_passes_its_verdict_on_through_clang_too():
    taken = chosen("stdio_po_training")
    verifier = ClangVerifier(max_workers=2)
    c = [row for row in taken if row["language"] in verifier.rows]
    answers = [answer(row, "code") for row in c]
    results = verifier.verify_batch([a.text for a in answers], [a.task for a in answers])
    assert wrong([Judged(row, result) for row, result in zip(c, results, strict=True)]) == []
