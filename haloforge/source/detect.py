"""Which language a program is in: what people call languages, and the marks by which a text shows its own.

The order in which a verifier asks: the row's `language`, the fence's tag, the tests, the content.
"""

from __future__ import annotations

import ast
import re
from pathlib import PurePosixPath

from haloforge.records import Prompt
from haloforge.source.lexing import python_tree

ALIASES = {
    "c": "c", "h": "c", "c90": "c", "c99": "c", "c11": "c", "c17": "c", "c23": "c", "gnu-c": "c", "ansi-c": "c",
    "gnuc": "c", "ansic": "c", "clang": "c", "gcc": "c",
    "cpp": "cpp", "c++": "cpp", "cc": "cpp", "cxx": "cpp", "hpp": "cpp", "cplusplus": "cpp", "c++11": "cpp",
    "c++14": "cpp", "c++17": "cpp", "c++20": "cpp", "c++23": "cpp", "g++": "cpp", "cpp11": "cpp", "cpp14": "cpp",
    "cpp17": "cpp", "cpp20": "cpp", "cpp23": "cpp", "clang++": "cpp", "hh": "cpp", "gnu++17": "cpp",
    "cpp-windows": "cpp-windows", "mingw": "cpp-windows", "win32": "cpp-windows",
    "python": "python", "py": "python", "python3": "python", "py3": "python", "pypy": "python", "pypy3": "python",
    "rust": "rust", "rs": "rust", "go": "go", "golang": "go", "go_test.go": "go",
    "csharp": "csharp", "c#": "csharp", "cs": "csharp", "dotnet": "csharp", "c-sharp": "csharp",
    "powershell": "powershell", "ps1": "powershell", "pwsh": "powershell", "ps": "powershell", "psm1": "powershell",
    "java": "java", "javascript": "javascript", "js": "javascript", "typescript": "typescript", "ts": "typescript",
}  # fmt: skip
"""What people write, in lower case, and the language that they mean."""

_VERSIONED = re.compile(
    r"(?:gnu |ms |microsoft |visual |mono )?(c\+\+|g\+\+|c#|c|pypy|python|rust|golang|go|java|javascript)"
    r"[ \d]*(?:$|[ \d.(+-].*)"
)
"""As contest sites name compilers: "GNU C++17 7.3.0", "Python 3.11", "Rust 2021"."""


def known_language(name: str | None) -> str | None:
    """The language that `name` means; None for none, "any" or an unknown word."""
    said = (name or "").strip().lower()
    if said in ALIASES:
        return ALIASES[said]
    found = _VERSIONED.fullmatch(said)
    return ALIASES[found[1]] if found else None


