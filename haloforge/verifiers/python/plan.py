"""How a task's Python tests are run, found out from the task alone and never from an answer."""

from __future__ import annotations

import ast
import base64
import builtins
import marshal
import re
import shlex
import symtable
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from haloforge.records import Prompt
from haloforge.source.assemble import python as assembling
from haloforge.source.lexing import python_tree

ASSERTS, UNITTEST, PYTEST = "asserts", "unittest", "pytest"
KINDS = (ASSERTS, UNITTEST, PYTEST)
_END = -1
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BRANCHES = (ast.If, ast.IfExp, ast.Try, ast.ExceptHandler, ast.Match)
_RAISES = ("raises", "assertRaises", "assertRaisesRegex", "warns")
_TESTS_FILE = "tests.py"
_PYTEST_FILE = "test_of_the_task.py"


@dataclass(frozen=True, slots=True)
class Suite:
    """A task's tests, ready to run."""

    kind: str
    text: str = ""
    """As the task has them; "" for a project, whose files they are."""
    program: bytes = b""
    """What is executed: `text` compiled, with a mark behind each check."""
    path: str = _TESTS_FILE
    given: bytes = b""
    """Of the prompt and the reference: what tests use and the answer must not replace. Runs in the tests' box."""
    asked: tuple[str, ...] = ()
    """Names that tests use and nothing but the answer defines."""
    helpers: Mapping[str, str] = field(default_factory=dict)
    """Functions of `given` that tests use → their syntax."""
    modules: tuple[str, ...] = ("solution",)
    """Names by which tests import the answer."""
    code_path: str = "solution.py"
    sites: int = 0
    """Checks that `source` marks."""
    steady: frozenset[int] = frozenset()
    """Those of them that are under no condition: whichever the reference reaches, each answer must."""
    certain: frozenset[int] = frozenset()
    """Those that every answer must reach, reference or not."""
    targets: tuple[str, ...] = ()
    """Test modules (unittest) or paths (pytest)."""
    discover: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    """In the tests' box."""
    beside: Mapping[str, str] = field(default_factory=dict)
    """In the answer's box: what of a project is no test."""

    def spec(self) -> dict[str, Any]:
        """As JSON for haloforge.verifiers.python.suites."""
        names = ("kind", "text", "path", "asked", "modules", "targets", "discover")
        code = {name: base64.b64encode(getattr(self, name)).decode() for name in ("program", "given")}
        return {"end": _END, "public": self.asked, **{name: getattr(self, name) for name in names}, **code}


def with_own_helpers(suite: Suite, code: str) -> Suite | None:
    """The suite with the helpers of the answer that are not as the prompt has them; None where there are none.

    An answer must pass with the prompt's and with its own: a broken helper beside a right function is a wrong answer.
    """
    found = _functions(code) if suite.helpers and suite.kind != PYTEST else {}
    own = [name for name, form in suite.helpers.items() if name in found and found[name] != form]
    return replace(suite, asked=(*suite.asked, *own)) if own else None


def _functions(code: str) -> dict[str, str]:
    """Functions at the top of some code → their syntax."""
    tree = python_tree(code)
    return {node.name: _form(node) for node in tree.body if isinstance(node, _FUNCTIONS)} if tree else {}


def _form(node: ast.stmt) -> str:
    """Its syntax; "" where that is too deep or has too long a number to be written down."""
    try:
        return ast.dump(node)
    except (RecursionError, ValueError):
        return ""


class Unusable(Exception):
    """The tests cannot be run by any of our kinds; str() says why."""


