"""C and C++: the tests' main gets another name, and a main of ours calls it.

What the answer defines as a macro does not reach the tests; `assert` is ours,
because the C library's can be replaced by a function of the answer's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from haloforge.source.assemble import Program
from haloforge.source.lexing import DEEPEST, Item, function_name, items, masked, words
from haloforge.verifiers.drivers import NONCE_BYTES, Driven, NotDriven, Secret

_DEFINE = re.compile(r"^[ \t]*(?:#|%:|\?\?=)[ \t]*define[ \t]+(\w+)", re.M)
_INCLUDE_ASSERT = re.compile(r"^[ \t]*#[ \t]*include[ \t]*<(?:assert\.h|cassert)>[ \t]*$", re.M)
_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """alignas alignof and and_eq asm auto bitand bitor bool break case catch char class co_await co_return co_yield
        compl concept const const_cast consteval constexpr constinit continue decltype default delete do double
        dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace
        new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires
        restrict return short signed sizeof static static_assert static_cast struct switch template this thread_local
        throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq
        main assert std syscall""",
    )
)


_COMPARING = frozenset(
    re.findall(
        r"\w+",
        """memcmp bcmp memchr strcmp strncmp strcasecmp strncasecmp strcoll strlen strchr strstr
        wmemcmp wcscmp wcslen""",
    )
)
"""Functions of the C library that comparisons in tests rest on."""
_OVERLOADED = frozenset({"memchr", "strchr", "strstr"})
"""In C++ the library has two of each."""
_PROTOTYPES = {
    "memcmp": "int memcmp(const void *, const void *, __SIZE_TYPE__)",
    "bcmp": "int bcmp(const void *, const void *, __SIZE_TYPE__)",
    "memchr": "void *memchr(const void *, int, __SIZE_TYPE__)",
    "strcmp": "int strcmp(const char *, const char *)",
    "strncmp": "int strncmp(const char *, const char *, __SIZE_TYPE__)",
    "strcasecmp": "int strcasecmp(const char *, const char *)",
    "strncasecmp": "int strncasecmp(const char *, const char *, __SIZE_TYPE__)",
    "strcoll": "int strcoll(const char *, const char *)",
    "strlen": "__SIZE_TYPE__ strlen(const char *)",
    "strchr": "char *strchr(const char *, int)",
    "strstr": "char *strstr(const char *, const char *)",
    "wcscmp": "int wcscmp(const __WCHAR_TYPE__ *, const __WCHAR_TYPE__ *)",
    "wcslen": "__SIZE_TYPE__ wcslen(const __WCHAR_TYPE__ *)",
}
_LIBRARY = frozenset(
    re.findall(
        r"\w+",
        """abort calloc exit fflush fprintf free malloc memcpy memset printf putchar puts snprintf sprintf strcpy
        strdup""",
    )
)
"""What tests call besides the function that a task is about."""
_OPERATOR = re.compile(r"\boperator\s*(?:==|!=|<=>|<=|>=|<|>)\s*\(([^()]*)\)\s*[^()\s]")
_OWN_TYPE = re.compile(r"\b(?:class|struct|union|enum(?:\s+class)?)\s+(\w+)\s*(?:final\s*)?[{:]")
_HIDDEN_OPERATOR = re.compile(r"^[ \t]*#[ \t]*define\b.*\boperator\b", re.M)
_EXIT = re.compile(r"(?<![\w.>:])(?:(?:std\s*)?::\s*)?\b(?:exit|_exit|_Exit|quick_exit)(?=\s*\()")
REFUSED = "an answer whose tests share its program must not define"
_TRUTH = ("true", "false")
"""In C these may be an answer's macros, and the tests count on them."""


class _TooDeep(Exception):
    """What an answer defines lies deeper than we look."""


