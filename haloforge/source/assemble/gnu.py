"""C and C++: the tests are a main, behind the answer.

The prompt's includes, `using namespace` and helpers stand before an answer that lacks them; the answer's own main
goes. `assert` is what the C library says again before the tests, whatever the answer defined.
"""

from __future__ import annotations

import re

from haloforge.source.assemble.parts import Began, Parts, Task, without
from haloforge.source.lexing import function_name, scope_name

_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"][^>\"\n]+[>\"])", re.M)
_USING = re.compile(r"^using\s+namespace\s+[\w:]+\s*;$")
_ASSERT = "#undef NDEBUG\n#include <assert.h>\n"


def parts(raw: str, code: str, task: Task) -> Parts:
    tests = task.prompt.tests
    code = task.completed(raw, code)
    if not code.strip() or task.as_it_stands:
        return Parts(code, tests, ("main",) if tests else ())
    if tests and _has_main(tests, task):
        code = without_main(code, task)
    began = task.began()
    if began:
        code = _before(began, code, task) + code
    if re.search(r"\bassert\s*\(", task.mask(tests)) and not re.match(r"\s*#undef NDEBUG", tests):
        tests = _ASSERT + tests
    return Parts(code, tests, ("main",) if tests else ())


def _has_main(code: str, task: Task) -> bool:
    return any(function_name(item, "cpp") == "main" for item in task.items(task.mask(code)))


def without_main(code: str, task: Task) -> str:
    mains = [item for item in task.items(task.mask(code)) if function_name(item, "cpp") == "main"]
    return without(code, [(item.start, item.end) for item in mains])


def _before(began: Began, code: str, task: Task) -> str:
    """What the prompt has and the answer lacks, in the prompt's order."""
    there = set(_INCLUDE.findall(code))
    lines = [f"#include {name}" for name in dict.fromkeys(_INCLUDE.findall(began.code)) if name not in there]
    mask = task.mask(code)
    own = task.items(mask)
    defined = {function_name(i, "cpp") for i in own} | {(scope_name(i) or ("", ""))[1] for i in own}
    flat = {" ".join(item.head.split()) for item in own}
    for item in began.items(task.language):
        name = function_name(item, "cpp") or (scope_name(item) or ("", ""))[1]
        text = began.code[item.start : item.end]
        if item.brace < 0 and re.match(r"#|using\b|typedef\b|const\b|static\b", item.head):
            missing = " ".join(item.head.split()) not in flat
        else:
            missing = bool(name) and name not in defined and name not in task.names and name != "main"
        if missing and text.strip() not in code:
            lines.append(text.strip())
    return "".join(line + "\n" for line in lines)
