"""C#: the tests are a Main and what it needs, behind the answer; often inside the answer's class, which they close.

A class that the tests close is left open: it moves to the end and loses its last brace. The prompt's `using` lines of
the System namespaces stand before an answer that lacks them, those of other libraries go. Every Main of the answer
goes where the tests bring one.
"""

from __future__ import annotations

import re

from haloforge.source.assemble.parts import Parts, Task, without
from haloforge.source.lexing import DEEPEST, Item, depth, function_name, scope_name

_USING = re.compile(r"^(?:global\s+)?using\s+(?!var\b)[\w.=\s<>,:]+;$")
_SYSTEM = re.compile(r"^using\s+(?:static\s+)?System\b[\w.]*\s*;$")
_CLASSES = ("class", "struct", "record", "interface", "enum")


def parts(raw: str, code: str, task: Task) -> Parts:
    tests = task.prompt.tests
    closes = max(0, -depth(task.mask(tests)))
    checks = ("Main",) if tests else ()
    code = task.completed(raw, code, closes)
    if not code.strip():
        return Parts(code, tests, checks)
    if task.as_it_stands:  # the tests' own usings cannot stand behind classes
        own, rest = ([], tests) if closes else _usings(tests, task)
        there = set(_usings(code, task)[0])
        lines = [line for line in dict.fromkeys(own) if line not in there]
        return Parts("".join(f"{line}\n" for line in lines) + code, rest, checks)
    began = task.began()
    if began and not _classes(code, task):
        code = began.code[: began.scopes[-2] + 1 if len(began.scopes) > 1 else 0] + "\n" + code.rstrip("\n") + "\n"
        code += "}\n" * max(0, depth(task.mask(code)) - closes)
    if tests and _spans_of_main(tests, task):
        code = without(code, _spans_of_main(code, task))
    if depth(task.mask(code)) < closes:
        code = _left_open(code, closes, task)
    usings, code = _usings(code, task)
    wanted = _usings(began.code, task)[0] if began else []
    usings = [line for line in usings if _SYSTEM.match(line) or line not in wanted]  # a library that is not there
    if not closes:
        own, tests = _usings(tests, task)
        wanted += own
    lines = [line for line in wanted if _SYSTEM.match(line) and line not in usings] + usings
    body = code.strip("\n") if closes == 0 else code.lstrip("\n").rstrip()
    return Parts("".join(f"{line}\n" for line in dict.fromkeys(lines)) + "\n" + body + "\n", tests, checks)


def _scopes(mask: str, task: Task, start: int = 0, end: int | None = None) -> list[tuple[Item, tuple[str, str]]]:
    found = ((item, scope_name(item)) for item in task.items(mask, start, end))
    return [(item, scope) for item, scope in found if scope]


def _classes(code: str, task: Task) -> list[tuple[Item, list[Item]]]:
    """Classes that lie in no class, each with the namespaces around it, outermost first."""
    mask = task.mask(code)
    found: list[tuple[Item, list[Item]]] = []

    def walk(start: int, end: int, around: list[Item]) -> None:
        for item, (kind, _) in _scopes(mask, task, start, end):
            if kind == "namespace" and len(around) < DEEPEST:
                walk(item.brace + 1, item.end - item.closed, [*around, item])
            elif kind in _CLASSES:
                found.append((item, around))

    walk(0, len(mask), [])
    return found


def _spans_of_main(code: str, task: Task) -> list[tuple[int, int]]:
    mask = task.mask(code)
    spans: list[tuple[int, int]] = []

    def walk(start: int, end: int, inside: int = 0) -> None:
        for item in task.items(mask, start, end):
            if function_name(item, "csharp") == "Main" and re.search(r"\bstatic\b", item.head):
                spans.append((item.start, item.end))
            elif scope_name(item) and item.brace >= 0 and inside < DEEPEST:
                walk(item.brace + 1, item.end - item.closed, inside + 1)

    walk(0, len(mask))
    return spans


def _left_open(code: str, closes: int, task: Task) -> str:
    """`code` with the class of the entry point last and `closes` scopes open; as it was where it has no class."""
    classes = _classes(code, task)
    if not classes:
        return code
    began = task.began()
    scope = began.scope("csharp") if began else None
    mask = task.mask(code)

    def suits(item: Item) -> tuple[bool, bool]:
        holds = any(task.defines(code[item.brace + 1 : item.end - 1], name) for name in task.names)
        return holds, scope_name(item) == scope

    chosen, around = max(classes, key=lambda found: suits(found[0]))  # the first of equals
    kept = around[len(around) - (closes - 1) :] if closes > 1 else []
    if len(kept) != closes - 1 or not chosen.closed:
        return code
    gone = [(chosen.start, chosen.end)]
    for namespace in around:  # its braces go; what else it held stays
        gone += [(namespace.start, namespace.brace + 1), (namespace.end - 1, namespace.end)]
    rest = without(code, gone).strip("\n")
    heads = "".join(code[n.start : n.brace + 1] + "\n" for n in kept)
    comment = _comment_before(code, mask, chosen.start)
    body = code[chosen.start : chosen.end].rstrip().rstrip(";").rstrip().removesuffix("}")
    if comment and rest.endswith(comment.strip()):
        rest, body = rest.removesuffix(comment.strip()).rstrip(), comment.strip() + "\n" + body
    return (rest + "\n\n" if rest else "") + heads + body.rstrip() + "\n"


def _comment_before(code: str, mask: str, at: int) -> str:
    before = mask[:at].rstrip()
    return code[len(before) : at]


def _usings(code: str, task: Task) -> tuple[list[str], str]:
    """(`using` lines, the code without them); also those inside a namespace."""
    mask = task.mask(code)
    found: list[Item] = []

    def walk(start: int, end: int, inside: int = 0) -> None:
        for item in task.items(mask, start, end):
            scope = scope_name(item)
            if item.brace < 0 and _USING.match(item.head):
                found.append(item)
            elif scope and scope[0] == "namespace" and inside < DEEPEST:
                walk(item.brace + 1, item.end - item.closed, inside + 1)

    walk(0, len(mask))
    lines = [re.sub(r"\s+", " ", code[item.start : item.end]).strip() for item in found]
    return lines, without(code, [(item.start, item.end) for item in found])
