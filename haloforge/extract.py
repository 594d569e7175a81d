"""The program in a model's answer. Never judges whether the program is any good.

Rules, in this order:
1. Thoughts go: `<think>…</think>` at the start of a line; an unclosed one takes the rest with it, a lone
   `</think>` at the end of a line takes what stands before it.
2. Fenced blocks: a fence (``` or ~~~) starts its line; one that is never closed ends with the text, and a
   tagged fence inside an open block starts a new one. Of several blocks: those tagged as no program (text,
   bash, output, …) drop out while others remain; then those in the wanted language win, then those with a
   `main`; of what is left the last one is taken, because answers correct themselves downwards.
3. Without a fence the text is the code; lines of prose before and after it are dropped. Text without a
   line of code is no code: "".

Extraction repeats until nothing changes, so it is idempotent. Line ends become LF.
"""

from __future__ import annotations

import re
from typing import NamedTuple

ALIASES = {
    "c": "c", "h": "c", "c99": "c", "c11": "c", "c17": "c", "gnu-c": "c", "ansi-c": "c",
    "cpp": "cpp", "c++": "cpp", "cc": "cpp", "cxx": "cpp", "hpp": "cpp", "cplusplus": "cpp", "c++11": "cpp",
    "c++14": "cpp", "c++17": "cpp", "c++20": "cpp", "c++23": "cpp", "g++": "cpp", "cpp17": "cpp", "cpp20": "cpp",
    "cpp-windows": "cpp-windows",
    "python": "python", "py": "python", "python3": "python", "py3": "python",
    "rust": "rust", "rs": "rust", "go": "go", "golang": "go",
    "csharp": "csharp", "c#": "csharp", "cs": "csharp", "powershell": "powershell", "ps1": "powershell",
    "java": "java", "javascript": "javascript", "js": "javascript", "typescript": "typescript", "ts": "typescript",
}  # fmt: skip
"""What people write, in lower case, and the language that they mean."""

_NO_PROGRAM = {
    "text", "txt", "plain", "plaintext", "output", "input", "stdout", "stdin", "console", "terminal", "log",
    "bash", "sh", "shell", "zsh", "cmd", "bat", "diff", "patch", "json", "yaml", "toml", "xml", "html", "markdown",
    "md", "math", "latex", "makefile", "cmake",
}  # fmt: skip

_THOUGHT = re.compile(r"^[ \t]*<think>.*?(?:</think>[ \t]*\n?|\Z)", re.S | re.M | re.I)
_END_OF_THOUGHT = re.compile(r"\A.*</think>[ \t]*(?:\n|\Z)", re.S | re.I)
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([^`\n]*?)[ \t]*$")
_MAIN = re.compile(r"\bmain\s*\(|\bfn main\b|\bfunc main\b")

_CODE_START = re.compile(
    r"#|//|/\*|\*|[{}()\[\]<>@&\"'\\+-]|\d|(?:if|for|while)\b.*[:({]"
    r"|(?:using|template|typedef|struct|class|enum|union|namespace|extern|static|inline|const|constexpr|volatile|auto"
    r"|unsigned|signed|int|long|short|char|float|double|bool|void|size_t|register|public|private|protected|return|case"
    r"|default|else|do|goto|break|continue|import|from|def|package|func|fn|use|pub|impl|trait|mod|let|var|async|lambda"
    r"|pass|raise|yield|global|with|try|except|finally|elif)\b(?!.*[.!?]$)"
)
_CODE_END = re.compile(r"[;{}\\,]$|\)\s*(?:const\s*)?(?:\{|:)?$")
_CODE_INSIDE = re.compile(r"[^=]=[^=]|<<|>>|->|::|\w\(|\w\[|\+\+|&&|\|\|")
_SENTENCE_END = re.compile(r"[.:!?]$")

_CPP_MARKS = re.compile(
    r"#\s*include\s*<(?:bits/stdc\+\+\.h|[a-z_]+)>|\busing\s+namespace\b|\bstd::|\bc(?:out|in|err)\s*(?:<<|>>)"
    r"|\btemplate\s*<|\bnullptr\b|\b(?:public|private|protected)\s*:|\bvector\s*<|\bnew\s+\w|\bauto\s+[&*\w]+\s*[=:]"
)
_C_MARKS = re.compile(r"#\s*include\s*[<\"][\w/]+\.h[>\"]")


class Extracted(NamedTuple):
    code: str
    """"" where there is none."""
    language: str | None
    """As the fence names it (a value of ALIASES), None where it doesn't."""


def known_language(name: str | None) -> str | None:
    """The language that `name` means; None for none, "any" or an unknown word."""
    return ALIASES.get((name or "").strip().lower())


def guess_language(code: str) -> str | None:
    """ "cpp" or "c" where the text has a mark of one of them, else None."""
    if _CPP_MARKS.search(code):
        return "cpp"
    return "c" if _C_MARKS.search(code) else None


def extract_code(text: str, language: str | None = None) -> Extracted:
    """The program in `text`; `language` is the one that the task wants, if it says so."""
    found = Extracted(text, None)
    while True:
        once = _extract_once(found.code, language)
        if once.code == found.code:
            return Extracted(found.code, found.language or once.language)
        found = Extracted(once.code, once.language or found.language)


def _extract_once(text: str, language: str | None) -> Extracted:
    text = text.replace("\r\n", "\n")
    text = _END_OF_THOUGHT.sub("", _THOUGHT.sub("", text))
    blocks = _blocks(text)
    if not blocks:
        return Extracted(_without_prose(text), None)
    return _choose(blocks, known_language(language))


def _blocks(text: str) -> list[Extracted]:
    """Fenced blocks in their order; the language None where the tag is no program's, "" where there is no tag."""
    blocks: list[Extracted] = []
    lines: list[str] = []
    opened: str | None = None
    tag = ""
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        if opened is None:
            if fence:
                opened, tag, lines = fence[1], fence[2], []
        elif fence and fence[1][0] == opened[0] and (fence[2] or len(fence[1]) >= len(opened)):
            blocks.append(_block(lines, tag))
            opened, tag, lines = (fence[1], fence[2], []) if fence[2] else (None, "", [])
        else:
            lines.append(line)
    if opened is not None:
        blocks.append(_block(lines, tag))
    return blocks


def _block(lines: list[str], tag: str) -> Extracted:
    words = re.split(r"[\s{:,]", tag.lower().lstrip("{."), maxsplit=1)
    code = "\n".join(lines).strip("\n")
    language = "" if not words[0] else None if words[0] in _NO_PROGRAM else ALIASES.get(words[0], "")
    return Extracted(code + "\n" if code.strip() else "", language)


def _choose(blocks: list[Extracted], wanted: str | None) -> Extracted:
    full = [b for b in blocks if b.code] or blocks
    left = [b for b in full if b.language is not None] or full
    if wanted:
        family = ("c", "cpp") if wanted in ("c", "cpp") else (wanted,)
        left = [b for b in left if b.language == wanted] or [b for b in left if b.language in (*family, "")] or left
    left = [b for b in left if _MAIN.search(b.code)] or left
    return Extracted(left[-1].code, left[-1].language or None)


def _without_prose(text: str) -> str:
    lines = text.split("\n")
    if not any(line.strip() and _is_code(line) for line in lines):
        return ""
    first, last = 0, len(lines)
    while not lines[first].strip() or _is_prose(lines[first]):
        first += 1
    while not lines[last - 1].strip() or _is_prose(lines[last - 1]):
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