def plan(task: Prompt, tests: str, names: tuple[str, ...], reference: str | None, kind: str | None = None) -> Suite:
    """The suite of a task.

    Args:
        tests: the task's tests with the calls that they lack (source.assemble); "" for a project.
        names: entry points.
        reference: the code of a right answer, where there is one.
        kind: one of KINDS, or None: found from the tests.

    Raises:
        Unusable: they do not parse, or are of no kind that is known.
    """
    if task.tests_kind == "files":
        return _project(task)
    tree = python_tree(task.tests)
    if tree is None:
        raise Unusable("tests that are no Python")
    kind = kind or _kind(tree)
    if kind == ASSERTS:
        tree = ast.parse(tests)
    else:
        tests = task.tests  # these know themselves what they call
    modules = tuple(dict.fromkeys(("solution", *_imported(tree))))
    given, asked = _names(task, tree, tests, names, reference)
    _answer_judges_not(tree, {*asked}, modules, task.entry_point)
    common: dict[str, Any] = {"text": tests, "asked": asked, "modules": modules}
    common["helpers"] = {name: form for name, form in _functions(given).items() if name in _globals(tests)[0]}
    if kind == PYTEST:
        head = "; ".join(
            [f"exec({given!r})"] * bool(given) + [f"from solution import {', '.join(asked)}"] * bool(asked)
        )
        future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
        head = "; ".join([*(ast.unparse(node) for node in future), head]) if future else head
        files = {_PYTEST_FILE: f"{head}\n{_without(tests, future)}"}
        return Suite(PYTEST, **common, path=_PYTEST_FILE, targets=(_PYTEST_FILE,), files=files)
    if kind == UNITTEST:
        tree.body = [node for node in tree.body if not _calls_main(node)]
        return Suite(UNITTEST, **common, program=_compiled(tree), given=_compiled(ast.parse(given)))
    marks = _Marks()
    _call_async_tests(tree)
    tree = ast.fix_missing_locations(marks.visit(tree))
    return Suite(
        ASSERTS, **common, program=_compiled(tree), given=_compiled(ast.parse(given)), sites=marks.count,
        steady=frozenset(marks.steady), certain=frozenset(marks.certain),
    )  # fmt: skip


def _compiled(tree: ast.Module) -> bytes:
    """For the interpreter of the boxes, which is this one's."""
    return marshal.dumps(compile(tree, _TESTS_FILE, "exec", dont_inherit=True)) if tree.body else b""


# ---- names -----------------------------------------------------------------------------------------------


def _names(
    task: Prompt, tree: ast.Module, tests: str, names: tuple[str, ...], reference: str | None
) -> tuple[str, tuple[str, ...]]:
    """What is run before the tests, and the names that are asked of the answer."""
    used, bound = _globals(tests)
    wanted = used - bound
    right = python_tree(reference or "")
    defined = (
        {name for node in right.body if not _is_import(node) for name in assembling.bound_names(node)}
        if right
        else set()
    )
    ours = {name for name in wanted if name in names or (name in defined and hasattr(builtins, name))}
    wanted = {name for name in wanted if not hasattr(builtins, name)} | ours
    parts: list[str] = []
    given: set[str] = set()
    for node in [*assembling.given(task, names), *(n for n in (right.body if right else ()) if _is_import(n))]:
        found = assembling.bound_names(node) - given - set(names)
        if found:
            given |= found
            text = ast.unparse(node)
            parts.append(f"try: {text}\nexcept ImportError: pass" if _is_import(node) else text)
    for name in sorted(_modules_used(tree) & wanted - given - set(names)):
        given.add(name)
        parts.append(f"import {name}")
    for name in sorted(_JUDGES.keys() & wanted - given - defined - {task.entry_point}):
        if not re.search(rf"\b(def|class)\s+{name}\b", task.text):
            given.add(name)
            parts.append(f"try: {_JUDGES[name]}\nexcept ImportError: pass")
    if not given & wanted:
        given, parts = set(), []
    asked = wanted - given
    if not asked and not _imported(tree):  # an answer that has the name of a builtin
        asked = {n for n in _called_in_checks(tree) if n in used - bound}
    return "\n".join(parts), tuple(sorted(name for name in asked if not name.startswith("__")))


_JUDGES = {
    **{name: f"from math import {name}" for name in ("isclose", "isnan", "isinf")},
    **{name: f"from collections import {name}" for name in ("Counter", "OrderedDict", "defaultdict", "deque")},
    **{name: f"from pytest import {name}" for name in ("approx", "raises")},
    **{name: f"import {name}" for name in ("pytest", "numpy", "pandas")},
    "allclose": "from numpy import allclose",
    "deepcopy": "from copy import deepcopy",
    "np": "import numpy as np",
    "pd": "import pandas as pd",
}
"""What tests compare with and may have forgotten to import; the answer's would say yes."""


