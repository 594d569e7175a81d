"""Rust: a main of ours calls the tests one after another, catches their panics and counts those that do as they shall.

`rustc --test` is not used: whoever ends the process there decides on its exit code. What the answer could do to tests
that stand in the same crate, and what stops it: macros of the same names (ours and the tests' stand before its own, and
call the standard library's by path), `extern crate self as std` (the path begins with a name that nobody could know),
reading the key from the source (it is in a file that the answer cannot name when it is built, and gone when it runs),
replacing the C library's functions or putting code into `.init_array` (does not compile). What stays possible, and why
trust is `in_process`: types of its own that are equal to anything, traits whose methods come before those of the
standard types, and finding the key in its own program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import dirname, join

from haloforge.source.assemble import Program
from haloforge.source.lexing import Item, function_name, items, masked, scope_name
from haloforge.verifiers.drivers import NONCE_BYTES, Driven, NotDriven, Secret

_MACROS = frozenset(
    re.findall(
        r"\w+",
        """assert assert_eq assert_ne cfg column compile_error concat dbg debug_assert debug_assert_eq debug_assert_ne
        env eprint eprintln file format format_args include include_bytes include_str line matches module_path
        option_env panic print println stringify thread_local todo unimplemented unreachable vec write writeln""",
    )
)
"""Of the standard library."""
_BEFORE_NOT = {"as", "break", "else", "if", "in", "let", "macro_rules", "match", "move", "return", "unsafe", "while"}
"""Words before a `!` that call no macro."""
_MACRO = re.compile(r"(?<![\w:$.#])(\w+)(?=\s*!(?!=))")
_OWN_MACRO = re.compile(r"\bmacro_rules\s*!\s*(\w+)")
_STD = re.compile(r"(?<![\w:$.])(?:::\s*)?\b(?:std|core)(?=\s*::)")
_EXIT = re.compile(r"(?<![\w:$.])(?:(?:::\s*)?\bstd\s*::\s*)?\bprocess\s*::\s*exit\b")
_OTHER_EXIT = re.compile(r"\bprocess\s*(?:::\s*\{[^{}]{0,200}\bexit\b|::\s*\*|\bas\b)")
_ATTRIBUTE = re.compile(r"#\s*\[\s*(test|ignore|should_panic|cfg)\b")
_ANY_TEST = re.compile(r"#\s*\[\s*(?:\w+\s*::\s*)*test\b|\bcfg_attr\b")
_MAIN = re.compile(r"\bfn\s+(main)\b")
_EXPECTED = re.compile(r"should_panic\s*(?:\(\s*expected\s*)?=\s*(.*?)\s*,?\s*\)?\s*\Z", re.S)
_HEAD = re.compile(
    r"""(?:\s+|//[^\n]*(?:\n|\Z)|/\*(?:(?!/\*|\*/).)*\*/|\#!\[(?:[\w\s:,()=.-]|"[^"\\]*")*\])*""", re.S | re.X
)
"""Blanks, comments and plain inner attributes. Nothing else may stand before our code: a macro there would take it as
arguments and learn its names."""
_REFUSED = re.compile(r"\b(no_mangle|export_name|link_section|global_asm|naked_asm)\b")
_ARCH, _ASM = re.compile(r"\barch\b"), re.compile(r"\b(asm)\b")
"""std::arch::asm, by whatever name."""


@dataclass(frozen=True, slots=True)
class Tests:
    """Test code that a driver can call."""

    text: str
    """Defines a function `<secret>_tests() -> u64`: how many passed."""
    total: int


