"""Text that no program is, in lengths that an answer may have: what reads it takes time in proportion to its length."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from haloforge.records import Prompt
from haloforge.source.assemble import assemble
from haloforge.source.detect import language_of, language_of_main
from haloforge.source.extract import extract_code
from haloforge.verifiers.drivers import NotDriven, Secret
from haloforge.verifiers.languages import Unit
from haloforge.verifiers.languages.rows import EVERY
from tests.hostile import attacks
from tests.in_boxes import absent

LENGTH, BOUND_S = 60_000, 1.5
"""Of CPU time; linear is below 0.2 s, and a square is 6 s where a tenth of the length takes 60 ms."""
UNITS = (
    " ", "\n", "\t", " \n", "`", "```\n", "<", '"', "'", "/*", "//\\\n", "{", "}", "({", "{}", "\\", "#include",
    "#include <a>\n", "#define a\n", "fn ", "fn a(){", "using ", "using A;\n", "import ", "package", "operator ",
    "static ", "a,\n", "func a\n", "auto ", "std::", 'r#"', 'R"(', '$"{', "namespace a{", "class a{", "mod a{",
    "extern {", "#[", "if let ", "<think>", "int a(", 'asm"',
)  # fmt: skip
TEXTS = {unit: (unit * LENGTH)[:LENGTH] for unit in UNITS}
TEXTS["all of them"] = ("int a;\n" + "".join(UNITS) * LENGTH)[:LENGTH]
TESTS = {attacks.ADD[suffix][0]: attacks.ADD[suffix] for suffix in attacks.ADD}
TESTS["go, a main"] = ("go", "append_main", "func main() { if Add(1, 2) != 3 { panic(0) } }\n")
TESTS["go, one file"] = ("go", "append_go_test", "func TestA(t *testing.T) { Add(1, 2) }\n")
TESTS["rust, a main"] = ("rust", "append_main", "fn main() { assert_eq!(add(1, 2), 3) }\n")


def timed(ready, *arguments):
    start = time.process_time()
    ready(*arguments)
    return time.process_time() - start


def extracted(text):
    extract_code(text)
    extract_code(f"```cpp\n{text}\n```\n```\n{text}", "cpp", ("add",))


def driven(text, tests, as_it_stands):
    language, kind, code = TESTS[tests]
    task = Prompt("p", "p", language, tests=code, tests_kind=kind, entry_point="add")
    with suppress(NotDriven):
        drive = EVERY[language].drive
        assert drive
        drive(assemble(text, task, as_it_stands=as_it_stands), Secret())


def built(text, language):
    row = EVERY[language]
    row.build(Unit("main", {"main": text}, link=row.has_entry(text)))


@pytest.mark.parametrize("unit", TEXTS)
def test_nothing_takes_long_over_text_of_any_kind(unit):
    text = "int add(int a) {}\n" + TEXTS[unit]
    took = {function.__name__: timed(function, text) for function in (extracted, language_of, language_of_main)}
    for tests, (language, *_) in TESTS.items():
        if not absent(language):
            took[f"{tests} as it stands"] = timed(driven, text, tests, True)
            took[tests] = timed(driven, text, tests, False)
            took[f"{tests} built"] = timed(built, text, language)
    assert {what: seconds for what, seconds in took.items() if seconds > BOUND_S} == {}
