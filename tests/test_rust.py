"""Rust: statuses, tests called by our driver, cargo projects, and answers that try to forge a verdict."""

from __future__ import annotations

import re

import pytest

from haloforge.errors import BadInput
from haloforge.records import Case, Prompt
from haloforge.verifiers import MultiLanguageVerifier, RustVerifier, get_verifier
from haloforge.verifiers.drivers import NotDriven, Secret
from haloforge.verifiers.drivers import rust as driver
from haloforge.verifiers.languages import Unit
from haloforge.verifiers.languages.rust import RUST, edition, has_main
from haloforge.verifiers.languages.rustc import has_edition
from tests.hostile import attacks
from tests.in_boxes import needs

pytestmark = [pytest.mark.sandbox, needs("rust")]

GOOD = "fn add(a: i32, b: i32) -> i32 { a + b }\n"
BAD = "fn add(a: i32, b: i32) -> i32 { a - b }\n"
MODULE = (attacks.FOLDER / "tasks/add.rs").read_text()
MAIN = 'fn main() {\n    assert_eq!(add(1, 2), 3);\n    assert_eq!(add(2, 2).to_string(), "4");\n}\n'


@pytest.fixture(scope="module")
def rust():
    return RustVerifier(max_workers=1, cpu_s=1.0)


def task(tests="", kind="", **fields):
    return Prompt("p", "text", language="rust", tests=tests, tests_kind=kind, **fields)


def judge(rust, code, tests=MODULE, kind="append_cfg_test", **fields):
    return rust.verify(code, task(tests, kind, **fields), as_it_stands=True)


CASES = {
    'println!("7");': ("passed", 1.0),
    'println!("8");': ("wrong_answer", 0.7),
    'println!("7"); std::process::exit(3);': ("runtime_error", 0.5),
    'println!("7"); let v: Vec<i32> = std::env::args().map(|_| 1).collect(); println!("{}", v[9]);':
        ("runtime_error", 0.5),
    "let mut n: u8 = 250; for a in std::env::args() { for _ in 0..a.len() { n += 1; } } println!(\"{n}\");":
        ("wrong_answer", 0.7),
    "loop { std::hint::spin_loop(); }": ("timeout", 0.5),
    "loop { println!(\"{}\", \"7\".repeat(1 << 16)); }": ("output_limit", 0.5),
    "let mut v: Vec<u64> = Vec::new(); loop { v.push(v.len() as u64); }": ("memory_limit", 0.5),
    'let v = vec![1u8; 4 << 30]; println!("{}", v[9]);': ("memory_limit", 0.5),
    'println!("7")': ("passed", 1.0),
    'println!("7"': ("compile_error", 0.0),
    "let x: u8 = 256;": ("compile_error", 0.0),
    "let s = String::new(); drop(s); println!(\"{s}\");": ("compile_error", 0.0),
}  # fmt: skip


@pytest.mark.parametrize("body", CASES)
def test_a_program_gets_its_status_and_reward(rust, body):
    result = rust.verify(f"fn main() {{ {body} }}\n", task(cases=(Case("", "7\n"),)))
    assert (result.status, result.reward) == CASES[body], f"{result.details} {result.error}"
    trust = "build" if result.status == "compile_error" else "output"
    assert (result.passed, result.total, result.trust) == (int(result.success), 1, trust)


def test_a_program_reads_its_input(rust):
    code = "use std::io::*;\nfn main() { let mut s = String::new(); stdin().read_to_string(&mut s).unwrap(); "
    code += 'println!("{}", s.split_whitespace().map(|n| n.parse::<i64>().unwrap()).sum::<i64>()); }'
    cases = (Case("1 2\n", "3"), Case("40 2", "42"))
    assert rust.verify(f"Here:\n```rust\n{code}\n```\nDone.", task(cases=cases)).status == "passed"
    assert MultiLanguageVerifier(max_workers=1).verify(f"```rs\n{code}\n```", Prompt("p", "t", cases=cases)).success


def test_code_without_main_is_a_unit(rust):
    for code in (
        GOOD,
        "// fn main() {}\n" + GOOD,
        "mod inner { pub fn main() {} }\n",
        'const S: &str = "fn main() {";',
    ):
        assert not has_main(code)
        result = rust.verify(code, task())
        assert (result.status, result.reward, result.trust) == ("compiled", 0.5, "build")
    assert rust.verify("fn f() -> i32 { missing() }", task()).status == "compile_error"
    assert rust.verify("fn main() { helper(); }\nfn helper() {}", task()).status == "compiled"
    assert rust.verify(GOOD, task(cases=(Case("", "1"),))).status == "runtime_error"


