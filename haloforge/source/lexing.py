"""Where comments, literals and scopes of a program lie, without parsing it: enough to move whole declarations.

For the languages with braces (C, C++, Rust, Go, C#); Python has its own parser. Not a compiler: what a macro expands
to is not seen, and text that no compiler would take is scanned as far as it goes.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

_QUOTED = r"\"(?:\\.|[^\"\\\n])*\"?"
_LINE_COMMENT = r"//(?:\\\n|[^\n])*"
_BLOCK_COMMENT = r"/\*.*?(?:\*/|\Z)"
_NUMBER = r"(?P<keep>\b\d[\w.']*)"
"""Numbers stay; in C++ 1'000 is one."""
_HOLE = r"\{(?:[^{}\"]|\"(?:\\.|[^\"\\])*\")*\}"
"""What stands in braces in an interpolated C# string; itself without braces."""

_C = "|".join(
    (
        _LINE_COMMENT,
        _BLOCK_COMMENT,
        _NUMBER,
        r"\b(?:u8|[uUL])?R\"(?P<mark>[^()\\\s]{0,16})\(.*?(?:\)(?P=mark)\"|\Z)",
        _QUOTED,
        r"'(?:\\.|[^'\\\n])*'?",
    )
)
_PLAIN_LINE_COMMENT = r"//[^\n]*"
"""Where no backslash joins lines."""
_RUST = "|".join(
    (
        _PLAIN_LINE_COMMENT,
        r"\b[bc]?r(?P<hashes>#*)\".*?(?:\"(?P=hashes)|\Z)",
        r"\"(?:\\.|[^\"\\])*\"?",
        r"\bb?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^\\'\n])'",
        r"'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^\\'\n])'",
        r"(?P<nested>/\*)",
    )
)
_GO = "|".join((_PLAIN_LINE_COMMENT, _BLOCK_COMMENT, r"`[^`]*`?", _QUOTED, r"'(?:\\.|[^'\\\n])+'?"))
_CSHARP = "|".join(
    (
        _PLAIN_LINE_COMMENT,
        _BLOCK_COMMENT,
        r"(?:\$@|@\$|@)\"(?:\"\"|[^\"])*\"?",
        r"\$*\"\"\".*?(?:\"\"\"|\Z)",
        rf"\$\"(?:\\.|\{{\{{|\}}\}}|{_HOLE}|[^\"\\{{}}\n]|[{{}}])*\"?",
        _QUOTED,
        r"'(?:\\.|[^'\\\n])*'?",
    )
)
_NOT_CODE = {
    name: re.compile(pattern, re.S)
    for name, pattern in {"c": _C, "cpp": _C, "cpp-windows": _C, "rust": _RUST, "go": _GO, "csharp": _CSHARP}.items()
}
_NESTED_COMMENT = re.compile(r"/\*|\*/")
_DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.M)
BRACE_LANGUAGES = tuple(_NOT_CODE)
DEEPEST = 100
"""Scopes within each other that are looked into: an answer decides how many there are."""


def masked(code: str, language: str, directives: bool = False) -> str:
    """`code` with comments and literals as blanks: same length, same line ends.

    Args:
        language: one of BRACE_LANGUAGES.
        directives: also blank the preprocessor's lines.
    """
    if language == "rust":
        return _masked_rust(code)
    text = _NOT_CODE[language].sub(_blanked, code)
    return _DIRECTIVE.sub(_blanked, text) if directives else text


def _masked_rust(code: str) -> str:
    """Its comments may hold others."""
    pieces, at = [], 0
    while match := _NOT_CODE["rust"].search(code, at):
        end = match.end()
        if match["nested"]:
            depth = 1
            while depth and (found := _NESTED_COMMENT.search(code, end)):
                depth += 1 if found[0] == "/*" else -1
                end = found.end()
            end = len(code) if depth else end
        pieces += [code[at : match.start()], re.sub(r"[^\n]", " ", code[match.start() : end])]
        at = end
    return "".join([*pieces, code[at:]])


def _blanked(match: re.Match[str]) -> str:
    if match.groupdict().get("keep"):
        return match[0]
    return "".join("\n" if ch == "\n" else " " for ch in match[0])


@dataclass(frozen=True, slots=True)
class Item:
    """One declaration of a scope."""

    start: int
    """Of its first word; comments before it are not its own, attributes are."""
    brace: int
    """Of the brace that opens its body; -1 where it has none."""
    end: int
    """Past its closing brace or semicolon; the end of the scope where it is not closed."""
    head: str
    """Its masked words before the body."""
    closed: bool