_LITERALS = re.compile(r"(^[ \t]*#[ \t]*include[^\n]*)|\"\"\".*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\\n])*\"", re.S | re.M)
_MARKS: dict[str, tuple[tuple[int, str], ...]] = {
    "cpp": (
        (9, r"^[ \t]*#[ \t]*include[ \t]*<(?:bits/stdc\+\+\.h|ext/\w+/?\w*\.hpp|[a-z_]+)>"),
        (9, r"\busing\s+namespace\s+\w"),
        (6, r"\bstd::(?!(?:io|env|collections|fmt|cmp|mem|any|iter|str|slice|ops|ascii|rc|thread|time|fs|process"
            r"|error|num|convert|sync|cell|f32|f64|i32|i64|u32|u64|usize|u8|char|vec|hash|borrow|default|marker)\b)"),
        (6, r"\bc(?:out|in|err)\s*(?:<<|>>)"),
        (5, r"^[ \t]*template\s*<"),
        (5, r"\bnullptr\b|\b(?:static|dynamic|reinterpret|const)_cast\s*<"),
        (5, r"^[ \t]*(?:public|private|protected)\s*:\s*$"),
        (3, r"\b(?:vector|map|set|pair|unordered_map|priority_queue|unique_ptr)\s*<"),
        (3, r"\bauto\s*&{0,2}\s*\[?\w+[\w, ]{0,80}\]?\s*[=:]"),
        (3, r"\b(?:const\s+)?string\s*&|\boperator\s*[<>=+*()\[\]-]+\s*\(|\bdelete(?:\[\])?\s+\w+;"),
    ),
    "c": (
        (6, r"^[ \t]*#[ \t]*include[ \t]*[<\"][\w/]+\.h[>\"]"),
        (3, r"^[ \t]*#[ \t]*(?:define|ifdef|ifndef|undef|pragma)\b"),
        (3, r"\bint\s+main\s*\("),
        (2, r"\b(?:printf|scanf|malloc|free|puts|fgets|strlen|memset)\s*\("),
        (2, r"^(?:static |const |unsigned |struct |long )*(?:int|void|char|double|float|size_t"
            r"|bool)\b\s*\**\s*\w+\s*\("),
        (1, r"->|^[ \t]*struct\s+\w+\s*\{"),
    ),
    "python": (
        (6, r"^[ \t]*(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(.*\)[ \t]*(?:->[^:{;]*)?:[ \t]*(?:#.*)?(?:\S.*)?$"),
        (5, r"^[ \t]*class[ \t]+\w+[ \t]*(?:\([^()]*\))?[ \t]*:[ \t]*(?:#.*|pass|\.\.\.)?$"),
        (6, r"^(?:from[ \t]+[\w.]+[ \t]+import\b"
            r"|import[ \t]+[\w.]+(?:[ \t]+as[ \t]+\w+)?(?:[ \t]*,[ \t]*[\w. ]+)*[ \t]*$)"),
        (5, r"^[ \t]*(?:if|elif|while|for)[ \t][^{};\n]*:[ \t]*(?:#.*)?(?:[^{};\n]*)$"),
        (4, r"^[ \t]*(?:else|try|finally)[ \t]*:[ \t]*(?:#.*)?$|^[ \t]*except\b.*:[ \t]*$"
            r"|^[ \t]*with\b.*\bas\b.*:[ \t]*$"),
        (4, r"\bprint[ \t]*\([^;\n]{0,200}\)[ \t]*$|\binput\(\)|\bsys\.stdin\b|__name__"
            r"|\blambda\b[^:\n]{0,80}:|\bself\."),
        (2, r"\bNone\b|\bTrue\b|\bFalse\b|\bnot in\b|\bis not\b|\brange\(|^[ \t]*#[ \t]\w.*$|\bprint[ \t]+[\"\w]"),
        (3, r"^[ \t]*return\b[^;{}]*[^;{},]$"),
        (2, r"^[A-Za-z_][\w, ]*(?:\[.*\])?[ \t]*[+*/-]?=[ \t]*[^=;{][^;{]*$"),
    ),
    "rust": (
        (9, r"\b(?:pub(?:\([\w:]+\))?\s+)?(?:const\s+|async\s+|unsafe\s+)*fn\s+\w+\s*(?:<[^>\n]{0,200}>)?\s*\("),
        (6, r"\blet\s+mut\s+\w|\blet\s+\w+\s*:\s*[&\[\w(]"),
        (2, r"\blet\s+[\w(]|\bmatch\s+\S+\s*\{"),
        (6, r"^[ \t]*(?:pub\s+)?use\s+(?:std|core|crate|super|self|alloc)\b"),
        (6, r"\b(?:println|print|eprintln|vec|format|panic|assert_eq|assert|write|writeln|unimplemented|todo"
            r"|matches)!\s*[(\[{]"),
        (5, r"^[ \t]*#!?\[\w+"),
        (5, r"^[ \t]*impl\b(?:<[^>\n]{0,200}>)?\s+\w|^[ \t]*(?:pub\s+)?(?:trait|mod|enum|struct)\s+\w+[^;\n]{0,200}\{"),
        (4, r"&mut\s|&str\b|\bSome\(|\.unwrap\(\)|\bVec<|\bOption<|\bResult<|\.iter\(\)|\.collect\b"),
    ),
    "go": (
        (9, r"^[ \t]*package[ \t]+\w+[ \t]*(?://.*)?$"),
        (8, r"^func\s*(?:\([^)]*\)\s*)?\w+\s*(?:\[[^\]]*\])?\("),
        (5, r":=|\bfmt\.\w+\(|\bchan\b|\bgo\s+func\b|\bdefer\s"),
        (5, r"^[ \t]*import\s+(?:\(|\w*\s*\"[\w/.]+\")|^[ \t]*type\s+\w+\s+(?:struct|interface|func|\[|map)"),
        (3, r"\bmap\[\w+\]|\[\](?:int|string|byte|float64|rune)\b|\bfor\s+[^;{\n]{0,80}\brange\b|\binterface\{\}"),
    ),
    "csharp": (
        (9, r"^[ \t]*(?:global\s+)?using\s+(?:static\s+)?(?:System|Microsoft|Newtonsoft|Xunit|NUnit)\b[\w.]*\s*;"),
        (7, r"\bConsole\.(?:Write|Read|Error|In|Out)|\bstatic\s+(?:async\s+)?(?:void|int|Task)\s+Main\s*\("),
        (4, r"^[ \t]*(?:[a-z]+[ \t]+)*class[ \t]+\w+(?:<\w+>)?[ \t]*:[ \t]*(?!public\b|private\b|protected\b)"
            r"[A-Z][\w<>, .]*\{?[ \t]*$"),
        (6, r"^[ \t]*namespace\s+[\w.]+\s*[;{]?[ \t]*$|^[ \t]*using\s+\w+\s*=\s*[\w.<>]+;"),
        (4, r"\{\s*get\s*;|\bforeach\s*\(|\bList<\w|\bDictionary<|\bstring\[\]\s|\bnew\s+List<|\bIEnumerable<"
            r"|\.ToString\(\)"),
        (3, r"^[ \t]*(?:public|private|protected|internal)\s+(?:(?:static|sealed|abstract|partial|async"
            r"|override|virtual|readonly)\s+)*"
            r"(?:class|struct|interface|record|enum|void|int|long|bool|string|double|float|List<|[A-Z]\w*)"),
        (2, r"\b(?:int|string|long|double|float|char)\[,*\]|\bvar\s+\w+\s*=|\b(?:int|long|double)\.(?:Parse"
            r"|TryParse|MaxValue)"),
    ),
    "java": (
        (9, r"^[ \t]*import\s+(?:static\s+)?(?:java|javax|org|com)\.[\w.*]+;"),
        (9, r"\bSystem\.(?:out|in|err|exit|arraycopy)\b|\bpublic\s+static\s+void\s+main\s*\(\s*(?:final\s+)?String"),
        (5, r"\bimplements\s+\w|\bextends\s+\w|\bthrows\s+\w|^[ \t]*@Override|\bArrayList<|\bInteger\."
            r"|\bHashMap<|\bBufferedReader\b"),
        (3, r"^[ \t]*(?:public|private|protected)\s+(?:(?:static|final|abstract)\s+)*(?:class|interface|enum"
            r"|void|int|long|boolean|String|List<)"),
        (4, r"\bboolean\b|\bfinal\s+\w|\bString\[\]|\bString\s+\w"),
    ),
    "javascript": (
        (8, r"\bconsole\.(?:log|error|assert)\s*\(|\bmodule\.exports\b|\brequire\s*\([\"']|\bprocess\.(?:stdin"
            r"|stdout|exit|argv)"),
        (6, r"^[ \t]*(?:const|let|var)\s+[\w{\[][^=:;]*=|\bfunction\s*\w*\s*\([^)\n]{0,200}\)\s*\{"),
        (5, r"=>\s*[{(\w]|===|!==|^[ \t]*(?:import|export)\s+(?:default\s|\{|\*|\w+\s+from)"),
    ),
    "powershell": (
        (9, r"\b(?:Write|Get|Set|New|Remove|Add|Import|Export|ConvertTo|ConvertFrom|Select|Where|ForEach|Start"
            r"|Stop|Test|Out|Invoke"
            r"|Sort|Measure|Read|Join|Split|Copy|Move|Group|Format)-[A-Z]\w+"),
        (8, r"^[ \t]*param\s*\($|\[(?:CmdletBinding|Parameter|string|int|switch|bool|array|hashtable"
            r"|PSCustomObject|ValidateSet)\b[^\]]*\]\s*\$?"),
        (5, r"^[ \t]*\$\w[\w:.]*(?:\[.*?\])?\s*[+-]?=\s|\s-(?:eq|ne|gt|lt|ge|le|like|match|notmatch|contains"
            r"|and|or|not|join|split|replace)\s"),
        (4, r"\$_\b|\$(?:true|false|null|env:|script:|global:|PSScriptRoot|args)|^[ \t]*function\s+[A-Z]\w*-\w+"
            r"|\bforeach\s*\(\s*\$"),
    ),
}  # fmt: skip
"""Per language: weight and pattern. A mark counts once by its weight, and a little more for each time again."""