def drive(program: Program, secret: Secret) -> Driven:
    """The answer, then the tests under another name, then our main.

    Raises:
        NotDriven: the tests have no main.
    """
    language = "c" if program.language == "c" else "cpp"
    own = set(_DEFINE.findall(joined(program.code)))
    tests, call = _renamed(program.tests, secret.name)
    tests = _ended_by_us(tests, secret.name)
    mask = masked(program.tests, language, directives=True)
    hidden = sorted(own & (_KEYWORDS | words(mask)))
    theirs = {function_name(item, "cpp") for item in items(mask, "cpp")}
    said = words(mask) & (
        _compared(program) & _PROTOTYPES.keys() - theirs - (_OVERLOADED if language == "cpp" else set())
    )
    file = "\n".join(
        (
            program.code.rstrip("\n"),
            "",  # for a backslash at its end
            *(f"#error {REFUSED} {what}" for what in (_replaced(program, own) if language == "cpp" else ())),
            *(f"#undef {name}" for name in hidden),
            *(f"#define {name} {int(name == 'true')}" for name in hidden if language == "c" and name in _TRUTH),
            _BEFORE.replace("NAME", secret.name),
            # One that an answer keeps to itself is then emitted too, so that it is found.
            *(f"{_PROTOTYPES[name]} __attribute__((__used__));" for name in sorted(said) if language == "c"),
            _INCLUDE_ASSERT.sub("", tests),
            *(f"typedef decltype(&{name}) {secret.name}_{name};" for name in sorted(said) if language == "cpp"),
            _AFTER.replace("NAME", secret.name).replace("CALL", call).replace("BYTES", str(NONCE_BYTES)),
        )
    )
    key = f"{secret.name}.h"  # not in the file itself, which the answer can name, and embed where it is built
    names = symbols_file(secret.name)
    files = {
        program.main: file,
        key: f"{secret.key}ULL\n",
        names: "".join(f"{n}\n" for n in sorted(_compared(program))),
    }
    return Driven(files, program.main, 1, hidden=(program.main, key, names, f"{names}.nm"))


def symbols_file(name: str) -> str:
    """The file with the symbols that a program with its driver must not define."""
    return f"{name}.symbols"


def joined(code: str) -> str:
    """`code` with its continued lines in one, as the preprocessor reads them."""
    return re.sub(r"\\\r?\n", "", code)


def _compared(program: Program) -> frozenset[str]:
    """Functions of the library that an answer must leave alone: all, but for the one that is its task."""
    return _COMPARING - set(program.names) if set(program.names) <= _COMPARING | _LIBRARY else _COMPARING


def _replaced(program: Program, macros: set[str]) -> list[str]:
    """What the answer defines in place of what the tests compare with, as far as its symbols don't tell."""
    mask = masked(program.code, "cpp", directives=True)
    try:
        found_items = list(_outside_of_functions(mask, 0, len(mask)))
    except _TooDeep:
        return [f"namespaces deeper than {DEEPEST}"]
    heads = [item.head for item in found_items if not _only_says(item, macros)]
    said = {name for head in heads for name in re.findall(r"\b(\w+)\s*\(", head)} & _compared(program)
    found = [f"{name}()" for name in sorted(said)]
    own = set(_OWN_TYPE.findall(mask))
    for operator in _OPERATOR.finditer(mask):  # with two arguments: not a member
        if "," in operator[1] and not own & words(operator[1]):
            found.append("an operator for types that are not its own")
    if _HIDDEN_OPERATOR.search(joined(program.code)):
        found.append("a macro that hides an operator")
    return found


def _only_says(item: Item, macros: set[str]) -> bool:
    """Whether it is a prototype or a variable, and no macro or digraph makes a function of it."""
    return item.brace < 0 and "<%" not in item.head and not words(item.head) & {*macros, "__attribute__", "asm"}


def _outside_of_functions(mask: str, start: int, end: int, depth: int = 0) -> Iterator[Item]:
    """Raises _TooDeep."""
    if depth > DEEPEST:
        raise _TooDeep
    for item in items(mask, "cpp", start, end):
        if re.match(r"(?:extern|(?:inline\s+)?namespace)\b[^()]*$", item.head) and item.brace >= 0:
            yield from _outside_of_functions(mask, item.brace + 1, item.end - item.closed, depth + 1)
        else:
            yield item