def _globals(source: str) -> tuple[set[str], set[str]]:
    """Global names that a module uses, and those that it binds."""
    used: set[str] = set()
    top = symtable.symtable(source, _TESTS_FILE, "exec")
    waiting = [top]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (symbol.is_global() or table is top):
                used.add(symbol.get_name())
    return used, {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _imported(tree: ast.Module) -> tuple[str, ...]:
    """Modules that tests import and that are neither Python's nor a package here: the answer's."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module)
    return tuple(name for name in dict.fromkeys(found) if name.partition(".")[0] not in _KNOWN)


_KNOWN = {
    *sys.stdlib_module_names, "pytest", "numpy", "pandas", "scipy", "sklearn", "matplotlib", "requests", "torch",
    "hypothesis", "parameterized", "ddt", "mock", "nose", "freezegun", "assertpy", "hamcrest", "sure", "expects",
    "sympy", "networkx", "yaml", "dateutil", "pytz", "attr", "attrs", "pydantic", "tensorflow", "jax", "responses",
    "faker", "pytest_mock", "pytest_asyncio", "timeout_decorator", "testfixtures", "deepdiff", "snapshottest",
}  # fmt: skip
"""An answer that gives `hypothesis` or `assertpy` would say itself what is checked."""


def _answer_judges_not(tree: ast.Module, theirs: set[str], modules: tuple[str, ...], entry_point: str | None) -> None:
    """Raises Unusable where what the answer gives (`theirs`, and imports) decides whether a check is run."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in modules:
            theirs |= assembling.bound_names(node)
        elif isinstance(node, ast.Import):
            theirs |= {a.asname or a.name.partition(".")[0] for a in node.names if a.name in modules}
    judges = {name for name in theirs if name.startswith("assert") and name != entry_point}
    for node in ast.walk(tree):
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)) and node.name.lower().startswith("test"):
            for decorator in node.decorator_list:
                judges |= theirs & {part.id for part in ast.walk(decorator) if isinstance(part, ast.Name)}
    if judges:
        raise Unusable(f"tests that get {', '.join(sorted(judges))} from the answer, which could leave out the checks")