def items(mask: str, language: str, start: int = 0, end: int | None = None) -> Iterator[Item]:
    """The declarations of the scope `mask[start:end]`, in order; `mask` comes from `masked(…, directives=True)`."""
    end = len(mask) if end is None else end
    head, brackets, at = start, 0, start
    first, last = start, ""  # where the head's words begin; its last character that is no blank
    while at < end:
        ch = mask[at]
        if ch in "([":
            brackets += 1
        elif ch in ")]":
            brackets = max(0, brackets - 1)
        elif ch == ";" and not brackets:
            yield _item(mask, head, -1, at + 1)
            head = at + 1
        elif ch == "}":  # of a scope that was never opened
            head, brackets = at + 1, 0
        elif ch == "{":
            close = _closing(mask, at, end)
            if brackets or _in_head(mask, head, at, language):
                at = close
            else:
                brackets = 0
                after = min(close + 1, end)
                if language != "go" and (semicolon := _SEMICOLON.match(mask, after, end)):
                    after = semicolon.end()
                yield _item(mask, head, at, after, closed=close < end)
                head, at = after, after - 1
        elif (
            ch == "\n" and language == "go" and not (brackets or last in _GO_GOES_ON or mask.startswith("func", first))
        ):
            yield _item(mask, head, -1, at + 1)
            head = at + 1
        if at < head:
            last = ""
        elif not ch.isspace():
            first, last = first if last else at, mask[at : at + 1]
        at += 1
    if mask[head:end].strip():
        yield _item(mask, head, -1, end, closed=False)


def _item(mask: str, head: int, brace: int, end: int, closed: bool = True) -> Item:
    words = mask[head : brace if brace >= 0 else end]
    start = head + len(words) - len(words.lstrip())
    return Item(start, brace, end, words.strip(), closed)


def _closing(mask: str, brace: int, end: int) -> int:
    """Where the brace at `brace` is closed; `end` where it is not."""
    depth = 0
    for match in re.compile(r"[{}]").finditer(mask, brace, end):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    return end


_SEMICOLON = re.compile(r"[ \t\n]*;")
_GO_GOES_ON = ("", *",({[+*/|&=.-")
"""Go's own rule, near enough: a line that ends so does not end its declaration; a complete one does."""


def _in_head(mask: str, start: int, brace: int, language: str) -> bool:
    """Whether the brace belongs to a type or a value in front of the body; the head begins at `start`."""
    head = mask[start:brace]
    if language == "go":
        return bool(re.search(r"\bfunc\b[^{]*\b(?:interface|struct)\s*$", head))
    if language == "rust":
        return bool(re.search(r"(?:^|[^=!<>])=\s*(?:[\w:]+\s*)?$|\buse\b", head))
    return False


def depth(mask: str) -> int:
    """Braces opened and not closed; below zero where more are closed."""
    return mask.count("{") - mask.count("}")


_FUNCTION = {
    "rust": re.compile(r"\bfn\s+(\w+)"),
    "go": re.compile(r"^func\s*(?:\([^)]*\)\s*)?(\w+)"),
    "csharp": re.compile(r"([A-Za-z_]\w*)\s*(?:<[^<>()]*>\s*)?\("),
}
_C_FUNCTION = re.compile(r"((?:[A-Za-z_]\w*::)*~?[A-Za-z_]\w*)\s*\(")
_NO_NAME = {
    "if", "for", "while", "switch", "catch", "using", "lock", "foreach", "fixed", "__attribute__", "alignas",
    "decltype", "requires", "noexcept", "throw", "sizeof", "return", "new", "static_assert", "__declspec",
}  # fmt: skip
_SCOPE = re.compile(r"\b(namespace|class|struct|interface|record|enum|impl|mod|trait|union|extern)\b\s*([\w.:]*)")


def function_name(item: Item, language: str) -> str | None:
    """The name of the function that `item` defines; None where it is none."""
    head = re.sub(r"^(?:#\s*!?\[[^\]]*\]\s*)+", "", item.head) if language == "rust" else item.head
    if language == "csharp":
        head = re.sub(r"^(?:\[[^\]]*\]\s*)+", "", head)
    if language in ("rust", "go"):
        found = _FUNCTION[language].search(head) if item.brace >= 0 else None
        return found[1] if found and not (language == "rust" and scope_name(item)) else None
    if item.brace < 0 and not (language == "csharp" and "=>" in head):
        return None
    if re.search(r"\b(?:class|struct|namespace|enum|union|interface)\b[^()]*$", head.split("(")[0] or " "):
        return None
    for found in (_FUNCTION["csharp"] if language == "csharp" else _C_FUNCTION).finditer(head):
        if found[1] not in _NO_NAME:
            before = head[: found.start()]
            return None if re.search(r"(?<!operator)=(?!=)|\b(?:return|else|throw|new)\b", before) else found[1]
    return None


def scope_name(item: Item) -> tuple[str, str] | None:
    """("class", "Problem") of a class, namespace, module …; None where `item` is none."""
    if item.brace < 0:
        return None
    found = _SCOPE.search(re.sub(r"\([^()]*\)", "", item.head))
    return (found[1], found[2]) if found and not re.search(r"\bfn\b", item.head) else None


def open_scopes(mask: str) -> list[int]:
    """Where each brace stands that is opened in `mask` and not closed, outermost first."""
    opened: list[int] = []
    for match in re.finditer(r"[{}]", mask):
        if match[0] == "{":
            opened.append(match.start())
        elif opened:
            opened.pop()
    return opened


def words(mask: str) -> set[str]:
    """The identifiers in a masked program."""
    return set(re.findall(r"[A-Za-z_]\w*", mask))


def python_tree(code: str) -> ast.Module | None:
    """`code` as Python's parser sees it; None where it does not take it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_python(code: str) -> bool:
    """Whether Python compiles it: stricter than `python_tree`, which takes a `return` outside of a function."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, "answer", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True