def drive(program: Program, secret: Secret) -> Driven:
    """Our main, the tests, the answer; the tests last where they use macros of the answer's.

    Raises:
        NotDriven: the tests have no main, or no test that could be called.
    """
    tests = program.tests
    mask = masked(tests, "rust")
    if _OTHER_EXIT.search(mask) and re.search(r"\bexit\s*\(", mask):
        raise NotDriven("the tests end the program by another name of std::process::exit; call it by this one")
    if program.tests_kind == "append_main":
        ready = Tests(_main_renamed(tests, secret), 1)
    else:
        ready = instrumented(tests, secret)
    if ready.total == 0:
        raise NotDriven("the tests have no function marked #[test]")
    head, code = _head_and_rest(refusal(program.code) or program.code)
    code = _without_main(code, secret)
    parts = [ready.text, code]
    if set(_MACRO.findall(masked(tests, "rust"))) - _MACROS - _BEFORE_NOT - set(_OWN_MACRO.findall(tests)):
        parts.reverse()
    main = f"fn main() {{ {secret.name}::main({secret.name}_tests, {ready.total}) }}\n"
    file = "\n".join((head, crate_part(secret), main, *parts))
    return Driven(
        {program.main: file, driver_path(program.main, secret): driver(secret, tests)},
        program.main,
        ready.total,
        hidden=(program.main, driver_path(program.main, secret)),
    )


def driver_path(source: str, secret: Secret) -> str:
    """Where rustc looks for the driver, next to the crate's root file."""
    return join(dirname(source), f"{secret.name}.rs")


def crate_part(secret: Secret) -> str:
    """What a crate with instrumented tests has in its root file, at any place outside of all else."""
    return f"extern crate std as {secret.name}_std;\npub mod {secret.name};\n"


def refusal(code: str) -> str:
    """What stands in place of `code` and does not compile, where `code` could replace functions of the C library or run
    before main; "" where it could not. A word in a comment or a string does nothing.
    """
    mask = masked(code, "rust")
    found = _REFUSED.search(mask) or (_ARCH.search(mask) and _ASM.search(mask))
    if not found:
        return ""
    return f'compile_error!("{found[1]} is refused in an answer whose tests run in its process");\n'


def instrumented(
    tests: str, secret: Secret, cfgs: frozenset[str] = frozenset({"test"}), ignored: str = "include"
) -> Tests:
    """`tests` with a function per module that calls its tests.

    Args:
        cfgs: what is configured, such as `test` or `feature="io"`.
        ignored: of tests marked #[ignore]: "include", "skip", or "only".

    Raises:
        NotDriven: a test that is made by a macro, an attribute whose meaning is not known here.
    """
    mask = masked(tests, "rust")
    edits: list[tuple[int, int, str]] = []
    total = found = 0

    def module(start: int, end: int) -> str:
        nonlocal total, found
        calls = []
        for item in items(mask, "rust", start, end):
            scope, name = scope_name(item), function_name(item, "rust")
            attributes = list(_attributes(item, tests))
            there = all(holds(text, cfgs) for kind, text, *_ in attributes if kind == "cfg")
            if scope and scope[0] == "mod":
                before = total
                inner = module(item.brace + 1, item.end - 1)
                if there and inner:
                    edits.append((item.end - 1, item.end - 1, _table(inner, secret)))
                    calls.append(f"{scope[1]}::{secret.name}_tests()")
                elif not there:
                    total = before
            elif name and any(kind == "test" for kind, *_ in attributes):
                found += 1
                edits.extend((at, till, "") for kind, _, at, till in attributes if kind != "cfg")
                skipped = any(kind == "ignore" for kind, *_ in attributes) == (ignored == "skip")
                if there and (ignored == "include" or not skipped):
                    total += 1
                    panics = next((text for kind, text, *_ in attributes if kind == "should_panic"), None)
                    calls.append(f"crate::{secret.name}::passes({name}, {_panics(panics, secret)})")
        return " + ".join(calls)

    calls = module(0, len(mask))
    if len(_ANY_TEST.findall(mask)) != found:
        raise NotDriven("the tests have tests that cannot be called by name: made by a macro, or of another #[…test]")
    edits.append((len(tests), len(tests), "\n" + _table(calls or "0", secret)))
    return Tests(_edited(tests, [*edits, *_by_path(mask, secret)]), total)


def by_path(tests: str, secret: Secret) -> str:
    """`tests`, whose every use of the standard library begins with the driver's name for it."""
    return _edited(tests, list(_by_path(masked(tests, "rust"), secret, exits=False)))