_COMPILED = {
    name: tuple((weight, re.compile(pattern, re.M)) for weight, pattern in marks) for name, marks in _MARKS.items()
}
_WINDOWS = re.compile(
    r"^[ \t]*#[ \t]*include[ \t]*[<\"](?:windows|winsock2?|ws2tcpip|tchar|winternl|psapi|tlhelp32|winnt|winbase"
    r"|winuser"
    r"|processthreadsapi|shlobj|shellapi|wininet|winhttp|dbghelp|iphlpapi|sddl|aclapi|wincrypt|bcrypt|ntstatus"
    r"|evntrace"
    r"|winioctl|wtsapi32|userenv|lm|objbase|comdef|winevt|winsvc|fltuser|conio)\.h[>\"]",
    re.M | re.I,
)
_BRACED_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*", re.S)
_HASH_DOC = re.compile(
    r"^[ \t]*#(?![ \t]*(?:include|define|if|ifdef|ifndef|endif|pragma|undef|else|elif|!|\[)).*$", re.M
)
_LEAST = 4
_LOOKED_AT = 16_384
"""Characters of a program that are searched for marks: no answer can make the search long."""


def language_of(code: str) -> str | None:
    """The language of a program by its content; None where nothing in it tells.

    C and C++ share most of their text: what only C++ has decides for C++, C's headers and main for C. A program
    that includes a header of Windows is "cpp-windows". Java, JavaScript are known, so that they pass for nothing else.
    """
    code = code[:_LOOKED_AT].replace("\r\n", "\n")
    plain = _LITERALS.sub(lambda found: found[1] or '""', code)
    braced = _BRACED_COMMENT.sub(" ", plain)
    scores = {
        name: sum(_score(weight, len(pattern.findall(text))) for weight, pattern in marks)
        for name, marks in _COMPILED.items()
        for text in (_HASH_DOC.sub("", plain) if name in ("python", "powershell") else braced,)
    }
    if _WINDOWS.search(braced):
        return "cpp-windows"
    family = scores["c"] + scores["cpp"]
    others = {name: score for name, score in scores.items() if name not in ("c", "cpp")}
    best = max(others, key=lambda name: others[name])
    if max(family, others[best]) < _LEAST:
        return "python" if _is_python(code) else None
    if others[best] > family:
        return best
    if scores["cpp"] >= 3:
        return "cpp"
    return "c" if re.search(r"^[ \t]*#[ \t]*include[ \t]*[<\"][\w/]+\.h[>\"]", braced, re.M) else None


