"""Rust: the tests are a main, or a test module, behind the answer.

An answer keeps its own `use` lines; of the prompt's it gets what it needs and does not have, from the standard
library only. Its main goes where the tests bring theirs, its own tests always.
"""

from __future__ import annotations

import re

from haloforge.source.assemble.parts import Began, Parts, Task, without
from haloforge.source.lexing import Item, function_name, scope_name, words

_USE = re.compile(r"^(?:pub\s+)?use\s+(.*);$", re.S)
_STANDARD = ("std", "core", "alloc", "crate", "self", "super")
_INNER = re.compile(r"\A(?:\s*(?:#!\[[^\]\n]*\]|//[^\n]*)\n)*")


def parts(raw: str, code: str, task: Task) -> Parts:
    tests, kind = task.prompt.tests, task.prompt.tests_kind
    code = task.completed(raw, code)
    checks = test_names(tests, task) if kind == "append_cfg_test" else ("main",) if tests else ()
    if not code.strip() or task.as_it_stands:
        return Parts(code, tests, checks)
    began = task.began()
    continued = began is not None and code.startswith(began.code)
    if began and continued:
        code = _without_foreign(code, began, task)
    if tests:
        code = _without_own(code, task)
    if began and not continued:
        inner = _INNER.match(code)
        at = inner.end() if inner else 0
        code = code[:at] + _before(began, code, task) + code[at:]
    return Parts(code, tests, checks)


def _without_own(code: str, task: Task) -> str:
    gone = []
    for item in task.items(task.mask(code)):
        attributes = re.sub(r"\s", "", item.head)
        is_test = "#[cfg(test)]" in attributes or bool(re.match(r"(?:#\[[^\]]*\])*#\[test\]", attributes))
        if is_test or function_name(item, "rust") == "main":
            gone.append((item.start, item.end))
    return without(code, gone)


def _without_foreign(code: str, began: Began, task: Task) -> str:
    """Of the prompt's `use` lines those go that name a crate which is not there, and those that nothing uses."""
    mask = task.mask(code)
    uses = [item for item in task.items(mask) if item.end <= len(began.code) and _USE.match(item.head)]
    gone = [(i.start, i.end) for i in uses if not leaves(_path(i))]
    return without(code, gone)


def _path(item: Item) -> str:
    found = _USE.match(item.head)
    return re.sub(r"\s+", " ", found[1]) if found else ""


def leaves(path: str) -> dict[str, str]:
    """{name that it brings: full path} of what stands after `use`; nothing where the crate is not a standard one."""
    if re.split(r"\W", path.lstrip(": "), maxsplit=1)[0] not in _STANDARD:
        return {}
    found: dict[str, str] = {}

    def walk(prefix: str, rest: str) -> None:
        brace = rest.find("{")
        if brace < 0:
            full = (prefix + rest).strip()
            named = re.fullmatch(r"(.*?)(?:\s+as\s+(\w+))?", full)
            assert named
            target = named[1].strip().removesuffix("::self")
            found[named[2] or target.rpartition("::")[2]] = full if not full.endswith("::self") else target
            return
        inside, depth_, piece = rest[brace + 1 : rest.rfind("}")], 0, ""
        for ch in inside + ",":
            if ch == "," and not depth_:
                if piece.strip():
                    walk(prefix + rest[:brace].strip(), piece.strip())
                piece = ""
            else:
                depth_ += {"{": 1, "}": -1}.get(ch, 0)
                piece += ch

    walk("", path)
    return found


def _before(began: Began, code: str, task: Task) -> str:
    """The names that the answer uses and the prompt brings; the helpers that it lacks."""
    mask = task.mask(code)
    own = task.items(mask)
    bound = {name for item in own if _USE.match(item.head) for name in leaves(_path(item))}
    bound |= {function_name(i, "rust") or (scope_name(i) or ("", ""))[1] for i in own}
    said = words(mask) | words(task.mask(task.prompt.tests))
    lines: list[str] = []
    for item in began.items("rust"):
        name = function_name(item, "rust") or (scope_name(item) or ("", ""))[1]
        if _USE.match(item.head):
            lines += [f"use {full};" for n, full in leaves(_path(item)).items() if n in said and n not in bound]
        elif name and name not in bound and name in said and name not in (*task.names, "main"):
            lines.append(began.code[item.start : item.end])
    return "".join(line + "\n" for line in lines)


def test_names(tests: str, task: Task) -> tuple[str, ...]:
    """The paths of the functions marked #[test], as `rustc --test` names them."""
    mask = task.mask(tests)

    def walk(prefix: str, start: int, end: int) -> list[str]:
        names: list[str] = []
        for item in task.items(mask, start, end):
            scope = scope_name(item)
            name = function_name(item, "rust")
            if scope and scope[0] == "mod":
                names += walk(f"{prefix}{scope[1]}::", item.brace + 1, item.end - 1)
            elif name and re.search(r"#\s*\[\s*test\s*\]", item.head):
                names.append(prefix + name)
        return names

    return tuple(walk("", 0, len(mask)))
