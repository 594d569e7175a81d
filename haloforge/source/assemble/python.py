"""Python: the tests are statements behind the answer, which may be a whole program or continue the prompt's function.

- An answer that does not define the entry point, and whose prompt ends inside it, is judged as prompt + answer: as it
  came, else with its indent mended (a first line that lost it, a body at the margin), whichever Python takes first.
- A whole answer gets the prompt's imports and helpers that it lacks; helpers that the tests call are the prompt's own.
- `if __name__ == "__main__":` blocks go where there are tests: these are the program's end.
- Tests that define `check` and never call it, or only functions `test…` that nothing calls, are called.
"""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
import typing
from collections.abc import Iterator

from haloforge.records import Prompt
from haloforge.source.assemble.parts import Parts, Task, is_indented
from haloforge.source.extract import fenced_blocks, without_thoughts
from haloforge.source.lexing import is_python, python_tree

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def parts(raw: str, code: str, task: Task) -> Parts:
    tests = _called(task.prompt.tests, task.names)
    checks = check_lines(tests)
    if task.as_it_stands or not (code.strip() or raw.strip()):
        return Parts(code, tests, checks)
    began = _began(task.prompt)
    if began and not _defines(code, task.names):
        code = _continued(began, raw, code)
        if not code:
            return Parts("", tests, checks)
    elif code.strip():
        code = textwrap.dedent(code) if python_tree(code) is None else code
        code = _with_prompts(code, task, began)
    if tests:
        code = _without_main_guard(code)
    return Parts(code, tests, checks)


def entry_points(task: Prompt) -> tuple[str, ...]:
    """What the tests check, or what the prompt ends in."""
    tree = python_tree(task.tests)
    names: list[str] = []
    if tree:
        own = {node.name for node in ast.walk(tree) if isinstance(node, _DEFINITIONS)}
        own |= {name for node in ast.walk(tree) if isinstance(node, _IMPORTS) for name in bound_names(node)}
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        checked = [a.id for c in calls if _name(c) == "check" for a in c.args[:1] if isinstance(a, ast.Name)]
        called = [_name(call) for call in calls]
        names = checked or [n for n in called if n not in own and not hasattr(builtins, n) and n != "candidate"]
    began = _began(task)
    if began and not names:
        last = _last_function(_tree_of_began(began))
        names = [last.name] if last else []
    return tuple(dict.fromkeys(names))


def _name(call: ast.Call) -> str:
    assert isinstance(call.func, ast.Name)
    return call.func.id


def given(task: Prompt, names: tuple[str, ...]) -> list[ast.stmt]:
    """What the prompt's code defines besides what it asks for: imports, constants, helpers."""
    began = _began(task)
    tree = _tree_of_began(began) if began else None
    kinds = (*_IMPORTS, *_DEFINITIONS, ast.Assign, ast.AnnAssign)
    return (
        [node for node in tree.body[:-1] if isinstance(node, kinds) and not bound_names(node) & {*names}]
        if tree
        else []
    )


def _began(task: Prompt) -> str | None:
    """The prompt's code where it ends inside a function that has no body yet; else None."""
    text = task.text.replace("\r\n", "\n")
    for code in [*(block.code for block in reversed(fenced_blocks(text))), text]:
        if _last_function(_tree_of_began(code)):
            return code
    return None


def _tree_of_began(code: str) -> ast.Module | None:
    ends = [line for line in code.split("\n") if line.strip()]
    indent = re.match(r"[ \t]*", ends[-1])[0] if ends else ""  # type: ignore[index]
    for body in (indent, indent + "    "):
        tree = python_tree(code.rstrip() + f"\n{body}pass\n")
        if tree and _last_function(tree):
            return tree
    return None


