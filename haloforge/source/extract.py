"""The program in a model's answer. Never judges whether the program is any good.

Rules, in this order:
1. Thoughts go: `<think>…</think>` at the start of a line; an unclosed one takes the rest with it, a lone
   `</think>` at the end of a line takes what stands before it.
2. Fenced blocks: a fence (``` or ~~~) starts its line (an indented one takes its indent off its lines); one
   that is never closed ends with the text, and a tagged fence inside an open block starts a new one. Of several
   blocks, while others remain: those tagged as no program (text, bash, output, …) and sessions (`>>> `, `$ `)
   drop out; then those in the wanted language win; then those that define what the tests call, or, where the
   answer is a whole program, those with a `main` (Python: that read stdin or have a main guard). Of what is left
   the last one is taken, because answers correct themselves downwards.
3. Without a fence the text is the code; lines of prose before and after it are dropped. Text without a
   line of code is no code: "".

Extraction repeats until nothing changes, so it is idempotent. Line ends become LF.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from haloforge.source.detect import ALIASES, known_language, language_of

__all__ = [
    "ALIASES",
    "Extracted",
    "extract_code",
    "fenced_blocks",
    "guess_language",
    "known_language",
    "without_thoughts",
]

_NO_PROGRAM = {
    "text", "txt", "plain", "plaintext", "output", "input", "stdout", "stdin", "console", "terminal", "log",
    "bash", "sh", "shell", "zsh", "cmd", "bat", "diff", "patch", "json", "yaml", "toml", "xml", "html", "markdown",
    "md", "math", "latex", "makefile", "cmake",
}  # fmt: skip

_THOUGHT = re.compile(r"^[ \t]*<think>.*?(?:</think>[ \t]*\n?|\Z)", re.S | re.M | re.I)
_END_OF_THOUGHT = re.compile(r"\A.*</think>[ \t]*(?:\n|\Z)", re.S | re.I)
_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})[ \t]*([^`\n]*?)[ \t]*$")
_SESSION = re.compile(r"\s*(?:>>> |\$ )")
_MAIN = re.compile(r"\bmain\s*\(|\bMain\s*\(|\bsys\.stdin\b|\binput\(|\bopen\(0\)|\b__name__\s*==")
_NOT_JUDGED = ("java", "javascript", "typescript")
_FAMILY = ("c", "cpp", "cpp-windows")

_CODE_START = re.compile(
    r"#|//|\$\w|[A-Z][a-z]+-[A-Z]\w+|/\*|\*|[{}()\[\]<>@&\"'\\+-]|\d|(?:if|for|while)\b.*[:({]"
    r"|(?:using|template|typedef|struct|class|enum|union|namespace|extern|static|inline|const|constexpr|volatile|auto"
    r"|unsigned|signed|int|long|short|char|float|double|bool|void|size_t|register|public|private|protected|return|case"
    r"|default|else|do|goto|break|continue|import|from|def|package|func|fn|use|pub|impl|trait|mod|let|var|async|lambda"
    r"|pass|raise|yield|global|with|try|except|finally|elif)\b(?!.*[.!?]$)"
)
_CODE_END = re.compile(r"[;{}\\,]$|\)\s*(?:const\s*)?(?:\{|:)?$")
_CODE_INSIDE = re.compile(r"[^=]=[^=]|<<|>>|->|::|\w\(|\w\[|\+\+|&&|\|\|")
_SENTENCE_END = re.compile(r"[.:!?]$")


class Extracted(NamedTuple):
    code: str
    """"" where there is none."""
    language: str | None
    """As the fence names it (a value of ALIASES), None where it doesn't."""


def guess_language(code: str) -> str | None:
    """ "cpp" or "c" where the content says so, else None."""
    found = language_of(code)
    return found if found in ("c", "cpp") else None


def extract_code(text: str, language: str | None = None, entry_points: Sequence[str] = ()) -> Extracted:
    """The program in `text`.

    Args:
        language: the one that the task wants, if it says so.
        entry_points: names that the task's tests call; the tests then bring the `main`.
    """
    found = Extracted(text, None)
    while True:
        once = _extract_once(found.code, language, entry_points)
        if once.code == found.code:
            return Extracted(found.code, found.language or once.language)
        found = Extracted(once.code, once.language or found.language)