def test_warnings_and_checks_only(rust):
    careless = "fn main() { let unused = 1; }"
    penalised = RustVerifier(max_workers=1, warnings="penalise").verify(careless, task())
    assert (penalised.status, penalised.reward) == ("compiled", 0.3)
    assert rust.verify(careless, task()).reward == 0.5
    checked = RustVerifier(max_workers=1, check_only=True)
    assert checked.verify(BAD, task(MODULE, "append_cfg_test")).status == "unknown"
    for code in (careless, GOOD):
        result = checked.verify(code, task())
        assert (result.status, result.metadata["check_only"]) == ("compiled", True)
    assert checked.verify("fn main() { missing(); }", task()).status == "compile_error"


def test_the_edition_is_2024_only_where_conditions_are_chained(rust):
    chained = 'fn main() { let a = Some(3); if let Some(n) = a && n > 2 { println!("{n}"); } }'
    assert edition("fn main() { let gen = 1; }") == "2021"
    assert edition("fn main() { if a && b { let c = 1; } }") == "2021"
    assert edition(chained) == ("2024" if has_edition("2024") else "2021")
    if has_edition("2024"):
        assert rust.verify(chained, task(cases=(Case("", "3"),))).status == "passed"
    assert rust.verify('fn main() { let gen = 1; print!("{gen}"); }', task(cases=(Case("", "1"),))).success
    own = Unit("main.rs", {"main.rs": chained}, cflags=("--edition=2018", "-Copt-level=2"))
    argv = RUST["rust"].build(own).commands[0]
    assert [word for word in argv if "edition" in word] == ["--edition=2018"]
    assert argv[-1] == "-Copt-level=2"


def test_a_main_of_tests_is_called(rust):
    result = judge(rust, GOOD, MAIN, "append_main")
    assert (result.status, result.passed, result.total, result.trust) == ("passed", 1, 1, "in_process")
    assert judge(rust, BAD, MAIN, "append_main").status == "tests_failed"
    assert judge(rust, "fn add(a: i32) -> i32 { a }", MAIN, "append_main").status == "compile_error"
    whole = f'```rust\n{GOOD}\nfn main() {{ println!("{{}}", add(1, 1)); }}\n```'
    assert rust.verify(whole, task(MAIN, "append_main")).status == "passed"
    returned = "fn main() -> Result<(), String> { if add(1, 1) == 2 { Ok(()) } else { Err(String::new()) } }"
    assert judge(rust, GOOD, returned, "append_main").status == "passed"
    assert judge(rust, BAD, returned, "append_main").status == "tests_failed"
    assert judge(rust, GOOD, "fn check() {}", "append_main").status == "unknown"


FORMS = """
use std::collections::HashMap as Map;

#[test]
fn bare() {
    assert!(matches!(add(1, 1), 2), "{}", vec![1].len());
}

mod tests {
    use super::*;

    mod deeper {
        use super::super::*;
        #[test]
        fn with_a_result() -> Result<(), std::num::ParseIntError> {
            assert_eq!(add(1, "1".parse()?), 2);
            Ok(())
        }
    }
    #[test]
    #[ignore = "slow"]
    fn ignored_and_yet_run() { let m: Map<i32, i32> = Map::from([(add(1, 1), 0)]); assert!(m.contains_key(&2)); }
    #[test]
    #[should_panic(expected = "attempt to add with (overflow)")]
    fn other_words() { panic!("attempt to add with (overflow), yes {}", add(1, 1)); }
    #[should_panic]
    #[test]
    fn overflows() { add(i32::MAX, 1); }
    #[cfg(windows)]
    #[test]
    fn elsewhere() { missing(); }
}
"""


def test_tests_of_every_form_count_once(rust):
    result = judge(rust, "#![allow(dead_code)]\n//! A crate.\nfn main() {}\n" + GOOD, FORMS)
    assert (result.status, result.passed, result.total) == ("passed", 5, 5), result.error
    result = judge(rust, GOOD.replace("a + b", "a.wrapping_add(b)"), FORMS)
    assert (result.status, result.passed, result.total) == ("tests_failed", 4, 5)
    result = judge(rust, GOOD.replace("a + b", 'if a > 9 { panic!("x") } else { 3 }'), FORMS)
    assert (result.status, result.passed) == ("tests_failed", 2)
    result = judge(rust, GOOD, FORMS.replace("with (overflow), yes", "without, no"))
    assert (result.status, result.passed) == ("tests_failed", 4)


def test_tests_may_use_macros_of_the_answer(rust):
    macro = "macro_rules! twice {\n    ($x:expr) => { 2 * $x };\n}\n"
    tests = "#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() { assert_eq!(twice!(add(1, 1)), 4); }\n}\n"
    assert judge(rust, macro + GOOD, tests.replace("add(", "super::add(")).status == "passed"
    assert judge(rust, macro + BAD, tests.replace("add(", "super::add(")).status == "tests_failed"