def _is_python(code: str) -> bool:
    """Whether Python's parser takes it, and it is more than a word."""
    tree = python_tree(code)
    body = tree.body if tree else []
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Name | ast.Constant)) for node in body)


def _score(weight: int, times: int) -> float:
    return weight * (1 + min(times - 1, 4) / 4) if times else 0.0


def language_of_tests(task: Prompt) -> str | None:
    """The language that a task's tests are in; None where they don't tell."""
    if task.tests_kind in _KIND_LANGUAGE:
        return _KIND_LANGUAGE[task.tests_kind]
    if task.tests_kind == "append_main":
        return language_of_main(task.tests)
    if task.code_path:
        return known_language(PurePosixPath(task.code_path).suffix.lstrip("."))
    return None


_KIND_LANGUAGE = {"python": "python", "append_cfg_test": "rust", "go_test": "go", "append_go_test": "go"}
_MAINS = (
    ("rust", re.compile(r"\bfn\s+main\s*\(")),
    ("go", re.compile(r"\bfunc\s+main\s*\(")),
    ("csharp", re.compile(r"\bstatic\s+(?:async\s+)?(?:void|int|Task(?:<int>)?)\s+Main\s*\(")),
    ("java", re.compile(r"\bstatic\s+void\s+main\s*\(\s*(?:final\s+)?String")),
    ("cpp", re.compile(r"\b(?:int|void|auto|signed)\s+main\s*\(|^main\s*\(", re.M)),
    ("javascript", re.compile(r"\bconsole\.|=>\s*\{|^const\s", re.M)),
)


def language_of_main(tests: str) -> str | None:
    """The language of a text that brings a program's entry point."""
    return next((name for name, pattern in _MAINS if pattern.search(tests)), None)


def detect(code: str, fence: str | None = None, task: Prompt | None = None) -> str | None:
    """The language in which `code` is to be judged: the task's, the fence's, the tests', else by content.

    A task for C++ whose answer is fenced as C, or the other way round, stays what the task says.
    """
    if task and task.language and task.names_language:
        named = task.language.strip().lower()
        return known_language(named) or named
    return fence or (language_of_tests(task) if task else None) or language_of(code)