def _renamed(tests: str, name: str) -> tuple[str, str]:
    """(the tests with their main called `name`, the expression that calls it)."""
    mask = masked(tests, "cpp", directives=True)
    mains = [item for item in items(mask, "cpp") if function_name(item, "cpp") == "main" and item.brace >= 0]
    if len(mains) != 1:
        raise NotDriven(f"the tests have {len(mains)} functions called main; wanted is one")
    item: Item = mains[0]
    head = tests[item.start : item.brace]
    at = list(re.finditer(r"\bmain\b", masked(head, "cpp")))[-1]
    arguments = mask[item.start + at.end() : item.brace].strip()
    void = bool(re.search(r"\bvoid\s*$", head[: at.start()]))
    plain = re.match(r"\(\s*(?:void)?\s*\)", arguments)
    call = f"{name}()" if plain else f"{name}(1, {name}_arguments)"
    body = tests[item.brace : item.end - 1]
    renamed = f"{head[: at.start()]}{name}{head[at.end() :]}{body}\n{'' if void else 'return 0;'}\n}}"
    whole = tests[: item.start] + renamed + tests[item.end :]
    return whole, f"({call}, 0)" if void else call


def _ended_by_us(tests: str, name: str) -> str:
    """`tests` that end the program by a function of ours, by which exit(0) proves as much as a main's return."""
    mask = masked(tests, "cpp")
    for found in reversed(list(_EXIT.finditer(mask))):
        if not mask[: found.start()].rstrip().endswith("void"):  # nor a declaration
            tests = tests[: found.start()] + f"{name}_exit" + tests[found.end() :]
    return tests


# Through syscall(), because an answer may well have a function called read or write.
_BEFORE = """
#undef NDEBUG
#define __need_NULL
#include <stddef.h>
#include <assert.h>
#include <sys/syscall.h>
#undef assert
#ifdef __cplusplus
extern "C" {
#endif
extern long NAME_call(long, ...) __asm__("syscall");
#ifdef __cplusplus
}
#endif
static int NAME_failed(const char *what) {
    unsigned long length = 0;
    while (what[length]) length++;
    NAME_call(SYS_write, 2, "failed: ", 8L);
    NAME_call(SYS_write, 2, what, length);
    for (;;) {
        NAME_call(SYS_exit_group, 1);
        __builtin_trap();
    }
    return 0;
}
#define assert(...) ((void)((__VA_ARGS__) ? 0 : NAME_failed(#__VA_ARGS__)))
static unsigned long long NAME_x;
static void NAME_exit(int);
"""
_AFTER = """
#undef main
static void NAME_end(void) {
    char NAME_answer[BYTES + 2];
    unsigned long long NAME_y = NAME_x ^
#include "NAME.h"
    ;
    NAME_y += 0x9E3779B97F4A7C15ULL;
    NAME_y = (NAME_y ^ (NAME_y >> 30)) * 0xBF58476D1CE4E5B9ULL;
    NAME_y = (NAME_y ^ (NAME_y >> 27)) * 0x94D049BB133111EBULL;
    NAME_y ^= NAME_y >> 31;
    for (int NAME_i = 0; NAME_i < BYTES; NAME_i++)
        NAME_answer[NAME_i + 1] = "0123456789abcdef"[NAME_y >> (60 - 4 * NAME_i) & 15];
    NAME_answer[0] = NAME_answer[BYTES + 1] = '\\n';
    NAME_call(SYS_write, 1, NAME_answer, BYTES + 2L);
}
static void NAME_exit(int NAME_code) {
    if (NAME_code == 0) NAME_end();
    for (;;) {
        NAME_call(SYS_exit_group, NAME_code);
        __builtin_trap();
    }
}
int main(void) {
    static char NAME_program[] = "program";
    static char *NAME_arguments[] = {NAME_program, 0};
    char NAME_nonce[BYTES];
    long NAME_got = 0, NAME_more;
    (void)NAME_arguments;
    while (NAME_got < BYTES && (NAME_more = NAME_call(SYS_read, 0, NAME_nonce + NAME_got, BYTES - NAME_got)) > 0)
        NAME_got += NAME_more;
    for (int NAME_i = 0; NAME_i < NAME_got; NAME_i++)
        NAME_x = NAME_x * 16 + (NAME_nonce[NAME_i] <= '9' ? NAME_nonce[NAME_i] - '0' : NAME_nonce[NAME_i] - 'a' + 10);
    if ((CALL) != 0) return 1;
    NAME_end();
    return 0;
}
"""