def test_an_answer_may_name_its_macros_and_modules_as_it_likes(rust):
    own = "macro_rules! vec { () => { 1 } }\nmod core { pub fn one() -> i32 { 1 } }\nstruct Tests;\n"
    assert judge(rust, own + GOOD.replace("a + b", "a + b + vec!() - core::one()")).status == "passed"
    assert judge(rust, "#![deny(warnings)]\npub " + GOOD).status == "passed"


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ("mod tests {}", "no function marked"),
        ("macro_rules! t { ($n:ident) => { #[test] fn $n() {} } }\nt!(a);", "made by a macro"),
        ("#[tokio::test]\nasync fn t() {}", "another"),
        ('#[cfg(target_os = "linux")]\n#[test]\nfn t() {}', "target_os"),
    ],
)
def test_tests_that_no_driver_can_call_are_unknown(rust, tests, said):
    result = judge(rust, GOOD, tests)
    assert (result.status, result.reward) == ("unknown", None)
    assert said in result.details


def test_conditions_are_read():
    on = frozenset({"test", 'feature="io"'})
    for cfg, true in {
        "test": True, 'feature = "io"': True, 'feature = "net"': False, 'not(feature = "net")': True,
        'all(test, any(feature = "net", unix))': True, 'all(test, feature = "net")': False, "not(test)": False,
    }.items():  # fmt: skip
        assert driver.holds(cfg, on) is true, cfg
    with pytest.raises(NotDriven, match="target_arch"):
        driver.holds('all(test, target_arch = "x86")', on)


KEY_HUNT = (attacks.FOLDER / "forgeries/looking_for_the_key_in_the_source.rs").read_text().partition("\n")[2]
FORGERIES = sorted(name for name in attacks.ATTACKS if name.endswith(".rs") and not name.startswith(attacks.BUILDS))


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_end_of_a_main_is_none_either(rust, name):
    """tests/test_hostile.py has them against a test module."""
    result = judge(rust, (attacks.FOLDER / name).read_text(), MAIN, "append_main")
    if "closing_stdout" not in name and "admitted" not in name:
        assert result.status in attacks.expected(name), f"{result.details} {result.error}"


LIB = "pub fn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n"
TOML = '[package]\nname = "the-sums"\nversion = "0.1.0"\nedition = "2021"\n'
IN_TESTS = """use the_sums::*;

#[test]
fn one() {
    assert_eq!(add(1, 1), 2);
}

#[test]
#[ignore]
fn two() {
    assert_eq!(add(1, 2), 3);
}
"""
ALL = "cargo test --offline -- --include-ignored"


def project(cmd=ALL, toml=TOML, path="src/lib.rs", **files):
    files = {name.replace("__", "/") + ".rs": text for name, text in files.items()} or {"tests/sums.rs": IN_TESTS}
    return Prompt(
        "p", "text", language="rust", tests_kind="files", files={"Cargo.toml": toml, **files}, code_path=path, cmd=cmd
    )


def test_a_project_runs_its_tests(rust):
    result = rust.verify(LIB, project())
    assert (result.status, result.passed, result.total, result.trust) == ("passed", 2, 2, "in_process"), result.error
    result = rust.verify(LIB.replace("a + b", "if b == 2 { 3 } else { 0 }"), project())
    assert (result.status, result.passed, result.total) == ("tests_failed", 1, 2)
    assert rust.verify(LIB.replace("b: i32", "b: &str"), project()).status == "compile_error"
    assert rust.verify("pub fn other() {}", project()).status == "compile_error"
    assert rust.verify(f"```rust\n{LIB}```", project("cargo test")).total == 1
    assert rust.verify(LIB, project("cargo test -q -- --ignored --test-threads=1")).total == 1
    auto = MultiLanguageVerifier(max_workers=1).verify(LIB, project())
    assert auto.status == "passed"


