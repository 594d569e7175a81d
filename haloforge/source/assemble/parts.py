"""What the languages with braces have in common: what the prompt began, and what an answer already has."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from haloforge.records import Prompt
from haloforge.source.extract import extract_code, fenced_blocks, without_thoughts
from haloforge.source.lexing import Item, depth, function_name, items, masked, open_scopes, scope_name

_GO_TYPE = re.compile(r"\b(?:interface|struct)\s*\{\s*\}")
_FUNC = re.compile(r"^[ \t]*func\b", re.M)
_CALLED = re.compile(r"(?<![.\w])([A-Za-z_]\w*)\s*\(")
_CALLED_ANYHOW = re.compile(r"([A-Za-z_]\w*)\s*\(")
_KEYWORDS = {
    "if", "for", "while", "switch", "return", "sizeof", "assert", "main", "Main", "func", "match", "catch", "Check",
    "candidate", "check", "vec", "new", "typeof", "string", "int", "float", "double", "float64", "foreach", "using",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parts:
    """An answer's share and the tests' share."""

    code: str
    tests: str = ""
    checks: tuple[str, ...] = ()
    names: tuple[str, str] | None = None
    """File names of the two where each has its own."""
    one_name: str | None = None
    """The file's name where both are in one and the language's usual name does not do."""

    def files(self, source: str) -> dict[str, str]:
        if self.names:
            return {self.names[0]: self.code.rstrip("\n") + "\n", self.names[1]: self.tests}
        whole = self.code.rstrip("\n") + "\n\n" + self.tests.lstrip("\n") if self.tests else self.code
        return {self.one_name or source: whole if whole.endswith("\n") else whole + "\n"}


@dataclass(frozen=True, slots=True)
class Began:
    """A prompt that is code and ends inside a function."""

    code: str
    mask: str
    scopes: list[int] = field(default_factory=list)
    """Braces left open, the function's last."""
    name: str = ""

    def items(self, language: str) -> list[Item]:
        """Its closed declarations outside of any scope."""
        return [item for item in items(self.mask, language) if item.closed]

    def scope(self, language: str) -> tuple[str, str] | None:
        """Kind and name of what holds the function: ("class", "Problem"); None where nothing does."""
        if len(self.scopes) < 2:
            return None
        brace = self.scopes[-2]
        return scope_name(Item(0, brace, brace, _head(self.mask, brace, language), False))


@dataclass(frozen=True, slots=True)
class Task:
    prompt: Prompt
    language: str
    names: tuple[str, ...]
    """Entry points."""
    as_it_stands: bool

    def mask(self, code: str) -> str:
        return masked(code, self.language, directives=True)

    def _flat(self, mask: str) -> str:
        """Without the braces of Go's `interface{}` and `struct{}`."""
        return _GO_TYPE.sub(lambda found: "_" * len(found[0]), mask) if self.language == "go" else mask

    def items(self, mask: str, start: int = 0, end: int | None = None) -> list[Item]:
        return list(items(mask, self.language, start, end))

    def entry_points(self) -> tuple[str, ...]:
        began = self.began()
        if began and began.name:
            return (began.name,)
        mask = self.mask(self.prompt.tests)
        own = {function_name(item, self.language) for item in self.items(mask)}
        return tuple(sorted(set(_CALLED.findall(mask)) - _KEYWORDS - {name for name in own if name}))

    def began(self) -> Began | None:
        """What the prompt began; None where it does not end inside a function (also in its last such fence)."""
        text = self.prompt.text.replace("\r\n", "\n")
        for code in [*(block.code for block in reversed(fenced_blocks(text))), text]:
            mask = self._flat(self.mask(code))
            if mask.rstrip().endswith("{"):
                scopes = open_scopes(mask)
                if not scopes:
                    continue
                head = Item(0, scopes[-1], scopes[-1], _head(mask, scopes[-1], self.language), False)
                name = function_name(head, self.language)
                if name:
                    return Began(code, mask, scopes, name)
        return None

    def defines(self, code: str, name: str) -> bool:
        """Whether `code` defines a function of that name, at any depth."""
        mask = self._flat(self.mask(code))
        return any(
            function_name(Item(0, at.start(), 0, _head(mask, at.start(), self.language), True), self.language) == name
            for at in re.finditer(r"\{", mask)
        ) or bool(self.language == "csharp" and re.search(rf"\b{re.escape(name)}\s*\([^;{{}}]*\)\s*=>", mask))

    def completed(self, raw: str, code: str, still_open: int = 0) -> str:
        """`code`, put behind the prompt where it only continues it.

        Args:
            raw: the text from which `code` was extracted.
            still_open: how many scopes the tests will close.
        """
        began = self.began()
        if self.as_it_stands or began is None or any(self.defines(code, n) for n in (began.name, *self.names)):
            return code
        body = self._body(raw, code, began)
        if not body.strip():
            return code
        whole = began.code + ("" if began.code.endswith("\n") else "\n") + body
        missing = depth(self.mask(whole)) - still_open
        return whole.rstrip("\n") + "\n" + "}\n" * missing if 0 < missing <= len(began.scopes) else whole

    def _body(self, raw: str, code: str, began: Began) -> str:
        """The function's body: an indented text as it is (a last line `x + y` is no prose), else what was extracted."""
        text = without_thoughts(raw)
        if fenced_blocks(text) or not is_indented(text):
            return code
        level = len(began.scopes)
        for match in re.finditer(r"[{}]", self.mask(began.code + text)[len(began.code) :]):
            level += 1 if match[0] == "{" else -1
            if level < len(began.scopes):
                rest = text[match.end() :]
                return text[: match.end()] + ("\n" + extract_code(rest).code if rest.strip() else rest)
        return text


def is_indented(text: str) -> bool:
    """Whether the first line that is not blank is."""
    return bool(re.match(r"\s*\n[ \t]+\S|[ \t]+\S", text))


def _head(mask: str, brace: int, language: str) -> str:
    """The words before a brace, back to the last end of a declaration."""
    start = max(mask.rfind(ch, 0, brace) for ch in ";{}") + 1
    if language == "go":  # its lines end declarations too
        start = max([start, *(found.start() for found in _FUNC.finditer(mask, start, brace))])
    return mask[start:brace].strip()


def called_in_files(task: Prompt) -> tuple[str, ...]:
    """What a project's other files call, so that an answer's example with a `main` is not taken for the module."""
    called = {name for text in task.files.values() for name in _CALLED_ANYHOW.findall(text)}
    return tuple(sorted(called - _KEYWORDS)[:500])


def without(code: str, spans: list[tuple[int, int]]) -> str:
    """`code` with these stretches taken out; each leaves one line end."""
    pieces, at = [], 0
    for start, end in sorted(spans):
        pieces += [code[at:start].rstrip(" \t"), "" if code[start - 1 : start] == "\n" else "\n"]
        at = max(at, end)
    return "".join([*pieces, code[at:]])
