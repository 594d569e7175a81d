"""Output comparison: the rules one by one, and the judge's own cases."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from pathlib import Path

import pytest

from haloforge.errors import BadInput
from haloforge.tasks.compare import matches, rule, unusable


@pytest.mark.parametrize(
    ("compare", "expected", "actual", "same"),
    [
        (None, "1 2\n3\n", b"  1\t2 3", True),
        (None, "Yes\n", b"yes\n", False),
        (None, "12\n", b"1 2\n", False),
        (None, "1\n", b"1 1\n", False),
        (None, "1 1\n", b"1\n", False),
        (None, "", b" \n", True),
        (None, "1.0\n", b"1.00\n", False),
        ("tokens", "é ü", "é\nü".encode(), True),
        ("exact", "1\n", b"1\n", True),
        ("exact", "1\n", b"1", False),
        ("exact_lines", "1 2\n3\n", b"1 2  \r\n3\n\n\n", True),
        ("exact_lines", "1 2\n3\n", b"1  2\n3\n", False),
        ("exact_lines", "1\n\n2\n", b"1\n2\n", False),
        ("stripped", "1  2\n", b"\n 1  2\t", True),
        ("stripped", "1  2\n", b"1 2", False),
        ("contains", " two\n", b"one two three", True),
        ("contains", "two", b"one Two", False),
        ("contains", "t\nw", b"t w", False),
        ("exact_lines", "1\n", b"1\n\n \n\t\n", True),
        ("exact_lines", "1\n", b"1\n\n2", False),
        ("exact_lines", "", b"\n \n", True),
        ("exact_lines", "", b"0", False),
        ("float", "0.333333333", b"0.3333334", True),
        ("float", "nan", b"nan", True),
        ("float", "nan", b"NaN", False),
        ("float", "inf", b"infinity", False),
        ("float", "inf", b"1e999", False),
        ("float", "1e308", b"1e309", False),
        ("float", "-1", b"1", False),
        ("float", "16", b"0x10", False),
        ("float", "16", b"0x1p4", False),
        ("float", "1000", b"1_000", False),
        ("float", "1.5", b"1.5e0", True),
        ("float", "1.5", b"+1.50", True),
        ("float", "1.5", b".15e1", True),
        ("float", "1.5", b"1.5.0", False),
        ("float", "1.5", b"1.5e", False),
        ("float", "1.5", "١.٥".encode(), False),
        ("float", "1", b"9" * 400, False),
        ("float", "1 1", b"1", False),
        ("float", "0.333333333", b"0.3334", False),
        ("float", "3 apples", b"3.0 apples", True),
        ("float", "apples", b"Apples", False),
        ("float", "1.0", b"nan", False),
        ("float", "1.0", b"inf", False),
        ("float_tolerance 0.1", "1000", b"1090", True),
        ("float_absolute_tolerance 0.1", "1000", b"1090", False),
        ("float_absolute_tolerance 0.1", "1000", b"1000.09", True),
        ("float_absolute_tolerance 0.1", "1e400", b"0", False),
    ],
)
def test_our_words_compare_as_they_say(compare, expected, actual, same):
    assert matches(expected, actual, rule(compare)) is same


LONG = 4_000_000


@pytest.mark.parametrize(
    ("compare", "flags", "expected", "actual"),
    [
        ("float", None, "1.5", b"1" * LONG + b"x"),
        ("float", None, "1.5", b"0." + b"1" * LONG + b"."),
        ("float", None, "1.5", b"1e" + b"1" * LONG + b"."),
        (None, None, "1.5", b"1 " * LONG),
        (None, "space_change_sensitive", "1.5", b"1 " * LONG),
        ("exact_lines", None, "1.5", b"\n" * LONG + b"1"),
        ("contains", None, "a" * 1000 + "b", b"a" * LONG),
    ],
)
def test_a_long_output_costs_its_length_at_most(compare, flags, expected, actual):
    """The square of these lengths would take days."""
    by = rule(compare, flags)
    tracemalloc.start()
    start = time.process_time()
    try:
        assert not matches(expected, actual, by)
        assert time.process_time() - start < 5
        assert tracemalloc.get_traced_memory()[1] < 3 * len(actual)
    finally:
        tracemalloc.stop()


def test_an_expected_output_that_every_output_meets_or_none_can_is_named():
    assert "empty" in unusable(" \n", rule("contains"))
    assert "no regular expression" in unusable("(", rule("regex"))
    assert unusable("", rule()) == unusable("(", rule("contains")) == unusable("(a+)+$", rule("regex")) == ""


def test_validator_flags_win_over_compare_and_ignore_case_even_when_empty():
    assert not matches("Yes", b"yes", rule("exact"))
    assert matches("Yes", b"yes", rule("exact", ""))
    assert not matches("Yes", b"yes", rule("tokens", "case_sensitive"))
    assert matches("a  b", b"a b", rule(None, ""))
    assert not matches("a  b", b"a b", rule(None, "space_change_sensitive"))


def test_a_relative_tolerance_is_relative_to_the_expected_number():
    assert matches("100", b"109", rule(None, "float_relative_tolerance 0.09"))
    assert not matches("109", b"99", rule(None, "float_relative_tolerance 0.09"))
    assert matches("-100", b"-105", rule(None, "float_relative_tolerance 0.1"))


@pytest.mark.parametrize("bad", ["exactly", "float_tolerance", "float_tolerance x", "float_tolerance -1", ""])
def test_an_unknown_word_is_refused(bad):
    if bad:
        with pytest.raises(BadInput):
            rule(bad)
    with pytest.raises(BadInput, match=r"known are|tolerance"):
        rule(None, bad or "nonsense")


def test_the_kattis_validators_own_cases():
    folder = os.environ.get("HALOFORGE_TEST_DATA")
    if not folder:
        pytest.skip("HALOFORGE_TEST_DATA is not set")
    rows = [json.loads(line) for line in Path(folder, "comparator_cases.jsonl").read_text().splitlines()]
    wrong = [
        row["id"]
        for row in rows
        if matches(row["expected"], row["actual"].encode("utf-8", "surrogateescape"), rule(None, row["flags"]))
        != (row["verdict"] == "pass")
    ]
    assert len(rows) == 24
    assert wrong == []