def test_a_project_may_have_several_files_features_and_modules(rust):
    common = "pub fn check(n: i32) {\n    assert_eq!(n, 2);\n}\n"
    more = "mod common;\n\n#[test]\nfn by_module() {\n    common::check(the_sums::add(1, 1));\n}\n"
    gated = '#[test]\n#[cfg(feature = "io")]\nfn gated() {\n    the_sums::read();\n}\n#[test]\nfn plain() {}\n'
    toml = TOML + '[lib]\npath = "src/sums.rs"\n[features]\nio = []\n'
    files = {"tests__a": IN_TESTS, "tests__b": more, "tests__common__mod": common, "tests__deep__main": gated}
    code = LIB + '#[cfg(feature = "io")]\npub fn read() {}\n'
    for features, total in (("", 4), ("--features io", 5), ("--all-features --no-fail-fast", 5)):
        result = rust.verify(code, project(f"cargo test {features} -- --include-ignored", toml, "src/sums.rs", **files))
        assert (result.status, result.passed, result.total) == ("passed", total, total), result.error
    result = rust.verify(code.replace("a + b", "a"), project(ALL, toml, "src/sums.rs", **files))
    assert (result.status, result.passed, result.total) == ("tests_failed", 1, 4)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (project("make test"), "make test"),
        (project("cargo 'test"), "no command line"),
        (project("cargo test two"), "'two'"),
        (project("cargo test -- --exact"), "--exact"),
        (project("cargo test --features net"), "feature net"),
        (project(toml=TOML + '[dependencies]\nrand = "0.8"\n'), "crates rand"),
        (project(toml=TOML + '[dev-dependencies]\nproptest = "1"\n'), "crates proptest"),
        (project(toml="[workspace]\n"), "package"),
        (project(toml="[package"), "cannot be read"),
        (project(src__other="#[test]\nfn t() {}\n", tests__a=IN_TESTS), "src/other.rs"),
        (project(src__other="pub fn f() {}\n"), "tests/"),
        (project(build="fn main() {}\n", tests__a=IN_TESTS), "build script"),
        (project(path="tests/own.rs"), "tests/own.rs"),
        (project(path="src/other.rs"), "no library"),
    ],
)
def test_a_project_that_is_not_understood_is_refused_before_a_run_and_unknown(rust, task, said):
    with pytest.raises(BadInput, match=f"not judged here: .*{re.escape(said)}"):
        rust.check([project(), task])
    result = rust.verify(LIB, task)
    assert (result.status, result.reward) == ("unknown", None)
    assert said in result.details


def test_no_words_of_an_answer_make_its_project_one_that_is_not_judged(rust):
    words = "// CARGO_BIN_EXE_sums, #[test], #[cfg_attr(test, test)]\n#[cfg(test)]\nmod t { #[test]\nfn a() {} }\n"
    assert rust.verify(words + LIB, project()).status == "passed"
    asks = 'pub const P: &str = env!("CARGO_BIN_EXE_sums");\n'
    assert rust.verify(asks + LIB, project()).status == "compile_error"
    starts = IN_TESTS + 'const P: Option<&str> = option_env!("CARGO_BIN_EXE_sums");\n'
    result = rust.verify(LIB, project(tests__sums=starts))
    assert (result.status, "tests/sums.rs starts a program" in result.details) == ("unknown", True)


PROJECT_FORGERIES = {
    "exported macro": (
        "#[macro_export] macro_rules! assert_eq { ($($t:tt)*) => {} }\npub fn add(_: i32, _: i32) -> i32 { 0 }\n",
        "tests_failed",
    ),
    "exit": ("pub fn add(_: i32, _: i32) -> i32 { std::process::exit(0) }\n", "tests_failed"),
    "memcmp": (
        '#[no_mangle]\npub extern "C" fn bcmp(_: *const u8, _: *const u8, _: usize) -> i32 { 0 }\n' + LIB,
        "compile_error",
    ),
    "key": ("pub " + KEY_HUNT.lstrip().replace('"main.rs"', '"../tests/sums.rs"'), "tests_failed"),
    "refusal undone": (
        "macro_rules! compile_error { ($($t:tt)*) => {} }\n#[no_mangle]\npub fn add(_: i32, _: i32) -> i32 { 2 }\n",
        "compile_error",
    ),
}


@pytest.mark.parametrize("name", PROJECT_FORGERIES)
def test_a_forged_end_of_a_project_is_none(rust, name):
    code, status = PROJECT_FORGERIES[name]
    result = rust.verify(code.replace("fn add(", "pub fn add(").replace("pub pub", "pub"), project())
    assert (result.status, result.success) == (status, False), result.error


def test_the_answer_cannot_bring_tests_or_manifest_of_its_own(rust):
    """Only its own file is its own; the rest comes from the task."""
    result = rust.verify("#[test]\nfn a() {}\n#[test]\nfn b() {}\n" + LIB.replace("+", "-"), project())
    assert (result.status, result.passed, result.total) == ("tests_failed", 0, 2)


def test_what_the_compiler_says_is_the_same_each_time(rust):
    errors = {judge(rust, GOOD.replace("i32 {", "String {").replace("a + b", "h")).error for _ in range(2)}
    errors |= {rust.verify("pub fn add(a: i32) {}\n", project()).error}
    assert len(errors) == 2
    assert not any(re.search(r"h[0-9a-f]{16}", error or "") for error in errors)


def test_names_of_the_driver_are_new_each_time():
    first, second = Secret(), Secret()
    assert first.name not in driver.driver(second, "")
    assert str(second.key) in driver.driver(second, "")


def test_the_verifier_is_known_and_names_its_tools():
    verifier = get_verifier("rust")
    assert [path.rpartition("/")[2] for path in verifier.required_tools("rs")] == ["rustc", "gcc"]
    with pytest.raises(BadInput, match="cannot judge go"):
        verifier.required_tools("go")