def holds(cfg: str, cfgs: frozenset[str]) -> bool:
    """Whether a condition such as `all(test, not(feature = "io"))` is met. Raises NotDriven where that is unknown."""
    cfg = cfg.strip().rstrip(",")
    found = re.fullmatch(r"(all|any|not)\s*\((.*)\)", cfg, re.S)
    if found:
        inner = [holds(part, cfgs) for part in _split(found[2])]
        return all(inner) if found[1] == "all" else any(inner) if found[1] == "any" else not inner[0]
    if cfg in ("true", "false"):
        return cfg == "true"
    name, _, value = (part.strip() for part in cfg.partition("="))
    if name in ("test", "feature"):
        return (f"{name}={value}" if value else name) in cfgs
    if name in ("debug_assertions", "unix"):
        return True
    if name in ("windows", "miri"):
        return False
    raise NotDriven(f"the tests depend on cfg({cfg})")


def driver(secret: Secret, tests: str) -> str:
    """The driver's module, for `tests` as they were before they were instrumented."""
    expected = _WITH_WORDS if "expected" in tests else ""  # it would take a fifth of a build
    exited = _WITH_EXIT if _EXIT.search(tests) else ""
    text = (_DRIVER + (_EXITS if exited else "")).replace("EXITED", exited)
    text = text.replace("EXPECTED", expected).replace("NAME", secret.name)
    text = text.replace("KEY", str(secret.key)).replace("LESSER", str(secret.lesser))
    return text.replace("BYTES", str(NONCE_BYTES))


def _split(text: str) -> list[str]:
    """The parts between commas outside of brackets."""
    parts, depth = [""], 0
    for ch in text:
        depth += {"(": 1, ")": -1}.get(ch, 0)
        if ch == "," and not depth:
            parts.append("")
        else:
            parts[-1] += ch
    return [part for part in parts if part.strip()]


def _attributes(item: Item, tests: str) -> Iterator[tuple[str, str, int, int]]:
    """(word, text, start, end) of the attributes before `item` that say something of tests; text is what is inside of
    cfg's brackets, or the whole."""
    for found in _ATTRIBUTE.finditer(item.head):
        end = _bracket_end(item.head, found.end(), "[]", 1)
        at, till = item.start + found.start(), item.start + end
        text = tests[item.start + found.start(1) : till - 1]
        yield found[1], text[text.find("(") + 1 : text.rfind(")")] if found[1] == "cfg" else text, at, till


def _bracket_end(text: str, at: int, pair: str, depth: int = 0) -> int:
    """Past the bracket that closes."""
    while at < len(text):
        depth += (text[at] == pair[0]) - (text[at] == pair[1])
        at += 1
        if depth == 0:
            break
    return at


def _panics(attribute: str | None, secret: Secret) -> str:
    option = f"::{secret.name}_std::option::Option"
    if attribute is None:
        return f"{option}::None"
    expected = _EXPECTED.search(attribute)
    return f"{option}::Some({expected[1] if expected else chr(34) * 2})"


def u64(secret: Secret) -> str:
    """The type, by a path that means it even where the answer calls something else so."""
    return f"::{secret.name}_std::primitive::u64"


def _table(calls: str, secret: Secret) -> str:
    return f"pub fn {secret.name}_tests() -> {u64(secret)} {{ {calls} }}\n"


def _by_path(mask: str, secret: Secret, exits: bool = True) -> Iterator[tuple[int, int, str]]:
    own = set(_OWN_MACRO.findall(mask))
    std = f"::{secret.name}_std"
    for found in _MACRO.finditer(mask):
        if found[1] in _MACROS and found[1] not in own:
            yield found.start(), found.start(), f"{std}::"
    ended = set()
    for found in _EXIT.finditer(mask) if exits else ():
        yield found.start(), found.end(), f"crate::{secret.name}::exit"
        ended.add(found.start())
    for found in _STD.finditer(mask):
        if found.start() not in ended:
            yield found.start(), found.end(), std


def _main_renamed(tests: str, secret: Secret) -> str:
    mask = masked(tests, "rust")
    mains = [item for item in items(mask, "rust") if function_name(item, "rust") == "main"]
    if len(mains) != 1:
        raise NotDriven(f"the tests have {len(mains)} functions called main; wanted is one")
    edits = [(*_main_name(mains[0]), f"{secret.name}_main"), *_by_path(mask, secret)]
    call = f"crate::{secret.name}::passes({secret.name}_main, {_panics(None, secret)})"
    return _edited(tests, edits) + "\n" + _table(call, secret)