def _last_function(tree: ast.Module | None) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function that the text ends in, where it holds nothing but a docstring, imports and our `pass`."""
    node: ast.AST | None = tree.body[-1] if tree and tree.body else None
    while isinstance(node, ast.ClassDef) and node.body:
        node = node.body[-1]
    if not isinstance(node, _FUNCTIONS) or not isinstance(node.body[-1], ast.Pass):
        return None
    return node if all(_says_nothing(part) for part in node.body[:-1]) else None


def _says_nothing(node: ast.stmt) -> bool:
    """A docstring, or an import, as some prompts have in front of it."""
    return isinstance(node, _IMPORTS) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _defines(code: str, names: tuple[str, ...]) -> bool:
    """Whether `code` is a whole answer: it defines one of `names` (any function, where there are none) at its top."""
    tree = python_tree(code)
    if tree is None:
        tree = python_tree(textwrap.dedent(code))
        if tree is None:
            one = "|".join(map(re.escape, (*names, "Solution"))) if names else r"\w+"
            return bool(re.search(rf"^(?:(?:async\s+)?def|class)\s+(?:{one})\b", code, re.M))
    if any(isinstance(node, ast.Return) for top in tree.body for node in _outside_functions(top)):
        return False  # a function's body at the margin
    wanted = {*names, "Solution"}
    return any(
        (isinstance(node, _DEFINITIONS) and (not names or node.name in wanted))
        or (
            isinstance(node, ast.Assign | ast.ImportFrom)
            and not code[:1].isspace()
            and bool(bound_names(node) & wanted)
        )
        for node in tree.body
    )


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def _continued(began: str, raw: str, code: str) -> str:
    """prompt + answer; of the ways to put them together the first that Python takes, else the plain one."""
    text = without_thoughts(raw)
    bodies = [code] if fenced_blocks(text) else [text]
    if text.startswith(code.rstrip("\n")) or text.lstrip()[:1].isupper():  # prose behind it, or a sentence before it
        bodies.append(code)
    bodies = [body for body in dict.fromkeys(bodies) if body.strip()]
    if not bodies or not (code.strip() or is_indented(text)):
        return ""
    tree = _tree_of_began(began)
    function = _last_function(tree)
    indent = " " * (function.body[-1].col_offset if function else 4)
    glue = "" if began.endswith("\n") else "\n"
    plain = [began + body for body in bodies]
    mended = [
        way
        for body in bodies
        for way in (
            began + glue + body,
            began + glue + indent + body.lstrip(" "),
            began + glue + textwrap.indent(textwrap.dedent(body), indent),
            began.rstrip(" \t") + body,
        )
    ]
    return next((way for way in (*plain, *mended) if is_python(way)), plain[0])


def bound_names(node: ast.stmt) -> set[str]:
    """Names that a top-level statement binds."""
    if isinstance(node, ast.Import):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    if isinstance(node, _DEFINITIONS):
        return {node.name}
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _with_prompts(code: str, task: Task, began: str | None) -> str:
    """A whole answer with what the prompt gave besides the function: imports, helpers; and names of typing."""
    tree = python_tree(code)
    if tree is None:
        return code
    bound = {name for node in tree.body for name in bound_names(node)}
    imported = {name for n in ast.walk(tree) if isinstance(n, _IMPORTS) for name in bound_names(n)}
    said = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    tests = python_tree(task.prompt.tests)
    tested = {n.id for n in ast.walk(tests) if isinstance(n, ast.Name)} if tests else set()
    before: list[str] = []
    prompt = _tree_of_began(began) if began else None
    last = _last_function(prompt)
    inner = [node for node in last.body if isinstance(node, _IMPORTS)] if last else []
    for node in [*prompt.body[:-1], *inner] if prompt else ():
        names = bound_names(node)
        if isinstance(node, _IMPORTS):
            if names - bound - imported and (names & (said | tested) or "*" in names):
                before.append(ast.unparse(node))
                bound |= names
        elif isinstance(node, _DEFINITIONS) and node.name not in (*task.names, *bound):
            before.append(ast.get_source_segment(began or "", node) or ast.unparse(node))
            bound |= names
    # Sites that give `class Solution:` with List in its signature import typing around it.
    local = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    prompted = set(re.findall(r"\w+", task.prompt.text))
    wanted = sorted(n for n in (said & prompted) - bound - local if n in typing.__all__ and n[0].isupper())
    if wanted and "*" not in bound:
        before.insert(0, f"from typing import {', '.join(wanted)}")
    return _after_future(code, tree, "".join(f"{line}\n" for line in before))


def _after_future(code: str, tree: ast.Module, lines: str) -> str:
    """`lines` before `code`, but behind its `from __future__` imports."""
    futures = [n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
    if not lines or not futures:
        return lines + code
    at = futures[-1].end_lineno or 0
    rows = code.split("\n")
    return "\n".join(rows[:at]) + "\n" + lines + "\n".join(rows[at:])


def _without_main_guard(code: str) -> str:
    tree = python_tree(code)
    if tree is None:
        return code
    rows = code.split("\n")
    for node in tree.body:
        if isinstance(node, ast.If) and not node.orelse and _is_guard(node.test):
            for at in range(node.lineno - 1, node.end_lineno or node.lineno):
                rows[at] = ""
    return "\n".join(rows)


def _is_guard(test: ast.expr) -> bool:
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = (test.left, test.comparators[0])
    return any(isinstance(s, ast.Name) and s.id == "__name__" for s in sides) and any(
        isinstance(s, ast.Constant) and s.value == "__main__" for s in sides
    )


def _called(tests: str, names: tuple[str, ...]) -> str:
    """`tests`, with the call that they lack: of `check`, or of functions `test…` where nothing else happens."""
    tree = python_tree(tests)
    if tree is None:
        return tests
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    extra: list[str] = []
    for node in defined:
        if node.name == "check" and "check" not in called and names:
            extra.append(f"check({names[0]})")
        elif node.name.startswith("test") and node.name not in called and not node.args.args:
            extra.append(f"{node.name}()")
    return tests.rstrip("\n") + "\n\n" + "\n".join(extra) + "\n" if extra else tests


def check_lines(tests: str) -> tuple[str, ...]:
    """One name for each statement outside of a definition that can fail: an assert, a call."""
    tree = python_tree(tests)
    checks = [node for node in tree.body if _checks(node)] if tree else []
    return tuple(f"line {node.lineno}" for node in checks)


def _checks(node: ast.stmt) -> bool:
    if isinstance(node, _DEFINITIONS):
        return isinstance(node, ast.ClassDef) and any("TestCase" in ast.unparse(base) for base in node.bases)
    return any(isinstance(n, ast.Assert | ast.Call | ast.Raise) for n in ast.walk(node))