def without_thoughts(text: str) -> str:
    """`text` with LF line ends and without what the model thought aloud."""
    return _END_OF_THOUGHT.sub("", _THOUGHT.sub("", text.replace("\r\n", "\n")))


def _extract_once(text: str, language: str | None, entry_points: Sequence[str]) -> Extracted:
    text = without_thoughts(text)
    blocks = fenced_blocks(text)
    if not blocks:
        return Extracted(_without_prose(text), None)
    return _choose(blocks, known_language(language), entry_points)


def fenced_blocks(text: str) -> list[Extracted]:
    """Fenced blocks in their order; the language None where the tag is no program's, "" where there is no tag."""
    blocks: list[Extracted] = []
    lines: list[str] = []
    opened: re.Match[str] | None = None
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        if opened is None:
            opened, lines = fence, []
        elif fence and fence[2][0] == opened[2][0] and (fence[3] or len(fence[2]) >= len(opened[2])):
            blocks.append(_block(lines, opened))
            opened, lines = (fence if fence[3] else None), []
        else:
            lines.append(line)
    if opened is not None:
        blocks.append(_block(lines, opened))
    return blocks


def foreign_fences(text: str, known: Collection[str]) -> str:
    """The languages of an answer's fences, where all of its code is fenced as others than `known`; else ""."""
    tags = {block.language for block in fenced_blocks(without_thoughts(text)) if block.code}
    return ", ".join(sorted(filter(None, tags))) if None not in tags and not tags & set(known) else ""


def _block(lines: list[str], fence: re.Match[str]) -> Extracted:
    words = re.split(r"[\s{:,]", fence[3].lower().lstrip("{."), maxsplit=1)
    indent = re.compile(rf"[ \t]{{0,{len(fence[1])}}}")
    code = "\n".join(indent.sub("", line, count=1) for line in lines).strip("\n")
    named = words[0].rstrip("}")
    language = "" if not named else None if named in _NO_PROGRAM else ALIASES.get(named, "")
    return Extracted(code + "\n" if code.strip() else "", language)


def _choose(blocks: list[Extracted], wanted: str | None, entry_points: Sequence[str]) -> Extracted:
    full = [b for b in blocks if b.code] or blocks
    left = [b for b in full if b.language is not None and not _SESSION.match(b.code)] or full
    if not wanted:
        left = [b for b in left if b.language not in _NOT_JUDGED] or left
    else:
        family = _FAMILY if wanted in _FAMILY else (wanted,)
        left = [b for b in left if b.language == wanted] or [b for b in left if b.language in (*family, "")] or left
    if entry_points:
        definition = _definition(entry_points)
        left = [b for b in left if definition.search(b.code)] or left
    else:
        left = [b for b in left if _MAIN.search(b.code)] or left
    return Extracted(left[-1].code, left[-1].language or None)


def _definition(names: Sequence[str]) -> re.Pattern[str]:
    """Finds a definition, in any language, of a function or class called by one of `names`."""
    one = "|".join(map(re.escape, names))
    return re.compile(
        rf"\b(?:def|fn|class|func(?:\s*\([^()]*\))?)\s+(?:{one})\b"
        rf"|[\w>\]&*][ \t\n]+[&*]*(?:\w+::)?(?:{one})\s*(?:<[^<>]*>)?\([^;{{}}]*\)[^;(){{}}=]*\{{"
    )


def _without_prose(text: str) -> str:
    lines = text.split("\n")
    if not any(line.strip() and _is_code(line) for line in lines):
        return ""
    first, last = 0, len(lines)
    while first < last and (not lines[first].strip() or _is_prose(lines[first])):
        first += 1
    while first < last and (not lines[last - 1].strip() or _is_prose(lines[last - 1])):
        last -= 1
    before, after = lines[:first], lines[last:]
    if not any(line.strip() for line in (*before, *after)):
        return text
    return "\n".join(lines[first:last]) + ("\n" if after else "")


def _is_code(line: str) -> bool:
    line = line.strip()
    return bool(_CODE_START.match(line) or _CODE_END.search(line) or _CODE_INSIDE.search(line))


def _is_prose(line: str) -> bool:
    line = line.strip()
    if not line or _CODE_START.match(line) or line[-1] in ";{}":
        return False
    words = line.split()
    sentence = bool(_SENTENCE_END.search(line)) and (len(words) > 1 or line[0].isupper())
    return (sentence or not _is_code(line)) and (sentence or len(words) > 2)