def _main_name(item: Item) -> tuple[int, int]:
    found = list(_MAIN.finditer(item.head))[-1]
    return item.start + found.start(1), item.start + found.end(1)


def _without_main(code: str, secret: Secret) -> str:
    """An answer that is taken as it stands may have a main, which nobody calls."""
    edits = []
    for item in items(masked(code, "rust"), "rust"):
        if function_name(item, "rust") == "main":
            edits += [(item.start, item.start, "#[allow(dead_code)] "), (*_main_name(item), f"{secret.name}_unused")]
    return _edited(code, edits)


def _head_and_rest(code: str) -> tuple[str, str]:
    """The answer's inner attributes, which must stand first, and what follows; its inner comments become plain ones,
    and lints that it wants for itself are not asked of our part and the tests."""
    code = re.sub(r"\A#!(?!\s*\[)[^\n]*", "", code.removeprefix("\ufeff"))
    found = _HEAD.match(code)
    end = found.end() if found else 0
    head = re.sub(r"^([ \t]*)(//|/\*)!", r"\1\2 ", code[:end], flags=re.M)
    head = re.sub(r"\b(?:deny|forbid|warn)(?=\s*\()", "allow", head)
    return head, code[end:]


def _edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    pieces, at = [], 0
    for start, end, new in sorted(edits, key=lambda edit: (edit[0], edit[1])):
        pieces += [text[at:start], new]
        at = end
    return "".join([*pieces, text[at:]])


_WITH_WORDS = """
        (Err(said), Some(part)) => match (said.downcast_ref::<&str>(), said.downcast_ref::<String>()) {
            (Some(said), _) => said.contains(part),
            (_, Some(said)) => said.contains(part),
            _ => false,
        },
"""
_WITH_EXIT = """
        (Err(said), None) => said.is::<Exited>(),
"""
_EXITS = """
struct Exited;

pub fn exit(code: i32) -> ! {
    if code == 0 {
        std::panic::resume_unwind(Box::new(Exited))
    }
    std::process::exit(code)
}
"""
_DRIVER = """
use ::NAME_std as std;

pub trait Good {
    fn good(self) -> bool;
}

impl Good for () {
    fn good(self) -> bool {
        true
    }
}

impl<T: Good, E> Good for Result<T, E> {
    fn good(self) -> bool {
        match self {
            Ok(value) => value.good(),
            Err(_) => false,
        }
    }
}

impl Good for std::process::ExitCode {
    fn good(self) -> bool {
        self == std::process::ExitCode::SUCCESS
    }
}

pub fn passes<T: Good>(test: fn() -> T, panics: Option<&str>) -> u64 {
    let passed = match (std::panic::catch_unwind(move || test().good()), panics) {
        (Ok(good), None) => good,
        (Err(_), Some("")) => true,
        EXITED
        EXPECTED
        _ => false,
    };
    passed as u64
}

pub fn main(tests: fn() -> u64, total: u64) {
    let mut text = [0; BYTES];
    let _ = std::io::Read::read_exact(&mut std::io::stdin(), &mut text);
    let mut x: u64 = 0;
    let mut at = 0;
    while at < BYTES {
        x = x << 4 | (if text[at] < b'a' { text[at] & 15 } else { text[at] - b'a' + 10 }) as u64;
        at += 1;
    }
    let passed = tests();
    x ^= if passed == total { KEY } else { LESSER };
    x = x.wrapping_add(passed.wrapping_mul(0x9E3779B97F4A7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D049BB133111EB);
    x ^= x >> 31;
    let mut answer = [b'\\n'; BYTES + 2];
    while at > 0 {
        answer[at] = b"0123456789abcdef"[(x & 15) as usize];
        x >>= 4;
        at -= 1;
    }
    let mut out = std::io::stdout();
    let _ = std::io::Write::write_all(&mut out, &answer);
    let _ = std::io::Write::flush(&mut out);
}
"""