def _modules_used(tree: ast.Module) -> set[str]:
    """Modules of Python that tests use (`sys.maxsize`) without importing them."""
    dotted = [node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return {base.id for base in dotted if isinstance(base, ast.Name)} & sys.stdlib_module_names


def _called_in_checks(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                    yield call.func.id
                    break


# ---- kinds -----------------------------------------------------------------------------------------------


def _kind(tree: ast.Module) -> str:
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    if any(name == "pytest" for node in ast.walk(tree) for name in _roots(node)):
        return PYTEST
    if any("TestCase" in ast.unparse(base) for node in classes for base in node.bases):
        return UNITTEST
    functions = [node for node in tree.body if isinstance(node, _FUNCTIONS) and node.name.startswith("test")]
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    if any(node.args.args and node.name not in called for node in functions):
        return PYTEST  # fixtures
    if any(node.name.startswith("Test") for node in classes) and not called & {node.name for node in classes}:
        return PYTEST
    return ASSERTS


def _roots(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    return [node.module.partition(".")[0]] if isinstance(node, ast.ImportFrom) and node.module else []


def _calls_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and (
        ast.unparse(node.value.func) in ("unittest.main", "main")
    )  # fmt: skip


def _call_async_tests(tree: ast.Module) -> None:
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    for node in list(tree.body):
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test") and node.name not in called:
            tree.body += ast.parse(f"import asyncio\nasyncio.run({node.name}())").body


class _Marks(ast.NodeTransformer):
    """Puts `__reached__(number)` behind each statement that checks."""

    def __init__(self) -> None:
        self.count = 0
        self.steady: set[int] = set()
        self.certain: set[int] = set()
        self.within: list[ast.AST] = []

    def visit(self, node: ast.AST) -> Any:
        self.within.append(node)
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                setattr(node, name, [each for statement in statements for each in self._marked(statement)])
        for handler in getattr(node, "handlers", []):
            self.visit(handler)
        for case in getattr(node, "cases", []):
            self.visit(case)
        self.within.pop()
        return node

    def _marked(self, node: ast.stmt) -> list[ast.stmt]:
        if isinstance(node, ast.Try) and node.handlers and node.body and _always_fails(node.body[-1]):
            number = self._number()
            for handler in node.handlers:
                handler.body.insert(0, _mark(number))
            return [self.visit(node)]
        checks = _checks(node)
        self.visit(node)
        return [node, _mark(self._number())] if checks else [node]

    def _number(self) -> int:
        number, self.count = self.count, self.count + 1
        if not any(isinstance(above, _BRANCHES) for above in self.within):
            self.steady.add(number)
            inner = self.within[1:]
            named = [above for above in inner if isinstance(above, _FUNCTIONS)]
            if all(isinstance(above, _FUNCTIONS) for above in inner) and all(
                above.name == "check" or above.name.startswith("test") for above in named
            ):
                self.certain.add(number)
        return number


def _mark(number: int) -> ast.stmt:
    return ast.parse(f"__reached__({number})").body[0]


def _checks(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assert):
        return not _always_fails(node)
    if isinstance(node, ast.If):
        return isinstance(node.body[-1], ast.Raise)
    if isinstance(node, ast.With):
        return any(isinstance(i.context_expr, ast.Call) and _called(i.context_expr) in _RAISES for i in node.items)
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _called(node.value).startswith("assert")


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def _always_fails(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant) and not node.test.value
    return isinstance(node, ast.Raise) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _called(node.value) == "fail"
    )


def _without(text: str, nodes: list[ast.ImportFrom]) -> str:
    lines = text.split("\n")
    for node in nodes:
        for at in range(node.lineno - 1, node.end_lineno or node.lineno):
            lines[at] = ""
    return "\n".join(lines)


# ---- projects --------------------------------------------------------------------------------------------


def _project(task: Prompt) -> Suite:
    path = task.code_path or ""
    if not path.endswith(".py"):
        raise Unusable(f"a project whose code_path is {path!r}, which is no Python module")
    words = shlex.split(task.cmd or "", comments=True)
    modules = _module_names(path)
    tests = {name: text for name, text in task.files.items() if name != path}
    beside = {name: text for name, text in tests.items() if not _is_test(name, text)}
    starred = [text for text in tests.values() if python_tree(text) and re.search(r"^\s*from .+ import \*", text, re.M)]
    asked = {name for text in starred for used, bound in [_globals(text)] for name in used - bound - {*dir(builtins)}}
    common: dict[str, Any] = {"modules": modules, "code_path": path, "files": tests, "beside": beside}
    common["asked"] = tuple(sorted(name for name in asked if not name.startswith("__")))
    python = bool(words) and words[0].startswith("python") and words[1:2] == ["-m"]
    runner, rest = (words[2] if python else words[0], words[3:] if python else words[1:]) if words else ("", [])
    named = [word for word in rest if not word.startswith("-")]
    if runner == "unittest":
        if named[:1] == ["discover"] or not named:
            return Suite(UNITTEST, **common, discover=named[1] if len(named) > 1 else ".")
        targets = [word.removesuffix(".py").replace("/", ".") if word.endswith(".py") else word for word in named]
        return Suite(UNITTEST, **common, targets=tuple(targets))
    if runner in ("pytest", "py.test"):
        return Suite(PYTEST, **common, targets=tuple(named or ["."]))
    raise Unusable(f"a project whose cmd is {task.cmd!r}; wanted is python -m unittest or pytest with modules or paths")


def _module_names(path: str) -> tuple[str, ...]:
    """`src/pkg/mod.py` as tests may import it: pkg.mod, mod, src.pkg.mod."""
    parts = [part for part in PurePosixPath(path).with_suffix("").parts if part != "."]
    parts = parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts
    names = [".".join(parts[at:]) for at in range(len(parts))]
    return (*names[-1:], *names[:-1])


def _is_test(name: str, text: str) -> bool:
    path = PurePosixPath(name)
    tree = python_tree(text) if path.suffix == ".py" else None
    roots = {root for node in ast.walk(tree) for root in _roots(node)} if tree else set()
    return (
        path.name.startswith(("test_", "conftest"))
        or path.stem.endswith(("_test", "_tests"))
        or bool({"tests", "test"} & set(path.parts[:-1]))
        or any(part.startswith(".") for part in path.parts)
        or "expected" in path.name
        or bool(roots & {"unittest", "pytest"})
    )
